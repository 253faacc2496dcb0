//! The simulator: fake Entra ID, fake Microsoft Graph security incidents, fake Azure Monitor Logs Ingestion with queries for
//! what was ingested, and fake Azure Resource Manager, with Microsoft Sentinel's incidents and what is asked about rules and
//! tables, over one real TLS socket on loopback, or in process without any socket ([`InProcess`]).
//!
//! It is written from the vendor's documentation and shares no type with the client: a shared struct
//! would let a misspelt field agree with itself. Where the documentation says that the service loses
//! something without a word (columns that were not declared, a body that is no array), so does the
//! simulator, and it counts what was lost.
//!
//! Incidents live: they are opened, gain alerts, are assigned, resolved and merged, driven by a seed.
//! Faults are scripted or struck by chance; see [`Fault`].

mod arm;
mod config;
mod core;
mod entra;
mod graph;
mod in_process;
mod ingestion;
mod log_analytics;
mod sentinel;
mod server;
mod sim_state;
mod socket;
#[cfg(test)]
mod tests;
mod tls;

pub use crate::core::faults::{Chance, Fault, FaultPlan, Faults, Service};
pub use crate::core::operation::Operation;
pub use crate::core::stats::{Revision, Row, Stats, Write, WriteKind};
pub use config::{IncidentsConfig, LogAnalyticsConfig, Oddities, Roles, SimulatorConfig, WorkspaceRole};
pub use graph::Tenant;
pub use in_process::{InProcess, TransportError};
pub use ingestion::{ColumnType, Columns, Dcr, DcrError, Flow};
pub use sentinel::{ArmQuota, ConnectorConfig, User, Workspace, WorkspaceConfig};
pub use server::{Simulator, SimulatorError};
