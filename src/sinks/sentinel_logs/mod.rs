//! `sentinel_logs`: ingests any event as a row, through the Logs Ingestion API of Azure Monitor.

mod column;
mod config;
mod encoder;
mod packer;
mod service;
mod sink;

pub use config::{Compression, SentinelLogsConfig, Validated};
pub use encoder::Encoder;
pub use packer::{Packed, Packer, Request};
pub use sink::SentinelLogs;
