//! The batches that are on their way to a sink, so that one that Vector sends again is recognised.
//!
//! Vector waits a minute for an answer and a delivery may take longer. So a delivery goes on when nobody waits for it any
//! more, and when its batch comes again, that push is answered from it. Equal bytes alone do not make it the same batch: two
//! batches may well be equal, ids and all, if a transform has made two events of one. But Vector gives a push up before it
//! sends its batch again, so only a delivery that nobody waits for, and nobody was answered from, is taken for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::delivery::BatchStatus;

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
    /// Those that are decided, in the order that they were.
    decided: VecDeque<(Instant, Key)>,
}

struct Entry {
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Whether a push waits for it.
    is_awaited: bool,
}

/// One push that waits for a delivery.
pub(super) struct Waiting {
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Its place in the table, unless its delivery has none.
    place: Option<(Deliveries, Key)>,
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
        Some(Waiting { outcome: entry.outcome.clone(), place: Some((self.clone(), key)) })
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
        let place = (!table.entries.contains_key(&key)).then(|| (self.clone(), key));
        if place.is_some() {
            table.entries.insert(key, Entry { outcome: outcome.clone(), is_awaited: true });
        }
        drop(table);
        let (deliveries, is_placed) = (self.clone(), place.is_some());
        self.tasks.spawn(async move {
            let status = tokio::select! {
                status = delivery => status,
                () = deliveries.abandoned.cancelled() => BatchStatus::Errored,
            };
            if is_placed {
                deliveries.decided(key, status);
            }
            decide.send_replace(Some(status));
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

    fn decided(&self, key: Key, status: BatchStatus) {
        let mut table = self.table();
        if status == BatchStatus::Errored {
            // The next push of it is a new try.
            table.entries.remove(&key);
        } else {
            table.decided.push_back((self.clock.monotonic(), key));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// Forgets what was decided long ago, or too many others since.
    fn forget(&mut self, now: Instant) {
        while let Some((since, key)) = self.decided.front() {
            if now.saturating_duration_since(*since) < REMEMBERED && self.decided.len() <= MAX_REMEMBERED {
                break;
            }
            if self.entries.get(key).is_some_and(|entry| entry.outcome.borrow().is_some()) {
                self.entries.remove(key);
            }
            self.decided.pop_front();
        }
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
        if let Some((deliveries, key)) = &self.place {
            let mut table = deliveries.table();
            // Equal bytes are another batch from now on.
            table.entries.remove(key);
        }
        status
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((deliveries, key)) = &self.place
            && let Some(entry) = deliveries.table().entries.get_mut(key)
        {
            entry.is_awaited = false;
        }
    }
}
