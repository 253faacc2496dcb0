//! Fake Microsoft Graph: a list of incidents, and one incident.

// https://learn.microsoft.com/graph/api/security-list-incidents
// https://learn.microsoft.com/graph/api/security-incident-get

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::answers::{self, Objection};
use super::asked::{Asked, bearer};
use super::faults::Service;
use super::graph_dialect::{INCIDENT, INCIDENTS};
use super::json::Json;
use super::limits::retry_after;
use super::members;
use super::odata::{Dialect, Query};
use super::records::Served;
use super::stats::Revision;
use super::store::lock;
use super::tokens::{Audience, Refusal};
use super::world::World;

/// Either lets an application read.
// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadall
const READS: [&str; 2] = ["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"];

/// `GET /v1.0/security/incidents` and `/beta/security/incidents`
pub(super) async fn list(asked: Asked) -> Response {
    asked.answer(Service::Graph, || {
        admit(&asked, &READS)?;
        let world = &asked.world;
        let query = read(&asked, &INCIDENTS)?;
        let oddities = &world.config.oddities;
        if oddities.refuses_skip && query.skip > 0 {
            let sentence = "The query specified in the URI is not valid. Skip is not supported.";
            return Err(Objection::bad_request(sentence));
        }
        let mut items = Json::new(prefers_newer(&asked.headers));
        items.open('[');
        let page = world.tenant.list(&query, &mut items);
        items.close(']');
        let fails_on = |revision: &Revision| oddities.fails_on.as_ref() == Some(&revision.id);
        if query.expands && page.revisions.iter().any(fails_on) {
            return Err(Objection::new(StatusCode::INTERNAL_SERVER_ERROR, "UnknownError", ""));
        }

        let mut body = Json::new(true);
        body.open('{');
        body.text("@odata.context", &context(world, &asked.uri, query.expands));
        if query.counts {
            body.raw("@odata.count", oddities.count.unwrap_or(page.total));
        }
        let after = query.window(page.total).end;
        if after < page.total && !oddities.no_next_link {
            let origin = oddities.links_lead_to.as_ref().unwrap_or(&world.url);
            let link = query.next_link(&format!("{origin}{}", asked.uri.path()), after, true);
            body.text("@odata.nextLink", &link);
        }
        body.raw("value", items.finish());
        body.close('}');
        Ok(serving(&asked, body.finish(), page.revisions))
    })
}

/// `GET /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(super) async fn get(asked: Asked<String>) -> Response {
    asked.answer(Service::Graph, || {
        admit(&asked, &READS)?;
        let query = read(&asked, &INCIDENT)?;
        let mut body = Json::new(prefers_newer(&asked.headers));
        let revision = asked.world.tenant.get(&asked.path, query.expands, &mut body);
        let revision = revision.ok_or_else(|| not_found(&asked.path))?;
        Ok(serving(&asked, body.finish(), vec![revision]))
    })
}

fn read<P>(asked: &Asked<P>, dialect: &Dialect) -> Result<Query, Objection> {
    Query::parse(dialect, asked.query(), asked.world.config.page_size)
        .map_err(|error| Objection::bad_request(error.to_string()))
}

fn serving<P>(asked: &Asked<P>, body: String, revisions: Vec<Revision>) -> Response {
    let mut answer = answers::graph(&asked.world, &asked.headers, StatusCode::OK, body);
    answer.extensions_mut().insert(Served(revisions));
    answer
}

/// Lets a request in that has the right token and one of the permissions, and the quota has room for.
pub(super) fn admit<P>(asked: &Asked<P>, permissions: &[&str]) -> Result<(), Objection> {
    let world = &asked.world;
    world.tokens.check(bearer(&asked.headers), Audience::Graph, world.clock.now()).map_err(|refusal| {
        let message = match refusal {
            Refusal::Missing => "Access token is empty.",
            Refusal::Unknown => "CompactToken parsing failed with error code: 80049217",
            Refusal::Expired => "Lifetime validation failed, the token is expired.",
            Refusal::WrongAudience => "Access token validation failure. Invalid audience.",
        };
        Objection::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    })?;
    lock(&world.graph_quota).take(world.clock.monotonic()).map_err(|wait| {
        world.records.count(|stats| stats.graph_throttled += 1);
        Objection::too_many_requests(retry_after(wait))
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
    Err(Objection::new(StatusCode::FORBIDDEN, "Forbidden", message))
}

pub(super) fn prefers_newer(headers: &HeaderMap) -> bool {
    let mut preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.any(|list| list.split([',', ';']).any(|one| one.trim() == members::PREFERENCE))
}

pub(super) fn not_found(id: &str) -> Objection {
    Objection::not_found("NotFound", format!("Incident with id '{id}' was not found."))
}

pub(super) fn context(world: &World, uri: &Uri, with_alerts: bool) -> String {
    let version = uri.path().split('/').nth(1).unwrap_or_default();
    let expanded = if with_alerts { "(alerts())" } else { "" };
    format!("{}/{version}/$metadata#security/incidents{expanded}", world.url)
}
