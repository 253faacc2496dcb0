//! Requests that carry a token, and a fresh one if the first is refused.

use std::sync::Arc;

use super::Failure;
use super::cloud::Cloud;
use super::credential::{AuthConfig, Credential};
use super::http::{self, HttpOptions, Reply};
use runtime::clock::Clock;

/// A way to send requests to one service as one identity.
#[derive(Clone)]
pub struct Authorized {
    http: reqwest::Client,
    credential: Arc<Credential>,
    scope: String,
    clock: Clock,
}

// === impl Authorized ===

impl Authorized {
    /// A way to the service whose tokens have `scope`, such as `https://monitor.azure.com/.default`. Reads certificate
    /// files, asks nobody anything.
    pub fn new(
        auth: &AuthConfig,
        cloud: Cloud,
        http: &HttpOptions,
        scope: String,
        clock: &Clock,
    ) -> Result<Self, String> {
        let credential = Credential::new(auth.clone(), cloud, http, clock.clone())?;
        Ok(Self { http: http.build()?, credential: Arc::new(credential), scope, clock: clock.clone() })
    }

    /// The same identity's way to another service, whose tokens have `scope`.
    #[must_use]
    pub fn with_scope(&self, scope: String) -> Self {
        Self { scope, ..self.clone() }
    }

    /// Sends what `request` makes, with a token. If the answer is 401, the token is renewed once and the request sent
    /// once more; what comes then is the answer. The body of an answer may have `cap` bytes.
    pub async fn send(
        &self,
        cap: usize,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Reply, Failure> {
        let token = self.credential.token(&self.scope).await?;
        let reply = http::send(request(&self.http).bearer_auth(token.secret()), cap, &self.clock).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let token = self.credential.renewed_token(&self.scope, &token).await?;
        http::send(request(&self.http).bearer_auth(token.secret()), cap, &self.clock).await
    }
}
