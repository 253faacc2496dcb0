//! The options of `defender_incidents`.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::listing::GraphListing;
use crate::sources::incidents::{
    IncidentSource, Poller, Polling, default_look_back_secs, default_overlap_secs, default_poll_interval_secs,
};
use microsoft::authorized::Authorized;
use microsoft::cloud::Cloud;
use microsoft::credential::AuthConfig;
use microsoft::graph::{self, GraphIncidents, MAX_PAGE_SIZE, MAX_REQUESTS_A_MINUTE};
use microsoft::http::{HttpOptions, ProxyConfig, TlsConfig, most_a_minute};
use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::store::Store;
use runtime::telemetry::Component;

/// Emits Defender XDR incidents, with their alerts and evidence, each time they change.
///
/// The identity needs the Microsoft Graph application permission `SecurityIncident.Read.All`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefenderIncidentsConfig {
    /// Which identity reads.
    pub auth: AuthConfig,
    /// Which Microsoft cloud the tenant lives in: sets `endpoint`, `token_scope` and the login host.
    #[serde(default)]
    pub cloud: Cloud,
    /// Microsoft Graph's base URL, if it isn't the one of `cloud`.
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
    /// Incidents a page. Made smaller by itself, for a while, when Graph fails on a page.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1, max = 50))]
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
    /// Requests a minute, at most: up to 150, which is what Graph allows; more only at a loopback `endpoint`, a simulator.
    /// In an hour there are at most thirty times as many.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_num: usize,
}

/// Options that were checked, and can be built from.
#[derive(Clone, Debug)]
pub struct Validated {
    config: DefenderIncidentsConfig,
    endpoint: Url,
    token_scope: String,
    proxy: ProxyConfig,
}

// === impl RequestConfig ===

impl Default for RequestConfig {
    fn default() -> Self {
        // Requests: far under Graph's 150 a minute for security APIs, and what the older incident API allows.
        // Source: https://learn.microsoft.com/graph/throttling-limits
        Self { timeout_secs: 60, rate_limit_num: 50 }
    }
}

// === impl DefenderIncidentsConfig ===

const fn default_page_size() -> u32 {
    MAX_PAGE_SIZE
}

impl DefenderIncidentsConfig {
    /// Checks the options, without touching anything. `path` is where they stand in the file, `proxy` the file's own.
    pub fn validate(self, path: &str, proxy: &ProxyConfig) -> Result<Validated, Vec<Problem>> {
        let mut problems = Vec::new();
        let endpoint = graph::endpoint(self.endpoint.as_deref(), self.cloud, "read", path, &mut problems);
        let max_rate = most_a_minute(endpoint.as_ref(), MAX_REQUESTS_A_MINUTE);
        self.polling().validate(path, MAX_PAGE_SIZE, &mut problems);
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
        let token_scope = self
            .token_scope
            .clone()
            .unwrap_or_else(|| format!("{}/.default", self.cloud.graph().unwrap_or_default()));
        match endpoint {
            Some(endpoint) if problems.is_empty() => {
                Ok(Validated { config: self, endpoint, token_scope, proxy })
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
    pub fn client(&self, clock: &Clock) -> Result<GraphIncidents, String> {
        let config = &self.config;
        let timeout = Duration::from_secs(config.request.timeout_secs);
        let http = HttpOptions { tls: config.tls.clone(), proxy: self.proxy.clone(), timeout };
        let authorized = Authorized::new(&config.auth, config.cloud, &http, self.token_scope.clone(), clock)?;
        GraphIncidents::new(authorized, &self.endpoint, graph::quota(config.request.rate_limit_num, clock))
    }

    /// What the source does its steps with. `id` is the component's, under which its cursor is kept in `store`.
    pub fn poller(&self, id: &str, store: Store, clock: &Clock) -> Result<Poller, String> {
        let listing = Arc::new(GraphListing(self.client(clock)?));
        let labels = Component { kind: "source", component_type: "defender_incidents", id: id.to_owned() };
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
    use serde_json::json;

    use super::*;

    fn validate(options: serde_json::Value) -> Result<Validated, Vec<String>> {
        let config: DefenderIncidentsConfig = serde_json::from_value(options).unwrap();
        let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        config.validate("sources.d", &ProxyConfig::default()).map_err(problems)
    }

    #[test]
    fn one_word_sets_endpoint_and_scope() {
        let auth = json!({"azure_credential_kind": "managed_identity"});
        let usgov = validate(json!({"auth": auth, "cloud": "usgov_dod"})).unwrap();
        assert_eq!(usgov.endpoint.as_str(), "https://dod-graph.microsoft.us/");
        assert_eq!(usgov.token_scope, "https://dod-graph.microsoft.us/.default");
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
                "sources.d.page_size",
                "sources.d.request.rate_limit_num",
                "sources.d.auth.azure_tenant_id",
                "sources.d.auth.azure_client_id",
                "sources.d.auth.azure_client_secret"
            ]
        );
    }
}
