//! Incidents: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incidents

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::super::journal::WriteKind;
use super::super::world::World;
use super::connector;
use super::door::{Action, Objection, Outcome, Place, header_text, serve};
use super::draft::{self, Rules};
use super::incident::Alerts;
use super::query::Query;

/// `GET …/incidents`
pub(super) async fn list(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Read, || {
        let query = Query::parse(&uri, world.config.workspace.page_size)?;
        let base = world.config.workspace.path();
        let whole: Vec<Value> = world.store.change(|state, _| {
            let mut found: Vec<_> = state.all().filter(|incident| query.filter.matches(incident)).collect();
            found.sort_by(|a, b| query.order.compare(a, b));
            found.into_iter().map(|incident| incident.shown(&base)).collect()
        });
        Ok((StatusCode::OK, query.page(&world, &uri, &whole)))
    })
}

/// `GET …/incidents/{id}`
pub(super) async fn get(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Read, || answer(&world, &place, StatusCode::OK))
}

/// `PUT …/incidents/{id}`
pub(super) async fn put(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Write, || replace(&world, &place, &headers, &body))
}

/// `DELETE …/incidents/{id}`
pub(super) async fn delete(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Delete, || {
        if !world.store.change(|state, _| state.delete(&place.incident)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        world.note(WriteKind::SentinelDeleted, &place.incident);
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
            let status = StatusCode::PRECONDITION_FAILED;
            return Err(Objection { status, code: "PreconditionFailed", message });
        }
    }
    match body {
        Some(etag) if !is_current(etag) => Err(Objection::conflict(id)),
        _ => Ok(()),
    }
}

fn answer(world: &World, place: &Place, status: StatusCode) -> Outcome {
    let base = world.config.workspace.path();
    let shown = world.store.change(|state, _| state.get(&place.incident).map(|found| found.shown(&base)));
    shown.map(|shown| (status, shown)).ok_or_else(|| not_found(&place.incident))
}

fn replace(world: &World, place: &Place, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let (etag, properties) = read(body)?;
    let config = &world.config.workspace;
    let rules = Rules {
        users: &config.users,
        reopening_clears_classification: config.reopening_clears_classification,
    };
    let name = &place.incident;
    let (is_new, shown) = world.store.change(|state, now| {
        let before = state.get(name);
        let id = format!("{}/Incidents/{name}", config.path());
        check_etags(&id, before.map(|known| known.etag.as_str()), etag.as_deref(), headers)?;
        let is_new = before.is_none();
        let drafted = draft::read(&properties, before.map(|known| &known.properties), rules);
        let drafted = drafted.map_err(Objection::bad_request)?;
        if is_new {
            state.create(name, drafted, Alerts::default(), None, now);
        } else {
            state.update(name, now, |incident| incident.properties = drafted);
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
