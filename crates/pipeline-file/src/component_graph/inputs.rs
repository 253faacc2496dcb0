//! Which components each sink reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    component::listens,
    model::{ComponentSpec, Kind, Report},
    pattern::{is_glob, matches, reads_port},
};
use crate::{
    check::kind,
    ownership::{entries, ours, stock},
    redaction::Redaction,
    suggest::{list, nearest},
};
use model::problem::Problem;

/// The sections whose ids share one space of names, and what one of each is called.
const SECTIONS: [(&str, &str); 4] = [
    ("sources", "source"),
    ("transforms", "transform"),
    ("sinks", "sink"),
    ("enrichment_tables", "enrichment table"),
];

/// The ids of a file, in file order, whether or not their components are right.
struct Ids<'t> {
    sources: Vec<&'t str>,
    /// Those of the sources that are ours, which have no ports.
    our_sources: Vec<&'t str>,
    transforms: Vec<&'t str>,
    sinks: Vec<&'t str>,
}

/// Fills in the `inputs` of `sinks`, and reports what does not join up, as far as our components are concerned.
pub(super) fn join(
    tree: &Value,
    sinks: &mut [ComponentSpec],
    relaxed_globs: bool,
    redaction: Redaction<'_>,
    report: &mut Report,
) {
    report_duplicate_ids(tree, redaction, report);
    let ids = Ids::of(tree);
    let mut read: BTreeSet<String> = others_inputs(tree)
        .flat_map(|pattern| ids.sources.iter().filter(move |id| matches(pattern, id)))
        .map(|id| (*id).to_owned())
        .collect();
    // A sink whose inputs are not known may read what no other does.
    let mut all_readers_known = !ids.sinks.is_empty();
    let mut unmatched = Vec::new();
    for (id, entry) in ours(tree, Kind::Sink) {
        let has_listener = listens(entry);
        let Value::Object(entry) = entry else { continue };
        let path = redaction.join("sinks", id);
        // An unknown option that was meant for it has been reported.
        let is_mistyped = |key: &String| key != "inputs" && nearest(key, ["inputs"]).is_some();
        if entry.get("inputs").is_none_or(Value::is_null) && entry.keys().any(is_mistyped) {
            all_readers_known = false;
            continue;
        }
        let Some(patterns) = patterns(entry.get("inputs"), has_listener, &path, report) else {
            all_readers_known = false;
            continue;
        };
        let inputs = ids.expand(&patterns, &format!("{path}.inputs"), relaxed_globs, redaction, report);
        for pattern in patterns.iter().filter(|pattern| is_glob(pattern) && !ids.know(pattern)) {
            // What it was meant to match, nobody knows; unless it may match nothing, that is reported.
            all_readers_known &= relaxed_globs;
            unmatched.extend(redaction.key(pattern).map(|shown| format!("{shown} of {path}.inputs")));
        }
        read.extend(inputs.iter().cloned());
        let sink = sinks.iter_mut().find(|sink| sink.id == id);
        if let Some(sink) = sink {
            sink.inputs.clone_from(&inputs);
            sink.has_inputs = !patterns.is_empty();
        }
    }
    report_unknown_inputs(tree, &ids, relaxed_globs, redaction, report);
    if all_readers_known {
        let unmatched = match unmatched.as_slice() {
            [] => String::new(),
            some => format!("; {} matches no source", some.join(" and ")),
        };
        for (id, _) in ours(tree, Kind::Source).filter(|(id, _)| !read.contains(*id)) {
            report.problem(
                redaction.join("sources", id),
                format!("no sink reads this source: its events would go nowhere{unmatched}"),
            );
        }
    }
}

/// Everything under `inputs` of an entry that is a string.
pub(super) fn inputs_of(entry: &Value) -> impl Iterator<Item = &str> {
    let (one, several) = match entry.get("inputs") {
        Some(Value::Array(items)) => (None, items.as_slice()),
        one => (one, &[][..]),
    };
    one.into_iter().chain(several).filter_map(Value::as_str)
}

/// The inputs of stock components. Whether they exist, Vector reports.
fn others_inputs(tree: &Value) -> impl Iterator<Item = &str> {
    let others = ["transforms", "enrichment_tables"].into_iter().flat_map(|section| entries(tree, section));
    stock(tree, Kind::Sink).chain(others).flat_map(|(_, entry)| inputs_of(entry))
}

/// Inputs of stock components that name nothing. Vector reports them, too, but later, and not where a source of ours has lost
/// its only reader by it.
fn report_unknown_inputs(
    tree: &Value,
    ids: &Ids<'_>,
    relaxed_globs: bool,
    redaction: Redaction<'_>,
    report: &mut Report,
) {
    let all = stock(tree, Kind::Sink)
        .map(|found| ("sinks", found))
        .chain(entries(tree, "transforms").map(|found| ("transforms", found)));
    for (section, (id, entry)) in all {
        for (index, pattern) in inputs_of(entry).enumerate() {
            // What a variable comes to is for Vector to say.
            let forgiven = pattern.contains('$') || (relaxed_globs && is_glob(pattern));
            if !forgiven && !ids.know(pattern) {
                let path = format!("{}.inputs", redaction.join(section, id));
                let problem = Problem::new(path, ids.no_such_input(pattern, redaction));
                report.problems.push(problem.about(index.to_string()));
            }
        }
    }
}

