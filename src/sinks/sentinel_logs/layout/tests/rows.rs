//! What the rows of each layout say.

use clap::ValueEnum;
use serde_json::json;

use super::{FIXTURES, NOW, event, fixture, laid_out, rows, unread_times, written};
use crate::sinks::sentinel_logs::layout::Layout;
use model::event::Event;
use model::value::Value as V;

#[test]
fn every_fixture_becomes_the_rows_that_are_written_down() {
    for (layout, names) in FIXTURES {
        let layout_name = layout.to_possible_value().unwrap().get_name().to_owned();
        for name in names {
            let rows = serde_json::to_string_pretty(&rows(layout, &fixture(name))).unwrap() + "\n";
            let path = format!("tests/fixtures/layouts/rows/{name}.{layout_name}.json");
            let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(&file, &rows).unwrap();
            }
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(rows, expected, "{path}; UPDATE_EXPECT=1 writes it anew");
        }
    }
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
fn what_is_of_another_format_is_refused_with_words() {
    const INCIDENTS: &[Layout] = &[Layout::Defender, Layout::AsimAlert];
    let time = "2026-11-21T00:00:01Z";
    for (layouts, json, code) in [
        (INCIDENTS, json!({"message": "link down"}), "not_an_incident"),
        (INCIDENTS, json!({"id": [29], "lastUpdateDateTime": time}), "not_an_incident"),
        (INCIDENTS, json!({"id": 29.5, "lastUpdateDateTime": time}), "not_an_incident"),
        (INCIDENTS, json!({"id": "", "incidentWebUrl": "https://a"}), "not_an_incident"),
        (INCIDENTS, json!({"kind": "alert", "incident": {"id": "29"}}), "not_an_incident"),
        (INCIDENTS, json!({"kind": "change", "changed_at": time}), "not_an_incident"),
        (INCIDENTS, json!([1]), "not_an_object"),
        (&[Layout::Syslog], fixture("cef-alone"), "not_syslog"),
        (&[Layout::Syslog], json!({"message": {"a": 1}}), "not_syslog"),
        (&[Layout::Syslog], json!("text"), "not_an_object"),
        (&[Layout::CommonSecurityLog], fixture("syslog-plain"), "not_cef"),
        (&[Layout::CommonSecurityLog], json!({"deviceVendor": null}), "not_cef"),
    ] {
        for layout in layouts {
            let reason = written(*layout, &event(&json)).unwrap_err();
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

#[test]
fn one_null_or_odd_member_takes_no_other_with_it() {
    let evidence = |ip: &str| json!({"@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": ip});
    let alert = json!({"id": "da1", "categories": [null, "Execution", 5], "mitreTechniques": [null, "T1059"],
        "evidence": [evidence("198.51.100.7"), null, "odd", evidence("198.51.100.8")]});
    let incident = |alerts: serde_json::Value| {
        json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "customTags": ["a", null, 7, "b"],
            "alerts": alerts})
    };
    let whole = incident(json!([null, alert, "odd alert", {"id": "da2"}]));
    let defender = rows(Layout::Defender, &whole);
    let tables: Vec<_> = defender.iter().map(|(table, _)| *table).collect();
    let (incidents, alerts, pieces) = ("DefenderIncidents_CL", "DefenderAlerts_CL", "DefenderEvidence_CL");
    assert_eq!(tables, [incidents, alerts, pieces, pieces, alerts]);
    let row = |index: usize| &defender[index].1;
    assert_eq!(row(0)["AdditionalData"], json!({"customTags": [7], "alerts": ["odd alert"]}));
    assert_eq!(row(0)["Labels"][1]["labelName"], "b");
    assert_eq!(row(0)["AlertIds"], json!(["da1", "da2"]));
    assert_eq!(row(1)["Tactics"], "Execution");
    assert_eq!(row(1)["Techniques"], r#"[null,"T1059"]"#);
    assert_eq!(row(1)["AdditionalData"], json!({"categories": [5], "evidence": ["odd"]}));
    assert_eq!(row(3)["IpAddress"], "198.51.100.8");

    let asim = rows(Layout::AsimAlert, &whole);
    let ids: Vec<_> = asim.iter().map(|(_, row)| (&row["EventUid"], row.get("IpAddr"))).collect();
    let address = json!("198.51.100.7");
    assert_eq!(ids[0], (&json!("da1"), Some(&address)));
    assert_eq!((ids.len(), &asim[0].1["AttackTactics"]), (3, &json!("Execution")));
    assert_eq!(asim[0].1["AttackTechniques"], "T1059");
    assert_eq!(asim[0].1["AdditionalFields"]["incident"]["alerts"], json!(["odd alert"]));

    // A list of one that came as the one itself, and lists of nothing.
    for (alerts, expected) in [(alert, 1 + 1 + 2), (json!([null]), 1), (json!([]), 1), (json!("none"), 1)] {
        assert_eq!(rows(Layout::Defender, &incident(alerts)).len(), expected);
    }
}

/// An incident of 100 alerts with five pieces of evidence each.
fn large_incident() -> serde_json::Value {
    let piece = |n: usize| json!({"@odata.type": "#microsoft.graph.security.urlEvidence", "url": format!("https://{n}")});
    let alert = |n: usize| json!({"id": format!("da{n}"), "evidence": (0..5).map(piece).collect::<Vec<_>>()});
    json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "alerts": (0..100).map(alert).collect::<Vec<_>>()})
}

