//! Limits on how many requests come through: a sliding window, and a token bucket.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::ticks::Ticks;

const WINDOW: Duration = Duration::from_mins(1);

/// A sliding window over the last minute.
#[derive(Debug)]
pub(crate) struct Quota {
    per_minute: usize,
    /// When each request of the last minute came.
    recent: VecDeque<Ticks>,
}

/// A token bucket: so many requests at once, and so many more a second. What it holds is told by when it is full again,
/// so that nothing is lost to rounding.
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#regional-throttling-and-token-bucket-algorithm
#[derive(Debug)]
pub(crate) struct Bucket {
    size: u32,
    per_second: u32,
    /// When it was, or will be, full.
    full_at: Option<Ticks>,
}

// === impl Quota ===

impl Quota {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute as usize, recent: VecDeque::new() }
    }

    /// Takes one request. `Err` says how long until the next one would be let through; a refused
    /// request takes nothing.
    pub(crate) fn take(&mut self, now: Ticks) -> Result<(), Duration> {
        let used = self.used(now);
        if used < self.per_minute {
            self.recent.push_back(now);
            return Ok(());
        }
        let frees_up = self.recent.get(used - self.per_minute).map_or(now, |at| *at).plus(WINDOW);
        Err(frees_up.since(now))
    }

    /// Requests let through in the last minute.
    pub(crate) fn used(&mut self, now: Ticks) -> usize {
        while self.recent.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.len()
    }
}

// === impl Bucket ===

impl Bucket {
    pub(crate) const fn new((size, per_second): (u32, u32)) -> Self {
        Self { size, per_second, full_at: None }
    }

    /// Takes one token and says how many are left. `Err` says how long until there is one.
    pub(crate) fn take(&mut self, now: Ticks) -> Result<u32, Duration> {
        let each = Duration::from_secs(1) / self.per_second.max(1);
        let full_at = self.full_at.map_or(now, |at| at.max(now)).plus(each);
        let missing = full_at.since(now);
        let capacity = each * self.size;
        let Some(left) = capacity.checked_sub(missing) else { return Err(missing.saturating_sub(capacity)) };
        self.full_at = Some(full_at);
        Ok(u32::try_from(left.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX))
    }
}

/// The value of a `Retry-After` header: seconds with three decimals, never rounded down.
// https://learn.microsoft.com/graph/throttling#best-practices-to-handle-throttling
pub(crate) fn retry_after(wait: Duration) -> String {
    let millis = wait.as_micros().div_ceil(1000);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::SimClock;
    use runtime::clock::Clock;

    fn clock() -> SimClock {
        SimClock::new(Clock::starting_at(chrono::DateTime::UNIX_EPOCH))
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_as_long_as_asked_is_enough_and_no_longer_than_needed() {
        let clock = clock();
        let mut quota = Quota::new(2);
        assert_eq!(quota.take(clock.ticks()), Ok(()));
        clock.sleep(Duration::from_millis(10_500)).await;
        assert_eq!(quota.take(clock.ticks()), Ok(()));
        let wait = quota.take(clock.ticks()).unwrap_err();
        assert_eq!(retry_after(wait), "49.500");
        clock.sleep(wait).await;
        assert_eq!(quota.take(clock.ticks()), Ok(()));
        assert_eq!(quota.used(clock.ticks()), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_of_nothing_lets_nothing_through() {
        assert_eq!(Quota::new(0).take(Ticks(0)), Err(WINDOW));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_at_once_and_fills_again_by_and_by() {
        let clock = clock();
        let mut bucket = Bucket::new((3, 2));
        let mut take = |clock: &SimClock| bucket.take(clock.ticks());
        assert_eq!((take(&clock), take(&clock), take(&clock)), (Ok(2), Ok(1), Ok(0)));
        let wait = take(&clock).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        clock.sleep(wait).await;
        assert_eq!(take(&clock), Ok(0));
        clock.sleep(Duration::from_mins(1)).await;
        assert_eq!(take(&clock), Ok(2), "never more than it holds");
    }
}
