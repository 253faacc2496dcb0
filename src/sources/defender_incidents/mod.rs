//! `defender_incidents`: Defender XDR incidents, with alerts and evidence, each time they change.

mod config;
mod poller;
mod source;

pub use config::{DefenderIncidentsConfig, Validated};
pub use poller::{Interrupt, Poller, State};
pub use source::DefenderIncidents;
