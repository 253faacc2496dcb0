//! Fake Microsoft Graph: updates of incidents, comments on them, merges of them.

// https://learn.microsoft.com/graph/api/security-incident-update
// https://learn.microsoft.com/graph/api/security-incident-post-comments
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answers;
use super::edit::Edit;
use super::graph::{self, bad_request, not_found, prefers_newer};
use super::journal::WriteKind;
use super::json::Json;
use super::world::World;

// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadwriteall
const WRITES: &str = "SecurityIncident.ReadWrite.All";
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents#permissions
const MERGES: &str = "SecurityData.Manage.All";

/// `PATCH /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(super) async fn update(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    if let Err(refusal) = graph::admit(&world, &headers, &[WRITES]) {
        return *refusal;
    }
    let edit = read(&body).and_then(|body| Edit::parse(&body, &by_app(&world)));
    let edit = match edit {
        Ok(edit) => edit,
        Err(sentence) => return bad_request(&world, &headers, &sentence),
    };
    let is_merged = || world.tenant.incident(&id).is_some_and(|one| one["status"] == "redirected");
    // The vendor lists `redirected` among the values, and nothing that would say where to: here only what is merged
    // already may be told so.
    if edit.redirects() && !is_merged() {
        return bad_request(
            &world,
            &headers,
            "Invalid value specified for property 'status' of resource 'incident'.",
        );
    }
    let mut json = Json::new(prefers_newer(&headers));
    if world.tenant.change_and_get(&id, edit, &mut json).is_none() {
        return not_found(&world, &headers, &id);
    }
    world.note(WriteKind::DefenderUpdated, &id);
    answers::graph(&world, &headers, StatusCode::OK, with_context(&world, &uri, &json.finish()))
}

/// `POST /v1.0/security/incidents/{id}/comments` and `/beta/security/incidents/{id}/comments`
pub(super) async fn comment(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = graph::admit(&world, &headers, &[WRITES]) {
        return *refusal;
    }
    let body = match read(&body) {
        Ok(body) => body,
        Err(sentence) => return bad_request(&world, &headers, &sentence),
    };
    let Some(text) = body["comment"].as_str().filter(|text| !text.is_empty()) else {
        return bad_request(&world, &headers, "The property 'comment' is missing, empty or no string.");
    };
    let edit = Edit::comment(text, &world.config.client_name, &by_app(&world));
    if !world.tenant.change(&id, edit) {
        return not_found(&world, &headers, &id);
    }
    world.note(WriteKind::DefenderCommented, &id);
    let mut incident = world.tenant.incident(&id).unwrap_or_default();
    let answer = json!({
        "@odata.context": format!("{}/v1.0/$metadata#Collection(microsoft.graph.security.alertComment)", world.url),
        "value": incident["comments"].take(),
    });
    answers::graph(&world, &headers, StatusCode::OK, answer.to_string())
}

/// `POST /v1.0/security/incidents/mergeIncidents` and `/beta/security/incidents/mergeIncidents`. Which one stays is
/// for the service to say: here the one created first.
pub(super) async fn merge(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = graph::admit(&world, &headers, &[MERGES]) {
        return *refusal;
    }
    let body = match read(&body) {
        Ok(body) => body,
        Err(sentence) => return bad_request(&world, &headers, &sentence),
    };
    let ids: Vec<&str> =
        body["incidentIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.len() < 2 {
        return bad_request(&world, &headers, "The property 'incidentIds' must name two incidents or more.");
    }
    let mut incidents = Vec::new();
    for id in &ids {
        let Some(incident) = world.tenant.incident(id) else { return not_found(&world, &headers, id) };
        if incident["status"] == "redirected" {
            let sentence = format!("Incident with id '{id}' was merged already.");
            return bad_request(&world, &headers, &sentence);
        }
        incidents.push((incident["createdDateTime"].to_string(), *id));
    }
    incidents.sort();
    let Some((_, target)) = incidents.first() else {
        return bad_request(&world, &headers, "The property 'incidentIds' is empty.");
    };
    for (_, id) in incidents.iter().skip(1) {
        if world.tenant.merge(id, target) {
            world.note(WriteKind::DefenderMerged, id);
        }
    }
    if let Some(text) = body["incidentComment"].as_str() {
        let edit = Edit::comment(text, &world.config.client_name, &by_app(&world));
        world.tenant.change(target, edit);
    }
    let answer = json!({
        "@odata.context": format!("{}/v1.0/$metadata#microsoft.graph.security.mergeResponse", world.url),
        "targetIncidentId": target,
    });
    answers::graph(&world, &headers, StatusCode::OK, answer.to_string())
}

/// The `lastModifiedBy` of what the application changed.
// https://learn.microsoft.com/graph/api/security-incident-update#response-1
fn by_app(world: &World) -> String {
    format!("API-App:{}", world.config.client_name)
}

fn read(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Err("Empty Payload. JSON content expected.".to_owned());
    }
    serde_json::from_slice(body).map_err(|_| "Unable to read JSON request payload.".to_owned())
}

/// Puts `@odata.context` in front of the properties of an object.
fn with_context(world: &World, uri: &Uri, object: &str) -> String {
    let context = json!(graph::context(world, uri, false) + "/$entity");
    format!("{{\"@odata.context\":{context},{}", object.strip_prefix('{').unwrap_or(object))
}
