//! The options of `sentinel_incidents`, the source.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::listing::SentinelListing;
use crate::component::{BuildError, Built, Component, Kind, Probe, Registered, Runtime, Validation};
use crate::sources::incidents::{IncidentSource, Poller, Polling, PollingConfig, probed};
use microsoft::arm::{self, ArmQuota, MAX_WRITES_A_MINUTE};
use microsoft::connection::{Connection, ConnectionConfig, Connector};
use microsoft::error::ConnectError;
use microsoft::security_insights::{MAX_PAGE_SIZE, SecurityInsights, Workspace};
use model::problem::Problem;
use runtime::store::Store;

/// Emits Microsoft Sentinel incidents, with their comments, each time they change.
///
/// The identity needs the role Microsoft Sentinel Reader on the workspace. An incident that has comments takes one request more.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SentinelIncidentsConfig {
    /// Where Azure Resource Manager is, who asks, and how.
    #[serde(flatten)]
    pub connection: ConnectionConfig,
    /// Whose incidents are read.
    #[serde(flatten)]
    pub workspace: Workspace,
    /// How often is read, and from when on.
    #[serde(flatten)]
    pub polling: PollingConfig,
    /// The most incidents a page, from 1 to 1000. Pages become smaller by themselves, for a while, when Sentinel fails on one.
    /// Default: 100.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub page_size: u32,
}

/// The source, its options checked.
#[derive(Clone, Debug)]
pub struct SentinelIncidents {
    connection: Connection,
    workspace: Workspace,
    polling: Polling,
}

const fn default_page_size() -> u32 {
    100
}

// === impl SentinelIncidents ===

impl SentinelIncidents {
    /// The client for these options: reads certificate files, asks nobody anything.
    pub fn client(&self, connector: &Connector) -> Result<SecurityInsights, ConnectError> {
        // Nothing is written.
        let reads = self.connection.requests_a_minute;
        let quota = ArmQuota::a_minute(reads, MAX_WRITES_A_MINUTE, &connector.clock);
        SecurityInsights::connect(&self.connection, &self.workspace, quota, connector)
    }

    /// What the source does its steps with. `id` is the component's, under which its cursor is kept in `store`.
    pub fn poller(&self, id: &str, store: Store, connector: &Connector) -> Result<Poller, ConnectError> {
        let listing = Arc::new(SentinelListing(self.client(connector)?));
        Ok(Poller::new(listing, store, Self::labels(id), self.polling, connector.clock.clone()))
    }
}

impl Component for SentinelIncidents {
    fn probe(&self, connector: &Connector) -> Result<Probe<'_>, BuildError> {
        let client = self.client(connector)?;
        Ok(Box::pin(async move { probed(client.probe().await) }))
    }

    fn warnings(&self, path: &str) -> Vec<Problem> {
        self.connection.identity.warnings(path)
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let poller = self.poller(id, runtime.store.clone(), &runtime.connector)?;
        Ok(Built::Source(Box::new(IncidentSource::new(poller, runtime.rng.fork()))))
    }
}

impl Registered for SentinelIncidents {
    const KIND: Kind = Kind::Source;
    const TYPE: &'static str = "sentinel_incidents";
    type Config = SentinelIncidentsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        let (path, mut problems) = (validation.path.as_str(), Vec::new());
        let SentinelIncidentsConfig { connection, workspace, polling, page_size } = config;
        let connection = connection.validate(arm::READING, path, validation.proxy, &mut problems);
        workspace.validate(path, &mut problems);
        let polling = polling.validate(page_size, MAX_PAGE_SIZE, path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, workspace, polling }),
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use microsoft::http::ProxyConfig;

    fn validate(more: &Value) -> Result<SentinelIncidents, Vec<String>> {
        let mut options = json!({
            "auth": {"azure_credential_kind": "managed_identity"},
            "subscription_id": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "resource_group": "rg-(soc)_1.eu",
            "workspace_name": "law-soc",
        });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: SentinelIncidentsConfig = serde_json::from_value(options).unwrap();
        let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        let (path, proxy) = ("sources.s".to_owned(), &ProxyConfig::default());
        SentinelIncidents::validate(config, &Validation { path, proxy, peers: &[] }).map_err(problems)
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
            assert_eq!(validated.connection.endpoint.as_str(), format!("{arm}/"));
            assert_eq!(validated.connection.identity.scope, format!("{arm}/.default"));
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
                "sources.s.request.rate_limit_num",
                "sources.s.auth.azure_tenant_id",
                "sources.s.auth.azure_client_id",
                "sources.s.auth.azure_client_secret",
                "sources.s.subscription_id",
                "sources.s.resource_group",
                "sources.s.workspace_name",
                "sources.s.page_size"
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
