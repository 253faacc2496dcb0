//! Reachability: which sinks our sources' events end in, and whether Vector's own acknowledge them.
//!
//! Vector's `http_server` source answers "delivered" only if every sink behind it acknowledges; from one that does not, events
//! are lost without a word.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    inputs::inputs_of,
    model::{ComponentSpec, Kind, Report},
    pattern::{matches, reads_port},
};
use crate::{
    ownership::{entries, ours, stock},
    redaction::Redaction,
    suggest::list,
};

/// The ids of the stock sinks that acknowledgements are to be switched on for: those that an event of `sources` can reach,
/// and for which nothing is said. Where they are switched off, that is reported.
pub(super) fn sinks_without_ack_setting(
    tree: &Value,
    sources: &[ComponentSpec],
    redaction: Redaction<'_>,
    report: &mut Report,
) -> Vec<String> {
    let everywhere = said(tree);
    let mut silent = Vec::new();
    let ways: Vec<(&str, Reached<'_>)> =
        sources.iter().map(|source| (source.id.as_str(), Reached::from(tree, &source.id))).collect();
    for (id, sink) in stock(tree, Kind::Sink) {
        let reached: Vec<&str> =
            ways.iter().filter(|(_, reached)| reached.reads(sink)).map(|(id, _)| *id).collect();
        if reached.is_empty() {
            continue;
        }
        match said(sink).or(everywhere) {
            None => silent.push(id.to_owned()),
            // A word, if a variable stands for it.
            Some(said) if *said == Value::Bool(false) || said == "false" => {
                let shown = list(reached.into_iter().filter(|id| redaction.key(id).is_some()));
                let message = format!(
                    "acknowledgements are switched off here: what this sink loses of {shown} is lost"
                );
                report.warning(redaction.join("sinks", id), message);
            }
            // What is no answer at all, Vector reports.
            Some(_) => {}
        }
    }
    silent
}

/// The ids of our own sinks that events of `sources` reach.
pub(super) fn sinks_of_ours<'c>(
    tree: &Value,
    sources: impl Iterator<Item = &'c ComponentSpec>,
) -> BTreeSet<String> {
    let ways: Vec<Reached<'_>> = sources.map(|source| Reached::from(tree, &source.id)).collect();
    let reached = ours(tree, Kind::Sink).filter(|(_, sink)| ways.iter().any(|way| way.reads(sink)));
    reached.map(|(id, _)| id.to_owned()).collect()
}

/// What a map says about acknowledgements, as `{enabled: …}` or in short.
fn said(map: &Value) -> Option<&Value> {
    let said = match map.get("acknowledgements")? {
        Value::Object(options) => options.get("enabled")?,
        short => short,
    };
    (!said.is_null()).then_some(said)
}

/// What carries the events of one source.
struct Reached<'t> {
    source: &'t str,
    transforms: BTreeSet<&'t str>,
}

// === impl Reached ===

impl<'t> Reached<'t> {
    fn from(tree: &'t Value, source: &'t str) -> Self {
        let mut reached = Self { source, transforms: BTreeSet::new() };
        // Each round takes one transform more at least, until there is none to take.
        loop {
            let next = entries(tree, "transforms")
                .find(|(id, transform)| !reached.transforms.contains(id) && reached.reads(transform));
            match next {
                Some((id, _)) => reached.transforms.insert(id),
                None => return reached,
            };
        }
    }

    /// Whether a component takes any of them.
    fn reads(&self, component: &Value) -> bool {
        inputs_of(component).any(|pattern| {
            matches(pattern, self.source) || self.transforms.iter().any(|id| reads_port(pattern, id))
        })
    }
}
