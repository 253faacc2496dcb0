use bytes::Bytes;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sinks::sentinel_logs::encoding::EncodingConfig;
use crate::sinks::sentinel_logs::row_time::read_time;
use crate::sinks::sentinel_logs::{ColumnsConfig, TablePlan};

const LIMIT: usize = 1_000_000;

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn encoder(declared: Option<Columns>) -> FieldsEncoder {
    FieldsEncoder::new(TimeField::of("TimeGenerated"), declared, None, LIMIT)
}

fn encode(event: &Event) -> Result<(Value, u64), Reason> {
    let mut out = b"before".to_vec();
    let cut = encoder(None).write_row(event, RowTime::of(now()), &mut out);
    let Ok(notes) = cut else {
        assert_eq!(out, b"before", "a refused event must leave nothing behind");
        return Err(cut.unwrap_err());
    };
    Ok((serde_json::from_slice(&out[6..]).unwrap(), notes.truncated_fields))
}

fn row(event: &Value) -> Value {
    encode(&Event::new(event.to_string().into(), None)).unwrap().0
}

#[test]
fn names_that_cannot_be_columns_are_mapped_and_nothing_is_lost() {
    let encoded = row(&json!({
        "TimeGenerated": "2026-11-23T12:00:00Z",
        "id": "29", "id_": 1, "tenantId": "t", "severity": "high",
        "@odata.type": "x", "größe \"q\"": [1], "ExtraColumns": "mine",
    }));
    let expected = json!({
        "TimeGenerated": "2026-11-23T12:00:00Z",
        "id_": "29", "id__": 1, "tenantId_": "t", "severity": "high",
        "ExtraColumns_": "mine",
        "ExtraColumns": {"@odata.type": "x", "größe \"q\"": [1]},
    });
    assert_eq!(encoded, expected);
}

#[test]
fn values_keep_the_text_that_they_came_with() {
    let event = Event::new(
        r#"{"TimeGenerated":"2026-11-23T12:00:00Z","n":1.50,"big":123456789012345678901234567890}"#.into(),
        None,
    );
    let mut out = Vec::new();
    encoder(None).write_row(&event, RowTime::of(now()), &mut out).unwrap();
    assert_eq!(Bytes::from(out), event.to_json());
}

