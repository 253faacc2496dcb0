//! What is left of values that are too long.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn cut(value: &Value, max: usize) -> (Value, Vec<Value>) {
    let mut cuts = Cuts::default();
    let kept = cuts.row(&value.to_string(), max);
    assert!(kept.len() <= max, "{} of {max}", kept.len());
    let notes = cuts.notes.iter().map(|note| serde_json::from_str(note).unwrap());
    (serde_json::from_slice(&kept).unwrap(), notes.collect())
}

#[test]
fn what_is_short_stays_and_what_is_long_shares_the_room() {
    let value = json!({"id": "29", "one": "x".repeat(1_000), "flag": true, "two": {"text": "y".repeat(1_000), "n": 5}});
    let (kept, notes) = cut(&value, 400);
    assert_eq!(
        (&kept["id"], &kept["flag"], &kept["two"]["n"]),
        (&value["id"], &value["flag"], &value["two"]["n"])
    );
    let length = |text: &Value| text.as_str().unwrap().len();
    assert!(length(&kept["one"]) > 100 && length(&kept["two"]["text"]) > 100, "{kept}");
    assert_eq!(notes[0], json!({"column": "one", "bytes": 1_000}));
    assert_eq!(notes[1], json!({"column": "two", "field": "text", "bytes": 1_000}));
}

#[test]
fn a_list_keeps_its_first_elements_or_part_of_one() {
    let (kept, notes) = cut(&json!({"list": (0..100).collect::<Vec<_>>()}), 60);
    let list = kept["list"].as_array().unwrap();
    assert_eq!(list[..3], [0, 1, 2]);
    assert_eq!(notes, [json!({"column": "list", "bytes": 291, "missing": 100 - list.len()})]);
    let (kept, notes) = cut(&json!({"list": [{"text": "x".repeat(500)}, "second"]}), 60);
    assert_eq!(kept["list"].as_array().unwrap().len(), 1);
    assert!(kept["list"][0]["text"].as_str().unwrap().starts_with("xx"));
    assert_eq!((&notes[0]["missing"], &notes[1]["field"]), (&json!(1), &json!("[0].text")));
}

#[test]
fn fields_that_there_is_no_room_for_are_counted() {
    let many: serde_json::Map<_, _> = (0..1_000).map(|n| (format!("field{n}"), json!("some text"))).collect();
    let (kept, notes) = cut(&json!({"many": many}), 2_000);
    assert_eq!(notes[0]["missing"], 1_000 - kept["many"].as_object().unwrap().len());
}

#[test]
fn what_is_nested_too_deep_is_left_out_and_notes_have_an_end() {
    let mut deep = json!("x".repeat(5_000));
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let (_, notes) = cut(&deep, 1_000);
    assert_eq!(notes.len(), 1);
    let many: serde_json::Map<_, _> = (0..100).map(|n| (format!("f{n}"), json!("x".repeat(100)))).collect();
    let mut cuts = Cuts::default();
    cuts.row(&Value::Object(many).to_string(), 3_000);
    assert_eq!((cuts.notes.len(), cuts.count), (MAX_NOTES, 100));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 80, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(".{0,12}", inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_left_fits_and_is_of_the_same_kind(value in any_json(), max in LEAST..600) {
        let (kept, notes) = cut(&value, max);
        let was_cut = value.to_string().len() > max;
        prop_assert_eq!(kept == value, !was_cut);
        prop_assert_eq!(notes.is_empty(), !was_cut);
        if value.is_object() || value.is_array() || value.is_string() {
            prop_assert_eq!(std::mem::discriminant(&kept), std::mem::discriminant(&value));
        }
    }
}
