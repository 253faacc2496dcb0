//! `sentinel_incidents`, the sink: what incidents of Defender say, in Microsoft Sentinel.

mod config;
mod encoder;
mod native;
mod service;

pub use config::{SentinelIncidents, SentinelIncidentsConfig};
