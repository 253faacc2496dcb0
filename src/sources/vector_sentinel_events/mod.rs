//! `vector_sentinel_events`: what this program itself has to tell, as events.
//!
//! A kind of event is a [`Feed`]: something that answers, time and again, what has come after a cursor. Cursors are in the
//! state file, and move only when what was told is delivered.

mod config;
mod feed;
mod quarantined;
mod source;
mod synced;

pub use config::{EventKind, VectorSentinelEvents, VectorSentinelEventsConfig};
pub use feed::{Feed, Told};
pub use source::EventSource;
