//! The batches that are on their way to a sink, so that one that is sent again is recognised.
//!
//! Vector waits a minute for an answer and a delivery may take longer. So a delivery goes on when nobody waits for it any
//! more, and when its batch comes again, that push is answered from it. Equal bytes alone do not make it the same batch: two
//! batches may well be equal, ids and all, if a transform has made two events of one. But Vector gives a push up before it
//! sends its batch again, so only a delivery that nobody waits for, and nobody was answered from, is taken for it.
//!
//! A digest is made of what was left, and of what comes while there is such a delivery: hardly ever, so that it costs nothing
//! else.

#![expect(clippy::disallowed_types, reason = "looked up by digest for each batch, and never walked through")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sinks::Pushed;
use runtime::clock::Clock;
use runtime::delivery::BatchStatus;

/// How long a delivery that was left is remembered. Vector tries again after half a minute at most, but it may have many batches
/// to send.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Most deliveries that are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// Tells a body, or a part of one, from every other with different events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BatchDigest(pub(super) [u8; 32]);

/// All deliveries of one sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct Deliveries {
    clock: Clock,
    /// Those that were left before they were answered.
    left: Arc<Mutex<Left>>,
    tasks: TaskTracker,
    /// Cancelled, and replaced, when what is on its way is given up.
    given_up: Arc<Mutex<CancellationToken>>,
}

#[derive(Default)]
struct Left {
    /// Of equal ones, each is answered from once.
    by_digest: HashMap<BatchDigest, VecDeque<Outcome>>,
    /// In the order in which they were left.
    order: VecDeque<BatchDigest>,
}

/// What a delivery comes to, and when it was decided.
type Outcome = watch::Receiver<Option<(BatchStatus, Instant)>>;

/// One push that waits for a delivery.
pub(super) struct Waiting {
    deliveries: Deliveries,
    outcome: Outcome,
    /// What is delivered; nothing once that is answered.
    content: Option<Content>,
}

/// What tells a delivery from others.
enum Content {
    /// All of it.
    Pushed(Pushed),
    /// What is needed of it after it was decided.
    Digest(BatchDigest),
}

// === impl Deliveries ===

impl Deliveries {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, left: Arc::default(), tasks: TaskTracker::new(), given_up: Arc::default() }
    }

    /// Waits for the delivery of this very batch, if there is one that was left.
    pub(super) fn join(&self, pushed: &Pushed) -> Option<Waiting> {
        let now = self.clock.monotonic();
        let mut left = self.left();
        left.forget(now);
        if left.by_digest.is_empty() {
            return None;
        }
        let outcome = left.take(pushed.digest())?;
        drop(left);
        let content = Some(Content::Pushed(pushed.clone()));
        Some(Waiting { deliveries: self.clone(), outcome, content })
    }

    /// Begins a delivery. It goes on whether or not somebody waits.
    pub(super) fn begin(
        &self,
        pushed: Pushed,
        delivery: impl Future<Output = BatchStatus> + Send + 'static,
    ) -> Waiting {
        let (decide, outcome) = watch::channel(None);
        let (given_up, clock) = (self.given_up().clone(), self.clock.clone());
        self.tasks.spawn(async move {
            let status = tokio::select! {
                status = delivery => status,
                () = given_up.cancelled() => BatchStatus::Errored,
            };
            decide.send_replace(Some((status, clock.monotonic())));
        });
        Waiting { deliveries: self.clone(), outcome, content: Some(Content::Pushed(pushed)) }
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

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Left ===

impl Left {
    /// One of those with this digest, the first that may have delivered it.
    fn take(&mut self, digest: BatchDigest) -> Option<Outcome> {
        let outcomes = self.by_digest.get_mut(&digest)?;
        // The next push of one that errored is a new try; and if its task died, whether anything arrived isn't known.
        let may_be = |outcome: &Outcome| match *outcome.borrow() {
            Some((status, _)) => status != BatchStatus::Errored,
            None => outcome.has_changed().is_ok(),
        };
        let before = outcomes.len();
        outcomes.retain(may_be);
        let outcome = outcomes.pop_front();
        for _ in outcomes.len()..before {
            let at = self.order.iter().position(|left| *left == digest);
            at.and_then(|at| self.order.remove(at));
        }
        if outcomes.is_empty() {
            self.by_digest.remove(&digest);
        }
        outcome
    }

    /// Forgets what was decided long ago, and of too many the first that were left.
    fn forget(&mut self, now: Instant) {
        let is_old = |outcome: &Outcome| match *outcome.borrow() {
            Some((_, decided)) => now.saturating_duration_since(decided) >= REMEMBERED,
            // What is on its way may be asked for as long as it is, unless its task died.
            None => outcome.has_changed().is_err(),
        };
        for outcomes in self.by_digest.values_mut() {
            outcomes.retain(|outcome| !is_old(outcome));
        }
        while self.order.len() > MAX_REMEMBERED
            && let Some(digest) = self.order.pop_front()
        {
            self.by_digest.get_mut(&digest).and_then(VecDeque::pop_front);
        }
        self.by_digest.retain(|_, outcomes| !outcomes.is_empty());
        let by_digest = &self.by_digest;
        self.order.retain(|digest| by_digest.contains_key(digest));
    }
}

// === impl Waiting ===

impl Waiting {
    /// Waits for the outcome of the batch. Whoever drops this before it is [answered](Self::answered) has left it.
    pub(super) async fn outcome(&mut self) -> BatchStatus {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(decided) => decided.map_or(BatchStatus::Errored, |(status, _)| status),
            // Its task died: whether anything arrived isn't known.
            Err(_) => BatchStatus::Errored,
        }
    }

    /// Keeps no more of a batch that is decided than it takes to know it again.
    pub(super) fn shrink(&mut self) {
        if let Some(Content::Pushed(pushed)) = &self.content {
            self.content = Some(Content::Digest(pushed.digest()));
        }
    }

    /// It is answered: equal events are another batch from now on.
    pub(super) fn answered(mut self) {
        self.content = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(content) = self.content.take() else { return };
        // Whoever sends it again waits here until it can be found.
        let mut left = self.deliveries.left();
        let digest = match content {
            Content::Pushed(pushed) => pushed.digest(),
            Content::Digest(digest) => digest,
        };
        left.by_digest.entry(digest).or_default().push_back(self.outcome.clone());
        left.order.push_back(digest);
    }
}
