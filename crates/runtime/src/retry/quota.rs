//! Keeps requests under what a service allows.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;

/// So many requests, or so many bytes, in any stretch of time of a given length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How much is allowed.
    pub amount: Amount,
    /// In how long.
    pub within: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Requests, whatever their size.
    Requests(usize),
    /// Bytes of all requests together.
    Bytes(u64),
}

/// Counts requests and makes the next one wait until every [`Allowance`] has room. Shared by all who spend it.
#[derive(Debug)]
pub struct Quota {
    allowances: Vec<Allowance>,
    clock: Clock,
    /// When requests were sent and how large they were, oldest first: as far back as the widest allowance reaches.
    sent: Mutex<VecDeque<(Instant, u64)>>,
}

// === impl Quota ===

impl Quota {
    /// A quota of which nothing is spent yet.
    pub fn new(allowances: Vec<Allowance>, clock: Clock) -> Self {
        Self { allowances, clock, sent: Mutex::default() }
    }

    /// Waits until one more request of so many `bytes` is allowed, and counts it. Waiters are served in order.
    pub async fn spend(&self, bytes: u64) {
        self.spend_if(bytes, || true).await;
    }

    /// The same, unless the request is not wanted any more when its turn has come. Answers whether it was counted.
    pub async fn spend_if(&self, bytes: u64, is_wanted: impl Fn() -> bool) -> bool {
        let mut sent = self.sent.lock().await;
        let widest = self.allowances.iter().map(|allowance| allowance.within).max().unwrap_or_default();
        loop {
            let now = self.clock.monotonic();
            while sent.front().is_some_and(|(at, _)| *at + widest <= now) {
                sent.pop_front();
            }
            let wait = self.allowances.iter().filter_map(|allowance| allowance.wait(&sent, bytes, now)).max();
            match wait {
                _ if !is_wanted() => return false,
                Some(wait) => self.clock.sleep(wait).await,
                None => break,
            }
        }
        sent.push_back((self.clock.monotonic(), bytes));
        true
    }
}

impl Allowance {
    /// How long until there is room for one more of so many `bytes`, if there is none now.
    fn wait(&self, sent: &VecDeque<(Instant, u64)>, bytes: u64, now: Instant) -> Option<Duration> {
        let last_that_must_go = match self.amount {
            Amount::Requests(most) => sent.len().checked_sub(most)?,
            Amount::Bytes(most) => {
                let mut room = most.saturating_sub(bytes);
                // From the newest back: the first that does not fit must be out of sight.
                sent.iter().rposition(|(_, bytes)| {
                    let fits = *bytes <= room;
                    room = room.saturating_sub(*bytes);
                    !fits
                })?
            }
        };
        let free_at = sent.get(last_that_must_go)?.0 + self.within;
        (free_at > now).then(|| free_at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_stretch_of_time_ever_holds_more_than_allowed() {
        let clock = Clock::system();
        let minute = Allowance { amount: Amount::Requests(3), within: Duration::from_mins(1) };
        let hour = Allowance { amount: Amount::Requests(5), within: Duration::from_hours(1) };
        let quota = Quota::new(vec![minute, hour], clock.clone());
        let start = clock.monotonic();
        let mut times = Vec::new();
        for _ in 0..12 {
            quota.spend(0).await;
            times.push((clock.monotonic() - start).as_secs());
        }
        assert_eq!(times, [0, 0, 0, 60, 60, 3_600, 3_600, 3_600, 3_660, 3_660, 7_200, 7_200]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_not_wanted_any_more_takes_no_turn() {
        let clock = Clock::system();
        let minute = Allowance { amount: Amount::Requests(1), within: Duration::from_mins(1) };
        let quota = Quota::new(vec![minute], clock.clone());
        let start = clock.monotonic();
        quota.spend(0).await;
        assert!(!quota.spend_if(0, || clock.monotonic() == start).await);
        assert!(!quota.spend_if(0, || false).await);
        quota.spend(0).await;
        assert_eq!(clock.monotonic() - start, Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_counted_as_well() {
        let clock = Clock::system();
        let minute = Allowance { amount: Amount::Bytes(100), within: Duration::from_mins(1) };
        let quota = Quota::new(vec![minute], clock.clone());
        let start = clock.monotonic();
        let mut times = Vec::new();
        for bytes in [60, 40, 10, 90, 100, 1, 500, 1] {
            quota.spend(bytes).await;
            times.push((clock.monotonic() - start).as_secs());
        }
        // What alone is more than is allowed waits until it is alone.
        assert_eq!(times, [0, 0, 60, 60, 120, 180, 240, 300]);
    }
}
