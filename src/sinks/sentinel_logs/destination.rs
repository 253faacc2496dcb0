//! Where rows go: the streams of the rules that an event's templates come to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::preflight::{ColumnSampler, RuleMonitor};
use super::rule::{Rule, RuleRegistry};
use super::service::Service;
use super::targets::{StreamKey, Targets};
use super::template::{Template, TemplateError};
use microsoft::authorized::Authorized;
use microsoft::logs_ingestion::LogsIngestion;
use model::event::Event;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::quarantine::Reason;
use runtime::retry::backoff::BackoffRange;
use runtime::retry::concurrency::Concurrency;
use runtime::retry::policy::{Policies, RetryPolicy};
use runtime::retry::quota::Quota;
use runtime::telemetry::ComponentLabels;

/// Tables of Sentinel and Defender that look as if they could be written.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview#supported-tables>
const NOT_WRITABLE: [&str; 4] = [
    "Microsoft-SecurityIncident",
    "Microsoft-SecurityAlert",
    "Microsoft-AlertInfo",
    "Microsoft-AlertEvidence",
];
/// Most streams of one sink. A rule has ten, so a template that comes to more takes its names from a wrong field.
const MAX_DESTINATIONS: usize = 1_000;

/// One stream of one rule.
pub(super) struct Destination {
    pub(super) service: Service,
    pub(super) stream: String,
    /// Looks for columns that vanish, if the rows are not known beforehand.
    pub(super) sampler: Option<Arc<ColumnSampler>>,
    /// Whether the service has accepted anything since we started.
    pub(super) accepted: AtomicBool,
    /// How many single rows were refused since anything was accepted.
    pub(super) refused_in_a_row: AtomicU32,
    /// How long to wait while it is in doubt whether rows are poison or an option is wrong.
    pub(super) poison_backoff: Mutex<RetryPolicy>,
}

/// Every stream that a sink has come to write to.
pub(super) struct Destinations {
    pub(super) targets: Targets,
    pub(super) rule_monitor: RuleMonitor,
    pub(super) authorized: Authorized,
    pub(super) rules: RuleRegistry,
    pub(super) labels: ComponentLabels,
    pub(super) health: Health,
    pub(super) concurrency: Arc<Concurrency>,
    pub(super) rate_limit: Option<Arc<Quota>>,
    pub(super) backoff: BackoffRange,
    pub(super) clock: Clock,
    pub(super) rng: Mutex<fastrand::Rng>,
    pub(super) known: Mutex<BTreeMap<(String, String), Arc<Destination>>>,
}

/// Why nothing has such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum NameError {
    #[error(
        "must be the rule's immutable id, dcr- and 32 hexadecimal digits; neither its name nor its resource id: `az \
         monitor data-collection rule show` prints it as immutableId"
    )]
    Rule,
    #[error("is a table that the Logs Ingestion API does not write: use a custom one")]
    NotWritable,
    #[error("must be a stream of the rule, such as Custom-DefenderIncidentsRaw_CL")]
    Stream,
}

// === impl Destinations ===

impl Destinations {
    /// Where a row goes, which is of `event` and for `table` if a layout says so.
    pub(super) fn of(&self, event: &Event, table: Option<&str>) -> Result<Arc<Destination>, Reason> {
        let name = |template: &Template, check: fn(&str) -> Result<(), NameError>| {
            let unresolved = |error: TemplateError| reason("unresolved_template", error.to_string());
            let name = template.render(event, table).map_err(unresolved)?;
            check(&name).map_err(|error| {
                reason("unresolved_template", format!("'{template}' comes to '{name}': it {error}"))
            })?;
            Ok::<_, Reason>(name)
        };
        let rule = name(&self.targets.dcr_immutable_id, check_dcr_immutable_id)?;
        let stream = name(&self.targets.stream_name, check_stream_name)?;
        self.at(rule, stream, table)
    }

    /// The one that every event goes to, if no template stands in the way.
    pub(super) fn only(&self) -> Option<Result<Arc<Destination>, Reason>> {
        let (rule, stream) = (self.targets.dcr_immutable_id.fixed()?, self.targets.stream_name.fixed()?);
        Some(self.at(rule.to_owned(), stream.to_owned(), None))
    }

    /// Compares the rules with what is written from now on, those of fixed streams at once, and goes on in the background.
    pub(super) fn start_rule_monitor(&self) {
        self.rule_monitor.start();
        for StreamKey { rule, stream, table } in self.targets.fixed() {
            // One that is refused is reported when rows come for it.
            self.at(rule, stream, table).ok();
        }
    }

    fn at(&self, rule: String, stream: String, table: Option<&str>) -> Result<Arc<Destination>, Reason> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rule, stream);
        if let Some(destination) = known.get(&key) {
            return Ok(Arc::clone(destination));
        }
        if known.len() >= MAX_DESTINATIONS {
            let message = format!(
                "'{}' has come to {MAX_DESTINATIONS} streams: is the right field in it?",
                self.targets.stream_name
            );
            return Err(reason("too_many_streams", message));
        }
        let endpoint = self.targets.endpoints.of(&key.0);
        let client = LogsIngestion::new(self.authorized.clone(), endpoint, &key.0, &key.1);
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let rule: Arc<Rule> = self.rules.rule(endpoint, &key.0, &self.clock);
        let service = Service {
            labels: self.labels.clone(),
            client,
            clock: self.clock.clone(),
            rule,
            policies: Policies::within(self.backoff, rng.fork()),
            health: self.health.clone(),
            concurrency: Arc::clone(&self.concurrency),
            rate_limit: self.rate_limit.clone(),
        };
        let poison_backoff = Policies::new(rng.fork()).forever();
        let destination = Arc::new(Destination {
            service,
            stream: key.1.clone(),
            sampler: self.rule_monitor.watch(&key.0, &key.1, table),
            accepted: AtomicBool::new(false),
            refused_in_a_row: AtomicU32::new(0),
            poison_backoff: Mutex::new(poison_backoff),
        });
        known.insert(key, Arc::clone(&destination));
        Ok(destination)
    }
}

fn reason(code: &'static str, message: String) -> Reason {
    Reason { code, message, request_id: None }
}

/// Whether it can be a rule's immutable id.
pub(super) fn check_dcr_immutable_id(id: &str) -> Result<(), NameError> {
    let digits = id.strip_prefix("dcr-").unwrap_or_default();
    if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(NameError::Rule)
}

/// Whether it can be a stream's name.
pub(super) fn check_stream_name(name: &str) -> Result<(), NameError> {
    if NOT_WRITABLE.contains(&name) {
        return Err(NameError::NotWritable);
    }
    let table = name.strip_prefix("Custom-").or_else(|| name.strip_prefix("Microsoft-")).unwrap_or_default();
    if !table.is_empty()
        && table.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    {
        return Ok(());
    }
    Err(NameError::Stream)
}
