//! The batches that are on their way to a sink, so that one that Vector sends again is recognised.
//!
//! Vector waits a minute for an answer and a delivery may take longer. So a delivery goes on when nobody waits for it any
//! more, and when its batch comes again, that push is answered from it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
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
}

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// Those that are decided, in the order that they were.
    decided: VecDeque<(Instant, Key)>,
}

struct Entry {
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// How many pushes wait for it.
    waiting: usize,
    /// Whether its events have ids, so that another push with the same bytes cannot be another batch.
    identified: bool,
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
        Self { clock, table: Arc::default(), tasks: TaskTracker::new() }
    }

    /// Waits for the delivery of this very batch, if there is one.
    ///
    /// Without ids in its events, two batches may well be equal. Then it is taken to be the same one only if nobody waits
    /// for the first any more: because Vector gives a push up before it sends its batch again.
    pub(super) fn join(&self, key: Key, identified: bool) -> Option<Waiting> {
        let mut table = self.table();
        table.forget(self.clock.monotonic());
        let entry = table.entries.get_mut(&key)?;
        if entry.waiting > 0 && !(identified && entry.identified) {
            return None;
        }
        entry.waiting += 1;
        Some(Waiting { outcome: entry.outcome.clone(), place: Some((self.clone(), key)) })
    }

    /// Begins a delivery, unless the same one was begun in the meantime. It goes on whether or not somebody waits.
    pub(super) fn begin(
        &self,
        key: Key,
        identified: bool,
        delivery: impl Future<Output = BatchStatus> + Send + 'static,
    ) -> Waiting {
        if let Some(waiting) = self.join(key, identified) {
            return waiting;
        }
        let (decide, outcome) = watch::channel(None);
        let mut table = self.table();
        // A twin that somebody still waits for keeps its place; this one then has none.
        let place = (!table.entries.contains_key(&key)).then(|| (self.clone(), key));
        if place.is_some() {
            table.entries.insert(key, Entry { outcome: outcome.clone(), waiting: 1, identified });
        }
        drop(table);
        let placed = place.is_some().then(|| self.clone());
        self.tasks.spawn(async move {
            let status = delivery.await;
            if let Some(deliveries) = placed {
                deliveries.decided(key, status);
            }
            decide.send_replace(Some(status));
        });
        Waiting { outcome, place }
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
            // Equal bytes without ids are another batch from now on. And a delivery that died is begun anew.
            if table.entries.get(key).is_some_and(|entry| !entry.identified || status == BatchStatus::Errored)
            {
                table.entries.remove(key);
            }
        }
        status
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((deliveries, key)) = &self.place
            && let Some(entry) = deliveries.table().entries.get_mut(key)
        {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
    }
}
