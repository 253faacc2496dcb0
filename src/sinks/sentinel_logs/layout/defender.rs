//! The layout `defender`: an incident as rows of three tables, its alerts and their evidence each as a row of their own. An alert
//! or a piece of evidence that is an event of its own makes the row that it would make within its incident; a change of an incident
//! makes one row of a fourth table.
//!
//! A field goes into the column that is named for it; everything else stays in `AdditionalData`, and so does what was put
//! in other words: the columns `Status` and `status` in `AdditionalData` say the same. Columns of the evidence that name
//! devices, accounts and files are copies; the evidence is whole in `AdditionalData` but for the fields that all have.

use std::borrow::Cow;

use chrono::DateTime;

use super::defender_tables::{ALERTS, CHANGES, EVIDENCE, EVIDENCE_COPIES, INCIDENTS};
use super::evidence::{ADDRESS, Evidence};
use super::fields::{Fields, id_text, text, time_text, write_text, write_texts};
use super::incident::{Alert, DefenderEvent, IncidentState, Subject};
use super::sentinel_vocabulary as words;
use super::table_rows::{TableRow, TableRows};
use model::event::Event;
use runtime::quarantine::Reason;

/// Writes the rows that an event becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let DefenderEvent { incident, subject } = DefenderEvent::read(&json)?;
    if incident.is_time_unread {
        rows.note_unread_time();
    }
    match subject {
        Subject::Incident { fields, alerts } => {
            incident_row(rows.begin(INCIDENTS), fields, alerts.as_deref(), &incident);
            for alert in alerts.unwrap_or_default() {
                alert_rows(rows, alert, false, &incident);
            }
        }
        Subject::Alert(alert) => alert_rows(rows, alert, true, &incident),
        Subject::Evidence { piece, mut alert } => {
            let id = alert.take_id("id");
            let title = alert.take_text("title");
            let mut piece = piece;
            piece.leave_rest("alert", alert);
            let mut row = rows.begin(EVIDENCE);
            row.text_if("AlertName", title);
            row.text_if("IncidentUrl", incident.url.as_deref());
            evidence_row(row, piece, id.as_deref(), incident.tenant.as_deref(), &incident);
        }
        Subject::Change(change) => change_row(rows.begin(CHANGES), change, &incident),
    }
    Ok(())
}

/// Writes the rows of an alert: its own, and one for each piece of its evidence. Of one `alone` no row of its incident has the URL.
fn alert_rows(rows: &mut TableRows, alert: Alert<'_>, alone: bool, incident: &IncidentState<'_>) {
    let Alert { fields, evidence } = alert;
    let alert_id = fields.get("id").and_then(id_text).map(Cow::into_owned);
    let tenant = fields.text("tenantId").or_else(|| incident.tenant.clone());
    // Evidence has the time of the incident's state, if there is one.
    let updated = fields.get("lastUpdateDateTime").filter(|_| incident.last_update.is_none());
    let mut row = rows.begin(ALERTS);
    if alone {
        row.text_if("IncidentUrl", incident.url.as_deref());
    }
    alert_row(row, fields, incident);
    for (index, piece) in (0..).zip(evidence) {
        let mut row = rows.begin(EVIDENCE);
        row.number("EvidenceIndex", index);
        if let Some(time) = updated {
            row.copy("AlertLastModifiedTime", time);
        }
        evidence_row(row, piece, alert_id.as_deref(), tenant.as_deref(), incident);
    }
}

