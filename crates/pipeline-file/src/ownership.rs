//! Ownership: which parts of a file are ours, and which only Vector reads.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Map, Value};

use super::{
    component_graph::{Kind, ONLY_IN_VECTOR},
    placeholders::Placeholders,
    secrets, stock,
};

/// The parts of `tree` that are read here: without stock components, and without what only Vector heeds.
pub(super) fn read_here(tree: &Value) -> Value {
    retain_ours(tree, &|text| Cow::Borrowed(text))
}

/// The numbers of the placeholders in those parts, for a tree that has placeholders.
pub(super) fn placeholders_read_here(tree: &Value, placeholders: &Placeholders) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    placeholders.collect(&retain_ours(tree, &|text| placeholders.meant(text)), &mut found);
    // Whose a component is, its type says; so that is read of every one.
    for kind in [Kind::Source, Kind::Sink] {
        for entry in entries(tree, kind.section()).map(|(_, entry)| entry) {
            placeholders.collect(entry.get("type").unwrap_or(&Value::Null), &mut found);
        }
    }
    found
}

/// Whether a key at the top is a variable: then nobody knows whose the part below it is.
pub(super) fn has_placeholder_section(tree: &Value, placeholders: &Placeholders) -> bool {
    tree.as_object().into_iter().flatten().any(|(key, _)| placeholders.style(key).is_some())
}

/// Whether there is a stock component.
pub(super) fn has_stock(tree: &Value) -> bool {
    entries(tree, "transforms").next().is_some()
        || [Kind::Source, Kind::Sink].into_iter().any(|kind| stock(tree, kind).next().is_some())
}

/// Whether every source and every sink is a stock one.
pub(super) fn has_only_stock(tree: &Value) -> bool {
    [Kind::Source, Kind::Sink].into_iter().all(|kind| ours(tree, kind).next().is_none())
}

/// The components of a kind that are Vector's own, in file order.
pub(super) fn stock(tree: &Value, kind: Kind) -> impl Iterator<Item = (&str, &Value)> {
    entries(tree, kind.section()).filter(move |(_, entry)| is_stock(kind, entry, &|text| Cow::Borrowed(text)))
}

/// The components of a kind that are not Vector's own, in file order.
pub(super) fn ours(tree: &Value, kind: Kind) -> impl Iterator<Item = (&str, &Value)> {
    entries(tree, kind.section())
        .filter(move |(_, entry)| !is_stock(kind, entry, &|text| Cow::Borrowed(text)))
}

/// Whether a component is one of Vector's own.
fn is_stock(kind: Kind, entry: &Value, meant: &dyn Fn(&str) -> Cow<'_, str>) -> bool {
    let name = entry.get("type").and_then(Value::as_str);
    name.is_some_and(|name| stock::names(kind).any(|known| known == meant(name)))
}

/// The entries of a section, in file order.
pub(super) fn entries<'t>(tree: &'t Value, section: &str) -> impl Iterator<Item = (&'t str, &'t Value)> {
    let entries = tree.get(section).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(id, entry)| (id.as_str(), entry))
}

fn retain_ours(tree: &Value, meant: &dyn Fn(&str) -> Cow<'_, str>) -> Value {
    let mut kept = Map::new();
    for (key, value) in tree.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "sources" => without(value, |entry| is_stock(Kind::Source, entry, meant)),
            "sinks" => without(value, |entry| is_stock(Kind::Sink, entry, meant)),
            "secret" => without(value, |entry| {
                let name = entry.get("type").and_then(Value::as_str);
                name.is_some_and(|name| secrets::ONLY_IN_VECTOR.contains(&meant(name).as_ref()))
            }),
            "transforms" => continue,
            key if ONLY_IN_VECTOR.contains(&key) => continue,
            _ => value.clone(),
        };
        kept.insert(key.clone(), value);
    }
    Value::Object(kept)
}

fn without(section: &Value, left_out: impl Fn(&Value) -> bool) -> Value {
    match section {
        Value::Object(entries) => {
            let kept = entries.iter().filter(|(_, entry)| !left_out(entry));
            Value::Object(kept.map(|(id, entry)| (id.clone(), entry.clone())).collect())
        }
        other => other.clone(),
    }
}
