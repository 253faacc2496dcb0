//! The options of `sentinel_incidents`, the source.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::listing::SentinelListing;
use crate::sources::incidents::{
    IncidentSource, Poller, Polling, default_look_back_secs, default_overlap_secs, default_poll_interval_secs,
};
use microsoft::arm::{self, ArmQuota, MAX_READS_A_MINUTE, MAX_WRITES_A_MINUTE};
use microsoft::authorized::Authorized;
use microsoft::cloud::Cloud;
use microsoft::credential::AuthConfig;
use microsoft::http::{HttpOptions, ProxyConfig, TlsConfig, most_a_minute};
use microsoft::security_insights::{MAX_PAGE_SIZE, SecurityInsights, Workspace};
use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::store::Store;
use runtime::telemetry::Component;

/// Emits Microsoft Sentinel incidents, with their comments, each time they change.
///
/// The identity needs the role Microsoft Sentinel Reader on the workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentinelIncidentsConfig {
    /// Which identity reads.
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
    /// Seconds from the end of one look to the next.
    #[serde(default = "default_poll_interval_secs")]
    #[schemars(range(min = 1, max = 86_400))]
    pub poll_interval_secs: u64,
    /// How many seconds back the very first run begins.
    #[serde(default = "default_look_back_secs")]
    #[schemars(range(max = 31_536_000))]
    pub look_back_secs: u64,
    /// How many seconds every look reaches back behind the last: an incident may appear later than it says.
    /// What was delivered already is not delivered again.
    #[serde(default = "default_overlap_secs")]
    #[schemars(range(max = 86_400))]
    pub overlap_secs: u64,
    /// Incidents a page. Made smaller by itself, for a while, when Sentinel fails on a page.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub page_size: u32,
    /// How requests are made.
    #[serde(default)]
    pub request: RequestConfig,
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
    /// Requests a minute, at most: up to 1500, which is what Azure Resource Manager allows an identity in a subscription;
    /// more only at a loopback `endpoint`, a simulator. An incident that has comments takes one of its own.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_num: usize,
}

/// Options that were checked, and can be built from.
#[derive(Clone, Debug)]
pub struct Validated {
    config: SentinelIncidentsConfig,
    workspace: Workspace,
    endpoint: Url,
    token_scope: String,
    proxy: ProxyConfig,
}

// === impl RequestConfig ===

impl Default for RequestConfig {
    fn default() -> Self {
        // Requests: a fifth of what is allowed, as others may read with the same identity.
        Self { timeout_secs: 60, rate_limit_num: MAX_READS_A_MINUTE / 5 }
    }
}

// === impl SentinelIncidentsConfig ===

const fn default_page_size() -> u32 {
    100
}

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
        self.polling().validate(path, MAX_PAGE_SIZE, &mut problems);
        let max_rate = most_a_minute(endpoint.as_ref(), MAX_READS_A_MINUTE);
        let ranges = [
            ("request.timeout_secs", self.request.timeout_secs, 1, 3_600),
            ("request.rate_limit_num", self.request.rate_limit_num as u64, 1, max_rate),
        ];
        check_ranges(path, &ranges, &mut problems);
        self.auth.validate(&format!("{path}.auth"), &mut problems);
        if let Some(own) = &self.proxy {
            own.validate(&format!("{path}.proxy"), &mut problems);
        }
        let proxy = self.proxy.clone().unwrap_or_else(|| proxy.clone());
        let token_scope =
            self.token_scope.clone().unwrap_or_else(|| format!("{}/.default", self.cloud.arm()));
        match endpoint {
            Some(endpoint) if problems.is_empty() => {
                Ok(Validated { config: self, workspace, endpoint, token_scope, proxy })
            }
            _ => Err(problems),
        }
    }

    const fn polling(&self) -> Polling {
        Polling {
            interval_secs: self.poll_interval_secs,
            look_back_secs: self.look_back_secs,
            overlap_secs: self.overlap_secs,
            page_size: self.page_size,
        }
    }
}

// === impl Validated ===

impl Validated {
    /// The client for these options: reads certificate files, asks nobody anything.
    pub fn client(&self, clock: &Clock) -> Result<SecurityInsights, String> {
        let config = &self.config;
        let timeout = Duration::from_secs(config.request.timeout_secs);
        let http = HttpOptions { tls: config.tls.clone(), proxy: self.proxy.clone(), timeout };
        let authorized = Authorized::new(&config.auth, config.cloud, &http, self.token_scope.clone(), clock)?;
        // Nothing is written.
        let quota = ArmQuota::a_minute(config.request.rate_limit_num, MAX_WRITES_A_MINUTE, clock);
        SecurityInsights::new(authorized, &self.endpoint, &self.workspace, Arc::new(quota))
    }

    /// What the source does its steps with. `id` is the component's, under which its cursor is kept in `store`.
    pub fn poller(&self, id: &str, store: Store, clock: &Clock) -> Result<Poller, String> {
        let listing = Arc::new(SentinelListing(self.client(clock)?));
        let labels = Component { kind: "source", component_type: "sentinel_incidents", id: id.to_owned() };
        Ok(Poller::new(listing, store, labels, self.config.polling(), clock.clone()))
    }

    /// Builds the source.
    pub fn build(
        &self,
        id: &str,
        store: Store,
        clock: &Clock,
        rng: fastrand::Rng,
    ) -> Result<IncidentSource, String> {
        Ok(IncidentSource::new(self.poller(id, store, clock)?, rng))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn validate(more: &Value) -> Result<Validated, Vec<String>> {
        let mut options = json!({
            "auth": {"azure_credential_kind": "managed_identity"},
            "subscription_id": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "resource_group": "rg-(soc)_1.eu",
            "workspace_name": "law-soc",
        });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: SentinelIncidentsConfig = serde_json::from_value(options).unwrap();
        let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        config.validate("sources.s", &ProxyConfig::default()).map_err(problems)
    }

    #[test]
    fn one_word_sets_endpoint_and_scope_in_every_cloud() {
        for (cloud, arm) in [
            ("public", "https://management.azure.com"),
            ("usgov", "https://management.usgovcloudapi.net"),
            ("usgov_dod", "https://management.usgovcloudapi.net"),
            ("china", "https://management.chinacloudapi.cn"),
        ] {
            let validated = validate(&json!({"cloud": cloud})).unwrap();
            assert_eq!(validated.endpoint.as_str(), format!("{arm}/"));
            assert_eq!(validated.token_scope, format!("{arm}/.default"));
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = validate(&json!({
            "auth": {"azure_credential_kind": "client_secret_credential"},
            "endpoint": "http://management.azure.com",
            "subscription_id": "my subscription",
            "resource_group": "rg.",
            "workspace_name": "a/b",
            "page_size": 1_001,
            "request": {"rate_limit_num": 1_501},
        }))
        .unwrap_err();
        let paths: Vec<_> = problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
        assert_eq!(
            paths,
            [
                "sources.s.endpoint",
                "sources.s.subscription_id",
                "sources.s.resource_group",
                "sources.s.workspace_name",
                "sources.s.page_size",
                "sources.s.request.rate_limit_num",
                "sources.s.auth.azure_tenant_id",
                "sources.s.auth.azure_client_id",
                "sources.s.auth.azure_client_secret"
            ]
        );
    }

    #[test]
    fn a_simulator_may_be_asked_more_often_than_microsoft() {
        let many = json!({"rate_limit_num": 100_000});
        assert!(validate(&json!({"endpoint": "https://127.0.0.1:8443", "request": many})).is_ok());
        assert!(validate(&json!({"request": many})).is_err());
    }
}