#[test]
fn one_click_on_an_incident_of_100_alerts_costs_one_row_if_the_source_emits_changes() {
    let incident = large_incident();
    assert_eq!(rows(Layout::Defender, &incident).len(), 601);
    let state = json!({"id": "29", "revision": "2026-11-23T10:00:00Z"});
    let change = json!({"kind": "change", "incident": state, "changed_at": "2026-11-23T10:00:00Z",
        "fields": [{"name": "assignedTo", "before": null, "after": "ada"}]});
    for layout in [Layout::Defender, Layout::AsimAlert] {
        assert_eq!(rows(layout, &change).len(), 1, "{layout:?}");
    }
    // The incident itself, without what it has not said anew.
    let mut alone = incident;
    alone.as_object_mut().unwrap().remove("alerts");
    let defender = rows(Layout::Defender, &alone);
    assert_eq!((defender.len(), defender[0].0), (1, "DefenderIncidents_CL"));
    assert_eq!(defender[0].1.get("AlertIds"), None, "it is not known that it has none");
    let asim = rows(Layout::AsimAlert, &alone);
    assert_eq!((asim.len(), &asim[0].1["EventOriginalType"]), (1, &json!("incident")));
}

#[test]
fn an_alert_or_evidence_alone_makes_the_row_that_it_would_make_within_its_incident() {
    let mut incident = fixture("defender-two-alerts");
    incident["tenant"] = json!({"id": incident["tenantId"], "name": "Contoso"});
    let state = json!({"id": incident["id"], "revision": incident["lastUpdateDateTime"],
        "url": incident["incidentWebUrl"]});
    let mut alone = Vec::new();
    for alert in incident["alerts"].as_array().unwrap() {
        let mut without = alert.clone();
        let evidence = without.as_object_mut().unwrap().remove("evidence");
        let of = json!({"id": alert["id"], "title": alert["title"]});
        alone.push(
            json!({"kind": "alert", "tenant": incident["tenant"], "incident": state, "alert": without}),
        );
        let pieces = evidence.and_then(|pieces| pieces.as_array().cloned()).unwrap_or_default();
        alone.extend(pieces.into_iter().map(|piece| {
            json!({"kind": "evidence", "tenant": incident["tenant"], "incident": state, "evidence": piece, "alert": of})
        }));
    }
    let mut within = rows(Layout::Defender, &incident);
    within.remove(0);
    let of_alone: Vec<_> = alone.iter().flat_map(|event| rows(Layout::Defender, event)).collect();
    assert_eq!(of_alone.len(), within.len());
    for ((table, mut row), (of_table, mut of_row)) in of_alone.into_iter().zip(within) {
        assert_eq!(table, of_table);
        // What the incident's row says, and where in its alert a piece stood.
        row.as_object_mut()
            .unwrap()
            .retain(|name, _| !["IncidentUrl", "EvidenceIndex"].contains(&name.as_str()));
        of_row.as_object_mut().unwrap().remove("EvidenceIndex");
        if table == "DefenderEvidence_CL" {
            row.as_object_mut().unwrap().remove("AlertName");
        }
        assert_eq!(row, of_row);
    }
}

