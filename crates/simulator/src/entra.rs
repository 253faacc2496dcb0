//! Fake Entra ID: the token endpoint, its discovery document, and a managed identity's endpoint.
//!
//! Client assertions are read, not verified: whether a signature is right cannot be told from here,
//! because nobody registered a certificate.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::answers::{self, Objection};
use super::asked::Asked;
use super::faults::Service;
use super::tokens::Audience;
use super::world::World;

// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#second-case-access-token-request-with-a-certificate
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The fields of a form, or of a query.
type Fields = BTreeMap<String, String>;

/// `POST /{tenant}/oauth2/v2.0/token`
pub(super) async fn token(asked: Asked<String>) -> Response {
    answer(&asked, |world| {
        let audience = audience(world, &asked.path, &fields(&asked.body))?;
        let token = world.tokens.issue(audience, world.clock.now());
        let lifetime = world.config.token_lifetime.as_secs();
        world.records.count(|stats| stats.tokens_issued += 1);
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }))
    })
}

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#fetch-the-openid-configuration-document
pub(super) async fn discovery(asked: Asked<String>) -> Response {
    answer(&asked, |world| {
        check_tenant(world, &asked.path)?;
        let base = format!("{}/{}", world.url, asked.path);
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

/// `GET /metadata/identity/oauth2/token`: what a virtual machine asks for the token of its identity.
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http
pub(super) async fn managed_identity(asked: Asked) -> Response {
    let world = &asked.world;
    let refused = |message: &str| {
        world.records.count(|stats| stats.tokens_refused += 1);
        let body = json!({"error": "invalid_request", "error_description": message});
        answers::entra_json(StatusCode::BAD_REQUEST, &body)
    };
    if asked.headers.get("metadata").is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return refused("Required metadata header not specified");
    }
    let options = fields(asked.query().as_bytes());
    if !options.contains_key("api-version") {
        return refused("Required query variable 'api-version' is missing");
    }
    if options.get("client_id").is_some_and(|id| !id.eq_ignore_ascii_case(&world.config.client_id)) {
        return refused("Identity not found");
    }
    let resource = options.get("resource").map(String::as_str).unwrap_or_default();
    let Some(audience) = Audience::of_resource(resource, &world.url) else {
        return refused("AADSTS500011: The resource principal was not found in the tenant.");
    };
    let now = world.clock.now();
    let token = world.tokens.issue(audience, now);
    world.records.count(|stats| stats.tokens_issued += 1);
    let lifetime = world.config.token_lifetime.as_secs();
    let expires_on = (now + world.config.token_lifetime).timestamp();
    // Here all numbers are strings.
    let body = json!({
        "access_token": token,
        "client_id": world.config.client_id,
        "expires_in": lifetime.to_string(),
        "expires_on": expires_on.to_string(),
        "ext_expires_in": lifetime.to_string(),
        "not_before": now.timestamp().to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    answers::entra_json(StatusCode::OK, &body)
}

/// Whom the client may have a token for.
fn audience(world: &World, tenant: &str, form: &Fields) -> Result<Audience, Objection> {
    let field = |name: &str| form.get(name).map(String::as_str);
    check_tenant(world, tenant)?;
    if field("grant_type") != Some("client_credentials") {
        return Err(bad_request(
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        ));
    }
    let client_id = field("client_id").unwrap_or_default();
    if !client_id.eq_ignore_ascii_case(&world.config.client_id) {
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
        .and_then(|resource| Audience::of_resource(resource, &world.url))
        .ok_or_else(|| {
            let text = format!(
                "AADSTS70011: The provided value for the input parameter 'scope' is \
                not valid. The scope {scope} is not valid."
            );
            bad_request("invalid_scope", &text)
        })?;
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) if secret == world.config.client_secret => Ok(audience),
        (Some(_), _) => Err(invalid_client(
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the \
            request is the client secret value, not the client secret ID.",
        )),
        (None, Some(assertion)) if field("client_assertion_type") == Some(ASSERTION_TYPE) => {
            check_assertion(world, tenant, assertion)?;
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
fn check_assertion(world: &World, tenant: &str, assertion: &str) -> Result<(), Objection> {
    let claims = claims_of(assertion)
        .ok_or_else(|| invalid_client("AADSTS50027: JWT token is invalid or malformed."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_own = text("iss").is_some_and(|issuer| issuer.eq_ignore_ascii_case(&world.config.client_id));
    let expires = claims.get("exp").and_then(Value::as_f64);
    let now = world.clock.now().timestamp() as f64;
    if expires.map_or(is_own, |expires| expires <= now) {
        return Err(invalid_client("AADSTS700024: Client assertion is not within its valid time range."));
    }
    let here = format!("{}/{tenant}/oauth2/v2.0/token", world.url);
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

fn check_tenant(world: &World, tenant: &str) -> Result<(), Objection> {
    if tenant.eq_ignore_ascii_case(&world.config.tenant_id) {
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
fn bad_request(error: &'static str, description: &str) -> Objection {
    Objection::new(StatusCode::BAD_REQUEST, error, description)
}

fn invalid_client(description: &str) -> Objection {
    Objection::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

fn answer<P>(asked: &Asked<P>, run: impl FnOnce(&World) -> Result<Value, Objection>) -> Response {
    asked.answer(Service::Entra, || {
        let body = run(&asked.world);
        asked.world.records.count(|stats| stats.tokens_refused += u64::from(body.is_err()));
        Ok(answers::entra_json(StatusCode::OK, &body?))
    })
}

fn fields(encoded: &[u8]) -> Fields {
    form_urlencoded::parse(encoded).into_owned().collect()
}
