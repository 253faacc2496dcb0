//! One HTTPS client: TLS, proxy, time limits, and answers read to the end but not beyond a cap.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;
use tower::ServiceExt;
use url::Url;

use crate::tls::{TlsConfig, TlsError};
use model::problem::Problem;
use runtime::clock::Clock;
use runtime::edge::{self, Edge, EdgeError};
use runtime::retry::retry_after;
use runtime::secret::SensitiveString;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same through a proxy that is spoken to in TLS: one that speaks plain HTTP says nothing at all.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// What we call ourselves.
const USER_AGENT: &str = concat!("vector-sentinel/", env!("CARGO_PKG_VERSION"));

/// The proxy that requests go through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Whether a proxy is used at all. Default: `true`.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The URL of the proxy for `http` requests, as in Vector; no component of ours makes such requests. Default: none.
    /// Example: `http://proxy.example.com:3128`.
    pub http: Option<SensitiveString>,
    /// The URL of the proxy for `https` requests, with user and password if it asks for them. Default: none. Example:
    /// `http://proxy.example.com:3128`.
    pub https: Option<SensitiveString>,
    /// Hosts, domains and networks that are reached without the proxy. Default: none. Example:
    /// `[localhost, .example.com, 10.0.0.0/8]`.
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
    /// Whether plain HTTP is refused. It is not for the one endpoint that has no TLS, the managed identity's.
    pub https_only: bool,
}

/// The answer to a request, with its body read.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// What the service asks us to wait.
    pub retry_after: Option<Duration>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// The service's code of what went wrong, from the header `x-ms-error-code`.
    pub error_code: Option<String>,
    /// The service's time.
    pub date: Option<DateTime<Utc>>,
    /// The body, decompressed.
    pub body: Bytes,
}

/// Why no HTTPS client can be built from the options.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The options of `tls` cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy is none.
    #[error("cannot use the proxy: {}", chain(.0))]
    Proxy(#[source] reqwest::Error),
    /// The rest does not make a client.
    #[error("cannot build the HTTPS client: {}", chain(.0))]
    Client(#[source] reqwest::Error),
}

/// The URL, if it is one of `https` that names a host and nobody's name or password.
pub fn https_url(text: &str) -> Option<Url> {
    let is_right = |url: &Url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    };
    Url::parse(text).ok().filter(is_right)
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
            let Some(url) = url.as_ref().map(SensitiveString::expose) else { continue };
            let message = if reqwest::Proxy::all(url).is_err() {
                "not the URL of a proxy, expected something like http://proxy.example.com:3128"
            } else if has_more_than_a_host(url) {
                "has more than host and port: in the user's name and the password, write a # as %23, a / as %2F, a ? as %3F, an @ \
                 as %40, a : as %3A and a % as %25"
            } else {
                continue;
            };
            problems.push(Problem::new(format!("{path}.{name}"), message));
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

/// Whether something stands behind host and port: an unescaped password ends the host there.
fn has_more_than_a_host(proxy: &str) -> bool {
    // Without a scheme it is taken for one of http.
    let whole = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    let url = Url::parse(&whole).ok();
    url.is_some_and(|url| {
        url.fragment().is_some() || url.query().is_some() || !matches!(url.path(), "" | "/")
    })
}

/// What went wrong on the way through a proxy whose URL begins with `https://`, and which nothing goes around.
fn through_tls(error: EdgeError) -> EdgeError {
    let words = match error {
        EdgeError::Unreachable(words) => words,
        EdgeError::Tls(words) | EdgeError::Proxy(words) if words.contains("corrupt message") => words,
        error => return error,
    };
    EdgeError::Proxy(format!(
        "it does not answer in TLS, as proxy.https says, which begins with https://: if it speaks plain HTTP, write http:// in \
         proxy.https ({words})"
    ))
}

// === impl HttpOptions ===

impl HttpOptions {
    /// Whether every request goes through a proxy that is spoken to in TLS.
    fn is_through_tls(&self) -> bool {
        let ProxyConfig { enabled, https, no_proxy, .. } = &self.proxy;
        let is_https = |url: &SensitiveString| url.expose().starts_with("https://");
        *enabled && no_proxy.is_empty() && https.as_ref().is_some_and(is_https)
    }

    /// Builds the edge that has reqwest behind it: reads the files of `tls`, touches nothing else.
    pub fn build(&self) -> Result<Edge, HttpError> {
        let edge = self.over_reqwest()?;
        if !self.is_through_tls() {
            return Ok(edge);
        }
        Ok(Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
            let edge = edge.clone();
            async move { edge.oneshot(request).await.map_err(through_tls) }
        })))
    }

    fn over_reqwest(&self) -> Result<Edge, HttpError> {
        if self.tls.is_plain() {
            return Ok(edge_of(self.client(|builder| {
                let authorities = self.tls.authorities()?;
                let authorities = authorities.iter().map(|der| reqwest::Certificate::from_der(der));
                let authorities = authorities.collect::<Result<Vec<_>, _>>().map_err(HttpError::Client)?;
                Ok(builder.tls_certs_merge(authorities))
            })?));
        }
        // Certificates are checked by the host, and a name of its own is sent to each: so each has a client.
        let (options, hosts) = (self.clone(), Mutex::new(BTreeMap::<String, reqwest::Client>::new()));
        let client_of = move |host: &str| {
            let mut hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(client) = hosts.get(host) {
                return Ok(client.clone());
            }
            let client = options.client(|builder| {
                let config = options.tls.client_config(host)?;
                let builder = builder.tls_backend_preconfigured(config);
                Ok(match options.tls.server_name {
                    Some(_) => builder.dns_resolver(AddressOf(host.to_owned())),
                    None => builder,
                })
            })?;
            hosts.insert(host.to_owned(), client.clone());
            Ok::<_, HttpError>(client)
        };
        // What cannot be used is reported now, and not with the first request.
        self.tls.client_config("localhost")?;
        let server_name = self.tls.server_name.clone();
        Ok(edge_of_many(client_of, server_name))
    }

    fn client(
        &self,
        with_tls: impl FnOnce(reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, HttpError>,
    ) -> Result<reqwest::Client, HttpError> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(if self.is_through_tls() { PROXY_TIMEOUT } else { CONNECT_TIMEOUT })
            .timeout(self.timeout)
            .https_only(self.https_only)
            // Proxies are those that `self.proxy` names, which has read the environment itself.
            .no_proxy()
            // A redirect could carry the token to another host; no API here documents one.
            .redirect(reqwest::redirect::Policy::none());
        let mut builder = with_tls(builder)?;
        for proxy in self.proxy.proxies().map_err(HttpError::Proxy)? {
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(HttpError::Client)
    }

    /// The same for requests for tokens, and for what else is not the service itself.
    pub(super) fn for_tokens(&self) -> Self {
        Self { tls: self.tls.for_tokens(), ..self.clone() }
    }

    /// The same for the managed identity's endpoint, which is on this machine: without TLS and without a proxy.
    pub(super) fn on_this_machine(&self) -> Self {
        let proxy = ProxyConfig { enabled: false, ..ProxyConfig::default() };
        Self { proxy, https_only: false, ..self.for_tokens() }
    }
}

