//! Comments of an incident: list, get, create or update, delete.

// https://learn.microsoft.com/rest/api/securityinsights/incident-comments

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::arm_gateway::{Action, Outcome, Request, ResourcePath, serve};
use super::incident::Author;
use super::incidents::{check_etags, not_found, read};
use super::query;
use super::store::{Commented, LONGEST_COMMENT, MOST_COMMENTS};
use crate::core::responses::ApiError;
use crate::core::stats::WriteKind;
use crate::sim_state::SimState;

/// Answers `GET …/incidents/{id}/comments`
pub(crate) async fn list(request: Request) -> Response {
    serve(&request, Action::Read, || {
        let query = query::read(&request, &query::COMMENTS)?;
        let Request { state, path: ResourcePath { incident, .. }, .. } = &request;
        let base = state.config.workspace.path();
        let whole: Option<Vec<Value>> = state.incidents.change(|incidents, _| {
            let incident = incidents.get(incident)?;
            Some(incident.comments.iter().map(|comment| comment.shown(&base, &incident.name)).collect())
        });
        let whole = whole.ok_or_else(|| not_found(incident))?;
        Ok((StatusCode::OK, query::page(&request, &query, &whole)))
    })
}

/// Answers `GET …/incidents/{id}/comments/{comment}`
pub(crate) async fn get(request: Request) -> Response {
    serve(&request, Action::Read, || answer(&request, StatusCode::OK))
}

/// Answers `PUT …/incidents/{id}/comments/{comment}`
pub(crate) async fn put(request: Request) -> Response {
    serve(&request, Action::Write, || write(&request))
}

/// Answers `DELETE …/incidents/{id}/comments/{comment}`
pub(crate) async fn delete(request: Request) -> Response {
    serve(&request, Action::Delete, || {
        let Request { state, path: ResourcePath { incident, comment, .. }, .. } = &request;
        if !state.incidents.change(|incidents, times| incidents.delete_comment(incident, comment, times)) {
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        state.note(WriteKind::SentinelCommentDeleted, incident);
        Ok((StatusCode::OK, Value::Null))
    })
}

fn answer(request: &Request, status: StatusCode) -> Outcome {
    let Request { state, path: ResourcePath { incident, comment, .. }, .. } = request;
    let base = state.config.workspace.path();
    let shown = state.incidents.change(|incidents, _| {
        let incident = incidents.get(incident)?;
        incident.comment(comment).map(|comment| comment.shown(&base, &incident.name))
    });
    let message = || ApiError::not_found("NotFound", format!("Comment '{comment}' was not found."));
    shown.map(|shown| (status, shown)).ok_or_else(message)
}

fn write(request: &Request) -> Outcome {
    let (etag, properties) = read(&request.body)?;
    let Some(message) = properties.get("message").and_then(Value::as_str).filter(|text| !text.is_empty())
    else {
        return Err(ApiError::bad_request("The property 'message' is required."));
    };
    if message.chars().count() > LONGEST_COMMENT {
        let sentence = format!("The length of property 'message' must not exceed {LONGEST_COMMENT}.");
        return Err(ApiError::bad_request(sentence));
    }
    let Request { state, path: ResourcePath { incident, comment, .. }, .. } = request;
    let done = state.incidents.change(|incidents, times| {
        let known = incidents.get(incident).ok_or_else(|| not_found(incident))?.comment(comment);
        let id = format!("{}/Incidents/{incident}/Comments/{comment}", state.config.workspace.path());
        check_etags(&id, known.map(|known| known.etag.as_str()), etag.as_deref(), &request.headers)?;
        incidents.comment(incident, comment, message, app(state), times).ok_or_else(|| not_found(incident))
    })?;
    match done {
        Commented::Added => {
            state.note(WriteKind::SentinelCommented, incident);
            answer(request, StatusCode::CREATED)
        }
        Commented::Replaced => {
            state.note(WriteKind::SentinelCommentUpdated, incident);
            answer(request, StatusCode::OK)
        }
        Commented::NotTheirs => {
            let message = "Only the author of a comment can edit it.";
            Err(ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message))
        }
        Commented::TooMany => Err(ApiError::bad_request(format!(
            "Incident '{incident}' has {MOST_COMMENTS} comments already, which is the most there can be."
        ))),
    }
}

/// The application as an author.
fn app(state: &SimState) -> Author {
    Author {
        name: state.config.client_name.clone(),
        object_id: Some(state.config.client_id.clone()),
        user_principal_name: None,
    }
}