#[test]
fn a_tenants_name_has_a_column() {
    let time = "2026-11-23T10:00:00Z";
    for named in [
        json!({"id": "29", "lastUpdateDateTime": time, "tenantId": "t1", "tenantName": "Contoso", "alerts": [{}]}),
        json!({"id": "29", "lastUpdateDateTime": time, "tenant": {"id": "t1", "name": "Contoso"}, "alerts": [{}]}),
    ] {
        for (_, row) in rows(Layout::Defender, &named) {
            assert_eq!((&row["SourceTenantId"], &row["SourceTenantName"]), (&json!("t1"), &json!("Contoso")));
            assert_eq!(row.get("AdditionalData"), None, "{row}");
        }
        let asim = &rows(Layout::AsimAlert, &named)[0].1["AdditionalFields"];
        assert_eq!((&asim["tenantId"], &asim["tenantName"]), (&json!("t1"), &json!("Contoso")));
    }
}

#[test]
fn the_time_of_an_event_survives_in_a_column_that_azure_does_not_touch() {
    // Azure replaces TimeGenerated if it is older than two days or in the future.
    for time in ["2026-01-05T00:00:00.1234567Z", "2027-11-30T00:00:00Z"] {
        let incident =
            json!({"id": "29", "lastUpdateDateTime": time, "alerts": [{"id": "da1", "evidence": [{}, {}]}]});
        let state = json!({"id": "29", "revision": time});
        let alone = ["alert", "evidence", "change"]
            .map(|kind| json!({"kind": kind, "incident": state, kind: {"changed_at": time}}));
        for event in [incident].iter().chain(&alone) {
            for (table, row) in rows(Layout::Defender, event) {
                let column = if table == "DefenderIncidents_CL" {
                    "LastModifiedTime"
                } else {
                    "IncidentLastModifiedTime"
                };
                assert_eq!((&row["TimeGenerated"], &row[column]), (&json!(time), &json!(time)), "{row}");
            }
            for (_, row) in rows(Layout::AsimAlert, event) {
                assert_eq!(
                    (&row["TimeGenerated"], &row["IncidentLastModifiedTime"]),
                    (&json!(time), &json!(time))
                );
            }
        }
    }
}

#[test]
fn the_time_of_an_alert_in_no_incident_survives_in_each_of_its_rows_too() {
    let time = "2026-01-05T00:00:00Z";
    let alert =
        json!({"id": "da1", "alertWebUrl": "https://a", "lastUpdateDateTime": time, "evidence": [{}, {}]});
    let row = |(_, row): (_, serde_json::Value)| row;
    let asim: Vec<_> = rows(Layout::AsimAlert, &alert).into_iter().map(row).collect();
    assert!(asim.len() == 2 && asim.iter().all(|row| row["AlertLastModifiedTime"] == time), "{asim:?}");
    let defender: Vec<_> = rows(Layout::Defender, &alert).into_iter().map(row).collect();
    assert_eq!((defender.len(), &defender[0]["LastModifiedTime"]), (3, &json!(time)));
    assert!(defender[1..].iter().all(|row| row["AlertLastModifiedTime"] == time), "{defender:?}");
}

