//! Comments of an incident: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incident-comments

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::super::journal::WriteKind;
use super::super::world::World;
use super::door::{Action, Objection, Outcome, Place, serve};
use super::incident::Author;
use super::incidents::{check_etags, not_found, read};
use super::query::Query;
use super::store::{Commented, LONGEST_COMMENT, MOST_COMMENTS};

/// `GET …/incidents/{id}/comments`
pub(super) async fn list(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Read, || {
        let query = Query::of_comments(&uri, world.config.workspace.page_size)?;
        let base = world.config.workspace.path();
        let whole: Option<Vec<Value>> = world.store.change(|state, _| {
            let incident = state.get(&place.incident)?;
            Some(incident.comments.iter().map(|comment| comment.shown(&base, &incident.name)).collect())
        });
        let whole = whole.ok_or_else(|| not_found(&place.incident))?;
        Ok((StatusCode::OK, query.page(&world, &uri, &whole)))
    })
}

/// `GET …/incidents/{id}/comments/{comment}`
pub(super) async fn get(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Read, || answer(&world, &place, StatusCode::OK))
}

/// `PUT …/incidents/{id}/comments/{comment}`
pub(super) async fn put(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Write, || write(&world, &place, &headers, &body))
}

/// `DELETE …/incidents/{id}/comments/{comment}`
pub(super) async fn delete(
    Shared(world): Shared<Arc<World>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    serve(&world, &place, (&headers, &uri), Action::Delete, || {
        let Place { incident, comment, .. } = &place;
        if !world.store.change(|state, now| state.delete_comment(incident, comment, now)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        world.note(WriteKind::SentinelCommentDeleted, incident);
        Ok((StatusCode::OK, Value::Null))
    })
}

fn answer(world: &World, place: &Place, status: StatusCode) -> Outcome {
    let base = world.config.workspace.path();
    let Place { incident, comment, .. } = place;
    let shown = world.store.change(|state, _| {
        let incident = state.get(incident)?;
        incident.comment(comment).map(|comment| comment.shown(&base, &incident.name))
    });
    let message = || Objection::not_found("NotFound", format!("Comment '{comment}' was not found."));
    shown.map(|shown| (status, shown)).ok_or_else(message)
}

fn write(world: &World, place: &Place, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let (etag, properties) = read(body)?;
    let Some(message) = properties.get("message").and_then(Value::as_str).filter(|text| !text.is_empty())
    else {
        return Err(Objection::bad_request("The property 'message' is required."));
    };
    if message.chars().count() > LONGEST_COMMENT {
        let sentence = format!("The length of property 'message' must not exceed {LONGEST_COMMENT}.");
        return Err(Objection::bad_request(sentence));
    }
    let Place { incident, comment, .. } = place;
    let done = world.store.change(|state, now| {
        let known = state.get(incident).ok_or_else(|| not_found(incident))?.comment(comment);
        let id = format!("{}/Incidents/{incident}/Comments/{comment}", world.config.workspace.path());
        check_etags(&id, known.map(|known| known.etag.as_str()), etag.as_deref(), headers)?;
        state.comment(incident, comment, message, app(world), now).ok_or_else(|| not_found(incident))
    })?;
    match done {
        Commented::Added => {
            world.note(WriteKind::SentinelCommented, incident);
            answer(world, place, StatusCode::CREATED)
        }
        Commented::Replaced => {
            world.note(WriteKind::SentinelCommentUpdated, incident);
            answer(world, place, StatusCode::OK)
        }
        Commented::NotTheirs => Err(Objection {
            status: StatusCode::FORBIDDEN,
            code: "Forbidden",
            message: "Only the author of a comment can edit it.".to_owned(),
        }),
        Commented::TooMany => Err(Objection::bad_request(format!(
            "Incident '{incident}' has {MOST_COMMENTS} comments already, which is the most there can be."
        ))),
    }
}

/// The application as an author.
fn app(world: &World) -> Author {
    Author {
        name: world.config.client_name.clone(),
        object_id: Some(world.config.client_id.clone()),
        user_principal_name: None,
    }
}
