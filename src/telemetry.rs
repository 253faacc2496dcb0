//! Log lines and metrics: set-up and names.
//!
//! Names follow Vector's instrumentation rules: <https://vector.dev/docs/reference/configuration/sources/internal_metrics/>

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

/// Events that a component took in. Labels: `component_id`.
pub const RECEIVED_EVENTS: &str = "component_received_events_total";
/// Events that a component handed on, acknowledged. Labels: `component_id`.
pub const SENT_EVENTS: &str = "component_sent_events_total";
/// JSON bytes that a sink sent, acknowledged. Labels: `component_id`.
pub const SENT_EVENT_BYTES: &str = "component_sent_event_bytes_total";
/// Things that went wrong. Labels: `component_id`, `error_type`, `stage`.
pub const ERRORS: &str = "component_errors_total";
/// Events that were put into the quarantine. Labels: `component_id`, `reason`.
pub const QUARANTINED_EVENTS: &str = "component_quarantined_events_total";
/// Fields that were cut because the service would have cut them. Labels: `component_id`.
pub const TRUNCATED_FIELDS: &str = "component_truncated_fields_total";
/// Requests sent, whatever the answer. Labels: `component_id`.
pub const REQUESTS: &str = "component_requests_total";
/// Events listed again that were delivered before, and so not sent again. Labels: `component_id`.
pub const SUPPRESSED_EVENTS: &str = "component_suppressed_events_total";

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes log lines to standard error from now on. `filter` is a level or a `tracing` filter, `info` or `vector_sentinel=debug`.
pub fn init_logs(filter: &str, format: LogFormat, colour: bool) -> Result<(), String> {
    // Azure's own crates tell of every request and failure, which we tell of in our words.
    let directives = format!("azure_core=warn,azure_identity=warn,typespec_client_core=warn,{filter}");
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| format!("cannot read the log filter '{filter}': {error}"))?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    let done = match format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    done.map_err(|error| format!("cannot start the log: {error}"))
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
    fn metrics_are_not_served_to_the_network() {
        let error = serve_metrics("0.0.0.0:0".parse().unwrap()).unwrap_err();
        assert!(error.contains("loopback"), "{error}");
    }
}
