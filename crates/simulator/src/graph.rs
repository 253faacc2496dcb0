//! Fake Microsoft Graph: a list of incidents, and one incident.

// https://learn.microsoft.com/graph/api/security-list-incidents
// https://learn.microsoft.com/graph/api/security-incident-get

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;

use super::answers;
use super::faults::Service;
use super::json::Json;
use super::lock::lock;
use super::members;
use super::query::{self, Query};
use super::quota::retry_after;
use super::records::Served;
use super::stats::Revision;
use super::tokens::{Audience, Refusal};
use super::world::World;

/// Either lets an application read.
// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadall
const READS: [&str; 2] = ["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"];

/// `GET /v1.0/security/incidents` and `/beta/security/incidents`
pub(super) async fn list(State(world): State<Arc<World>>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(refusal) = admit(&world, &headers, &READS) {
        return *refusal;
    }
    let query = match Query::parse(uri.query().unwrap_or_default(), world.config.page_size) {
        Ok(query) => query,
        Err(sentence) => return bad_request(&world, &headers, &sentence),
    };
    let oddities = &world.config.oddities;
    if oddities.refuses_skip && query.request.skip > 0 {
        return bad_request(
            &world,
            &headers,
            "The query specified in the URI is not valid. Skip is not supported.",
        );
    }
    let address = format!("{}{}", oddities.links_lead_to.as_ref().unwrap_or(&world.url), uri.path());
    let mut items = Json::new(prefers_newer(&headers));
    items.open('[');
    let page = world.tenant.list(&query.request, &mut items);
    items.close(']');
    let fails_on = |revision: &Revision| oddities.fails_on.as_ref() == Some(&revision.id);
    if query.request.with_alerts && page.revisions.iter().any(fails_on) {
        let code = StatusCode::INTERNAL_SERVER_ERROR;
        return answers::error(&world, Service::Graph, &headers, code, "UnknownError", "");
    }

    let mut body = Json::new(true);
    body.open('{');
    body.text("@odata.context", &context(&world, &uri, query.request.with_alerts));
    if query.counts {
        body.raw("@odata.count", oddities.count.unwrap_or(page.total));
    }
    let after = query.request.skip.saturating_add(page.revisions.len());
    if after < page.total && !page.revisions.is_empty() && !oddities.no_next_link {
        body.text("@odata.nextLink", &query.next_link(&address, after));
    }
    body.raw("value", items.finish());
    body.close('}');
    let mut answer = answers::graph(&world, &headers, StatusCode::OK, body.finish());
    answer.extensions_mut().insert(Served(page.revisions));
    answer
}

/// `GET /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(super) async fn get(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(refusal) = admit(&world, &headers, &READS) {
        return *refusal;
    }
    let with_alerts = match query::wants_alerts(uri.query().unwrap_or_default()) {
        Ok(with_alerts) => with_alerts,
        Err(sentence) => return bad_request(&world, &headers, &sentence),
    };
    let mut body = Json::new(prefers_newer(&headers));
    if let Some(revision) = world.tenant.get(&id, with_alerts, &mut body) {
        let mut answer = answers::graph(&world, &headers, StatusCode::OK, body.finish());
        answer.extensions_mut().insert(Served(vec![revision]));
        return answer;
    }
    not_found(&world, &headers, &id)
}

/// Lets a request in that has the right token and one of the permissions, and the quota has room for.
pub(super) fn admit(world: &World, headers: &HeaderMap, permissions: &[&str]) -> Result<(), Box<Response>> {
    let refused = |status, code: &str, message: &str| {
        Box::new(answers::error(world, Service::Graph, headers, status, code, message))
    };
    world.tokens.check(bearer(headers), Audience::Graph, world.clock.now()).map_err(|refusal| {
        let message = match refusal {
            Refusal::Missing => "Access token is empty.",
            Refusal::Unknown => "CompactToken parsing failed with error code: 80049217",
            Refusal::Expired => "Lifetime validation failed, the token is expired.",
            Refusal::WrongAudience => "Access token validation failure. Invalid audience.",
        };
        refused(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    })?;
    lock(&world.graph_quota).take(world.clock.monotonic()).map_err(|wait| {
        world.records.count(|stats| stats.graph_throttled += 1);
        let mut answer = refused(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "");
        answers::put(answer.headers_mut(), header::RETRY_AFTER, &retry_after(wait));
        answer
    })?;
    let granted = &world.config.graph_permissions;
    if granted.iter().any(|one| permissions.contains(&one.as_str())) {
        return Ok(());
    }
    let message = format!(
        "Missing application roles. API required roles: {}, application roles: {}.",
        permissions.join(","),
        granted.join(",")
    );
    Err(refused(StatusCode::FORBIDDEN, "Forbidden", &message))
}

/// The token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

pub(super) fn prefers_newer(headers: &HeaderMap) -> bool {
    let mut preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.any(|list| list.split([',', ';']).any(|one| one.trim() == members::PREFERENCE))
}

pub(super) fn bad_request(world: &World, headers: &HeaderMap, sentence: &str) -> Response {
    answers::error(world, Service::Graph, headers, StatusCode::BAD_REQUEST, "BadRequest", sentence)
}

pub(super) fn not_found(world: &World, headers: &HeaderMap, id: &str) -> Response {
    let message = format!("Incident with id '{id}' was not found.");
    answers::error(world, Service::Graph, headers, StatusCode::NOT_FOUND, "NotFound", &message)
}

pub(super) fn context(world: &World, uri: &Uri, with_alerts: bool) -> String {
    let version = uri.path().split('/').nth(1).unwrap_or_default();
    let expanded = if with_alerts { "(alerts())" } else { "" };
    format!("{}/{version}/$metadata#security/incidents{expanded}", world.url)
}
