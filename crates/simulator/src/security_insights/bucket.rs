//! A token bucket: so many requests at once, and so many more a second.

// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#regional-throttling-and-token-bucket-algorithm

use std::time::Duration;

use tokio::time::Instant;

/// What it holds is told by when it is full again, so that nothing is lost to rounding.
#[derive(Debug)]
pub(super) struct Bucket {
    size: u32,
    per_second: u32,
    /// When it was, or will be, full.
    full_at: Option<Instant>,
}

// === impl Bucket ===

impl Bucket {
    pub(super) const fn new((size, per_second): (u32, u32)) -> Self {
        Self { size, per_second, full_at: None }
    }

    /// Takes one token and says how many are left. `Err` says how long until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<u32, Duration> {
        let each = Duration::from_secs(1) / self.per_second.max(1);
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + each;
        let missing = full_at.saturating_duration_since(now);
        let capacity = each * self.size;
        let Some(left) = capacity.checked_sub(missing) else { return Err(missing.saturating_sub(capacity)) };
        self.full_at = Some(full_at);
        Ok(u32::try_from(left.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_at_once_and_fills_again_by_and_by() {
        let clock = Clock::system();
        let mut bucket = Bucket::new((3, 2));
        let mut take = |clock: &Clock| bucket.take(clock.monotonic());
        assert_eq!((take(&clock), take(&clock), take(&clock)), (Ok(2), Ok(1), Ok(0)));
        let wait = take(&clock).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        clock.sleep(wait).await;
        assert_eq!(take(&clock), Ok(0));
        clock.sleep(Duration::from_mins(1)).await;
        assert_eq!(take(&clock), Ok(2), "never more than it holds");
    }
}
