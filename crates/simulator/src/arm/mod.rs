//! Fake Azure Resource Manager: one host for the resources of all services, and what it asks of every request. Sentinel's
//! incidents have a gateway of their own, see [`crate::sentinel`].

// https://learn.microsoft.com/azure/azure-resource-manager/management/overview

mod resource_graph;
pub(crate) mod rules;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use serde_json::Value;
use url::form_urlencoded;

use crate::core::faults::Service;
use crate::core::request::{ApiRequest, bearer};
use crate::core::responses::{self, ApiError};
use crate::entra::tokens::{Audience, Refusal};
use crate::sim_state::SimState;

/// What a request comes to: a body, or what is against it.
pub(crate) type Answered = Result<Value, ApiError>;

type Handler = fn(&ApiRequest) -> Answered;

/// Everything that is below a subscription, or a provider of the whole tenant.
pub(crate) fn routes() -> Router<Arc<SimState>> {
    Router::new()
        .route("/subscriptions/{subscription}/{*path}", any(answer))
        .route("/providers/{*path}", any(answer))
}

async fn answer(request: ApiRequest) -> Response {
    request.answer(Service::ResourceManager, || {
        check_token(&request)?;
        Ok(responses::arm(&request.state, StatusCode::OK, &route(&request)?))
    })
}

/// Who answers what: method, path in small letters with `*` for a name, and the handler.
const RESOURCES: [(&str, &str, Handler); 3] = [
    ("POST", "/providers/microsoft.resourcegraph/resources", resource_graph::query),
    (
        "GET",
        "/subscriptions/*/resourcegroups/*/providers/microsoft.insights/datacollectionrules/*",
        rules::rule,
    ),
    (
        "GET",
        "/subscriptions/*/resourcegroups/*/providers/microsoft.operationalinsights/workspaces/*/tables/*",
        rules::table,
    ),
];

/// Finds who answers. Ids of resources are the same in any case, which is why the router does not do it.
// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
fn route(request: &ApiRequest) -> Answered {
    let path = request.uri.path().to_ascii_lowercase();
    let names: Vec<_> = path.trim_end_matches('/').split('/').collect();
    let is_at = |pattern: &str| {
        let mut wanted = pattern.split('/').zip(&names);
        pattern.split('/').count() == names.len()
            && wanted.all(|(known, name)| known == "*" || known == *name)
    };
    let found = RESOURCES.iter().find(|(method, pattern, _)| request.method == *method && is_at(pattern));
    let Some((_, _, answer)) = found else {
        let message = format!("The resource type could not be found for '{}'.", request.uri.path());
        return Err(ApiError::not_found("InvalidResourceType", message));
    };
    answer(request)
}

/// Lets a request in that has a token for this audience.
pub(crate) fn check_token<P>(request: &ApiRequest<P>) -> Result<(), ApiError> {
    let (tokens, now) = (&request.state.tokens, request.state.clock.now());
    let checked = tokens.check(bearer(&request.headers), Audience::Management, now);
    checked.map_err(|refusal| {
        let (code, message) = match refusal {
            Refusal::Missing => {
                ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
            }
            Refusal::Unknown => ("InvalidAuthenticationToken", "The access token is invalid."),
            Refusal::Expired => ("ExpiredAuthenticationToken", "The access token expiry UTC time is over."),
            Refusal::WrongAudience => (
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource. It should exactly match \
                with one of the allowed audiences 'https://management.azure.com/'.",
            ),
        };
        ApiError::new(StatusCode::UNAUTHORIZED, code, message)
    })
}

/// The version of the API that a request names.
pub(crate) fn version(uri: &Uri) -> Result<Cow<'_, str>, ApiError> {
    let mut options = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let found = options.find(|(name, _)| name == "api-version");
    found.map(|(_, version)| version).ok_or_else(|| {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        ApiError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message)
    })
}

/// Lets a request in for a subscription that there is.
pub(crate) fn check_subscription(state: &SimState, id: &str) -> Result<(), ApiError> {
    if id.eq_ignore_ascii_case(&state.config.workspace.subscription_id) {
        return Ok(());
    }
    Err(ApiError::not_found("SubscriptionNotFound", format!("The subscription '{id}' could not be found.")))
}

/// What an identity is told that lacks a role for `action`.
// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
pub(crate) fn forbidden(state: &SimState, action: &str, scope: &str) -> ApiError {
    let id = &state.config.client_id;
    let message = format!(
        "The client '{id}' with object id '{id}' does not have authorization to perform action '{action}' over \
        scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
        credentials."
    );
    ApiError::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message)
}

// === impl ApiRequest ===

impl ApiRequest {
    /// The last segment of the path.
    pub(crate) fn name(&self) -> &str {
        self.uri.path().rsplit('/').next().unwrap_or_default()
    }

    /// Whether the request names this version of the API, and a subscription that there is.
    pub(crate) fn check(&self, version: &str) -> Result<(), ApiError> {
        let found = self::version(&self.uri)?;
        if found != version {
            let message = format!("The api-version '{found}' is invalid.");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message));
        }
        // A provider of the whole tenant has none.
        let subscription =
            self.uri.path().strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next());
        subscription.map_or(Ok(()), |id| check_subscription(&self.state, id))
    }

    /// What an identity is told that lacks a role for `action`.
    pub(crate) fn forbidden(&self, action: &str) -> ApiError {
        forbidden(&self.state, action, self.uri.path())
    }
}
