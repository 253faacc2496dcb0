//! How to reach one of Microsoft's services, and as whom: the options that components share, and the one way to a client.

use std::sync::Arc;
use std::time::Duration;

use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::edge::Edge;
use runtime::secret::SensitiveString;
use runtime::telemetry::ComponentLabels;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::cloud::Cloud;
use crate::credential::AuthConfig;
use crate::hosts::of_another_cloud;
use crate::http::{HttpError, HttpOptions, ProxyConfig, https_url};
use crate::tls::TlsConfig;

/// Most requests a minute that an option may ask for at a simulator, which is a loopback `endpoint`.
const MAX_SIMULATED_REQUESTS: u64 = 100_000;

/// What stands in the URLs of requests, and so not in a base URL.
const PARTS_OF_PATHS: [&str; 5] = ["v1.0", "beta", "security", "incidents", "subscriptions"];

/// Which identity is used, in which cloud, and through what: the options of every component that talks to Microsoft.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct IdentityConfig {
    /// The identity that requests are made as, and how it proves itself.
    pub auth: AuthConfig,
    /// The Microsoft cloud that the tenant is in: sets the service's host, the scope of tokens and the login host. Default: `public`.
    #[serde(default)]
    pub cloud: Cloud,
    /// The scope that tokens are requested for. Default: that of the service in `cloud`. Example:
    /// `https://graph.microsoft.com/.default`.
    pub token_scope: Option<String>,
    /// Whom to trust, and what to show.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy for this component's requests, those for tokens included: takes the place of the file's own and of the
    /// environment's. Default: the file's own `proxy`.
    pub proxy: Option<ProxyConfig>,
}

/// Where one service is, and how it is asked: the options of a component with one service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ConnectionConfig {
    /// Who asks, in which cloud, through what.
    #[serde(flatten)]
    pub identity: IdentityConfig,
    /// The base URL of the service, `https` only: Microsoft Graph's, or for Sentinel's incidents Azure Resource Manager's, such
    /// as `https://management.usgovcloudapi.net`. Default: that of `cloud`. Example: `https://graph.microsoft.us`.
    pub endpoint: Option<String>,
    /// Time limit and rate of requests.
    #[serde(default)]
    pub request: RequestConfig,
}

/// Time limit and rate of requests.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestConfig {
    /// The seconds that one request may take, its answer included: from 1 to 3600. Default: 60.
    #[schemars(range(min = 1, max = 3_600))]
    pub timeout_secs: u64,
    /// The most requests a minute of this component, at least 1. The source `defender_incidents` and the sink of that name may
    /// make up to 150, and in an hour thirty times as many as in a minute; the source `sentinel_incidents` up to 1500; the sink
    /// `sentinel_incidents` up to 600 writes, and twice as many reads as writes. Microsoft counts all programs of an identity
    /// together, this option only one component. Only a loopback `endpoint`, which is a simulator, may get up to 100000.
    /// Default: 50 requests to Microsoft Graph, 300 reads or 120 writes of Azure Resource Manager.
    #[schemars(range(min = 1, max = 100_000))]
    pub rate_limit_num: Option<usize>,
}

/// One API as its clients see it.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// Its base URL in a cloud; nothing where it is not.
    pub base: fn(Cloud) -> Option<&'static str>,
    /// What there is not, where it is not: `Microsoft Graph has no incident API in the China cloud, so there is nothing to read
    /// there`.
    pub missing: &'static str,
    /// Most requests a minute that it allows.
    pub max_requests: usize,
    /// Requests a minute, unless the file says.
    pub default_requests: usize,
}

/// A checked [`IdentityConfig`], for one service.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(crate) auth: AuthConfig,
    pub(crate) cloud: Cloud,
    /// The scope of its tokens.
    pub scope: String,
    pub(crate) http: HttpOptions,
}

/// A checked [`ConnectionConfig`].
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who asks, and through what.
    pub identity: Identity,
    /// The service's base URL.
    pub endpoint: Url,
    /// Most requests a minute.
    pub requests_a_minute: usize,
}

/// Opens the HTTPS edge, and tells the time: what a client needs of the process it is in. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    /// The one clock.
    pub clock: Clock,
    /// The component that connects, in a run: for its log lines and metrics.
    pub(crate) labels: Option<ComponentLabels>,
    open: Arc<Open>,
}

type Open = dyn Fn(&HttpOptions) -> Result<Edge, HttpError> + Send + Sync;

// === impl RequestConfig ===

