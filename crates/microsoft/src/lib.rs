//! Clients of Microsoft's services: one file a remote service.
//!
//! What goes wrong is a [`ServiceError`], and what it means stands in [`error`] alone; what services say is read in `answer`
//! alone.

mod answer;
pub mod arm;
pub mod authorized;
pub mod cloud;
pub mod connection;
pub mod credential;
pub mod data_collection_rules;
pub mod error;
pub mod graph;
pub mod hosts;
pub mod http;
pub mod listing;
pub mod log_analytics;
pub mod logs_ingestion;
pub mod security_insights;
pub mod tls;

pub use error::ServiceError;
