//! Log lines and metrics: set-up and names.
//!
//! Names follow Vector's instrumentation rules: <https://vector.dev/docs/reference/configuration/sources/internal_metrics/>

use std::net::SocketAddr;

use metrics::Label;
use tracing_subscriber::EnvFilter;

/// Events that a component took in.
pub const RECEIVED_EVENTS: &str = "component_received_events_total";
/// Events that a component handed on, acknowledged.
pub const SENT_EVENTS: &str = "component_sent_events_total";
/// JSON bytes that a sink sent, acknowledged.
pub const SENT_EVENT_BYTES: &str = "component_sent_event_bytes_total";
/// Bytes of the files in a component's quarantine, as of the last event that was put there.
pub const QUARANTINE_BYTES: &str = "component_quarantine_bytes";
/// Fields that were cut because the service would have cut them.
pub const TRUNCATED_FIELDS: &str = "component_truncated_fields_total";
/// Values that were nested too deep and became JSON text.
pub const FLATTENED_VALUES: &str = "component_flattened_values_total";
/// Requests sent, whatever the answer.
pub const REQUESTS: &str = "component_requests_total";
/// Events listed again that were delivered before, and so not sent again.
pub const SUPPRESSED_EVENTS: &str = "component_suppressed_events_total";
/// How many requests may be in flight, each time that this is decided.
pub const ADAPTIVE_CONCURRENCY_LIMIT: &str = "adaptive_concurrency_limit";
/// How many requests are in flight, each time that one is sent or answered.
pub const ADAPTIVE_CONCURRENCY_IN_FLIGHT: &str = "adaptive_concurrency_in_flight";
/// Seconds that one request took.
pub const ADAPTIVE_CONCURRENCY_OBSERVED_RTT: &str = "adaptive_concurrency_observed_rtt";
/// Seconds that requests took on average, each time that the limit is decided.
pub const ADAPTIVE_CONCURRENCY_AVERAGED_RTT: &str = "adaptive_concurrency_averaged_rtt";
/// Events that were put into the quarantine. Also labelled `reason`.
const QUARANTINED_EVENTS: &str = "component_quarantined_events_total";
/// Events that were thrown away because they can be of no use here. Also labelled `intentional`.
const DISCARDED_EVENTS: &str = "component_discarded_events_total";
/// Ways in which a data collection rule does not fit what is written. Also labelled `finding`.
const RULE_FINDINGS: &str = "component_rule_findings_total";
/// Things that went wrong. Also labelled `error_type` and `stage`.
const ERRORS: &str = "component_errors_total";
/// Seconds from an event's own time to its delivery.
const LAG: &str = "source_lag_time_seconds";

/// What the program's name stands for in a log filter: its own crate and those below `crates/`.
pub const CRATES: [&str; 8] = [
    "vector_sentinel",
    "incident_model",
    "microsoft",
    "model",
    "pipeline_file",
    "runtime",
    "simulator",
    "vector_link",
];

/// A component of a pipeline, for labels: metrics have `component_kind`, `component_type` and `component_id`.
#[derive(Clone, Debug)]
pub struct Component {
    /// `source` or `sink`.
    pub kind: &'static str,
    /// Its type in the pipeline file.
    pub component_type: &'static str,
    /// Its id in the pipeline file.
    pub id: String,
}

// === impl Component ===

impl Component {
    /// Adds to a counter of this component.
    pub fn count(&self, name: &'static str, amount: u64) {
        metrics::counter!(name, self.labels().iter()).increment(amount);
    }

    /// Counts an error.
    pub fn count_error(&self, error_type: &'static str, stage: &'static str) {
        let [kind, component_type, id] = self.labels();
        let labels =
            [kind, component_type, id, Label::new("error_type", error_type), Label::new("stage", stage)];
        metrics::counter!(ERRORS, labels.iter()).increment(1);
    }

    /// Counts events that were put into the quarantine, by why.
    pub fn count_quarantined(&self, reason: &'static str, amount: u64) {
        let [kind, component_type, id] = self.labels();
        let labels = [kind, component_type, id, Label::new("reason", reason)];
        metrics::counter!(QUARANTINED_EVENTS, labels.iter()).increment(amount);
    }

    /// Counts a way in which a data collection rule does not fit what is written.
    pub fn count_finding(&self, finding: &'static str) {
        let [kind, component_type, id] = self.labels();
        let labels = [kind, component_type, id, Label::new("finding", finding)];
        metrics::counter!(RULE_FINDINGS, labels.iter()).increment(1);
    }

