//! `defender_incidents`, the sink: what incidents of Microsoft Sentinel say, in Defender XDR.

mod config;
mod encoder;
mod service;

pub use config::{DefenderIncidents, DefenderIncidentsConfig};