#[test]
fn an_event_from_vector_becomes_the_row_that_its_json_would() {
    use model::value::Value as V;

    let time = DateTime::from_timestamp(1_600_000_000, 123_456_789).unwrap();
    let long = V::Bytes("é".repeat(40_000).into());
    let fields = [
        ("id", V::Integer(i64::MIN)),
        ("message", V::Bytes(Bytes::from_static(b"a \"quote\" and \xff"))),
        ("timestamp", V::Timestamp(time)),
        (
            "with.dot",
            V::Array(vec![V::Null, V::Float(3.0), V::Object([("a".into(), V::Boolean(true))].into())]),
        ),
        ("long", long),
    ];
    let event = Event::from_value(V::Object(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    let (row, cut) = encode(&event).unwrap();
    assert_eq!((row.clone(), cut), encode(&Event::new(event.to_json(), None)).unwrap());
    assert_eq!(row["TimeGenerated"], "2020-09-13T12:26:40.123456789Z");
    assert_eq!(row["id_"], i64::MIN);
    assert_eq!(row["message"], "a \"quote\" and \u{fffd}");
    let kept = json!({"with.dot": [null, 3.0, {"a": true}], "TimeGenerated": row["TimeGenerated"]});
    assert_eq!(row["ExtraColumns"], kept);
    assert_eq!((cut, row["long"].as_str().unwrap().len()), (1, 65_536));
    assert_eq!(encode(&Event::from_value(V::Array(vec![]))).unwrap_err().code, "not_an_object");
}

#[test]
fn the_time_comes_from_the_best_place_there_is() {
    let own = Some(DateTime::from_timestamp(1_600_000_000, 0).unwrap());
    let time = |json: Value, timestamp| {
        let row = encode(&Event::new(json.to_string().into(), timestamp)).unwrap().0;
        (row["TimeGenerated"].as_str().unwrap().to_owned(), row)
    };
    let (its_own_field, row) =
        time(json!({"TimeGenerated": "2026-01-01T00:00:00Z", "timestamp": "2026-01-02T00:00:00Z"}), own);
    assert_eq!(
        (its_own_field.as_str(), &row["timestamp"]),
        ("2026-01-01T00:00:00Z", &json!("2026-01-02T00:00:00Z"))
    );
    let (vectors, row) = time(json!({"timestamp": "2026-01-02T00:00:00.5Z"}), own);
    assert_eq!((vectors.as_str(), row.get("timestamp")), ("2026-01-02T00:00:00.5Z", None));
    assert_eq!(time(json!({}), own).0, "2020-09-13T12:26:40.000000Z");
    assert_eq!(time(json!({}), None).0, "2026-11-23T12:00:00.000000Z");
    let (not_a_time, row) = time(json!({"TimeGenerated": "yesterday", "timestamp": 5}), own);
    assert_eq!(not_a_time, "2020-09-13T12:26:40.000000Z");
    assert_eq!((&row["ExtraColumns"]["TimeGenerated"], &row["timestamp"]), (&json!("yesterday"), &json!(5)));
}

#[test]
fn a_time_that_azure_will_replace_is_kept() {
    for (time, is_replaced) in [
        ("2026-11-21T12:00:00Z", false),
        ("2026-11-21T11:59:59Z", true),
        ("2026-11-24T12:00:00Z", false),
        ("2026-11-24T14:00:01+02:00", true),
    ] {
        let kept = is_replaced.then(|| json!({"TimeGenerated": time}));
        assert_eq!(row(&json!({"TimeGenerated": time})).get("ExtraColumns"), kept.as_ref(), "{time}");
    }
}

#[test]
fn a_time_that_azure_will_replace_is_kept_beside_what_is_no_time() {
    let old = "2020-01-01T00:00:00Z";
    let row = row(&json!({"TimeGenerated": "soon", "timestamp": old}));
    let kept = json!({"TimeGenerated": "soon", "timestamp": old});
    assert_eq!(row, json!({"TimeGenerated": old, "ExtraColumns": kept}));
}

#[test]
fn a_time_that_azure_will_replace_is_kept_in_whatever_order_fields_come() {
    let (old, other) = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z");
    for text in [
        format!(r#"{{"@timestamp":"{old}","TimeGenerated":"{other}"}}"#),
        format!(r#"{{"TimeGenerated":"{other}","@timestamp":"{old}"}}"#),
    ] {
        let encoder = FieldsEncoder::new(TimeField::of("@timestamp"), None, None, LIMIT);
        let mut out = Vec::new();
        encoder.write_row(&Event::new(text.into(), None), RowTime::of(now()), &mut out).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert_eq!(
            written.matches("\"TimeGenerated\"").count(),
            2,
            "once in the row, once in ExtraColumns: {written}"
        );
        let row: Value = serde_json::from_str(&written).unwrap();
        let kept = json!({"TimeGenerated": other, "TimeGenerated_": old});
        assert_eq!(row, json!({"TimeGenerated": old, "ExtraColumns": kept}));
    }
}

#[test]
fn a_time_that_azure_will_replace_is_kept_however_much_is_beside_it() {
    let old = Some(DateTime::from_timestamp(1_600_000_000, 0).unwrap());
    let event = json!({"TimeGenerated": "soon"});
    let (row, _) = encode(&Event::new(event.to_string().into(), old)).unwrap();
    let time = "2020-09-13T12:26:40.000000Z";
    let kept = json!({"TimeGenerated": "soon", "TimeGenerated_": time});
    assert_eq!(row, json!({"TimeGenerated": time, "ExtraColumns": kept}));
    let mut event = json!({"zeit.text": "x".repeat(60_000), "z.z": "y".repeat(10_000)});
    event["zz"] = json!(1);
    let (row, cut) = encode(&Event::new(event.to_string().into(), old)).unwrap();
    assert_eq!((&row["ExtraColumns"]["TimeGenerated"], cut), (&json!(time), 1));
    let note = &row["TruncatedColumns"][0];
    assert_eq!((&note["column"], &note["field"]), (&json!("ExtraColumns"), &json!("zeit.text")));
    assert_eq!(row["ExtraColumns"]["z.z"], event["z.z"]);
}

#[test]
fn a_null_that_no_column_is_there_for_is_nothing() {
    let columns = json!({"TimeGenerated": "datetime", "message": "string", "ExtraColumns": "dynamic"});
    let event = json!({"message": null, "undeclared": null, "@x": null, "id": null, "TimeGenerated": null});
    let row = typed_row(columns, TablePlan::Analytics, &event);
    assert_eq!(row, json!({"TimeGenerated": "2026-11-23T12:00:00.000000Z", "message": null}));
}

#[test]
fn a_name_that_is_there_twice_loses_neither_value() {
    let text = r#"{"timestamp":"2026-11-23T11:00:00Z","timestamp":"2026-11-23T11:30:00Z"}"#;
    let row = encode(&Event::new(text.into(), None)).unwrap().0;
    assert_eq!(row, json!({"TimeGenerated": "2026-11-23T11:00:00Z", "timestamp": "2026-11-23T11:30:00Z"}));
}

#[test]
fn a_field_over_64_kb_is_cut_at_a_character_and_marked() {
    let text = format!("{}{}", "a".repeat(65_535), "ü".repeat(3_000));
    let array: Vec<u32> = (0..20_000).collect();
    let object = json!({"a": array});
    let event = json!({
        "text": text, "array": array, "object": object, "one": [text], "fits": "é".repeat(32_768), "Title": text,
    });
    let (encoded, cut) = encode(&Event::new(event.to_string().into(), None)).unwrap();
    assert_eq!(cut, 6);
    assert_eq!(encoded["text"], "a".repeat(65_535));
    assert_eq!(encoded["fits"], event["fits"]);
    let kept = encoded["array"].as_array().expect("an array stays one");
    assert_eq!(kept[..], event["array"].as_array().unwrap()[..kept.len()]);
    assert!((65_520..=65_536).contains(&encoded["array"].to_string().len()));
    let within = encoded["object"]["a"].as_array().expect("an object stays one");
    assert_eq!(within[..], kept[..within.len()]);
    let one = encoded["one"][0].as_str().unwrap();
    assert!(text.starts_with(one) && one.len() > 65_500);
    let mut marks: Vec<_> = encoded["TruncatedColumns"].as_array().unwrap().clone();
    marks.sort_by_key(|mark| (mark["column"].to_string(), mark["field"].to_string()));
    let mark = |column: &str, bytes: usize| json!({"column": column, "bytes": bytes});
    let missing = |kept: &[Value]| array.len() - kept.len();
    let expected = [
        mark("Title_", 71_535),
        json!({"column": "array", "bytes": json_len(&event["array"]), "missing": missing(kept)}),
        json!({"column": "object", "field": "a", "bytes": json_len(&event["array"]), "missing": missing(within)}),
        json!({"column": "one", "field": "[0]", "bytes": 71_535}),
        mark("one", json_len(&event["one"])),
        mark("text", 71_535),
    ];
    assert_eq!(marks, expected);
}

fn json_len(value: &Value) -> usize {
    value.to_string().len()
}

#[test]
fn a_field_that_the_stream_has_no_column_for_does_not_vanish() {
    let columns = ["TimeGenerated", "id_", "severity", "ExtraColumns"].map(str::to_owned).into();
    let columns = Columns::of_config(&ColumnsConfig::Names(columns), TablePlan::Analytics);
    let encoder = encoder(Some(columns));
    let event = json!({"TimeGenerated": "2026-11-23T12:00:00Z", "id": 1, "severity": "high", "newIn2027": [1], "title": 2});
    let mut out = Vec::new();
    encoder.write_row(&Event::new(event.to_string().into(), None), RowTime::of(now()), &mut out).unwrap();
    let expected = json!({
        "TimeGenerated": "2026-11-23T12:00:00Z", "id_": 1, "severity": "high",
        "ExtraColumns": {"newIn2027": [1], "title": 2},
    });
    assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
}

/// A row with columns of these types.
fn typed_row(columns: Value, plan: TablePlan, event: &Value) -> Value {
    let columns = Columns::of_config(&serde_json::from_value(columns).unwrap(), plan);
    let mut out = Vec::new();
    let encoder = encoder(Some(columns));
    encoder.write_row(&Event::new(event.to_string().into(), None), RowTime::of(now()), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_value_that_its_column_could_not_hold_does_not_become_null() {
    let columns = json!({
        "TimeGenerated": "datetime", "message": "string", "count": "long", "small": "int", "ratio": "real", "ok": "boolean",
        "labels": "dynamic", "seen": "datetime", "id_": "string", "timestamp": "string", "ExtraColumns": "dynamic",
    });
    let fits = json!({
        "TimeGenerated": "2026-11-23T12:00:00.123456789Z", "message": "m", "count": 5_000_000_000_i64, "small": -1,
        "ratio": 1.5, "ok": true, "labels": {"a": [1]}, "seen": "2026-11-23T12:00:00.123456789Z", "id_": "x",
    });
    let mut event = fits.clone();
    event["id"] = event.as_object_mut().unwrap().remove("id_").unwrap();
    assert_eq!(typed_row(columns.clone(), TablePlan::Analytics, &event), fits);
    let other = json!({
        "message": {"a": 1}, "count": "5.5", "small": 5_000_000_000_i64, "ratio": "x", "ok": 1, "labels": null,
        "seen": "yesterday", "id": [7], "timestamp": "2026-11-23T12:00:00Z",
    });
    let row = typed_row(columns, TablePlan::Analytics, &other);
    let mut kept = other.as_object().unwrap().clone();
    kept.retain(|name, _| !["labels", "timestamp"].contains(&name.as_str()));
    let expected = json!({"TimeGenerated": "2026-11-23T12:00:00Z", "labels": null, "ExtraColumns": kept});
    assert_eq!(row, expected);
}

#[test]
fn every_time_column_of_an_auxiliary_table_has_six_digits_at_most() {
    let columns = json!({
        "TimeGenerated": "datetime", "seen": "datetime", "text": "string", "any": "dynamic", "ExtraColumns": "dynamic",
    });
    let nanos = "2026-11-23T12:00:00.123456789Z";
    let micros = "2026-11-23T12:00:00.123456Z";
    let event = json!({"timestamp": nanos, "seen": nanos, "text": nanos, "any": [nanos], "other": nanos});
    let row = typed_row(columns.clone(), TablePlan::Auxiliary, &event);
    let expected = json!({
        "TimeGenerated": micros, "seen": micros, "text": nanos, "any": [nanos], "ExtraColumns": {"other": nanos},
    });
    assert_eq!(row, expected);
    let own = json!({"TimeGenerated": "2026-01-01T00:00:00.123456789Z"});
    let row = typed_row(columns, TablePlan::Auxiliary, &own);
    assert_eq!(row["TimeGenerated"], "2026-01-01T00:00:00.123456Z");
    assert_eq!(row["ExtraColumns"], own, "the time that Azure replaces is kept as it was");
}

#[test]
fn what_cannot_be_a_row_is_refused_with_the_reason() {
    for json in ["[1]", "\"text\"", "1", "null", "{\"a\":1", "{\"a\":1} x", "", "\u{1}"] {
        assert_eq!(encode(&Event::new(json.into(), None)).unwrap_err().code, "not_an_object", "{json}");
    }
    let large: serde_json::Map<_, _> =
        (0..20).map(|n| (format!("f{n}"), "x".repeat(60_000).into())).collect();
    let refused = encode(&Event::new(Value::Object(large).to_string().into(), None)).unwrap_err();
    assert_eq!(refused.code, "too_large");
    assert!(refused.message.contains("batch.max_bytes"), "{}", refused.message);
    let invalid = Event::new(Bytes::from_static(b"{\"a\":\"\xff\"}"), None);
    assert_eq!(encode(&invalid).unwrap_err().code, "not_an_object");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(".{0,12}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_row_is_the_same_however_fast_it_was_written(
        fields in proptest::collection::vec(
            ("[a-zA-Z][a-z_]{0,5}|id|Type_|bytes|TimeGenerated|timestamp|@timestamp|(?s).{0,8}|[a-z]{44,47}", any_json()), 0..8,
        ),
        separator in prop_oneof![6 => Just(","), 1 => Just(" ,"), 1 => Just(",\n")],
        colon in prop_oneof![6 => Just(":"), 1 => Just(": ")],
    ) {
        let field = |(name, value): &(String, Value)| format!("{}{colon}{value}", Value::from(name.as_str()));
        let fields: Vec<_> = fields.iter().map(field).collect();
        let event = Event::new(format!("{{{}}}", fields.join(separator)).into(), None);
        let write = |encoder: &FieldsEncoder| {
            let mut out = Vec::new();
            encoder.write_row(&event, RowTime::of(now()), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let fast = encoder(None);
        prop_assert_eq!(write(&fast), write(&FieldsEncoder { plain_names: None, ..fast }));
    }

    #[test]
    fn any_event_becomes_a_row_of_legal_columns_that_holds_every_value(
        fields in proptest::collection::btree_map("(?s).{0,50}|id|type|timestamp|TimeGenerated", any_json(), 0..8)
    ) {
        let event = Value::Object(fields.clone().into_iter().collect());
        let (encoded, _) = encode(&Event::new(event.to_string().into(), None)).unwrap();
        let row = encoded.as_object().unwrap();
        // Reading a float's text may change its last digit: both sides are read once.
        let fields: serde_json::Map<String, Value> = serde_json::from_str(&event.to_string()).unwrap();
        prop_assert!(row.contains_key("TimeGenerated"));
        for name in row.keys() {
            prop_assert!(name.len() <= 45 && name.starts_with(|first: char| first.is_ascii_alphabetic()), "{name}");
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            prop_assert!(!["id", "tenantid", "type", "uniqueid", "title"].contains(&name.to_lowercase().as_str()));
        }
        for (name, value) in &fields {
            let places = [row.get(name), row.get(&format!("{name}_")), encoded["ExtraColumns"].get(name)];
            // A time in another form is the row's.
            let is_time = || {
                let at = |value: &Value| read_time(&value.to_string(), now()).map(|found| found.time);
                ["timestamp", "TimeGenerated"].contains(&name.as_str()) && at(value) == at(&encoded["TimeGenerated"])
            };
            prop_assert!(value.is_null() || places.contains(&Some(value)) || is_time(), "{name} is lost: {encoded}");
        }
    }
}

#[test]
fn fields_that_are_left_out_are_in_no_column_and_the_time_is_always_written() {
    let encode = |options: Value, event: Value| {
        let config: EncodingConfig = serde_json::from_value(options).unwrap();
        let encoding = config.validate(Layout::Raw, "encoding", &mut Vec::new()).map(Arc::new);
        let encoder = FieldsEncoder::new(TimeField::of("TimeGenerated"), None, encoding, LIMIT);
        let mut out = Vec::new();
        encoder.write_row(&Event::new(event.to_string().into(), None), RowTime::of(now()), &mut out).unwrap();
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let time = "2026-11-23T12:00:00Z";
    let event = json!({"timestamp": time, "_internal": {"x": 1}, "@m": 2, "message": "hello", "seen": time});
    assert_eq!(
        encode(
            json!({"except_fields": ["_internal", "\"@m\"", "timestamp"], "timestamp_format": "unix"}),
            event.clone()
        ),
        json!({"TimeGenerated": time, "message": "hello", "seen": 1_795_435_200})
    );
    let both = json!({"timestamp": time, "TimeGenerated": time, "message": "hello"});
    let only = json!({"only_fields": ["message"]});
    assert_eq!(encode(only.clone(), event), json!({"TimeGenerated": time, "message": "hello"}));
    assert_eq!(encode(only, both), json!({"TimeGenerated": time, "message": "hello"}));
    let no_time = json!({"TimeGenerated": "noon", "message": "hello"});
    let row = encode(json!({"except_fields": ["TimeGenerated"]}), no_time);
    assert_eq!(row, json!({"TimeGenerated": "2026-11-23T12:00:00.000000Z", "message": "hello"}));
}

/// The row of an event whose time is in this field, and whether its time was not understood.
fn timed(timestamp_field: &str, event: &Value) -> (Value, bool) {
    let encoder = FieldsEncoder::new(TimeField::of(timestamp_field), None, None, LIMIT);
    let mut out = Vec::new();
    let notes =
        encoder.write_row(&Event::new(event.to_string().into(), None), RowTime::of(now()), &mut out).unwrap();
    (serde_json::from_slice(&out).unwrap(), notes.unread_times > 0)
}

#[test]
fn a_time_is_read_in_whatever_form_logs_have_it() {
    let at = "2026-11-22T20:00:00Z";
    for (event, expected) in [
        (json!({"TimeGenerated": 1_795_377_600_123_456_789_u64}), "2026-11-22T20:00:00.123456789Z"),
        (json!({"TimeGenerated": "2026-11-22T20:00:00"}), at),
        (json!({"TimeGenerated": "2026-11-22 20:00:00"}), at),
        (json!({"TimeGenerated": "2026-11-22T20:00:00.123+0000"}), "2026-11-22T20:00:00.123Z"),
        (json!({"TimeGenerated": 1_795_377_600.5}), "2026-11-22T20:00:00.500Z"),
        (json!({"TimeGenerated": 1_795_377_600_000_u64}), at),
        (json!({"TimeGenerated": "1795377600"}), at),
        (json!({"TimeGenerated": "Sun, 22 Nov 2026 20:00:00 GMT"}), at),
        (json!({"timestamp": "2026-11-22T21:00:00.000000+0100"}), at),
        (json!({"@timestamp": "2026-11-22T20:00:00.123Z"}), "2026-11-22T20:00:00.123Z"),
        (json!({"@timestamp": "noon", "timestamp": 1_795_377_600}), at),
    ] {
        let (row, is_unread) = timed("TimeGenerated", &event);
        assert_eq!((&row["TimeGenerated"], is_unread), (&json!(expected), false), "{event}: {row}");
        assert!(row.get("timestamp").is_none(), "{row}");
    }
}

#[test]
fn the_time_may_be_in_a_field_that_is_no_column() {
    let zeek = json!({"ts": 1_795_377_600.25, "uid": "C1"});
    assert_eq!(timed("ts", &zeek).0, json!({"ts": "2026-11-22T20:00:00.250Z", "uid": "C1"}));
    let ecs = json!({"@timestamp": "2026-11-22T20:00:00Z", "event": {"created": ["x", "2026-11-22T19:00:00Z"]}, "timestamp": 7});
    let (row, is_unread) = timed("@timestamp", &ecs);
    assert_eq!(
        (&row["TimeGenerated"], row.get("ExtraColumns"), is_unread),
        (&ecs["@timestamp"], None, false)
    );
    let (row, _) = timed("event.created[-1]", &ecs);
    assert_eq!((&row["TimeGenerated"], &row["event"]), (&json!("2026-11-22T19:00:00Z"), &ecs["event"]));
    assert_eq!(row["ExtraColumns"], json!({"@timestamp": ecs["@timestamp"]}));
}

#[test]
fn a_time_that_cannot_be_read_is_counted_and_kept() {
    for (event, kept) in [
        (json!({"TimeGenerated": "noon"}), "/ExtraColumns/TimeGenerated"),
        (json!({"timestamp": "gestern"}), "/timestamp"),
        (json!({"@timestamp": 5}), "/ExtraColumns/@timestamp"),
    ] {
        let (row, is_unread) = timed("TimeGenerated", &event);
        assert!(is_unread && row.pointer(kept).is_some(), "{event}: {row}");
        assert_eq!(row["TimeGenerated"], "2026-11-23T12:00:00.000000Z");
    }
    for event in [json!({"n": 1}), json!({"timestamp": null}), json!({"TimeGenerated": null})] {
        assert!(!timed("TimeGenerated", &event).1, "{event}");
    }
}
