//! Every metric that there is: its name, what it is, and its labels.

use std::fmt;

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum that only grows.
    Counter,
    /// What something amounts to now.
    Gauge,
    /// How measurements are distributed: a summary in Prometheus' text form.
    Histogram,
}

/// What a metric's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    /// Pieces of something.
    Count,
    /// Bytes of data.
    Bytes,
    /// Seconds of time.
    Seconds,
}

/// What there is to say of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The metric's name.
    pub name: &'static str,
    /// What kind of metric it is.
    pub kind: MetricKind,
    /// What its number counts.
    pub unit: MetricUnit,
    /// A sentence about it.
    pub help: &'static str,
    /// Its labels, those of the component first.
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($metric:ident: $kind:ident in $unit:ident, $name:literal [$($label:literal),*], $help:literal;)*) => {
        /// A metric. Each is recorded through a [`ComponentLabels`](super::ComponentLabels), which knows its labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $(#[doc = $help] $metric,)*
        }

        impl Metric {
            /// Every metric that there is.
            pub const ALL: &[Self] = &[$(Self::$metric),*];

            /// What there is to say of it.
            pub const fn description(self) -> Description {
                match self {
                    $(Self::$metric => Description {
                        name: $name,
                        kind: MetricKind::$kind,
                        unit: MetricUnit::$unit,
                        help: $help,
                        labels: &[$($label),*],
                    },)*
                }
            }
        }
    };
}

// The one list. Names follow Vector's; names, kinds and labels that are there stay as they are.
metrics! {
    ReceivedEvents: Counter in Count, "component_received_events_total" ["component_kind", "component_type", "component_id"],
        "Events that a component took in.";
    SentEvents: Counter in Count, "component_sent_events_total" ["component_kind", "component_type", "component_id"],
        "Events that a component handed on, acknowledged.";
    SentEventBytes: Counter in Bytes, "component_sent_event_bytes_total" ["component_kind", "component_type", "component_id"],
        "JSON bytes that a sink sent, acknowledged.";
    SuppressedEvents: Counter in Count, "component_suppressed_events_total" ["component_kind", "component_type", "component_id"],
        "Events listed again that were delivered before, and so not sent again.";
    QuarantinedEvents: Counter in Count, "component_quarantined_events_total" ["component_kind", "component_type", "component_id", "reason"],
        "Events that were put into the quarantine.";
    QuarantineBytes: Gauge in Bytes, "component_quarantine_bytes" ["component_kind", "component_type", "component_id"],
        "Bytes of the files in a component's quarantine, as of the last event that was put there.";
    SpooledEvents: Counter in Count, "component_spooled_events_total" ["component_kind", "component_type", "component_id"],
        "Events that were put on disk because their destination does not take them.";
    SpoolBytes: Gauge in Bytes, "component_spool_bytes" ["component_kind", "component_type", "component_id", "destination"],
        "Bytes of the files in which events wait for a destination.";
    SpoolEvents: Gauge in Count, "component_spool_events" ["component_kind", "component_type", "component_id", "destination"],
        "Events that wait on disk for a destination.";
    DestinationFailing: Gauge in Count, "component_destination_failing" ["component_kind", "component_type", "component_id", "destination"],
        "1 while a destination takes nothing, and 0 when it does.";
    DestinationSentEvents: Counter in Count, "component_destination_sent_events_total" ["component_kind", "component_type", "component_id", "destination"],
        "Rows that a destination has accepted.";
    DestinationErrors: Counter in Count, "component_destination_errors_total" ["component_kind", "component_type", "component_id", "destination"],
        "Requests to a destination that failed.";
    VerifyArrived: Gauge in Count, "component_verify_arrived" ["component_kind", "component_type", "component_id", "destination"],
        "1 if the last marked row that `verify` sent is in its table, and 0 if not.";
    VerifyArrivalTime: Gauge in Seconds, "component_verify_arrival_time_seconds" ["component_kind", "component_type", "component_id", "destination"],
        "Seconds from sending the last marked row that arrived to finding it in its table.";
    DiscardedEvents: Counter in Count, "component_discarded_events_total" ["component_kind", "component_type", "component_id", "intentional"],
        "Events that were thrown away because they can be of no use here.";
    TruncatedFields: Counter in Count, "component_truncated_fields_total" ["component_kind", "component_type", "component_id"],
        "Fields that were cut because the service would have cut them.";
    UnreadTimes: Counter in Count, "component_unread_times_total" ["component_kind", "component_type", "component_id"],
        "Events whose time could not be read, so that their rows have the time of arrival.";
    RuleFindings: Counter in Count, "component_rule_findings_total" ["component_kind", "component_type", "component_id", "finding"],
        "Ways in which a data collection rule does not fit what is written.";
    Requests: Counter in Count, "component_requests_total" ["component_kind", "component_type", "component_id"],
        "Requests sent, whatever the answer.";
    Errors: Counter in Count, "component_errors_total" ["component_kind", "component_type", "component_id", "error_type", "stage"],
        "Things that went wrong.";
    CertificateExpiry: Gauge in Seconds, "component_certificate_expiry_seconds" ["component_kind", "component_type", "component_id", "option"],
        "Seconds until a certificate that a component shows ends, as of its last use; 0 if it has.";
    SecurityConfinementDisabled: Gauge in Count, "security_confinement_disabled" ["component_kind", "component_type", "component_id"],
        "1 while a sink lets events choose any rule and stream, or else 0.";
    SourceLag: Histogram in Seconds, "source_lag_time_seconds" ["component_kind", "component_type", "component_id"],
        "Seconds from an event's own time to its delivery.";
    AdaptiveConcurrencyLimit: Histogram in Count, "adaptive_concurrency_limit" ["component_kind", "component_type", "component_id"],
        "How many requests may be in flight, each time that this is decided.";
    AdaptiveConcurrencyInFlight: Histogram in Count, "adaptive_concurrency_in_flight" ["component_kind", "component_type", "component_id"],
        "How many requests are in flight, each time that one is sent or answered.";
    AdaptiveConcurrencyObservedRtt: Histogram in Seconds, "adaptive_concurrency_observed_rtt" ["component_kind", "component_type", "component_id"],
        "Seconds that one request took.";
    AdaptiveConcurrencyAveragedRtt: Histogram in Seconds, "adaptive_concurrency_averaged_rtt" ["component_kind", "component_type", "component_id"],
        "Seconds that requests took on average, each time that the limit is decided.";
    SyncWrites: Counter in Count, "incident_sync_writes_total" ["component_id"],
        "What keeping incidents in sync has written: fields, tags, comments, incidents.";
    SyncConflicts: Counter in Count, "incident_sync_conflicts_total" ["component_id"],
        "Fields that were changed on both sides.";
}

