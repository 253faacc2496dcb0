//! Sinks: where events go. Each has a `config`, an `encoder`, a `service` (one request) and a `sink` (the stream).

pub mod incident_sync;
pub mod sentinel_logs;
