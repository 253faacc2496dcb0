//! The component graph of a file, and how it is read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{
    component::{components, transforms},
    inputs,
    reachability::{sinks_of_ours, sinks_without_ack_setting},
    top_level, vector_options,
};
use crate::{
    link::{Link, check_addresses},
    listen::Listen,
    ownership,
    redaction::Redaction,
    secrets,
    source_text::SourceTexts,
};
use model::problem::{Problem, tidy};

/// Where state is kept if the file does not say: as Vector.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#data_dir>
const DEFAULT_DATA_DIR: &str = "/var/lib/vector/";

/// Which end of a pipeline a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Events come from it.
    Source,
    /// Events go to it.
    Sink,
}

/// A component type that a file may name. Two are equal if they have the same kind and name.
#[derive(Clone, Copy, Debug)]
pub struct ComponentType {
    /// Which end of a pipeline it is.
    pub kind: Kind,
    /// What stands after `type:`.
    pub name: &'static str,
    /// The JSON Schema of the component's own options, without `type` and `inputs`.
    pub schema: fn() -> Value,
    /// Whether it emits events about this program itself: a sink that consumes those must not add to them.
    pub emits_own_events: bool,
}

/// A component of a file. `Debug` does not show the options: secrets stand there.
#[derive(Clone, PartialEq)]
pub struct ComponentSpec {
    /// The name the user gave it.
    pub id: String,
    /// Its type, from the catalogue that the file was read with.
    pub component_type: ComponentType,
    /// The ids of the sources a sink reads, globs expanded; empty for a source.
    pub inputs: Vec<String>,
    /// Whether a sink takes events of the file's own components, transforms too. One that does not is only listened for.
    pub has_inputs: bool,
    /// Its own options, without `type`, `inputs` and those that Vector's own components have as well.
    pub options: Value,
    /// Vector's options: `buffer`, `vector` and so on.
    pub(crate) vector_options: Map<String, Value>,
    /// Where it meets Vector.
    pub link: Link,
    /// Where other shippers push to it, if the file says so.
    pub listen: Option<Listen>,
}

/// What a file says. `Debug` does not show the proxy, whose URL may hold a password.
#[derive(Clone, PartialEq)]
pub struct ComponentGraph {
    /// Where state is kept, if the file says.
    pub data_dir: Option<PathBuf>,
    /// The sources in file order.
    pub sources: Vec<ComponentSpec>,
    /// The sinks in file order.
    pub sinks: Vec<ComponentSpec>,
    /// `{enabled, http, https, no_proxy}`.
    pub proxy: Option<Value>,
    /// Whether there are stock components, which only Vector can run.
    pub beside_vector: bool,
    /// The stock sinks that acknowledgements are to be switched on for.
    pub(crate) sinks_without_ack_setting: Vec<String>,
    /// Our sinks that take events about this program itself, through transforms too.
    pub event_consumers: BTreeSet<String>,
    /// What works, but perhaps not as the author thinks.
    pub warnings: Vec<Problem>,
    /// What is wrong. The components that this is about may be missing above, or have options that do not fit.
    pub problems: Vec<Problem>,
    /// Variables that are missing, as they are written: an option that has one in it has no value yet.
    pub unset: Vec<String>,
    /// What it was read from.
    pub(crate) texts: SourceTexts,
}

/// What has been found so far.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// What is wrong with links; of an option that is still a reference to a secret it means nothing.
    pub(super) link_problems: Vec<Problem>,
}

// === impl Kind ===

impl Kind {
    /// The word for one.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    /// The top-level key that such components stand under.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

// === impl ComponentType ===

impl PartialEq for ComponentType {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.name) == (other.kind, other.name)
    }
}

// === impl ComponentSpec ===

impl std::fmt::Debug for ComponentSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentSpec").field("type", &self.component_type.name).finish_non_exhaustive()
    }
}

// === impl ComponentGraph ===

