//! The batches that are on their way to a sink, so that one that Vector sends again is recognised.
//!
//! Vector waits a minute for an answer and a delivery may take longer. So a delivery goes on when nobody waits for it any
//! more, and when its batch comes again, that push is answered from it. Equal bytes alone do not make it the same batch: two
//! batches may well be equal, ids and all, if a transform has made two events of one. But Vector gives a push up before it
//! sends its batch again, so only a delivery that nobody waits for, and nobody was answered from, is taken for it.

#![expect(clippy::disallowed_types, reason = "looked up by digest for each batch, and never walked through")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use runtime::clock::Clock;
use runtime::delivery::BatchStatus;

/// How long the fate of a batch is remembered after it is decided. Vector tries again after half a minute at most, but it
/// may have many batches to send.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Most fates that are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// Tells a push from every other with different bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// All deliveries of one sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct Deliveries {
    clock: Clock,
    table: Arc<Mutex<Table>>,
    tasks: TaskTracker,
    /// Cancelled when nobody will ask for these deliveries any more.
    abandoned: CancellationToken,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// Those that are decided and that nobody waits for, in the order that they came to be so.
    unasked: VecDeque<(Instant, Key, u64)>,
    next_id: u64,
}

struct Entry {
    /// Tells it from an earlier or a later one with the same key.
    id: u64,
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Whether a push waits for it.
    is_awaited: bool,
}

/// One push that waits for a delivery.
pub(super) struct Waiting {
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Its place in the table, unless its delivery has none.
    place: Option<Place>,
}

/// One entry of the table.
#[derive(Clone)]
struct Place {
    deliveries: Deliveries,
    key: Key,
    id: u64,
}

// === impl Key ===

impl Key {
    pub(super) fn of(events: &[Bytes]) -> Self {
        let mut context = Context::new(&SHA256);
        for event in events {
            context.update(&event.len().to_le_bytes());
            context.update(event);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

// === impl Deliveries ===

impl Deliveries {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, table: Arc::default(), tasks: TaskTracker::new(), abandoned: CancellationToken::new() }
    }

    /// Waits for the delivery of this very batch, if there is one that nobody waits for.
    pub(super) fn join(&self, key: Key) -> Option<Waiting> {
        let mut table = self.table();
        table.forget(self.clock.monotonic());
        let entry = table.entries.get_mut(&key).filter(|entry| !entry.is_awaited)?;
        entry.is_awaited = true;
        let place = Place { deliveries: self.clone(), key, id: entry.id };
        Some(Waiting { outcome: entry.outcome.clone(), place: Some(place) })
    }

    /// Begins a delivery, unless the same one was begun in the meantime. It goes on whether or not somebody waits.
    pub(super) fn begin(
        &self,
        key: Key,
        delivery: impl Future<Output = BatchStatus> + Send + 'static,
    ) -> Waiting {
        if let Some(waiting) = self.join(key) {
            return waiting;
        }
        let (decide, outcome) = watch::channel(None);
        let mut table = self.table();
        // A twin that somebody still waits for keeps its place; this one then has none.
        let place = (!table.entries.contains_key(&key)).then(|| {
            table.next_id += 1;
            let id = table.next_id;
            table.entries.insert(key, Entry { id, outcome: outcome.clone(), is_awaited: true });
            Place { deliveries: self.clone(), key, id }
        });
        drop(table);
        let (abandoned, decided_at) = (self.abandoned.clone(), place.clone());
        self.tasks.spawn(async move {
            let status = tokio::select! {
                status = delivery => status,
                () = abandoned.cancelled() => BatchStatus::Errored,
            };
            decide.send_replace(Some(status));
            if let Some(place) = decided_at {
                place.decided(status);
            }
        });
        Waiting { outcome, place }
    }

    /// Ends every delivery when the guard is dropped.
    pub(super) fn end_with(&self) -> DropGuard {
        self.abandoned.clone().drop_guard()
    }

    /// Waits until nothing is on its way.
    pub(super) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// Forgets what was decided long ago, or too many others since.
    fn forget(&mut self, now: Instant) {
        while let Some((since, key, id)) = self.unasked.front() {
            if now.saturating_duration_since(*since) < REMEMBERED && self.unasked.len() <= MAX_REMEMBERED {
                break;
            }
            if self.entries.get(key).is_some_and(|entry| entry.id == *id && !entry.is_awaited) {
                self.entries.remove(key);
            }
            self.unasked.pop_front();
        }
    }
}

// === impl Place ===

impl Place {
    /// Does something with the entry, if it is still there.
    fn with(&self, act: impl FnOnce(&mut Table)) {
        let mut table = self.deliveries.table();
        if table.entries.get(&self.key).is_some_and(|entry| entry.id == self.id) {
            act(&mut table);
        }
    }

    /// The delivery has ended.
    fn decided(&self, status: BatchStatus) {
        if status == BatchStatus::Errored {
            // The next push of it is a new try.
            self.forget();
        } else {
            self.remember(|entry| !entry.is_awaited);
        }
    }

    /// Nobody waits for it any more.
    fn left(&self) {
        self.remember(|entry| {
            entry.is_awaited = false;
            entry.outcome.borrow().is_some()
        });
    }

    /// Equal bytes are another batch from now on.
    fn forget(&self) {
        self.with(|table| {
            table.entries.remove(&self.key);
        });
    }

    /// Keeps a fate for whoever may ask for it, if it is decided and nobody has.
    fn remember(&self, is_unasked: impl FnOnce(&mut Entry) -> bool) {
        let now = self.deliveries.clock.monotonic();
        self.with(|table| {
            if table.entries.get_mut(&self.key).is_some_and(is_unasked) {
                table.unasked.push_back((now, self.key, self.id));
            }
        });
    }
}

// === impl Waiting ===

impl Waiting {
    /// Waits for the fate of the batch.
    pub(super) async fn outcome(mut self) -> BatchStatus {
        let status = match self.outcome.wait_for(Option::is_some).await {
            Ok(decided) => (*decided).unwrap_or(BatchStatus::Errored),
            // Its task died: whether anything arrived isn't known.
            Err(_) => BatchStatus::Errored,
        };
        if let Some(place) = self.place.take() {
            place.forget();
        }
        status
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.left();
        }
    }
}
