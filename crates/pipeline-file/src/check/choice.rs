//! `anyOf` and `oneOf`: an optional value, an enum, or several shapes of one option.

use serde_json::{Map, Value};

use super::{
    scalar::{is, kind, types, words},
    walk::{Checker, Findings, Location, members},
};
use crate::{secrets::has_secret_reference, suggest::list};
use model::problem::Problem;

impl<'s> Checker<'s> {
    /// Accepts the value if one branch of the schema does; else reports what is wrong with the branch it was meant for.
    pub(super) fn choose(
        self,
        (schema, branches): (&'s Map<String, Value>, &'s [Value]),
        value: &Value,
        location: &Location<'_, 's>,
        findings: &mut Findings,
    ) {
        let mut failed = Vec::new();
        for branch in branches {
            let mut tried = Findings::default();
            self.walk(branch, value, location, &mut tried);
            if tried.problems.is_empty() {
                return findings.extend(tried);
            }
            if self.types_of(branch) != ["null"] {
                failed.push((branch, tried));
            }
        }
        if value.is_object()
            && let Some(tag) = self.shared_tag(&failed)
        {
            if let Some(problem) = self.wrong_tag(tag, &failed, value, location) {
                return findings.problems.push(problem);
            }
            failed.retain(|(branch, _)| self.tags(branch).any(|(_, only)| value.get(tag) == Some(only)));
        }
        if failed.len() == 1 {
            return findings.problems.extend(failed.remove(0).1.problems);
        }
        let names: Vec<Value> = failed.iter().flat_map(|(branch, _)| self.constants(branch)).collect();
        let others = failed.iter().filter(|(branch, _)| self.constants(branch).is_empty());
        let mut others: Vec<&str> = others.flat_map(|(branch, _)| self.types_of(branch)).collect();
        others.retain(|name| *name != "null");
        others.dedup();
        let others: Vec<&str> = others.into_iter().map(words).collect();
        if let Value::String(text) = value
            && !names.is_empty()
        {
            if !has_secret_reference(text) {
                let message = self.not_a_member(schema, value, &names);
                let or_others = if others.is_empty() || !message.contains("must be") {
                    String::new()
                } else {
                    format!(", or {}", others.join(" or "))
                };
                findings.problem(location.path, message + &or_others);
            }
            return;
        }
        let nearest = failed
            .iter()
            .filter(|(branch, _)| fits(&self.types_of(branch), value))
            .min_by_key(|(_, tried)| tried.problems.len());
        if let Some((_, tried)) = nearest {
            findings.problems.extend(tried.problems.iter().cloned());
            return;
        }
        let names = names.iter().filter_map(Value::as_str).map(|name| format!("'{name}'"));
        let wanted: Vec<String> = names.chain(others.into_iter().map(str::to_owned)).collect();
        findings.problem(location.path, format!("expected {}, got {}", either(&wanted), kind(value)));
    }

    /// The option that distinguishes the branches, each demanding its own constant.
    fn shared_tag(self, failed: &[(&'s Value, Findings)]) -> Option<&'s str> {
        let ((first, _), rest) = failed.split_first()?;
        self.tags(first).map(|(name, _)| name).find(|name| {
            !rest.is_empty()
                && rest.iter().all(|(branch, _)| self.tags(branch).any(|(other, _)| other == *name))
        })
    }

    fn wrong_tag(
        self,
        tag: &str,
        failed: &[(&'s Value, Findings)],
        value: &Value,
        location: &Location<'_, 's>,
    ) -> Option<Problem> {
        let Value::Object(map) = value else { return None };
        let tags = failed.iter().flat_map(|(branch, _)| self.tags(branch));
        let known: Vec<Value> = tags.filter(|(name, _)| *name == tag).map(|(_, only)| only.clone()).collect();
        let Some(given) = map.get(tag) else {
            let known = list(known.iter().filter_map(Value::as_str));
            let message = format!("missing required option '{tag}': one of {known}");
            return Some(Problem::new(location.path, message));
        };
        let path = self.redaction.join(location.path, tag);
        match given {
            Value::String(text) if has_secret_reference(text) => {
                Some(Problem::new(path, "cannot be a secret: it decides which options there are"))
            }
            Value::String(_) if known.contains(given) => None,
            Value::String(_) => {
                let schema = Map::new();
                Some(Problem::new(path, self.not_a_member(&schema, given, &known)))
            }
            other => Some(Problem::new(path, format!("expected a string, got {}", kind(other)))),
        }
    }

    /// The options of a branch that must have one certain value.
    fn tags(self, branch: &'s Value) -> impl Iterator<Item = (&'s str, &'s Value)> {
        let schema = self.resolved(branch);
        let required = schema.map_or(&[][..], |schema| members(schema, "required"));
        let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
        properties
            .into_iter()
            .flatten()
            .filter(|(name, _)| required.iter().any(|required| required.as_str() == Some(name.as_str())))
            .filter_map(|(name, property)| Some((name.as_str(), property.get("const")?)))
    }

    /// The words that a branch takes, those of its own branches too.
    fn constants(self, branch: &'s Value) -> Vec<Value> {
        let Some(schema) = self.resolved(branch) else { return Vec::new() };
        let inner = choices(schema).filter_map(|inner| self.resolved(inner));
        let all = std::iter::once(schema).chain(inner);
        all.flat_map(|one| one.get("const").into_iter().chain(members(one, "enum"))).cloned().collect()
    }

    /// The types that a branch takes, those of its own branches too.
    fn types_of(self, branch: &'s Value) -> Vec<&'s str> {
        let Some(schema) = self.resolved(branch) else { return Vec::new() };
        match types(schema) {
            none if none.is_empty() => {
                choices(schema).filter_map(|inner| self.resolved(inner)).flat_map(types).collect()
            }
            types => types,
        }
    }

    /// The schema itself, or the one it only refers to.
    pub(super) fn resolved(self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        let schema = schema.as_object()?;
        self.target(schema).and_then(Value::as_object).or(Some(schema))
    }
}

/// The branches of a schema.
fn choices(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    members(schema, "anyOf").iter().chain(members(schema, "oneOf"))
}

/// `a, b or c`.
fn either(words: &[String]) -> String {
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

fn fits(types: &[&str], value: &Value) -> bool {
    types.is_empty() || types.iter().any(|name| is(name, value))
}
