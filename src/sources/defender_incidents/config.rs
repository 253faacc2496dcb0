//! The options of `defender_incidents`, the source.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::listing::GraphListing;
use crate::component::{BuildError, Built, Component, Kind, Probe, Registered, Runtime, Validation};
use crate::sources::incidents::{IncidentSource, Poller, Polling, PollingConfig, probed};
use microsoft::connection::{Connection, ConnectionConfig, Connector};
use microsoft::error::ConnectError;
use microsoft::graph::{self, GraphIncidents, MAX_PAGE_SIZE};
use model::problem::Problem;
use runtime::store::Store;

/// Emits Defender XDR incidents, with their alerts and evidence, each time they change.
///
/// The identity needs the Microsoft Graph application permission `SecurityIncident.Read.All`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DefenderIncidentsConfig {
    /// Where Microsoft Graph is, who asks, and how.
    #[serde(flatten)]
    pub connection: ConnectionConfig,
    /// How often is read, and from when on.
    #[serde(flatten)]
    pub polling: PollingConfig,
    /// The most incidents a page, from 1 to 50. Pages become smaller by themselves, for a while, when Microsoft Graph fails on
    /// one. Default: 50.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 50))]
    pub page_size: u32,
}

/// The source, its options checked.
#[derive(Clone, Debug)]
pub struct DefenderIncidents {
    connection: Connection,
    polling: Polling,
}

const fn default_page_size() -> u32 {
    MAX_PAGE_SIZE
}

// === impl DefenderIncidents ===

impl DefenderIncidents {
    /// The client for these options: reads certificate files, asks nobody anything.
    pub fn client(&self, connector: &Connector) -> Result<GraphIncidents, ConnectError> {
        GraphIncidents::connect(&self.connection, connector)
    }

    /// What the source does its steps with. `id` is the component's, under which its cursor is kept in `store`.
    pub fn poller(&self, id: &str, store: Store, connector: &Connector) -> Result<Poller, ConnectError> {
        let listing = Arc::new(GraphListing(self.client(connector)?));
        Ok(Poller::new(listing, store, Self::labels(id), self.polling, connector.clock.clone()))
    }
}

impl Component for DefenderIncidents {
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

impl Registered for DefenderIncidents {
    const KIND: Kind = Kind::Source;
    const TYPE: &'static str = "defender_incidents";
    type Config = DefenderIncidentsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        let (path, mut problems) = (validation.path.as_str(), Vec::new());
        let DefenderIncidentsConfig { connection, polling, page_size } = config;
        let connection = connection.validate(graph::READING, path, validation.proxy, &mut problems);
        let polling = polling.validate(page_size, MAX_PAGE_SIZE, path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, polling }),
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use microsoft::http::ProxyConfig;

    fn validate(options: serde_json::Value) -> Result<DefenderIncidents, Vec<String>> {
        let config: DefenderIncidentsConfig = serde_json::from_value(options).unwrap();
        let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        let (path, proxy) = ("sources.d".to_owned(), &ProxyConfig::default());
        DefenderIncidents::validate(config, &Validation { path, proxy, peers: &[] }).map_err(problems)
    }

    #[test]
    fn one_word_sets_endpoint_and_scope() {
        let auth = json!({"azure_credential_kind": "managed_identity"});
        let usgov = validate(json!({"auth": auth, "cloud": "usgov_dod"})).unwrap();
        assert_eq!(usgov.connection.endpoint.as_str(), "https://dod-graph.microsoft.us/");
        assert_eq!(usgov.connection.identity.scope, "https://dod-graph.microsoft.us/.default");
    }

    #[test]
    fn china_is_refused_with_the_reason() {
        let auth = json!({"azure_credential_kind": "managed_identity"});
        let problems = validate(json!({"auth": auth, "cloud": "china"})).unwrap_err();
        assert!(problems[0].contains("no incident API in the China cloud"), "{problems:?}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = validate(json!({
            "auth": {"azure_credential_kind": "client_secret_credential"},
            "endpoint": "http://graph.microsoft.com",
            "page_size": 51,
            "request": {"rate_limit_num": 151},
        }))
        .unwrap_err();
        let paths: Vec<_> = problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
        assert_eq!(
            paths,
            [
                "sources.d.endpoint",
                "sources.d.request.rate_limit_num",
                "sources.d.auth.azure_tenant_id",
                "sources.d.auth.azure_client_id",
                "sources.d.auth.azure_client_secret",
                "sources.d.page_size"
            ]
        );
    }
}
