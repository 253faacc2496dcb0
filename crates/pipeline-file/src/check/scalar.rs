//! One value against one schema: its type, and what a scalar may be.

use serde_json::{Map, Value};

use super::units;
use super::walk::{Checker, Findings, Location, members};
use crate::suggest::{list, nearest};

/// Whether a number keeps to a bound.
type Holds = fn(f64, f64) -> bool;

impl Checker<'_> {
    /// Reports a wrong type; nothing else about such a value is worth reporting.
    pub(super) fn type_fits(
        self,
        schema: &Map<String, Value>,
        value: &Value,
        location: &Location<'_, '_>,
        findings: &mut Findings,
    ) -> bool {
        let types = types(schema);
        if types.is_empty() || types.iter().any(|name| is(name, value)) {
            return true;
        }
        let wanted: Vec<&str> =
            types.iter().filter(|name| **name != "null").map(|name| words(name)).collect();
        let counts = types.iter().any(|name| matches!(*name, "integer" | "number"));
        let got = match value {
            Value::String(text) if counts => {
                let counted = units::counted(location.path);
                let meant = units::meant(location.path, text, !types.contains(&"number"));
                match meant.filter(|_| self.redaction.shows(value)) {
                    Some(meant) => {
                        let counted = counted.split(',').next().unwrap_or_default();
                        format!("{counted}, got {}: write {meant}", self.redaction.value(value))
                    }
                    None => format!("{counted}, got a string"),
                }
            }
            _ => format!(", got {}", kind(value)),
        };
        let message = format!("expected {}{got}", wanted.join(" or "));
        findings.problem(location.path, message);
        false
    }

    /// `const`, `enum` and the bounds.
    pub(super) fn scalar(
        self,
        schema: &Map<String, Value>,
        value: &Value,
        location: &Location<'_, '_>,
        findings: &mut Findings,
    ) {
        if let Some(only) = schema.get("const").filter(|only| *only != value) {
            findings.problem(location.path, self.not_a_member(schema, value, std::slice::from_ref(only)));
        }
        let members = members(schema, "enum");
        if !members.is_empty() && !members.contains(value) {
            findings.problem(location.path, self.not_a_member(schema, value, members));
        }
        match value {
            Value::Number(_) => {
                for rule in out_of_range(schema, value) {
                    let shown = self.redaction.value(value);
                    findings.problem(location.path, format!("{shown} is out of range: it must be {rule}"));
                }
            }
            Value::String(text) => {
                let length = text.chars().count() as u64;
                let bound = |key| schema.get(key).and_then(Value::as_u64);
                match bound("minLength") {
                    Some(1) if length < 1 => findings.problem(location.path, "must not be empty"),
                    Some(least) if length < least => {
                        findings.problem(location.path, format!("must have at least {least} characters"));
                    }
                    _ => {}
                }
                if let Some(most) = bound("maxLength").filter(|most| length > *most) {
                    findings.problem(location.path, format!("must have at most {most} characters"));
                }
            }
            _ => {}
        }
    }

    /// A value that is none of `members`, as `schema` has them.
    pub(super) fn not_a_member(
        self,
        schema: &Map<String, Value>,
        value: &Value,
        members: &[Value],
    ) -> String {
        let names: Vec<String> = members
            .iter()
            .filter(|member| !member.is_null())
            .map(|member| member.as_str().map_or_else(|| member.to_string(), ToOwned::to_owned))
            .collect();
        let names = names.iter().map(String::as_str);
        let shown = self.redaction.value(value);
        let near = value.as_str().filter(|_| self.redaction.shows(value));
        let synonyms = near.and_then(|text| schema.get(SYNONYMS)?.get(text.to_lowercase().replace('-', "_")));
        if let Some(synonym) = synonyms.and_then(Value::as_str) {
            return format!("{shown} is not known here: write '{synonym}'");
        }
        match near.and_then(|text| nearest(text, names.clone())) {
            Some(near) => format!("{shown} is not known here, did you mean '{near}'?"),
            None if names.len() == 1 => format!("{shown} is not known here; it must be {}", list(names)),
            None => format!("{shown} is not known here; it must be one of {}", list(names)),
        }
    }
}

/// What others call the values of an option, in lower case, and what to write: a keyword of ours.
const SYNONYMS: &str = "x-synonyms";

/// The names under `type`.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

/// A JSON Schema type in the words of a user.
pub(super) fn words(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// What a value is, in the same words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn out_of_range(schema: &Map<String, Value>, value: &Value) -> Vec<String> {
    let Some(number) = value.as_f64() else { return Vec::new() };
    let rules: [(&str, &str, Holds); 4] = [
        ("minimum", "at least", |number, bound| number >= bound),
        ("exclusiveMinimum", "more than", |number, bound| number > bound),
        ("maximum", "at most", |number, bound| number <= bound),
        ("exclusiveMaximum", "less than", |number, bound| number < bound),
    ];
    rules
        .into_iter()
        .filter_map(|(key, words, holds)| {
            let bound = schema.get(key)?;
            (!holds(number, bound.as_f64()?)).then(|| format!("{words} {bound}"))
        })
        .collect()
}
