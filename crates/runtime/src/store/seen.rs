//! How far a component is, and what it has delivered that may be listed again.
//!
//! | kind | key | record |
//! |---|---|---|
//! | `cursors` | component | its cursor, and the time before which everything delivered is forgotten |
//! | `seen/<component>` | time of the newest of them, number | revisions that were delivered together |
//!
//! The two change in an order that is safe: a delivery is recorded before the cursor moves past it, and what is forgotten is
//! removed after the cursor has moved. What a crash leaves behind is forgotten by then, and goes the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::backend::{Backend, Condition, Put};
use super::{Store, StoreError};
use model::incident::Revision;

/// The kind of cursors.
pub(super) const CURSORS: &str = "cursors";
/// How many records are read at a time.
const PAGE: usize = 500;

/// Revisions that were recorded together: time in nanoseconds since 1970, and id.
pub(super) type Batch = Vec<(i64, String)>;

/// What one component keeps in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateEntry {
    /// The component: its kind and id, `sources.defender`.
    pub component: String,
    /// Its cursor as it is stored.
    pub cursor: serde_json::Value,
    /// How many delivered revisions are remembered.
    pub seen: u64,
}

/// How far a component is.
#[derive(Debug, Serialize, Deserialize)]
struct Reached {
    cursor: Box<RawValue>,
    /// In nanoseconds since 1970.
    forgotten_before: i64,
}

/// What is remembered of one component, as it is in the state.
#[derive(Default)]
pub(super) struct Remembered {
    revisions: BTreeSet<(i64, String)>,
    /// The keys of the records that have them.
    keys: BTreeSet<String>,
    serial: u64,
}

/// What is remembered, by component; nothing until it is read.
pub(super) type AllRemembered = BTreeMap<String, Arc<tokio::sync::Mutex<Option<Remembered>>>>;

// === impl Store ===

impl Store {
    /// The cursor of `component`, if it has one.
    pub async fn cursor<T: DeserializeOwned>(&self, component: &str) -> Result<Option<T>, StoreError> {
        let unreadable = |source| StoreError::Cursor { component: component.to_owned(), source };
        let Some(found) = self.backend().get(CURSORS, component).await? else { return Ok(None) };
        let reached: Reached = serde_json::from_str(&found.text).map_err(unreadable)?;
        serde_json::from_str(reached.cursor.get()).map(Some).map_err(unreadable)
    }

    /// Which of `revisions` were recorded as delivered: one answer each, in order.
    pub async fn seen(&self, component: &str, revisions: Vec<Revision>) -> Result<Vec<bool>, StoreError> {
        let remembered = self.remembered(component);
        let mut remembered = remembered.lock().await;
        if remembered.is_some() {
            // Whoever asks is about to deliver, and must not if that cannot be recorded.
            self.backend().get(CURSORS, component).await?;
        }
        let remembered = self.read_remembered(component, &mut remembered).await?;
        let is_seen = |revision: Revision| remembered.revisions.contains(&of_revision(revision));
        Ok(revisions.into_iter().map(is_seen).collect())
    }

    /// Records `revisions` as delivered. On disk when it returns.
    pub async fn record(&self, component: &str, revisions: Vec<Revision>) -> Result<(), StoreError> {
        let remembered = self.remembered(component);
        let mut remembered = remembered.lock().await;
        let remembered = self.read_remembered(component, &mut remembered).await?;
        let batch: Batch = revisions.into_iter().map(of_revision).collect();
        let Some(newest) = batch.iter().map(|(nanos, _)| *nanos).max() else { return Ok(()) };
        // A number of its own, whatever comes of it: it may be written though it is answered with an error.
        remembered.serial += 1;
        let key = key(newest, remembered.serial);
        remembered.keys.insert(key.clone());
        self.backend().put(Put::new(&kind(component), &key, &batch)?, Condition::Always).await?;
        remembered.revisions.extend(batch);
        Ok(())
    }

