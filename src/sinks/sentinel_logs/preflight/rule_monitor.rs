//! Compares beside a running sink: each rule is read once, and each stream compared when it is first met.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use super::ask::{Compared, Preflight, RuleUnread};
use super::column_sampler::ColumnSampler;
use super::finding::{Finding, Severity};
use super::written_columns::WrittenColumns;
use microsoft::data_collection_rules::DataCollectionRule;
use runtime::clock::Clock;
use runtime::telemetry::ComponentLabels;

/// How long until a rule that could not be read is asked for again; then twice as long, and so on. A new role takes up to
/// half an hour to work.
/// Source: <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>
const FIRST_WAIT: Duration = Duration::from_mins(1);
/// How often a rule is asked for in all: for about an hour.
const MAX_TRIES: u32 = 7;
/// How many rules are read at a time.
const MAX_READS_AT_A_TIME: usize = 2;

/// Compares rules in the background. What it does ends when it is dropped.
pub(in crate::sinks::sentinel_logs) struct RuleMonitor {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

/// What all that goes on in the background needs.
pub(super) struct Shared {
    preflight: Preflight,
    pub(super) labels: ComponentLabels,
    pub(super) clock: Clock,
    reads: Semaphore,
}

#[derive(Default)]
struct State {
    started: bool,
    /// By immutable id, in lower case.
    rules: BTreeMap<String, mpsc::UnboundedSender<WatchedStream>>,
    tasks: JoinSet<()>,
}

/// A stream that rows go to.
struct WatchedStream {
    stream: String,
    written: WrittenColumns,
    sampler: Option<Arc<ColumnSampler>>,
}

// === impl RuleMonitor ===

impl RuleMonitor {
    pub(in crate::sinks::sentinel_logs) fn new(
        preflight: Preflight,
        labels: ComponentLabels,
        clock: Clock,
    ) -> Self {
        let shared = Shared { preflight, labels, clock, reads: Semaphore::new(MAX_READS_AT_A_TIME) };
        Self { shared: Arc::new(shared), state: Mutex::default() }
    }

    /// Streams that are met from now on are compared.
    pub(in crate::sinks::sentinel_logs) fn start(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).started = true;
    }

    /// A stream that rows go to from now on. Answers who looks at its rows, if that is needed.
    pub(in crate::sinks::sentinel_logs) fn watch(
        &self,
        rule: &str,
        stream: &str,
        table: Option<&str>,
    ) -> Option<Arc<ColumnSampler>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { started: true, rules, tasks } = &mut *state else { return None };
        let shared = &self.shared;
        let sampler = shared
            .preflight
            .is_open()
            .then(|| Arc::new(ColumnSampler::new(rule, stream, Arc::clone(shared))));
        let sender = rules.entry(rule.to_ascii_lowercase()).or_insert_with(|| {
            let (sender, streams) = mpsc::unbounded_channel();
            tasks.spawn(Arc::clone(shared).watch_streams(rule.to_owned(), streams));
            sender
        });
        let watched = WatchedStream {
            stream: stream.to_owned(),
            written: shared.preflight.written(table),
            sampler: sampler.clone(),
        };
        // Nobody listens any more if the rule could not be read.
        sender.send(watched).ok();
        sampler
    }

    /// Waits until it has given up on every rule.
    #[cfg(test)]
    pub(super) async fn idle(&self) {
        let mut tasks = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).tasks);
        while tasks.join_next().await.is_some() {}
    }
}

// === impl Shared ===

impl Shared {
    /// Reads a rule, and compares each of its streams as it is met.
    async fn watch_streams(self: Arc<Self>, id: String, mut streams: mpsc::UnboundedReceiver<WatchedStream>) {
        let Some(rule) = self.read(&id).await else { return };
        for finding in self.preflight.compare_endpoint(&id, &rule) {
            self.report(&finding);
        }
        while let Some(WatchedStream { stream, written, sampler }) = streams.recv().await {
            let compared = {
                let _permit = self.reads.acquire().await;
                self.preflight.compare_stream(&id, &rule, &stream, &written).await
            };
            self.report_all(&id, &stream, &compared);
            if let Some(sampler) = sampler {
                sampler.set_declared(&rule);
            }
        }
    }

    /// Reads a rule, if need be again and again for a while. Says only once that it could not.
    async fn read(&self, id: &str) -> Option<DataCollectionRule> {
        for tries in 0..MAX_TRIES {
            match self.read_once(id).await {
                Ok(rule) => return Some(rule),
                Err(why) if tries == 0 => {
                    info!(
                        component_id = self.labels.id,
                        "{}: the rule is not compared, which stops nothing: {why}", self.labels
                    );
                }
                Err(why) => debug!(component_id = self.labels.id, tries, "Still so: {why}"),
            }
            if tries + 1 < MAX_TRIES {
                self.clock.sleep(FIRST_WAIT * 2_u32.pow(tries)).await;
            }
        }
        None
    }

    pub(super) async fn read_once(&self, id: &str) -> Result<DataCollectionRule, RuleUnread> {
        let _permit = self.reads.acquire().await;
        self.preflight.read(id).await
    }

    fn report_all(&self, rule: &str, stream: &str, compared: &Compared) {
        for finding in &compared.findings {
            self.report(finding);
        }
        for why in &compared.unread {
            info!(
                component_id = self.labels.id,
                "{}: the rule is not compared, which stops nothing: {why}", self.labels
            );
        }
        if compared.findings.is_empty() {
            debug!(component_id = self.labels.id, rule, stream, "The rule fits what is written.");
        }
    }

    fn report(&self, finding: &Finding) {
        let Finding { code, severity, message } = finding;
        self.labels.count_finding(code);
        let (labels, component_id) = (&self.labels, &self.labels.id);
        match severity {
            Severity::Blocking => {
                error!(component_id, finding = code, "{labels}: rows cannot arrive: {message}");
            }
            Severity::DataLoss => {
                warn!(component_id, finding = code, "{labels}: something is lost: {message}");
            }
            Severity::Doubtful => {
                warn!(component_id, finding = code, "{labels}: perhaps not as it was meant: {message}");
            }
        }
    }
}
