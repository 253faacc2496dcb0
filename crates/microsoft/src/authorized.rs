//! Requests that carry a token, and a fresh one if the first is refused.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use runtime::clock::Clock;
use runtime::edge::Edge;
use runtime::secret::SensitiveString;

use crate::connection::{Connector, Identity};
use crate::credential::{Credential, TokenProvider};
use crate::error::{ConnectError, ServiceError, TokenError};
use crate::http::{self as edge_http, Reply};

/// A way to send requests to one service as one identity. Cheap to clone.
#[derive(Clone)]
pub struct Authorized {
    edge: Edge,
    /// For requests that are not the service's.
    plain: Edge,
    identity: Arc<dyn TokenProvider>,
    credential: Arc<Credential>,
    clock: Clock,
}

// === impl Authorized ===

impl Authorized {
    /// The identity's way to the service that its tokens are for. Reads certificate files, asks nobody anything.
    pub fn new(identity: &Identity, connector: &Connector) -> Result<Self, ConnectError> {
        let Identity { auth, cloud, scope, http } = identity;
        let edge = connector.open(http)?;
        let for_tokens = http.for_tokens();
        let plain = if http.tls.is_plain() { edge.clone() } else { connector.open(&for_tokens)? };
        let identity = auth.identity(*cloud, http, plain.clone(), connector)?;
        let clock = connector.clock.clone();
        let credential = Arc::new(Credential::new(Arc::clone(&identity), scope.clone(), clock.clone()));
        Ok(Self { edge, plain, identity, credential, clock })
    }

    /// The time now, by our clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The same identity's way to another service, whose tokens have `scope`. Neither waits for the other's token. Of the
    /// options of `tls` it heeds `ca_file` alone, as requests for tokens do.
    #[must_use]
    pub fn with_scope(&self, scope: String) -> Self {
        let credential = Credential::new(Arc::clone(&self.identity), scope, self.clock.clone());
        Self { credential: Arc::new(credential), edge: self.plain.clone(), ..self.clone() }
    }

    /// Sends `request` with a token. If the answer is 401, the token is renewed once and the request sent once more; what
    /// comes then is the answer. If that is 401 as well, no token is renewed for a minute, so that others keep theirs. The body of an answer may have `cap` bytes.
    pub async fn send(&self, cap: usize, request: http::Request<Bytes>) -> Result<Reply, ServiceError> {
        let token = self.credential.token().await?;
        let reply = self.send_with(&token, cap, request.clone()).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let renewed = self.credential.renewed_token(&token).await?;
        if renewed == token {
            return Ok(reply);
        }
        let reply = self.send_with(&renewed, cap, request).await?;
        if reply.status == 401 {
            self.credential.refused_again();
        }
        Ok(reply)
    }

    async fn send_with(
        &self,
        token: &SensitiveString,
        cap: usize,
        mut request: http::Request<Bytes>,
    ) -> Result<Reply, ServiceError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
            TokenError::Unusable("the token has characters that no header may have".to_owned())
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(edge_http::send(&self.edge, request, cap, &self.clock).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use http_body_util::{BodyExt, Full};
    use serde_json::json;

    use super::*;
    use crate::cloud::Cloud;
    use crate::http::{HttpOptions, ProxyConfig};
    use crate::tls::TlsConfig;

    #[tokio::test]
    async fn requests_for_tokens_and_other_services_heed_the_authorities_alone() {
        let asked = Arc::<Mutex<Vec<(String, TlsConfig)>>>::default();
        let noted = Arc::clone(&asked);
        let connector = Connector::with(Clock::system(), move |options| {
            let (noted, tls) = (Arc::clone(&noted), options.tls.clone());
            Ok(Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
                let host = request.uri().host().unwrap_or_default().to_owned();
                noted.lock().unwrap().push((host, tls.clone()));
                let token = json!({"access_token": "t", "expires_in": 3_600, "token_type": "Bearer"});
                let body = Full::new(Bytes::from(token.to_string())).map_err(|never| match never {});
                async move { Ok(http::Response::new(body.boxed_unsync())) }
            })))
        });
        let trusting = TlsConfig { ca_file: Some("/ca.pem".into()), ..TlsConfig::default() };
        let tls = TlsConfig { verify_certificate: Some(false), ..trusting.clone() };
        let auth = json!({"azure_credential_kind": "client_secret_credential", "azure_tenant_id": "t",
            "azure_client_id": "c", "azure_client_secret": "s"});
        let identity = Identity {
            auth: serde_json::from_value(auth).unwrap(),
            cloud: Cloud::Public,
            scope: "https://service.test/.default".to_owned(),
            http: HttpOptions {
                tls: tls.clone(),
                proxy: ProxyConfig::default(),
                timeout: Duration::from_secs(1),
                https_only: true,
            },
        };
        let authorized = Authorized::new(&identity, &connector).unwrap();
        let ask = |host: &str| http::Request::get(format!("https://{host}/")).body(Bytes::new()).unwrap();
        authorized.send(1_000, ask("service.test")).await.unwrap();
        authorized.with_scope("other".to_owned()).send(1_000, ask("other.test")).await.unwrap();
        let asked = asked.lock().unwrap();
        let of = |host: &str| {
            asked.iter().filter(|(asked, _)| asked == host).map(|(_, tls)| tls).collect::<Vec<_>>()
        };
        assert_eq!(of("service.test"), [&tls]);
        assert_eq!(of("other.test"), [&trusting]);
        assert_eq!(of("login.microsoftonline.com"), [&trusting; 2]);
    }
}
