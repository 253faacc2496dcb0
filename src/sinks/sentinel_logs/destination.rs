//! Where rows go: the lanes of the streams that an event's templates come to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::lane::{Lane, LaneParts};
use super::preflight::RuleMonitor;
use super::request::IngestionRequestConfig;
use super::rule::RuleRegistry;
use super::service::Service;
use super::targets::{StreamKey, Targets};
use super::template::{ShownName, Template, TemplateError};
use microsoft::authorized::Authorized;
use microsoft::logs_ingestion::LogsIngestion;
use model::event::Event;
use runtime::clock::Clock;
use runtime::files::{DataDir, FileKind, if_there};
use runtime::quarantine::Reason;
use runtime::retry::policy::Policies;
use runtime::retry::quota::Quota;
use runtime::spool::{Spool, SpoolRoom, segment_bytes};
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
/// Longest name of a stream, in bytes: with its rule's id it has to be the name of a directory, of which most have 255.
const MAX_STREAM_NAME_BYTES: usize = 200;
/// What stands between a rule's id and a stream's name in the name of a directory; neither has it.
const BETWEEN: char = '+';

/// The lane of every stream that a sink has come to write to.
pub(super) struct Destinations {
    pub(super) targets: Targets,
    pub(super) rule_monitor: RuleMonitor,
    pub(super) authorized: Authorized,
    pub(super) rules: RuleRegistry,
    pub(super) labels: ComponentLabels,
    pub(super) request: IngestionRequestConfig,
    pub(super) rate_limit: Option<Arc<Quota>>,
    pub(super) spool_room: SpoolRoom,
    pub(super) clock: Clock,
    pub(super) rng: Mutex<fastrand::Rng>,
    pub(super) known: Mutex<BTreeMap<(String, String), Arc<Lane>>>,
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
    pub(super) fn of(&self, event: &Event, table: Option<&str>) -> Result<Arc<Lane>, Reason> {
        let name = |template: &Template, check: fn(&str) -> Result<(), NameError>| {
            let unresolved = |error: TemplateError| reason("unresolved_template", error.to_string());
            let name = template.render(event, table).map_err(unresolved)?;
            check(&name).map_err(|error| {
                reason(
                    "unresolved_template",
                    format!("'{template}' comes to '{}': it {error}", ShownName::of(&name)),
                )
            })?;
            Ok::<_, Reason>(name)
        };
        let rule = name(&self.targets.dcr_immutable_id, check_dcr_immutable_id)?;
        let stream = name(&self.targets.stream_name, check_stream_name)?;
        self.at(rule, stream, table, true)
    }

    /// The one that every event goes to, if no template stands in the way.
    pub(super) fn only(&self) -> Option<Result<Arc<Lane>, Reason>> {
        let (rule, stream) = (self.targets.dcr_immutable_id.fixed()?, self.targets.stream_name.fixed()?);
        Some(self.at(rule.to_owned(), stream.to_owned(), None, true))
    }

    /// Compares the rules with what is written from now on, those of fixed streams at once, and goes on in the background.
    pub(super) fn start_rule_monitor(&self) {
        self.rule_monitor.start();
        // Those that perhaps nothing goes to are compared when something does.
        for StreamKey { rule, stream, table, .. } in
            self.targets.fixed().into_iter().filter(|key| !key.is_candidate)
        {
            // One that is refused is reported when rows come for it.
            self.at(rule, stream, table, true).ok();
        }
    }

    /// The lane of a stream, whose rule is compared with what is written if it is `watched`.
    fn at(
        &self,
        rule: String,
        stream: String,
        table: Option<&str>,
        watched: bool,
    ) -> Result<Arc<Lane>, Reason> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rule, stream);
        if let Some(lane) = known.get(&key) {
            return Ok(Arc::clone(lane));
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
        let service = Service {
            labels: self.labels.clone(),
            client,
            clock: self.clock.clone(),
            rule: self.rules.rule(endpoint, &key.0, &self.clock),
            concurrency: Arc::new(self.request.concurrency(&self.clock, &self.labels)),
            rate_limit: self.rate_limit.clone(),
        };
        let backoff = Policies::within(self.request.backoff(), rng.fork()).forever();
        let spool = Spool::new(&self.spool_room, &format!("{}{BETWEEN}{}", key.0, key.1));
        let lane = Arc::new(Lane::new(LaneParts {
            name: format!("{}/{}", key.0, key.1).into(),
            stream: key.1.clone(),
            service,
            sampler: watched.then(|| self.rule_monitor.watch(&key.0, &key.1, table)).flatten(),
            backoff,
            poison_backoff: Policies::new(rng.fork()).forever(),
            spool,
        }));
        known.insert(key, Arc::clone(&lane));
        Ok(lane)
    }

    /// The lanes that there are by now.
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The lanes for which something waits in the spool since an earlier run, with its bytes, and directories in which something waits
    /// that are of none.
    pub(super) async fn waiting(&self) -> std::io::Result<(Vec<(Arc<Lane>, u64)>, Vec<PathBuf>)> {
        let DataDir { path, files, off_thread } = self.spool_room.dir().clone();
        let listed = off_thread.run(move || -> std::io::Result<Vec<(PathBuf, u64)>> {
            let mut waiting = Vec::new();
            for one in if_there(files.list(&path))?.unwrap_or_default() {
                let segments = if one.kind == FileKind::Dir { files.list(&one.path)? } else { Vec::new() };
                let bytes = segments.iter().filter_map(segment_bytes).sum();
                if bytes > 0 {
                    waiting.push((one.path, bytes));
                }
            }
            Ok(waiting)
        });
        let (mut lanes, mut unknown) = (Vec::new(), Vec::new());
        // If it does not answer, the process is ending.
        for (path, bytes) in listed.await.unwrap_or_else(|_| Ok(Vec::new()))? {
            let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.split_once(BETWEEN));
            let name = name.filter(|(rule, stream)| {
                check_dcr_immutable_id(rule).is_ok() && check_stream_name(stream).is_ok()
            });
            match name
                .and_then(|(rule, stream)| self.at(rule.to_owned(), stream.to_owned(), None, false).ok())
            {
                Some(lane) => {
                    lane.spool.set_bytes(bytes);
                    lanes.push((lane, bytes));
                }
                None => unknown.push(path),
            }
        }
        Ok((lanes, unknown))
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
        && name.len() <= MAX_STREAM_NAME_BYTES
        && table.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    {
        return Ok(());
    }
    Err(NameError::Stream)
}
