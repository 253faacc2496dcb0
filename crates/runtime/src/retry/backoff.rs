//! How long to wait before trying again.

use std::time::Duration;

/// The shortest and the longest wait, before jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffRange {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait of all.
    pub max: Duration,
}

/// Doubling waits, each between half and the whole of its step.
#[derive(Debug)]
pub struct Backoff {
    range: BackoffRange,
    step: Duration,
    rng: fastrand::Rng,
}

// === impl BackoffRange ===

impl BackoffRange {
    /// From half a second to a minute, which is short enough that a mended permission is noticed within a minute.
    pub const DEFAULT: Self = Self { initial: Duration::from_millis(500), max: Duration::from_mins(1) };
}

// === impl Backoff ===

impl Backoff {
    /// Waits of the [default range](BackoffRange::DEFAULT), from the shortest on.
    pub const fn new(rng: fastrand::Rng) -> Self {
        Self::within(BackoffRange::DEFAULT, rng)
    }

    /// Waits of this range, from the shortest on.
    pub const fn within(range: BackoffRange, rng: fastrand::Rng) -> Self {
        Self { range, step: range.initial, rng }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.step.mul_f64(0.5 + self.rng.f64() / 2.0);
        self.step = (self.step * 2).min(self.range.max).max(self.range.initial);
        wait
    }

    /// Begins again with the shortest wait, after something worked.
    pub const fn reset(&mut self) {
        self.step = self.range.initial;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_double_within_their_range_whatever_the_dice_say(seed: u64, initial in 1_u64..30, max in 1_u64..90) {
            let range = BackoffRange { initial: Duration::from_secs(initial), max: Duration::from_secs(max) };
            let mut backoff = Backoff::within(range, fastrand::Rng::with_seed(seed));
            let mut step = range.initial;
            for _ in 0..12 {
                let wait = backoff.next_wait();
                prop_assert!(wait >= step / 2 && wait <= step, "{wait:?} is not within {step:?}");
                step = (step * 2).min(range.max.max(range.initial));
            }
            backoff.reset();
            prop_assert!(backoff.next_wait() <= range.initial);
        }
    }
}