/// An id of ours that another component has as well.
fn report_duplicate_ids(tree: &Value, redaction: Redaction<'_>, report: &mut Report) {
    let of_ours: BTreeSet<&str> =
        ours(tree, Kind::Source).chain(ours(tree, Kind::Sink)).map(|(id, _)| id).collect();
    for (later, (section, _)) in SECTIONS.iter().enumerate() {
        for (id, _) in entries(tree, section).filter(|(id, _)| of_ours.contains(id)) {
            let mut earlier = SECTIONS.iter().take(later);
            if let Some((_, word)) =
                earlier.find(|(section, _)| entries(tree, section).any(|(other, _)| other == id))
            {
                let path = redaction.join(section, id);
                report.problem(path, format!("a {word} has the same id; ids must be different"));
            }
        }
    }
}

/// The strings under `inputs`: a list, or one alone.
fn patterns<'t>(
    inputs: Option<&'t Value>,
    has_listener: bool,
    path: &str,
    report: &mut Report,
) -> Option<Vec<&'t str>> {
    let items = match inputs {
        None | Some(Value::Null) if has_listener => {
            let message =
                "missing required option 'inputs': write inputs: [] if it takes only what is posted to it";
            report.problem(path, message);
            return None;
        }
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
    if items.is_empty() && !has_listener {
        let message = "must name at least one source; a sink that other shippers post to needs a listener, such as \
                       listen: {address: 127.0.0.1:6200}";
        report.problem(format!("{path}.inputs"), message);
    }
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_string()) {
        report.problem(format!("{path}.inputs.{index}"), format!("expected a string, got {}", kind(item)));
    }
    Some(items.iter().filter_map(Value::as_str).collect())
}

// === impl Ids ===

impl<'t> Ids<'t> {
    fn of(tree: &'t Value) -> Self {
        let ids = |name| entries(tree, name).map(|(id, _)| id).collect::<Vec<_>>();
        let tables = entries(tree, "enrichment_tables");
        // A table that is filled by events can be read as a source, under a name of its own.
        let tables = tables.filter_map(|(_, table)| table.get("source_config")?.get("source_key")?.as_str());
        let sources = ids("sources").into_iter().chain(tables).collect();
        let our_sources = ours(tree, Kind::Source).map(|(id, _)| id).collect();
        Self { sources, our_sources, transforms: ids("transforms"), sinks: ids("sinks") }
    }

    /// The sources that `patterns` stand for. A mistyped one counts as what was meant, so that it is not
    /// reported again as a source that nobody reads.
    fn expand(
        &self,
        patterns: &[&str],
        path: &str,
        relaxed_globs: bool,
        redaction: Redaction<'_>,
        report: &mut Report,
    ) -> Vec<String> {
        let mut inputs: Vec<String> = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let at = |message: String| Problem::new(path, message).about(index.to_string());
            let matched: Vec<&str> = self.sources.iter().copied().filter(|id| matches(pattern, id)).collect();
            for id in &matched {
                if inputs.iter().any(|input| input == id) {
                    let shown = redaction.key(id).unwrap_or_else(|| "a source".to_owned());
                    report.problems.push(at(format!("{shown} is named more than once")));
                } else {
                    inputs.push((*id).to_owned());
                }
            }
            let forgiven = relaxed_globs && is_glob(pattern);
            if !self.know(pattern) && !forgiven {
                report.problems.push(at(self.no_such_input(pattern, redaction)));
                inputs.extend(nearest(pattern, self.sources.iter().copied()).map(ToOwned::to_owned));
            }
        }
        inputs
    }

    /// Whether a pattern stands for anything: a source, a transform, or a port of one, such as `otel.logs`.
    fn know(&self, pattern: &str) -> bool {
        let mut all = self.sources.iter().chain(&self.transforms);
        all.any(|id| matches(pattern, id) || (reads_port(pattern, id) && !self.our_sources.contains(id)))
    }

    fn no_such_input(&self, pattern: &str, redaction: Redaction<'_>) -> String {
        let known = || {
            let all = self.sources.iter().chain(&self.transforms).copied();
            all.filter(|id| redaction.key(id).is_some())
        };
        let word = if self.transforms.is_empty() { "source" } else { "source or transform" };
        let Some(shown) = redaction.key(pattern) else {
            return format!("the value names no {word}; there are {}", list(known()));
        };
        if is_glob(pattern) {
            return format!("{shown} matches no {word}; there are {}", list(known()));
        }
        if self.sinks.contains(&pattern) {
            return format!("{shown} is a sink; inputs name sources and transforms");
        }
        match nearest(pattern, known()) {
            Some(near) => format!("there is no {word} {shown}, did you mean '{near}'?"),
            None => format!("there is no {word} {shown}; there are {}", list(known())),
        }
    }
}
