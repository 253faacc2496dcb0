//! Stops everything if more incidents would change than anybody means to: a filter that was set wrongly must not close a
//! tenant's incidents.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;
use tokio::time::Instant;

use runtime::clock::Clock;

/// A circuit breaker: stops writing if more incidents would change than expected.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyConfig {
    /// The most incidents that are changed within `window_secs`, from 1 to 1000000. When one more would be, this direction
    /// stops writing until `vector-sentinel sync resume`. Creating an incident does not count. Default: 200.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_incidents: usize,
    /// The seconds in which changed incidents are counted, from 1 to 86400 (a day). Default: 600.
    #[schemars(range(min = 1, max = 86_400))]
    pub window_secs: u64,
}

/// Counts the incidents that are changed.
#[derive(Debug)]
pub(super) struct Brake {
    config: SafetyConfig,
    clock: Clock,
    changed: Mutex<VecDeque<(Instant, String)>>,
}

/// More incidents would change than the operator expects.
#[derive(Clone, Copy, Debug, Error)]
#[error(
    "{max_incidents} incidents were changed within {window_secs} s, and more would be (write.safety.max_incidents)"
)]
pub(super) struct TooManyChanges {
    max_incidents: usize,
    window_secs: u64,
}

// === impl SafetyConfig ===

impl Default for SafetyConfig {
    fn default() -> Self {
        Self { max_incidents: 200, window_secs: 600 }
    }
}

// === impl Brake ===

impl Brake {
    pub(super) fn new(config: SafetyConfig, clock: Clock) -> Self {
        Self { config, clock, changed: Mutex::default() }
    }

    /// Whether one more incident may be changed, which then counts. The error says why not.
    pub(super) fn admit(&self, key: &str) -> Result<(), TooManyChanges> {
        let SafetyConfig { max_incidents, window_secs } = self.config;
        let now = self.clock.monotonic();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        while changed.front().is_some_and(|(at, _)| *at + Duration::from_secs(window_secs) <= now) {
            changed.pop_front();
        }
        if changed.iter().any(|(_, known)| known == key) {
            return Ok(());
        }
        if changed.len() >= max_incidents {
            return Err(TooManyChanges { max_incidents, window_secs });
        }
        changed.push_back((now, key.to_owned()));
        Ok(())
    }

    /// Begins to count anew.
    pub(super) fn reset(&self) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_incident_more_than_allowed_is_refused_until_the_window_has_passed() {
        let clock = Clock::system();
        let brake = Brake::new(SafetyConfig { max_incidents: 2, window_secs: 60 }, clock.clone());
        for key in ["a", "b", "a", "b"] {
            brake.admit(key).unwrap();
        }
        assert!(brake.admit("c").unwrap_err().to_string().contains("2 incidents were changed within 60 s"));
        clock.sleep(Duration::from_mins(1)).await;
        brake.admit("c").unwrap();
    }
}
