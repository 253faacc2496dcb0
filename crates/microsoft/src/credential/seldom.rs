//! A log line that is not repeated each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::clock::Clock;
use tokio::time::Instant;

/// What is said at most once in a while.
#[derive(Debug)]
pub(super) struct Seldom {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

// === impl Seldom ===

impl Seldom {
    pub(super) const fn every(every: Duration) -> Self {
        Self { every, last: Mutex::new(None) }
    }

    /// Whether it is to be said now; then it is taken to be.
    pub(super) fn is_due(&self, clock: &Clock) -> bool {
        let now = clock.monotonic();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}