impl std::fmt::Debug for ComponentGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentGraph")
            .field("sources", &self.sources)
            .field("sinks", &self.sinks)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl ComponentGraph {
    /// This, if nothing is wrong with it.
    #[cfg(test)]
    pub(crate) fn checked(self) -> Result<Self, Vec<Problem>> {
        let problems = self.standing_problems();
        if problems.is_empty() { Ok(self) } else { Err(tidy(problems)) }
    }

    /// Where state is kept: what the file says, else as Vector.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DEFAULT_DATA_DIR.into())
    }

    /// Whether other shippers push to any sink.
    pub fn has_listeners(&self) -> bool {
        self.sinks.iter().any(|sink| sink.listen.is_some())
    }

    /// Every component with its kind, sources first, in the file's order.
    pub fn components(&self) -> impl Iterator<Item = (Kind, &ComponentSpec)> + Clone {
        let sources = self.sources.iter().map(|source| (Kind::Source, source));
        sources.chain(self.sinks.iter().map(|sink| (Kind::Sink, sink)))
    }

    /// The problems with the lines that they are about, in the order of those.
    pub fn locate(&self, problems: Vec<Problem>) -> Vec<Problem> {
        self.texts.locate(problems)
    }

    /// What is wrong, without what is reported about the text of a variable that is missing.
    pub fn standing_problems(&self) -> Vec<Problem> {
        self.problems.iter().filter(|problem| !self.is_unset(&problem.path)).cloned().collect()
    }

    /// Whether the option at `path` of a component has no value yet, because of a secret or a variable.
    pub fn is_open(&self, path: &str) -> bool {
        self.is_unset(path) || self.text_at(path).is_some_and(secrets::has_secret_reference)
    }

    fn is_unset(&self, path: &str) -> bool {
        self.text_at(path).is_some_and(|text| self.unset.iter().any(|unset| text.contains(unset)))
    }

    /// The value of an option of a component, which may be one of Vector's.
    fn option_of<'o>(components: &'o [ComponentSpec], id: &str, name: &str) -> Option<&'o Value> {
        let component = components.iter().find(|component| component.id == id)?;
        component.options.get(name).or_else(|| component.vector_options.get(name))
    }

    /// The string that stands at `path`.
    fn text_at(&self, path: &str) -> Option<&str> {
        let mut parts = path.split('.');
        let root = match (parts.next()?, self.proxy.as_ref()) {
            ("sources", _) => Self::option_of(&self.sources, parts.next()?, parts.next()?)?,
            ("sinks", _) => Self::option_of(&self.sinks, parts.next()?, parts.next()?)?,
            ("proxy", Some(proxy)) => proxy,
            _ => return None,
        };
        let value = parts.try_fold(root, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            value => value.get(part),
        })?;
        value.as_str()
    }
}

// === impl Report ===

impl Report {
    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Problem::new(path, message));
    }
}

/// Reads the component graph off `tree`. With `fetched`, the secrets are in it already.
pub(crate) fn component_graph(
    tree: &Value,
    catalogue: &[ComponentType],
    redaction: Redaction<'_>,
    fetched: bool,
) -> ComponentGraph {
    let mut report = Report::default();
    let (backends, problems) = secrets::declared(tree, redaction);
    report.problems.extend(problems);
    if !fetched {
        report.problems.extend(secrets::check_references(tree, &backends, redaction));
    }
    let beside_vector = ownership::has_stock(tree);
    let top = top_level::read(tree, beside_vector, redaction, &mut report);
    let sources = components(Kind::Source, tree, catalogue, redaction, &mut report);
    let mut sinks = components(Kind::Sink, tree, catalogue, redaction, &mut report);
    transforms(tree, catalogue, redaction, &mut report);
    inputs::join(tree, &mut sinks, top.relaxed_globs, redaction, &mut report);
    if beside_vector && ownership::has_only_stock(tree) {
        report.problem("", "there is nothing here for vector-sentinel: run vector itself");
    }
    for (kind, component) in
        sources.iter().map(|one| (Kind::Source, one)).chain(sinks.iter().map(|one| (Kind::Sink, one)))
    {
        let path = redaction.join(kind.section(), &component.id);
        if kind == Kind::Sink && !component.has_inputs {
            vector_options::report_ineffective(
                &path,
                &component.vector_options,
                "without inputs",
                &mut report,
            );
        } else if beside_vector {
            vector_options::report_dropping(&path, &component.vector_options, &mut report);
        } else {
            vector_options::report_ineffective(
                &path,
                &component.vector_options,
                "without Vector",
                &mut report,
            );
        }
    }
    let sinks_without_ack_setting = sinks_without_ack_setting(tree, &sources, redaction, &mut report);
    let emitting = sources.iter().filter(|source| source.component_type.emits_own_events);
    let event_consumers = sinks_of_ours(tree, emitting);

    let Report { warnings, problems, mut link_problems } = report;
    let (data_dir, proxy) = (top.data_dir, top.proxy);
    let (warnings, problems) = (tidy(warnings), tidy(problems));
    let mut graph = ComponentGraph {
        data_dir,
        sources,
        sinks,
        proxy,
        beside_vector,
        sinks_without_ack_setting,
        event_consumers,
        warnings,
        problems,
        unset: Vec::new(),
        texts: SourceTexts::default(),
    };
    let addresses = graph.components().flat_map(|(kind, one)| {
        let linked = one.link.address.as_deref().map(|address| ("vector.address", address));
        let listening = one.listen.as_ref().map(|listen| ("listen.address", listen.address.as_str()));
        let path = redaction.join(kind.section(), &one.id);
        linked.into_iter().chain(listening).map(move |(option, address)| (path.clone(), option, address))
    });
    check_addresses(addresses, &mut link_problems);
    link_problems.retain(|problem| !graph.is_open(&problem.path));
    graph.problems = tidy(graph.problems.into_iter().chain(link_problems).collect());
    graph
}
