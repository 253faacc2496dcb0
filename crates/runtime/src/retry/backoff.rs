//! How long to wait before trying again.

use std::time::Duration;

/// The first wait, before jitter.
const INITIAL: Duration = Duration::from_millis(500);
/// Longest wait: short enough that a mended permission is noticed within a minute.
const MAX: Duration = Duration::from_mins(1);

/// Doubling waits from half a second to a minute, each between half and the whole of its step.
#[derive(Debug)]
pub struct Backoff {
    step: Duration,
    rng: fastrand::Rng,
}

impl Backoff {
    /// A backoff that begins with the shortest wait.
    pub const fn new(rng: fastrand::Rng) -> Self {
        Self { step: INITIAL, rng }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.step.mul_f64(0.5 + self.rng.f64() / 2.0);
        self.step = (self.step * 2).min(MAX);
        wait
    }

    /// Begins again with the shortest wait, after something worked.
    pub const fn reset(&mut self) {
        self.step = INITIAL;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_double_up_to_a_minute_whatever_the_dice_say(seed: u64) {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(seed));
            let mut step = INITIAL;
            for _ in 0..12 {
                let wait = backoff.next_wait();
                prop_assert!(wait >= step / 2 && wait <= step, "{wait:?} is not within {step:?}");
                step = (step * 2).min(MAX);
            }
            backoff.reset();
            prop_assert!(backoff.next_wait() <= INITIAL);
        }
    }
}
