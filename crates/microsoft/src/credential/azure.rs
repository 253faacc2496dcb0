//! `azure_identity` as an [`TokenProvider`], over our own edge.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{
    AsyncRawResponse, Body, ClientMethodOptions, ClientOptions, HttpClient, Request, RetryOptions,
    StatusCode, Transport,
};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use bytes::Bytes;
use runtime::clock::Clock;
use runtime::edge::{self, Edge, EdgeError};
use runtime::secret::SensitiveString;
use tower::ServiceExt;

use super::assertion::CertificateAssertion;
use super::config::{AuthConfig, CredentialKind, IdentityIdType};
use super::token::{Token, TokenProvider};
use crate::cloud::Cloud;
use crate::connection::Connector;
use crate::error::{ConnectError, TokenError};
use crate::http::{HttpOptions, chain};

/// Most bytes of an answer with a token that are read: tokens have some thousand.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What a credential of `azure_identity` is made from. One is made for each token: it has a cache of its own, by the machine's
/// clock, which stays empty that way.
struct AzureIdentity {
    auth: AuthConfig,
    authority_host: String,
    edge: Edge,
    clock: Clock,
    /// The managed identity that vouches for the application, and the scope of its token.
    vouching: Option<(Box<AzureIdentity>, &'static str)>,
}

/// What proves an application's identity: a token of a managed identity, once it is there.
struct Vouched(SensitiveString);

#[async_trait]
impl azure_identity::ClientAssertion for Vouched {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose().to_owned())
    }
}

impl fmt::Debug for Vouched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vouched")
    }
}

/// Our edge, as `azure_identity` wants it, and where it leaves the status of its last answer.
struct OverEdge(Edge, Arc<AtomicU16>);

impl fmt::Debug for OverEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverEdge")
    }
}

// === impl AuthConfig ===

impl AuthConfig {
    /// The identity that these options describe, whose tokens are fetched over `edge`: but those of a managed identity from the
    /// endpoint on this machine, which speaks plain HTTP and is never behind a proxy. Reads the certificate or the environment if its
    /// kind wants them, asks nobody for a token.
    pub(crate) fn identity(
        &self,
        cloud: Cloud,
        http: &HttpOptions,
        edge: Edge,
        connector: &Connector,
    ) -> Result<Arc<dyn TokenProvider>, ConnectError> {
        let authority_host = self.authority_host.clone().unwrap_or_else(|| cloud.login().to_owned());
        let local = || connector.open(&http.on_this_machine());
        let made = |auth: Self, edge, vouching| AzureIdentity {
            auth,
            authority_host: authority_host.clone(),
            edge,
            clock: connector.clock.clone(),
            vouching,
        };
        let identity = match self.azure_credential_kind {
            CredentialKind::ManagedIdentity => made(self.clone(), local()?, None),
            CredentialKind::ManagedIdentityClientAssertion => {
                let managed = Self { azure_credential_kind: CredentialKind::ManagedIdentity, ..self.clone() };
                let managed = Box::new(made(managed, local()?, None));
                made(self.clone(), edge, Some((managed, cloud.token_exchange_scope())))
            }
            _ => made(self.clone(), edge, None),
        };
        // A file or a variable that cannot be used is reported at the start.
        if self.azure_credential_kind == CredentialKind::ClientCertificateCredential {
            identity.assertion().check()?;
        }
        identity.make(&Arc::default(), SensitiveString::default())?;
        Ok(Arc::new(identity))
    }
}

// === impl AzureIdentity ===

