//! Puts events into the quarantine, from either end of the link.

use tracing::error;

use crate::clock::Clock;
use crate::model::event::Event;
use crate::quarantine::{Quarantine, Reason};
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use crate::telemetry::{self, Component};

/// One end's way into the quarantine.
pub(super) struct Keeper<'a> {
    pub(super) quarantine: &'a Quarantine,
    pub(super) labels: &'a Component,
    pub(super) clock: &'a Clock,
    pub(super) policies: &'a Policies,
    /// `receiving` or `sending`, for the metrics.
    pub(super) stage: &'static str,
}

// === impl Keeper ===

impl Keeper<'_> {
    /// Keeps an event, however long it takes to get it there. The log line about it is `said` and then the message.
    pub(super) async fn keep(&self, event: &Event, code: &'static str, message: String, said: &str) {
        let Self { quarantine, labels, clock, policies, stage } = self;
        let reason = Reason { code, message, request_id: None };
        let mut policy = policies.forever();
        while let Err(failure) = quarantine.keep(event, &reason, clock.now()).await {
            labels.count_error("quarantine_failed", stage);
            error!(component_id = labels.id, "Waiting, so that nothing is lost: {failure}");
            clock.sleep(policy.wait(Verdict::Retry)).await;
        }
        labels.count_quarantined(code, 1);
        labels.gauge(telemetry::QUARANTINE_BYTES, quarantine.bytes());
        labels.count_error(code, stage);
        error!(
            component_id = labels.id,
            error_type = code,
            quarantine = %quarantine.path().display(),
            "{said}{}",
            reason.message
        );
    }
}
