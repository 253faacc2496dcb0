//! Keeps count, and tells whoever waits that something changed.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::core::stats::{Revision, Row, Stats, Write};
use crate::core::store::lock;
use crate::core::ticks;
use crate::ingestion::columns::Losses;

/// Everything that happened so far.
#[derive(Debug)]
pub(crate) struct Records {
    keep_rows: bool,
    book: Mutex<Book>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Book {
    stats: Stats,
    rows: Vec<Row>,
    /// The newest rows, for queries, whether or not all are kept.
    newest: VecDeque<Row>,
    errors: VecDeque<IngestionError>,
    writes: Vec<Write>,
    served: BTreeSet<Revision>,
    keys: Keys,
}

/// The (`id_`, `lastUpdateDateTime`) of every row, as one number each, which is the same in every run.
#[derive(Debug, Default)]
struct Keys(BTreeSet<u64>);

/// How many rows and errors queries find.
const QUERIED: usize = 10_000;

/// What the log of a rule says of a request.
#[derive(Clone, Debug)]
pub(crate) struct IngestionError {
    pub(crate) at: DateTime<Utc>,
    pub(crate) client_request_id: String,
    pub(crate) stream: String,
    /// `Ingestion` or `Transformation`.
    pub(crate) operation: &'static str,
    pub(crate) message: String,
}

/// The revisions in an answer of Graph, on their way to whoever sends it.
#[derive(Clone)]
pub(crate) struct Served(pub(crate) Vec<Revision>);

// === impl Records ===

impl Records {
    pub(crate) fn new(keep_rows: bool) -> Self {
        Self { keep_rows, book: Mutex::default(), changes: watch::Sender::new(()) }
    }

    pub(crate) fn stats(&self) -> Stats {
        lock(&self.book).stats.clone()
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        lock(&self.book).rows.clone()
    }

    /// The newest rows that were ingested up to a time, and that `wanted` takes.
    pub(crate) fn found(&self, until: DateTime<Utc>, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
        let book = lock(&self.book);
        book.newest.iter().filter(|row| row.at <= until && wanted(row)).cloned().collect()
    }

    /// Notes what the log of a rule says.
    pub(crate) fn note_error(&self, error: IngestionError) {
        let mut book = lock(&self.book);
        book.errors.push_back(error);
        let surplus = book.errors.len().saturating_sub(QUERIED);
        book.errors.drain(..surplus);
    }

    pub(crate) fn errors(&self) -> Vec<IngestionError> {
        lock(&self.book).errors.iter().cloned().collect()
    }

    /// What clients wrote, in order.
    pub(crate) fn writes(&self) -> Vec<Write> {
        lock(&self.book).writes.clone()
    }

    pub(crate) fn served(&self) -> Vec<Revision> {
        lock(&self.book).served.iter().cloned().collect()
    }

    /// What was served and is not among the rows.
    pub(crate) fn missing(&self) -> Vec<Revision> {
        let book = lock(&self.book);
        let is_missing = |revision: &&Revision| !book.keys.has(&revision.id, &revision.last_update);
        book.served.iter().filter(is_missing).cloned().collect()
    }

    /// Tells of every change from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Changes the counters.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut lock(&self.book).stats);
        self.changes.send_replace(());
    }

    /// Notes what was in an answer of Graph that is sent whole.
    pub(crate) fn serve(&self, revisions: Vec<Revision>) {
        let mut book = lock(&self.book);
        book.stats.graph_incidents_served += revisions.len() as u64;
        book.served.extend(revisions);
        drop(book);
        self.changes.send_replace(());
    }

    /// Notes a client's write that was done.
    pub(crate) fn write(&self, write: Write) {
        let mut book = lock(&self.book);
        book.stats.incident_writes += 1;
        book.writes.push(write);
        drop(book);
        self.changes.send_replace(());
    }

    /// Notes the rows of one request that was accepted at that time.
    pub(crate) fn ingest(
        &self,
        at: DateTime<Utc>,
        stream: &str,
        rows: Vec<Map<String, Value>>,
        losses: Losses,
    ) {
        let mut book = lock(&self.book);
        let Book { stats, keys, .. } = &mut *book;
        let count = rows.len() as u64;
        stats.rows_ingested += count;
        *stats.rows_by_stream.entry(stream.to_owned()).or_default() += count;
        for row in &rows {
            let text = |name| row.get(name).and_then(Value::as_str);
            let Some(last_update) = text("lastUpdateDateTime") else { continue };
            if let Some(id) = text("id_") {
                let is_new = keys.add(id, last_update);
                stats.distinct_rows += u64::from(is_new);
                stats.duplicate_rows += u64::from(!is_new);
            }
            let last_update = ticks::normal(last_update);
            if stats.newest_row.as_ref().is_none_or(|newest| *newest < last_update) {
                stats.newest_row = Some(last_update);
            }
        }
        add(&mut stats.columns_vanished, losses.vanished);
        add(&mut stats.type_mismatches, losses.mismatched);
        add(&mut stats.fields_truncated, losses.truncated);
        stats.time_generated_missing += losses.without_time;
        let rows = rows.into_iter().map(|columns| Row { at, stream: stream.to_owned(), columns });
        for row in rows {
            if self.keep_rows {
                book.rows.push(row.clone());
            }
            book.newest.push_back(row);
        }
        let surplus = book.newest.len().saturating_sub(QUERIED);
        book.newest.drain(..surplus);
        drop(book);
        self.changes.send_replace(());
    }
}

fn add(totals: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (name, count) in more {
        *totals.entry(name).or_default() += count;
    }
}

// === impl Keys ===

impl Keys {
    /// False if it was there already.
    fn add(&mut self, id: &str, last_update: &str) -> bool {
        self.0.insert(key_of(id, last_update))
    }

    fn has(&self, id: &str, last_update: &str) -> bool {
        self.0.contains(&key_of(id, last_update))
    }
}

fn key_of(id: &str, last_update: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (id, ticks::normal(last_update)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id: &str, last_update: &str) -> Map<String, Value> {
        json!({"id_": id, "lastUpdateDateTime": last_update}).as_object().unwrap().clone()
    }

    fn revision(id: &str, last_update: &str) -> Revision {
        Revision { id: id.to_owned(), last_update: last_update.to_owned() }
    }

    #[test]
    fn a_row_is_the_same_row_however_many_zeros_its_time_has() {
        let records = Records::new(false);
        let served = [revision("1", "2026-02-25T16:29:33.1000000Z"), revision("2", "2026-02-25T16:29:33.1Z")];
        records.serve(served.to_vec());
        assert_eq!(records.missing(), served);
        let rows = vec![row("1", "2026-02-25T16:29:33.1Z"), row("1", "2026-02-25T16:29:33.10Z"), Map::new()];
        records.ingest(DateTime::UNIX_EPOCH, "Custom-Mine", rows, Losses::default());
        assert_eq!(records.missing(), served[1..]);
        let stats = records.stats();
        assert_eq!((stats.rows_ingested, stats.distinct_rows, stats.duplicate_rows), (3, 1, 1));
        assert_eq!(stats.newest_row.as_deref(), Some("2026-02-25T16:29:33.1000000Z"));
        assert_eq!(records.rows(), []);
    }
}