#[test]
fn a_time_in_any_form_is_read_and_one_that_cannot_be_is_counted_once() {
    let read = "2026-11-23T10:00:00Z";
    for (time, expected, unread) in [
        (json!("2026-11-23T10:00:00"), read, 0),
        (json!("2026-11-23T10:00:00+0000"), read, 0),
        (json!(1_795_428_000), read, 0),
        (json!("soon"), NOW, 1),
        (json!(null), NOW, 0),
    ] {
        let mut incident =
            json!({"id": "29", "incidentWebUrl": "https://a", "alerts": [{"id": "da1", "evidence": [{}]}]});
        incident["lastUpdateDateTime"] = time.clone();
        let state = json!({"id": "29", "revision": time});
        let change = json!({"kind": "change", "incident": state, "reopened": true});
        let alert = json!({"kind": "alert", "incident": state, "alert": {"id": "da1"}});
        for layout in [Layout::Defender, Layout::AsimAlert] {
            for event in [&incident, &change, &alert] {
                for (_, row) in rows(layout, event) {
                    assert_eq!(row["TimeGenerated"], expected, "{time} {row}");
                }
                assert_eq!(unread_times(layout, event), unread, "{time} {event}");
            }
        }
        // The nearest to it that is said.
        let alert = json!({"kind": "alert", "incident": state, "alert": {"lastUpdateDateTime": read}});
        assert_eq!(rows(Layout::Defender, &alert)[0].1["TimeGenerated"], read);
        assert_eq!(unread_times(Layout::Defender, &alert), 0);
    }
}

#[test]
fn an_id_may_be_a_number() {
    let incident = json!({"id": 29, "lastUpdateDateTime": "2026-11-23T10:00:00Z",
        "alerts": [{"id": 7, "incidentId": 29, "evidence": [{}]}]});
    let defender = rows(Layout::Defender, &incident);
    for (_, row) in &defender {
        assert_eq!(row["ProviderIncidentId"], "29");
    }
    assert_eq!(defender[0].1["IncidentNumber"], 29);
    assert_eq!([&defender[1].1["SystemAlertId"], &defender[2].1["SystemAlertId"]], ["7", "7"]);
    assert_eq!(defender[1].1.get("AdditionalData"), None);
    let asim = &rows(Layout::AsimAlert, &incident)[0].1;
    assert_eq!(asim["EventUid"], "7");
    assert_eq!(asim["AdditionalFields"]["incidentId"], "29");
}

#[test]
fn a_text_over_64_kb_is_cut_and_noted_in_a_declared_column() {
    let long = json!({"message": "x".repeat(70_000), "timestamp": "2026-11-23T20:45:38Z"});
    let row = &rows(Layout::Syslog, &long)[0].1;
    assert_eq!(row["SyslogMessage"], "x".repeat(65_536));
    assert_eq!(row["TruncatedColumns"], json!([{"column": "SyslogMessage", "bytes": 70_000}]));
    assert!(Layout::Syslog.tables()[0].declared().any(|column| column.name == "TruncatedColumns"));
}

/// Comments of 1 KB, of which the one with the highest number is the newest.
fn comments(count: usize) -> Vec<serde_json::Value> {
    let made = |n: usize| format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + n / 1440, n / 60 % 24, n % 60);
    let comment = |n| json!({"comment": format!("{n} {}", "x".repeat(1_000)), "createdDateTime": made(n)});
    (0..count).map(comment).collect()
}

#[test]
fn of_a_history_the_newest_is_kept_and_how_much_is_missing_is_noted() {
    let mut incident =
        json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "comments": comments(100)});
    for turned in [false, true] {
        if turned {
            incident["comments"].as_array_mut().unwrap().reverse();
        }
        let row = &rows(Layout::Defender, &incident)[0].1;
        let kept = row["Comments"].as_array().unwrap();
        let missing = 100 - kept.len();
        assert!(missing > 30 && missing < 50, "{missing} are missing");
        let has = |n: usize| kept.iter().any(|comment| *comment == comments(100)[n]);
        assert!(has(99) && has(missing) && !has(missing - 1) && !has(0));
        let bytes = incident["comments"].to_string().len();
        assert_eq!(
            row["TruncatedColumns"],
            json!([{"column": "Comments", "bytes": bytes, "missing": missing}])
        );

        // In ASIM it is one of many things in one column, and all others stay.
        let row = &rows(Layout::AsimAlert, &incident)[0].1;
        let original = &row["AdditionalFields"]["incident"];
        assert_eq!(
            (&original["id"], &original["lastUpdateDateTime"]),
            (&incident["id"], &incident["lastUpdateDateTime"])
        );
        let kept = original["comments"].as_array().unwrap();
        assert!(kept.contains(&comments(100)[99]) && kept.len() > 50);
        let notes = row["TruncatedColumns"].as_array().unwrap();
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0]["field"], "incident.comments");
        assert_eq!(notes[0]["missing"], 100 - kept.len());
    }
}

