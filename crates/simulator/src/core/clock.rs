//! The clock of one simulator, which goes on when the runtime that it followed has ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use runtime::clock::Clock;

use crate::core::store::lock;
use crate::core::ticks::Ticks;

/// The clock of everything in one simulator. Only wall time is asked for, because it alone means the same in every
/// runtime.
#[derive(Clone, Debug)]
pub(crate) struct SimClock(Arc<Mutex<Clock>>);

// === impl SimClock ===

impl SimClock {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Mutex::new(clock)))
    }

    /// From now on it reads what `clock` reads.
    pub(crate) fn follow(&self, clock: Clock) {
        *lock(&self.0) = clock;
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        lock(&self.0).now()
    }

    pub(crate) fn ticks(&self) -> Ticks {
        Ticks::of(self.now())
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        let clock = lock(&self.0).clone();
        clock.sleep(duration).await;
    }
}
