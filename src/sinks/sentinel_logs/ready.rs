//! Options that were checked: what they tell, and the sink that is built from them.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use url::Url;

use super::columns::Columns;
use super::config::SentinelLogsConfig;
use super::destination::Destinations;
use super::encoder::{Encoder, TimeField};
use super::encoding::Encoding;
use super::layout::Layout;
use super::preflight::{Preflight, RuleMonitor};
use super::rule::RuleRegistry;
use super::sink::{Inner, LogSink, UNREAD_TIMES_EVERY};
use super::spool::SpoolConfig;
use super::targets::Targets;
use crate::component::{
    BuildError, Built, BuiltSink, Component, Kind, Probe, Registered, Runtime, Task, Validation,
    Verification, VerifyOptions,
};
use microsoft::authorized::Authorized;
use microsoft::connection::{Connector, Identity};
use microsoft::data_collection_rules::DataCollectionRules;
use model::problem::Problem;
use runtime::files::DataDir;
use runtime::health::Health;
use runtime::quarantine::Quarantine;
use runtime::retry::policy::Policies;
use runtime::telemetry::LogInterval;
use runtime::telemetry::Metric;

/// The sink, its options checked.
#[derive(Clone, Debug)]
pub struct SentinelLogs {
    pub(super) config: SentinelLogsConfig,
    pub(super) targets: Targets,
    pub(super) management: Url,
    pub(super) identity: Identity,
    pub(super) encoding: Option<Arc<Encoding>>,
    /// What was accepted, and is not done as it is written.
    pub(super) warnings: Vec<Problem>,
}

// === impl SentinelLogs ===

impl SentinelLogs {
    /// What compares the rules with what is written, as the identity that writes.
    pub(super) fn preflight(&self, authorized: &Authorized) -> Preflight {
        let config = &self.config;
        let scope = config.management_token_scope.clone();
        let scope = scope.unwrap_or_else(|| format!("{}/.default", config.identity.cloud.arm()));
        Preflight {
            rules: DataCollectionRules::new(authorized.with_scope(scope), self.management.clone()),
            targets: self.targets.clone(),
            timestamp_field: TimeField::of(&config.timestamp_field).column,
            columns: config.columns.clone(),
            table_plan: config.table_plan,
        }
    }

    /// Builds the sink. `id` is the component's; its quarantine is below `data_dir`. All sinks of a process share `rules`.
    pub fn sink(
        &self,
        id: &str,
        data_dir: &DataDir,
        rules: &RuleRegistry,
        connector: &Connector,
        mut rng: fastrand::Rng,
    ) -> Result<LogSink, BuildError> {
        let (config, clock) = (&self.config, connector.clock.clone());
        let labels = Self::labels(id);
        labels.gauge(Metric::SecurityConfinementDisabled, u64::from(self.targets.is_unconfined));
        let policies = Policies::within(config.request.backoff(), rng.fork());
        let spool = config.spool.of_sink(id, data_dir, &self.targets);
        let authorized = Authorized::new(&self.identity, connector)?;
        let rule_monitor = RuleMonitor::new(self.preflight(&authorized), labels.clone(), clock.clone());
        let destinations = Destinations {
            targets: self.targets.clone(),
            rule_monitor,
            authorized,
            rules: rules.clone(),
            labels: labels.clone(),
            request: config.request,
            rate_limit: config.request.rate_limit(&clock).map(Arc::new),
            spool_room: spool.room.clone(),
            clock: clock.clone(),
            rng: Mutex::new(rng),
            known: Mutex::default(),
        };
        let quarantine = Quarantine::open(data_dir.clone(), id, config.quarantine.max_bytes)?;
        let declared = config.columns.as_ref().map(|columns| Columns::of_config(columns, config.table_plan));
        let encoder = Encoder::new(
            config.layout,
            config.table_plan,
            &config.timestamp_field,
            declared,
            self.encoding.clone(),
            // A single row has the array's brackets around it.
            config.batch.max_bytes - 2,
        );
        Ok(LogSink(Arc::new(Inner {
            labels,
            health: Health::default(),
            destinations,
            encoder,
            max_bytes: config.batch.max_bytes,
            gzip_level: config.compression.gzip_level(),
            spool,
            quarantine,
            clock,
            policies,
            unread_times_logged: LogInterval::new(UNREAD_TIMES_EVERY),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })))
    }

