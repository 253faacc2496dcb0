//! One identity, and its tokens for each scope.

use std::fmt;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::sync::RwLock;

use super::assertion::CertificateAssertion;
use super::config::{AuthConfig, CredentialKind, IdentityIdType};
use super::remedy::remedy_for;
use crate::Failure;
use crate::cloud::Cloud;
use crate::http::{HttpOptions, certificate_remedy, chain};
use runtime::clock::Clock;

/// One identity. Tokens are cached for each scope, and renewed five minutes before they expire.
pub struct Credential {
    source: Source,
    current: RwLock<Arc<dyn TokenCredential>>,
}

/// What a credential is made from, so that it can be made anew when a token is refused: that empties its cache.
struct Source {
    auth: AuthConfig,
    authority_host: String,
    http: reqwest::Client,
    /// For the endpoint on this machine, which speaks plain HTTP and is never behind a proxy.
    local: HttpOptions,
    clock: Clock,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("auth", &self.source.auth).finish_non_exhaustive()
    }
}

// === impl Credential ===

impl Credential {
    /// Makes the credential: reads the certificate or the environment if its kind wants them, asks nobody for a token.
    pub fn new(auth: AuthConfig, cloud: Cloud, http: &HttpOptions, clock: Clock) -> Result<Self, String> {
        let authority_host = auth.authority_host.clone().unwrap_or_else(|| cloud.login().to_owned());
        let local = http.without_proxy();
        let source = Source { auth, authority_host, http: http.build()?, local, clock };
        let current = RwLock::new(source.make()?);
        Ok(Self { source, current })
    }

    /// A token for `scope`.
    pub async fn token(&self, scope: &str) -> Result<Secret, Failure> {
        let current = Arc::clone(&*self.current.read().await);
        let token = current.get_token(&[scope], None).await.map_err(|error| token_failure(&error))?;
        Ok(token.token)
    }

    /// A token for `scope` that isn't `refused`. Whoever comes second gets what the first has fetched.
    pub async fn renewed_token(&self, scope: &str, refused: &Secret) -> Result<Secret, Failure> {
        let mut current = self.current.write().await;
        let token = current.get_token(&[scope], None).await.map_err(|error| token_failure(&error))?;
        if token.token.secret() != refused.secret() {
            return Ok(token.token);
        }
        *current = self.source.make().map_err(|error| Failure::unanswered("authentication_failed", error))?;
        let token = current.get_token(&[scope], None).await.map_err(|error| token_failure(&error))?;
        Ok(token.token)
    }
}

// === impl Source ===

impl Source {
    fn options(&self, http: &reqwest::Client) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority_host);
        ClientOptions {
            // Whoever wants the token tries again, and knows how often and how long.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http.clone()))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        }
    }

    fn make(&self) -> Result<Arc<dyn TokenCredential>, String> {
        let auth = &self.auth;
        let client_options = self.options(&self.http);
        let assertion_options =
            || ClientAssertionCredentialOptions { client_options: self.options(&self.http) };
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
                    clock: self.clock.clone(),
                };
                // A file that cannot be used is told at the start.
                assertion.sign()?;
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
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id,
                    client_options: self.options(&self.local.build_with(false)?),
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
}

fn token_failure(error: &azure_core::Error) -> Failure {
    let words = chain(error);
    // The library appends a link to its own troubleshooting page after a line break.
    let words = words.replace("\r\n", " ").replace('\n', " ");
    let not_here = words.contains("ManagedIdentityCredential").then_some(
        "no managed identity answers; that works only on Azure, with an identity assigned to the machine or service",
    );
    let message = match remedy_for(&words).or_else(|| certificate_remedy(&words)).or(not_here) {
        Some(remedy) => format!("no token: {remedy} ({words})"),
        None => format!("no token: {words}"),
    };
    Failure::unanswered("authentication_failed", message)
}
