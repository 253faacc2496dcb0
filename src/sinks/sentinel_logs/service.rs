//! Sends one request until it is decided: accepted, or refused for what is in it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::client::Failure;
use crate::client::logs_ingestion::LogsIngestion;
use crate::clock::Clock;
use crate::delivery::Health;
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use crate::telemetry::{self, Component};

/// Sends requests, and keeps all of them waiting while the service asks for it.
pub(super) struct Service {
    pub(super) labels: Component,
    pub(super) client: LogsIngestion,
    pub(super) clock: Clock,
    /// No request before this.
    pub(super) paused_until: Mutex<Option<Instant>>,
    pub(super) policies: Policies,
    pub(super) health: Health,
}

// === impl Service ===

impl Service {
    /// Sends a body, again and again if need be. Answers the refusal if the service will not take what is in it.
    pub(super) async fn send(&self, body: Bytes, gzip: bool) -> Result<(), Failure> {
        let mut policy = self.policies.forever();
        let mut failed = false;
        loop {
            self.pause().await;
            self.labels.count(telemetry::REQUESTS, 1);
            let start = self.clock.monotonic();
            let answer = self.client.post(body.clone(), gzip).await;
            let milliseconds = (self.clock.monotonic() - start).as_millis();
            debug!(
                component_id = self.labels.id,
                bytes = body.len(),
                gzip,
                milliseconds,
                ok = answer.is_ok(),
                "Sent a call."
            );
            let failure = match answer {
                Ok(()) if failed => {
                    self.health.set(true);
                    info!(component_id = self.labels.id, "Ingesting works again.");
                    return Ok(());
                }
                Ok(()) => {
                    self.health.set(true);
                    return Ok(());
                }
                // It works: it has looked at the rows.
                Err(failure) if failure.verdict == Verdict::Split => {
                    self.health.set(true);
                    return Err(failure);
                }
                Err(failure) => failure,
            };
            self.health.set(false);
            failed = true;
            let wait = policy.wait(failure.verdict);
            self.report(&failure, wait);
            if matches!(failure.verdict, Verdict::RetryAfter(_)) {
                let until = self.clock.monotonic() + wait;
                let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
                *paused_until = (*paused_until).max(Some(until));
            } else {
                self.clock.sleep(wait).await;
            }
        }
    }

    /// Waits as long as the service has asked for, whichever request it told that.
    async fn pause(&self) {
        loop {
            let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            let left = until.map(|until| until.saturating_duration_since(self.clock.monotonic()));
            match left {
                Some(left) if !left.is_zero() => self.clock.sleep(left).await,
                _ => return,
            }
        }
    }

    fn report(&self, failure: &Failure, wait: Duration) {
        self.labels.count_error(failure.error_type, "sending");
        let (error_type, request_id, wait_secs) =
            (failure.error_type, failure.request_id.as_deref(), wait.as_secs_f64());
        // Being told to wait is part of normal work.
        if matches!(failure.verdict, Verdict::RetryAfter(_)) {
            warn!(
                component_id = self.labels.id,
                error_type, request_id, wait_secs, "Told to wait: {}", failure.message
            );
        } else {
            error!(
                component_id = self.labels.id,
                error_type,
                request_id,
                wait_secs,
                "Could not ingest; nothing is lost, trying again: {}",
                failure.message
            );
        }
    }
}
