use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sinks::sentinel_logs::encoding::EncodingConfig;
use crate::sinks::sentinel_logs::layout::Layout;
use crate::sinks::sentinel_logs::{Columns, ColumnsConfig, Encoder, Encoding, Packer, Rows, TablePlan};
use model::event::Event;

const LIMIT: usize = 1_000_000;

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// An alert with five pieces of evidence, of about 6,400 bytes.
fn alert(number: usize) -> Value {
    let evidence = |n: usize| json!({"@odata.type": "#microsoft.graph.security.processEvidence", "n": n, "text": "e".repeat(1_150)});
    json!({"id": format!("da{number}"), "severity": "high", "evidence": (0..5).map(evidence).collect::<Vec<_>>()})
}

fn incident(alerts: &[Value]) -> Value {
    json!({
        "id": "29", "displayName": "Multi-stage", "lastUpdateDateTime": "2026-11-23T11:00:00Z",
        "incidentWebUrl": "https://security.microsoft.com/incidents/29", "comments": [], "alerts": alerts,
    })
}

/// The rows of an event, in order, with the codes of what was refused.
fn rows(
    event: &Value,
    columns: Option<ColumnsConfig>,
    encoding: Option<Arc<Encoding>>,
    max_row: usize,
) -> (Vec<Value>, Vec<&'static str>) {
    let columns = columns.map(|columns| Columns::of_config(&columns, TablePlan::Analytics));
    let encoder =
        Encoder::new(Layout::Raw, TablePlan::Analytics, "TimeGenerated", columns, encoding, max_row - 2);
    let other = json!({"message": "another", "TimeGenerated": "2026-11-23T12:00:00Z"});
    let events = [event, &other].map(|event| Event::new(event.to_string().into(), None));
    let (rows, rowless) = Rows::new(&encoder, events.into(), now());
    assert!(rowless.is_empty());
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for packed in Packer::new(&rows, (0..rows.count()).collect(), max_row, None) {
        refused.extend(packed.refused.iter().map(|(row, reason)| (rows.event(*row).0, reason.code)));
        if let Some(request) = packed.request {
            let json: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
            found.extend(request.rows.iter().map(|row| rows.event(*row).0).zip(json));
        }
    }
    assert_eq!(found.iter().filter(|(event, _)| *event == 1).count(), 1, "the other is as it was");
    found.retain(|(event, _)| *event == 0);
    (found.into_iter().map(|(_, row)| row).collect(), refused.into_iter().map(|(_, code)| code).collect())
}

/// All alerts of the rows, in the order of the parts; each row is asserted to be whole and small enough.
fn alerts_of(rows: &[Value], max_row: usize) -> Vec<Value> {
    let mut alerts = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        assert!(row.to_string().len() <= max_row);
        assert_eq!((&row["id_"], &row["displayName"]), (&json!("29"), &json!("Multi-stage")));
        let updated =
            row.get("lastUpdateDateTime").unwrap_or_else(|| &row["ExtraColumns"]["lastUpdateDateTime"]);
        assert_eq!((updated, row["TimeGenerated"].is_string()), (&json!("2026-11-23T11:00:00Z"), true));
        if rows.len() > 1 {
            let notes = row["TruncatedColumns"].as_array().unwrap();
            let note = notes.iter().find(|note| note["column"] == "alerts").unwrap();
            assert_eq!((&note["part"], &note["parts"]), (&json!(index + 1), &json!(rows.len())), "{note}");
        }
        let mut columns: BTreeMap<usize, &Value> = BTreeMap::new();
        for (name, value) in row.as_object().unwrap() {
            assert!(value.to_string().len() <= 65_536 + 2, "{name}");
            if let Some(number) = name.strip_prefix("alerts") {
                columns.insert(number.strip_prefix('_').map_or(1, |number| number.parse().unwrap()), value);
            }
        }
        let lists = columns.values().map(|value| value.as_array().unwrap());
        alerts.extend(lists.flatten().cloned());
    }
    alerts
}

#[test]
fn an_incident_keeps_all_its_alerts_however_many() {
    for (count, expected_rows) in
        [(0, 1), (1, 1), (5, 1), (10, 1), (20, 2), (50, 5), (150, 15), (190, 19), (1_000, 100), (3_000, 300)]
    {
        let alerts: Vec<_> = (0..count).map(alert).collect();
        let (rows, refused) = rows(&incident(&alerts), None, None, LIMIT);
        assert_eq!((rows.len(), refused.len()), (expected_rows, 0), "{count} alerts");
        assert!(alerts_of(&rows, LIMIT) == alerts, "{count} alerts");
    }
}

