//! What keeping incidents in sync has to tell: writes, conflicts, and what somebody should look at.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value;

use super::config::EventKind;
use super::feed::{Feed, Told};
use crate::client::Failure;
use crate::model::event::Event;
use crate::store::{Store, StoreError};

/// So many events are told at a time.
const MOST: usize = 100;

/// What waits in the state file for one source.
pub(super) struct Synced {
    pub(super) store: Store,
    /// The source.
    pub(super) reader: String,
    /// The kinds that it wants, as events name them.
    pub(super) kinds: BTreeSet<EventKind>,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::unanswered("state_file", error.to_string())
    }
}

#[async_trait]
impl Feed for Synced {
    fn name(&self) -> &'static str {
        "sync"
    }

    async fn after(&self, cursor: Option<&Value>) -> Result<Told, Failure> {
        let after = cursor.and_then(Value::as_str).unwrap_or_default();
        // All of that is delivered.
        self.store.forget_told(&self.reader, after).await?;
        let found = self.store.told(&self.reader, after, MOST).await?;
        let cursor = found.last().map_or(after, |(last, _)| last).to_owned();
        let is_wanted = |event: &Value| {
            let kind = event.get("kind").and_then(Value::as_str);
            self.kinds.iter().any(|wanted| Some(wanted.word()) == kind)
        };
        let wanted = found.iter().filter(|(_, event)| is_wanted(event));
        Ok(Told {
            events: wanted.map(|(_, event)| Event::new(event.to_string().into(), None)).collect(),
            cursor: cursor.into(),
            more: found.len() == MOST,
        })
    }
}
