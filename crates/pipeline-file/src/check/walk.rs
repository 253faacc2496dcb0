//! The walk down a schema and a value side by side.

use serde_json::{Map, Value};

use crate::{
    redaction::Redaction,
    secrets::has_secret_reference,
    suggest::{list, nearest},
};
use model::problem::Problem;

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    /// Options that still work but should no longer be used.
    pub(crate) warnings: Vec<Problem>,
}

/// Checks `value`, which stands at `path`, against `schema`.
pub(crate) fn check(schema: &Value, value: &Value, path: &str, redaction: Redaction<'_>) -> Findings {
    let mut findings = Findings::default();
    Checker { root: schema, redaction }.walk(schema, value, &Location::at(path), &mut findings);
    findings
}

#[derive(Clone, Copy)]
pub(super) struct Checker<'s> {
    /// Where `$ref` looks.
    pub(super) root: &'s Value,
    pub(super) redaction: Redaction<'s>,
}

/// Where the walk is.
pub(super) struct Location<'p, 's> {
    pub(super) path: &'p str,
    /// Options of the same map that schemas around this one already name.
    pub(super) beside: Vec<&'s str>,
}

// === impl Location ===

impl<'p> Location<'p, '_> {
    const fn at(path: &'p str) -> Self {
        Self { path, beside: Vec::new() }
    }
}

// === impl Findings ===

impl Findings {
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.warnings.extend(other.warnings);
    }
}

// === impl Checker ===

impl<'s> Checker<'s> {
    pub(super) fn walk(
        self,
        schema: &'s Value,
        value: &Value,
        location: &Location<'_, 's>,
        findings: &mut Findings,
    ) {
        let Value::Object(schema) = schema else {
            if schema == &Value::Bool(false) {
                findings.problem(location.path, "nothing may stand here");
            }
            return;
        };
        if let Some(target) = self.target(schema) {
            self.walk(target, value, &self.inside(schema, target, location), findings);
        }
        for part in members(schema, "allOf") {
            self.walk(part, value, &self.inside(schema, part, location), findings);
        }
        if !self.type_fits(schema, value, location, findings) {
            return;
        }
        for key in ["anyOf", "oneOf"] {
            if schema.contains_key(key) {
                let inside = self.inside_choice(schema, location);
                self.choose((schema, members(schema, key)), value, &inside, findings);
            }
        }
        // What the secret will be is not known yet.
        if !value.as_str().is_some_and(has_secret_reference) {
            self.scalar(schema, value, location, findings);
        }
        match value {
            Value::Object(map) => self.map(schema, map, location, findings),
            Value::Array(items) => self.items(schema, items, location, findings),
            _ => {}
        }
    }

