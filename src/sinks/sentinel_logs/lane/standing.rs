//! How a lane stands: well, late with an answer, or failing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

use runtime::retry::Verdict;
use runtime::retry::policy::RetryPolicy;

/// How a lane stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its last request was answered, or none was made yet.
    Well,
    /// A request has waited for its answer for so long that others must not wait with it.
    Late,
    /// Its last request failed.
    Failing {
        /// Before this it is not asked again.
        retry_at: Instant,
        /// When the first of the failures in a row came.
        since: DateTime<Utc>,
    },
}

/// How a lane stands, for all who send to it, and when it is asked again.
pub(super) struct Standings {
    now: watch::Sender<Standing>,
    backoff: Mutex<RetryPolicy>,
}

// === impl Standings ===

impl Standings {
    /// Of a lane that was not asked yet.
    pub(super) fn new(backoff: RetryPolicy) -> Self {
        Self { now: watch::Sender::new(Standing::Well), backoff: Mutex::new(backoff) }
    }

    pub(super) fn get(&self) -> Standing {
        *self.now.borrow()
    }

    /// Notes that it was answered. Answers since when it had failed, if it had.
    pub(super) fn works(&self) -> Option<DateTime<Utc>> {
        let before = self.now.send_replace(Standing::Well);
        if before != Standing::Well {
            self.backoff.lock().unwrap_or_else(PoisonError::into_inner).reset();
        }
        match before {
            Standing::Failing { since, .. } => Some(since),
            Standing::Well | Standing::Late => None,
        }
    }

    /// Notes that an answer is late, unless worse is known. Answers whether it was well before.
    pub(super) fn is_late(&self) -> bool {
        self.leave_well(Standing::Late)
    }

    /// Notes that it is to be left alone, though it has not failed itself. Answers whether it was well before.
    pub(super) fn is_paused(&self, retry_at: Instant, since: DateTime<Utc>) -> bool {
        self.leave_well(Standing::Failing { retry_at, since })
    }

    fn leave_well(&self, now: Standing) -> bool {
        self.now.send_if_modified(|standing| {
            let is_well = *standing == Standing::Well;
            if is_well {
                *standing = now;
            }
            is_well
        })
    }

    /// Notes that a request failed. Answers how long it is left alone, and whether that was decided by this failure: several may
    /// fail of one cause, and count once.
    pub(super) fn fails(&self, verdict: Verdict, now: Instant, time: DateTime<Utc>) -> (Duration, bool) {
        let (mut wait, mut is_new) = (Duration::ZERO, false);
        self.now.send_if_modified(|standing| {
            let since = match *standing {
                Standing::Failing { retry_at, .. } if retry_at > now => {
                    wait = retry_at - now;
                    return false;
                }
                Standing::Failing { since, .. } => since,
                Standing::Well | Standing::Late => time,
            };
            is_new = true;
            wait = self.backoff.lock().unwrap_or_else(PoisonError::into_inner).wait(verdict);
            *standing = Standing::Failing { retry_at: now + wait, since };
            true
        });
        (wait, is_new)
    }

    /// Waits until it is as `condition` wants it.
    pub(super) async fn until(&self, condition: impl Fn(Standing) -> bool) {
        // The sender lives as long as this does: so there is always a next one.
        self.now.subscribe().wait_for(|standing| condition(*standing)).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use runtime::clock::Clock;
    use runtime::retry::backoff::Backoff;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_of_one_cause_count_once_and_an_answer_ends_them() {
        let clock = Clock::system();
        let standings = Standings::new(RetryPolicy::forever(Backoff::new(fastrand::Rng::with_seed(1))));
        let first = DateTime::UNIX_EPOCH;
        let fails = |time| standings.fails(Verdict::Retry, clock.monotonic(), time);
        standings.is_late();
        assert_eq!(standings.get(), Standing::Late);
        let (wait, is_new) = fails(first);
        assert!(is_new && fails(clock.now()) == (wait, false), "{wait:?}");
        standings.is_late();
        clock.sleep(wait).await;
        let (longer, is_new) = fails(clock.now());
        assert!(is_new && longer > wait, "{longer:?}");
        assert_eq!((standings.works(), standings.works()), (Some(first), None));
        assert!(fails(clock.now()).0 <= Duration::from_millis(500), "it begins with the shortest wait again");
    }
}