impl Default for RequestConfig {
    fn default() -> Self {
        Self { timeout_secs: 60, rate_limit_num: None }
    }
}

// === impl IdentityConfig ===

impl IdentityConfig {
    /// Checks the options of the component at `path`, touching nothing. `scope` is the service's, `timeout` a request's, and
    /// `proxy` the file's own. What is returned is only good if nothing was reported.
    pub fn validate(
        &self,
        scope: &str,
        timeout: Duration,
        path: &str,
        proxy: &ProxyConfig,
        problems: &mut Vec<Problem>,
    ) -> Identity {
        self.auth.validate(&format!("{path}.auth"), problems);
        // Whoever names the scope of tokens knows which cloud it is for.
        if self.token_scope.is_none() {
            self.auth.validate_host(self.cloud, &format!("{path}.auth"), problems);
        }
        let scope_path = format!("{path}.token_scope");
        self.auth.validate_scope(self.token_scope.as_deref(), &scope_path, problems);
        if let Some(own) = &self.proxy {
            own.validate(&format!("{path}.proxy"), problems);
        }
        let proxy = self.proxy.as_ref().unwrap_or(proxy);
        let through = proxy.https.as_ref().filter(|_| proxy.enabled).map(SensitiveString::expose);
        self.tls.validate(through, &format!("{path}.tls"), problems);
        Identity {
            auth: self.auth.clone(),
            cloud: self.cloud,
            scope: self.token_scope.clone().unwrap_or_else(|| scope.to_owned()),
            http: HttpOptions { tls: self.tls.clone(), proxy: proxy.clone(), timeout, https_only: true },
        }
    }
}

// === impl Identity ===

impl Identity {
    /// What works, but perhaps not as its author thinks; `path` is the component's.
    pub fn warnings(&self, path: &str) -> Vec<Problem> {
        self.http.tls.warnings(&format!("{path}.tls"))
    }
}

// === impl ConnectionConfig ===

impl ConnectionConfig {
    /// Checks the options of the component at `path`, touching nothing. Nothing is returned if no client could be made; what is
    /// returned is only good if nothing was reported.
    pub fn validate(
        &self,
        api: Api,
        path: &str,
        proxy: &ProxyConfig,
        problems: &mut Vec<Problem>,
    ) -> Option<Connection> {
        let cloud = self.identity.cloud;
        let of_cloud = (api.base)(cloud);
        if of_cloud.is_none() {
            problems.push(Problem::new(format!("{path}.cloud"), api.missing));
        }
        let written = self.endpoint.as_deref().or(of_cloud);
        let endpoint = written.and_then(https_url);
        if written.is_some() && endpoint.is_none() {
            let example = (api.base)(Cloud::Public).unwrap_or_default();
            let message = format!("must be an https URL, such as {example}");
            problems.push(Problem::new(format!("{path}.endpoint"), message));
        }
        if let Some(message) = endpoint.as_ref().and_then(|url| self.wrong_endpoint(url, api)) {
            problems.push(Problem::new(format!("{path}.endpoint"), message));
        }
        let is_simulated = endpoint.as_ref().is_some_and(is_loopback);
        let max = if is_simulated { MAX_SIMULATED_REQUESTS } else { api.max_requests as u64 };
        let requests = self.request.rate_limit_num.unwrap_or(api.default_requests);
        let ranges = [
            ("request.timeout_secs", self.request.timeout_secs, 1, 3_600),
            ("request.rate_limit_num", requests as u64, 1, max),
        ];
        check_ranges(path, &ranges, problems);
        let scope = format!("{}/.default", of_cloud.unwrap_or_default());
        let timeout = Duration::from_secs(self.request.timeout_secs);
        let identity = self.identity.validate(&scope, timeout, path, proxy, problems);
        Some(Connection { identity, endpoint: endpoint?, requests_a_minute: requests })
    }
}

impl ConnectionConfig {
    /// What is wrong with the base URL of a service, if it is not that.
    fn wrong_endpoint(&self, url: &Url, api: Api) -> Option<String> {
        let has = |part: &str| url.path_segments().is_some_and(|mut parts| parts.any(|found| found == part));
        if url.query().is_some() || url.fragment().is_some() || PARTS_OF_PATHS.into_iter().any(has) {
            let cloud = self.identity.cloud;
            let base = (api.base)(cloud).or_else(|| (api.base)(Cloud::Public)).unwrap_or_default();
            return Some(format!(
                "must be the service's base URL alone, such as {base}: what comes behind it is added"
            ));
        }
        let is_given = self.identity.token_scope.is_none();
        is_given.then(|| of_another_cloud(url, self.identity.cloud)).flatten()
    }
}

