//! Azure Resource Manager in front of the provider: who may pass, and how often.

// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
// https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors

use std::sync::Mutex;

use axum::http::{HeaderName, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::super::answers::{self, Objection};
use super::super::arm;
use super::super::asked::Asked;
use super::super::config::WorkspaceRole;
use super::super::faults::Service;
use super::super::limits::Bucket;
use super::super::store::lock;
use super::super::world::World;
use super::config::ArmQuota;
use super::connector;

/// The stable versions of the provider that have incidents.
// https://github.com/Azure/azure-rest-api-specs/tree/main/specification/securityinsights/resource-manager
const VERSIONS: [&str; 12] = [
    "2020-01-01",
    "2021-04-01",
    "2021-10-01",
    "2022-08-01",
    "2022-11-01",
    "2023-02-01",
    "2023-11-01",
    "2024-03-01",
    "2024-09-01",
    "2025-03-01",
    "2025-06-01",
    "2025-09-01",
];

/// What a path names.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    subscription: String,
    group: String,
    workspace: String,
    #[serde(default)]
    pub(super) incident: String,
    #[serde(default)]
    pub(super) comment: String,
}

/// A request to the provider.
pub(super) type Request = Asked<Place>;

/// What a request is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Write,
    Delete,
}

/// Status and body of what was done; null is no body.
pub(super) type Outcome = Result<(StatusCode, Value), Objection>;

/// What counts the requests of the one application.
#[derive(Debug)]
pub(in super::super) struct Doors {
    reads: Mutex<Bucket>,
    writes: Mutex<Bucket>,
    deletes: Mutex<Bucket>,
}

/// Lets `run` answer a request that may pass.
pub(super) fn serve(asked: &Request, action: Action, run: impl FnOnce() -> Outcome) -> Response {
    let Request { world, path: place, .. } = asked;
    let entered = arm::check_token(asked)
        .and_then(|()| check_version(&asked.uri))
        .and_then(|()| arm::check_subscription(world, &place.subscription));
    if let Err(objection) = entered {
        return refuse(asked, &objection);
    }
    let left = match lock(world.doors.of(action)).take(world.clock.monotonic()) {
        Ok(left) => left,
        Err(wait) => {
            let seconds = wait.as_nanos().div_ceil(1_000_000_000).max(1);
            world.records.count(|stats| stats.security_insights_throttled += 1);
            let message = format!(
                "Number of '{}' requests for subscription '{}' actor '{}' exceeded. Please try again after \
                '{seconds}' seconds after additional tokens are available. Refer to \
                https://aka.ms/arm-throttling for additional information.",
                action.verb(),
                place.subscription,
                world.config.client_id
            );
            let status = StatusCode::TOO_MANY_REQUESTS;
            let objection = Objection::new(status, "SubscriptionRequestsThrottled", message);
            let mut answer =
                refuse(asked, &Objection { retry_after: Some(seconds.to_string()), ..objection });
            answers::put(answer.headers_mut(), action.remaining(), "0");
            return answer;
        }
    };
    let done = check_role(world, place, action).and_then(|()| check_place(world, place)).and_then(|()| {
        connector::mirror(world);
        run()
    });
    let mut answer = match done {
        Ok((status, body)) => answers::arm(world, status, &body),
        Err(objection) => refuse(asked, &objection),
    };
    answers::put(answer.headers_mut(), action.remaining(), &left.to_string());
    answer
}

fn refuse(asked: &Request, objection: &Objection) -> Response {
    answers::refuse(&asked.world, Service::SecurityInsights, &asked.headers, objection)
}

fn check_version(uri: &Uri) -> Result<(), Objection> {
    let version = arm::version(uri)?;
    if VERSIONS.contains(&&*version) {
        return Ok(());
    }
    let message = format!(
        "The resource type 'incidents' could not be found in the namespace 'Microsoft.SecurityInsights' for \
        api version '{version}'. The supported api-versions are '{}'.",
        VERSIONS.join(",")
    );
    Err(Objection::new(StatusCode::BAD_REQUEST, "InvalidResourceType", message))
}

fn check_role(world: &World, place: &Place, action: Action) -> Result<(), Objection> {
    let role = match action {
        Action::Read => WorkspaceRole::Reader,
        Action::Write => WorkspaceRole::Responder,
        // Not even the author of a comment may delete it with less.
        // https://learn.microsoft.com/azure/sentinel/investigate-incidents#comment-on-incidents
        Action::Delete => WorkspaceRole::Contributor,
    };
    if world.config.roles.incidents >= role {
        return Ok(());
    }
    let resource = if place.comment.is_empty() { "incidents" } else { "incidents/comments" };
    let action = format!("Microsoft.SecurityInsights/{resource}/{}", action.verb());
    Err(arm::forbidden(world, &action, &world.config.workspace.path()))
}

fn check_place(world: &World, place: &Place) -> Result<(), Objection> {
    let workspace = &world.config.workspace;
    if !place.group.eq_ignore_ascii_case(&workspace.resource_group) {
        let message = format!("Resource group '{}' could not be found.", place.group);
        return Err(Objection::not_found("ResourceGroupNotFound", message));
    }
    if place.workspace.eq_ignore_ascii_case(&workspace.name) {
        return Ok(());
    }
    let message = format!(
        "The Resource 'Microsoft.OperationalInsights/workspaces/{}' under resource group '{}' was not found. For \
        more details please go to https://aka.ms/ARMResourceNotFoundFix",
        place.workspace, place.group
    );
    Err(Objection::not_found("ResourceNotFound", message))
}

// === impl Doors ===

impl Doors {
    pub(in super::super) const fn new(quota: ArmQuota) -> Self {
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
