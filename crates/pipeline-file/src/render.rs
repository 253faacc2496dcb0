//! The file that stock Vector runs: each of our components gives way to a stock `http_server` source or `http`
//! sink with the same id.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    component_graph::{ComponentType, Kind, take_batch},
    file::{PipelineFile, Written, component_graph, inseparable},
    link::{Stub, sink_path},
    placeholders::Placeholders,
    yaml_writer::yaml,
};
use model::problem::Problem;

/// The options of a component that its stub in Vector's file takes over as they are written.
const SINK_OPTIONS: [&str; 2] = ["buffer", "graph"];

/// Requests that Vector has open at a time for a sink: more would wait for their turn longer than Vector waits for an answer.
const MAX_REQUESTS: u64 = 8;
/// What Vector sends at a time, if no single event has more.
const MAX_BATCH_BYTES: u64 = 1_000_000;
/// How many events Vector sends at a time unless the file says.
const BATCH_EVENTS: u64 = 1_000;
/// How many seconds Vector waits for so many events unless the file says.
const BATCH_SECS: u64 = 1;

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
    if graph.has_listeners() && !graph.beside_vector {
        let message = "there is nothing here for Vector: all components are ours, and shippers post to them. Use run alone";
        return Err(vec![Problem::new("", message)]);
    }
    if written.placeholders.brings_in_items(&written.tree) {
        problems.push(inseparable());
    }
    let mut tree = written.tree.clone();
    for kind in [Kind::Source, Kind::Sink] {
        let Some(Value::Object(entries)) = tree.get_mut(kind.section()) else { continue };
        // Vector refuses a sink without inputs, and this one needs none of it.
        entries.retain(|id, _| {
            let id = written.placeholders.meant(id);
            kind == Kind::Source || !graph.sinks.iter().any(|sink| sink.id == id && !sink.has_inputs)
        });
        for (id, entry) in entries {
            let id = written.placeholders.meant(id);
            let path = format!("{}.{id}", kind.section());
            if is_ours(kind, entry, catalogue, written) {
                match (stubs.get(id.as_ref()), kind) {
                    (Some(stub), Kind::Source) => *entry = source(entry, stub),
                    (Some(stub), Kind::Sink) => *entry = sink(entry, &id, stub),
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

/// What is known of variables and secrets while a tree is changed, in which placeholders stand for them.
pub struct Variables(Placeholders);

// === impl Variables ===

impl Variables {
    /// A text of the tree with its variables and secrets as they are written in the file.
    pub fn written(&self, text: &str) -> String {
        self.0.written(text).into_owned()
    }

    /// A text of the tree with the values of its variables, as far as they have some: for deciding, and not for showing.
    pub fn meant(&self, text: &str) -> String {
        self.0.meant(text).into_owned()
    }

    /// What stands in the tree for a new variable, such as `${ENDPOINT}`.
    pub fn add(&mut self, written: &str) -> String {
        self.0.new_variable(written)
    }
}

/// The files as one in YAML, after `change` was made to what they say. Variables and secrets are written as they were, and their
/// values are never in it; comments are gone.
pub fn rewritten(
    file: &PipelineFile,
    change: impl FnOnce(&mut Value, &mut Variables),
) -> Result<String, Vec<Problem>> {
    let Some(written) = file.written() else { return Err(vec![inseparable()]) };
    if written.placeholders.brings_in_items(&written.tree) {
        return Err(vec![inseparable()]);
    }
    let (mut tree, mut variables) = (written.tree.clone(), Variables(written.placeholders.clone()));
    change(&mut tree, &mut variables);
    Ok(yaml(&tree, &variables.0))
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
        "type": "http_server",
        "address": stub.address,
        "decoding": {"codec": "json"},
        "framing": {"method": "newline_delimited"},
        // Without this, every event would get a field with the path.
        "path_key": "",
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

fn sink(entry: &Value, id: &str, stub: &Stub) -> Value {
    let uri = format!("https://{}{}", stub.address, sink_path(id));
    let mut sink = json!({
        "type": "http",
        "inputs": entry.get("inputs"),
        "uri": uri,
        "method": "post",
        "encoding": {"codec": "native_json"},
        "framing": {"method": "newline_delimited"},
        "acknowledgements": {"enabled": true},
        // A proxy of the whole file is not for what stands beside it.
        "proxy": {"enabled": false},
        "request": {"concurrency": MAX_REQUESTS},
        "tls": {
            "verify_certificate": true,
            "verify_hostname": true,
            "ca_file": stub.ca_file,
            "crt_file": stub.crt_file,
            "key_file": stub.key_file,
        },
    });
    let mut batch = entry.get("batch").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut batch: Map<String, Value> = take_batch(&mut batch);
    for (name, value) in [("max_events", BATCH_EVENTS), ("timeout_secs", BATCH_SECS)] {
        batch.entry(name).or_insert_with(|| value.into());
    }
    batch.insert("max_bytes".to_owned(), MAX_BATCH_BYTES.into());
    sink["batch"] = Value::Object(batch);
    take_over(entry, &SINK_OPTIONS, &mut sink);
    let healthcheck = match entry.get("healthcheck") {
        Some(Value::Bool(enabled)) => Some(Value::Bool(*enabled)),
        Some(given) => given.get("enabled").cloned(),
        None => None,
    };
    sink["healthcheck"] = json!({"enabled": healthcheck.unwrap_or(Value::Bool(true)), "uri": uri});
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