#[test]
fn an_incident_of_any_size_has_a_row_for_each_alert_and_each_piece_of_evidence() {
    let piece = |n: usize| json!({"@odata.type": "#microsoft.graph.security.urlEvidence", "url": format!("https://{n}")});
    let alert = |n: usize| {
        let id = format!("da{n:08}_{}", "0".repeat(40));
        json!({"id": id, "description": "d".repeat(500), "evidence": [piece(n), piece(n + 1)]})
    };
    let alerts: Vec<_> = (0..3_000).map(alert).collect();
    let incident = json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "alerts": alerts});
    let defender = rows(Layout::Defender, &incident);
    let count = |table: &str| defender.iter().filter(|(of, _)| *of == table).count();
    assert_eq!((count("DefenderAlerts_CL"), count("DefenderEvidence_CL")), (3_000, 6_000));
    let note = &defender[0].1["TruncatedColumns"][0];
    assert_eq!(note["column"], "AlertIds");
    let kept = defender[0].1["AlertIds"].as_array().unwrap();
    assert_eq!(note["missing"], 3_000 - kept.len());
    assert_eq!(kept[0], alerts[0]["id"]);
    assert_eq!(rows(Layout::AsimAlert, &incident).len(), 6_000);
}

#[test]
fn no_row_is_too_large_for_a_call_and_what_is_cut_is_still_json() {
    let long = |n: usize| "\u{e9}\"".repeat(n);
    let objects =
        |n: usize| (0..n).map(|i| (format!("key{i}"), json!({"text": long(40), "list": [1, 2, i]})));
    let additional = serde_json::Value::Object(objects(20_000).collect());
    let piece = json!({"@odata.type": "#microsoft.graph.security.processEvidence", "processCommandLine": long(60_000),
        "imageFile": {"fileName": long(30_000), "filePath": long(30_000)}, "more": additional});
    let alert = json!({"id": "da1", "description": long(50_000), "recommendedActions": long(50_000),
        "additionalData": additional, "comments": comments(300), "evidence": [piece]});
    let incident = json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "description": long(90_000),
        "odd": additional, "comments": comments(2_000), "alerts": [alert]});
    for max in [1_000_000, 100_000, 8_000, 3_000] {
        for (layout, count) in [(Layout::Defender, 3), (Layout::AsimAlert, 1)] {
            let (rows, rowless) = laid_out(layout, &event(&incident), max);
            assert_eq!((rows.count(), rowless.len()), (count, 0), "{layout:?} {max}");
            for row in 0..count {
                let mut text = Vec::new();
                let notes = rows.copy(row, &mut text).unwrap();
                let row: serde_json::Value = serde_json::from_slice(&text).unwrap();
                assert!(text.len() <= max, "{} of {max}", text.len());
                assert!(
                    notes.truncated_fields > 0 && !row["TruncatedColumns"].as_array().unwrap().is_empty()
                );
                assert_eq!(row["TimeGenerated"], "2026-11-23T10:00:00Z");
                let dynamic = if layout == Layout::Defender { "AdditionalData" } else { "AdditionalFields" };
                assert!(row[dynamic].is_object(), "{:.200}", row[dynamic]);
            }
        }
    }
    // A log line is kept whole, in the quarantine.
    let line = json!({"message": "x".repeat(2_000_000)});
    let (rows, _) = laid_out(Layout::Syslog, &event(&line), 1_000_000);
    assert_eq!(rows.copy(0, &mut Vec::new()).unwrap_err().code, "too_large");
}
