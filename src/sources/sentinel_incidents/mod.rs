//! `sentinel_incidents`: Microsoft Sentinel's incidents, with their comments, each time they change.

mod config;
mod listing;

pub use config::{SentinelIncidents, SentinelIncidentsConfig};
