//! The event value: what travels between components.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// Events that are offered, delivered and acknowledged together. Cheap to clone.
pub type Batch = Arc<[Event]>;

/// One event: a JSON text as its maker wrote it, and the time it happened.
///
/// Cloning shares the text. A batch of events cut from one response shares that response's memory.
#[derive(Clone, Debug)]
pub struct Event {
    json: Bytes,
    timestamp: Option<DateTime<Utc>>,
}

impl Event {
    /// An event from one JSON text in UTF-8. The text isn't checked here; whoever reads it does.
    #[must_use]
    pub const fn new(json: Bytes, timestamp: Option<DateTime<Utc>>) -> Self {
        Self { json, timestamp }
    }

    /// The JSON text, byte for byte as it came.
    #[must_use]
    pub const fn json(&self) -> &Bytes {
        &self.json
    }

    /// When it happened, if its source knows: UTC.
    #[must_use]
    pub const fn timestamp(&self) -> Option<DateTime<Utc>> {
        self.timestamp
    }
}
