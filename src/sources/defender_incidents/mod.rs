//! `defender_incidents`: Defender XDR incidents, with alerts and evidence, each time they change.

mod config;
mod listing;

pub use config::{DefenderIncidents, DefenderIncidentsConfig};
