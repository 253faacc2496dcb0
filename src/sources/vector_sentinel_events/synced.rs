//! What keeping incidents in sync has to tell: writes, conflicts, and what somebody should look at.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value;

use super::config::EventKind;
use super::feed::{Feed, Told};
use crate::sources::ReadError;
use model::event::Event;
use runtime::store::Store;

/// So many events are told at a time.
const MOST: usize = 100;

/// What waits in the state file for one source.
pub(super) struct Synced {
    pub(super) store: Store,
    /// The id of the source.
    pub(super) reader: String,
    /// The kinds that it wants, as events name them.
    pub(super) kinds: BTreeSet<EventKind>,
}

#[async_trait]
impl Feed for Synced {
    fn name(&self) -> &'static str {
        "sync"
    }

    async fn after(&self, cursor: Option<&Value>) -> Result<Told, ReadError> {
        // What is delivered. Not just the last of it: one with an earlier key may come later, because keys are times, and what
        // has its key first is not always on disk first. A cursor that cannot be read is none: rather tell something twice.
        let delivered: Vec<String> =
            cursor.and_then(|cursor| serde_json::from_value(cursor.clone()).ok()).unwrap_or_default();
        self.store.forget_told(&self.reader, delivered).await?;
        let found = self.store.told(&self.reader, "", MOST).await?;
        let cursor = found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().into();
        let is_wanted = |event: &Value| {
            let kind = event.get("kind").and_then(Value::as_str);
            self.kinds.iter().any(|wanted| Some(wanted.word()) == kind)
        };
        let wanted = found.iter().filter(|(_, event)| is_wanted(event));
        Ok(Told {
            events: wanted.map(|(_, event)| Event::new(event.to_string().into(), None)).collect(),
            cursor,
            more: found.len() == MOST,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use runtime::store::Put;

    async fn leave(store: &Store, key: &str, kind: &str) {
        let event = json!({"kind": kind, "key": key});
        store.put_all(vec![Put::tell("events", key, &event).unwrap()]).await.unwrap();
    }

    fn keys(told: &Told) -> Vec<String> {
        let read = |event: &Event| serde_json::from_slice::<Value>(&event.to_json()).unwrap();
        told.events.iter().map(|event| read(event)["key"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn an_event_that_comes_late_or_after_the_clock_was_set_back_is_told_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let kinds = [EventKind::Audit].into();
        let feed = Synced { store: store.clone(), reader: "events".to_owned(), kinds };
        leave(&store, "5", "audit").await;
        leave(&store, "6", "notice").await;
        let first = feed.after(None).await.unwrap();
        assert_eq!(keys(&first), ["5"]);
        leave(&store, "3", "audit").await;
        assert_eq!(keys(&feed.after(None).await.unwrap()), ["3", "5"], "what is not delivered is told again");
        let second = feed.after(Some(&first.cursor)).await.unwrap();
        assert_eq!(keys(&second), ["3"]);
        assert_eq!(keys(&feed.after(Some(&second.cursor)).await.unwrap()), [""; 0]);
        assert!(store.told("events", "", 10).await.unwrap().is_empty(), "what is delivered makes room");
    }
}
