//! The grammar of a reference to a secret, and every reference of a tree.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use crate::redaction::Redaction;

/// A backend's name has no dot, so the first dot ends it.
static SECRET_REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"SECRET\[(?<backend>[\w\-]+)\.(?<key>[\w.\-/]+)\]").ok());

/// Which key of which backend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) backend: String,
    pub(super) key: String,
}

/// Whether part of `text` is still to be fetched.
pub(crate) fn has_secret_reference(text: &str) -> bool {
    SECRET_REFERENCE.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Every reference in the string values of `tree`, with the paths of the options that hold it.
pub(super) fn references(tree: &Value, redaction: Redaction<'_>) -> BTreeMap<Reference, Vec<String>> {
    let mut found = BTreeMap::new();
    collect(tree, "", redaction, &mut found);
    found
}

fn collect(tree: &Value, path: &str, redaction: Redaction<'_>, found: &mut BTreeMap<Reference, Vec<String>>) {
    match tree {
        Value::String(text) => {
            for captures in SECRET_REFERENCE.iter().flat_map(|regex| regex.captures_iter(text)) {
                let part = |name| captures.name(name).map_or("", |part| part.as_str()).to_owned();
                let reference = Reference { backend: part("backend"), key: part("key") };
                found.entry(reference).or_default().push(path.to_owned());
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{path}.{index}"), redaction, found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, &redaction.join(path, key), redaction, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts the fetched values in; what was not fetched stays as it is.
pub(super) fn replace(tree: &mut Value, values: &BTreeMap<Reference, String>) {
    match tree {
        Value::String(text) => {
            let Some(regex) = SECRET_REFERENCE.as_ref() else { return };
            let replaced = regex.replace_all(text, |captures: &regex::Captures<'_>| {
                let reference =
                    Reference { backend: captures["backend"].to_owned(), key: captures["key"].to_owned() };
                values.get(&reference).map_or_else(|| captures[0].to_owned(), Clone::clone)
            });
            if let Cow::Owned(replaced) = replaced {
                *text = replaced;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, values)),
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
