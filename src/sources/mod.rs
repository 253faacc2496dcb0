//! Sources: where events come from. Each has a `config` and what it reads; the poller of incidents is one for all.

pub mod defender_incidents;
mod error;
pub mod incidents;
pub mod sentinel_incidents;
pub mod vector_sentinel_events;

pub use error::ReadError;
