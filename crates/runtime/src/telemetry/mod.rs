//! Log lines and metrics: set-up and names.
//!
//! Names follow Vector's instrumentation rules: <https://vector.dev/docs/reference/configuration/sources/internal_metrics/>

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use metrics::{Label, SharedString};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

mod log_interval;
mod metric;

pub use log_interval::LogInterval;
pub use metric::{Description, Metric, MetricKind, MetricUnit, all_metrics};

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
pub struct ComponentLabels {
    /// `source` or `sink`.
    pub kind: &'static str,
    /// Its type in the pipeline file.
    pub component_type: &'static str,
    /// Its id in the pipeline file.
    pub id: String,
}

/// What a measurement is recorded under.
struct Described {
    name: &'static str,
    labels: Vec<Label>,
}

// === impl ComponentLabels ===

/// As log lines begin: `sentinel_logs 'sentinel'`.
impl fmt::Display for ComponentLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.component_type, self.id)
    }
}

impl ComponentLabels {
    /// Adds to a counter of this component.
    pub fn count(&self, metric: Metric, amount: u64) {
        self.count_with(metric, &[], amount);
    }

    /// Counts an error.
    pub fn count_error(&self, error_type: &'static str, stage: &'static str) {
        self.count_with(Metric::Errors, &[error_type.into(), stage.into()], 1);
    }

    /// Counts events that were put into the quarantine, by why.
    pub fn count_quarantined(&self, reason: &'static str, amount: u64) {
        self.count_with(Metric::QuarantinedEvents, &[reason.into()], amount);
    }

    /// Counts a way in which a data collection rule does not fit what is written.
    pub fn count_finding(&self, finding: &'static str) {
        self.count_with(Metric::RuleFindings, &[finding.into()], 1);
    }

    /// Adds to a counter of one of this component's destinations.
    pub fn count_for(&self, metric: Metric, destination: &Arc<str>, amount: u64) {
        self.count_with(metric, &[Arc::clone(destination).into()], amount);
    }

    /// Says what something amounts to now.
    pub fn gauge(&self, metric: Metric, amount: u64) {
        self.gauge_with(metric, &[], amount);
    }

    /// Says in how many seconds the certificate that an option names ends.
    pub fn certificate_ends_in(&self, option: &'static str, seconds: u64) {
        self.gauge_with(Metric::CertificateExpiry, &[option.into()], seconds);
    }

    /// Says what something amounts to now for one of this component's destinations.
    pub fn gauge_for(&self, metric: Metric, destination: &Arc<str>, amount: u64) {
        self.gauge_with(metric, &[Arc::clone(destination).into()], amount);
    }

    #[expect(clippy::disallowed_macros, reason = "the one place that sets gauges")]
    fn gauge_with(&self, metric: Metric, values: &[SharedString], amount: u64) {
        let Described { name, labels } = self.describe(metric, MetricKind::Gauge, values);
        metrics::gauge!(name, labels).set(amount as f64);
    }

    /// Adds a measurement to a histogram.
    #[expect(clippy::disallowed_macros, reason = "the one place that records measurements")]
    pub fn record(&self, metric: Metric, measured: f64) {
        let Described { name, labels } = self.describe(metric, MetricKind::Histogram, &[]);
        metrics::histogram!(name, labels).record(measured);
    }

    /// Counts events that were thrown away, though nobody asked for it.
    pub fn count_discarded(&self, amount: u64) {
        self.count_with(Metric::DiscardedEvents, &["false".into()], amount);
    }

    /// Notes how long after its own time an event was delivered.
    pub fn note_lag(&self, seconds: f64) {
        self.record(Metric::SourceLag, seconds);
    }

    #[expect(clippy::disallowed_macros, reason = "the one place that counts")]
    fn count_with(&self, metric: Metric, values: &[SharedString], amount: u64) {
        let Described { name, labels } = self.describe(metric, MetricKind::Counter, values);
        metrics::counter!(name, labels).increment(amount);
    }

    /// A metric's name, and its labels for this component: `values` are those of the labels that are not the component's.
    fn describe(&self, metric: Metric, kind: MetricKind, values: &[SharedString]) -> Described {
        let description = metric.description();
        debug_assert_eq!(description.kind, kind, "{metric:?}");
        let mut values = values.iter();
        let labels = description.labels.iter().filter_map(|label| match *label {
            "component_kind" => Some(Label::new(*label, self.kind)),
            "component_type" => Some(Label::new(*label, self.component_type)),
            "component_id" => Some(Label::new(*label, self.id.clone())),
            _ => values.next().map(|value| Label::new(*label, value.clone())),
        });
        let labels: Vec<_> = labels.collect();
        debug_assert_eq!((labels.len(), values.len()), (description.labels.len(), 0), "{metric:?}");
        Described { name: description.name, labels }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text for people to read.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no log, or why there are no metrics.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// A word of the log filter is no level.
    #[error("'{0}' is no level: it is one of error, warn, info, debug, trace and off")]
    Level(String),
    /// The log filter cannot be read.
    #[error("cannot read the log filter '{filter}': {cause}")]
    Filter {
        /// The filter, for every crate.
        filter: String,
        /// What is wrong with it.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Another log is started already.
    #[error("cannot start the log: {0}")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Metrics would be served to the network.
    #[error("metrics can only be served on a loopback address such as 127.0.0.1:9598, not on {0}")]
    NotLoopback(SocketAddr),
    /// Metrics cannot be served.
    #[error("cannot serve metrics on {address}: {cause}")]
    Metrics {
        /// Where they were to be served.
        address: SocketAddr,
        /// Why they cannot be.
        #[source]
        cause: metrics_exporter_prometheus::BuildError,
    },
}

/// Whether it is a level, such as `info`, and not a filter.
pub fn is_level(word: &str) -> bool {
    word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok()
}

/// Writes log lines to standard error from now on. `filter` is a level or a `tracing` filter, `info` or `vector_sentinel=debug`.
pub fn init_logs(filter: &str, format: LogFormat, colour: bool) -> Result<(), TelemetryError> {
    // A bare word that is no level would be taken for a module's name, and nothing would be logged at all.
    if let Some(word) =
        filter.split(',').find(|part| !part.contains(['=', ':', '[']) && !is_level(part.trim()))
    {
        return Err(TelemetryError::Level(word.to_owned()));
    }
    let filter = for_every_crate(filter);
    // Azure's own crates tell of every request and failure, which we tell of in our words; the others of every frame.
    let directives = format!(
        "azure_core=warn,azure_identity=warn,typespec_client_core=warn,hyper=warn,hyper_util=warn,reqwest=warn,\
         rustls=warn,tower=warn,{filter}"
    );
    let filter = EnvFilter::try_new(directives).map_err(|cause| TelemetryError::Filter { filter, cause })?;
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
    done.map_err(TelemetryError::Log)
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
pub fn serve_metrics(address: SocketAddr) -> Result<(), TelemetryError> {
    if !address.ip().is_loopback() {
        return Err(TelemetryError::NotLoopback(address));
    }
    metrics_exporter_prometheus::PrometheusBuilder::new()
        .with_http_listener(address)
        .install()
        .map_err(|cause| TelemetryError::Metrics { address, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_silence_everything_is_refused() {
        for wrong in ["bogus", "inof", "info,wran"] {
            let error = init_logs(wrong, LogFormat::Text, false).unwrap_err().to_string();
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
        let error = serve_metrics("0.0.0.0:0".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("loopback"), "{error}");
    }
}