    /// What `$ref` points to.
    pub(super) fn target(self, schema: &Map<String, Value>) -> Option<&'s Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn map(
        self,
        schema: &'s Map<String, Value>,
        map: &Map<String, Value>,
        location: &Location<'_, 's>,
        to: &mut Findings,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, value) in map {
            let path = self.redaction.join(location.path, key);
            let inner = Location::at(&path);
            if let Some(property) = properties.and_then(|properties| properties.get(key)) {
                if property.get("deprecated") == Some(&Value::Bool(true)) {
                    to.warnings.push(Problem::new(&path, "this option is deprecated"));
                }
                self.walk(property, value, &inner, to);
            } else if let Some(rest @ Value::Object(_)) = schema.get("additionalProperties")
                && !self.names(schema, location).contains(&key.as_str())
            {
                self.walk(rest, value, &inner, to);
            }
        }
        let mut mistyped = Vec::new();
        if self.is_closed(schema) {
            let names = self.names(schema, location);
            for key in map.keys().filter(|key| !names.contains(&key.as_str())) {
                let hint = schema.get(HINTS).and_then(|hints| hints.get(key)).and_then(Value::as_str);
                let message = match hint {
                    Some(hint) => format!("unknown option '{key}': {hint}"),
                    None => self.unknown_option(key, &names),
                };
                let problem = Problem::new(location.path, message);
                let is_shown = self.redaction.key(key).is_some();
                to.problems.push(problem.about(if is_shown { key } else { "" }));
                mistyped.extend(nearest(key, names.iter().copied()));
            }
        }
        for name in members(schema, "required").iter().filter_map(Value::as_str) {
            // An unknown option that was meant for it has been reported.
            if !map.contains_key(name) && !mistyped.contains(&name) {
                to.problem(location.path, self.missing_option(schema, name, map));
            }
        }
    }

    /// What to say of an option that is missing in `map`: what it may be, or what it must be beside the others.
    fn missing_option(self, schema: &'s Map<String, Value>, name: &str, map: &Map<String, Value>) -> String {
        let missing = format!("missing required option '{name}'");
        let implied = schema.get(IMPLIED).and_then(|implied| implied.get(name)?.as_object());
        let implied = implied.into_iter().flatten().find(|(other, _)| map.contains_key(*other));
        if let Some((other, Value::String(value))) = implied {
            return format!("{missing}: beside '{other}' write {name}: {value}");
        }
        let Some(option) = schema.get("properties").and_then(|properties| properties.get(name)) else {
            return missing;
        };
        let values = self.values(option);
        if !values.is_empty() {
            return format!("{missing}: one of {}", list(values));
        }
        let inner = self.resolved(option).map(|option| (option, members(option, "required")));
        let inner = inner.into_iter().flat_map(|(option, names)| {
            names.iter().filter_map(Value::as_str).map(move |name| (name, &option["properties"][name]))
        });
        let mut inner = inner.map(|(name, option)| (name, self.values(option)));
        match inner.find(|(_, values)| !values.is_empty()) {
            Some((within, values)) => format!("{missing}, with '{within}': one of {}", list(values)),
            None => missing,
        }
    }

    /// The words that an option takes, if it takes nothing else.
    fn values(self, option: &'s Value) -> Vec<&'s str> {
        let Some(option) = self.resolved(option) else { return Vec::new() };
        let one_of = members(option, "oneOf").iter().filter_map(|one| one.get("const"));
        members(option, "enum").iter().chain(one_of).filter_map(Value::as_str).collect()
    }

    fn unknown_option(self, key: &str, names: &[&str]) -> String {
        let Some(shown) = self.redaction.key(key) else {
            return format!("unknown option, named by the environment; the options are {}", sorted(names));
        };
        match nearest(key, names.iter().copied()) {
            Some(near) => format!("unknown option {shown}, did you mean '{near}'?"),
            None if names.is_empty() => format!("unknown option {shown}; there are no options here"),
            None => format!("unknown option {shown}; the options are {}", sorted(names)),
        }
    }

    fn items(
        self,
        schema: &'s Map<String, Value>,
        items: &[Value],
        location: &Location<'_, 's>,
        findings: &mut Findings,
    ) {
        let leading = members(schema, "prefixItems");
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = leading.get(index).or_else(|| schema.get("items")) {
                let path = format!("{}.{index}", location.path);
                self.walk(schema, item, &Location::at(&path), findings);
            }
        }
        let bound = |key| schema.get(key).and_then(Value::as_u64);
        let count = items.len() as u64;
        if let Some(least) = bound("minItems").filter(|least| count < *least) {
            findings.problem(location.path, format!("at least {least} must be given"));
        }
        if let Some(most) = bound("maxItems").filter(|most| count > *most) {
            findings.problem(location.path, format!("at most {most} may be given"));
        }
    }
}

/// What to do about options that a map does not have, by name: a keyword of ours.
const HINTS: &str = "x-hints";
/// What an option that is missing must be beside others, by name and by the other's name: a keyword of ours.
const IMPLIED: &str = "x-implied";

pub(super) fn members<'s>(schema: &'s Map<String, Value>, key: &str) -> &'s [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn sorted(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    list(names)
}
