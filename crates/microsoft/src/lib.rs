//! The HTTPS edge: one file a remote service, and the only place that turns an answer into a
//! [`Verdict`](runtime::retry::Verdict).

pub mod arm;
pub mod authorized;
pub mod cloud;
pub mod credential;
pub mod data_collection_rules;
mod failure;
pub mod graph;
pub mod http;
pub mod listing;
pub mod logs_ingestion;
pub mod security_insights;

pub use failure::Failure;
