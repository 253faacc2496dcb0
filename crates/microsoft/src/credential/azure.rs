//! `azure_identity` as an [`TokenProvider`], over our own edge.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering};
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
use azure_core::time::{self, OffsetDateTime};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use bytes::Bytes;
use chrono::DateTime;
use runtime::clock::Clock;
use runtime::edge::{self, Edge, EdgeError};
use runtime::retry::retry_after;
use runtime::secret::SensitiveString;
use runtime::telemetry::{ComponentLabels, LogInterval};
use tower::ServiceExt;
use tracing::warn;

use super::assertion::CertificateAssertion;
use super::certificate::{CertificateWatch, Certified};
use super::config::{AuthConfig, CredentialKind, IdentityIdType};
use super::identity_endpoint::Refusal;
use super::token::{REFRESH_MARGIN, Token, TokenProvider};
use crate::cloud::Cloud;
use crate::connection::Connector;
use crate::error::{ConnectError, TokenError};
use crate::http::{HttpOptions, chain};

/// Most bytes of an answer with a token that are read: tokens have some thousand.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How `azure_identity` ends its words about a kind of machine whose managed identities it does not know.
const UNSUPPORTED: &str = "managed identity isn't supported";
/// How far a clock may be off before that is said: so much Entra ID allows.
/// Source: <https://learn.microsoft.com/troubleshoot/entra/entra-id/app-integration/error-code-aadsts700024-client-assertion-not-within-valid-time-range>
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);
/// How often that is said.
const CLOCK_SAID_EVERY: Duration = Duration::from_hours(24);

/// What a credential of `azure_identity` is made from. One is made for each token: it has a cache of its own, by the machine's
/// clock, which stays empty that way.
struct AzureIdentity {
    auth: AuthConfig,
    authority_host: String,
    edge: Edge,
    clock: Clock,
    /// The component of a run that it is for.
    labels: Option<ComponentLabels>,
    watch: Arc<CertificateWatch>,
    /// The certificate that is shown to the service, if one is, and its file.
    shown: Option<(Certified, Option<PathBuf>, CertificateWatch)>,
    clock_said: LogInterval,
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

/// What is left of the last answer to a request for a token.
#[derive(Debug, Default)]
struct Answered {
    /// Its status; 0 if there was no answer.
    status: AtomicU16,
    /// The seconds to wait that it asks for; 0 if it does not.
    wait: AtomicU64,
    /// The seconds that our clock is ahead of the clock of whoever answered, as far as that said.
    ahead: AtomicI64,
}

/// Our edge, as `azure_identity` wants it.
struct OverEdge {
    edge: Edge,
    clock: Clock,
    answered: Arc<Answered>,
    /// Whether what is asked is the managed identity's endpoint. The library asks that again for more than a minute without a
    /// word, and leaves out why it refuses; so what is no token is made an error here that it passes on at once.
    is_identity_endpoint: bool,
}

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
        let (labels, clock) = (&connector.labels, &connector.clock);
        let made = |auth: Self, edge, vouching| AzureIdentity {
            auth,
            labels: labels.clone(),
            watch: Arc::new(CertificateWatch::new("auth.certificate_path", labels.clone(), clock.clone())),
            shown: http.tls.shown_certificate().map(|(certified, path)| {
                (certified, path, CertificateWatch::new("tls.crt_file", labels.clone(), clock.clone()))
            }),
            clock_said: LogInterval::new(CLOCK_SAID_EVERY),
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
        identity.look_at_shown();
        Ok(Arc::new(identity))
    }
}

// === impl AzureIdentity ===