    /// Says what something amounts to now.
    pub fn gauge(&self, name: &'static str, amount: u64) {
        metrics::gauge!(name, self.labels().iter()).set(amount as f64);
    }

    /// Adds a measurement to a histogram.
    pub fn record(&self, name: &'static str, measured: f64) {
        metrics::histogram!(name, self.labels().iter()).record(measured);
    }

    /// Counts events that were thrown away, though nobody asked for it.
    pub fn count_discarded(&self, amount: u64) {
        let [kind, component_type, id] = self.labels();
        let labels = [kind, component_type, id, Label::new("intentional", "false")];
        metrics::counter!(DISCARDED_EVENTS, labels.iter()).increment(amount);
    }

    /// Notes how long after its own time an event was delivered.
    pub fn note_lag(&self, seconds: f64) {
        self.record(LAG, seconds);
    }

    fn labels(&self) -> [Label; 3] {
        [
            Label::new("component_kind", self.kind),
            Label::new("component_type", self.component_type),
            Label::new("component_id", self.id.clone()),
        ]
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether it is a level, such as `info`, and not a filter.
#[must_use]
pub fn is_level(word: &str) -> bool {
    word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok()
}

/// Writes log lines to standard error from now on. `filter` is a level or a `tracing` filter, `info` or `vector_sentinel=debug`.
pub fn init_logs(filter: &str, format: LogFormat, colour: bool) -> Result<(), String> {
    // A bare word that is no level would be taken for a module's name, and nothing would be logged at all.
    if let Some(word) =
        filter.split(',').find(|part| !part.contains(['=', ':', '[']) && !is_level(part.trim()))
    {
        return Err(format!("'{word}' is no level: it is one of error, warn, info, debug, trace and off"));
    }
    let filter = for_every_crate(filter);
    // Azure's own crates tell of every request and failure, which we tell of in our words; the others of every frame.
    let directives = format!(
        "azure_core=warn,azure_identity=warn,typespec_client_core=warn,h2=warn,hyper=warn,hyper_util=warn,reqwest=warn,\
         rustls=warn,tonic=warn,tower=warn,{filter}"
    );
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| format!("cannot read the log filter '{filter}': {error}"))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // A log that cannot be written, on a full disk perhaps, must not end what it tells of.
        .log_internal_errors(false);
    let done = match format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    done.map_err(|error| format!("cannot start the log: {error}"))
}

/// The filter with each directive about `vector_sentinel` as a whole, such as `vector_sentinel=debug`, for each of its crates.
fn for_every_crate(filter: &str) -> String {
    let of_all = |directive: &str| match directive.trim().strip_prefix(CRATES[0]) {
        Some(rest) if rest.is_empty() || rest.starts_with(['=', '[']) => {
            CRATES.map(|name| format!("{name}{rest}")).join(",")
        }
        _ => directive.to_owned(),
    };
    filter.split(',').map(of_all).collect::<Vec<_>>().join(",")
}

/// Serves metrics in Prometheus' text form on `address`, which must be loopback: there is no TLS on it.
pub fn serve_metrics(address: SocketAddr) -> Result<(), String> {
    if !address.ip().is_loopback() {
        return Err(format!(
            "metrics can only be served on a loopback address such as 127.0.0.1:9598, not on {address}"
        ));
    }
    metrics_exporter_prometheus::PrometheusBuilder::new()
        .with_http_listener(address)
        .install()
        .map_err(|error| format!("cannot serve metrics on {address}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_silence_everything_is_refused() {
        for wrong in ["bogus", "inof", "info,wran"] {
            let error = init_logs(wrong, LogFormat::Text, false).unwrap_err();
            assert!(error.contains("no level"), "{error}");
        }
    }

    #[test]
    fn the_programs_name_in_a_filter_stands_for_all_of_its_crates() {
        let filter = for_every_crate("info,vector_sentinel=debug,reqwest=trace");
        assert!(filter.starts_with("info,vector_sentinel=debug,incident_model=debug,"), "{filter}");
        assert!(filter.ends_with(",vector_link=debug,reqwest=trace"), "{filter}");
        assert_eq!(for_every_crate("vector_sentinel::cli=debug"), "vector_sentinel::cli=debug");
    }

    #[test]
    fn metrics_are_not_served_to_the_network() {
        let error = serve_metrics("0.0.0.0:0".parse().unwrap()).unwrap_err();
        assert!(error.contains("loopback"), "{error}");
    }
}
