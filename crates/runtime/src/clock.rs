//! The one clock. Everything that asks for the time or waits gets a [`Clock`] passed in.
//!
//! `clippy.toml` bans every other way, so a test that pauses tokio's time controls all of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::off_thread::OffThread;

/// Tells the time and waits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    off_thread: OffThread,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Wall time that follows tokio's clock from a fixed start: it stands still while tokio's time is
    /// paused, and jumps when tokio's time is advanced.
    Following {
        start: DateTime<Utc>,
        origin: Instant,
    },
}

// === impl Clock ===

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self { source: Source::System, off_thread: OffThread::Blocking }
    }

    /// A clock that reads `start` now and goes on with tokio's time.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        let clock = Self::system();
        Self { source: Source::Following { start, origin: clock.monotonic() }, ..clock }
    }

    /// The same clock for whoever has work that blocks done elsewhere.
    #[must_use]
    pub fn with_off_thread(self, off_thread: OffThread) -> Self {
        Self { off_thread, ..self }
    }

    /// Where work that blocks is run: what decides over the time decides over that too.
    pub const fn off_thread(&self) -> OffThread {
        self.off_thread
    }

    /// The wall time, UTC.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.source {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
            Source::System => std::time::SystemTime::now().into(),
            Source::Following { start, origin } => *start + (self.monotonic() - *origin),
        }
    }

    /// A time that never goes back, for measuring how long something took.
    pub fn monotonic(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks tokio")]
        Instant::now()
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_following_clock_moves_with_tokio_time_only() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::starting_at(start);
        assert_eq!(clock.now(), start);
        clock.sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), start + Duration::from_secs(90));
    }
}
