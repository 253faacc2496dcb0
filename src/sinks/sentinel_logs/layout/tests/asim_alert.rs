//! What the rows of alerts in ASIM's schema say.

use serde_json::json;

use super::{assert_has, fixture, rows};
use crate::sinks::sentinel_logs::layout::Layout;

#[test]
fn each_piece_of_evidence_makes_a_row_and_so_does_an_alert_without_any() {
    let rows = rows(Layout::AsimAlert, &fixture("defender-two-alerts"));
    assert_eq!(rows.len(), 3);
    for (table, row) in &rows {
        assert_eq!(*table, "ASimAlertEvent_CL");
        assert_has(
            row,
            &json!({
                "EventCount": 1, "EventType": "Alert", "EventOriginalType": "alert", "EventVendor": "Microsoft", "EventSchema": "AlertEvent",
                "EventSchemaVersion": "1.0.0", "TimeGenerated": "2026-11-23T09:10:11.1200001Z",
            }),
        );
        for mandatory in ["EventStartTime", "EventEndTime", "EventUid", "EventProduct"] {
            assert!(row[mandatory].is_string(), "{mandatory}");
        }
    }
    assert_has(
        &rows[0].1,
        &json!({
            "EventUid": "da0001_1", "AlertId": "da0001_1", "AlertName": "Suspicious script",
            "EventSubType": "Threat", "EventSeverity": "Medium", "EventOriginalSeverity": "medium",
            "AlertStatus": "Active", "AlertOriginalStatus": "inProgress", "AlertVerdict": "True Positive",
            "DetectionMethod": "EDR", "AttackTactics": "Execution, Persistence",
            "AttackTechniques": "T1059.005, T1546.003", "RuleName": "d-77", "Rule": "d-77",
            "IndicatorType": "Host", "IndicatorAssociation": "Targeted",
            "Dvc": "w11-042", "DvcHostname": "w11-042", "Hostname": "w11-042", "DvcIpAddr": "192.0.2.42",
            "DvcId": "b0b1", "DvcIdType": "MDEid", "DvcDomain": "EXAMPLE",
        }),
    );
    assert_has(
        &rows[1].1,
        &json!({
            "IndicatorType": "Process", "IndicatorAssociation": "Associated", "ProcessId": "9112",
            "ProcessName": "wscript.exe", "FileSize": 5_454_656, "Username": "EXAMPLE\\mia",
            "UsernameType": "Windows", "User": "EXAMPLE\\mia", "UserId": "S-1-5-21-1-2-3-1001",
            "UserIdType": "SID",
        }),
    );
    assert_has(
        &rows[2].1,
        &json!({
            "EventProduct": "Microsoft Defender XDR", "AlertVerdict": "Unknown", "AlertStatus": "Closed",
            "DetectionMethod": "Other", "AttackTactics": "InitialAccess", "EventSubType": "Suspicious Activity",
        }),
    );
    assert!(rows[2].1.get("IndicatorType").is_none());
}

#[test]
fn the_originals_are_in_additional_fields_once() {
    let incident = fixture("defender-two-alerts");
    let rows = rows(Layout::AsimAlert, &incident);
    let has = |row: usize, name: &str| rows[row].1["AdditionalFields"].get(name).is_some();
    let names = ["incident", "alert", "evidence"];
    let found: Vec<_> = (0..3).map(|row| names.map(|name| has(row, name))).collect();
    assert_eq!(found, [[true, true, true], [false, false, true], [false, true, false]]);
    assert_eq!(rows[1].1["AdditionalFields"]["evidence"], incident["alerts"][0]["evidence"][1]);
    assert_eq!(rows[2].1["AdditionalFields"]["incidentId"], "4711");
}

#[test]
fn an_incident_without_alerts_makes_one_row_that_says_so() {
    let incident = fixture("defender-redirected");
    let rows = rows(Layout::AsimAlert, &incident);
    assert_eq!(rows.len(), 1);
    let expected = json!({
        "EventType": "Alert", "EventOriginalType": "incident", "EventUid": "4712", "AlertId": "4712",
        "AlertName": "Merged away", "EventSubType": "Suspicious Activity", "EventSeverity": "Medium",
        "AlertStatus": "Closed", "AlertOriginalStatus": "redirected", "AlertVerdict": "Unknown",
        "EventStartTime": "2026-11-20T08:05:00Z", "EventEndTime": "2026-11-20T08:06:00.2Z",
        "TimeGenerated": "2026-11-20T08:06:00.2Z", "EventProduct": "Microsoft Defender XDR",
        "EventReportUrl": "https://security.microsoft.com/incidents/4711",
    });
    assert_has(&rows[0].1, &expected);
    assert_eq!(rows[0].1["AdditionalFields"]["incident"]["redirectIncidentId"], "4711");
    assert!(rows[0].1["AdditionalFields"].get("alert").is_none());
}
