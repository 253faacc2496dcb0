//! Slots for requests: so many, or as many as a service takes without getting slower.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

pub use super::limit::{Adaptive, Outcome};

use super::limit::Limit;
use crate::clock::Clock;
use crate::telemetry::{ComponentLabels, Metric};

/// Slots for requests, shared by all who make them.
///
/// Whoever has a slot may have one request in memory, and send it again and again. When there are to be fewer, those who have
/// slots keep them, but they wait for their turn to send.
#[derive(Debug)]
pub struct Concurrency {
    slots: Arc<Semaphore>,
    /// Told when somebody else may send.
    turn: Notify,
    state: Mutex<State>,
    clock: Clock,
    labels: ComponentLabels,
}

#[derive(Debug)]
struct State {
    limit: Limit,
    /// Slots that are gone as soon as those who have them leave.
    surplus: usize,
}

/// The right to have one request in memory.
#[derive(Debug)]
pub struct RequestSlot {
    permit: Option<OwnedSemaphorePermit>,
    concurrency: Arc<Concurrency>,
}

/// A request that is awaiting its answer.
#[derive(Debug)]
pub struct Attempt<'a> {
    concurrency: &'a Concurrency,
    began: Instant,
    is_over: bool,
}

// === impl Concurrency ===

impl Concurrency {
    /// Always so many slots.
    pub fn fixed(slots: usize, clock: Clock, labels: ComponentLabels) -> Self {
        Self::new(slots, None, clock, labels)
    }

    /// As many slots as the service takes well.
    pub fn adaptive(adaptive: Adaptive, clock: Clock, labels: ComponentLabels) -> Self {
        Self::new(adaptive.initial_concurrency, Some(adaptive), clock, labels)
    }

    fn new(limit: usize, adaptive: Option<Adaptive>, clock: Clock, labels: ComponentLabels) -> Self {
        let state = State { limit: Limit::new(limit, adaptive), surplus: 0 };
        let slots = Arc::new(Semaphore::new(limit));
        Self { slots, turn: Notify::new(), state: Mutex::new(state), clock, labels }
    }

    /// Waits for a slot. Waiters are served in order.
    pub async fn slot(self: &Arc<Self>) -> RequestSlot {
        // Nobody closes it: so there is always a permit.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        RequestSlot { permit, concurrency: Arc::clone(self) }
    }

    /// Waits for the turn of somebody who has a slot. Says that the request is sent now.
    pub async fn begin(&self) -> Attempt<'_> {
        loop {
            let turn = self.turn.notified();
            tokio::pin!(turn);
            // From here on it misses nothing.
            turn.as_mut().enable();
            if let Some(in_flight) = self.state().limit.begin() {
                self.labels.record(Metric::AdaptiveConcurrencyInFlight, in_flight as f64);
                return Attempt { concurrency: self, began: self.clock.monotonic(), is_over: false };
            }
            turn.await;
        }
    }

    fn end(&self, took: Duration, answer: Outcome) {
        let mut state = self.state();
        self.leave(&mut state);
        if answer == Outcome::Done {
            self.labels.record(Metric::AdaptiveConcurrencyObservedRtt, took.as_secs_f64());
        }
        let before = state.limit.number;
        let Some(decision) = state.limit.update(self.clock.monotonic(), took, answer) else { return };
        let now = state.limit.number;
        self.labels.record(Metric::AdaptiveConcurrencyLimit, now as f64);
        if let Some(average) = decision.average {
            self.labels.record(Metric::AdaptiveConcurrencyAveragedRtt, average);
        }
        if now > before {
            self.turn.notify_one();
            // A slot that was to go may as well stay.
            if state.surplus > 0 {
                state.surplus -= 1;
            } else {
                self.slots.add_permits(1);
            }
        } else {
            let gone = before - now;
            state.surplus += gone - self.slots.forget_permits(gone);
        }
    }

    fn leave(&self, state: &mut State) {
        self.labels.record(Metric::AdaptiveConcurrencyInFlight, state.limit.leave() as f64);
        self.turn.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl RequestSlot ===

impl Drop for RequestSlot {
    fn drop(&mut self) {
        let mut state = self.concurrency.state();
        if state.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            state.surplus -= 1;
            permit.forget();
        }
    }
}

// === impl Attempt ===

impl Attempt<'_> {
    /// Says that the request is sent only now: something else was waited for.
    pub fn restart(&mut self) {
        self.began = self.concurrency.clock.monotonic();
    }

    /// Says that the answer has come, or never will.
    pub fn end(mut self, answer: Outcome) {
        self.is_over = true;
        self.concurrency.end(self.concurrency.clock.monotonic() - self.began, answer);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        // Given up by whoever made it.
        if !self.is_over {
            self.concurrency.leave(&mut self.concurrency.state());
        }
    }
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
