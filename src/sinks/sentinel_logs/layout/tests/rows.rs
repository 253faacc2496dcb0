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
        (INCIDENTS, json!({"id": 29, "lastUpdateDateTime": time}), "not_an_incident"),
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
    for (time, kept) in [
        ("2026-11-15T00:00:00Z", Some("timestamp=2026-11-15T00:00:00Z")),
        ("2026-12-15T00:00:00Z", Some("timestamp=2026-12-15T00:00:00Z")),
        ("2026-11-22T23:00:00Z", None),
    ] {
        let row = cef(&json!({"timestamp": time}));
        assert_eq!(row.get("AdditionalExtensions").and_then(serde_json::Value::as_str), kept, "{row}");
        assert_eq!(row["TimeGenerated"], time);
    }
}
