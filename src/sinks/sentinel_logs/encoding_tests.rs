use proptest::prelude::*;
use serde_json::{Value, from_value, json};

use super::*;

fn encoding(options: Value) -> Encoding {
    let config: EncodingConfig = from_value(options).unwrap();
    let mut problems = Vec::new();
    let encoding = config.validate(Layout::Raw, "encoding", &mut problems);
    assert_eq!(problems, []);
    encoding.unwrap()
}

fn written(options: Value, event: &Value) -> Value {
    let text = event.to_string();
    serde_json::from_slice(&encoding(options).event(text.as_bytes())).unwrap()
}

#[test]
fn fields_are_left_out_wherever_they_are() {
    let event = json!({"a": {"b": {"c": 1, "d": 2}, "x.y": 3}, "list": [{"x": 1, "y": 2}, 5, 6], "e": 7});
    for (except, expected) in [
        (json!(["e"]), json!({"a": event["a"], "list": event["list"]})),
        (
            json!(["a.b.c", "list[0].y", "list[-1]", "e"]),
            json!({"a": {"b": {"d": 2}, "x.y": 3}, "list": [{"x": 1}, 5]}),
        ),
        (
            json!([".a.\"x.y\"", "a.b.c.d", "none", "e.f", "list.x"]),
            json!({
                "a": {"b": {"c": 1, "d": 2}}, "list": event["list"], "e": 7,
            }),
        ),
        (json!(["list[0].x", "list[-3].y"]), json!({"a": event["a"], "list": [{}, 5, 6], "e": 7})),
        (json!([]), event.clone()),
    ] {
        assert_eq!(written(json!({"except_fields": except}), &event), expected, "{except}");
    }
}

#[test]
fn only_the_named_fields_are_written_each_in_its_place() {
    let event = json!({"a": {"b": {"c": 1, "d": 2}, "x": 3}, "list": [{"x": 1, "y": 2}, 5, 6], "e": 7});
    for (only, expected) in [
        (json!(["e", "none"]), json!({"e": 7})),
        (json!(["a.b.c", "a.x", "list[1]"]), json!({"a": {"b": {"c": 1}, "x": 3}, "list": [null, 5]})),
        (json!(["a.none", "e.f", "list[9]"]), json!({})),
        (json!(["list[0].x", "list[-3].y"]), json!({"list": [{"x": 1, "y": 2}]})),
        (json!([]), json!({})),
    ] {
        assert_eq!(written(json!({"only_fields": only}), &event), expected, "{only}");
    }
    let both = json!({"only_fields": ["a"], "except_fields": ["a.b"]});
    assert_eq!(written(both, &event), json!({"a": {"x": 3}}));
}

#[test]
fn times_get_another_form_and_nothing_else_does() {
    let time = "2026-11-27T12:00:00.123456789Z";
    for (format, expected) in [
        ("unix", json!(1_795_780_800)),
        ("unix_ms", json!(1_795_780_800_123_u64)),
        ("unix_us", json!(1_795_780_800_123_456_u64)),
        ("unix_ns", json!(1_795_780_800_123_456_789_u64)),
        ("unix_float", json!(1_795_780_800.123_456)),
    ] {
        let event = json!({
            "t": time, "deep": {"list": [time, {"t": time}]}, "n": 1, "text": "2026 Z", "local": "2026-11-27T12:00:00+01:00",
        });
        let expected = json!({
            "t": expected, "deep": {"list": [expected, {"t": expected}]}, "n": 1, "text": "2026 Z",
            "local": "2026-11-27T12:00:00+01:00",
        });
        assert_eq!(written(json!({"timestamp_format": format}), &event), expected, "{format}");
    }
    let late = json!({"t": "9999-01-01T00:00:00Z"});
    assert_eq!(written(json!({"timestamp_format": "unix_ns"}), &late), late);
}

#[test]
fn numbers_keep_their_digits_and_what_is_too_deep_stays() {
    let encoding = encoding(json!({"except_fields": ["a.b"], "timestamp_format": "unix"}));
    let event = br#"{"a":{"b":1,"n":1.50,"big":123456789012345678901234567890}}"#;
    let expected = br#"{"a":{"n":1.50,"big":123456789012345678901234567890}}"#;
    assert_eq!(encoding.event(event).as_ref(), expected);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(encoding.event(deep.as_bytes()).as_ref(), deep.as_bytes());
    assert_eq!(encoding.event(b"[1]").as_ref(), b"[1]");
    let no_text = br#"{"b":{"x":1,"\ud800":2,"t":"2026-11-27T12:00:00Z"}}"#;
    assert_eq!(encoding.event(no_text).as_ref(), no_text);
}

#[test]
fn what_cannot_be_meant_is_reported() {
    let problems = |layout, options: Value| {
        let config: EncodingConfig = from_value(options).unwrap();
        let mut problems = Vec::new();
        let encoding = config.validate(layout, "encoding", &mut problems);
        (encoding.is_some(), problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let (_, found) = problems(Layout::Raw, json!({"only_fields": ["a", "b..c"], "except_fields": ["a"]}));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("encoding.only_fields: 'b..c' is no path"), "{found:?}");
    assert!(found[1].starts_with("encoding.except_fields: 'a' is in only_fields, too"), "{found:?}");
    let (_, found) = problems(Layout::Syslog, json!({"timestamp_format": "unix"}));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(problems(Layout::Syslog, json!({"timestamp_format": "rfc3339"})), (false, vec![]));
}

proptest! {
    #[test]
    fn what_is_not_named_is_written_as_it_stands(
        names in prop::collection::btree_set("[a-e]{1,2}", 0..6), except in prop::collection::btree_set("[a-e]{1,2}", 0..3),
    ) {
        let event: Value = names.iter().map(|name| (name.clone(), json!({"x": [name]}))).collect();
        let kept: Value = names.difference(&except).map(|name| (name.clone(), json!({"x": [name]}))).collect();
        let only: Value = names.intersection(&except).map(|name| (name.clone(), json!({"x": [name]}))).collect();
        prop_assert_eq!(written(json!({"except_fields": except}), &event), kept);
        prop_assert_eq!(written(json!({"only_fields": except}), &event), only);
    }
}
