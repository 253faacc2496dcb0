//! The event value: what travels between components.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::value::Value;

/// Events that are offered, delivered and acknowledged together. Cheap to clone.
pub type Batch = Arc<[Event]>;

/// One event: what its maker wrote, and the time it happened.
///
/// A batch of events cut from one response, or from one request, shares its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    body: Body,
    timestamp: Option<DateTime<Utc>>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// One JSON text in UTF-8, byte for byte as it came. It isn't checked here; whoever reads it does.
    Json(Bytes),
    /// A value of Vector's, most often an object.
    Value(Value),
}

impl Event {
    /// An event from one JSON text.
    pub const fn new(json: Bytes, timestamp: Option<DateTime<Utc>>) -> Self {
        Self { body: Body::Json(json), timestamp }
    }

    /// An event from Vector, whose time stands in it if it has one.
    pub const fn from_value(value: Value) -> Self {
        Self { body: Body::Value(value), timestamp: None }
    }

    /// What it says.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The event as JSON text: shared if it is that already.
    pub fn to_json(&self) -> Bytes {
        match &self.body {
            Body::Json(json) => json.clone(),
            Body::Value(value) => value.to_json(),
        }
    }

    /// When it happened, if its source knows: UTC.
    pub const fn timestamp(&self) -> Option<DateTime<Utc>> {
        self.timestamp
    }
}