// === impl MetricKind ===

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

// === impl MetricUnit ===

impl fmt::Display for MetricUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        })
    }
}

/// Every metric with all that there is to say of it, in the order in which they are listed.
pub fn all_metrics() -> Vec<Description> {
    Metric::ALL.iter().map(|metric| metric.description()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, kinds and labels are what dashboards and alerts of others are made of: they only ever grow.
    const KNOWN: &str = "\
adaptive_concurrency_averaged_rtt histogram seconds component_kind,component_type,component_id
adaptive_concurrency_in_flight histogram count component_kind,component_type,component_id
adaptive_concurrency_limit histogram count component_kind,component_type,component_id
adaptive_concurrency_observed_rtt histogram seconds component_kind,component_type,component_id
component_certificate_expiry_seconds gauge seconds component_kind,component_type,component_id,option
component_destination_errors_total counter count component_kind,component_type,component_id,destination
component_destination_failing gauge count component_kind,component_type,component_id,destination
component_destination_sent_events_total counter count component_kind,component_type,component_id,destination
component_discarded_events_total counter count component_kind,component_type,component_id,intentional
component_errors_total counter count component_kind,component_type,component_id,error_type,stage
component_quarantine_bytes gauge bytes component_kind,component_type,component_id
component_quarantined_events_total counter count component_kind,component_type,component_id,reason
component_received_events_total counter count component_kind,component_type,component_id
component_requests_total counter count component_kind,component_type,component_id
component_rule_findings_total counter count component_kind,component_type,component_id,finding
component_sent_event_bytes_total counter bytes component_kind,component_type,component_id
component_sent_events_total counter count component_kind,component_type,component_id
component_spool_bytes gauge bytes component_kind,component_type,component_id,destination
component_spool_events gauge count component_kind,component_type,component_id,destination
component_spooled_events_total counter count component_kind,component_type,component_id
component_suppressed_events_total counter count component_kind,component_type,component_id
component_truncated_fields_total counter count component_kind,component_type,component_id
component_unread_times_total counter count component_kind,component_type,component_id
component_verify_arrival_time_seconds gauge seconds component_kind,component_type,component_id,destination
component_verify_arrived gauge count component_kind,component_type,component_id,destination
incident_sync_conflicts_total counter count component_id
incident_sync_writes_total counter count component_id
security_confinement_disabled gauge count component_kind,component_type,component_id
source_lag_time_seconds histogram seconds component_kind,component_type,component_id";

    #[test]
    fn names_kinds_and_labels_are_what_they_were() {
        let line = |Description { name, kind, unit, labels, .. }: Description| {
            format!("{name} {kind} {unit} {}", labels.join(","))
        };
        let mut lines: Vec<_> = all_metrics().into_iter().map(line).collect();
        lines.sort();
        assert_eq!(lines.join("\n"), KNOWN);
    }

    #[test]
    fn every_metric_has_a_name_of_its_own_and_says_what_it_is() {
        let mut names: Vec<_> = all_metrics().into_iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
        for Description { name, help, .. } in all_metrics() {
            assert!(help.ends_with('.') && help.split(' ').count() > 3, "{name}: {help}");
        }
    }
}