/// Sends a request and reads the whole answer, at most `cap` bytes of body.
pub(super) async fn send(
    edge: &Edge,
    request: http::Request<Bytes>,
    cap: usize,
    clock: &Clock,
) -> Result<Reply, EdgeError> {
    let response = edge.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    let (retry_after, request_id, date) = read_headers(response.headers(), clock.now());
    let error_code = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
    let error_code = error_code.map(str::to_owned);
    let body = edge::collect(response.into_body(), cap).await?;
    Ok(Reply { status, retry_after, request_id, error_code, date, body })
}

/// reqwest behind the port.
fn edge_of(client: reqwest::Client) -> Edge {
    Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let client = client.clone();
        async move { execute(&client, request).await }
    }))
}

/// The same with a client for each host, of which each connection sends `server_name` if that is given.
fn edge_of_many(
    client_of: impl Fn(&str) -> Result<reqwest::Client, HttpError> + Send + Sync + 'static,
    server_name: Option<String>,
) -> Edge {
    let client_of = Arc::new(client_of);
    Edge::new(tower::service_fn(move |mut request: http::Request<Bytes>| {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let client = client_of(&host).map_err(|error| EdgeError::Tls(error.to_string()));
        if let Some(name) = &server_name {
            rename(&mut request, name);
        }
        async move { execute(&client?, request).await }
    }))
}

async fn execute(
    client: &reqwest::Client,
    request: http::Request<Bytes>,
) -> Result<http::Response<edge::ResponseBody>, EdgeError> {
    let request = reqwest::Request::try_from(request).map_err(|error| edge_error(&error))?;
    let response = client.execute(request).await.map_err(|error| edge_error(&error))?;
    Ok(http::Response::from(response).map(|body| body.map_err(|error| edge_error(&error)).boxed_unsync()))
}

/// Makes `name` the host in the URL, for the connection, and leaves the header what it would have been.
fn rename(request: &mut http::Request<Bytes>, name: &str) {
    let mut parts = request.uri().clone().into_parts();
    let Some(authority) = parts.authority.take() else { return };
    let renamed = authority.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    parts.authority = renamed.parse().ok();
    if let (Ok(uri), Ok(host)) = (parts.try_into(), http::HeaderValue::try_from(authority.as_str())) {
        *request.uri_mut() = uri;
        request.headers_mut().insert(http::header::HOST, host);
    }
}

/// Finds the address of one host, whatever name is asked for.
struct AddressOf(String);

impl reqwest::dns::Resolve for AddressOf {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = self.0.trim_matches(['[', ']']).to_owned();
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
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

/// What an error of reqwest is. Its types do not say all of it; where they do not, its words do.
fn edge_error(error: &reqwest::Error) -> EdgeError {
    let words = chain(error);
    let caused_by = |kind: ErrorKind| causes(error).any(|cause| io_kind(cause) == Some(kind));
    // The first cause's words have the URL in them.
    if causes(error).skip(1).any(|cause| cause.to_string().contains("tunnel")) {
        EdgeError::Proxy(words)
    } else if causes(error).any(<dyn Error + 'static>::is::<rustls::Error>) {
        EdgeError::Tls(words)
    } else if words.contains("dns error") {
        EdgeError::Dns(words)
    } else if error.is_connect() && caused_by(ErrorKind::ConnectionRefused) {
        EdgeError::Refused(words)
    } else if error.is_connect() {
        EdgeError::Unreachable(words)
    } else if error.is_timeout() {
        EdgeError::TimedOut(words)
    } else {
        EdgeError::Lost(words)
    }
}

/// An error and what caused it, the outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        // What is inside one of these is left out by its `source`.
        Some(io) => io.get_ref().map(|inside| inside as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    error.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
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
#[path = "http_tests.rs"]
mod tests;
