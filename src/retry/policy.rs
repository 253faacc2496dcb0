//! Whether to try again, and when.

use std::time::Duration;

use super::Verdict;
use super::backoff::Backoff;

/// Whether to try again. Data is never dropped for want of patience, so pipelines use [`Policy::forever`].
#[derive(Debug)]
pub struct Policy {
    attempts_left: Option<u32>,
    backoff: Backoff,
}

impl Policy {
    /// Tries without end.
    #[must_use]
    pub const fn forever(backoff: Backoff) -> Self {
        Self { attempts_left: None, backoff }
    }

    /// Tries `attempts` times in all.
    #[must_use]
    pub const fn attempts(attempts: u32, backoff: Backoff) -> Self {
        Self { attempts_left: Some(attempts), backoff }
    }

    /// How long to wait after `verdict` before the next try, or nothing if there should be none.
    ///
    /// What the server asks for is waited for in full. [`Verdict::GiveUp`] and [`Verdict::Split`] are retried like
    /// anything else: whoever cannot wait for somebody to mend the cause must look at the verdict first.
    pub fn wait(&mut self, verdict: Verdict) -> Option<Duration> {
        if let Some(left) = &mut self.attempts_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return None;
            }
        }
        let own = self.backoff.next_wait();
        match verdict {
            Verdict::Done => None,
            Verdict::RetryAfter(asked) => Some(asked),
            Verdict::Retry | Verdict::Split | Verdict::GiveUp => Some(own),
        }
    }

    /// Something worked: the next wait is short again.
    pub const fn reset(&mut self) {
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(fastrand::Rng::with_seed(7))
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_in_full() {
        let asked = Duration::from_secs(1_234);
        assert_eq!(Policy::forever(backoff()).wait(Verdict::RetryAfter(asked)), Some(asked));
    }

    #[test]
    fn a_bounded_policy_ends_and_a_forever_policy_does_not() {
        let mut three = Policy::attempts(3, backoff());
        let waits: Vec<_> = (0..4).map(|_| three.wait(Verdict::Retry).is_some()).collect();
        assert_eq!(waits, [true, true, false, false]);
        let mut forever = Policy::forever(backoff());
        assert!((0..100).all(|_| forever.wait(Verdict::GiveUp).is_some()));
        assert_eq!(forever.wait(Verdict::Done), None);
    }
}
