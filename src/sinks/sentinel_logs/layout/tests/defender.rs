//! What an incident's three kinds of rows say.

use serde_json::json;

use super::{assert_has, event, fixture, rows, written};
use crate::sinks::sentinel_logs::layout::Layout;
use model::event::Event;
use model::value::Value as V;

#[test]
fn an_incident_makes_a_row_for_itself_each_alert_and_each_piece_of_evidence() {
    let rows = rows(Layout::Defender, &fixture("defender-two-alerts"));
    let tables: Vec<_> = rows.iter().map(|(table, _)| *table).collect();
    let (incidents, alerts, evidence) = ("DefenderIncidents_CL", "DefenderAlerts_CL", "DefenderEvidence_CL");
    assert_eq!(tables, [incidents, alerts, evidence, evidence, alerts]);
    assert_has(
        &rows[0].1,
        &json!({
            "TimeGenerated": "2026-11-23T09:10:11.1200001Z",
            "LastModifiedTime": "2026-11-23T09:10:11.1200001Z",
            "ProviderIncidentId": "4711", "IncidentNumber": 4711, "ProviderName": "Microsoft XDR",
            "SourceTenantId": "6d5c0d4e-0f3a-4b27-9c55-7f0a7a3f9d11",
            "IncidentTitle": "Script host started by a document, on one endpoint",
            "Severity": "High", "Status": "Active", "Classification": "TruePositive",
            "ClassificationReason": "SuspiciousActivity", "Determination": "multiStagedAttack",
            "Owner": {"assignedTo": "analyst@example.com"},
            "Labels": [
                {"labelName": "Ring 0", "labelType": "User"},
                {"labelName": "VIP", "labelType": "User"},
                {"labelName": "Defender Experts", "labelType": "AutoAssigned"},
            ],
            "PriorityScore": 87,
            "FirstActivityTime": "2026-11-20T06:59:00Z", "LastActivityTime": "2026-11-20T09:00:00.25Z",
            "AlertIds": ["da0001_1", "fa0002_1"],
            "AdditionalData": {
                "status": "awaitingAction", "redirectIncidentId": null, "classification": "truePositive",
                "severity": "high", "resolvingComment": null, "recommendedActions": "Isolate the device.",
            },
        }),
    );
}

#[test]
fn alerts_and_evidence_say_which_state_of_which_incident_they_belong_to() {
    let rows = rows(Layout::Defender, &fixture("defender-two-alerts"));
    for (_, row) in &rows[1..] {
        assert_has(
            row,
            &json!({
                "TimeGenerated": "2026-11-23T09:10:11.1200001Z",
                "IncidentLastModifiedTime": "2026-11-23T09:10:11.1200001Z",
                "ProviderIncidentId": "4711",
                "SourceTenantId": "6d5c0d4e-0f3a-4b27-9c55-7f0a7a3f9d11",
            }),
        );
    }
    assert_has(
        &rows[1].1,
        &json!({
            "SystemAlertId": "da0001_1", "AlertName": "Suspicious script", "AlertSeverity": "Medium",
            "Status": "InProgress", "VendorName": "Microsoft", "Tactics": "Execution,Persistence",
            "Techniques": r#"["T1059.005","T1546.003"]"#, "StartTime": "2026-11-20T07:55:00Z",
            "CustomDetails": {"Ticket": "INC-9"},
        }),
    );
    // What the incident says too is not said again.
    assert!(rows[1].1["AdditionalData"].get("incidentId").is_none());
    assert!(rows[1].1["AdditionalData"].get("category").is_none());
    assert_has(
        &rows[3].1,
        &json!({
            "SystemAlertId": "da0001_1", "EvidenceIndex": 1, "EvidenceType": "processEvidence",
            "Verdict": "malicious", "ProcessId": 9112, "FileName": "wscript.exe", "FileSize": 5_454_656,
            "AccountName": "mia", "AccountDomain": "EXAMPLE", "AccountSid": "S-1-5-21-1-2-3-1001",
            "DeviceId": "b0b1",
        }),
    );
    assert_has(&rows[4].1, &json!({"SystemAlertId": "fa0002_1", "Tactics": "InitialAccess"}));
}

#[test]
fn a_merged_incident_is_closed_and_says_into_which() {
    let rows = rows(Layout::Defender, &fixture("defender-redirected"));
    assert_eq!(rows.len(), 1);
    assert_has(
        &rows[0].1,
        &json!({"Status": "Closed", "Classification": "Undetermined", "RedirectIncidentId": "4711", "AlertIds": []}),
    );
}

#[test]
fn what_nobody_expects_stays_as_it_is_beside_the_columns() {
    let rows = rows(Layout::Defender, &fixture("defender-through-vector"));
    let incident = &rows[0].1;
    assert_eq!(incident["Status"], "statusOfTomorrow");
    for column in ["Severity", "PriorityScore", "Labels", "SourceTenantId"] {
        assert!(incident.get(column).is_none(), "{column}");
    }
    assert_has(
        &incident["AdditionalData"],
        &json!({
            "severity": 3, "priorityScore": "high", "customTags": {"not": "a list"},
            "timestamp": "2026-11-21T00:00:01Z", "source_type": "vector",
            "enriched": {"owner": {"team": "blue"}},
        }),
    );
    assert_eq!(rows[1].1["AdditionalData"], json!({"id": 17, "firstActivityDateTime": "yesterday"}));
    assert_eq!(rows[2].1["EvidenceType"], "quantumEvidence");
    assert_eq!(rows[3].1["IpAddress"], "203.0.113.9");
}

#[test]
fn an_event_from_vector_becomes_the_rows_that_its_json_would() {
    let text = |text: &str| V::Bytes(text.to_owned().into());
    let fields = [
        ("id", text("7")),
        ("lastUpdateDateTime", text("2026-11-21T00:00:01Z")),
        ("timestamp", V::Timestamp(chrono::DateTime::UNIX_EPOCH)),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let from_vector = written(Layout::Defender, &Event::from_value(V::Object(fields))).unwrap();
    let json = json!({
        "id": "7", "lastUpdateDateTime": "2026-11-21T00:00:01Z", "timestamp": "1970-01-01T00:00:00Z"
    });
    assert_eq!(from_vector, written(Layout::Defender, &event(&json)).unwrap());
}

#[test]
fn what_is_no_incident_is_refused_with_words() {
    for (json, code) in [
        (json!({"message": "link down"}), "not_an_incident"),
        (json!({"id": 29, "lastUpdateDateTime": "2026-11-21T00:00:01Z"}), "not_an_incident"),
        (json!({"id": "", "incidentWebUrl": "https://security.microsoft.com"}), "not_an_incident"),
        (
            json!({"id": "da1", "incidentId": "29", "lastUpdateDateTime": "2026-11-21T00:00:01Z"}),
            "not_an_incident",
        ),
        (json!([1]), "not_an_object"),
    ] {
        for layout in [Layout::Defender, Layout::AsimAlert] {
            let reason = written(layout, &event(&json)).unwrap_err();
            assert_eq!(reason.code, code, "{json}");
            assert!(reason.message.len() > 40, "{}", reason.message);
        }
    }
}

#[test]
fn without_a_time_the_rows_have_the_one_of_their_source() {
    let time = chrono::DateTime::from_timestamp(1_800_000_000, 0);
    let json = json!({"id": "7", "lastUpdateDateTime": "soon", "alerts": [{}]});
    for (_, row) in written(Layout::Defender, &Event::new(json.to_string().into(), time)).unwrap() {
        assert!(row.ends_with(r#","TimeGenerated":"2027-01-15T08:00:00.000000Z"}"#), "{row}");
    }
}
