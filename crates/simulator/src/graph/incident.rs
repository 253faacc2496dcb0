//! Renders one incident, the same text for the same seed, id and events.

use fastrand::Rng;

use crate::core::json::Json;
use crate::core::random::{guid, mixed};
use crate::core::text::{ANALYSTS, STORIES, Story};
use crate::core::ticks::Ticks;
use crate::graph::evidence::{self, Scene};
use crate::graph::lifecycle::{AlertFacts, Facts};

const RECOMMENDED_ACTIONS: &str = "1. Find out who started it.\n2. Isolate the device if nobody \
    knows.\n3. Reset the password of the account.";

/// What an incident is rendered from, beside its facts.
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) seed: u64,
    pub(crate) tenant_id: &'a str,
    /// The id of the incident this one was merged into.
    pub(crate) redirect: Option<&'a str>,
}

/// Appends the incident; the property `alerts` only if they were asked for.
// https://learn.microsoft.com/graph/api/resources/security-incident#properties
pub(crate) fn render(json: &mut Json, subject: &Subject<'_>, facts: &Facts<'_>, with_alerts: bool) {
    let mut rng = Rng::with_seed(subject.seed);
    let story = &STORIES[rng.usize(..STORIES.len())];
    let is_resolved = facts.status == "resolved";
    let web_url = web_url("incident2", subject.id, "/overview", subject.tenant_id);

    json.open('{');
    json.text("id", subject.id);
    json.text("tenantId", subject.tenant_id);
    json.member("status", facts.status);
    json.text("incidentWebUrl", &web_url);
    json.maybe_text("redirectIncidentId", subject.redirect);
    json.maybe_text("displayName", facts.text("displayName", Some(story.incident)));
    json.time("createdDateTime", facts.created);
    json.time("lastUpdateDateTime", facts.updated);
    json.maybe_text("assignedTo", facts.assigned_to);
    json.text("classification", facts.classification);
    json.text("determination", facts.determination);
    json.text("severity", facts.severity);
    json.texts("customTags", facts.tags.iter().copied());
    json.texts("systemTags", rng.bool().then_some("Defender Experts"));
    json.maybe_text("description", facts.text("description", Some(story.description)));
    json.text("lastModifiedBy", facts.modified_by.unwrap_or("Microsoft 365 Defender-IncidentCreation"));
    let resolving_comment = is_resolved.then_some("Contained, nothing left to do.");
    json.maybe_text("resolvingComment", facts.text("resolvingComment", resolving_comment));
    let summary = rng.bool().then_some("Defender Experts looked at this incident.");
    json.maybe_text("summary", facts.text("summary", summary));
    let score = rng.u8(..=100);
    match rng.u8(..5) {
        0 => json.null("priorityScore"),
        _ => json.raw("priorityScore", score),
    }
    json.open_at("comments", '[');
    for (comment, author, at) in &facts.comments {
        json.open('{');
        json.text("comment", comment);
        json.text("createdByDisplayName", author);
        json.time("createdDateTime", *at);
        json.close('}');
    }
    json.close(']');
    if with_alerts {
        json.open_at("alerts", '[');
        for (position, alert) in facts.alerts.iter().enumerate() {
            render_alert(json, subject, facts, alert, position, &web_url);
        }
        json.close(']');
    }
    json.close('}');
}

// https://learn.microsoft.com/graph/api/resources/security-alert#properties
fn render_alert(
    json: &mut Json,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
    alert: &AlertFacts,
    position: usize,
    incident_url: &str,
) {
    let mut rng = Rng::with_seed(mixed(subject.seed, position as u64 + 1));
    let Story { title, description, category, technique, prefix, service, detection, product, .. } =
        STORIES[rng.usize(..STORIES.len())];
    let provider_id = format!("{}_1", guid(&mut rng));
    let id = format!("{prefix}{provider_id}");
    let is_resolved = facts.status == "resolved";
    let status = if is_resolved {
        "resolved"
    } else if facts.assigned_to.is_some() {
        "inProgress"
    } else {
        "new"
    };

    json.open('{');
    json.text("id", &id);
    json.text("providerAlertId", &provider_id);
    json.text("incidentId", subject.id);
    json.member("status", status);
    json.text("severity", facts.severity);
    json.maybe_text("classification", is_resolved.then_some(facts.classification));
    json.maybe_text("determination", is_resolved.then_some(facts.determination));
    json.member("serviceSource", service);
    json.member("detectionSource", detection);
    json.text("productName", product);
    json.text("detectorId", &guid(&mut rng));
    json.text("tenantId", subject.tenant_id);
    json.text("title", title);
    json.text("description", description);
    json.text("recommendedActions", RECOMMENDED_ACTIONS);
    json.text("category", category);
    json.texts("categories", [category]);
    json.maybe_text("assignedTo", facts.assigned_to);
    json.text("alertWebUrl", &web_url("alerts", &id, "", subject.tenant_id));
    json.text("incidentWebUrl", incident_url);
    json.nulls(&["actorDisplayName", "alertPolicyId", "threatDisplayName", "threatFamilyName"]);
    json.texts("mitreTechniques", [technique]);
    json.time("createdDateTime", alert.created);
    json.time("lastUpdateDateTime", alert.updated);
    if is_resolved {
        json.time("resolvedDateTime", facts.updated);
    } else {
        json.null("resolvedDateTime");
    }
    let first_activity = Ticks(alert.created.0 - rng.i64(600_000_000..9_000_000_000));
    json.time("firstActivityDateTime", first_activity);
    json.time("lastActivityDateTime", alert.created);
    json.texts("systemTags", []);
    json.text(
        "investigationState",
        if is_resolved { "successfullyRemediated" } else { "unsupportedAlertType" },
    );
    json.texts("comments", []);
    json.raw("customDetails", "{}");
    json.open_at("additionalData", '{');
    json.text("Owner", ANALYSTS[rng.usize(..ANALYSTS.len())]);
    json.close('}');
    json.open_at("evidence", '[');
    let scene = Scene { tenant_id: subject.tenant_id, at: alert.created, resolved: is_resolved };
    for position in 0..alert.evidence {
        evidence::render(json, &mut rng, &scene, position);
    }
    json.close(']');
    json.close('}');
}

fn web_url(kind: &str, id: &str, tail: &str, tenant_id: &str) -> String {
    format!("https://security.microsoft.com/{kind}/{id}{tail}?tid={tenant_id}")
}
