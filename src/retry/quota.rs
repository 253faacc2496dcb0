//! Keeps requests under what a service allows.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;

/// So many requests in any stretch of time of a given length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many requests.
    pub requests: usize,
    /// In how long.
    pub within: Duration,
}

/// Counts requests and makes the next one wait until every [`Allowance`] has room. Shared by all who spend it.
#[derive(Debug)]
pub struct Quota {
    allowances: Vec<Allowance>,
    clock: Clock,
    /// When requests were sent, oldest first: as many as the widest allowance needs to remember.
    sent: Mutex<VecDeque<Instant>>,
}

// === impl Quota ===

impl Quota {
    /// A quota of which nothing is spent yet.
    #[must_use]
    pub fn new(allowances: Vec<Allowance>, clock: Clock) -> Self {
        Self { allowances, clock, sent: Mutex::default() }
    }

    /// Waits until one more request is allowed, and counts it. Waiters are served in order.
    pub async fn spend(&self) {
        let mut sent = self.sent.lock().await;
        loop {
            let now = self.clock.monotonic();
            let wait = self.allowances.iter().filter_map(|allowance| allowance.wait(&sent, now)).max();
            match wait {
                Some(wait) => self.clock.sleep(wait).await,
                None => break,
            }
        }
        sent.push_back(self.clock.monotonic());
        let remembered = self.allowances.iter().map(|allowance| allowance.requests).max().unwrap_or(0);
        while sent.len() > remembered {
            sent.pop_front();
        }
    }
}

impl Allowance {
    /// How long until there is room for one more, if there is none now.
    fn wait(&self, sent: &VecDeque<Instant>, now: Instant) -> Option<Duration> {
        let oldest_that_counts = sent.len().checked_sub(self.requests)?;
        let free_at = *sent.get(oldest_that_counts)? + self.within;
        (free_at > now).then(|| free_at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_stretch_of_time_ever_holds_more_than_allowed() {
        let clock = Clock::system();
        let minute = Allowance { requests: 3, within: Duration::from_mins(1) };
        let hour = Allowance { requests: 5, within: Duration::from_hours(1) };
        let quota = Quota::new(vec![minute, hour], clock.clone());
        let start = clock.monotonic();
        let mut times = Vec::new();
        for _ in 0..12 {
            quota.spend().await;
            times.push((clock.monotonic() - start).as_secs());
        }
        assert_eq!(times, [0, 0, 0, 60, 60, 3_600, 3_600, 3_600, 3_660, 3_660, 7_200, 7_200]);
    }
}
