//! Options that were checked: what they tell, and the sink that is built from them.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::columns::Columns;
use super::config::{Compression, SentinelLogsConfig};
use super::destination::Destinations;
use super::encoder::Encoder;
use super::layout::Layout;
use super::preflight::{Lookout, Preflight};
use super::rows::Encoders;
use super::rule::Rules;
use super::sink::{Inner, SentinelLogs};
use super::targets::Targets;
use microsoft::authorized::Authorized;
use microsoft::data_collection_rules::DataCollectionRules;
use microsoft::http::{HttpOptions, ProxyConfig};
use model::problem::Problem;
use runtime::clock::Clock;
use runtime::delivery::Health;
use runtime::quarantine::Quarantine;
use runtime::retry::policy::Policies;
use runtime::telemetry::Component;

/// Options that were checked, and can be built from.
#[derive(Clone, Debug)]
pub struct Validated {
    pub(super) config: SentinelLogsConfig,
    pub(super) targets: Targets,
    pub(super) management: Url,
    pub(super) proxy: ProxyConfig,
}

// === impl Validated ===

impl Validated {
    /// What works, but perhaps not as its author thinks.
    #[must_use]
    pub fn warnings(&self, path: &str) -> Vec<Problem> {
        let message = "without 'columns', a field that the stream does not declare vanishes in Azure without an error; with \
                       it, such a field goes into ExtraColumns";
        let silent = self.config.layout == Layout::Raw && self.config.columns.is_none();
        let silent = silent.then(|| Problem::new(path, message));
        silent.into_iter().chain(self.targets.warnings(path)).collect()
    }

    /// Whether it can be built, as far as can be told without touching anything: reads certificate files, asks nobody.
    pub fn check(&self, clock: &Clock) -> Result<(), String> {
        self.authorized(clock).map(drop)
    }

    /// What compares the rules with what is written, as the identity that writes.
    pub(super) fn preflight(&self, authorized: &Authorized) -> Preflight {
        let config = &self.config;
        let scope = config.management_token_scope.clone();
        let scope = scope.unwrap_or_else(|| format!("{}/.default", config.cloud.arm()));
        Preflight {
            rules: DataCollectionRules::new(authorized.with_scope(scope), self.management.clone()),
            targets: self.targets.clone(),
            timestamp_field: config.timestamp_field.clone(),
            columns: config.columns.clone(),
            table_plan: config.table_plan,
        }
    }

    pub(super) fn authorized(&self, clock: &Clock) -> Result<Authorized, String> {
        let config = &self.config;
        let timeout = Duration::from_secs(config.request.timeout_secs);
        let http = HttpOptions { tls: config.tls.clone(), proxy: self.proxy.clone(), timeout };
        let scope = config.token_scope.clone().unwrap_or_else(|| config.cloud.ingestion_scope().to_owned());
        Authorized::new(&config.auth, config.cloud, &http, scope, clock)
    }

    /// Builds the sink. `id` is the component's; its quarantine is below `data_dir`. All sinks of a process share `rules`.
    pub fn build(
        &self,
        id: &str,
        data_dir: &Path,
        rules: &Rules,
        clock: Clock,
        mut rng: fastrand::Rng,
    ) -> Result<SentinelLogs, String> {
        let config = &self.config;
        let labels = Component { kind: "sink", component_type: "sentinel_logs", id: id.to_owned() };
        let health = Health::default();
        let policies = Policies::new(rng.fork());
        let concurrency = Arc::new(config.request.concurrency(&clock, &labels));
        let authorized = self.authorized(&clock)?;
        let lookout = Lookout::new(self.preflight(&authorized), labels.clone(), clock.clone());
        let destinations = Destinations {
            targets: self.targets.clone(),
            lookout,
            authorized,
            rules: rules.clone(),
            labels: labels.clone(),
            health: health.clone(),
            concurrency: Arc::clone(&concurrency),
            clock: clock.clone(),
            rng: Mutex::new(rng),
            known: Mutex::default(),
        };
        let quarantine =
            Quarantine::open(data_dir, id, config.quarantine.max_bytes).map_err(|error| error.to_string())?;
        // A single row has the array's brackets around it.
        let encoder =
            |columns| Encoder::new(config.timestamp_field.clone(), config.batch.max_bytes - 2, columns);
        let by_table = config.layout.tables().iter().map(|table| {
            let columns = Columns::of_table(table, config.table_plan);
            (table.name, encoder(Some(columns)).with_times_elsewhere())
        });
        let encoders = Encoders {
            layout: config.layout,
            raw: encoder(
                config.columns.as_ref().map(|columns| Columns::of_config(columns, config.table_plan)),
            ),
            by_table: by_table.collect(),
        };
        Ok(SentinelLogs(Arc::new(Inner {
            labels,
            health,
            destinations,
            encoders,
            max_bytes: config.batch.max_bytes,
            compress: config.compression == Compression::Gzip,
            concurrency,
            quarantine,
            clock,
            policies,
        })))
    }
}
