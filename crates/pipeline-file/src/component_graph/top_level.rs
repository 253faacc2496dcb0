//! What stands at the top of a file beside its components.

use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::model::Report;
use crate::{
    check::{check, kind},
    redaction::Redaction,
    suggest::nearest,
};
use model::problem::Problem;

/// Vector's options that only Vector itself heeds.
///
/// <https://vector.dev/docs/reference/configuration/global-options/>
pub(crate) const ONLY_IN_VECTOR: [&str; 16] = [
    "api",
    "buffer_utilization_ewma_half_life_seconds",
    "enrichment_tables",
    "expire_metrics",
    "expire_metrics_per_metric_set",
    "expire_metrics_secs",
    "graceful_shutdown_limit_secs",
    "healthchecks",
    "latency_ewma_alpha",
    "log_schema",
    "metrics_storage_refresh_period",
    "provider",
    "schema",
    "telemetry",
    "tests",
    "timezone",
];

const READ_HERE: [&str; 8] = [
    "acknowledgements",
    "data_dir",
    "proxy",
    "secret",
    "sinks",
    "sources",
    "transforms",
    "wildcard_matching",
];

/// The proxy for HTTP and HTTPS requests, as in Vector.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "Vector's names")]
#[expect(dead_code, reason = "whoever builds the client reads the options; here only the schema is of use")]
struct Proxy {
    /// Whether a proxy is used at all, from here or from the environment. Default: `true`.
    #[serde(default = "enabled")]
    enabled: bool,
    /// The URL of the proxy for `http` requests. Default: the variable `http_proxy`. Example: `http://proxy.example.com:3128`.
    http: Option<String>,
    /// The URL of the proxy for `https` requests. Default: the variable `https_proxy`. Example:
    /// `http://proxy.example.com:3128`.
    https: Option<String>,
    /// Hosts, domains and networks that are reached without the proxy. Default: the variable `no_proxy`. Example:
    /// `[localhost, .example.com, 10.0.0.0/8]`.
    #[serde(default)]
    no_proxy: Vec<String>,
}

#[derive(Default)]
pub(super) struct TopLevel {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) proxy: Option<Value>,
    /// A glob among the inputs may match nothing.
    pub(super) relaxed_globs: bool,
}

/// Only for the schema, which shows defaults.
const fn enabled() -> bool {
    true
}

pub(crate) fn proxy_schema() -> Value {
    schema_for!(Proxy).to_value()
}

pub(super) fn read(
    tree: &Value,
    beside_vector: bool,
    redaction: Redaction<'_>,
    report: &mut Report,
) -> TopLevel {
    let mut top = TopLevel::default();
    for (key, value) in tree.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            // Vector, too, takes an option without a value as not given.
            (known, Value::Null) if READ_HERE.contains(&known) || ONLY_IN_VECTOR.contains(&known) => {}
            ("data_dir", Value::String(path)) if !path.is_empty() => top.data_dir = Some(path.into()),
            ("data_dir", Value::String(_)) => report.problem("data_dir", "must not be empty"),
            ("data_dir", other) => {
                report.problem("data_dir", format!("expected a string, got {}", kind(other)));
            }
            ("proxy", value) => {
                let found = check(&proxy_schema(), value, "proxy", redaction);
                report.problems.extend(found.problems);
                top.proxy = Some(value.clone());
            }
            // Beside Vector it is Vector that heeds it, and what comes of it is reported at the sinks.
            ("acknowledgements", Value::Bool(false)) if beside_vector => {}
            ("acknowledgements", Value::Object(said))
                if beside_vector && said.get("enabled") == Some(&false.into()) => {}
            ("acknowledgements", value) => acknowledgements("", value, redaction, report),
            ("wildcard_matching", value) => {
                top.relaxed_globs = value == "relaxed";
                if !top.relaxed_globs && value != "strict" {
                    let shown = redaction.value(value);
                    let message = format!("{shown} is not known here; it must be 'strict' or 'relaxed'");
                    report.problem("wildcard_matching", message);
                }
            }
            (known, _) if READ_HERE.contains(&known) => {}
            (known, _) if beside_vector && ONLY_IN_VECTOR.contains(&known) => {}
            (known, _) if ONLY_IN_VECTOR.contains(&known) => {
                report.warning(known, "has no effect here: only Vector itself heeds it");
            }
            (other, _) => report.problems.push(unknown(other, redaction)),
        }
    }
    top
}

fn unknown(key: &str, redaction: Redaction<'_>) -> Problem {
    let path = redaction.join("", key);
    let near = redaction.key(key).and_then(|_| nearest(key, READ_HERE.into_iter().chain(ONLY_IN_VECTOR)));
    Problem::new(
        path,
        match near {
            Some(near) => format!("unknown option, did you mean '{near}'?"),
            None => "unknown option; a pipeline file has 'sources', 'sinks', 'data_dir', 'secret', \
                     'proxy' and Vector's other global options"
                .to_owned(),
        },
    )
    .about("")
}

/// Events are always acknowledged end to end, so the only wrong answer is no. The option stands in the map at `path`.
pub(super) fn acknowledgements(path: &str, value: &Value, redaction: Redaction<'_>, report: &mut Report) {
    let option = redaction.join(path, "acknowledgements");
    let (path, enabled) = match value {
        Value::Object(map) => {
            for key in map.keys().filter(|key| *key != "enabled") {
                let shown = redaction.key(key).map(|key| format!(" {key}")).unwrap_or_default();
                let message = format!("unknown option{shown}; the options are 'enabled'");
                report.problems.push(Problem::new(option.as_str(), message).about(key));
            }
            (format!("{option}.enabled"), map.get("enabled").unwrap_or(&Value::Null))
        }
        other => (option, other),
    };
    match enabled {
        Value::Null | Value::Bool(true) => {}
        Value::Bool(false) => {
            report.problem(path, "acknowledgements cannot be switched off: events are always acknowledged");
        }
        other => report.problem(path, format!("expected true or false, got {}", kind(other))),
    }
}