impl AzureIdentity {
    fn options(&self, answered: &Arc<AtomicU16>) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority_host);
        ClientOptions {
            // Whoever wants the token tries again, and knows how often and how long.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(OverEdge(self.edge.clone(), Arc::clone(answered))))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        }
    }

    fn assertion(&self) -> CertificateAssertion {
        let auth = &self.auth;
        let tenant = auth.azure_tenant_id.as_deref().unwrap_or_default();
        CertificateAssertion {
            path: auth.certificate_path.clone().unwrap_or_default(),
            password: auth.certificate_password.clone(),
            client_id: auth.azure_client_id.clone().unwrap_or_default(),
            token_url: format!("{}/{tenant}/oauth2/v2.0/token", self.authority_host.trim_end_matches('/')),
            clock: self.clock.clone(),
        }
    }

    /// A credential that leaves the status of its last answer in `answered`. `assertion` is the token of whoever vouches for it,
    /// if somebody does.
    fn make(
        &self,
        answered: &Arc<AtomicU16>,
        assertion: SensitiveString,
    ) -> Result<Arc<dyn TokenCredential>, ConnectError> {
        let auth = &self.auth;
        let client_options = self.options(answered);
        let tenant = auth.azure_tenant_id.clone().unwrap_or_default();
        let client = auth.azure_client_id.clone().unwrap_or_default();
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match auth.azure_credential_kind {
            CredentialKind::ClientSecretCredential => {
                let secret =
                    auth.azure_client_secret.as_ref().map_or("", |secret| secret.expose()).to_owned();
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&tenant, client, secret.into(), Some(options))
                    .map(|made| made as _)
            }
            CredentialKind::ClientCertificateCredential => {
                let options = ClientAssertionCredentialOptions { client_options };
                ClientAssertionCredential::new(tenant, client, self.assertion(), Some(options))
                    .map(|made| made as _)
            }
            CredentialKind::ManagedIdentity => {
                let id_type = auth.user_assigned_managed_identity_id_type.unwrap_or_default();
                let user_assigned_id =
                    auth.user_assigned_managed_identity_id.clone().map(|id| match id_type {
                        IdentityIdType::ClientId => UserAssignedId::ClientId(id),
                        IdentityIdType::ObjectId => UserAssignedId::ObjectId(id),
                        IdentityIdType::ResourceId => UserAssignedId::ResourceId(id),
                    });
                let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
                ManagedIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            CredentialKind::ManagedIdentityClientAssertion => {
                let tenant = auth.client_assertion_tenant_id.clone().unwrap_or_default();
                let client = auth.client_assertion_client_id.clone().unwrap_or_default();
                let options = ClientAssertionCredentialOptions { client_options };
                ClientAssertionCredential::new(tenant, client, Vouched(assertion), Some(options))
                    .map(|made| made as _)
            }
            CredentialKind::WorkloadIdentity => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: auth.client_id.clone(),
                    tenant_id: auth.tenant_id.clone(),
                    token_file_path: auth.token_file_path.clone(),
                };
                WorkloadIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            CredentialKind::AzureCli => AzureCliCredential::new(None).map(|made| made as _),
        };
        made.map_err(ConnectError::Auth)
    }

    /// What an error means after an answer of this status; 0 if there was none. The library does not always say it: an error page
    /// is only "cannot be read" to it.
    fn token_error(&self, error: &azure_core::Error, status: u16) -> TokenError {
        let mut causes =
            std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
        // The library appends a link to its own troubleshooting page after a line break.
        let words = chain(error).replace("\r\n", " ").replace('\n', " ");
        let edge = causes.find_map(|cause| cause.downcast_ref::<EdgeError>());
        match (self.auth.azure_credential_kind, edge) {
            (CredentialKind::AzureCli, _) => TokenError::Unusable(words),
            // The identity's endpoint is on every machine of Azure, and on no other.
            (CredentialKind::ManagedIdentity, Some(_)) => TokenError::NoManagedIdentity(words),
            (_, Some(edge)) => TokenError::NoAnswer(edge.clone()),
            _ if status == 429 || status >= 500 => TokenError::Unavailable(words),
            (CredentialKind::ManagedIdentity, None) => TokenError::NoManagedIdentity(words),
            (_, None) => TokenError::Refused(words),
        }
    }
}

#[async_trait]
impl TokenProvider for AzureIdentity {
    async fn fetch(&self, scope: &str) -> Result<Token, TokenError> {
        let assertion = match &self.vouching {
            Some((managed, scope)) => managed.fetch(scope).await?.secret,
            None => SensitiveString::default(),
        };
        let answered = Arc::default();
        let credential =
            self.make(&answered, assertion).map_err(|error| TokenError::Unusable(error.to_string()))?;
        let token = credential
            .get_token(&[scope], None)
            .await
            .map_err(|error| self.token_error(&error, answered.load(Ordering::Relaxed)))?;
        // It says when the token expires by the machine's clock, so what is left is counted by that too.
        let left = token.expires_on - OffsetDateTime::now_utc();
        Ok(Token {
            secret: token.token.secret().to_owned().into(),
            lifetime: Duration::try_from(left).unwrap_or_default(),
        })
    }
}

