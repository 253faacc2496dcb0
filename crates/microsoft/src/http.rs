//! One HTTPS client: TLS, proxy, time limits, and answers read to the end but not beyond a cap.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::Failure;
use model::problem::Problem;
use runtime::clock::Clock;
use runtime::retry::retry_after;
use runtime::secret::SensitiveString;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What we call ourselves.
const USER_AGENT: &str = concat!("vector-sentinel/", env!("CARGO_PKG_VERSION"));

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// A file of further certificate authorities to trust, PEM. It also counts for the token requests.
    pub ca_file: Option<PathBuf>,
}

/// Which proxy to go through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Whether to use a proxy at all, from here or from the environment.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The proxy for `http` URLs. Vector has it, and it is accepted; there are no such URLs here.
    pub http: Option<SensitiveString>,
    /// The proxy for `https` URLs: `http://proxy.example.com:3128`, with user and password if it wants them.
    pub https: Option<SensitiveString>,
    /// Hosts, domains and networks that are reached directly.
    #[serde(default)]
    pub no_proxy: Vec<String>,
}

/// Everything that a client is built from.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Whom to trust.
    pub tls: TlsConfig,
    /// Which proxy to go through.
    pub proxy: ProxyConfig,
    /// How long one request may take, the answer's body included.
    pub timeout: Duration,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// What the service asks us to wait.
    pub retry_after: Option<Duration>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// The service's time.
    pub date: Option<DateTime<Utc>>,
    /// The body, decompressed.
    pub body: Bytes,
}

/// The URL, if it is one of `https` and names a host.
#[must_use]
pub fn https_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host())
}

/// Most requests a minute that an option may ask for: what the service allows, unless `endpoint` is a simulator's.
#[must_use]
pub fn most_a_minute(endpoint: Option<&Url>, allowed: usize) -> u64 {
    if endpoint.is_some_and(is_loopback) { 100_000 } else { allowed as u64 }
}

/// Whether the URL names an address of this machine that no other reaches.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

// === impl ProxyConfig ===

const fn enabled() -> bool {
    true
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self { enabled: true, http: None, https: None, no_proxy: Vec::new() }
    }
}

impl ProxyConfig {
    /// Reports proxies that cannot be used.
    pub fn validate(&self, path: &str, problems: &mut Vec<Problem>) {
        for (name, url) in [("http", &self.http), ("https", &self.https)] {
            if url.as_ref().is_some_and(|url| reqwest::Proxy::all(url.expose()).is_err()) {
                let message = "not the URL of a proxy, expected something like http://proxy.example.com:3128";
                problems.push(Problem::new(format!("{path}.{name}"), message));
            }
        }
    }

    /// This, with what is not set taken from `https_proxy`, `http_proxy` and `no_proxy` of the environment.
    #[must_use]
    pub fn or_environment<'a>(mut self, variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let either = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_uppercase()));
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        self.http = self.http.or_else(|| either("http_proxy").map(Into::into));
        self.https = self.https.or_else(|| either("https_proxy").map(Into::into));
        if self.no_proxy.is_empty() {
            self.no_proxy.extend(either("no_proxy"));
        }
        self
    }

    fn proxies(&self) -> Result<Vec<reqwest::Proxy>, reqwest::Error> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        let direct = reqwest::NoProxy::from_string(&self.no_proxy.join(","));
        let http = self.http.as_ref().map(|url| reqwest::Proxy::http(url.expose()));
        let https = self.https.as_ref().map(|url| reqwest::Proxy::https(url.expose()));
        http.into_iter().chain(https).map(|proxy| Ok(proxy?.no_proxy(direct.clone()))).collect()
    }
}

// === impl HttpOptions ===

impl HttpOptions {
    /// Builds the client: reads `tls.ca_file`, touches nothing else.
    pub fn build(&self) -> Result<reqwest::Client, String> {
        self.build_with(true)
    }

    /// The same; `https_only` is false for the one endpoint that has no TLS, the managed identity's.
    pub(super) fn build_with(&self, https_only: bool) -> Result<reqwest::Client, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .https_only(https_only)
            // Proxies are those that `self.proxy` names, which has read the environment itself.
            .no_proxy()
            // A redirect could carry the token to another host; no API here documents one.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &self.tls.ca_file {
            let named =
                |error: &dyn Error| format!("cannot use tls.ca_file {}: {}", path.display(), chain(error));
            let pem = std::fs::read(path).map_err(|error| named(&error))?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| named(&error))?;
            if authorities.is_empty() {
                return Err(format!(
                    "cannot use tls.ca_file {}: there is no certificate in it",
                    path.display()
                ));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        for proxy in
            self.proxy.proxies().map_err(|error| format!("cannot use the proxy: {}", chain(&error)))?
        {
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|error| format!("cannot build the HTTPS client: {}", chain(&error)))
    }

    /// The same without any proxy: the managed identity's endpoint is on this machine.
    pub(super) fn without_proxy(&self) -> Self {
        Self { proxy: ProxyConfig { enabled: false, ..ProxyConfig::default() }, ..self.clone() }
    }
}

