//! Sends one request until it is decided: accepted, or refused for what is in it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::client::Failure;
use crate::client::logs_ingestion::LogsIngestion;
use crate::clock::Clock;
use crate::retry::Verdict;
use crate::retry::backoff::Backoff;
use crate::retry::policy::Policy;
use crate::telemetry;

/// Sends requests, and keeps all of them waiting while the service asks for it.
pub(super) struct Service {
    pub(super) id: String,
    pub(super) client: LogsIngestion,
    pub(super) clock: Clock,
    /// No request before this.
    pub(super) paused_until: Mutex<Option<Instant>>,
    pub(super) rng: Mutex<fastrand::Rng>,
}

// === impl Service ===

impl Service {
    /// Sends a body, again and again if need be. Answers the refusal if the service will not take what is in it.
    pub(super) async fn send(&self, body: Bytes, gzip: bool) -> Result<(), Failure> {
        let rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let mut policy = Policy::forever(Backoff::new(rng));
        loop {
            self.pause().await;
            counter!(telemetry::REQUESTS, "component_id" => self.id.clone()).increment(1);
            let failure = match self.client.post(body.clone(), gzip).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.verdict == Verdict::Split => return Err(failure),
                Err(failure) => failure,
            };
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
        let labels = [
            ("component_id", self.id.clone()),
            ("error_type", failure.error_type.to_owned()),
            ("stage", "sending".to_owned()),
        ];
        counter!(telemetry::ERRORS, &labels).increment(1);
        let (error_type, request_id, wait_secs) =
            (failure.error_type, failure.request_id.as_deref(), wait.as_secs_f64());
        // Being told to wait is part of normal work.
        if matches!(failure.verdict, Verdict::RetryAfter(_)) {
            warn!(
                component_id = self.id,
                error_type, request_id, wait_secs, "Told to wait: {}", failure.message
            );
        } else {
            error!(
                component_id = self.id,
                error_type,
                request_id,
                wait_secs,
                "Could not ingest; nothing is lost, trying again: {}",
                failure.message
            );
        }
    }
}