#[test]
fn an_incident_that_fits_is_the_row_that_it_was() {
    let event = incident(&(0..10).map(alert).collect::<Vec<_>>());
    let encoder = Encoder::new(Layout::Raw, TablePlan::Analytics, "TimeGenerated", None, None, LIMIT);
    let (rows, _) = Rows::new(&encoder, [Event::new(event.to_string().into(), None)].into(), now());
    let mut row = Vec::new();
    rows.write(0, &mut row).unwrap();
    let mut expected = event.to_string().replacen("\"id\"", "\"id_\"", 1);
    expected.truncate(expected.len() - 1);
    let expected = format!("{expected},\"TimeGenerated\":\"2026-11-23T12:00:00.000000Z\"}}");
    assert_eq!((rows.count(), String::from_utf8(row).unwrap()), (1, expected));
}

fn columns(alerts: usize) -> ColumnsConfig {
    let names =
        ["TimeGenerated", "id_", "displayName", "alerts", "comments", "ExtraColumns", "TruncatedColumns"];
    let more = (2..=alerts).map(|number| format!("alerts_{number}"));
    ColumnsConfig::Names(names.map(str::to_owned).into_iter().chain(more).collect())
}

#[test]
fn alerts_fill_the_columns_that_the_stream_declares_before_another_row() {
    let alerts: Vec<_> = (0..50).map(alert).collect();
    for (declared, expected) in [(1, 5), (2, 3), (5, 1), (8, 1)] {
        let (rows, _) = rows(&incident(&alerts), Some(columns(declared)), None, LIMIT);
        assert_eq!(rows.len(), expected, "{declared} columns");
        assert!(alerts_of(&rows, LIMIT) == alerts);
    }
    // Nothing is missing, so nothing is noted.
    let (one, _) = rows(&incident(&alerts), Some(columns(5)), None, LIMIT);
    assert_eq!(
        (one[0].get("TruncatedColumns"), one[0]["alerts_5"].as_array().map(Vec::len)),
        (None, Some(10))
    );
    // A row has no more room, whatever is declared.
    let alerts: Vec<_> = (0..400).map(alert).collect();
    let (many, _) = rows(&incident(&alerts), Some(columns(60)), None, LIMIT);
    assert_eq!(many.len(), 3);
    assert!(alerts_of(&many, LIMIT) == alerts);
}

#[test]
fn odd_alerts_take_no_others_with_them() {
    let mut alerts: Vec<_> = (0..12).map(alert).collect();
    alerts.splice(3..3, [Value::Null, json!("text"), json!([1]), json!({})]);
    let (rows, _) = rows(&incident(&alerts), None, None, LIMIT);
    assert!(alerts_of(&rows, LIMIT) == alerts);
}

#[test]
fn an_alert_that_is_longer_than_a_column_loses_evidence_and_says_how_much() {
    let mut long = alert(1);
    long["evidence"] = (0..100).map(|n| json!({"n": n, "text": "e".repeat(1_000)})).collect();
    long["description"] = "d".repeat(2_000).into();
    let alerts = vec![alert(0), long.clone(), alert(2), json!("x".repeat(70_000))];
    let (rows, refused) = rows(&incident(&alerts), Some(columns(9)), None, LIMIT);
    assert_eq!((rows.len(), refused.len()), (1, 0));
    let kept = alerts_of(&rows, LIMIT);
    assert_eq!((&kept[0], &kept[2], kept.len()), (&alerts[0], &alerts[2], 4));
    let evidence = kept[1]["evidence"].as_array().unwrap();
    assert!(evidence.len() > 55 && evidence[..] == long["evidence"].as_array().unwrap()[..evidence.len()]);
    assert_eq!((&kept[1]["id"], &kept[1]["description"]), (&long["id"], &long["description"]));
    let notes = rows[0]["TruncatedColumns"].as_array().unwrap();
    let note = json!({
        "column": "alerts_2", "field": "[0].evidence", "bytes": long["evidence"].to_string().len(),
        "missing": 100 - evidence.len(),
    });
    assert!(notes.contains(&note), "{notes:?}");
    assert!(kept[3].as_str().unwrap().starts_with("xxx"));
}

#[test]
fn notes_on_an_alert_that_is_cut_take_no_more_than_the_row_has() {
    let mut long = json!({"id": "a"});
    for n in 0..40 {
        long[format!("{n:03}{}", "n".repeat(195))] = "x".repeat(5_000).into();
    }
    let mut event = incident(&[long]);
    event["description"] = "d".repeat(40_000).into();
    for max_row in [110_000, 109_000, 108_000, 60_000, 30_000] {
        let (rows, refused) = rows(&event, None, None, max_row);
        assert_eq!(refused.len(), 0, "{max_row}");
        assert_eq!(alerts_of(&rows, max_row).len(), 1);
        let notes = rows.last().unwrap()["TruncatedColumns"].as_array().unwrap();
        assert!(
            notes.iter().any(|note| note["column"] == "alerts" && note["field"].is_string()),
            "{notes:?}"
        );
    }
}

