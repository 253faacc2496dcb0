//! Azure Resource Manager in front of the provider: who may pass, and how often.

// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
// https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors

use std::sync::Mutex;

use axum::http::{HeaderName, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::config::ArmQuota;
use super::connector;
use crate::arm;
use crate::config::WorkspaceRole;
use crate::core::faults::Service;
use crate::core::limits::Bucket;
use crate::core::request::ApiRequest;
use crate::core::responses::{self, ApiError};
use crate::core::store::lock;
use crate::sim_state::SimState;

/// The stable versions of the provider that have incidents.
// https://github.com/Azure/azure-rest-api-specs/tree/main/specification/securityinsights/resource-manager
const VERSIONS: &str = "2020-01-01 2021-04-01 2021-10-01 2022-08-01 2022-11-01 2023-02-01 2023-11-01 2024-03-01 2024-09-01 \
    2025-03-01 2025-06-01 2025-09-01";

/// What a path names.
#[derive(Debug, Deserialize)]
pub(crate) struct ResourcePath {
    subscription: String,
    group: String,
    workspace: String,
    #[serde(default)]
    pub(crate) incident: String,
    #[serde(default)]
    pub(crate) comment: String,
}

/// A request to the provider.
pub(crate) type Request = ApiRequest<ResourcePath>;

/// What a request is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    Delete,
}

/// Status and body of what was done; null is no body.
pub(crate) type Outcome = Result<(StatusCode, Value), ApiError>;

/// What counts the requests of the one application.
#[derive(Debug)]
pub(crate) struct ArmGateway {
    reads: Mutex<Bucket>,
    writes: Mutex<Bucket>,
    deletes: Mutex<Bucket>,
}

/// Lets `run` answer a request that may pass.
pub(crate) fn serve(request: &Request, action: Action, run: impl FnOnce() -> Outcome) -> Response {
    let Request { state, path, .. } = request;
    let entered = arm::check_token(request)
        .and_then(|()| check_version(&request.uri))
        .and_then(|()| arm::check_subscription(state, &path.subscription));
    if let Err(error) = entered {
        return refuse(request, &error);
    }
    let left = match lock(state.arm_gateway.of(action)).take(state.clock.ticks()) {
        Ok(left) => left,
        Err(wait) => {
            let seconds = wait.as_nanos().div_ceil(1_000_000_000).max(1);
            state.records.count(|stats| stats.security_insights_throttled += 1);
            let message = format!(
                "Number of '{}' requests for subscription '{}' actor '{}' exceeded. Please try again after \
                '{seconds}' seconds after additional tokens are available. Refer to \
                https://aka.ms/arm-throttling for additional information.",
                action.verb(),
                path.subscription,
                state.config.client_id
            );
            let status = StatusCode::TOO_MANY_REQUESTS;
            let error = ApiError::new(status, "SubscriptionRequestsThrottled", message);
            let mut answer = refuse(request, &ApiError { retry_after: Some(seconds.to_string()), ..error });
            responses::put(answer.headers_mut(), action.remaining(), "0");
            return answer;
        }
    };
    let done = check_role(state, path, action).and_then(|()| check_path(state, path)).and_then(|()| {
        connector::mirror(state);
        run()
    });
    let mut answer = match done {
        Ok((status, body)) => responses::arm(state, status, &body),
        Err(error) => refuse(request, &error),
    };
    responses::put(answer.headers_mut(), action.remaining(), &left.to_string());
    answer
}

fn refuse(request: &Request, error: &ApiError) -> Response {
    responses::refuse(&request.state, Service::SecurityInsights, &request.headers, error)
}

fn check_version(uri: &Uri) -> Result<(), ApiError> {
    let version = arm::version(uri)?;
    if VERSIONS.split(' ').any(|known| known == version) {
        return Ok(());
    }
    let message = format!(
        "The resource type 'incidents' could not be found in the namespace 'Microsoft.SecurityInsights' for \
        api version '{version}'. The supported api-versions are '{}'.",
        VERSIONS.replace(' ', ",")
    );
    Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidResourceType", message))
}

fn check_role(state: &SimState, path: &ResourcePath, action: Action) -> Result<(), ApiError> {
    let role = match action {
        Action::Read => WorkspaceRole::Reader,
        Action::Write => WorkspaceRole::Responder,
        // Not even the author of a comment may delete it with less.
        // https://learn.microsoft.com/azure/sentinel/investigate-incidents#comment-on-incidents
        Action::Delete => WorkspaceRole::Contributor,
    };
    if state.config.roles.incidents >= role {
        return Ok(());
    }
    let resource = if path.comment.is_empty() { "incidents" } else { "incidents/comments" };
    let action = format!("Microsoft.SecurityInsights/{resource}/{}", action.verb());
    Err(arm::forbidden(state, &action, &state.config.workspace.path()))
}

fn check_path(state: &SimState, path: &ResourcePath) -> Result<(), ApiError> {
    let workspace = &state.config.workspace;
    if !path.group.eq_ignore_ascii_case(&workspace.resource_group) {
        let message = format!("Resource group '{}' could not be found.", path.group);
        return Err(ApiError::not_found("ResourceGroupNotFound", message));
    }
    if path.workspace.eq_ignore_ascii_case(&workspace.name) {
        return Ok(());
    }
    let message = format!(
        "The Resource 'Microsoft.OperationalInsights/workspaces/{}' under resource group '{}' was not found. For \
        more details please go to https://aka.ms/ARMResourceNotFoundFix",
        path.workspace, path.group
    );
    Err(ApiError::not_found("ResourceNotFound", message))
}

// === impl ArmGateway ===

impl ArmGateway {
    pub(crate) const fn new(quota: ArmQuota) -> Self {
        Self {
            reads: Mutex::new(Bucket::new(quota.reads)),
            writes: Mutex::new(Bucket::new(quota.writes)),
            deletes: Mutex::new(Bucket::new(quota.deletes)),
        }
    }

    const fn of(&self, action: Action) -> &Mutex<Bucket> {
        match action {
            Action::Read => &self.reads,
            Action::Write => &self.writes,
            Action::Delete => &self.deletes,
        }
    }
}

// === impl Action ===

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    const fn remaining(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        })
    }
}
