use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::DateTime;
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::decode::decode_values;
use super::generated::event::{EventWrapper, event_wrapper};
use super::{Decoded, MAX_LEVELS, encode, event, vector};
use model::event::{Body, Event};
use model::value::Value;

/// One event alone.
fn decode(wire: &Bytes) -> Result<Decoded, prost::DecodeError> {
    super::decode(std::slice::from_ref(wire)).remove(0)
}

/// As Vector decodes a request: everything at once, by one decoder with its limit.
#[derive(Clone, PartialEq, Message)]
struct WholeRequest {
    #[prost(message, repeated, tag = "1")]
    events: Vec<EventWrapper>,
}

macro_rules! recording {
    ($name:literal) => {
        vector::PushEventsRequest::decode(
            &include_bytes!(concat!("../../../../tests/fixtures/wire/", $name))[..],
        )
        .unwrap()
        .events
    };
}

const RECORDED_JSON: &str = include_str!("../../../../tests/fixtures/wire/push-logs.json.jsonl");

fn log(wire: &Bytes) -> (Event, usize) {
    match decode(wire).unwrap() {
        Decoded::Log { event, flattened } => (event, flattened),
        Decoded::NotALog => panic!("not a log"),
    }
}

fn parsed(event: &Event) -> serde_json::Value {
    serde_json::from_slice(&event.to_json()).unwrap()
}

fn wire_of(value: Value) -> Bytes {
    let log = match value {
        Value::Object(fields) => event::Log {
            fields: fields.into_iter().map(|(name, value)| (name, value.into())).collect(),
            ..event::Log::default()
        },
        root => event::Log { value: Some(root.into()), ..event::Log::default() },
    };
    EventWrapper { event: Some(event_wrapper::Event::Log(log)) }.encode_to_vec().into()
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::Array(vec![Value::Integer(1)]), |inner, _| {
        Value::Object([("a".to_owned(), inner)].into())
    })
}

#[test]
fn recorded_logs_are_value_for_value_what_vector_says_of_them() {
    let recorded = [recording!("push-logs-0.bin"), recording!("push-logs-1.bin")].concat();
    let expected: Vec<&str> = RECORDED_JSON.lines().collect();
    assert_eq!((recorded.len(), expected.len()), (3, 3));
    for (wire, line) in recorded.iter().zip(expected) {
        let (event, flattened) = log(wire);
        // As text: so an integer that a float cannot hold, or a float that became an integer, would be seen.
        assert_eq!(event.to_json(), line.as_bytes());
        assert_eq!(flattened, 0);
    }
}

#[test]
fn recorded_bytes_that_are_no_text_are_kept_as_they_are() {
    let (event, _) = log(&recording!("push-logs-1.bin")[0]);
    let Body::Value(value) = event.body() else { panic!("{event:?}") };
    assert_eq!(value.not_utf8(), [("/bytes".to_owned(), Bytes::from_static(b"\xff\xfe\xfd\x00\x01"))]);
}

#[test]
fn recorded_metrics_are_told_from_logs() {
    let recorded = recording!("push-metrics.bin");
    assert!(!recorded.is_empty());
    assert!(recorded.iter().all(|wire| decode(wire).unwrap() == Decoded::NotALog));
}

#[test]
fn events_of_one_push_do_not_get_into_each_others_way() {
    let fine =
        |text: &'static str| wire_of(Value::Object([("m".to_owned(), Value::Bytes(text.into()))].into()));
    let odd = wire_of(Value::Object([("m".to_owned(), Value::Bytes(Bytes::from_static(b"\xff")))].into()));
    let metric = recording!("push-metrics.bin")[0].clone();
    let push = [fine("a"), odd, fine("b"), Bytes::from_static(b"\xff\xff"), metric, fine("c \"d\"")];
    let decoded = super::decode(&push);
    let texts: Vec<_> = decoded
        .iter()
        .map(|decoded| match decoded {
            Ok(Decoded::Log { event, .. }) => parsed(event)["m"].as_str().unwrap().to_owned(),
            Ok(Decoded::NotALog) => "not a log".to_owned(),
            Err(_) => "an error".to_owned(),
        })
        .collect();
    assert_eq!(texts, ["a", "\u{fffd}", "b", "an error", "not a log", "c \"d\""]);
}

