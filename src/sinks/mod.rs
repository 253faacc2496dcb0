//! Sinks: where events go. Each has a `config`, an `encoder`, a `service` (one request) and a `sink` (the stream).

pub mod defender_incidents;
pub mod incident_sync;
pub mod quarantine;
pub mod sentinel_incidents;
pub mod sentinel_logs;
