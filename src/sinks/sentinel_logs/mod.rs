//! `sentinel_logs`: ingests any event as a row, through the Logs Ingestion API of Azure Monitor.

mod column;
mod column_type;
mod columns;
mod config;
mod destination;
mod encoder;
pub mod layout;
mod packer;
mod rows;
mod rule;
mod service;
mod sink;
mod table_plan;
mod template;

pub use columns::{Columns, ColumnsConfig};
pub use config::{Compression, SentinelLogsConfig, Validated};
pub use encoder::Encoder;
pub use packer::{Packed, Packer, Request};
pub use rule::{Rule, Rules};
pub use sink::SentinelLogs;
pub use table_plan::TablePlan;
