//! Makes one request to a stream, when it is its turn.

use std::sync::Arc;

use tokio::sync::Notify;
use tracing::debug;

use super::packer::Request;
use super::rule::Rule;
use microsoft::ServiceError;
use microsoft::logs_ingestion::LogsIngestion;
use runtime::clock::Clock;
use runtime::retry::concurrency::{Attempt, Concurrency, Outcome};
use runtime::retry::quota::Quota;
use runtime::telemetry::{ComponentLabels, Metric};

/// Makes requests to one stream.
pub(super) struct Service {
    pub(super) labels: ComponentLabels,
    pub(super) client: LogsIngestion,
    pub(super) clock: Clock,
    pub(super) rule: Arc<Rule>,
    /// Of this stream alone: one that is slow takes nothing of the others.
    pub(super) concurrency: Arc<Concurrency>,
    /// Of the whole sink.
    pub(super) rate_limit: Option<Arc<Quota>>,
}

// === impl Service ===

impl Service {
    /// Makes a request once. `begun` is told when only the service is waited for: for its answer, or because it has asked to be
    /// left alone.
    pub(super) async fn attempt(&self, request: &Request, begun: &Notify) -> Result<(), ServiceError> {
        if self.rule.is_paused() {
            begun.notify_one();
        }
        self.rule.admit(request.json_bytes as u64).await;
        let attempt = self.turn(begun).await;
        begun.notify_one();
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
        answer
    }

    /// Waits for a turn to send to a rule that is not to be left alone just then.
    async fn turn(&self, begun: &Notify) -> Attempt<'_> {
        loop {
            if self.rule.is_paused() {
                begun.notify_one();
            }
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
}
