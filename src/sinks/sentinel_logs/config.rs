//! The options of `sentinel_logs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::column::Column;
use super::columns::{ColumnsConfig, TYPES_NEEDED};
use super::compression::Compression;
use super::destination::{NameError, check_dcr_immutable_id, check_stream_name};
use super::encoder::TimeField;
use super::encoding::EncodingConfig;
use super::layout::{Layout, SyslogConfig};
use super::ready::SentinelLogs;
use super::request::{IngestionRequestConfig, RetryStrategyConfig};
use super::spool::SpoolConfig;
use super::table_plan::TablePlan;
use super::targets::{Confinement, Endpoints, Targets};
use super::template::Template;
use crate::sinks::quarantine::QuarantineConfig;
use microsoft::connection::IdentityConfig;
use microsoft::hosts::{of_another_cloud, takes_no_rows};
use microsoft::http::{ProxyConfig, https_url};
use microsoft::logs_ingestion::MAX_CALL_BYTES;
use model::problem::{Problem, check_ranges};

/// Smallest `batch.max_bytes`: below it, ordinary events would not fit.
const MIN_CALL_BYTES: usize = 10_000;

/// What is said of the options of Vector's sink `azure_monitor_logs`.
const OF_THE_OLD_API: &str = "it belongs to Vector's azure_monitor_logs, whose API has ended; `vector-sentinel migrate` says what \
                              becomes of it";

/// Ingests any event as rows of Log Analytics tables, through a data collection rule (DCR) and the Logs Ingestion API.
///
/// The identity needs the role Monitoring Metrics Publisher on the rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "customer_id": OF_THE_OLD_API, "shared_key": OF_THE_OLD_API, "log_type": OF_THE_OLD_API, "host": OF_THE_OLD_API,
    "azure_resource_id": OF_THE_OLD_API, "time_generated_key": OF_THE_OLD_API,
}))]
pub struct SentinelLogsConfig {
    /// Who writes, in which cloud, and through what.
    #[serde(flatten)]
    pub identity: IdentityConfig,
    /// The logs ingestion URL of the data collection endpoint (DCE), or of the rule itself: `https`, without a path, no
    /// template. Example: `https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com`.
    pub endpoint: String,
    /// The logs ingestion URLs of rules that are not behind `endpoint`, by the rules' immutable ids. Default: none. Example:
    /// `{dcr-111b11b111b11111b111111bb111b1bb: "https://eu-dce-8fgh.westeurope-1.ingest.monitor.azure.com"}`.
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
    /// The immutable id of the data collection rule: `dcr-` and 32 hexadecimal digits. May be a template, such as
    /// `{{ dcr }}`, that comes to nothing but the rules in `endpoints` and `destinations`. Example: `dcr-000a00a000a00000a000000aa000a0aa`.
    pub dcr_immutable_id: String,
    /// The rows of which tables an event becomes. Default: `raw`.
    #[serde(default)]
    pub layout: Layout,
    /// The stream of the rule; needed with `layout: raw`. May be a template, with a literal prefix such as `Custom-`, or that comes to
    /// nothing but the streams in `destinations`. Default: `Custom-{{ table }}`, with the layouts that
    /// have tables of their own. Example: `Custom-DefenderIncidentsRaw_CL`.
    pub stream_name: Option<String>,
    /// The rules (by their immutable ids) and streams that templates may come to; an event that leads elsewhere goes to the quarantine.
    /// Default: the rules in `endpoints`, and any stream with the literal prefix of `stream_name`. Example:
    /// `[dcr-000a00a000a00000a000000aa000a0aa, Custom-Firewall_CL, Custom-Proxy_CL]`.
    #[serde(default)]
    pub destinations: Vec<String>,
    /// DANGEROUS, as in Vector: lets templates come to any rule and stream, so that whoever writes events chooses where they go.
    /// Default: `false`.
    #[serde(default)]
    pub dangerously_allow_unconfined_template_resolution: bool,
    /// The URL of Azure Resource Manager, `https` and without a path, where the rule is read to compare it with what is written.
    /// Default: that of `cloud`. Example: `https://management.azure.com`.
    pub management_endpoint: Option<String>,
    /// The scope that tokens for Azure Resource Manager are requested for. Default: that of `cloud`. Example:
    /// `https://management.azure.com/.default`.
    pub management_token_scope: Option<String>,
    /// The field and column of the event's time; or the path of a field that cannot be a column's name, such as `@timestamp` or
    /// `event.created`, whose time goes into the column `TimeGenerated`. Only with `layout: raw` can it be another one. Without
    /// that field, the fields `timestamp` and `@timestamp` are tried. Default: `TimeGenerated`.
    #[serde(default = "default_timestamp_field")]
    pub timestamp_field: String,
    /// The columns that the stream declares, with `layout: raw`: that of `timestamp_field`, `ExtraColumns` and `TruncatedColumns`
    /// among them. A field that is none of them goes into `ExtraColumns`. In a map of names and types, so does a value that its
    /// column cannot hold, and would be null. Default: not known, so that each field is a column, and is lost without an error
    /// where the stream has none. Example: `{TimeGenerated: datetime, message: string, ExtraColumns: dynamic,
    /// TruncatedColumns: dynamic}`.
    pub columns: Option<ColumnsConfig>,
    /// Options of the layout `syslog`. Default: as if it were empty. Example: `{extra: column}`.
    pub syslog: Option<SyslogConfig>,
    /// The plan of the tables that rows go to. Default: `analytics`.
    #[serde(default)]
    pub table_plan: TablePlan,
    /// Which fields of an event are written, and how times are written in them; with a `layout`, the rest is all that it sees.
    #[serde(default)]
    pub encoding: EncodingConfig,
    /// The compression of requests, in Vector's syntax: a word, or a map of `algorithm` and `level`. Default: `gzip`, at level 2.
    /// Example: `{algorithm: gzip, level: 6}`.
    #[serde(default)]
    pub compression: Compression,
    /// The size of the batches in which rows are sent.
    #[serde(default)]
    pub batch: BatchConfig,
    /// Time limit, concurrency and rate of requests.
    #[serde(default)]
    pub request: IngestionRequestConfig,
    /// Without effect, and accepted because Vector's sinks have it: a request is sent again until it is decided. Default: no
    /// other way.
    pub retry_strategy: Option<RetryStrategyConfig>,
    /// The spool, in which the rows of a stream wait that takes nothing.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// The quarantine (dead letters), for events that can never be accepted.
    #[serde(default)]
    pub quarantine: QuarantineConfig,
}

