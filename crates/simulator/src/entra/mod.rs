//! Fake Entra ID: the token endpoint, its discovery document, and a managed identity's endpoint.
//!
//! Client assertions are read, not verified: whether a signature is right cannot be told from here,
//! because nobody registered a certificate.

pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::core::faults::Service;
use crate::core::request::ApiRequest;
use crate::core::responses::{self, ApiError};
use crate::entra::tokens::Audience;
use crate::sim_state::SimState;

// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#second-case-access-token-request-with-a-certificate
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The fields of a form, or of a query.
type Fields = BTreeMap<String, String>;

/// The endpoints of tokens.
pub(crate) fn routes() -> Router<Arc<SimState>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/metadata/identity/oauth2/token", get(managed_identity))
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`
async fn token(request: ApiRequest<String>) -> Response {
    answer(&request, |state| {
        let audience = audience(state, &request.path, &fields(&request.body))?;
        let token = state.tokens.issue(audience, state.clock.now());
        let lifetime = state.config.token_lifetime.as_secs();
        state.records.count(|stats| stats.tokens_issued += 1);
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }))
    })
}

/// Answers `GET /{tenant}/v2.0/.well-known/openid-configuration`
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#fetch-the-openid-configuration-document
async fn discovery(request: ApiRequest<String>) -> Response {
    answer(&request, |state| {
        check_tenant(state, &request.path)?;
        let base = format!("{}/{}", state.url, request.path);
        Ok(json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": format!("{base}/v2.0"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        }))
    })
}

/// Answers `GET /metadata/identity/oauth2/token`: what a virtual machine asks for the token of its identity.
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http
async fn managed_identity(request: ApiRequest) -> Response {
    let state = &request.state;
    let refused = |message: &str| {
        state.records.count(|stats| stats.tokens_refused += 1);
        let body = json!({"error": "invalid_request", "error_description": message});
        responses::entra_json(StatusCode::BAD_REQUEST, &body)
    };
    if request.headers.get("metadata").is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return refused("Required metadata header not specified");
    }
    let options = fields(request.query().as_bytes());
    if !options.contains_key("api-version") {
        return refused("Required query variable 'api-version' is missing");
    }
    if options.get("client_id").is_some_and(|id| !id.eq_ignore_ascii_case(&state.config.client_id)) {
        return refused("Identity not found");
    }
    let resource = options.get("resource").map(String::as_str).unwrap_or_default();
    let Some(audience) = Audience::of_resource(resource, &state.url) else {
        return refused("AADSTS500011: The resource principal was not found in the tenant.");
    };
    let now = state.clock.now();
    let token = state.tokens.issue(audience, now);
    state.records.count(|stats| stats.tokens_issued += 1);
    let lifetime = state.config.token_lifetime.as_secs();
    let expires_on = (now + state.config.token_lifetime).timestamp();
    // Here all numbers are strings.
    let body = json!({
        "access_token": token,
        "client_id": state.config.client_id,
        "expires_in": lifetime.to_string(),
        "expires_on": expires_on.to_string(),
        "ext_expires_in": lifetime.to_string(),
        "not_before": now.timestamp().to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    responses::entra_json(StatusCode::OK, &body)
}

/// Whom the client may have a token for.
fn audience(state: &SimState, tenant: &str, form: &Fields) -> Result<Audience, ApiError> {
    let field = |name: &str| form.get(name).map(String::as_str);
    check_tenant(state, tenant)?;
    if field("grant_type") != Some("client_credentials") {
        return Err(bad_request(
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        ));
    }
    let client_id = field("client_id").unwrap_or_default();
    if !client_id.eq_ignore_ascii_case(&state.config.client_id) {
        return Err(bad_request(
            "unauthorized_client",
            &format!(
                "AADSTS700016: Application with identifier '{client_id}' was not found in the directory."
            ),
        ));
    }
    let scope = field("scope").unwrap_or_default();
    let audience = scope
        .strip_suffix("/.default")
        .and_then(|resource| Audience::of_resource(resource, &state.url))
        .ok_or_else(|| {
            let text = format!(
                "AADSTS70011: The provided value for the input parameter 'scope' is \
                not valid. The scope {scope} is not valid."
            );
            bad_request("invalid_scope", &text)
        })?;
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) if secret == state.config.client_secret => Ok(audience),
        (Some(_), _) => Err(invalid_client(
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the \
            request is the client secret value, not the client secret ID.",
        )),
        (None, Some(assertion)) if field("client_assertion_type") == Some(ASSERTION_TYPE) => {
            check_assertion(state, tenant, assertion)?;
            Ok(audience)
        }
        (None, _) => Err(invalid_client(
            "AADSTS7000218: The request body must contain the following parameter: \
            'client_assertion' or 'client_secret'.",
        )),
    }
}

/// Reads a client assertion. One that the client issued itself must be made for this endpoint; one of
/// another issuer (workload identity) must only be of its time.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials#assertion-format
fn check_assertion(state: &SimState, tenant: &str, assertion: &str) -> Result<(), ApiError> {
    let claims = claims_of(assertion)
        .ok_or_else(|| invalid_client("AADSTS50027: JWT token is invalid or malformed."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_own = text("iss").is_some_and(|issuer| issuer.eq_ignore_ascii_case(&state.config.client_id));
    let expires = claims.get("exp").and_then(Value::as_f64);
    let now = state.clock.now().timestamp() as f64;
    if expires.map_or(is_own, |expires| expires <= now) {
        return Err(invalid_client("AADSTS700024: Client assertion is not within its valid time range."));
    }
    let here = format!("{}/{tenant}/oauth2/v2.0/token", state.url);
    if is_own && text("aud") != Some(&here) {
        return Err(invalid_client(
            "AADSTS700023: Client assertion audience claim does not match Realm issuer.",
        ));
    }
    if is_own && text("sub") != text("iss") {
        return Err(invalid_client(
            "AADSTS700021: Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    Ok(())
}

/// The claims of a JWT with its three parts; its signature is not looked at.
fn claims_of(jwt: &str) -> Option<Map<String, Value>> {
    let parts: Vec<_> = jwt.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok()).collect();
    let [Some(_), Some(claims), Some(_)] = parts.as_slice() else { return None };
    serde_json::from_slice(claims).ok()
}

fn check_tenant(state: &SimState, tenant: &str) -> Result<(), ApiError> {
    if tenant.eq_ignore_ascii_case(&state.config.tenant_id) {
        return Ok(());
    }
    Err(bad_request(
        "invalid_request",
        &format!(
            "AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct \
            tenant ID and are signing into the correct cloud."
        ),
    ))
}

// https://learn.microsoft.com/entra/identity-platform/reference-error-codes#aadsts-error-codes
fn bad_request(error: &'static str, description: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, error, description)
}

fn invalid_client(description: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

fn answer<P>(request: &ApiRequest<P>, run: impl FnOnce(&SimState) -> Result<Value, ApiError>) -> Response {
    request.answer(Service::Entra, || {
        let body = run(&request.state);
        request.state.records.count(|stats| stats.tokens_refused += u64::from(body.is_err()));
        Ok(responses::entra_json(StatusCode::OK, &body?))
    })
}

fn fields(encoded: &[u8]) -> Fields {
    form_urlencoded::parse(encoded).into_owned().collect()
}
