//! The options of `defender_incidents`, the sink.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::service::DefenderTenant;
use crate::sinks::incident_sync::{BuiltSync, Ledger, SyncConfig, SyncOptions, WriteConfig, assemble};
use crate::sinks::quarantine::QuarantineConfig;
use microsoft::authorized::Authorized;
use microsoft::cloud::Cloud;
use microsoft::credential::AuthConfig;
use microsoft::graph::{self, GraphIncidents, MAX_REQUESTS_A_MINUTE};
use microsoft::http::{HttpOptions, ProxyConfig, TlsConfig, most_a_minute};
use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::telemetry::Component;

/// Writes what incidents of Microsoft Sentinel say back into Defender XDR: status, owner, classification, tags and comments.
/// Its inputs are incidents of `sentinel_incidents`.
///
/// The identity needs the Microsoft Graph application permission `SecurityIncident.ReadWrite.All`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefenderIncidentsConfig {
    /// Which identity writes.
    pub auth: AuthConfig,
    /// Which Microsoft cloud the tenant lives in: sets `endpoint`, `token_scope` and the login host.
    #[serde(default)]
    pub cloud: Cloud,
    /// Microsoft Graph's base URL, if it isn't the one of `cloud`.
    pub endpoint: Option<String>,
    /// The token's scope, if it isn't the one of `cloud`.
    pub token_scope: Option<String>,
    /// What is kept in sync, and how.
    #[serde(default)]
    pub sync: SyncConfig,
    /// How this direction writes.
    #[serde(default)]
    pub write: WriteConfig,
    /// How requests are made.
    #[serde(default)]
    pub request: RequestConfig,
    /// Where goes what can never be written.
    #[serde(default)]
    pub quarantine: QuarantineConfig,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// Which proxy to go through. Default: the file's `proxy`.
    pub proxy: Option<ProxyConfig>,
}

/// How requests are made.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestConfig {
    /// Seconds that one request may take.
    #[schemars(range(min = 1, max = 3_600))]
    pub timeout_secs: u64,
    /// Requests a minute, at most: up to 150, which is what Graph allows; more only at a loopback `endpoint`, a simulator. In
    /// an hour there are at most thirty times as many. What the source asks for counts as well in Graph, and not here.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_num: usize,
}

/// Options that were checked, and can be built from.
#[derive(Clone, Debug)]
pub struct Validated {
    config: DefenderIncidentsConfig,
    sync: SyncOptions,
    endpoint: Url,
    token_scope: String,
    proxy: ProxyConfig,
}

// === impl RequestConfig ===

impl Default for RequestConfig {
    fn default() -> Self {
        // Together with the source, well under Graph's 150 a minute for security APIs.
        // Source: https://learn.microsoft.com/graph/throttling-limits
        Self { timeout_secs: 60, rate_limit_num: 50 }
    }
}

// === impl DefenderIncidentsConfig ===

impl DefenderIncidentsConfig {
    /// Checks the options, without touching anything. `path` is where they stand in the file, `proxy` the file's own.
    pub fn validate(self, path: &str, proxy: &ProxyConfig) -> Result<Validated, Vec<Problem>> {
        let mut problems = Vec::new();
        let endpoint = graph::endpoint(self.endpoint.as_deref(), self.cloud, "write", path, &mut problems);
        let sync = SyncOptions::validate(self.sync.clone(), self.write, path, &mut problems);
        let max_rate = most_a_minute(endpoint.as_ref(), MAX_REQUESTS_A_MINUTE);
        let ranges = [
            ("request.timeout_secs", self.request.timeout_secs, 1, 3_600),
            ("request.rate_limit_num", self.request.rate_limit_num as u64, 1, max_rate),
        ];
        check_ranges(path, &ranges, &mut problems);
        self.quarantine.validate(path, &mut problems);
        self.auth.validate(&format!("{path}.auth"), &mut problems);
        if let Some(own) = &self.proxy {
            own.validate(&format!("{path}.proxy"), &mut problems);
        }
        let proxy = self.proxy.clone().unwrap_or_else(|| proxy.clone());
        let token_scope = self
            .token_scope
            .clone()
            .unwrap_or_else(|| format!("{}/.default", self.cloud.graph().unwrap_or_default()));
        match endpoint {
            Some(endpoint) if problems.is_empty() => {
                Ok(Validated { config: self, sync, endpoint, token_scope, proxy })
            }
            _ => Err(problems),
        }
    }
}

// === impl Validated ===

impl Validated {
    /// What both directions have in common.
    #[must_use]
    pub const fn sync(&self) -> &SyncOptions {
        &self.sync
    }

    /// Has it only say what it would write.
    pub const fn only_say(&mut self) {
        self.sync.only_say();
    }

    /// The client for these options: reads certificate files and that of owners, asks nobody anything.
    pub fn client(&self, clock: &Clock) -> Result<GraphIncidents, String> {
        self.sync.check()?;
        let config = &self.config;
        let timeout = Duration::from_secs(config.request.timeout_secs);
        let http = HttpOptions { tls: config.tls.clone(), proxy: self.proxy.clone(), timeout };
        let authorized = Authorized::new(&config.auth, config.cloud, &http, self.token_scope.clone(), clock)?;
        GraphIncidents::new(authorized, &self.endpoint, graph::quota(config.request.rate_limit_num, clock))
    }

    /// Builds the sink and its worker. `id` is the component's; what it keeps is below `data_dir`.
    pub fn build(
        &self,
        id: &str,
        data_dir: &Path,
        ledger: Arc<Ledger>,
        clock: &Clock,
        rng: fastrand::Rng,
    ) -> Result<BuiltSync, String> {
        let client = self.client(clock)?;
        let labels = Component { kind: "sink", component_type: "defender_incidents", id: id.to_owned() };
        let target = |_| Arc::new(DefenderTenant { client }) as _;
        let quarantine = self.config.quarantine;
        assemble(target, ledger, self.sync.clone(), labels, quarantine, data_dir, clock, rng)
    }
}
