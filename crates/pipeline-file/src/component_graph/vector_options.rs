//! Vector's options: those around our components that Vector's own have as well. Most only reach what stands in the
//! component's place in Vector's file. And the listener for other shippers, which every sink has alike.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::model::{Kind, Report};
use crate::link::LinkConfig;
use crate::listen::ListenConfig;

/// Options of `batch` that say how Vector hands events over; the others are the component's own.
const HANDING_OVER: [&str; 2] = ["max_events", "timeout_secs"];

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only its schema is of use; the values go into Vector's file as they are written"
)]
struct SourceVectorOptions {
    /// The look of this component in the output of `vector graph`, with Vector's options. Example:
    /// `{node_attributes: {color: red}}`.
    graph: Option<Map<String, Value>>,
    /// The link between Vector and this component; without effect in a file without stock components.
    vector: Option<LinkConfig>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only its schema is of use; the values go into Vector's file as they are written"
)]
struct SinkVectorOptions {
    /// Whether events are acknowledged end to end. They always are, so that only `true` is accepted. Default: `true`.
    acknowledgements: Option<Switch>,
    /// The size of the batches in which Vector hands events over.
    batch: Option<Batch>,
    /// The buffer in which Vector keeps events that this sink cannot take yet, with Vector's options; without effect in a file
    /// without stock components. Default: Vector's, in memory. Example: `{type: disk, max_size: 1073741824}`.
    buffer: Option<Value>,
    /// The look of this component in the output of `vector graph`, with Vector's options. Example:
    /// `{node_attributes: {color: red}}`.
    graph: Option<Map<String, Value>>,
    /// Whether Vector checks at its start that this sink is reachable. Default: Vector's, `true`.
    healthcheck: Option<Switch>,
    /// The listener for shippers other than Vector, which post events over HTTPS; with it, `inputs` may be `[]`. Default: none.
    listen: Option<ListenConfig>,
    /// The link between Vector and this component; without effect in a file without stock components.
    vector: Option<LinkConfig>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is of use")]
enum Switch {
    Short(bool),
    Long(Enabled),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is of use")]
struct Enabled {
    /// The same, in the form of a map. Default: `true`.
    enabled: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is of use")]
struct Batch {
    /// The most events that Vector hands over at a time, at least 1. Default: Vector's, 1000.
    #[schemars(range(min = 1))]
    max_events: Option<u64>,
    /// The seconds that Vector waits for `max_events` events, more than 0. Default: Vector's, 1.
    #[schemars(extend("exclusiveMinimum" = 0))]
    timeout_secs: Option<f64>,
}

/// The schema of a component's own options, with Vector's.
pub(crate) fn with_vector_options(kind: Kind, mut schema: Value) -> Value {
    let generator =
        SchemaSettings::default().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut vector_options = match kind {
        Kind::Source => generator.into_root_schema_for::<SourceVectorOptions>().to_value(),
        Kind::Sink => generator.into_root_schema_for::<SinkVectorOptions>().to_value(),
    };
    let Value::Object(vector_options) = vector_options["properties"].take() else { return schema };
    for (name, option) in vector_options {
        let place = match (name.as_str(), schema["properties"].get("batch")) {
            ("batch", Some(own)) => Some(own["$ref"].as_str().map_or_else(
                || "/properties/batch".to_owned(),
                |reference| reference.trim_start_matches('#').to_owned(),
            )),
            _ => None,
        };
        match place.and_then(|place| schema.pointer_mut(&place)) {
            Some(own) => {
                for (name, option) in option["properties"].as_object().into_iter().flatten() {
                    own["properties"][name.as_str()] = option.clone();
                }
            }
            None => schema["properties"][name.as_str()] = option,
        }
    }
    schema
}

/// Takes Vector's options out of a component's own.
pub(super) fn take(kind: Kind, options: &mut Map<String, Value>) -> Map<String, Value> {
    let mut vector_options = Map::new();
    let names: &[&str] = match kind {
        Kind::Source => &["graph", "vector"],
        Kind::Sink => &["acknowledgements", "buffer", "graph", "healthcheck", "listen", "vector"],
    };
    for name in names {
        vector_options.extend(options.shift_remove(*name).map(|value| ((*name).to_owned(), value)));
    }
    if kind == Kind::Sink
        && let Some(Value::Object(batch)) = options.get_mut("batch")
    {
        let taken = take_batch(batch);
        if !taken.is_empty() {
            if batch.is_empty() {
                options.shift_remove("batch");
            }
            vector_options.insert("batch".to_owned(), Value::Object(taken));
        }
    }
    vector_options
}

/// Takes out of `batch` what says how Vector hands events over.
pub(crate) fn take_batch(batch: &mut Map<String, Value>) -> Map<String, Value> {
    let taken = HANDING_OVER.iter().filter_map(|name| Some(((*name).to_owned(), batch.shift_remove(*name)?)));
    taken.collect()
}

/// Reports options that have no effect, `because` there is no Vector to heed them.
pub(super) fn report_ineffective(
    path: &str,
    vector_options: &Map<String, Value>,
    because: &str,
    report: &mut Report,
) {
    let ours = ["acknowledgements", "listen"];
    for (name, value) in vector_options.iter().filter(|(name, _)| !ours.contains(&name.as_str())) {
        let inner: Vec<&String> = match value {
            Value::Object(batch) if name == "batch" => batch.keys().collect(),
            _ => Vec::new(),
        };
        if inner.is_empty() {
            report.warning(format!("{path}.{name}"), format!("has no effect {because}"));
        }
        for inner in inner {
            report.warning(format!("{path}.{name}.{inner}"), format!("has no effect {because}"));
        }
    }
}

/// Reports a buffer that drops what does not fit. A buffer may have several stages.
/// Source: <https://vector.dev/docs/reference/configuration/sinks/http/#buffer.when_full>
pub(super) fn report_dropping(path: &str, vector_options: &Map<String, Value>, report: &mut Report) {
    let stages: Vec<&Value> = match vector_options.get("buffer") {
        Some(Value::Array(stages)) => stages.iter().collect(),
        one => one.into_iter().collect(),
    };
    if stages.iter().any(|stage| stage.get("when_full").is_some_and(|when| when == "drop_newest")) {
        report.warning(
            format!("{path}.buffer.when_full"),
            "drop_newest: events that come while the buffer is full are lost. With block, the default, they wait",
        );
    }
}

/// The schema of `inputs`.
pub(crate) fn inputs_schema() -> Value {
    json!({
        "description": "The ids of the components whose events this sink takes; `*` stands for any characters, `?` for one; `[]` with `listen`, if it takes only what is posted to it. Example: `[defender]`.",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
        ],
    })
}