impl AzureIdentity {
    fn options(&self, answered: &Arc<Answered>) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority_host);
        let transport = OverEdge {
            edge: self.edge.clone(),
            clock: self.clock.clone(),
            answered: Arc::clone(answered),
            is_identity_endpoint: self.auth.azure_credential_kind == CredentialKind::ManagedIdentity,
        };
        ClientOptions {
            // Whoever wants the token tries again, and knows how often and how long.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(transport))),
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
            watch: Arc::clone(&self.watch),
        }
    }

    /// A credential that leaves what there is to know of its last answer in `answered`. `assertion` is the token of whoever vouches for it,
    /// if somebody does.
    fn make(
        &self,
        answered: &Arc<Answered>,
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
                let made = ManagedIdentityCredential::new(Some(options)).map(|made| made as _);
                // "Azure Arc managed identity isn't supported", and the like.
                return made.map_err(|error| {
                    let is_unsupported = error.to_string().ends_with(UNSUPPORTED);
                    if is_unsupported {
                        ConnectError::IdentitySource(error)
                    } else {
                        ConnectError::Auth(error)
                    }
                });
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

    fn look_at_shown(&self) {
        if let Some((certified, path, watch)) = &self.shown {
            watch.look(certified, path.as_deref());
        }
    }

    /// Says that our clock is wrong, if it seems to be by what a token and its answer say.
    fn say_clock(&self, ahead: i64, lifetime: Duration) {
        let is_off = ahead.unsigned_abs() > CLOCK_TOLERANCE.as_secs();
        if !(is_off || lifetime < REFRESH_MARGIN) || self.clock_said.due(&self.clock).is_none() {
            return;
        }
        let who = self.labels.as_ref().map(|labels| format!("{labels}: ")).unwrap_or_default();
        let component_id = self.labels.as_ref().map(|labels| labels.id.as_str());
        if is_off {
            let (minutes, way) = (ahead.unsigned_abs() / 60, if ahead > 0 { "ahead of" } else { "behind" });
            warn!(
                component_id,
                "{who}this machine's clock is {minutes} minutes {way} the clock of whoever gives tokens: set it right. What is \
                 signed here may be refused, and times of arrival are wrong"
            );
        } else {
            let seconds = lifetime.as_secs();
            warn!(
                component_id,
                "{who}a new token ends in {seconds} s by this machine's clock, and is used until it is refused: is the clock \
                 right?"
            );
        }
    }

    /// What an error means after that answer. The library does not always say it: an error page
    /// is only "cannot be read" to it.
    fn token_error(&self, error: &azure_core::Error, answered: &Answered) -> TokenError {
        let status = answered.status.load(Ordering::Relaxed);
        let wait = Some(Duration::from_secs(answered.wait.load(Ordering::Relaxed)));
        let wait = wait.filter(|wait| !wait.is_zero());
        let mut causes =
            std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
        // The library appends a link to its own troubleshooting page after a line break.
        let words = chain(error).replace("\r\n", " ").replace('\n', " ");
        let refusal = causes.clone().find_map(|cause| cause.downcast_ref::<Refusal>());
        if let Some(refusal) = refusal {
            return TokenError::IdentityEndpoint(refusal.clone(), wait);
        }
        let edge = causes.find_map(|cause| cause.downcast_ref::<EdgeError>());
        match (self.auth.azure_credential_kind, edge) {
            (CredentialKind::AzureCli, _) => TokenError::Unusable(words),
            // The identity's endpoint is on every machine of Azure, and on no other.
            (CredentialKind::ManagedIdentity, Some(_)) => TokenError::NoManagedIdentity(words),
            (_, Some(edge)) => TokenError::NoAnswer(edge.clone()),
            _ if status == 429 || status >= 500 => TokenError::Unavailable(words, wait),
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
        let answered = Arc::<Answered>::default();
        let credential =
            self.make(&answered, assertion).map_err(|error| TokenError::Unusable(error.to_string()))?;
        let token = credential
            .get_token(&[scope], None)
            .await
            .map_err(|error| self.token_error(&error, &answered))?;
        // It says when the token expires by the machine's clock, so what is left is counted by that too.
        let mut left = token.expires_on - OffsetDateTime::now_utc();
        let ahead = answered.ahead.load(Ordering::Relaxed);
        if self.auth.azure_credential_kind == CredentialKind::ManagedIdentity {
            // Its endpoint says so by its own clock.
            left += time::Duration::seconds(ahead);
        }
        let lifetime = Duration::try_from(left).unwrap_or_default();
        self.say_clock(ahead, lifetime);
        self.look_at_shown();
        Ok(Token { secret: token.token.secret().to_owned().into(), lifetime })
    }
}

#[async_trait]
impl HttpClient for OverEdge {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let kind = if self.is_identity_endpoint { ErrorKind::Credential } else { ErrorKind::Io };
        let failed = |error: EdgeError| azure_core::Error::new(kind.clone(), error);
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
        self.answered.status.store(0, Ordering::Relaxed);
        let (head, body) = self.edge.clone().oneshot(outgoing).await.map_err(failed)?.into_parts();
        let date = head.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let ahead = date.map_or(0, |date| (self.clock.now() - date.to_utc()).num_seconds());
        self.answered.ahead.store(ahead, Ordering::Relaxed);
        let wait = head.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after::parse(value, self.clock.now()));
        self.answered.wait.store(wait.map_or(0, |wait| wait.as_secs().max(1)), Ordering::Relaxed);
        let status = head.status.as_u16();
        self.answered.status.store(status, Ordering::Relaxed);
        let body = edge::collect(body, MAX_ANSWER_BYTES).await.map_err(failed)?;
        if self.is_identity_endpoint && !head.status.is_success() {
            return Err(azure_core::Error::new(ErrorKind::Credential, Refusal::of(status, &body)));
        }
        let mut headers = Headers::new();
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str() {
                headers
                    .insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
            }
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(status), headers, body))
    }
}

#[cfg(test)]
#[path = "azure_tests.rs"]
mod tests;
