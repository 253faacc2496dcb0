//! Fake Azure Resource Manager: one host for the resources of all services, and what it asks of every request. Sentinel's
//! incidents are behind a door of their own, see [`super::security_insights`].

// https://learn.microsoft.com/azure/azure-resource-manager/management/overview

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use serde_json::Value;
use url::form_urlencoded;

use super::answers::{self, Objection};
use super::asked::{Asked, bearer};
use super::faults::Service;
use super::tokens::{Audience, Refusal};
use super::world::World;
use super::{resource_graph, rules};

/// What a request comes to: a body, or what is against it.
pub(super) type Answered = Result<Value, Objection>;

/// Everything that is below a subscription, or a provider of the whole tenant.
pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/subscriptions/{subscription}/{*path}", any(answer))
        .route("/providers/{*path}", any(answer))
}

async fn answer(asked: Asked) -> Response {
    asked.answer(Service::ResourceManager, || {
        check_token(&asked)?;
        Ok(answers::arm(&asked.world, StatusCode::OK, &route(&asked)?))
    })
}

/// Finds who answers. Ids of resources are the same in any case, which is why the router does not do it.
// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
fn route(asked: &Asked) -> Answered {
    let path = asked.uri.path().to_ascii_lowercase();
    let path: Vec<_> = path.trim_matches('/').split('/').collect();
    match (asked.method.as_str(), path.as_slice()) {
        ("POST", ["providers", "microsoft.resourcegraph", "resources"]) => resource_graph::query(asked),
        (
            "GET",
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.insights",
                "datacollectionrules",
                _,
            ],
        ) => rules::rule(asked),
        (
            "GET",
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.operationalinsights",
                "workspaces",
                _,
                "tables",
                _,
            ],
        ) => rules::table(asked),
        _ => {
            let message = format!("The resource type could not be found for '{}'.", asked.uri.path());
            Err(Objection::not_found("InvalidResourceType", message))
        }
    }
}

/// Lets a request in that has a token for this audience.
pub(super) fn check_token<P>(asked: &Asked<P>) -> Result<(), Objection> {
    let (tokens, now) = (&asked.world.tokens, asked.world.clock.now());
    let checked = tokens.check(bearer(&asked.headers), Audience::Management, now);
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
        Objection::new(StatusCode::UNAUTHORIZED, code, message)
    })
}

/// The version of the API that a request names.
pub(super) fn version(uri: &Uri) -> Result<Cow<'_, str>, Objection> {
    let mut options = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let found = options.find(|(name, _)| name == "api-version");
    found.map(|(_, version)| version).ok_or_else(|| {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        Objection::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message)
    })
}

/// Lets a request in for a subscription that there is.
pub(super) fn check_subscription(world: &World, id: &str) -> Result<(), Objection> {
    if id.eq_ignore_ascii_case(&world.config.workspace.subscription_id) {
        return Ok(());
    }
    Err(Objection::not_found("SubscriptionNotFound", format!("The subscription '{id}' could not be found.")))
}

/// What an identity is told that lacks a role for `action`.
// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
pub(super) fn forbidden(world: &World, action: &str, scope: &str) -> Objection {
    let id = &world.config.client_id;
    let message = format!(
        "The client '{id}' with object id '{id}' does not have authorization to perform action '{action}' over \
        scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
        credentials."
    );
    Objection::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message)
}

// === impl Asked ===

impl Asked {
    /// The last segment of the path.
    pub(super) fn name(&self) -> &str {
        self.uri.path().rsplit('/').next().unwrap_or_default()
    }

    /// Whether the request names this version of the API, and a subscription that there is.
    pub(super) fn check(&self, version: &str) -> Result<(), Objection> {
        let found = self::version(&self.uri)?;
        if found != version {
            let message = format!("The api-version '{found}' is invalid.");
            return Err(Objection::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message));
        }
        // A provider of the whole tenant has none.
        let subscription =
            self.uri.path().strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next());
        subscription.map_or(Ok(()), |id| check_subscription(&self.world, id))
    }

    /// What an identity is told that lacks a role for `action`.
    pub(super) fn forbidden(&self, action: &str) -> Objection {
        forbidden(&self.world, action, self.uri.path())
    }
}
