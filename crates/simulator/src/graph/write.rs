//! Fake Microsoft Graph: updates of incidents, comments on them, merges of them.

// https://learn.microsoft.com/graph/api/security-incident-update
// https://learn.microsoft.com/graph/api/security-incident-post-comments
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::core::faults::Service;
use crate::core::request::ApiRequest;
use crate::core::responses::{self, ApiError};
use crate::core::stats::WriteKind;
use crate::graph::edit::Edit;
use crate::graph::evidence::extend;
use crate::graph::read::{admit, context, hide_newer, not_found};
use crate::sim_state::SimState;

// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadwriteall
const WRITES: &str = "SecurityIncident.ReadWrite.All";
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents#permissions
const MERGES: &str = "SecurityData.Manage.All";

/// Answers `PATCH /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(crate) async fn update(request: ApiRequest<String>) -> Response {
    write(&request, WRITES, |body| {
        let (state, id) = (&request.state, &request.path);
        let edit = Edit::parse(body, &by_app(state)).map_err(ApiError::bad_request)?;
        let is_merged = || state.tenant.incident(id).is_some_and(|one| one["status"] == "redirected");
        // The vendor lists `redirected` among the values, and nothing that would say where to: here only what is
        // merged already may be told so.
        if edit.redirects() && !is_merged() {
            let sentence = "Invalid value specified for property 'status' of resource 'incident'.";
            return Err(ApiError::bad_request(sentence));
        }
        let mut incident = state.tenant.change_and_get(id, edit).ok_or_else(|| not_found(id))?;
        state.note(WriteKind::DefenderUpdated, id);
        hide_newer(&request.headers, &mut incident);
        let mut answer = json!({"@odata.context": context(state, &request.uri, false) + "/$entity"});
        extend(&mut answer, incident);
        Ok(answer)
    })
}

/// Answers `POST /v1.0/security/incidents/{id}/comments` and `/beta/security/incidents/{id}/comments`
pub(crate) async fn comment(request: ApiRequest<String>) -> Response {
    write(&request, WRITES, |body| {
        let (state, id) = (&request.state, &request.path);
        let Some(text) = body["comment"].as_str().filter(|text| !text.is_empty()) else {
            let sentence = "The property 'comment' is missing, empty or no string.";
            return Err(ApiError::bad_request(sentence));
        };
        if !state.tenant.change(id, Edit::comment(text, &state.config.client_name, &by_app(state))) {
            return Err(not_found(id));
        }
        state.note(WriteKind::DefenderCommented, id);
        let mut incident = state.tenant.incident(id).unwrap_or_default();
        let kind = "Collection(microsoft.graph.security.alertComment)";
        let context = format!("{}/v1.0/$metadata#{kind}", state.url);
        Ok(json!({"@odata.context": context, "value": incident["comments"].take()}))
    })
}

/// Answers `POST /v1.0/security/incidents/mergeIncidents` and `/beta/security/incidents/mergeIncidents`. Which one stays is
/// for the service to say: here the one created first.
pub(crate) async fn merge(request: ApiRequest) -> Response {
    write(&request, MERGES, |body| {
        let state = &request.state;
        let ids = body["incidentIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let ids: Vec<_> = ids.collect();
        if ids.len() < 2 {
            return Err(too_few());
        }
        let mut incidents = Vec::new();
        for id in ids {
            let incident = state.tenant.incident(id).ok_or_else(|| not_found(id))?;
            if incident["status"] == "redirected" {
                return Err(ApiError::bad_request(format!("Incident with id '{id}' was merged already.")));
            }
            incidents.push((incident["createdDateTime"].to_string(), id));
        }
        incidents.sort();
        let Some(((_, target), others)) = incidents.split_first() else { return Err(too_few()) };
        for (_, id) in others {
            if state.tenant.merge(id, target) {
                state.note(WriteKind::DefenderMerged, id);
            }
        }
        if let Some(text) = body["incidentComment"].as_str() {
            state.tenant.change(target, Edit::comment(text, &state.config.client_name, &by_app(state)));
        }
        let context = format!("{}/v1.0/$metadata#microsoft.graph.security.mergeResponse", state.url);
        Ok(json!({"@odata.context": context, "targetIncidentId": target}))
    })
}

/// Lets a write in that has the permission, and answers with what `run` comes to.
fn write<P>(
    request: &ApiRequest<P>,
    permission: &str,
    run: impl FnOnce(&Value) -> Result<Value, ApiError>,
) -> Response {
    request.answer(Service::Graph, || {
        admit(request, &[permission])?;
        if request.body.is_empty() {
            return Err(ApiError::bad_request("Empty Payload. JSON content expected."));
        }
        let body = serde_json::from_slice(&request.body);
        let body = body.map_err(|_| ApiError::bad_request("Unable to read JSON request payload."))?;
        Ok(responses::graph(&request.state, &request.headers, StatusCode::OK, run(&body)?.to_string()))
    })
}

fn too_few() -> ApiError {
    ApiError::bad_request("The property 'incidentIds' must name two incidents or more.")
}

/// The `lastModifiedBy` of what the application changed.
// https://learn.microsoft.com/graph/api/security-incident-update#response-1
fn by_app(state: &SimState) -> String {
    format!("API-App:{}", state.config.client_name)
}
