//! Connections to Vector's `http_server` source.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use reqwest::Client;
use rustls::ClientConfig;
use tower::service_fn;

use runtime::edge::{Edge, EdgeError};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no way to an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to Vector at {address}: {cause}")]
pub struct AddressError {
    /// The address, `host:port`.
    address: String,
    /// What is wrong with it.
    cause: String,
}

/// A way to Vector at `address`, `host:port`, whose certificate must be for `name`. It connects when it is used.
pub fn edge(address: &str, name: &str, tls: &Arc<ClientConfig>) -> Result<Edge, AddressError> {
    let wrong = |cause: String| AddressError { address: address.to_owned(), cause };
    let (_, port) = address.rsplit_once(':').ok_or_else(|| wrong("it has no port".to_owned()))?;
    let mut client = Client::builder()
        .use_preconfigured_tls(ClientConfig::clone(tls))
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none());
    if let Ok(address) = address.parse::<SocketAddr>() {
        client = client.resolve(name, address);
    }
    let client = client.build().map_err(|error| wrong(in_words(&error)))?;
    let base = format!("https://{name}:{port}");
    base.parse::<http::Uri>().map_err(|error| wrong(error.to_string()))?;
    Ok(Edge::new(service_fn(move |request: http::Request<Bytes>| {
        let (client, base) = (client.clone(), base.clone());
        async move {
            let (parts, body) = request.into_parts();
            let request = client.request(parts.method, format!("{base}{}", parts.uri.path()));
            let response =
                request.headers(parts.headers).body(body).send().await.map_err(|error| told(&error))?;
            let response = http::Response::<reqwest::Body>::from(response);
            Ok(response.map(|body| body.map_err(|error| told(&error)).boxed_unsync()))
        }
    })))
}

fn told(error: &reqwest::Error) -> EdgeError {
    let words = in_words(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<rustls::Error>().is_some() {
            return EdgeError::Tls(words);
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            match error.kind() {
                std::io::ErrorKind::ConnectionRefused => return EdgeError::Refused(words),
                // TLS hides behind it.
                std::io::ErrorKind::InvalidData => return EdgeError::Tls(words),
                _ => {}
            }
        }
        cause = error.source();
    }
    match error {
        error if error.is_connect() => EdgeError::Unreachable(words),
        error if error.is_timeout() => EdgeError::TimedOut(words),
        _ => EdgeError::Lost(words),
    }
}

/// The causes, the last of which says most.
fn in_words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.pop().unwrap_or_else(|| error.to_string())
}
