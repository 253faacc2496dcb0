//! One component: its id, its type and its own options.

use serde_json::{Map, Value};

use super::model::{ComponentSpec, ComponentType, Kind, Report};
use super::top_level::acknowledgements;
use super::vector_options::{take, with_vector_options};
use crate::{
    check::{check, kind},
    link::LinkConfig,
    listen::ListenConfig,
    ownership,
    redaction::Redaction,
    stock,
    suggest::{list, nearest},
};

/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 100;

/// Our components of one section, without those that have something wrong.
pub(super) fn components(
    section: Kind,
    tree: &Value,
    catalogue: &[ComponentType],
    redaction: Redaction<'_>,
    report: &mut Report,
) -> Vec<ComponentSpec> {
    match tree.get(section.section()) {
        Some(Value::Object(entries)) if !entries.is_empty() => {}
        // What is listened for needs no source.
        None | Some(Value::Null | Value::Object(_)) if section == Kind::Source && has_listener(tree) => {
            return Vec::new();
        }
        None | Some(Value::Null | Value::Object(_)) => {
            report.problem(section.section(), format!("there is no {}", section.word()));
            return Vec::new();
        }
        Some(other) => {
            report.problem(section.section(), format!("expected a map, got {}", kind(other)));
            return Vec::new();
        }
    }
    ownership::ours(tree, section)
        .filter_map(|(id, entry)| component(section, id, entry, catalogue, redaction, report))
        .collect()
}

/// Whether shippers push to a sink of ours.
fn has_listener(tree: &Value) -> bool {
    ownership::ours(tree, Kind::Sink).any(|(_, sink)| listens(sink))
}

/// Whether a sink has a listener for shippers.
pub(super) fn listens(sink: &Value) -> bool {
    sink.get("listen").is_some_and(|listen| !listen.is_null())
}

fn component(
    section: Kind,
    id: &str,
    entry: &Value,
    catalogue: &[ComponentType],
    redaction: Redaction<'_>,
    report: &mut Report,
) -> Option<ComponentSpec> {
    let path = redaction.join(section.section(), id);
    // A file in the quarantine has the id's name.
    let legal = id.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    if id.is_empty() || id.len() > MAX_ID_BYTES || !legal {
        report.problem(
            path.as_str(),
            "an id is made of letters, digits, '_', '-' and blanks, at most 100 bytes of them",
        );
    }
    let Value::Object(entry) = entry else {
        report.problem(path, format!("expected a map, got {}", kind(entry)));
        return None;
    };
    let found = component_type(section, entry, &path, catalogue, redaction, report)?;
    let mut options = entry.clone();
    let mut schema = with_vector_options(section, (found.schema)());
    // Checked elsewhere, and here only to be suggested.
    schema["properties"]["type"] = Value::Bool(true);
    options.shift_remove("type");
    if section == Kind::Sink {
        schema["properties"]["inputs"] = Value::Bool(true);
        options.shift_remove("inputs");
        let answer = options.shift_remove("acknowledgements");
        acknowledgements(&path, answer.as_ref().unwrap_or(&Value::Null), redaction, report);
    }
    let findings = check(&schema, &Value::Object(options.clone()), &path, redaction);
    report.problems.extend(findings.problems);
    report.warnings.extend(findings.warnings);
    let vector_options = take(section, &mut options);
    // Options that do not fit the schema are reported with it.
    let config = vector_options
        .get("vector")
        .and_then(|vector| serde_json::from_value::<LinkConfig>(vector.clone()).ok());
    let link =
        config.unwrap_or_default().validate(&redaction.join(&path, "vector"), &mut report.link_problems);
    let listen = vector_options
        .get("listen")
        .and_then(|listen| serde_json::from_value::<ListenConfig>(listen.clone()).ok())
        .map(|listen| listen.validate(&redaction.join(&path, "listen"), &mut report.link_problems));
    let options = Value::Object(options);
    Some(ComponentSpec {
        id: id.to_owned(),
        component_type: *found,
        inputs: Vec::new(),
        has_inputs: false,
        options,
        vector_options,
        link,
        listen,
    })
}

fn component_type<'c>(
    section: Kind,
    entry: &Map<String, Value>,
    path: &str,
    catalogue: &'c [ComponentType],
    redaction: Redaction<'_>,
    report: &mut Report,
) -> Option<&'c ComponentType> {
    let ours = || catalogue.iter().filter(move |known| known.kind == section).map(|known| known.name);
    let type_path = format!("{path}.type");
    let name = match entry.get("type") {
        Some(Value::String(name)) => name,
        None | Some(Value::Null) => {
            let message = format!("missing required option 'type': one of {}", list(ours()));
            report.problem(path, message);
            return None;
        }
        Some(other) => {
            report.problem(type_path, format!("expected a string, got {}", kind(other)));
            return None;
        }
    };
    if let Some(found) = catalogue.iter().find(|known| known.kind == section && known.name == name) {
        return Some(found);
    }
    report.problem(type_path, not_ours(section, name, catalogue, redaction, &list(ours())));
    None
}

fn not_ours(
    section: Kind,
    name: &str,
    catalogue: &[ComponentType],
    redaction: Redaction<'_>,
    ours: &str,
) -> String {
    let word = section.word();
    let value = Value::from(name);
    if !redaction.shows(&value) {
        return format!("the value is no {word} that is known here; there are {ours}");
    }
    let other = match section {
        Kind::Source => Kind::Sink,
        Kind::Sink => Kind::Source,
    };
    let of_kind =
        |wanted: Kind| catalogue.iter().filter(move |known| known.kind == wanted).map(|known| known.name);
    if of_kind(other).any(|known| known == name) {
        return format!("'{name}' is a {}, not a {word}; there are {ours}", other.word());
    }
    if stock::is_transform(name) {
        return format!("'{name}' is a transform, not a {word}");
    }
    let known = of_kind(section).chain(stock::names(section));
    match nearest(name, known) {
        Some(near) => format!("unknown {word} type '{name}', did you mean '{near}'?"),
        None => format!("unknown {word} type '{name}'; there are {ours}"),
    }
}

/// Transforms are Vector's own, so all that is checked here is that one of ours is none.
pub(super) fn transforms(
    tree: &Value,
    catalogue: &[ComponentType],
    redaction: Redaction<'_>,
    report: &mut Report,
) {
    match tree.get("transforms") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(other) => report.problem("transforms", format!("expected a map, got {}", kind(other))),
    }
    for (id, entry) in ownership::entries(tree, "transforms") {
        let name = entry.get("type").and_then(Value::as_str);
        if let Some(known) = catalogue.iter().find(|known| name == Some(known.name)) {
            let path = redaction.join(&redaction.join("transforms", id), "type");
            report.problem(path, format!("'{}' is a {}, not a transform", known.name, known.kind.word()));
        }
    }
}
