//! A component's way into the quarantine: says what is kept, and waits if it cannot be.

use std::collections::BTreeMap;

use tracing::error;

use super::{Quarantine, Reason, Refused};
use crate::clock::Clock;
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use crate::telemetry::{ComponentLabels, LogInterval, Metric};
use model::event::{Batch, Event};

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
        let refused = Refused { event: 0, reason, stream: None };
        self.keep_all(&Batch::from([event.clone()]), vec![refused], said, None).await;
    }

    /// Keeps events of a batch, however long it takes to get them there. There is a log line for each code: `said`, the message of
    /// the first event with it, and how many more there are; `interval` says how often at most.
    pub async fn keep_all(
        &self,
        batch: &Batch,
        mut refused: Vec<Refused>,
        said: &str,
        interval: Option<&LogInterval>,
    ) {
        let Self { quarantine, labels, clock, policies, stage } = self;
        let mut first: BTreeMap<&'static str, (Refused, u64)> = BTreeMap::new();
        let mut policy = policies.forever();
        while !refused.is_empty() {
            let kept = quarantine.keep_all(batch, &refused, clock.now()).await;
            for one in refused.drain(..kept.count) {
                labels.count_quarantined(one.reason.code, 1);
                labels.count_error(one.reason.code, stage);
                first.entry(one.reason.code).or_insert((one, 0)).1 += 1;
            }
            labels.gauge(Metric::QuarantineBytes, quarantine.bytes());
            if let Some(failure) = kept.failure {
                labels.count_error("quarantine_failed", stage);
                error!(
                    component_id = labels.id,
                    error_type = "quarantine_failed",
                    "{}: waiting, so that nothing is lost: {failure}",
                    labels
                );
                clock.sleep(policy.wait(Verdict::Retry)).await;
            }
        }
        let left_out = interval.map_or(Some(0), |interval| interval.due(clock));
        let Some(left_out) = left_out else { return };
        for (Refused { reason, stream, .. }, count) in first.values() {
            let more = match count - 1 {
                0 => String::new(),
                more => format!(" (and {more} more of the same batch)"),
            };
            error!(
                component_id = labels.id,
                error_type = reason.code,
                request_id = reason.request_id,
                stream,
                events = count,
                left_out,
                quarantine = %quarantine.path().display(),
                "{}: {said}{}{more}", labels,
                reason.message
            );
        }
    }
}
