//! Comments of an incident: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incident-comments

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::super::answers::Objection;
use super::super::stats::WriteKind;
use super::super::world::World;
use super::door::{Action, Outcome, Place, Request, serve};
use super::incident::Author;
use super::incidents::{check_etags, not_found, read};
use super::query;
use super::store::{Commented, LONGEST_COMMENT, MOST_COMMENTS};

/// `GET …/incidents/{id}/comments`
pub(super) async fn list(asked: Request) -> Response {
    serve(&asked, Action::Read, || {
        let query = query::read(&asked, &query::COMMENTS)?;
        let Request { world, path: Place { incident, .. }, .. } = &asked;
        let base = world.config.workspace.path();
        let whole: Option<Vec<Value>> = world.store.change(|state, _| {
            let incident = state.get(incident)?;
            Some(incident.comments.iter().map(|comment| comment.shown(&base, &incident.name)).collect())
        });
        let whole = whole.ok_or_else(|| not_found(incident))?;
        Ok((StatusCode::OK, query::page(&asked, &query, &whole)))
    })
}

/// `GET …/incidents/{id}/comments/{comment}`
pub(super) async fn get(asked: Request) -> Response {
    serve(&asked, Action::Read, || answer(&asked, StatusCode::OK))
}

/// `PUT …/incidents/{id}/comments/{comment}`
pub(super) async fn put(asked: Request) -> Response {
    serve(&asked, Action::Write, || write(&asked))
}

/// `DELETE …/incidents/{id}/comments/{comment}`
pub(super) async fn delete(asked: Request) -> Response {
    serve(&asked, Action::Delete, || {
        let Request { world, path: Place { incident, comment, .. }, .. } = &asked;
        if !world.store.change(|state, times| state.delete_comment(incident, comment, times)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        world.note(WriteKind::SentinelCommentDeleted, incident);
        Ok((StatusCode::OK, Value::Null))
    })
}

fn answer(asked: &Request, status: StatusCode) -> Outcome {
    let Request { world, path: Place { incident, comment, .. }, .. } = asked;
    let base = world.config.workspace.path();
    let shown = world.store.change(|state, _| {
        let incident = state.get(incident)?;
        incident.comment(comment).map(|comment| comment.shown(&base, &incident.name))
    });
    let message = || Objection::not_found("NotFound", format!("Comment '{comment}' was not found."));
    shown.map(|shown| (status, shown)).ok_or_else(message)
}

fn write(asked: &Request) -> Outcome {
    let (etag, properties) = read(&asked.body)?;
    let Some(message) = properties.get("message").and_then(Value::as_str).filter(|text| !text.is_empty())
    else {
        return Err(Objection::bad_request("The property 'message' is required."));
    };
    if message.chars().count() > LONGEST_COMMENT {
        let sentence = format!("The length of property 'message' must not exceed {LONGEST_COMMENT}.");
        return Err(Objection::bad_request(sentence));
    }
    let Request { world, path: Place { incident, comment, .. }, .. } = asked;
    let done = world.store.change(|state, times| {
        let known = state.get(incident).ok_or_else(|| not_found(incident))?.comment(comment);
        let id = format!("{}/Incidents/{incident}/Comments/{comment}", world.config.workspace.path());
        check_etags(&id, known.map(|known| known.etag.as_str()), etag.as_deref(), &asked.headers)?;
        state.comment(incident, comment, message, app(world), times).ok_or_else(|| not_found(incident))
    })?;
    match done {
        Commented::Added => {
            world.note(WriteKind::SentinelCommented, incident);
            answer(asked, StatusCode::CREATED)
        }
        Commented::Replaced => {
            world.note(WriteKind::SentinelCommentUpdated, incident);
            answer(asked, StatusCode::OK)
        }
        Commented::NotTheirs => {
            let message = "Only the author of a comment can edit it.";
            Err(Objection::new(StatusCode::FORBIDDEN, "Forbidden", message))
        }
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