fn incident_row(
    mut row: TableRow<'_>,
    mut fields: Fields<'_>,
    alerts: Option<&[Alert<'_>]>,
    incident: &IncidentState<'_>,
) {
    row.text_if("TimeGenerated", incident.time.as_deref());
    row.take(&mut fields, "id", "ProviderIncidentId");
    if let Some(number) = incident.id.as_deref().and_then(|id| id.parse::<i32>().ok()) {
        row.number("IncidentNumber", number);
    }
    row.text("ProviderName", "Microsoft XDR");
    write_tenant(&mut row, &fields, incident);
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
    if let Some(alerts) = alerts {
        let time =
            |of: &str| alerts.iter().filter_map(|alert| time_text(alert.fields.get(of)?)).collect::<Vec<_>>();
        row.text_if("FirstActivityTime", by_time(time("firstActivityDateTime")).next());
        row.text_if("LastActivityTime", by_time(time("lastActivityDateTime")).next_back());
        row.dynamic("AlertIds", |out| {
            let ids = alerts.iter().filter_map(|alert| alert.fields.get("id"));
            let ids: Vec<_> = ids.map(serde_json::value::RawValue::get).collect();
            out.extend_from_slice(format!("[{}]", ids.join(",")).as_bytes());
        });
    }
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

fn alert_row(mut row: TableRow<'_>, mut fields: Fields<'_>, incident: &IncidentState<'_>) {
    write_state(&mut row, incident);
    row.text("VendorName", "Microsoft");
    // Of what is said of the incident already, only what differs has to be said again.
    if incident.id.is_some() && fields.get("incidentId").and_then(id_text) == incident.id {
        fields.remove("incidentId");
    }
    if incident.url.is_some() && fields.text("incidentWebUrl") == incident.url {
        fields.remove("incidentWebUrl");
    }
    write_tenant(&mut row, &fields, incident);
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
    mut piece: Fields<'_>,
    alert_id: Option<&str>,
    tenant: Option<&str>,
    incident: &IncidentState<'_>,
) {
    write_state(&mut row, incident);
    row.text_if("SystemAlertId", alert_id);
    row.text_if("SourceTenantId", tenant);
    row.text_if("SourceTenantName", incident.tenant_name.as_deref());
    let mut evidence = Evidence::new(&piece);
    row.text("EvidenceId", &format!("{:016x}", evidence.id()));
    row.text_if("EvidenceType", Some(&evidence.kind).filter(|name| !name.is_empty()));
    row.copy_evidence(&EVIDENCE_COPIES, &mut evidence);
    write_addresses(&mut row, &mut evidence);
    piece.take_text("@odata.type");
    row.take_all(&mut piece);
    row.rest("AdditionalData", &piece);
    row.finish();
}

/// Writes all addresses of a piece, if there are more than the one in `IpAddress`.
fn write_addresses(row: &mut TableRow<'_>, evidence: &mut Evidence<'_, '_>) {
    let addresses = evidence.addresses();
    let mut main = ADDRESS.split(", ").filter_map(|path| evidence.find(path).and_then(text));
    let main = main.next();
    if addresses.iter().any(|address| Some(address) != main.as_ref()) {
        row.dynamic("IpAddresses", |out| write_texts(&addresses, out));
    }
}

/// The row of what changed in an incident.
fn change_row(mut row: TableRow<'_>, mut change: Fields<'_>, incident: &IncidentState<'_>) {
    write_state(&mut row, incident);
    write_tenant(&mut row, &change, incident);
    row.text_if("IncidentUrl", incident.url.as_deref());
    row.take_all(&mut change);
    row.rest("AdditionalData", &change);
    row.finish();
}

fn write_state(row: &mut TableRow<'_>, incident: &IncidentState<'_>) {
    row.text_if("TimeGenerated", incident.time.as_deref());
    row.text_if("IncidentLastModifiedTime", incident.last_update.as_deref());
    row.text_if("ProviderIncidentId", incident.id.as_deref());
}

/// The tenant's id, unless a field says it, and its name.
fn write_tenant(row: &mut TableRow<'_>, fields: &Fields<'_>, incident: &IncidentState<'_>) {
    if fields.text("tenantId").is_none() {
        row.text_if("SourceTenantId", incident.tenant.as_deref());
    }
    row.text_if("SourceTenantName", incident.tenant_name.as_deref());
}
