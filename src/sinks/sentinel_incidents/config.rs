//! The options of `sentinel_incidents`, the sink.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::native::NativeIncidents;
use super::service::SentinelWorkspace;
use crate::sinks::incident_sync::{BuiltSync, Ledger, SyncConfig, SyncOptions, WriteConfig, assemble};
use crate::sinks::quarantine::QuarantineConfig;
use microsoft::arm::{self, ArmQuota, MAX_READS_A_MINUTE, MAX_WRITES_A_MINUTE};
use microsoft::authorized::Authorized;
use microsoft::cloud::Cloud;
use microsoft::credential::AuthConfig;
use microsoft::http::{HttpOptions, ProxyConfig, TlsConfig, most_a_minute};
use microsoft::security_insights::{SecurityInsights, Workspace};
use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::telemetry::Component;

/// Writes what incidents of Defender XDR say into Microsoft Sentinel: creates them there, and keeps status, owner,
/// classification, tags and comments in sync. Its inputs are incidents of `defender_incidents`.
///
/// The identity needs the role Microsoft Sentinel Responder on the workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentinelIncidentsConfig {
    /// Which identity writes.
    pub auth: AuthConfig,
    /// Which Microsoft cloud the workspace lives in: sets `endpoint`, `token_scope` and the login host.
    #[serde(default)]
    pub cloud: Cloud,
    /// The id of the workspace's subscription.
    pub subscription_id: String,
    /// The name of the workspace's resource group.
    pub resource_group: String,
    /// The name of the Log Analytics workspace.
    pub workspace_name: String,
    /// Azure Resource Manager's base URL, if it isn't the one of `cloud`.
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
    /// Writes a minute, at most: up to 600, which is what Azure Resource Manager allows an identity in a subscription; more
    /// only at a loopback `endpoint`, a simulator. Reads are allowed twice as many.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_num: usize,
}

/// Options that were checked, and can be built from.
#[derive(Clone, Debug)]
pub struct Validated {
    config: SentinelIncidentsConfig,
    sync: SyncOptions,
    workspace: Workspace,
    endpoint: Url,
    token_scope: String,
    proxy: ProxyConfig,
}

// === impl RequestConfig ===

impl Default for RequestConfig {
    fn default() -> Self {
        // A fifth of what is allowed, as others may write with the same identity.
        Self { timeout_secs: 60, rate_limit_num: MAX_WRITES_A_MINUTE / 5 }
    }
}

// === impl SentinelIncidentsConfig ===

impl SentinelIncidentsConfig {
    /// Checks the options, without touching anything. `path` is where they stand in the file, `proxy` the file's own.
    pub fn validate(self, path: &str, proxy: &ProxyConfig) -> Result<Validated, Vec<Problem>> {
        let mut problems = Vec::new();
        let endpoint = arm::endpoint(self.endpoint.as_deref(), self.cloud, path, &mut problems);
        let workspace = Workspace {
            subscription_id: self.subscription_id.clone(),
            resource_group: self.resource_group.clone(),
            workspace_name: self.workspace_name.clone(),
        };
        workspace.validate(path, &mut problems);
        let sync = SyncOptions::validate(self.sync.clone(), self.write, path, &mut problems);
        let max_rate = most_a_minute(endpoint.as_ref(), MAX_WRITES_A_MINUTE);
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
        let token_scope =
            self.token_scope.clone().unwrap_or_else(|| format!("{}/.default", self.cloud.arm()));
        match endpoint {
            Some(endpoint) if problems.is_empty() => {
                Ok(Validated { config: self, sync, workspace, endpoint, token_scope, proxy })
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
    pub fn client(&self, clock: &Clock) -> Result<SecurityInsights, String> {
        self.sync.check()?;
        let config = &self.config;
        let timeout = Duration::from_secs(config.request.timeout_secs);
        let http = HttpOptions { tls: config.tls.clone(), proxy: self.proxy.clone(), timeout };
        let authorized = Authorized::new(&config.auth, config.cloud, &http, self.token_scope.clone(), clock)?;
        let writes = config.request.rate_limit_num;
        let reads = (writes * 2).min(MAX_READS_A_MINUTE.max(writes));
        let quota = ArmQuota::a_minute(reads, writes, clock);
        SecurityInsights::new(authorized, &self.endpoint, &self.workspace, Arc::new(quota))
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
        let native = NativeIncidents::new(client.clone(), clock.clone());
        let labels = Component { kind: "sink", component_type: "sentinel_incidents", id: id.to_owned() };
        let target = |owners| Arc::new(SentinelWorkspace { client, native, owners }) as _;
        let quarantine = self.config.quarantine;
        assemble(target, ledger, self.sync.clone(), labels, quarantine, data_dir, clock, rng)
    }
}
