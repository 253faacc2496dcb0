//! Whether to try again, and when.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Verdict;
use super::backoff::{Backoff, BackoffRange};

/// The longest that a server's word to wait is obeyed: then it is asked again, because whoever means hours is most often mistaken,
/// and a mended server must not be left alone all day.
const LONGEST_OBEYED: Duration = Duration::from_hours(1);

/// Tries again without end: data is never dropped for want of patience.
#[derive(Debug)]
pub struct RetryPolicy(Backoff);

/// Makes a policy for each request, each with dice of its own.
#[derive(Debug)]
pub struct Policies {
    range: BackoffRange,
    rng: Mutex<fastrand::Rng>,
}

// === impl Policies ===

impl Policies {
    /// Policies whose dice come from `rng`.
    pub const fn new(rng: fastrand::Rng) -> Self {
        Self::within(BackoffRange::DEFAULT, rng)
    }

    /// The same, whose waits are of this range.
    pub const fn within(range: BackoffRange, rng: fastrand::Rng) -> Self {
        Self { range, rng: Mutex::new(rng) }
    }

    /// A policy that tries without end.
    pub fn forever(&self) -> RetryPolicy {
        let rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        RetryPolicy::forever(Backoff::within(self.range, rng))
    }
}

// === impl RetryPolicy ===

impl RetryPolicy {
    /// A policy whose first wait is `backoff`'s first.
    pub const fn forever(backoff: Backoff) -> Self {
        Self(backoff)
    }

    /// How long to wait after `verdict` before the next try.
    ///
    /// What the server asks for is waited for, up to an hour, and never less than our own backoff, which grows as long as
    /// nothing works: a server that asks for no wait at all is not hammered. [`Verdict::GiveUp`] and [`Verdict::Split`]
    /// are retried like anything else: whoever cannot wait for somebody to mend the cause must look at the verdict first.
    pub fn wait(&mut self, verdict: Verdict) -> Duration {
        let own = self.0.next_wait();
        match verdict {
            Verdict::RetryAfter(asked) => asked.min(LONGEST_OBEYED).max(own),
            Verdict::Retry | Verdict::Split | Verdict::GiveUp => own,
        }
    }

    /// Something worked: the next wait is short again.
    pub const fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy::forever(Backoff::new(fastrand::Rng::with_seed(7)))
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_and_after_an_hour_it_is_asked_again() {
        let (asked, day) = (Duration::from_secs(1_234), Duration::from_hours(24));
        assert_eq!(policy().wait(Verdict::RetryAfter(asked)), asked);
        assert_eq!(policy().wait(Verdict::RetryAfter(day)), Duration::from_hours(1));
    }

    #[test]
    fn a_server_that_asks_for_no_wait_is_not_hammered() {
        let mut policy = policy();
        let waits: Duration = (0..10).map(|_| policy.wait(Verdict::RetryAfter(Duration::ZERO))).sum();
        assert!(waits > Duration::from_mins(2), "{waits:?}");
    }
}
