//! The simulator: fake Entra ID, fake Microsoft Graph security incidents, fake Azure Monitor Logs Ingestion and fake
//! Azure Resource Manager, with Microsoft Sentinel's incidents and what is asked about rules and tables, over one real TLS
//! socket on loopback, or in process without any socket ([`InProcess`]).
//!
//! It is written from the vendor's documentation and shares no type with the client: a shared struct
//! would let a misspelt field agree with itself. Where the documentation says that the service loses
//! something without a word (columns that were not declared, a body that is no array), so does the
//! simulator, and it counts what was lost.
//!
//! Incidents live: they are opened, gain alerts, are assigned, resolved and merged, driven by a seed.
//! Faults are scripted or struck by chance; see [`Fault`].

mod answers;
mod arm;
mod asked;
mod columns;
mod config;
mod cutter;
mod dcr;
mod edit;
mod entra;
mod evidence;
mod faults;
mod gate;
mod graph;
mod graph_dialect;
mod graph_write;
mod in_process;
mod incident;
mod json;
mod life;
mod limits;
mod logs_ingestion;
mod members;
mod odata;
mod operation;
mod records;
mod resource_graph;
mod roster;
mod rules;
mod security_insights;
mod server;
mod socket;
mod stats;
mod store;
mod tenant;
#[cfg(test)]
mod tests;
mod ticks;
mod tls;
mod tokens;
mod words;
mod world;

pub use config::{IncidentsConfig, Oddities, Roles, SimulatorConfig, WorkspaceRole};
pub use dcr::{ColumnType, Columns, Dcr, DcrError, Flow};
pub use faults::{ByService, Chance, Fault, FaultPlan, Faults, Service};
pub use in_process::{InProcess, TransportError};
pub use operation::Operation;
pub use security_insights::{ArmQuota, ConnectorConfig, User, Workspace, WorkspaceConfig};
pub use server::{Simulator, SimulatorError};
pub use stats::{Revision, Row, Stats, Write, WriteKind};
pub use tenant::Tenant;
