//! Which sources each sink reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::model::{Component, Report};
use crate::pipeline::{
    check::kind,
    near::{list, nearest},
    wording::Wording,
};

/// The ids of a file, in file order, whether or not their components are right.
struct Ids<'t> {
    sources: Vec<&'t str>,
    transforms: Vec<&'t str>,
    sinks: Vec<&'t str>,
}

/// Fills in the `inputs` of `sinks`, and tells what does not join up.
pub(super) fn join(
    tree: &Value,
    sinks: &mut [Component],
    relaxed_globs: bool,
    wording: Wording<'_>,
    report: &mut Report,
) {
    let ids = Ids::of(tree);
    for id in ids.sinks.iter().filter(|id| ids.sources.contains(id)) {
        report.problem(wording.join("sinks", id), "a source has the same id; ids must be different");
    }
    let mut read = BTreeSet::new();
    // A transform, or a sink whose inputs are not told, may read what no other sink does.
    let mut all_readers_known = ids.transforms.is_empty() && !ids.sinks.is_empty();
    for (id, entry) in section(tree, "sinks") {
        let Value::Object(entry) = entry else { continue };
        let path = wording.join("sinks", id);
        let Some(patterns) = patterns(entry.get("inputs"), &path, report) else {
            all_readers_known = false;
            continue;
        };
        let inputs = ids.expand(&patterns, &format!("{path}.inputs"), relaxed_globs, wording, report);
        read.extend(inputs.iter().cloned());
        let sink = sinks.iter_mut().find(|sink| sink.id == id);
        if let Some(sink) = sink {
            sink.inputs.clone_from(&inputs);
        }
    }
    if all_readers_known {
        for id in ids.sources.iter().filter(|id| !read.contains(**id)) {
            report.problem(
                wording.join("sources", id),
                "no sink reads this source: its events would go nowhere",
            );
        }
    }
}

/// The strings under `inputs`: a list, or one alone.
fn patterns<'t>(inputs: Option<&'t Value>, path: &str, report: &mut Report) -> Option<Vec<&'t str>> {
    let items = match inputs {
        None | Some(Value::Null) => {
            report.problem(path, "missing required option 'inputs'");
            return None;
        }
        Some(Value::Array(items)) => items.as_slice(),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(other) => {
            report.problem(format!("{path}.inputs"), format!("expected a list of ids, got {}", kind(other)));
            return None;
        }
    };
    if items.is_empty() {
        report.problem(format!("{path}.inputs"), "must name at least one source");
    }
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_string()) {
        report.problem(format!("{path}.inputs.{index}"), format!("expected a string, got {}", kind(item)));
    }
    Some(items.iter().filter_map(Value::as_str).collect())
}

fn section<'t>(tree: &'t Value, name: &str) -> impl Iterator<Item = (&'t str, &'t Value)> {
    let entries = tree.get(name).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(id, entry)| (id.as_str(), entry))
}

// === impl Ids ===

impl<'t> Ids<'t> {
    fn of(tree: &'t Value) -> Self {
        let ids = |name| section(tree, name).map(|(id, _)| id).collect();
        Self { sources: ids("sources"), transforms: ids("transforms"), sinks: ids("sinks") }
    }

    /// The sources that `patterns` stand for. A mistyped one counts as what was meant, so that it is not
    /// told again as a source that nobody reads.
    fn expand(
        &self,
        patterns: &[&str],
        path: &str,
        relaxed_globs: bool,
        wording: Wording<'_>,
        report: &mut Report,
    ) -> Vec<String> {
        let mut inputs: Vec<String> = Vec::new();
        for pattern in patterns {
            let matched: Vec<&str> = self.sources.iter().copied().filter(|id| matches(pattern, id)).collect();
            for id in &matched {
                if inputs.iter().any(|input| input == id) {
                    let shown = wording.key(id).unwrap_or_else(|| "a source".to_owned());
                    report.problem(path, format!("{shown} is named more than once"));
                } else {
                    inputs.push((*id).to_owned());
                }
            }
            let transform = self.transforms.iter().any(|id| matches(pattern, id));
            let forgiven = relaxed_globs && is_glob(pattern);
            if matched.is_empty() && !transform && !forgiven {
                report.problem(path, self.no_such_source(pattern, wording));
                inputs.extend(nearest(pattern, self.sources.iter().copied()).map(ToOwned::to_owned));
            }
        }
        inputs
    }

    fn no_such_source(&self, pattern: &str, wording: Wording<'_>) -> String {
        let known = || self.sources.iter().copied().filter(|id| wording.key(id).is_some());
        let Some(shown) = wording.key(pattern) else {
            return format!("the value names no source; there are {}", list(known()));
        };
        if is_glob(pattern) {
            return format!("{shown} matches no source; there are {}", list(known()));
        }
        if self.sinks.contains(&pattern) {
            return format!("{shown} is a sink; inputs name sources");
        }
        match nearest(pattern, known()) {
            Some(near) => format!("there is no source {shown}, did you mean '{near}'?"),
            None => format!("there is no source {shown}; there are {}", list(known())),
        }
    }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Whether `id` is what `pattern` says: `*` stands for any run of characters, `?` for one.
fn matches(pattern: &str, id: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let id: Vec<char> = id.chars().collect();
    // Row by row over the pattern: which lengths of `id` it can have eaten so far.
    let mut reached: Vec<bool> = (0..=id.len()).map(|eaten| eaten == 0).collect();
    for symbol in pattern {
        let mut next = vec![false; id.len() + 1];
        for eaten in 0..=id.len() {
            next[eaten] = match symbol {
                '*' => reached[eaten] || (eaten > 0 && next[eaten - 1]),
                symbol => eaten > 0 && reached[eaten - 1] && (symbol == '?' || symbol == id[eaten - 1]),
            };
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_match_as_in_vector() {
        for (pattern, id, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "anything", true),
            ("def*", "defender", true),
            ("*er", "defender", true),
            ("*fen*", "defender", true),
            ("d*r", "defender", true),
            ("d*x", "defender", false),
            ("foo?", "foo1", true),
            ("foo?", "foo", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, id), expected, "{pattern} {id}");
        }
    }
}
