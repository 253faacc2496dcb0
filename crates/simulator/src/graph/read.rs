//! Fake Microsoft Graph: a list of incidents, and one incident.

// https://learn.microsoft.com/graph/api/security-list-incidents
// https://learn.microsoft.com/graph/api/security-incident-get

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use crate::core::faults::Service;
use crate::core::limits::retry_after;
use crate::core::odata::{Dialect, Query};
use crate::core::records::Served;
use crate::core::request::{ApiRequest, bearer};
use crate::core::responses::{self, ApiError};
use crate::core::stats::Revision;
use crate::core::store::lock;
use crate::entra::tokens::{Audience, Refusal};
use crate::graph::dialect::{INCIDENT, INCIDENTS};
use crate::graph::enum_members;
use crate::sim_state::SimState;

/// Either lets an application read.
// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadall
const READS: [&str; 2] = ["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"];

/// Answers `GET /v1.0/security/incidents` and `/beta/security/incidents`
pub(crate) async fn list(request: ApiRequest) -> Response {
    request.answer(Service::Graph, || {
        admit(&request, &READS)?;
        let state = &request.state;
        let query = read(&request, &INCIDENTS)?;
        let oddities = &state.config.oddities;
        if oddities.refuses_skip && query.skip > 0 {
            let sentence = "The query specified in the URI is not valid. Skip is not supported.";
            return Err(ApiError::bad_request(sentence));
        }
        let page = state.tenant.list(&query);
        let fails_on = |revision: &Revision| oddities.fails_on.as_ref() == Some(&revision.id);
        if query.expands && page.revisions.iter().any(fails_on) {
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UnknownError", ""));
        }

        let mut body = json!({"@odata.context": context(state, &request.uri, query.expands)});
        if query.counts {
            body["@odata.count"] = oddities.count.unwrap_or(page.total).into();
        }
        let after = query.window(page.total).end;
        if after < page.total && !oddities.no_next_link {
            let origin = oddities.links_lead_to.as_ref().unwrap_or(&state.url);
            let link = query.next_link(&format!("{origin}{}", request.uri.path()), after, true);
            body["@odata.nextLink"] = link.into();
        }
        body["value"] = page.incidents.into();
        Ok(serving(&request, body, page.revisions))
    })
}

/// Answers `GET /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(crate) async fn get(request: ApiRequest<String>) -> Response {
    request.answer(Service::Graph, || {
        admit(&request, &READS)?;
        let query = read(&request, &INCIDENT)?;
        let found = request.state.tenant.get(&request.path, query.expands);
        let (revision, incident) = found.ok_or_else(|| not_found(&request.path))?;
        Ok(serving(&request, incident, vec![revision]))
    })
}

fn read<P>(request: &ApiRequest<P>, dialect: &Dialect) -> Result<Query, ApiError> {
    Query::parse(dialect, request.query(), request.state.config.page_size)
        .map_err(|error| ApiError::bad_request(error.to_string()))
}

fn serving<P>(request: &ApiRequest<P>, mut body: Value, revisions: Vec<Revision>) -> Response {
    hide_newer(&request.headers, &mut body);
    let mut answer = responses::graph(&request.state, &request.headers, StatusCode::OK, body.to_string());
    answer.extensions_mut().insert(Served(revisions));
    answer
}

/// Lets a request in that has the right token and one of the permissions, and the quota has room for.
pub(crate) fn admit<P>(request: &ApiRequest<P>, permissions: &[&str]) -> Result<(), ApiError> {
    let state = &request.state;
    state.tokens.check(bearer(&request.headers), Audience::Graph, state.clock.now()).map_err(|refusal| {
        let message = match refusal {
            Refusal::Missing => "Access token is empty.",
            Refusal::Unknown => "CompactToken parsing failed with error code: 80049217",
            Refusal::Expired => "Lifetime validation failed, the token is expired.",
            Refusal::WrongAudience => "Access token validation failure. Invalid audience.",
        };
        ApiError::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    })?;
    lock(&state.graph_quota).take(state.clock.ticks()).map_err(|wait| {
        state.records.count(|stats| stats.graph_throttled += 1);
        ApiError::too_many_requests(retry_after(wait))
    })?;
    let granted = &state.config.graph_permissions;
    if granted.iter().any(|one| permissions.contains(&one.as_str())) {
        return Ok(());
    }
    let message = format!(
        "Missing application roles. API required roles: {}, application roles: {}.",
        permissions.join(","),
        granted.join(",")
    );
    Err(ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message))
}

/// Hides the newer enum members from a reader who did not ask for them.
pub(crate) fn hide_newer(headers: &HeaderMap, body: &mut Value) {
    let mut preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    if !preferences.any(|list| list.split([',', ';']).any(|one| one.trim() == enum_members::PREFERENCE)) {
        enum_members::hide(body);
    }
}

pub(crate) fn not_found(id: &str) -> ApiError {
    ApiError::not_found("NotFound", format!("Incident with id '{id}' was not found."))
}

pub(crate) fn context(state: &SimState, uri: &Uri, with_alerts: bool) -> String {
    let version = uri.path().split('/').nth(1).unwrap_or_default();
    let expanded = if with_alerts { "(alerts())" } else { "" };
    format!("{}/{version}/$metadata#security/incidents{expanded}", state.url)
}
