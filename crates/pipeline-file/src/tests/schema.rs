use schemars::{JsonSchema, schema_for};

use super::*;

/// Two configs with a definition of the same name for different things.
mod one {
    use super::JsonSchema;

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    pub(super) struct Config {
        pub(super) auth: Auth,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    pub(super) struct Auth {
        pub(super) one: String,
    }
}

mod two {
    use super::JsonSchema;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    pub(super) struct Config {
        pub(super) auth: Auth,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    pub(super) struct Auth {
        pub(super) two: String,
    }
}

fn document() -> Value {
    document_schema(&[
        ComponentType {
            kind: Kind::Source,
            name: "both",
            schema: || schema_for!(one::Config).to_value(),
            emits_own_events: false,
        },
        ComponentType {
            kind: Kind::Sink,
            name: "both",
            schema: || schema_for!(two::Config).to_value(),
            emits_own_events: false,
        },
    ])
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            map.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

#[test]
fn definitions_of_the_same_name_do_not_meet() {
    let document = document();
    let auth = |place: &str| document["$defs"][place]["properties"]["auth"]["$ref"].clone();
    assert_eq!(auth("source.both"), "#/$defs/source.both.Auth");
    assert_eq!(auth("sink.both"), "#/$defs/sink.both.Auth");
    assert!(document["$defs"]["source.both.Auth"]["properties"]["one"].is_object());
    assert!(document["$defs"]["sink.both.Auth"]["properties"]["two"].is_object());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() >= 8, "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn a_sink_has_inputs_and_a_closed_component_still_has_its_type() {
    let document = document();
    assert_eq!(document["$defs"]["sink.both"]["required"], json!(["auth", "type", "inputs"]));
    assert_eq!(document["$defs"]["source.both"]["required"], json!(["auth", "type"]));
    assert_eq!(document["$defs"]["source.both"]["additionalProperties"], false);
    assert_eq!(document["$defs"]["source.both"]["properties"]["type"]["const"], "both");
}

#[test]
fn stock_components_pass() {
    let entry = &document()["properties"]["sinks"]["additionalProperties"];
    assert_eq!(entry["required"], json!(["type"]));
    assert_eq!(entry["properties"]["type"]["anyOf"], json!([{"enum": ["both"]}, {"type": "string"}]));
    assert_eq!(
        entry["allOf"],
        json!([{
            "if": {"properties": {"type": {"const": "both"}}, "required": ["type"]},
            "then": {"$ref": "#/$defs/sink.both"},
        }])
    );
    assert!(entry.get("additionalProperties").is_none());
}
