//! A component's way into the quarantine: says what is kept, and waits if it cannot be.

use tracing::error;

use super::{Quarantine, Reason};
use crate::clock::Clock;
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use crate::telemetry::{ComponentLabels, Metric};
use model::event::Event;

/// A component's way into the quarantine.
pub struct Keeper<'a> {
    /// Where events are kept.
    pub quarantine: &'a Quarantine,
    /// Who keeps them.
    pub labels: &'a ComponentLabels,
    /// The clock that entries are dated by.
    pub clock: &'a Clock,
    /// How long to wait when they cannot be kept.
    pub policies: &'a Policies,
    /// `receiving` or `sending`, for the metrics.
    pub stage: &'static str,
}

// === impl Keeper ===

impl Keeper<'_> {
    /// Keeps an event, however long it takes to get it there. The log line about it is `said` and then the message.
    pub async fn keep(&self, event: &Event, code: &'static str, message: String, said: &str) {
        self.keep_for(event, Reason { code, message, request_id: None }, said).await;
    }

    /// The same for a reason that may name a request.
    pub async fn keep_for(&self, event: &Event, reason: Reason, said: &str) {
        let Self { quarantine, labels, clock, policies, stage } = self;
        let code = reason.code;
        let mut policy = policies.forever();
        while let Err(failure) = quarantine.keep(event, &reason, clock.now()).await {
            labels.count_error("quarantine_failed", stage);
            error!(component_id = labels.id, "{}: waiting, so that nothing is lost: {failure}", labels);
            clock.sleep(policy.wait(Verdict::Retry)).await;
        }
        labels.count_quarantined(code, 1);
        labels.gauge(Metric::QuarantineBytes, quarantine.bytes());
        labels.count_error(code, stage);
        error!(
            component_id = labels.id,
            error_type = code,
            quarantine = %quarantine.path().display(),
            "{}: {said}{}", labels,
            reason.message
        );
    }
}
