//! What was put into the quarantine of one component.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;

use super::feed::{Feed, Told};
use crate::component::Peer;
use crate::sources::ReadError;
use model::event::Event;
use runtime::off_thread::OffThread;
use runtime::quarantine::{Contents, Entry, Limit, Position, Since};

/// What is told at a time.
const LIMIT: Limit = Limit { entries: 100, bytes: 4 * 1024 * 1024 };

/// The quarantine of one component.
#[derive(Clone)]
pub(super) struct Quarantined {
    name: String,
    data_dir: PathBuf,
    of: Peer,
    /// Events with more bytes are left out.
    max_event_bytes: u64,
    off_thread: OffThread,
}

// === impl Quarantined ===

impl Quarantined {
    pub(super) fn new(data_dir: PathBuf, of: Peer, max_event_bytes: u64, off_thread: OffThread) -> Self {
        Self { name: format!("quarantine.{}", of.id), data_dir, of, max_event_bytes, off_thread }
    }

    fn read(&self, from: Position) -> std::io::Result<(Vec<Event>, Since)> {
        let Some(contents) = Contents::of(&self.data_dir, &self.of.id)? else {
            return Ok((Vec::new(), Since::default()));
        };
        let since = contents.since(from, LIMIT)?;
        let events = since.entries.iter().map(|entry| self.event(entry)).collect::<Result<_, _>>()?;
        Ok((events, since))
    }

    /// The event that tells of an entry: the fields of its line, and whose it is.
    fn event(&self, entry: &Entry) -> Result<Event, serde_json::Error> {
        let line = entry.to_line()?;
        let mut fields: BTreeMap<Cow<'_, str>, Box<RawValue>> = serde_json::from_slice(&line)?;
        // `id` cannot be a column, and `timestamp` is the time of an event in Vector, not of what it tells of.
        for (field, renamed) in [("id", "entry_id"), ("timestamp", "event_timestamp")] {
            if let Some(value) = fields.remove(field) {
                fields.insert(renamed.into(), value);
            }
        }
        if entry.bytes > self.max_event_bytes {
            fields.remove("event");
            fields.remove("not_utf8");
            fields.insert("event_left_out".into(), RawValue::from_string("true".to_owned())?);
        }
        for (field, text) in [
            ("kind", "quarantine"),
            ("component_id", self.of.id.as_str()),
            ("component_kind", self.of.kind),
            ("component_type", self.of.component_type.as_str()),
        ] {
            fields.insert(field.into(), serde_json::value::to_raw_value(text)?);
        }
        Ok(Event::new(serde_json::to_vec(&fields)?.into(), entry.time))
    }
}

#[async_trait]
impl Feed for Quarantined {
    fn name(&self) -> &str {
        &self.name
    }

    async fn after(&self, cursor: Option<&Value>) -> Result<Told, ReadError> {
        let failed = |cause| ReadError::Quarantine { component: self.of.id.clone(), cause };
        // A cursor that cannot be read is none: rather tell something twice than not at all.
        let from = cursor.and_then(|cursor| serde_json::from_value(cursor.clone()).ok()).unwrap_or_default();
        let this = self.clone();
        let read = self.off_thread.run(move || this.read(from)).await;
        let (events, since) =
            read.unwrap_or_else(|ended| Err(std::io::Error::other(ended))).map_err(failed)?;
        let cursor = serde_json::to_value(since.position).map_err(|error| failed(error.into()))?;
        Ok(Told { events, cursor, more: since.more })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use runtime::quarantine::{Quarantine, Reason};

    #[tokio::test]
    async fn an_entry_is_told_with_all_that_is_known_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "sentinel", 1_000_000).unwrap();
        let reason = Reason { code: "refused", message: "no".to_owned(), request_id: Some("r".to_owned()) };
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        for json in [
            "{\"n\":123456789012345678901234567890}",
            "{\"large\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
            "no json",
        ] {
            let then = DateTime::from_timestamp(1_000, 0);
            quarantine.keep(&Event::new(json.into(), then), &reason, now).await.unwrap();
        }
        let of = Peer {
            id: "sentinel".to_owned(),
            kind: "sink",
            component_type: "sentinel_logs".to_owned(),
            consumes_own_events: false,
        };
        let feed = Quarantined::new(dir.path().to_owned(), of, 40, OffThread::Blocking);
        let told = feed.after(None).await.unwrap();
        assert_eq!(told.events.iter().map(Event::timestamp).collect::<Vec<_>>(), [Some(now); 3]);
        let text = String::from_utf8(told.events[0].to_json().to_vec()).unwrap();
        assert!(text.contains("\"event\":{\"n\":123456789012345678901234567890}"), "{text}");
        let events: Vec<Value> =
            told.events.iter().map(|event| serde_json::from_slice(&event.to_json()).unwrap()).collect();
        let mut first = events[0].clone();
        first.as_object_mut().unwrap().remove("event");
        let expected = json!({
            "kind": "quarantine", "component_id": "sentinel", "component_kind": "sink",
            "component_type": "sentinel_logs", "entry_id": "1-0", "time": "2026-09-21T14:13:20Z", "code": "refused",
            "message": "no", "request_id": "r", "bytes": 36, "event_timestamp": "1970-01-01T00:16:40Z",
        });
        assert_eq!(first, expected);
        assert_eq!((events[1].get("event"), &events[1]["event_left_out"]), (None, &json!(true)));
        assert_eq!(events[2]["event"], "no json");
        assert_eq!(feed.after(Some(&told.cursor)).await.unwrap().events.len(), 0);
    }
}
