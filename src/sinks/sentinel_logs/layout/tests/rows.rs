//! What the rows of each layout say.

use clap::ValueEnum;
use serde_json::json;

use super::{FIXTURES, event, fixture, rows, written};
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
        (INCIDENTS, json!({"id": "da1", "incidentId": "29", "lastUpdateDateTime": time}), "not_an_incident"),
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

/// The row of a CEF event with these fields more.
fn cef(more: &serde_json::Value) -> serde_json::Value {
    let mut fields =
        json!({"deviceVendor": "V", "deviceProduct": "P", "deviceEventClassId": "1", "name": "n"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let rows = rows(Layout::CommonSecurityLog, &fields);
    serde_json::to_value(&rows[0].1).unwrap()
}

#[test]
fn times_in_cef_are_read_in_each_form_that_it_has() {
    let time = "2022-10-19T15:33:03Z";
    for (start, expected) in [
        (json!("1666193583"), time),
        (json!(1_666_193_583), time),
        (json!("1666193583000"), time),
        (json!("1666193583000000"), time),
        (json!("1666193583000000000"), time),
        (json!("1666193583.123"), "2022-10-19T15:33:03.123Z"),
        (json!("Oct 19 2022 15:33:03"), time),
        (json!("Oct 19 2022 15:33:03.123 UTC"), "2022-10-19T15:33:03.123Z"),
        (json!("Oct 19 2022 17:33:03 GMT+02:00"), time),
        (json!("Oct 19 15:33:03"), "2026-10-19T15:33:03Z"),
        (json!("2022-10-19 15:33:03,862"), "2022-10-19T15:33:03.862Z"),
    ] {
        let row = cef(&json!({"start": start}));
        assert_eq!((&row["StartTime"], row.get("AdditionalExtensions")), (&json!(expected), None), "{start}");
    }
    // Nothing happened in 1970.
    for no_time in ["0", "86400", "soon"] {
        let row = cef(&json!({"start": no_time}));
        assert_eq!(row.get("StartTime"), None, "{no_time}");
        assert_eq!(row["AdditionalExtensions"], format!("start={no_time}"));
    }
    let row = cef(&json!({"out": 1_296.0, "dpt": 443.0, "spt": "22"}));
    assert_eq!(json!([row["SentBytes"], row["DestinationPort"], row["SourcePort"]]), json!([1_296, 443, 22]));
}

#[test]
fn a_time_that_azure_replaces_stays_in_another_column() {
    for (time, is_kept) in [
        ("2026-11-15T00:00:00Z", true),
        ("2026-12-15T00:00:00Z", true),
        ("2026-11-22T23:00:00Z", false),
        ("Nov 22 23:00:00", false),
        ("Nov 15 00:00:00", true),
    ] {
        for name in ["timestamp", "TimeGenerated"] {
            let row = cef(&json!({name: time}));
            let kept = row.get("AdditionalExtensions").and_then(serde_json::Value::as_str);
            assert_eq!(kept, is_kept.then_some(format!("{name}={time}")).as_deref(), "{row}");
            assert!(row["TimeGenerated"].as_str().unwrap().starts_with("2026-1"), "{row}");
            let row = &rows(Layout::Syslog, &json!({"message": "m", name: time}))[0].1;
            assert_eq!(row["EventTime"], row["TimeGenerated"], "{row}");
            assert_eq!(row["SyslogMessage"], "m");
        }
    }
    let both =
        json!({"message": "m", "TimeGenerated": "2026-11-15T00:00:00Z", "timestamp": "2026-11-14T00:00:00Z"});
    let row = &rows(Layout::Syslog, &both)[0].1;
    assert_eq!(
        json!([row["TimeGenerated"], row["EventTime"]]),
        json!(["2026-11-15T00:00:00Z", "2026-11-14T00:00:00Z"])
    );
    assert_eq!(row["SyslogMessage"], r#"m {"TimeGenerated":"2026-11-15T00:00:00Z"}"#);
}

#[test]
fn a_raw_message_is_read_with_what_devices_do_to_it() {
    let row = |message: &str| {
        let log = json!({"message": message, "timestamp": "2026-11-23T11:00:00Z"});
        serde_json::to_value(&rows(Layout::CommonSecurityLog, &log)[0].1).unwrap()
    };
    let mut times = Vec::new();
    for start in ["1666193583", "1666193583000", "Oct 19 2022 15:33:03", "Oct 19 2022 17:33:03 GMT+02:00"] {
        let row = row(&format!("CEF:0|V|P|1|1|n|5|start={start} end=0"));
        times.push(row["StartTime"].clone());
        assert_eq!(row["AdditionalExtensions"], "end=0", "nothing happened in 1970");
    }
    assert_eq!(times, vec!["2022-10-19T15:33:03Z"; 4]);
    // The first of two is the device's, whatever a value of it says.
    let row = row(
        "CEF:0|V|P|1|1|n|5|src=192.0.2.9 msg=GET /?a=b src=192.0.2.66 name=evil TimeGenerated=2026-11-23T10:00:00Z",
    );
    assert_eq!(
        json!([row["SourceIP"], row["Activity"], row["Message"], row["TimeGenerated"]]),
        json!(["192.0.2.9", "n", "GET /?a=b", "2026-11-23T11:00:00Z"])
    );
    assert_eq!(row["AdditionalExtensions"], "src=192.0.2.66;name=evil;TimeGenerated=2026-11-23T10:00:00Z");
}

#[test]
fn a_message_that_says_more_than_the_event_stays() {
    let message = "CEF:0|V|P|1|1|n|5|src=192.0.2.9 secret=x";
    let parsed = json!({
        "message": message, "cefVersion": "0", "deviceVendor": "V", "deviceProduct": "P", "deviceVersion": "1",
        "deviceEventClassId": "1", "name": "n", "severity": "5", "src": "192.0.2.9", "secret": "x",
    });
    let row = |log: &serde_json::Value| rows(Layout::CommonSecurityLog, log)[0].1.clone();
    assert_eq!(row(&parsed)["AdditionalExtensions"], "secret=x");
    let mut less = parsed.clone();
    less.as_object_mut().unwrap().remove("secret");
    assert_eq!(row(&less)["Message"], message);
    assert_eq!(row(&less).get("AdditionalExtensions"), None);
}

#[test]
fn the_message_of_syslog_is_left_alone_if_nothing_is_lost_by_it() {
    let quality = json!({"tzKnown": "1", "isSynced": "1", "syncAccuracy": "77000"});
    for (message, more) in [
        (
            "test message from logger",
            json!({"timeQuality": quality, "msgid": "-", "procid": "-", "version": 1}),
        ),
        ("m", json!({"meta": {"sequenceId": "29"}, "origin": {"ip": "192.0.2.1", "software": "x"}})),
        (r#"{"event_type":"alert"}"#, json!({"source_type": "syslog"})),
    ] {
        let mut log = json!({"message": message});
        log.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(rows(Layout::Syslog, &log)[0].1["SyslogMessage"], message);
    }
    // What only has the name of registered data is not that.
    let row = &rows(Layout::Syslog, &json!({"message": "m", "meta": {"team": "x"}, "origin": "y"}))[0].1;
    assert_eq!(row["SyslogMessage"], r#"m {"meta":{"team":"x"},"origin":"y"}"#);
}

#[test]
fn what_has_no_column_in_syslog_goes_where_the_option_says() {
    let extra = r#"{"msgid":"FIREWALL","nsx@6876":{"comp":"nsx"}}"#;
    let with = |message: &str| {
        let mut log: serde_json::Value = serde_json::from_str(extra).unwrap();
        log["message"] = message.into();
        log
    };
    for (message, expected) in [
        ("INET match PASS", format!("INET match PASS {extra}")),
        (r#"{"src_ip":"10.0.0.1"}"#, format!(r#"{{"src_ip":"10.0.0.1","ExtraFields":{extra}}}"#)),
        (" { }\n", format!(r#"{{"ExtraFields":{extra}}}"#)),
        ("[1, 2]", format!(r#"[1, 2,{{"ExtraFields":{extra}}}]"#)),
        ("[]", format!(r#"[{{"ExtraFields":{extra}}}]"#)),
        ("{no json}", format!("{{no json}} {extra}")),
    ] {
        let row = rows(Layout::Syslog, &with(message))[0].1["SyslogMessage"].clone();
        assert_eq!(row, expected);
        if serde_json::from_str::<serde_json::Value>(message).is_ok() {
            serde_json::from_str::<serde_json::Value>(row.as_str().unwrap()).unwrap();
        }
        let row = &rows(Layout::SyslogWithExtra, &with(message))[0].1;
        assert_eq!(
            (&row["SyslogMessage"], row["ExtraFields_CF"].to_string()),
            (&json!(message), extra.to_owned())
        );
        let row = &rows(Layout::SyslogWithoutExtra, &with(message))[0].1;
        assert_eq!((&row["SyslogMessage"], row.get("ExtraFields_CF")), (&json!(message), None));
    }
}
