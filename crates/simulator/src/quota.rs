//! A number of requests in any sixty seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_mins(1);

/// A sliding window over the last minute.
#[derive(Debug)]
pub(super) struct Quota {
    per_minute: usize,
    /// When each request of the last minute came.
    recent: VecDeque<Instant>,
}

// === impl Quota ===

impl Quota {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute as usize, recent: VecDeque::new() }
    }

    /// Takes one request. `Err` says how long until the next one would be let through; a refused
    /// request takes nothing.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let used = self.used(now);
        if used < self.per_minute {
            self.recent.push_back(now);
            return Ok(());
        }
        let frees_up = self.recent.get(used - self.per_minute).map_or(now + WINDOW, |at| *at + WINDOW);
        Err(frees_up.saturating_duration_since(now))
    }

    /// Requests let through in the last minute.
    pub(super) fn used(&mut self, now: Instant) -> usize {
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.len()
    }
}

/// The value of a `Retry-After` header: seconds with three decimals, never rounded down.
// https://learn.microsoft.com/graph/throttling#best-practices-to-handle-throttling
pub(super) fn retry_after(wait: Duration) -> String {
    let millis = wait.as_micros().div_ceil(1000);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn waiting_as_long_as_asked_is_enough_and_no_longer_than_needed() {
        let clock = Clock::system();
        let mut quota = Quota::new(2);
        assert_eq!(quota.take(clock.monotonic()), Ok(()));
        clock.sleep(Duration::from_millis(10_500)).await;
        assert_eq!(quota.take(clock.monotonic()), Ok(()));
        let wait = quota.take(clock.monotonic()).unwrap_err();
        assert_eq!(retry_after(wait), "49.500");
        clock.sleep(wait).await;
        assert_eq!(quota.take(clock.monotonic()), Ok(()));
        assert_eq!(quota.used(clock.monotonic()), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_of_nothing_lets_nothing_through() {
        assert_eq!(Quota::new(0).take(Clock::system().monotonic()), Err(WINDOW));
    }
}
