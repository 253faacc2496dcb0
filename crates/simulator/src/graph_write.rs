//! Fake Microsoft Graph: updates of incidents, comments on them, merges of them.

// https://learn.microsoft.com/graph/api/security-incident-update
// https://learn.microsoft.com/graph/api/security-incident-post-comments
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answers::{self, Objection};
use super::asked::Asked;
use super::edit::Edit;
use super::faults::Service;
use super::graph::{admit, context, not_found, prefers_newer};
use super::json::Json;
use super::stats::WriteKind;
use super::world::World;

// https://learn.microsoft.com/graph/permissions-reference#securityincidentreadwriteall
const WRITES: &str = "SecurityIncident.ReadWrite.All";
// https://learn.microsoft.com/graph/api/security-incident-mergeincidents#permissions
const MERGES: &str = "SecurityData.Manage.All";

/// `PATCH /v1.0/security/incidents/{id}` and `/beta/security/incidents/{id}`
pub(super) async fn update(asked: Asked<String>) -> Response {
    write(&asked, WRITES, |body| {
        let (world, id) = (&asked.world, &asked.path);
        let edit = Edit::parse(body, &by_app(world)).map_err(Objection::bad_request)?;
        let is_merged = || world.tenant.incident(id).is_some_and(|one| one["status"] == "redirected");
        // The vendor lists `redirected` among the values, and nothing that would say where to: here only what is
        // merged already may be told so.
        if edit.redirects() && !is_merged() {
            let sentence = "Invalid value specified for property 'status' of resource 'incident'.";
            return Err(Objection::bad_request(sentence));
        }
        let mut json = Json::new(prefers_newer(&asked.headers));
        world.tenant.change_and_get(id, edit, &mut json).ok_or_else(|| not_found(id))?;
        world.note(WriteKind::DefenderUpdated, id);
        // `@odata.context` stands in front of the properties of the object.
        let (context, object) = (json!(context(world, &asked.uri, false) + "/$entity"), json.finish());
        Ok(format!("{{\"@odata.context\":{context},{}", object.strip_prefix('{').unwrap_or(&object)))
    })
}

/// `POST /v1.0/security/incidents/{id}/comments` and `/beta/security/incidents/{id}/comments`
pub(super) async fn comment(asked: Asked<String>) -> Response {
    write(&asked, WRITES, |body| {
        let (world, id) = (&asked.world, &asked.path);
        let Some(text) = body["comment"].as_str().filter(|text| !text.is_empty()) else {
            let sentence = "The property 'comment' is missing, empty or no string.";
            return Err(Objection::bad_request(sentence));
        };
        if !world.tenant.change(id, Edit::comment(text, &world.config.client_name, &by_app(world))) {
            return Err(not_found(id));
        }
        world.note(WriteKind::DefenderCommented, id);
        let mut incident = world.tenant.incident(id).unwrap_or_default();
        let kind = "Collection(microsoft.graph.security.alertComment)";
        let context = format!("{}/v1.0/$metadata#{kind}", world.url);
        Ok(json!({"@odata.context": context, "value": incident["comments"].take()}).to_string())
    })
}

/// `POST /v1.0/security/incidents/mergeIncidents` and `/beta/security/incidents/mergeIncidents`. Which one stays is
/// for the service to say: here the one created first.
pub(super) async fn merge(asked: Asked) -> Response {
    write(&asked, MERGES, |body| {
        let world = &asked.world;
        let ids = body["incidentIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let ids: Vec<_> = ids.collect();
        if ids.len() < 2 {
            return Err(too_few());
        }
        let mut incidents = Vec::new();
        for id in ids {
            let incident = world.tenant.incident(id).ok_or_else(|| not_found(id))?;
            if incident["status"] == "redirected" {
                return Err(Objection::bad_request(format!("Incident with id '{id}' was merged already.")));
            }
            incidents.push((incident["createdDateTime"].to_string(), id));
        }
        incidents.sort();
        let Some(((_, target), others)) = incidents.split_first() else { return Err(too_few()) };
        for (_, id) in others {
            if world.tenant.merge(id, target) {
                world.note(WriteKind::DefenderMerged, id);
            }
        }
        if let Some(text) = body["incidentComment"].as_str() {
            world.tenant.change(target, Edit::comment(text, &world.config.client_name, &by_app(world)));
        }
        let context = format!("{}/v1.0/$metadata#microsoft.graph.security.mergeResponse", world.url);
        Ok(json!({"@odata.context": context, "targetIncidentId": target}).to_string())
    })
}

/// Lets a write in that has the permission, and answers with the text that `run` comes to.
fn write<P>(
    asked: &Asked<P>,
    permission: &str,
    run: impl FnOnce(&Value) -> Result<String, Objection>,
) -> Response {
    asked.answer(Service::Graph, || {
        admit(asked, &[permission])?;
        if asked.body.is_empty() {
            return Err(Objection::bad_request("Empty Payload. JSON content expected."));
        }
        let body = serde_json::from_slice(&asked.body);
        let body = body.map_err(|_| Objection::bad_request("Unable to read JSON request payload."))?;
        Ok(answers::graph(&asked.world, &asked.headers, StatusCode::OK, run(&body)?))
    })
}

fn too_few() -> Objection {
    Objection::bad_request("The property 'incidentIds' must name two incidents or more.")
}

/// The `lastModifiedBy` of what the application changed.
// https://learn.microsoft.com/graph/api/security-incident-update#response-1
fn by_app(world: &World) -> String {
    format!("API-App:{}", world.config.client_name)
}