/// Sends a request and reads the whole answer, at most `cap` bytes of body.
pub(super) async fn send(
    request: reqwest::RequestBuilder,
    cap: usize,
    clock: &Clock,
) -> Result<Reply, Failure> {
    let mut response = request.send().await.map_err(|error| transport_failure(&error))?;
    let status = response.status().as_u16();
    let (retry_after, request_id, date) = read_headers(response.headers(), clock.now());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_failure(&error))? {
        if body.len() + chunk.len() > cap {
            let message = format!("the answer is larger than {cap} bytes");
            return Err(Failure { request_id, ..Failure::unanswered("answer_too_large", message) });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, retry_after, request_id, date, body: body.freeze() })
}

fn read_headers(
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> (Option<Duration>, Option<String>, Option<DateTime<Utc>>) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date =
        text("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc());
    let retry_after = text("retry-after").and_then(|value| retry_after::parse(value, date.unwrap_or(now)));
    let request_id = text("request-id").or_else(|| text("x-ms-request-id")).map(str::to_owned);
    (retry_after, request_id, date)
}

/// A failure of the connection: every kind is worth another try, and some have a remedy.
fn transport_failure(error: &reqwest::Error) -> Failure {
    let words = chain(error);
    if let Some(remedy) = certificate_remedy(&words) {
        return Failure::unanswered("tls_failed", format!("{remedy}: {words}"));
    }
    if words.contains("tunnel") {
        let message = format!(
            "cannot get through the proxy; check the option proxy, and what the proxy allows: {words}"
        );
        return Failure::unanswered("connection_failed", message);
    }
    if error.is_connect() {
        let limit = CONNECT_TIMEOUT.as_secs();
        let message = format!(
            "cannot connect (the limit is {limit} s): {words}. Check the endpoint's name, the network and the proxy"
        );
        return Failure::unanswered("connection_failed", message);
    }
    if error.is_timeout() {
        let message = format!("no answer within the time limit (request.timeout_secs): {words}");
        return Failure::unanswered("timed_out", message);
    }
    Failure::unanswered(
        "connection_lost",
        format!("the connection broke before the answer was complete: {words}"),
    )
}

/// What to do if an error is about a certificate.
pub(super) fn certificate_remedy(words: &str) -> Option<&'static str> {
    words.contains("peer certificate").then_some(
        "the server's certificate is not trusted; if a proxy inspects TLS, or this is a private endpoint, put its \
         certificate authority into tls.ca_file",
    )
}

/// An error with all its causes. reqwest's own causes repeat the URL, which says nothing new.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_fills_what_the_file_does_not_say() {
        let variables = |name: &str| match name {
            "https_proxy" => Some("http://env:1"),
            "HTTP_PROXY" => Some("http://ENV:2"),
            "no_proxy" => Some("localhost,.example.com"),
            _ => None,
        };
        let file = ProxyConfig { https: Some("http://file:3".to_owned().into()), ..ProxyConfig::default() };
        let merged = file.or_environment(variables);
        assert_eq!(merged.https.as_ref().map(SensitiveString::expose), Some("http://file:3"));
        assert_eq!(merged.http.as_ref().map(SensitiveString::expose), Some("http://ENV:2"));
        assert_eq!(merged.no_proxy, ["localhost,.example.com"]);
        assert_eq!(merged.proxies().unwrap().len(), 2);
        assert!(ProxyConfig { enabled: false, ..merged }.proxies().unwrap().is_empty());
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let proxy = ProxyConfig {
            https: Some("http://user:hunter2@proxy".to_owned().into()),
            ..ProxyConfig::default()
        };
        assert!(!format!("{proxy:?}").contains("hunter2"));
        let mut problems = Vec::new();
        ProxyConfig { http: Some("::hunter2".to_owned().into()), ..proxy }.validate("proxy", &mut problems);
        assert_eq!(problems.len(), 1);
        assert!(!format!("{problems:?}").contains("hunter2"));
    }

    #[test]
    fn an_unreadable_ca_file_is_named() {
        let tls = TlsConfig { ca_file: Some("/nowhere/ca.pem".into()) };
        let options = HttpOptions { tls, proxy: ProxyConfig::default(), timeout: Duration::from_secs(1) };
        let error = options.build().unwrap_err();
        assert!(error.contains("/nowhere/ca.pem") && error.contains("tls.ca_file"), "{error}");
    }
}