#[test]
fn what_is_no_event_at_all_is_an_error() {
    for wire in [&b"\xff\xff\xff"[..], b"\x0a\x7f", b"\x0a\x03\x0a\x01\xff"] {
        assert!(decode(&Bytes::from_static(wire)).is_err(), "{wire:?}");
    }
}

#[test]
fn an_incident_arrives_as_it_was_with_its_time_and_its_source() {
    let text = json!({
        "id": "29", "big": -9_007_199_254_740_993_i64, "huge": 18_446_744_073_709_551_615_u64, "float": 3.0,
        "none": null, "empty": [{}, []], "with.dot": {"@odata.type": "#x"}, "ключ": "значение\n\"",
        "createdDateTime": "2026-11-23T10:20:30.1234567Z",
    });
    let time = DateTime::from_timestamp(1_700_000_000, 5).unwrap();
    let encoded = encode(&Event::new(text.to_string().into(), Some(time)), "defender_incidents");
    assert_eq!(encoded.flattened, 0);
    let mut expected = text;
    expected["huge"] = json!("18446744073709551615");
    expected["timestamp"] = json!("2023-11-14T22:13:20.000000005Z");
    expected["source_type"] = json!("defender_incidents");
    let (arrived, _) = log(&encoded.wrapper.encode_to_vec().into());
    assert_eq!(parsed(&arrived), expected);
}

#[test]
fn an_event_keeps_a_time_and_a_source_of_its_own() {
    let text = json!({"timestamp": "mine", "source_type": "mine"});
    let encoded = encode(&Event::new(text.to_string().into(), Some(DateTime::UNIX_EPOCH)), "x");
    assert_eq!(parsed(&log(&encoded.wrapper.encode_to_vec().into()).0), text);
}

#[test]
fn what_is_no_object_goes_as_it_is_and_what_is_no_json_as_a_message() {
    for (text, expected) in [
        ("[1,{\"a\":2}]", json!([1, {"a": 2}])),
        ("\"text\"", json!("text")),
        ("{\"cut", json!({"message": "{\"cut", "source_type": "x"})),
        ("{} {}", json!({"message": "{} {}", "source_type": "x"})),
    ] {
        let encoded = encode(&Event::new(text.into(), None), "x");
        assert_eq!(parsed(&log(&encoded.wrapper.encode_to_vec().into()).0), expected, "{text}");
    }
}