#[async_trait]
impl HttpClient for OverEdge {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let failed = |error: EdgeError| azure_core::Error::new(ErrorKind::Io, error);
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => Bytes::new(),
        };
        let mut outgoing =
            http::Request::builder().method(request.method().as_ref()).uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let outgoing =
            outgoing.body(body).map_err(|error| azure_core::Error::new(ErrorKind::Other, error))?;
        self.1.store(0, Ordering::Relaxed);
        let (head, body) = self.0.clone().oneshot(outgoing).await.map_err(failed)?.into_parts();
        self.1.store(head.status.as_u16(), Ordering::Relaxed);
        let body = edge::collect(body, MAX_ANSWER_BYTES).await.map_err(failed)?;
        let mut headers = Headers::new();
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str() {
                headers
                    .insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
            }
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(head.status.as_u16()), headers, body))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use serde_json::json;

    use super::*;
    use crate::error::ServiceError;
    use crate::http::ProxyConfig;
    use crate::tls::TlsConfig;

    /// The options of a connection that nothing is asked of in particular.
    fn options() -> HttpOptions {
        HttpOptions {
            tls: TlsConfig::default(),
            proxy: ProxyConfig::default(),
            timeout: Duration::from_secs(1),
            https_only: true,
        }
    }

    /// What a token request comes to whose answer is this.
    async fn asked(kind: &str, answer: Result<(u16, String), EdgeError>) -> ServiceError {
        let auth: AuthConfig = serde_json::from_value(match kind {
            "managed_identity" => json!({"azure_credential_kind": kind}),
            _ => json!({"azure_credential_kind": kind, "azure_tenant_id": "t", "azure_client_id": "c",
                "azure_client_secret": "s"}),
        })
        .unwrap();
        let edge = Edge::new(tower::service_fn(move |_: http::Request<Bytes>| {
            let answer = answer.clone();
            async move {
                let (status, body) = answer?;
                let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
                Ok(http::Response::builder().status(status).body(body).unwrap())
            }
        }));
        let local = edge.clone();
        let connector = Connector::with(Clock::system(), move |_| Ok(local.clone()));
        let identity = auth.identity(Cloud::Public, &options(), edge, &connector).unwrap();
        identity.fetch("https://graph.microsoft.com/.default").await.unwrap_err().into()
    }

    fn refusal(code: &str) -> String {
        json!({"error": "invalid_client", "error_description": format!("{code}: no."), "error_codes": [1]})
            .to_string()
    }

    #[tokio::test]
    async fn each_way_of_getting_no_token_has_its_own_label_and_words() {
        let lost = || "reset".to_owned();
        for (answer, error_type, words) in [
            (Ok((401, refusal("AADSTS7000215"))), "authentication_failed", "the client secret is wrong"),
            (Ok((400, refusal("AADSTS90002"))), "authentication_failed", "no such tenant"),
            (Ok((429, json!({"error": "throttled"}).to_string())), "unavailable", "trying again"),
            (
                Ok((503, json!({"error": "temporarily_unavailable"}).to_string())),
                "unavailable",
                "trying again",
            ),
            (Ok((502, "<html>Bad Gateway</html>".to_owned())), "unavailable", "trying again"),
            (Err(EdgeError::Refused(lost())), "connection_failed", "connection is refused"),
            (Err(EdgeError::Proxy(lost())), "proxy_failed", "cannot get through the proxy"),
            (Err(EdgeError::Tls(lost())), "tls_failed", "no TLS connection"),
            (Err(EdgeError::TimedOut(lost())), "timed_out", "within the time limit"),
        ] {
            let error = asked("client_secret_credential", answer).await;
            assert_eq!(error.error_type(), error_type, "{error}");
            assert!(error.message().starts_with("no token: ") && error.message().contains(words), "{error}");
        }
    }

    // It tries again by itself, in tokio's time.
    #[tokio::test(start_paused = true)]
    async fn a_managed_identity_that_is_not_there_is_told_from_an_endpoint_that_fails() {
        let nobody = asked("managed_identity", Err(EdgeError::Unreachable("no route".to_owned()))).await;
        assert!(nobody.message().contains("that works only on Azure"), "{nobody}");
        let busy = asked("managed_identity", Ok((503, "{}".to_owned()))).await;
        assert_eq!(busy.error_type(), "unavailable", "{busy}");
    }

    /// An edge that answers with 200 and this, and notes what it was asked for.
    fn answering(answer: serde_json::Value) -> (Edge, Arc<std::sync::Mutex<Vec<String>>>) {
        let asked = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let edge = Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
            let (uri, body) =
                (request.uri().to_string(), String::from_utf8_lossy(request.body()).into_owned());
            noted.lock().unwrap().push(format!("{uri} {body}"));
            let body =
                Full::new(Bytes::from(answer.to_string())).map_err(|never| match never {}).boxed_unsync();
            async move { Ok(http::Response::new(body)) }
        }));
        (edge, asked)
    }

    #[tokio::test]
    async fn a_managed_identity_vouches_for_an_application_of_another_tenant() {
        let auth: AuthConfig = serde_json::from_value(json!({
            "azure_credential_kind": "managed_identity_client_assertion",
            "user_assigned_managed_identity_id": "mine",
            "client_assertion_tenant_id": "customer", "client_assertion_client_id": "app",
        }))
        .unwrap();
        let mut problems = Vec::new();
        auth.validate("auth", &mut problems);
        assert_eq!(problems, []);
        let token = |text: &str| json!({"access_token": text, "expires_in": 3_600, "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"});
        let (local, at_home) = answering(token("vouches"));
        let (login, abroad) = answering(token("the application's"));
        let connector = Connector::with(Clock::system(), move |_| Ok(local.clone()));
        let identity = auth.identity(Cloud::Public, &options(), login, &connector).unwrap();
        let token = identity.fetch("https://monitor.azure.com/.default").await.unwrap();
        assert_eq!(token.secret.expose(), "the application's");
        let (here, there) = (at_home.lock().unwrap().join("\n"), abroad.lock().unwrap().join("\n"));
        assert!(here.contains("AzureADTokenExchange") && here.contains("client_id=mine"), "{here}");
        assert!(there.starts_with("https://login.microsoftonline.com/customer/"), "{there}");
        for part in ["client_assertion=vouches", "client_id=app", "scope=https%3A%2F%2Fmonitor.azure.com"] {
            assert!(there.contains(part), "{there}");
        }
    }
}