#[test]
fn the_rows_of_an_incident_are_not_many_times_the_event() {
    let alerts: Vec<_> = (0..2_000).map(|n| json!({"id": n, "text": "a".repeat(1_000)})).collect();
    let mut event = incident(&alerts);
    event["tenantId"] = "t".repeat(60_000).into();
    for n in 0..20 {
        event[format!("field{n}")] = "f".repeat(60_000 - 3_000 * n).into();
    }
    let (rows, refused) = rows(&event, None, None, LIMIT);
    assert_eq!((refused.len(), rows.len() > 20), (0, true), "{}", rows.len());
    assert!(alerts_of(&rows, LIMIT) == alerts);
    let bytes: usize = rows.iter().map(|row| row.to_string().len()).sum();
    assert!(bytes < 2 * event.to_string().len(), "{bytes}");
    assert_eq!((&rows[0]["field19"], &rows[0]["comments"]), (&event["field19"], &json!([])));
    let mut names: Vec<_> = rows[1].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "TimeGenerated",
        "TruncatedColumns",
        "alerts",
        "displayName",
        "id_",
        "incidentWebUrl",
        "lastUpdateDateTime",
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_incident_of_any_size_has_a_row_and_its_newest_comments() {
    let comment = |n: usize| json!({"comment": format!("{n} {}", "c".repeat(30_000)), "createdDateTime": now().to_rfc3339()});
    let mut event = incident(&(0..30).map(alert).collect::<Vec<_>>());
    event["comments"] = (0..100).map(comment).collect();
    event["description"] = "d".repeat(400_000).into();
    let (found, refused) = rows(&event, None, None, LIMIT);
    assert_eq!((found.len(), refused.len()), (3, 0));
    assert_eq!(alerts_of(&found, LIMIT).len(), 30);
    assert_eq!(found[0]["comments"], json!([comment(98), comment(99)]));
    assert_eq!(found[2].get("comments"), None);
    let notes = found[0]["TruncatedColumns"].as_array().unwrap();
    let note = notes.iter().find(|note| note["column"] == "comments").unwrap();
    assert_eq!(note["missing"], 98);
    // Of Sentinel, too; but what is no incident is kept whole, in the quarantine.
    let of_sentinel = json!({"id": "/x", "name": "n", "etag": "e", "properties": {"title": "t"}, "comments": event["comments"]});
    assert_eq!(rows(&of_sentinel, None, None, LIMIT).0[0]["comments"].as_array().map(Vec::len), Some(2));
    let other = json!({"id": 1, "message": "m".repeat(1_100_000), "alerts": event["alerts"]});
    assert_eq!(rows(&other, None, None, LIMIT), (vec![], vec!["too_large"]));
}

#[test]
fn what_encoding_leaves_out_of_alerts_is_not_spread() {
    let config: EncodingConfig =
        serde_json::from_value(json!({"except_fields": ["alerts[0].evidence"]})).unwrap();
    let encoding = config.validate(Layout::Raw, "encoding", &mut Vec::new()).map(Arc::new);
    let alerts: Vec<_> = (0..20).map(alert).collect();
    let (rows, _) = rows(&incident(&alerts), None, encoding, LIMIT);
    let found = alerts_of(&rows, LIMIT);
    assert_eq!((found[0].get("evidence"), &found[19], found.len()), (None, &alerts[19], 20));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_alert_is_left_out(
        sizes in proptest::collection::vec(prop_oneof![8 => 0..3_000_usize, 1 => 0..90_000_usize], 40..120),
        declared in 1..6_usize, texts in 0..12_usize, max_row in prop_oneof![1 => Just(LIMIT), 2 => 10_000..300_000_usize],
    ) {
        let alert = |(n, size): (usize, &usize)| {
            let mut alert = json!({"id": n, "evidence": vec!["e".repeat(100); size / 103 + 10]});
            // Each of these is a note of its own, if it is cut.
            for text in 0..if *size > 20_000 { texts } else { 0 } {
                alert[format!("text{text}{}", "n".repeat(190))] = "x".repeat(9_000).into();
            }
            alert
        };
        let alerts: Vec<_> = sizes.iter().enumerate().map(alert).collect();
        let event = incident(&alerts);
        let (rows, refused) = rows(&event, Some(columns(declared)), None, max_row);
        prop_assert_eq!(refused.len(), 0);
        let found = alerts_of(&rows, max_row);
        prop_assert_eq!(found.len(), alerts.len());
        for (found, alert) in found.iter().zip(&alerts) {
            prop_assert_eq!(&found["id"], &alert["id"]);
        }
        let count = |alerts: &[Value]| alerts.iter().map(|alert| alert["evidence"].as_array().map_or(0, Vec::len)).sum::<usize>();
        let notes = rows.iter().filter_map(|row| row["TruncatedColumns"].as_array()).flatten();
        let missing: u64 = notes.filter_map(|note| note["missing"].as_u64()).sum();
        prop_assert_eq!(count(&found) + usize::try_from(missing).unwrap(), count(&alerts));
    }
}
