//! How often something may be logged.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// Lets something be logged once in so long, and counts what was left out in between.
#[derive(Debug)]
pub struct LogInterval {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    logged: Option<Instant>,
    left_out: u64,
}

// === impl LogInterval ===

impl LogInterval {
    /// At most one line in `every`, the first at once.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, state: Mutex::new(State { logged: None, left_out: 0 }) }
    }

    /// Whether it may be logged now, which is then noted: how many times it was left out since the last line. Nothing if not.
    pub fn due(&self, clock: &Clock) -> Option<u64> {
        let now = clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logged.is_some_and(|logged| now.saturating_duration_since(logged) < self.every) {
            state.left_out += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_logged_and_the_next_when_the_time_is_over_with_how_many_were_not() {
        let (clock, interval) = (Clock::system(), LogInterval::new(Duration::from_mins(1)));
        assert_eq!([interval.due(&clock), interval.due(&clock), interval.due(&clock)], [Some(0), None, None]);
        clock.sleep(Duration::from_mins(1)).await;
        assert_eq!([interval.due(&clock), interval.due(&clock)], [Some(2), None]);
    }
}
