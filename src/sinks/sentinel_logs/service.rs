//! Sends one request until it is decided: accepted, or refused for what is in it.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Level, debug, error, info, warn};

use super::packer::Request;
use super::rule::Rule;
use microsoft::ServiceError;
use microsoft::logs_ingestion::LogsIngestion;
use runtime::clock::Clock;
use runtime::health::{Health, Part};
use runtime::retry::Verdict;
use runtime::retry::concurrency::{Attempt, Concurrency, Outcome};
use runtime::retry::policy::Policies;
use runtime::retry::quota::Quota;
use runtime::telemetry::{ComponentLabels, Metric};

/// Sends requests to one stream.
pub(super) struct Service {
    pub(super) labels: ComponentLabels,
    pub(super) client: LogsIngestion,
    pub(super) clock: Clock,
    pub(super) rule: Arc<Rule>,
    pub(super) policies: Policies,
    pub(super) health: Health,
    /// Of the whole sink: memory is the sink's, and a stream that is slow takes no more of it than others.
    pub(super) concurrency: Arc<Concurrency>,
    /// Of the whole sink, too.
    pub(super) rate_limit: Option<Arc<Quota>>,
}

// === impl Service ===

impl Service {
    /// Sends a request, again and again if need be. Answers the refusal if the service will not take what is in it.
    pub(super) async fn send(&self, request: &Request) -> Result<(), ServiceError> {
        let mut policy = self.policies.forever();
        let mut failed = false;
        loop {
            self.rule.admit(request.json_bytes as u64).await;
            let attempt = self.turn().await;
            self.labels.count(Metric::Requests, 1);
            let start = self.clock.monotonic();
            let answer = self.client.post(request.body.clone(), request.gzip).await;
            attempt.end(match &answer {
                Ok(()) => Outcome::Done,
                Err(failure) if failure.is_back_pressure() => Outcome::TooMuch,
                Err(_) => Outcome::Other,
            });
            let milliseconds = (self.clock.monotonic() - start).as_millis();
            debug!(
                component_id = self.labels.id,
                bytes = request.body.len(),
                gzip = request.gzip,
                milliseconds,
                ok = answer.is_ok(),
                "Sent a call."
            );
            let failure = match answer {
                Ok(()) if failed => {
                    self.health.works(Part::Requests);
                    info!(component_id = self.labels.id, "{}: ingesting works again.", self.labels);
                    return Ok(());
                }
                Ok(()) => {
                    self.health.works(Part::Requests);
                    return Ok(());
                }
                // It works: it has looked at the rows.
                Err(failure) if failure.verdict() == Verdict::Split => {
                    self.health.works(Part::Requests);
                    return Err(failure);
                }
                Err(failure) => failure,
            };
            let now = self.clock.now();
            self.health.fails(Part::Requests, now, failure.error_type(), failure.message());
            failed = true;
            let wait = policy.wait(failure.verdict());
            self.report(&failure, wait);
            if matches!(failure.verdict(), Verdict::RetryAfter(_)) {
                self.rule.pause_for(wait);
            } else {
                self.clock.sleep(wait).await;
            }
        }
    }

    /// Waits for a turn to send to a rule that is not to be left alone just then.
    async fn turn(&self) -> Attempt<'_> {
        loop {
            self.rule.pause().await;
            let mut attempt = self.concurrency.begin().await;
            if let Some(rate_limit) = &self.rate_limit {
                rate_limit.spend_if(0, || !self.rule.is_paused()).await;
                attempt.restart();
            }
            if !self.rule.is_paused() {
                return attempt;
            }
        }
    }

    fn report(&self, failure: &ServiceError, wait: Duration) {
        self.labels.count_error(failure.error_type(), "sending");
        let (error_type, request_id, wait_secs) =
            (failure.error_type(), failure.request_id(), wait.as_secs_f64());
        // Being told to wait is part of normal work.
        if failure.level() == Level::WARN {
            warn!(
                component_id = self.labels.id,
                error_type,
                request_id,
                wait_secs,
                "{}: asked to wait, sending again in {wait_secs:.1} s: {}",
                self.labels,
                failure.message()
            );
        } else {
            error!(
                component_id = self.labels.id,
                error_type,
                request_id,
                wait_secs,
                "{}: cannot ingest, trying again in {wait_secs:.1} s, nothing is lost: {}",
                self.labels,
                failure.message()
            );
        }
    }
}