/// The size of batches.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// The most bytes of one request, before compression and after it, from 10000 to 1048576: the service takes 1 MB. With more
    /// the default is used, with less 10000, and a warning says so. Default: 1000000.
    #[schemars(range(min = 1))]
    pub max_bytes: usize,
}

// === impl SentinelLogsConfig ===

fn default_timestamp_field() -> String {
    "TimeGenerated".to_owned()
}

impl Default for BatchConfig {
    fn default() -> Self {
        // "1 MB" of the service's limit may mean a million bytes or a mebibyte: the smaller is right either way.
        // Source: https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
        Self { max_bytes: 1_000_000 }
    }
}

impl SentinelLogsConfig {
    /// Checks the options, without touching anything. `path` is where they stand in the file, `proxy` the file's own.
    pub fn validate(mut self, path: &str, proxy: &ProxyConfig) -> Result<SentinelLogs, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut warnings = self.adjust(path);
        let layout = match self.layout {
            Layout::Syslog => self.syslog.unwrap_or_default().layout(),
            layout => layout,
        };
        let targets = self.targets(layout, path, &mut problems);
        self.validate_hosts(path, &mut problems);
        let mut report =
            |option: &str, message: String| problems.push(Problem::new(format!("{path}.{option}"), message));
        let management = self.management_endpoint.as_deref().unwrap_or_else(|| self.identity.cloud.arm());
        let management = https_url(management).filter(|url| url.path() == "/" && url.query().is_none());
        if management.is_none() {
            let message = "must be an https URL without a path, such as https://management.azure.com";
            report("management_endpoint", message.to_owned());
        }
        if self.layout != Layout::Raw {
            if self.columns.is_some() {
                report("columns", "the layout has its own: leave this out".to_owned());
            }
            if self.timestamp_field != default_timestamp_field() {
                report("timestamp_field", "the layout has its own: leave this out".to_owned());
            }
        }
        if self.layout == Layout::Syslog {
            let syslog = self.syslog.unwrap_or_default();
            let warning =
                syslog.warning().map(|message| Problem::new(format!("{path}.syslog.extra"), message));
            warnings.extend(warning);
        } else if self.syslog.is_some() {
            report("syslog", "is for the layout syslog: leave this out".to_owned());
        }
        let time_column = TimeField::of(&self.timestamp_field).column;
        if Column::of(&time_column) != Column::Plain(&time_column) {
            let message = "must be the name of a column, such as TimeGenerated, or the path of the field that has the time, such \
                           as '@timestamp' or 'event.created'";
            report("timestamp_field", message.to_owned());
        }
        match &self.columns {
            Some(columns) => {
                for message in columns.problems(&time_column, self.table_plan) {
                    report("columns", message);
                }
            }
            None if self.layout == Layout::Raw && self.table_plan == TablePlan::Auxiliary => {
                report("columns", format!("is missing: {TYPES_NEEDED}"));
            }
            None => {}
        }
        if let Some(message) = self.table_plan.objection(self.layout) {
            report("table_plan", message.to_owned());
        }
        self.layout = layout;
        let encoding = self.encoding.validate(self.layout, &format!("{path}.encoding"), &mut problems);
        let ranges = [("batch.max_bytes", self.batch.max_bytes as u64, MIN_CALL_BYTES as u64, u64::MAX)];
        check_ranges(path, &ranges, &mut problems);
        self.quarantine.validate(path, &mut problems);
        self.spool.validate(path, &mut problems);
        self.request.validate(&format!("{path}.request"), &mut problems);
        let scope = self.identity.cloud.ingestion_scope();
        let timeout = Duration::from_secs(self.request.timeout_secs);
        let identity = self.identity.validate(scope, timeout, path, proxy, &mut problems);
        match (targets, management) {
            (Some(targets), Some(management)) if problems.is_empty() => {
                let encoding = encoding.map(Arc::new);
                Ok(SentinelLogs { config: self, targets, management, identity, encoding, warnings })
            }
            _ => Err(problems),
        }
    }

    /// Checks the options that decide where rows go.
    fn targets(&self, layout: Layout, path: &str, problems: &mut Vec<Problem>) -> Option<Targets> {
        let endpoints = Endpoints::validate(&self.endpoint, &self.endpoints, path, problems);
        let mut report =
            |option: &str, message: String| problems.push(Problem::new(format!("{path}.{option}"), message));
        let mut template = |option: &str, written: &str, check: fn(&str) -> Result<(), NameError>| {
            let parsed = Template::parse(written).map_err(|error| report(option, error.to_string())).ok()?;
            // What a field comes to is looked at event by event.
            if let Some(Err(error)) = parsed.fixed().map(check) {
                let message = if option == "stream_name" && written.ends_with("_CL") {
                    "is a table's name: write the stream, which has Custom- before it, as Custom-T_CL"
                        .to_owned()
                } else {
                    error.to_string()
                };
                report(option, message);
            }
            Some(parsed)
        };
        let dcr_immutable_id = template("dcr_immutable_id", &self.dcr_immutable_id, check_dcr_immutable_id);
        let stream_name = match (&self.stream_name, self.layout) {
            (Some(written), _) => template("stream_name", written, check_stream_name),
            (None, Layout::Raw) => {
                report(
                    "stream_name",
                    "is missing: the stream of the rule, such as Custom-DefenderIncidentsRaw_CL".to_owned(),
                );
                None
            }
            (None, _) => Template::parse("Custom-{{ table }}").ok(),
        };
        let targets = Targets {
            endpoints: endpoints?,
            dcr_immutable_id: dcr_immutable_id?,
            stream_name: stream_name?,
            layout,
            is_unconfined: false,
        };
        let confinement = Confinement {
            destinations: &self.destinations,
            is_off: self.dangerously_allow_unconfined_template_resolution,
        };
        Some(targets.confine(confinement, path, problems))
    }

    /// Reports URLs of hosts that rows or requests cannot go to, and a scope that there is no token for.
    fn validate_hosts(&self, path: &str, problems: &mut Vec<Problem>) {
        let cloud = self.identity.cloud;
        // Whoever names the scope of tokens knows which cloud it is for.
        let foreign = |own_scope: &Option<String>, url: &Url| match own_scope {
            None => of_another_cloud(url, cloud),
            Some(_) => None,
        };
        let main = (format!("{path}.endpoint"), &self.endpoint);
        let others = self.endpoints.iter().map(|(rule, url)| (format!("{path}.endpoints.{rule}"), url));
        for (path, url) in std::iter::once(main).chain(others) {
            let url = https_url(url);
            let wrong = url.as_ref().and_then(takes_no_rows);
            let wrong = wrong.or_else(|| foreign(&self.identity.token_scope, url.as_ref()?));
            problems.extend(wrong.map(|message| Problem::new(path, message)));
        }
        let management = self.management_endpoint.as_deref().and_then(https_url);
        let wrong = management.and_then(|url| foreign(&self.management_token_scope, &url));
        problems.extend(wrong.map(|message| Problem::new(format!("{path}.management_endpoint"), message)));
        let (scope, path) =
            (self.management_token_scope.as_deref(), format!("{path}.management_token_scope"));
        self.identity.auth.validate_scope(scope, &path, problems);
    }

    /// Puts what can be done in the place of what Vector's own sink accepts and this one does not do; answers warnings of it.
    fn adjust(&mut self, path: &str) -> Vec<Problem> {
        let mut ineffective = self.request.ineffective();
        ineffective.extend(self.retry_strategy.as_ref().map(|_| "retry_strategy"));
        let ineffective = (!ineffective.is_empty()).then(|| {
            let (names, has) = (ineffective.join(", "), if ineffective.len() > 1 { "have" } else { "has" });
            let message = format!(
                "{names} {has} no effect: a request that fails is sent again until it is accepted, or what is in it is refused \
                 for good and quarantined. Nothing is dropped; remove what has no effect"
            );
            Problem::new(path, message)
        });
        let mut warnings: Vec<_> = ineffective.into_iter().collect();
        if let Some(columns) = self.columns.as_ref().filter(|_| self.table_plan != TablePlan::Auxiliary) {
            let twins = columns.differing_by_case().into_iter();
            warnings.extend(twins.map(|message| Problem::new(format!("{path}.columns"), message)));
        }
        for (option, written) in self.request.lower() {
            let message = format!(
                "{written} is more than there may be: 200 is used. Each may take a megabyte of memory"
            );
            warnings.push(Problem::new(format!("{path}.{option}"), message));
        }
        let written = self.batch.max_bytes;
        let message = if written > MAX_CALL_BYTES {
            self.batch = BatchConfig::default();
            let used = self.batch.max_bytes;
            format!(
                "{written} is more than a call of the Logs Ingestion API may have, which refuses it as a whole: {used} is used"
            )
        } else if (1..MIN_CALL_BYTES).contains(&written) {
            self.batch.max_bytes = MIN_CALL_BYTES;
            format!("{written} is so little that ordinary events would not fit: {MIN_CALL_BYTES} is used")
        } else {
            return warnings;
        };
        warnings.push(Problem::new(format!("{path}.batch.max_bytes"), message));
        warnings
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(options: serde_json::Value) -> Vec<String> {
        let config: SentinelLogsConfig = serde_json::from_value(options).unwrap();
        let problems = config.validate("sinks.s", &ProxyConfig::default()).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_is_reported_at_once_with_what_to_write() {
        let found = problems(json!({
            "auth": {"azure_credential_kind": "azure_cli", "client_id": "x"},
            "endpoint": "my-dce.ingest.monitor.azure.com",
            "dcr_immutable_id": "/subscriptions/s/resourceGroups/r/providers/Microsoft.Insights/dataCollectionRules/d",
            "stream_name": "Custom-{{ table",
            "timestamp_field": "Time Generated",
            "batch": {"max_bytes": 0},
            "request": {"concurrency": 0},
        }));
        assert_eq!(found.len(), 7, "{found:#?}");
        assert!(
            found[1].contains("32 hexadecimal digits") && found[1].contains("immutableId"),
            "{}",
            found[1]
        );
    }

    #[test]
    fn a_template_that_nothing_confines_is_refused_unless_that_is_switched_off() {
        let mut options = json!({
            "auth": {"azure_credential_kind": "managed_identity"},
            "endpoint": "https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com",
            "dcr_immutable_id": "{{ dcr }}",
            "stream_name": "{{ stream }}",
        });
        let found = problems(options.clone());
        assert_eq!(found.len(), 2, "{found:#?}");
        for (problem, path) in found.iter().zip(["dcr_immutable_id", "stream_name"]) {
            assert!(
                problem.starts_with(&format!("sinks.s.{path}: template has dynamic content")),
                "{problem}"
            );
        }
        options["destinations"] = json!(["dcr-000a00a000a00000a000000aa000a0aa", "Custom-T_CL"]);
        assert_eq!(problems(options.clone()), [""; 0]);
        options["destinations"] = json!([]);
        options["dangerously_allow_unconfined_template_resolution"] = json!(true);
        assert_eq!(problems(options), [""; 0]);
    }

    #[test]
    fn what_vectors_own_sink_has_is_accepted_and_what_has_no_effect_is_said_once() {
        let config: SentinelLogsConfig = serde_json::from_value(json!({
            "auth": {"azure_credential_kind": "managed_identity"},
            "endpoint": "https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com",
            "dcr_immutable_id": "dcr-000a00a000a00000a000000aa000a0aa",
            "stream_name": "Custom-T_CL",
            "batch": {"max_bytes": 10_000_000},
            "request": {
                "concurrency": 500, "adaptive_concurrency": {"max_concurrency_limit": 1_000},
                "rate_limit_num": 5, "rate_limit_duration_secs": 2, "retry_attempts": 3, "retry_jitter_mode": "Full",
                "retry_initial_backoff_secs": 20, "retry_max_duration_secs": 35,
            },
            "retry_strategy": {"type": "custom", "status_codes": [403]},
        }))
        .unwrap();
        let ready = config.validate("sinks.s", &ProxyConfig::default()).unwrap();
        assert_eq!(ready.config.batch.max_bytes, 1_000_000);
        let warnings: Vec<String> = ready.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 4, "{warnings:#?}");
        let names = "sinks.s: request.retry_attempts, request.retry_jitter_mode, retry_strategy have no effect: a request \
                     that fails is sent again";
        assert!(warnings[0].starts_with(names), "{warnings:#?}");
        assert!(warnings[1].starts_with("sinks.s.request.concurrency: 500 is more than"), "{warnings:#?}");
        assert!(warnings[3].starts_with("sinks.s.batch.max_bytes: 10000000 is more than"), "{warnings:#?}");
        let backoff = ready.config.request.backoff();
        assert_eq!((backoff.initial.as_secs(), backoff.max.as_secs()), (20, 35));
    }

    #[test]
    fn the_defaults_are_accepted() {
        let found = problems(json!({
            "auth": {"azure_credential_kind": "managed_identity"},
            "endpoint": "https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com",
            "dcr_immutable_id": "dcr-000a00a000a00000a000000aa000a0aa",
            "stream_name": "Custom-DefenderIncidentsRaw_CL",
        }));
        assert!(found.is_empty(), "{found:#?}");
    }
}
