//! Incidents: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incidents

use std::cmp::Ordering;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

use super::super::answers::Objection;
use super::super::asked::header_text;
use super::super::stats::WriteKind;
use super::door::{Action, Outcome, Place, Request, serve};
use super::draft::{self, Rules};
use super::incident::{Alerts, Incident};
use super::{connector, query};

/// `GET …/incidents`
pub(super) async fn list(asked: Request) -> Response {
    serve(&asked, Action::Read, || {
        let query = query::read(&asked, &query::INCIDENTS)?;
        let base = asked.world.config.workspace.path();
        let whole: Vec<Value> = asked.world.store.change(|state, _| {
            let matches = |incident: &&Incident| query.filter.matches(|property| incident.field(property));
            let mut found: Vec<_> = state.all().filter(matches).collect();
            found.sort_by(|a, b| {
                let asked =
                    query.order.map(|order| order.compare(|name| a.field(name), |name| b.field(name)));
                asked.unwrap_or(Ordering::Equal).then_with(|| a.name.cmp(&b.name))
            });
            found.into_iter().map(|incident| incident.shown(&base)).collect()
        });
        Ok((StatusCode::OK, query::page(&asked, &query, &whole)))
    })
}

/// `GET …/incidents/{id}`
pub(super) async fn get(asked: Request) -> Response {
    serve(&asked, Action::Read, || {
        let Request { world, path: Place { incident, .. }, .. } = &asked;
        let base = world.config.workspace.path();
        let shown = world.store.change(|state, _| state.get(incident).map(|found| found.shown(&base)));
        shown.map(|shown| (StatusCode::OK, shown)).ok_or_else(|| not_found(incident))
    })
}

/// `PUT …/incidents/{id}`
pub(super) async fn put(asked: Request) -> Response {
    serve(&asked, Action::Write, || replace(&asked))
}

/// `DELETE …/incidents/{id}`
pub(super) async fn delete(asked: Request) -> Response {
    serve(&asked, Action::Delete, || {
        let Request { world, path: Place { incident, .. }, .. } = &asked;
        if !world.store.change(|state, _| state.delete(incident)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        world.note(WriteKind::SentinelDeleted, incident);
        Ok((StatusCode::OK, Value::Null))
    })
}

/// What is said of an incident that is not there.
pub(super) fn not_found(incident: &str) -> Objection {
    Objection::not_found("NotFound", format!("Incident '{incident}' was not found."))
}

/// Reads the `etag` and the `properties` of a body.
pub(super) fn read(body: &[u8]) -> Result<(Option<String>, Map<String, Value>), Objection> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Objection::bad_request(format!("The request content was invalid: {error}")))?;
    let etag = match &body["etag"] {
        Value::Null => None,
        Value::String(etag) => Some(etag.clone()),
        _ => return Err(Objection::bad_request("Invalid value for property 'etag'.")),
    };
    match &body["properties"] {
        Value::Object(properties) => Ok((etag, properties.clone())),
        _ => Err(Objection::bad_request("The property 'properties' is required.")),
    }
}

/// Compares what a client read with what there is now. The `etag` of the body is the specification's way, and its
/// answer 409 was seen by many; `If-Match` is HTTP's. Without either, the last writer wins. An `etag` for something
/// that is not there any more does not bring it back.
// https://github.com/Azure/Azure-Sentinel/issues/13491
pub(super) fn check_etags(
    id: &str,
    now: Option<&str>,
    body: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), Objection> {
    let is_current =
        |etag: &str| now.is_some_and(|now| now.trim_matches('"') == etag.trim().trim_matches('"'));
    if let Some(wanted) = header_text(headers, header::IF_MATCH) {
        let fits = if wanted == "*" { now.is_some() } else { wanted.split(',').any(is_current) };
        if !fits {
            let message = format!("The precondition of resource '{id}' is not met.");
            return Err(Objection::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message));
        }
    }
    match body {
        // The resource has moved on since the client read it.
        Some(etag) if !is_current(etag) => {
            let message = format!("New version of resource '{id}' exists. Data was not saved.");
            Err(Objection::new(StatusCode::CONFLICT, "Conflict", message))
        }
        _ => Ok(()),
    }
}

fn replace(asked: &Request) -> Outcome {
    let (etag, properties) = read(&asked.body)?;
    let world = &asked.world;
    let config = &world.config.workspace;
    let rules = Rules {
        users: &config.users,
        reopening_clears_classification: config.reopening_clears_classification,
    };
    let name = &asked.path.incident;
    let (is_new, shown) = world.store.change(|state, times| {
        let before = state.get(name);
        let id = format!("{}/Incidents/{name}", config.path());
        check_etags(&id, before.map(|known| known.etag.as_str()), etag.as_deref(), &asked.headers)?;
        let is_new = before.is_none();
        let drafted = draft::read(&properties, before.map(|known| &known.properties), rules);
        let drafted = drafted.map_err(Objection::bad_request)?;
        if is_new {
            state.create(name, drafted, Alerts::default(), None, times);
        } else {
            state.update(name, times, |incident| incident.properties = drafted);
        }
        // The answer tells of this update, whatever somebody does in the next instant.
        let shown = state.get(name).map(|written| written.shown(&config.path()));
        Ok((is_new, shown.ok_or_else(|| not_found(name))?))
    })?;
    if is_new {
        world.note(WriteKind::SentinelCreated, name);
        return Ok((StatusCode::CREATED, shown));
    }
    world.note(WriteKind::SentinelUpdated, name);
    connector::write_back(world, name);
    Ok((StatusCode::OK, shown))
}
