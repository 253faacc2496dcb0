//! `sentinel_logs`: ingests any event as a row, through the Logs Ingestion API of Azure Monitor.

mod column;
mod config;
mod destination;
mod encoder;
pub mod layout;
mod packer;
mod rows;
mod rule;
mod service;
mod sink;
mod template;

pub use config::{Compression, SentinelLogsConfig, Validated};
pub use encoder::Encoder;
pub use packer::{Packed, Packer, Request};
pub use rule::{Rule, Rules};
pub use sink::SentinelLogs;
