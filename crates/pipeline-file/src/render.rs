//! The file that stock Vector runs: each of our components gives way to a `vector` source or sink with the same id.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    component_graph::{ComponentType, Kind, take_batch},
    file::{PipelineFile, Written, component_graph, inseparable},
    link::Stub,
    yaml_writer::yaml,
};
use model::problem::Problem;

/// The options of a component that its stub in Vector's file takes over as they are written.
const SINK_OPTIONS: [&str; 3] = ["buffer", "healthcheck", "graph"];

/// Pushes that Vector has open at a time: no more than our side answers at a time, or some would wait for their turn longer
/// than Vector waits for an answer.
const MAX_PUSHES: u64 = 8;
/// What Vector pushes at a time. Without a bound a thousand large events could be more than we, as Vector's own source, read.
const MAX_PUSH_BYTES: u64 = 8_000_000;

/// The stock file as YAML, with `stubs`, by id, in the place of our components. Everything else is as it is written, variables
/// and secrets too; their values are never in it.
pub fn render(
    file: &PipelineFile,
    catalogue: &[ComponentType],
    stubs: &BTreeMap<String, Stub>,
) -> Result<String, Vec<Problem>> {
    let Some(written) = file.written() else { return Err(vec![inseparable()]) };
    let graph = component_graph(file, catalogue);
    let mut problems = Vec::new();
    if written.placeholders.brings_in_items(&written.tree) {
        problems.push(inseparable());
    }
    let mut tree = written.tree.clone();
    for kind in [Kind::Source, Kind::Sink] {
        let Some(Value::Object(entries)) = tree.get_mut(kind.section()) else { continue };
        for (id, entry) in entries {
            let id = written.placeholders.meant(id);
            let path = format!("{}.{id}", kind.section());
            if is_ours(kind, entry, catalogue, written) {
                match (stubs.get(id.as_ref()), kind) {
                    (Some(stub), Kind::Source) => *entry = source(entry, stub),
                    (Some(stub), Kind::Sink) => *entry = sink(entry, stub),
                    (None, _) => problems.push(Problem::new(path, "where Vector meets it is not known")),
                }
            } else if kind == Kind::Sink && graph.sinks_without_ack_setting.iter().any(|silent| *silent == id)
            {
                entry["acknowledgements"] = json!({"enabled": true});
            }
        }
    }
    if problems.is_empty() { Ok(yaml(&tree, &written.placeholders)) } else { Err(problems) }
}

/// Warnings about variables in stock components, which Vector leaves as they are written unless an option says otherwise.
pub fn variables_left_to_vector(file: &PipelineFile, catalogue: &[ComponentType]) -> Vec<Problem> {
    let Some(written) = file.written() else { return Vec::new() };
    let mut problems = Vec::new();
    for section in ["sources", "transforms", "sinks"] {
        let entries = written.tree.get(section).and_then(Value::as_object);
        for (id, entry) in entries.into_iter().flatten() {
            if [Kind::Source, Kind::Sink]
                .iter()
                .any(|kind| kind.section() == section && is_ours(*kind, entry, catalogue, written))
            {
                continue;
            }
            for variable in written.placeholders.variables(entry) {
                let message = format!(
                    "Vector leaves {variable} as it is written: with --dangerously-allow-env-var-interpolation it puts the \
                     value in"
                );
                problems
                    .push(Problem::new(format!("{section}.{}", written.placeholders.written(id)), message));
            }
        }
    }
    problems
}

fn is_ours(kind: Kind, entry: &Value, catalogue: &[ComponentType], written: &Written) -> bool {
    let name = entry.get("type").and_then(Value::as_str).map(|name| written.placeholders.meant(name));
    catalogue.iter().any(|known| known.kind == kind && name.as_deref() == Some(known.name))
}

fn source(entry: &Value, stub: &Stub) -> Value {
    let mut source = json!({
        "type": "vector",
        "address": stub.address,
        "tls": {
            "enabled": true,
            "verify_certificate": true,
            "ca_file": stub.ca_file,
            "crt_file": stub.crt_file,
            "key_file": stub.key_file,
        },
    });
    take_over(entry, &["graph"], &mut source);
    source
}

fn sink(entry: &Value, stub: &Stub) -> Value {
    let mut sink = json!({
        "type": "vector",
        "inputs": entry.get("inputs"),
        "address": format!("https://{}", stub.address),
        "acknowledgements": {"enabled": true},
        // A proxy of the whole file is not for what stands beside it.
        "proxy": {"enabled": false},
        "request": {"concurrency": MAX_PUSHES},
        "tls": {
            "enabled": true,
            "verify_certificate": true,
            "verify_hostname": true,
            "ca_file": stub.ca_file,
            "crt_file": stub.crt_file,
            "key_file": stub.key_file,
        },
    });
    let mut batch = entry.get("batch").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut batch: Map<String, Value> = take_batch(&mut batch);
    batch.insert("max_bytes".to_owned(), MAX_PUSH_BYTES.into());
    sink["batch"] = Value::Object(batch);
    take_over(entry, &SINK_OPTIONS, &mut sink);
    sink
}

fn take_over(entry: &Value, options: &[&str], stub: &mut Value) {
    for name in options {
        if let Some(value) = entry.get(*name) {
            stub[*name] = value.clone();
        }
    }
}

#[cfg(test)]
#[path = "tests/render.rs"]
mod tests;
