//! One JSON Schema of a whole file, for editors.
//!
//! It speaks about our components only: beside them, a file for `render` may hold any of Vector's, so an
//! entry whose `type` it does not know passes.

use serde_json::{Map, Value, json};

use super::{
    component_graph::{
        ComponentType, Kind, ONLY_IN_VECTOR, inputs_schema, proxy_schema, with_vector_options,
    },
    secrets,
};

/// The JSON Schema (draft 2020-12) of a pipeline file with the components of `catalogue`.
pub fn document_schema(catalogue: &[ComponentType]) -> Value {
    let mut defs = Map::new();
    let sources = section(Kind::Source, catalogue, &mut defs);
    let sinks = section(Kind::Sink, catalogue, &mut defs);
    let backends = secrets::catalogue().map(|(name, schema)| {
        (name, import(&format!("secret.{name}"), schema, &[type_tag("secret backend", name)], &mut defs))
    });
    let backend = by_type("secret backend", backends.into_iter().collect());
    let proxy = import("proxy", proxy_schema(), &[], &mut defs);

    let mut properties = json!({
        "acknowledgements": {
            "description": "Whether sinks of Vector acknowledge events end to end, where they do not say it themselves; ours always do. Example: `{enabled: true}`.",
            "type": ["boolean", "object"],
        },
        "data_dir": {"description": "The directory of the state file, the quarantines and what else is kept between runs; one process at a time. Default: `/var/lib/vector/`. Example: `/var/lib/vector-sentinel`.", "type": "string"},
        "proxy": {"description": "The proxy for HTTP and HTTPS requests of all components that have none of their own.", "$ref": proxy},
        "secret": {"description": "Secret backends by name, for values that are written `SECRET[name.key]`.", "type": "object", "additionalProperties": backend},
        "sinks": sinks,
        "sources": sources,
        "transforms": {"description": "Stock transforms of Vector, by id.", "type": "object"},
        "wildcard_matching": {
            "description": "Whether a wildcard in `inputs` must match something: `strict`, or `relaxed` if it may match nothing. Default: `strict`.",
            "enum": ["strict", "relaxed"],
        },
    });
    for key in ONLY_IN_VECTOR {
        properties[key] = json!({"description": "An option of Vector itself, without effect in a file without stock components: <https://vector.dev/docs/reference/configuration/global-options/>."});
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vector-sentinel pipeline",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": defs,
    })
}

fn section(kind: Kind, catalogue: &[ComponentType], defs: &mut Map<String, Value>) -> Value {
    let types = catalogue.iter().filter(|known| known.kind == kind).map(|known| {
        let tag = type_tag(kind.word(), known.name);
        let place = format!("{}.{}", kind.word(), known.name);
        let reference = match kind {
            Kind::Source => import(&place, with_vector_options(kind, (known.schema)()), &[tag], defs),
            Kind::Sink => import(
                &place,
                with_vector_options(kind, (known.schema)()),
                &[tag, ("inputs", inputs_schema())],
                defs,
            ),
        };
        (known.name, reference)
    });
    let entry = by_type(kind.word(), types.collect());
    let description = format!("The {} by id: ours, and stock ones of Vector.", kind.section());
    json!({
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": "^[^.]+$"},
        "additionalProperties": entry,
    })
}

/// The option that says of which type something is.
fn type_tag(word: &str, name: &str) -> (&'static str, Value) {
    ("type", json!({"description": format!("The type of this {word}."), "const": name}))
}

/// A map whose `type` says which schema it follows.
fn by_type(word: &str, types: Vec<(&'static str, String)>) -> Value {
    let names: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    let rules: Vec<Value> = types
        .into_iter()
        .map(|(name, reference)| {
            json!({
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"$ref": reference},
            })
        })
        .collect();
    let mut entry = json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {
                "description": format!("The type of this {word}: one of ours, or a stock one of Vector."),
                "anyOf": [{"enum": names}, {"type": "string"}],
            },
        },
    });
    if !rules.is_empty() {
        entry["allOf"] = Value::Array(rules);
    }
    entry
}

/// Takes a schema in under `place`, each of its definitions under a name of its own so that two schemas
/// may use the same name for different things, and gives the reference to it.
fn import(place: &str, mut schema: Value, more: &[(&str, Value)], defs: &mut Map<String, Value>) -> String {
    point_into(place, &mut schema);
    if let Value::Object(schema) = &mut schema {
        schema.shift_remove("$schema");
        if let Some(Value::Object(inner)) = schema.shift_remove("$defs") {
            defs.extend(inner.into_iter().map(|(name, inner)| (format!("{place}.{name}"), inner)));
        }
        add_options(schema, more);
    }
    defs.insert(place.to_owned(), schema);
    format!("#/$defs/{place}")
}

/// The options that every component of a kind has, beside its own.
fn add_options(schema: &mut Map<String, Value>, more: &[(&str, Value)]) {
    if more.is_empty() {
        return;
    }
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    for (name, option) in more {
        properties[*name] = option.clone();
    }
    if let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([])) {
        required.extend(more.iter().map(|(name, _)| json!(name)));
    }
}

/// Turns every reference within a schema into one to where the schema will stand.
fn point_into(place: &str, schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{place}.{name}");
                        } else if target == "#" {
                            *target = format!("#/$defs/{place}");
                        }
                    }
                    inner => point_into(place, inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point_into(place, item)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "tests/schema.rs"]
mod tests;
