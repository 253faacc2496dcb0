//! What a file comes to, and the way there.

use std::path::PathBuf;

use serde_json::Value;

use super::{component::components, inputs, top_level};
use crate::model::problem::{Problem, tidy};
use crate::pipeline::{secrets, wording::Wording};

/// Which end of a pipeline a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Events come from it.
    Source,
    /// Events go to it.
    Sink,
}

/// A component type that a file may name.
#[derive(Clone, Copy, Debug)]
pub struct ComponentType {
    /// Which end of a pipeline it is.
    pub kind: Kind,
    /// What stands after `type:`.
    pub name: &'static str,
    /// The JSON Schema of the component's own options, without `type` and `inputs`.
    pub schema: fn() -> Value,
}

/// A component of a file. `Debug` does not show the options: secrets stand there.
#[derive(Clone, PartialEq)]
pub struct Component {
    /// The name the user gave it.
    pub id: String,
    /// The name of its [`ComponentType`].
    pub type_name: String,
    /// The ids of the sources a sink reads, globs expanded; empty for a source.
    pub inputs: Vec<String>,
    /// Its own options, without `type` and `inputs`.
    pub options: Value,
}

/// A file without anything wrong in it. `Debug` does not show the proxy, whose URL may hold a password.
#[derive(Clone, PartialEq)]
pub struct Outline {
    /// Where state is kept.
    pub data_dir: Option<PathBuf>,
    /// The sources in file order.
    pub sources: Vec<Component>,
    /// The sinks in file order.
    pub sinks: Vec<Component>,
    /// `{enabled, http, https, no_proxy}`.
    pub proxy: Option<Value>,
    /// What works, but perhaps not as the author thinks.
    pub warnings: Vec<Problem>,
}

/// What has been found so far.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

// === impl Kind ===

impl Kind {
    /// The word for one.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    /// The top-level key that such components stand under.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

// === impl Component ===

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("type_name", &self.type_name).finish_non_exhaustive()
    }
}

// === impl Outline ===

impl std::fmt::Debug for Outline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outline")
            .field("sources", &self.sources)
            .field("sinks", &self.sinks)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
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

/// Reads the outline off `tree`. With `fetched`, the secrets are in it already.
pub(in crate::pipeline) fn outline(
    tree: &Value,
    catalogue: &[ComponentType],
    wording: Wording<'_>,
    fetched: bool,
) -> Result<Outline, Vec<Problem>> {
    let mut report = Report::default();
    let (backends, problems) = secrets::declared(tree, wording);
    report.problems.extend(problems);
    if !fetched {
        report.problems.extend(secrets::check_references(tree, &backends, wording));
    }
    let top = top_level::read(tree, wording, &mut report);
    let sources = components(Kind::Source, tree, catalogue, wording, &mut report);
    let mut sinks = components(Kind::Sink, tree, catalogue, wording, &mut report);
    inputs::join(tree, &mut sinks, top.relaxed_globs, wording, &mut report);

    if report.problems.is_empty() {
        let Report { warnings, .. } = report;
        let (data_dir, proxy) = (top.data_dir, top.proxy);
        Ok(Outline { data_dir, sources, sinks, proxy, warnings: tidy(warnings) })
    } else {
        Err(tidy(report.problems))
    }
}