    fn with_spool(&self, spool: SpoolConfig) -> Self {
        let mut other = self.clone();
        other.config.spool = spool;
        other
    }
}

impl Component for SentinelLogs {
    fn probe(&self, connector: &Connector) -> Result<Probe<'_>, BuildError> {
        Ok(Box::pin(self.probed(Authorized::new(&self.identity, connector)?)))
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let (rules, rng) = (runtime.shared::<RuleRegistry>(), runtime.rng.fork());
        let spool = self.config.spool.or_enabled(runtime.data_dir_lasts);
        if self.config.spool.enabled.is_none() && !runtime.data_dir_lasts && !self.targets.has_one_stream() {
            warn!(
                component_id = id,
                "{}: rows of a stream that takes nothing have no place to wait, so that they may hold up the other streams: name \
                 data_dir in the file, on a disk that lasts, or say spool.enabled: true or false.",
                Self::labels(id)
            );
        }
        let sink = self.with_spool(spool).sink(id, &runtime.data_dir, &rules, &runtime.connector, rng)?;
        let sink = Arc::new(sink);
        let task: Task = {
            let sink = Arc::clone(&sink);
            Box::new(|shutdown| {
                Box::pin(async move {
                    sink.start().await;
                    shutdown.cancelled().await;
                    sink.stop().await;
                })
            })
        };
        Ok(Built::Sink(BuiltSink { task: Some(task), ..built(sink) }))
    }

    fn redeliver(
        &self,
        id: &str,
        data_dir: &DataDir,
        connector: &Connector,
        rng: fastrand::Rng,
    ) -> Option<Result<BuiltSink, BuildError>> {
        // What is not delivered stays where it is.
        let spool = SpoolConfig { enabled: Some(false), ..self.config.spool };
        Some(
            self.with_spool(spool)
                .sink(id, data_dir, &RuleRegistry::default(), connector, rng)
                .map(|sink| built(Arc::new(sink))),
        )
    }

    fn verify<'c>(
        &'c self,
        connector: &'c Connector,
        rng: fastrand::Rng,
        options: &'c VerifyOptions,
    ) -> Option<Result<Verification<'c>, BuildError>> {
        let authorized = Authorized::new(&self.identity, connector).map_err(BuildError::from);
        Some(authorized.map(|authorized| {
            let verified = self.verified(authorized, &connector.clock, rng, options);
            Box::pin(verified) as Verification<'_>
        }))
    }

    fn warnings(&self, path: &str) -> Vec<Problem> {
        let message = "without 'columns', a field that the stream does not declare vanishes in Azure without an error; with \
                       it, such a field goes into ExtraColumns";
        let silent = self.config.layout == Layout::Raw && self.config.columns.is_none();
        let silent = silent.then(|| Problem::new(path, message));
        silent
            .into_iter()
            .chain(self.targets.warnings(path))
            .chain(self.warnings.clone())
            .chain(self.identity.warnings(path))
            .collect()
    }
}

fn built(sink: Arc<LogSink>) -> BuiltSink {
    BuiltSink {
        health: sink.health().clone(),
        quarantine: sink.quarantine().clone(),
        labels: sink.labels().clone(),
        deliver: sink,
        task: None,
    }
}

impl Registered for SentinelLogs {
    const KIND: Kind = Kind::Sink;
    const TYPE: &'static str = "sentinel_logs";
    type Config = SentinelLogsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        config.validate(&validation.path, validation.proxy)
    }
}
