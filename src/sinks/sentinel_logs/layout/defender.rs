//! The layout `defender`: an incident as rows of three tables, its alerts and their evidence each as a row of their own.
//!
//! A field goes into the column that is named for it; everything else stays in `AdditionalData`, and so does what was put
//! in other words: the columns `Status` and `status` in `AdditionalData` say the same. Columns of the evidence that name
//! devices, accounts and files are copies; the evidence is whole in `AdditionalData` but for the fields that all have.

use std::borrow::Cow;

use chrono::DateTime;

use super::defender_tables::{ALERTS, EVIDENCE, INCIDENTS};
use super::fields::{Fields, id_text, write_text};
use super::incident::{Alert, Incident};
use super::sentinel_vocabulary as words;
use super::table::is_time;
use super::table_rows::{TableRow, TableRows};
use model::event::Event;
use runtime::quarantine::Reason;

/// What evidence types begin with.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>
pub(super) const TYPE_PREFIX: &str = "#microsoft.graph.security.";

/// What the rows of alerts and evidence have from their incident.
struct State<'a> {
    id: Cow<'a, str>,
    last_update: Option<Cow<'a, str>>,
    tenant: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
}

/// Writes the rows that an incident becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let incident = Incident::read(&json)?;
    let state = State {
        id: incident.id,
        last_update: incident.last_update.clone(),
        tenant: incident.fields.text("tenantId"),
        url: incident.fields.text("incidentWebUrl"),
    };
    let Incident { fields, alerts, .. } = incident;
    incident_row(rows.begin(INCIDENTS), fields, &alerts, &state);
    for Alert { fields, evidence } in alerts {
        let alert_id = fields.get("id").and_then(id_text).map(Cow::into_owned);
        let tenant = fields.text("tenantId").or_else(|| state.tenant.clone());
        alert_row(rows.begin(ALERTS), fields, &state);
        for (index, piece) in (0..).zip(evidence) {
            let row = rows.begin(EVIDENCE);
            evidence_row(row, piece, index, alert_id.as_deref(), tenant.as_deref(), &state);
        }
    }
    Ok(())
}

