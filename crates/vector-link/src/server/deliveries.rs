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

use aws_lc_rs::digest::Context;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use runtime::clock::Clock;
use runtime::delivery::BatchStatus;

/// How long the outcome of a batch is remembered. Vector tries again after half a minute at most, but it
/// may have many batches to send.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Most outcomes that are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// Tells a body, or a part of one, from every other with different bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BatchDigest([u8; 32]);

/// All deliveries of one sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct Deliveries {
    clock: Clock,
    table: Arc<Mutex<Table>>,
    tasks: TaskTracker,
    /// Cancelled, and replaced, when what is on its way is given up.
    given_up: Arc<Mutex<CancellationToken>>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<BatchDigest, Entry>,
    /// Those that are decided and that nobody waits for, in the order that they came to be so.
    unclaimed: VecDeque<(Instant, BatchDigest, u64)>,
    next_id: u64,
}

struct Entry {
    /// Tells it from an earlier or a later one with the same digest.
    id: u64,
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Whether a push waits for it.
    is_awaited: bool,
}

/// One push that waits for a delivery.
pub(super) struct Waiting {
    outcome: watch::Receiver<Option<BatchStatus>>,
    /// Its handle in the table, unless its delivery has none.
    handle: Option<EntryHandle>,
}

/// One entry of the table.
#[derive(Clone)]
struct EntryHandle {
    deliveries: Deliveries,
    digest: BatchDigest,
    id: u64,
}

// === impl BatchDigest ===

impl BatchDigest {
    /// The digest of what was read so far.
    pub(super) fn of(read: &Context) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(read.clone().finish().as_ref());
        Self(digest)
    }
}

// === impl Deliveries ===

impl Deliveries {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, table: Arc::default(), tasks: TaskTracker::new(), given_up: Arc::default() }
    }

    /// Waits for the delivery of this very batch, if there is one that nobody waits for.
    pub(super) fn join(&self, digest: BatchDigest) -> Option<Waiting> {
        let mut table = self.table();
        table.forget(self.clock.monotonic());
        let entry = table.entries.get_mut(&digest).filter(|entry| !entry.is_awaited)?;
        entry.is_awaited = true;
        let handle = EntryHandle { deliveries: self.clone(), digest, id: entry.id };
        Some(Waiting { outcome: entry.outcome.clone(), handle: Some(handle) })
    }

    /// Begins a delivery, unless the same one was begun in the meantime. It goes on whether or not somebody waits.
    pub(super) fn begin(
        &self,
        digest: BatchDigest,
        delivery: impl Future<Output = BatchStatus> + Send + 'static,
    ) -> Waiting {
        if let Some(waiting) = self.join(digest) {
            return waiting;
        }
        let (decide, outcome) = watch::channel(None);
        let mut table = self.table();
        // A twin that somebody still waits for keeps its handle; this one then has none.
        let handle = (!table.entries.contains_key(&digest)).then(|| {
            table.next_id += 1;
            let id = table.next_id;
            table.entries.insert(digest, Entry { id, outcome: outcome.clone(), is_awaited: true });
            EntryHandle { deliveries: self.clone(), digest, id }
        });
        drop(table);
        let (given_up, decided_at) = (self.given_up().clone(), handle.clone());
        self.tasks.spawn(async move {
            let status = tokio::select! {
                status = delivery => status,
                () = given_up.cancelled() => BatchStatus::Errored,
            };
            decide.send_replace(Some(status));
            if let Some(handle) = decided_at {
                handle.decided(status);
            }
        });
        Waiting { outcome, handle }
    }

    /// Waits until nothing is on its way.
    pub(super) async fn decided(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives up what is on its way: it errored. Returns when it has ended.
    pub(super) async fn give_up(&self) {
        std::mem::take(&mut *self.given_up()).cancel();
        self.decided().await;
    }

    fn given_up(&self) -> MutexGuard<'_, CancellationToken> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// Forgets what was decided long ago, or too many others since.
    fn forget(&mut self, now: Instant) {
        while let Some((since, digest, id)) = self.unclaimed.front() {
            if now.saturating_duration_since(*since) < REMEMBERED && self.unclaimed.len() <= MAX_REMEMBERED {
                break;
            }
            if self.entries.get(digest).is_some_and(|entry| entry.id == *id && !entry.is_awaited) {
                self.entries.remove(digest);
            }
            self.unclaimed.pop_front();
        }
    }
}

// === impl EntryHandle ===

impl EntryHandle {
    /// Does something with the entry, if it is still there.
    fn with(&self, act: impl FnOnce(&mut Table)) {
        let mut table = self.deliveries.table();
        if table.entries.get(&self.digest).is_some_and(|entry| entry.id == self.id) {
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
            table.entries.remove(&self.digest);
        });
    }

    /// Keeps an outcome for whoever may ask for it, if it is decided and nobody has.
    fn remember(&self, is_unclaimed: impl FnOnce(&mut Entry) -> bool) {
        let now = self.deliveries.clock.monotonic();
        self.with(|table| {
            if table.entries.get_mut(&self.digest).is_some_and(is_unclaimed) {
                table.unclaimed.push_back((now, self.digest, self.id));
            }
        });
    }
}

// === impl Waiting ===

impl Waiting {
    /// Waits for the outcome of the batch.
    pub(super) async fn outcome(mut self) -> BatchStatus {
        let status = match self.outcome.wait_for(Option::is_some).await {
            Ok(decided) => (*decided).unwrap_or(BatchStatus::Errored),
            // Its task died: whether anything arrived isn't known.
            Err(_) => BatchStatus::Errored,
        };
        if let Some(handle) = self.handle.take() {
            handle.forget();
        }
        status
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.left();
        }
    }
}
