//! `sentinel_logs`: ingests any event as a row, through the Logs Ingestion API of Azure Monitor.

mod column;
mod column_type;
mod columns;
mod compression;
mod config;
mod destination;
mod encoder;
mod encoding;
mod field_path;
mod gzip;
pub mod layout;
mod packer;
mod preflight;
mod probe;
mod ready;
mod request;
mod row_writer;
mod rows;
mod rule;
mod service;
mod sink;
mod table_plan;
mod targets;
mod template;

pub use columns::{Columns, ColumnsConfig};
pub use compression::Compression;
pub use config::SentinelLogsConfig;
pub use encoder::{Encoder, RowNotes};
pub use encoding::Encoding;
pub use packer::{Packed, Packer, Request};
pub use ready::SentinelLogs;
pub use rows::Rows;
pub use rule::{Rule, RuleRegistry};
pub use sink::LogSink;
pub use table_plan::TablePlan;
