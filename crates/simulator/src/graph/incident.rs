//! One incident as Graph shows it, the same for the same seed, id and events.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::core::random::{guid, mixed};
use crate::core::text::{ANALYSTS, STORIES, Story};
use crate::core::ticks::Ticks;
use crate::graph::evidence::{self, Scene};
use crate::graph::lifecycle::{AlertFacts, Facts};

const RECOMMENDED_ACTIONS: &str = "1. Find out who started it.\n2. Isolate the device if nobody \
    knows.\n3. Reset the password of the account.";

/// What an incident is made of, beside its facts.
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) seed: u64,
    pub(crate) tenant_id: &'a str,
    /// The id of the incident this one was merged into.
    pub(crate) redirect: Option<&'a str>,
}

/// The incident; the property `alerts` only if they were asked for.
// https://learn.microsoft.com/graph/api/resources/security-incident#properties
pub(crate) fn shown(subject: &Subject<'_>, facts: &Facts<'_>, with_alerts: bool) -> Value {
    let mut rng = Rng::with_seed(subject.seed);
    let story = &STORIES[rng.usize(..STORIES.len())];
    let url = web_url("incident2", subject.id, "/overview", subject.tenant_id);
    let system_tags: Vec<_> = rng.bool().then_some("Defender Experts").into_iter().collect();
    let resolving_comment = (facts.status == "resolved").then_some("Contained, nothing left to do.");
    let summary = rng.bool().then_some("Defender Experts looked at this incident.");
    let score = rng.u8(..=100);
    let comments = facts.comments.iter().map(|(comment, author, at)| {
        json!({"comment": comment, "createdByDisplayName": author, "createdDateTime": at.text()})
    });
    let mut incident = json!({
        "id": subject.id, "tenantId": subject.tenant_id, "status": facts.status, "incidentWebUrl": url,
        "redirectIncidentId": subject.redirect,
        "displayName": facts.text("displayName", Some(story.incident)),
        "createdDateTime": facts.created.text(), "lastUpdateDateTime": facts.updated.text(),
        "assignedTo": facts.assigned_to, "classification": facts.classification,
        "determination": facts.determination, "severity": facts.severity, "customTags": facts.tags,
        "systemTags": system_tags, "description": facts.text("description", Some(story.description)),
        "lastModifiedBy": facts.modified_by.unwrap_or("Microsoft 365 Defender-IncidentCreation"),
        "resolvingComment": facts.text("resolvingComment", resolving_comment),
        "summary": facts.text("summary", summary), "priorityScore": (rng.u8(..5) != 0).then_some(score),
        "comments": comments.collect::<Vec<_>>(),
    });
    if with_alerts {
        let alerts = facts.alerts.iter().enumerate();
        incident["alerts"] =
            alerts.map(|(position, one)| alert(subject, facts, one, position, &url)).collect();
    }
    incident
}

// https://learn.microsoft.com/graph/api/resources/security-alert#properties
fn alert(
    subject: &Subject<'_>,
    facts: &Facts<'_>,
    alert: &AlertFacts,
    position: usize,
    incident_url: &str,
) -> Value {
    let mut rng = Rng::with_seed(mixed(subject.seed, position as u64 + 1));
    let Story { title, description, category, technique, prefix, service, detection, product, .. } =
        STORIES[rng.usize(..STORIES.len())];
    let provider_id = format!("{}_1", guid(&mut rng));
    let id = format!("{prefix}{provider_id}");
    let is_resolved = facts.status == "resolved";
    let status = match (is_resolved, facts.assigned_to) {
        (true, _) => "resolved",
        (false, Some(_)) => "inProgress",
        (false, None) => "new",
    };
    let investigation = if is_resolved { "successfullyRemediated" } else { "unsupportedAlertType" };
    let scene = Scene { tenant_id: subject.tenant_id, at: alert.created, resolved: is_resolved };
    let mut shown = json!({
        "id": id, "providerAlertId": provider_id, "incidentId": subject.id, "status": status,
        "severity": facts.severity, "classification": is_resolved.then_some(facts.classification),
        "determination": is_resolved.then_some(facts.determination), "serviceSource": service,
        "detectionSource": detection, "productName": product, "detectorId": guid(&mut rng),
        "tenantId": subject.tenant_id, "title": title, "description": description,
        "recommendedActions": RECOMMENDED_ACTIONS, "category": category, "categories": [category],
        "assignedTo": facts.assigned_to, "alertWebUrl": web_url("alerts", &id, "", subject.tenant_id),
        "incidentWebUrl": incident_url, "actorDisplayName": null, "alertPolicyId": null,
        "threatDisplayName": null, "threatFamilyName": null, "mitreTechniques": [technique],
        "createdDateTime": alert.created.text(), "lastUpdateDateTime": alert.updated.text(),
        "resolvedDateTime": is_resolved.then(|| facts.updated.text()),
        "firstActivityDateTime": Ticks(alert.created.0 - rng.i64(600_000_000..9_000_000_000)).text(),
        "lastActivityDateTime": alert.created.text(), "systemTags": [], "investigationState": investigation,
        "comments": [], "customDetails": {}, "additionalData": {"Owner": ANALYSTS[rng.usize(..ANALYSTS.len())]},
    });
    let evidence = (0..alert.evidence).map(|position| evidence::piece(&mut rng, &scene, position));
    shown["evidence"] = evidence.collect();
    shown
}

fn web_url(kind: &str, id: &str, tail: &str, tenant_id: &str) -> String {
    format!("https://security.microsoft.com/{kind}/{id}{tail}?tid={tenant_id}")
}