#[test]
fn nesting_that_vector_does_not_read_becomes_text_before_it_is_sent() {
    let read_by_vector = |wrapper: EventWrapper| {
        WholeRequest::decode(&WholeRequest { events: vec![wrapper] }.encode_to_vec()[..]).is_ok()
    };
    // The way it would go wrong.
    assert!(!read_by_vector(EventWrapper {
        event: Some(event_wrapper::Event::Log(event::Log {
            fields: [("a".to_owned(), nested(34).into())].into(),
            ..event::Log::default()
        }))
    }));
    for (levels, flattened) in [(31, 0), (32, 0), (33, 1), (100, 1), (5_000, 1)] {
        let text = format!("{}[1]{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1));
        for event in [Event::new(text.clone().into(), None)]
            .into_iter()
            .chain((levels < 200).then(|| Event::from_value(nested(levels))))
        {
            let encoded = encode(&event, "x");
            assert_eq!(encoded.flattened, flattened, "{levels}");
            assert!(read_by_vector(encoded.wrapper.clone()), "{levels}");
            if flattened > 0 {
                let mut inner = parsed(&log(&encoded.wrapper.encode_to_vec().into()).0);
                for _ in 0..MAX_LEVELS {
                    inner = inner["a"].take();
                }
                let deepest = inner.as_str().unwrap();
                assert!(text.contains(deepest) && deepest.ends_with('}') || deepest == "[1]", "{deepest}");
            }
        }
    }
}

#[test]
fn a_time_deep_down_is_still_read_by_vector() {
    // A time is a message of its own, so it takes one step more than a plain value.
    let deepest = Value::Array(vec![Value::Timestamp(DateTime::UNIX_EPOCH)]);
    let value = (1..MAX_LEVELS).fold(deepest, |inner, _| Value::Object([("a".to_owned(), inner)].into()));
    let encoded = encode(&Event::from_value(value), "x");
    let request = WholeRequest { events: vec![encoded.wrapper] }.encode_to_vec();
    assert_eq!(encoded.flattened, 0);
    WholeRequest::decode(&request[..]).unwrap();
}

#[test]
fn nesting_that_vector_sends_all_the_same_is_read() {
    for (levels, expected) in [(32, 0), (34, 1), (40, 1), (128, 1), (255, 1)] {
        let (event, flattened) = log(&wire_of(nested(levels)));
        assert_eq!(flattened, expected, "{levels}");
        let mut inner = parsed(&event);
        for _ in 0..levels.min(MAX_LEVELS + 1) - 1 {
            inner = inner["a"].take();
        }
        let deepest = if flattened > 0 { inner.as_str().unwrap().to_owned() } else { inner.to_string() };
        assert!(deepest.contains("[1]"), "{levels}: {deepest}");
    }
    assert!(decode(&wire_of(nested(300))).is_err(), "deeper than the stack may be asked to go");
}

fn any_value() -> impl Strategy<Value = Value> {
    let time = (-62_135_596_800_i64..253_402_300_800, 0..1_000_000_000_u32)
        .prop_filter_map("a time", |(seconds, nanos)| DateTime::from_timestamp(seconds, nanos));
    let leaf = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("Vector has no NaN", |number| !number.is_nan()).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        time.prop_map(Value::Timestamp),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(".{0,8}", inner, 0..6).prop_map(Value::Object),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_short_way_say_something_else(wire in prop::collection::vec(any::<u8>(), 0..60)) {
        let wire = Bytes::from(wire);
        if let Ok(Decoded::Log { event, .. }) = decode(&wire)
            && let Body::Json(json) = event.body()
        {
            let json: serde_json::Value = serde_json::from_slice(json).unwrap();
            let Decoded::Log { event: long, .. } = decode_values(&wire).unwrap() else { panic!("no log") };
            prop_assert_eq!(json, parsed(&long));
        }
    }

    #[test]
    fn every_value_comes_back_as_it_went(fields in prop::collection::btree_map(".{0,8}", any_value(), 0..6)) {
        let own: BTreeMap<String, Value> = [("source_type".to_owned(), Value::Bytes("x".into()))].into();
        let sent = Value::Object(own.into_iter().chain(fields).collect());
        let encoded = encode(&Event::from_value(sent.clone()), "x");
        prop_assert_eq!(encoded.flattened, 0);
        let wire = Bytes::from(encoded.wrapper.encode_to_vec());
        let values = decode_values(&wire).unwrap();
        prop_assert_eq!(&values, &Decoded::Log { event: Event::from_value(sent), flattened: 0 });
        // The short way says the same, or leaves it to the long one.
        let arrived = decode(&wire).unwrap();
        if arrived != values {
            let (Decoded::Log { event: short, .. }, Decoded::Log { event: long, .. }) = (arrived, values) else {
                panic!("one of them is no log")
            };
            prop_assert!(matches!(short.body(), Body::Json(_)), "{:?}", short);
            prop_assert_eq!(short.to_json(), long.to_json());
        }
    }
}