    /// Moves the cursor of `component`, and forgets the revisions before `forget_before`. On disk when it returns.
    pub async fn advance<T: Serialize + Sync>(
        &self,
        component: &str,
        cursor: &T,
        forget_before: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let cursor = serde_json::value::to_raw_value(cursor)
            .map_err(|source| StoreError::Cursor { component: component.to_owned(), source })?;
        let forgotten_before = nanos(forget_before);
        let remembered = self.remembered(component);
        let mut remembered = remembered.lock().await;
        let remembered = self.read_remembered(component, &mut remembered).await?;
        let reached = Reached { cursor, forgotten_before };
        self.backend().put(Put::new(CURSORS, component, &reached)?, Condition::Always).await?;
        remembered.revisions = remembered.revisions.split_off(&(forgotten_before, String::new()));
        let kept = remembered.keys.split_off(&key(forgotten_before, 0));
        let gone = std::mem::replace(&mut remembered.keys, kept);
        if gone.is_empty() {
            return Ok(());
        }
        let deleted = self.backend().delete(&kind(component), gone.iter().cloned().collect()).await;
        if deleted.is_err() {
            remembered.keys.extend(gone);
        }
        deleted
    }

    /// Everything that components keep of this kind, in the order of their names.
    pub async fn entries(&self) -> Result<Vec<StateEntry>, StoreError> {
        let mut entries = Vec::new();
        for (component, text) in read_all(self.backend(), CURSORS).await? {
            let remembered = self.remembered(&component);
            let mut remembered = remembered.lock().await;
            let seen = self.read_remembered(&component, &mut remembered).await?.revisions.len() as u64;
            let cursor = serde_json::from_str(&text)
                .and_then(|reached: Reached| serde_json::from_str(reached.cursor.get()))
                .unwrap_or_else(|_| text.into());
            entries.push(StateEntry { component, cursor, seen });
        }
        Ok(entries)
    }

    /// Forgets everything about `component`. Answers whether there was anything.
    pub async fn reset(&self, component: &str) -> Result<bool, StoreError> {
        let remembered = self.remembered(component);
        let mut remembered = remembered.lock().await;
        let was_there = self.backend().get(CURSORS, component).await?.is_some();
        // The cursor last: as long as it is there, it can be seen that not all is forgotten yet.
        let keys = read_all(self.backend(), &kind(component)).await?.into_iter().map(|(key, _)| key);
        *remembered = None;
        self.backend().delete(&kind(component), keys.collect()).await?;
        self.backend().delete(CURSORS, vec![component.to_owned()]).await?;
        Ok(was_there)
    }

    fn remembered(&self, component: &str) -> Arc<tokio::sync::Mutex<Option<Remembered>>> {
        let mut all = self.all_remembered().lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(component.to_owned()).or_default())
    }

    /// What is remembered of `component`; reads it if it was not read yet.
    async fn read_remembered<'a>(
        &self,
        component: &str,
        remembered: &'a mut Option<Remembered>,
    ) -> Result<&'a mut Remembered, StoreError> {
        if remembered.is_none() {
            *remembered = Some(self.load(component).await?);
        }
        Ok(remembered.get_or_insert_default())
    }

    async fn load(&self, component: &str) -> Result<Remembered, StoreError> {
        let forgotten_before = match self.backend().get(CURSORS, component).await? {
            // One that cannot be read is said to be so where it is asked for.
            Some(found) => serde_json::from_str(&found.text)
                .map_or(i64::MIN, |Reached { forgotten_before, .. }| forgotten_before),
            None => i64::MIN,
        };
        let kind = kind(component);
        let mut remembered = Remembered::default();
        for (key, text) in read_all(self.backend(), &kind).await? {
            let batch: Batch =
                serde_json::from_str(&text).map_err(|source| StoreError::document(&kind, &key, source))?;
            let serial = key.split_once('-').and_then(|(_, serial)| serial.parse().ok()).unwrap_or_default();
            remembered.serial = remembered.serial.max(serial);
            remembered.revisions.extend(batch.into_iter().filter(|(nanos, _)| *nanos >= forgotten_before));
            remembered.keys.insert(key);
        }
        Ok(remembered)
    }
}

/// All records of a kind.
async fn read_all(backend: &dyn Backend, kind: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(String::new(), |(key, _): &(String, String)| key.clone());
        let page = backend.list(kind, "", &after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The kind of the records of what `component` has delivered.
pub(super) fn kind(component: &str) -> String {
    format!("seen/{component}")
}

/// The key of such a record: in the order of the times.
pub(super) fn key(newest: i64, serial: u64) -> String {
    format!("{:020}-{serial:020}", newest.abs_diff(i64::MIN))
}

fn of_revision(revision: Revision) -> (i64, String) {
    (nanos(revision.last_update), revision.id)
}

/// Times are kept as nanoseconds since 1970, which reach from 1677 to 2262.
fn nanos(time: DateTime<Utc>) -> i64 {
    let out_of_range = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
    time.timestamp_nanos_opt().unwrap_or(out_of_range)
}