/// Whether the URL names an address of this machine that no other reaches.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

// === impl Connector ===

impl Connector {
    /// Over real sockets.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with(clock, HttpOptions::build)
    }

    /// Over what `open` makes of the options: in a test a simulated service, without a socket.
    pub fn with(
        clock: Clock,
        open: impl Fn(&HttpOptions) -> Result<Edge, HttpError> + Send + Sync + 'static,
    ) -> Self {
        Self { clock, labels: None, open: Arc::new(open) }
    }

    /// The same for one component of a run.
    #[must_use]
    pub fn of(&self, labels: ComponentLabels) -> Self {
        Self { labels: Some(labels), ..self.clone() }
    }

    pub(crate) fn open(&self, options: &HttpOptions) -> Result<Edge, HttpError> {
        (self.open)(options)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const API: Api = Api {
        base: Cloud::graph,
        missing: "there is nothing to read there",
        max_requests: 150,
        default_requests: 50,
    };

    fn validated(options: &Value) -> (Option<Connection>, Vec<String>) {
        let mut all = json!({"auth": {"azure_credential_kind": "managed_identity"}});
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let config: ConnectionConfig = serde_json::from_value(all).unwrap();
        let mut problems = Vec::new();
        let connection = config.validate(API, "sources.s", &ProxyConfig::default(), &mut problems);
        (connection, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_cloud_names_endpoint_and_scope_unless_the_file_does() {
        let (connection, problems) = validated(&json!({"cloud": "usgov"}));
        let connection = connection.unwrap();
        assert_eq!((problems.len(), connection.endpoint.as_str()), (0, "https://graph.microsoft.us/"));
        assert_eq!(
            (connection.identity.scope.as_str(), connection.requests_a_minute),
            ("https://graph.microsoft.us/.default", 50)
        );
        let (connection, _) =
            validated(&json!({"token_scope": "api://x/.default", "endpoint": "https://g.test"}));
        let connection = connection.unwrap();
        assert_eq!(
            (connection.identity.scope.as_str(), connection.endpoint.as_str()),
            ("api://x/.default", "https://g.test/")
        );
    }

    #[test]
    fn each_mistake_is_reported_with_its_path() {
        for (options, expected) in [
            (json!({"cloud": "china"}), "sources.s.cloud: there is nothing to read there"),
            (
                json!({"endpoint": "http://g"}),
                "sources.s.endpoint: must be an https URL, such as https://graph.microsoft.com",
            ),
            (
                json!({"endpoint": "https://graph.microsoft.com/v1.0/security/incidents"}),
                "sources.s.endpoint: must be the service's base URL alone, such as https://graph.microsoft.com: what comes \
                 behind it is added",
            ),
            (
                json!({"endpoint": "https://graph.microsoft.us"}),
                "sources.s.endpoint: is in the cloud usgov, and cloud is public: write cloud: usgov, or the URL in public",
            ),
            (
                json!({"request": {"timeout_secs": 0}}),
                "sources.s.request.timeout_secs: must be from 1 to 3600",
            ),
            (
                json!({"request": {"rate_limit_num": 151}}),
                "sources.s.request.rate_limit_num: must be from 1 to 150",
            ),
            (
                json!({"proxy": {"https": "::"}}),
                "sources.s.proxy.https: not the URL of a proxy, expected something like http://proxy.example.com:3128",
            ),
        ] {
            assert_eq!(validated(&options).1, [expected], "{options}");
        }
        let asserting = json!({"azure_credential_kind": "workload_identity"});
        assert_eq!(
            validated(&json!({"auth": asserting, "token_scope": "https://graph.microsoft.com"})).1,
            ["sources.s.token_scope: must end with /.default, as https://monitor.azure.com/.default does"]
        );
        let login = json!({"azure_credential_kind": "workload_identity",
            "authority_host": "https://login.microsoftonline.us"});
        let found = validated(&json!({"auth": login})).1;
        assert!(found[0].starts_with("sources.s.auth.authority_host: is in the cloud usgov"), "{found:?}");
        let named = json!({"auth": login, "token_scope": "https://graph.microsoft.us/.default",
            "endpoint": "https://graph.microsoft.us"});
        assert_eq!(validated(&named).1, [""; 0]);
        let simulated = json!({"endpoint": "https://127.0.0.1:1", "request": {"rate_limit_num": 100_000}});
        assert_eq!(validated(&simulated).1, [""; 0]);
    }
}
