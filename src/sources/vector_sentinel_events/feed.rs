//! What every kind of event has in common.

use async_trait::async_trait;
use serde_json::Value;

use crate::sources::ReadError;
use model::event::Event;

/// Entries in an order that lasts, which are told of one after the other.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Names it among the source's feeds, in the state file too.
    fn name(&self) -> &str;

    /// What comes after `cursor`, the oldest first; no more than can be delivered at a time.
    async fn after(&self, cursor: Option<&Value>) -> Result<Told, ReadError>;
}

/// What a feed tells.
#[derive(Debug)]
pub struct Told {
    /// The events; none if there is nothing new.
    pub events: Vec<Event>,
    /// What to ask with next time, once all of them are delivered.
    pub cursor: Value,
    /// Whether there may be more by now.
    pub more: bool,
}
