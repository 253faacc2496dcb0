//! Incidents: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incidents

use std::cmp::Ordering;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

use super::arm_gateway::{Action, Outcome, Request, ResourcePath, serve};
use super::draft::{self, Rules};
use super::incident::{Alerts, Incident};
use super::{connector, query};
use crate::core::request::header_text;
use crate::core::responses::ApiError;
use crate::core::stats::WriteKind;

/// Answers `GET …/incidents`
pub(crate) async fn list(request: Request) -> Response {
    serve(&request, Action::Read, || {
        let query = query::read(&request, &query::INCIDENTS)?;
        let base = request.state.config.workspace.path();
        let whole: Vec<Value> = request.state.incidents.change(|incidents, _| {
            let matches = |incident: &&Incident| query.filter.matches(|property| incident.field(property));
            let mut found: Vec<_> = incidents.all().filter(matches).collect();
            found.sort_by(|a, b| {
                let request =
                    query.order.map(|order| order.compare(|name| a.field(name), |name| b.field(name)));
                request.unwrap_or(Ordering::Equal).then_with(|| a.name.cmp(&b.name))
            });
            found.into_iter().map(|incident| incident.shown(&base)).collect()
        });
        Ok((StatusCode::OK, query::page(&request, &query, &whole)))
    })
}

/// Answers `GET …/incidents/{id}`
pub(crate) async fn get(request: Request) -> Response {
    serve(&request, Action::Read, || {
        let Request { state, path: ResourcePath { incident, .. }, .. } = &request;
        let base = state.config.workspace.path();
        let shown =
            state.incidents.change(|incidents, _| incidents.get(incident).map(|found| found.shown(&base)));
        shown.map(|shown| (StatusCode::OK, shown)).ok_or_else(|| not_found(incident))
    })
}

/// Answers `PUT …/incidents/{id}`
pub(crate) async fn put(request: Request) -> Response {
    serve(&request, Action::Write, || replace(&request))
}

/// Answers `DELETE …/incidents/{id}`
pub(crate) async fn delete(request: Request) -> Response {
    serve(&request, Action::Delete, || {
        let Request { state, path: ResourcePath { incident, .. }, .. } = &request;
        if !state.incidents.change(|incidents, _| incidents.delete(incident)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        state.note(WriteKind::SentinelDeleted, incident);
        Ok((StatusCode::OK, Value::Null))
    })
}

/// What is said of an incident that is not there.
pub(crate) fn not_found(incident: &str) -> ApiError {
    ApiError::not_found("NotFound", format!("Incident '{incident}' was not found."))
}

/// Reads the `etag` and the `properties` of a body.
pub(crate) fn read(body: &[u8]) -> Result<(Option<String>, Map<String, Value>), ApiError> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("The request content was invalid: {error}")))?;
    let etag = match &body["etag"] {
        Value::Null => None,
        Value::String(etag) => Some(etag.clone()),
        _ => return Err(ApiError::bad_request("Invalid value for property 'etag'.")),
    };
    match &body["properties"] {
        Value::Object(properties) => Ok((etag, properties.clone())),
        _ => Err(ApiError::bad_request("The property 'properties' is required.")),
    }
}

/// Compares what a client read with what there is now. The `etag` of the body is the specification's way, and its
/// answer 409 was seen by many; `If-Match` is HTTP's. Without either, the last writer wins. An `etag` for something
/// that is not there any more does not bring it back.
// https://github.com/Azure/Azure-Sentinel/issues/13491
pub(crate) fn check_etags(
    id: &str,
    now: Option<&str>,
    body: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let is_current =
        |etag: &str| now.is_some_and(|now| now.trim_matches('"') == etag.trim().trim_matches('"'));
    if let Some(wanted) = header_text(headers, header::IF_MATCH) {
        let fits = if wanted == "*" { now.is_some() } else { wanted.split(',').any(is_current) };
        if !fits {
            let message = format!("The precondition of resource '{id}' is not met.");
            return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message));
        }
    }
    match body {
        // The resource has moved on since the client read it.
        Some(etag) if !is_current(etag) => {
            let message = format!("New version of resource '{id}' exists. Data was not saved.");
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
        _ => Ok(()),
    }
}

fn replace(request: &Request) -> Outcome {
    let (etag, properties) = read(&request.body)?;
    let state = &request.state;
    let config = &state.config.workspace;
    let rules = Rules {
        users: &config.users,
        reopening_clears_classification: config.reopening_clears_classification,
    };
    let name = &request.path.incident;
    let (is_new, shown) = state.incidents.change(|incidents, times| {
        let before = incidents.get(name);
        let id = format!("{}/Incidents/{name}", config.path());
        check_etags(&id, before.map(|known| known.etag.as_str()), etag.as_deref(), &request.headers)?;
        let is_new = before.is_none();
        let drafted = draft::read(&properties, before.map(|known| &known.properties), rules);
        let drafted = drafted.map_err(ApiError::bad_request)?;
        if is_new {
            incidents.create(name, drafted, Alerts::default(), None, times);
        } else {
            incidents.update(name, times, |incident| incident.properties = drafted);
        }
        // The answer tells of this update, whatever somebody does in the next instant.
        let shown = incidents.get(name).map(|written| written.shown(&config.path()));
        Ok((is_new, shown.ok_or_else(|| not_found(name))?))
    })?;
    if is_new {
        state.note(WriteKind::SentinelCreated, name);
        return Ok((StatusCode::CREATED, shown));
    }
    state.note(WriteKind::SentinelUpdated, name);
    connector::write_back(state, name);
    Ok((StatusCode::OK, shown))
}
