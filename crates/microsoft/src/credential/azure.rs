//! `azure_identity` as an [`TokenProvider`], over our own edge.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport,
};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use bytes::Bytes;
use runtime::edge::{self, Edge, EdgeError};
use tower::ServiceExt;

use super::assertion::CertificateAssertion;
use super::config::{AuthConfig, CredentialKind, IdentityIdType};
use super::token::{Token, TokenProvider};
use crate::cloud::Cloud;
use crate::connection::Connector;
use crate::error::TokenError;
use crate::http::{HttpOptions, chain};

/// Most bytes of an answer with a token that are read: tokens have some thousand.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What a credential of `azure_identity` is made from. One is made for each token: it has a cache of its own, by the machine's
/// clock, which stays empty that way.
struct AzureIdentity {
    auth: AuthConfig,
    authority_host: String,
    edge: Edge,
    /// For the endpoint on this machine, which speaks plain HTTP and is never behind a proxy.
    local: HttpOptions,
    connector: Connector,
}

/// Our edge, as `azure_identity` wants it.
struct OverEdge(Edge);

impl fmt::Debug for OverEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverEdge")
    }
}

// === impl AuthConfig ===

impl AuthConfig {
    /// The identity that these options describe, whose tokens are fetched over `edge`. Reads the certificate or the environment
    /// if its kind wants them, asks nobody for a token.
    pub(crate) fn identity(
        &self,
        cloud: Cloud,
        http: &HttpOptions,
        edge: Edge,
        connector: &Connector,
    ) -> Result<Arc<dyn TokenProvider>, String> {
        let authority_host = self.authority_host.clone().unwrap_or_else(|| cloud.login().to_owned());
        let (connector, local) = (connector.clone(), http.on_this_machine());
        let identity = AzureIdentity { auth: self.clone(), authority_host, edge, local, connector };
        // A file or a variable that cannot be used is reported at the start.
        identity.make()?;
        Ok(Arc::new(identity))
    }
}

// === impl AzureIdentity ===

impl AzureIdentity {
    fn options(&self, edge: Edge) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority_host);
        ClientOptions {
            // Whoever wants the token tries again, and knows how often and how long.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(OverEdge(edge)))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        }
    }

    fn make(&self) -> Result<Arc<dyn TokenCredential>, String> {
        let auth = &self.auth;
        let client_options = self.options(self.edge.clone());
        let assertion_options =
            || ClientAssertionCredentialOptions { client_options: self.options(self.edge.clone()) };
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
                let assertion = CertificateAssertion {
                    path: auth.certificate_path.clone().unwrap_or_default(),
                    password: auth.certificate_password.clone(),
                    client_id: client.clone(),
                    token_url: format!(
                        "{}/{tenant}/oauth2/v2.0/token",
                        self.authority_host.trim_end_matches('/')
                    ),
                    clock: self.connector.clock.clone(),
                };
                assertion.check()?;
                ClientAssertionCredential::new(tenant, client, assertion, Some(assertion_options()))
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
                let local = self.connector.open(&self.local).map_err(|error| error.to_string())?;
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id,
                    client_options: self.options(local),
                };
                ManagedIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            CredentialKind::WorkloadIdentity => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: assertion_options(),
                    client_id: auth.client_id.clone(),
                    tenant_id: auth.tenant_id.clone(),
                    token_file_path: auth.token_file_path.clone(),
                };
                WorkloadIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            CredentialKind::AzureCli => AzureCliCredential::new(None).map(|made| made as _),
        };
        made.map_err(|error| format!("cannot use these auth options: {}", chain(&error)))
    }

    fn token_error(&self, error: &azure_core::Error) -> TokenError {
        let mut causes =
            std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
        // The library appends a link to its own troubleshooting page after a line break.
        let words = chain(error).replace("\r\n", " ").replace('\n', " ");
        let edge = causes.find_map(|cause| cause.downcast_ref::<EdgeError>());
        match (self.auth.azure_credential_kind, error.kind(), edge) {
            (CredentialKind::ManagedIdentity, ..) => TokenError::NoManagedIdentity(words),
            (CredentialKind::AzureCli, ..) => TokenError::Unusable(words),
            (_, _, Some(edge)) => TokenError::NoAnswer(edge.clone()),
            (_, ErrorKind::HttpResponse { status, .. }, _)
                if *status == StatusCode::TooManyRequests || status.is_server_error() =>
            {
                TokenError::Unavailable(words)
            }
            _ => TokenError::Refused(words),
        }
    }
}

#[async_trait]
impl TokenProvider for AzureIdentity {
    async fn fetch(&self, scope: &str) -> Result<Token, TokenError> {
        let credential = self.make().map_err(TokenError::Unusable)?;
        let token = credential.get_token(&[scope], None).await.map_err(|error| self.token_error(&error))?;
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
        let (head, body) = self.0.clone().oneshot(outgoing).await.map_err(failed)?.into_parts();
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