fn incident_row(mut row: TableRow<'_>, mut fields: Fields<'_>, alerts: &[Alert<'_>], state: &State<'_>) {
    row.text_if("TimeGenerated", state.last_update.as_deref());
    row.take(&mut fields, "id", "ProviderIncidentId");
    if let Ok(number) = state.id.parse::<i32>() {
        row.number("IncidentNumber", number);
    }
    row.text("ProviderName", "Microsoft XDR");
    row.take_all(&mut fields);
    row.text_if("Severity", fields.text("severity").as_deref().map(words::severity));
    row.text_if("Status", fields.text("status").as_deref().map(words::incident_status));
    let classification = fields.text("classification");
    row.text_if("Classification", classification.as_deref().map(words::classification));
    row.text_if("ClassificationReason", classification.as_deref().and_then(words::classification_reason));
    if let Some(owner) = fields.text("assignedTo") {
        row.dynamic("Owner", |out| {
            out.extend_from_slice(b"{\"assignedTo\":");
            write_text(&owner, out);
            out.push(b'}');
        });
        fields.remove("assignedTo");
    }
    write_labels(&mut row, &mut fields);
    let time = |of: &str| alerts.iter().filter_map(|alert| alert.fields.text(of)).collect::<Vec<_>>();
    row.text_if("FirstActivityTime", by_time(time("firstActivityDateTime")).next());
    row.text_if("LastActivityTime", by_time(time("lastActivityDateTime")).next_back());
    row.dynamic("AlertIds", |out| {
        let ids = alerts.iter().filter_map(|alert| alert.fields.get("id"));
        let ids: Vec<_> = ids.map(serde_json::value::RawValue::get).collect();
        out.extend_from_slice(format!("[{}]", ids.join(",")).as_bytes());
    });
    row.rest("AdditionalData", &fields);
    row.finish();
}

/// Tags become Sentinel's labels: those of people, and those that Defender set.
/// Source: <https://learn.microsoft.com/rest/api/securityinsights/incidents/get#incidentlabel>
fn write_labels(row: &mut TableRow<'_>, fields: &mut Fields<'_>) {
    let mut labels = Vec::new();
    for (field, label_type) in [("customTags", "User"), ("systemTags", "AutoAssigned")] {
        for tag in fields.take_texts(field) {
            labels.push(if labels.is_empty() { b'[' } else { b',' });
            labels.extend_from_slice(b"{\"labelName\":");
            write_text(&tag, &mut labels);
            labels.extend_from_slice(format!(",\"labelType\":\"{label_type}\"}}").as_bytes());
        }
    }
    if !labels.is_empty() {
        labels.push(b']');
        row.dynamic("Labels", |out| out.append(&mut labels));
    }
}

/// Those that are times, the earliest first.
fn by_time(times: Vec<Cow<'_, str>>) -> impl DoubleEndedIterator<Item = Cow<'_, str>> {
    let read =
        |text: Cow<'_, str>| Some((DateTime::parse_from_rfc3339(&text).ok()?.to_utc(), text.into_owned()));
    let mut times: Vec<_> = times.into_iter().filter_map(read).collect();
    times.sort();
    times.into_iter().map(|(_, text)| Cow::Owned(text))
}

fn alert_row(mut row: TableRow<'_>, mut fields: Fields<'_>, state: &State<'_>) {
    write_state(&mut row, state);
    row.text("VendorName", "Microsoft");
    // Of what the incident says too, only what differs has to be said again.
    if fields.get("incidentId").and_then(id_text).is_some_and(|id| id == state.id) {
        fields.remove("incidentId");
    }
    if state.url.is_some() && fields.text("incidentWebUrl") == state.url {
        fields.remove("incidentWebUrl");
    }
    if fields.text("tenantId").is_none() {
        row.text_if("SourceTenantId", state.tenant.as_deref());
    }
    row.take_all(&mut fields);
    row.text_if("AlertSeverity", fields.text("severity").as_deref().map(words::severity));
    row.text_if("Status", fields.text("status").as_deref().map(words::alert_status));
    row.text_if("Classification", fields.text("classification").as_deref().map(words::classification));
    let tactics = fields.take_texts("categories");
    if tactics.is_empty() {
        row.take(&mut fields, "category", "Tactics");
    } else {
        row.text("Tactics", &tactics.join(","));
        // The older form of the same, as long as Microsoft sends both.
        if fields.text("category").is_some_and(|category| tactics.contains(&category)) {
            fields.remove("category");
        }
    }
    if !fields.texts("mitreTechniques").is_empty()
        && let Some(techniques) = fields.get("mitreTechniques")
    {
        row.text("Techniques", techniques.get());
        fields.remove("mitreTechniques");
    }
    row.rest("AdditionalData", &fields);
    row.finish();
}

fn evidence_row(
    mut row: TableRow<'_>,
    mut fields: Fields<'_>,
    index: i32,
    alert_id: Option<&str>,
    tenant: Option<&str>,
    state: &State<'_>,
) {
    write_state(&mut row, state);
    row.text_if("SystemAlertId", alert_id);
    row.text_if("SourceTenantId", tenant);
    row.number("EvidenceIndex", index);
    if let Some(evidence_type) = fields.text("@odata.type") {
        row.text("EvidenceType", evidence_type.strip_prefix(TYPE_PREFIX).unwrap_or(&evidence_type));
        fields.remove("@odata.type");
    }
    row.take_all(&mut fields);
    row.copy_evidence(&fields);
    row.rest("AdditionalData", &fields);
    row.finish();
}

fn write_state(row: &mut TableRow<'_>, state: &State<'_>) {
    if let Some(time) = state.last_update.as_deref().filter(|time| is_time(time)) {
        row.text("TimeGenerated", time);
        row.text("IncidentLastModifiedTime", time);
    }
    row.text("ProviderIncidentId", &state.id);
}
