//! From a component graph to components whose options were checked: everything a topology is built from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::sync_pairs::{check_directions, check_ledgers, unpaired};
use crate::component::{Component, Peer, Validation};
use crate::registry::{self, Invalid};
use microsoft::http::ProxyConfig;
use model::problem::Problem;
use pipeline_file::{ComponentGraph, ComponentSpec, Kind, Link, Listen, link_addresses};
use serde_json::Value;

/// A pipeline whose every option was checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// Whether the file names it, so that it is said to last.
    pub data_dir_lasts: bool,
    /// The sources, in the file's order.
    pub sources: Vec<Planned>,
    /// The sinks, in the file's order.
    pub sinks: Vec<Planned>,
    /// Whether there are stock components, which only Vector can run: then every edge goes through Vector.
    pub beside_vector: bool,
    /// What works, but perhaps not as its author thinks.
    pub warnings: Vec<Problem>,
}

/// One component of ours.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its id in the file.
    pub id: String,
    /// What stands after `type:`.
    pub type_name: &'static str,
    /// The sources whose events it takes, in a pipeline without Vector; none of a source.
    pub inputs: Vec<String>,
    /// Whether a sink takes events of the file's own components, transforms too.
    pub has_inputs: bool,
    /// Where it meets Vector.
    pub link: Link,
    /// Where other shippers push to it, if the file says so.
    pub listen: Option<Listen>,
    /// Its options, checked.
    pub component: Arc<dyn Component>,
    checked: Checked,
}

/// What options were checked against what: two components that have this alike are the same. `Debug` does not show it:
/// secrets stand there.
#[derive(Clone, PartialEq)]
struct Checked {
    options: Value,
    proxy: ProxyConfig,
    /// The components with quarantines, for a component that follows them.
    peers: Vec<Peer>,
}

/// Checks the options of every component of `graph`, and reports all that is wrong with the file. `environment` may
/// name proxies.
pub fn plan(graph: &ComponentGraph, environment: &BTreeMap<String, String>) -> Result<Plan, Vec<Problem>> {
    let (plan, mut problems) = check_components(graph, environment);
    problems.extend(graph.standing_problems());
    if problems.is_empty() { Ok(plan) } else { Err(graph.locate(problems)) }
}

/// The same without the values of secrets: an option whose value is still a placeholder is taken to be right. Answers what
/// works, but perhaps not as its author thinks.
pub fn check(
    graph: &ComponentGraph,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let (plan, mut problems) = check_components(graph, environment);
    problems.retain(|problem| !graph.is_open(&problem.path));
    problems.extend(graph.standing_problems());
    if problems.is_empty() { Ok(plan.warnings) } else { Err(graph.locate(problems)) }
}

/// What there is of the plan, and what is wrong with values.
fn check_components(graph: &ComponentGraph, environment: &BTreeMap<String, String>) -> (Plan, Vec<Problem>) {
    let mut problems = Vec::new();
    let proxy = graph.proxy.clone().and_then(|proxy| serde_json::from_value::<ProxyConfig>(proxy).ok());
    let proxy = proxy.unwrap_or_default().or_environment(|name| environment.get(name).map(String::as_str));
    proxy.validate("proxy", &mut problems);

    let peers = peers(graph);
    let mut warnings_of_open = Vec::new();
    let mut check = |kind: Kind, one: &ComponentSpec| {
        let path = path_of(kind, &one.id);
        let validation = Validation { path: path.clone(), proxy: &proxy, peers: &peers };
        let found = match registry::component(&one.component_type, one.options.clone(), &validation) {
            Ok(component) => {
                return Some(Planned {
                    id: one.id.clone(),
                    type_name: one.component_type.name,
                    inputs: one.inputs.clone(),
                    has_inputs: one.has_inputs,
                    link: one.link.clone(),
                    listen: one.listen.clone(),
                    component,
                    checked: Checked {
                        options: one.options.clone(),
                        proxy: proxy.clone(),
                        peers: if one.component_type.emits_own_events { peers.clone() } else { Vec::new() },
                    },
                });
            }
            Err(Invalid::Problems(found)) => {
                // What is doubtful about the rest can be said without the values.
                if found.iter().all(|problem| graph.is_open(&problem.path)) {
                    let options = with_stand_ins(&one.options, &path, &found);
                    let component = registry::component(&one.component_type, options, &validation);
                    warnings_of_open.extend(component.iter().flat_map(|component| component.warnings(&path)));
                }
                found
            }
            // The component graph has reported it, from the schema: in words that do not show the value, as these could.
            Err(Invalid::Misfit) if graph.problems.iter().any(|problem| problem.path.starts_with(&path)) => {
                Vec::new()
            }
            Err(Invalid::Misfit) => {
                vec![Problem::new(path, "one of the options has a value that does not fit its type")]
            }
        };
        problems.extend(found);
        None
    };
    let sources: Vec<Planned> = graph.sources.iter().filter_map(|one| check(Kind::Source, one)).collect();
    let sinks: Vec<Planned> = graph.sinks.iter().filter_map(|one| check(Kind::Sink, one)).collect();
    check_ledgers(&sinks, &mut problems);
    check_directions(&sources, &sinks, &mut problems);
    // What the schema has reported of an option is not reported again in other words.
    problems.retain(|problem| !graph.problems.iter().any(|reported| reported.path == problem.path));
    let (beside_vector, mut warnings) = (graph.beside_vector, graph.warnings.clone());
    warnings.extend(unpaired(&sinks));
    warnings.extend(identities_of_arc(graph, environment));
    warnings.extend(warnings_of_open);
    let (data_dir, data_dir_lasts) = (graph.data_dir(), graph.data_dir.is_some());
    let mut plan = Plan { data_dir, data_dir_lasts, sources, sinks, beside_vector, warnings: Vec::new() };
    warnings.extend(plan.components().flat_map(|(kind, one)| one.component.warnings(&one.path(kind))));
    plan.warnings = graph.locate(warnings);
    (plan, problems)
}

/// Warnings about managed identities, if this machine is one of Azure Arc: a start refuses them, but the file may be run elsewhere.
/// Source: <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>
fn identities_of_arc(graph: &ComponentGraph, environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let has = |name: &str| environment.contains_key(name);
    // With the last one it is App Service or Service Fabric.
    if !has("IDENTITY_ENDPOINT") || !has("IMDS_ENDPOINT") || has("IDENTITY_HEADER") {
        return Vec::new();
    }
    let kind_of = |one: &ComponentSpec| {
        Some(one.options.get("auth")?.get("azure_credential_kind")?.as_str()?.to_owned())
    };
    let managed = graph
        .components()
        .filter(|(_, one)| kind_of(one).is_some_and(|kind| kind.starts_with("managed_identity")));
    let warnings = managed.map(|(kind, one)| {
        let path = format!("{}.auth.azure_credential_kind", path_of(kind, &one.id));
        let message = "this machine is one of Azure Arc, whose managed identity is not supported, and a run here refuses to start: \
                       use client_certificate_credential";
        Problem::new(path, message)
    });
    warnings.collect()
}

/// The options of the component at `path`, with a word in the place of each value that is `open`.
fn with_stand_ins(options: &Value, path: &str, open: &[Problem]) -> Value {
    let mut options = options.clone();
    for problem in open {
        let option = problem.path.strip_prefix(path).unwrap_or_default().replace('.', "/");
        if let Some(value) = options.pointer_mut(&option) {
            *value = "stand-in".into();
        }
    }
    options
}

/// The components that have quarantines: every sink, and beside Vector, which may refuse events, every source.
fn peers(graph: &ComponentGraph) -> Vec<Peer> {
    let all = graph.components().filter(|(kind, _)| *kind == Kind::Sink || graph.beside_vector);
    let peers = all.map(|(kind, component)| Peer {
        id: component.id.clone(),
        kind: kind.word(),
        component_type: component.component_type.name.to_owned(),
        consumes_own_events: kind == Kind::Sink && graph.event_consumers.contains(&component.id),
    });
    peers.collect()
}

/// Where a component stands in the file: `sinks.sentinel`.
fn path_of(kind: Kind, id: &str) -> String {
    format!("{}.{id}", kind.section())
}

// === impl Checked ===

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").finish_non_exhaustive()
    }
}

// === impl Planned ===

impl Planned {
    /// Where it stands in the file, as one of that kind: `sinks.sentinel`.
    #[must_use]
    pub fn path(&self, kind: Kind) -> String {
        path_of(kind, &self.id)
    }

    /// Whether a component that was built from `other` need not be built anew. What a sink reads is no part of it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.id, self.type_name, &self.link, &self.listen, &self.checked)
            == (&other.id, other.type_name, &other.link, &other.listen, &other.checked)
    }
}

// === impl Plan ===

impl Plan {
    /// Every component with its kind, sources first, in the file's order.
    pub fn components(&self) -> impl Iterator<Item = (Kind, &Planned)> {
        let sources = self.sources.iter().map(|source| (Kind::Source, source));
        sources.chain(self.sinks.iter().map(|sink| (Kind::Sink, sink)))
    }

    /// Whether a component of either kind has that id.
    pub fn has_id(&self, id: &str) -> bool {
        self.components().any(|(_, one)| one.id == id)
    }

    /// The component of that kind and id.
    #[must_use]
    pub fn component(&self, kind: Kind, id: &str) -> Option<&Planned> {
        self.components().find(|(of, one)| *of == kind && one.id == id).map(|(_, one)| one)
    }

    /// Where each of our components meets Vector, by id, if Vector is run by somebody else: the address that the file gives in
    /// `vector.address`, else 127.0.0.1 and the next port from 6100 that no component names, sources before sinks. At a
    /// sink's address we listen and Vector connects; at a source's Vector listens and we connect.
    #[must_use]
    pub fn link_addresses(&self) -> BTreeMap<String, String> {
        let linked = self.sinks.iter().filter(|sink| sink.has_inputs);
        let linked = self.sources.iter().chain(linked).map(|one| (one.id.as_str(), &one.link));
        link_addresses(
            linked,
            self.sinks.iter().filter_map(|sink| Some(sink.listen.as_ref()?.address.as_str())),
        )
    }

    /// Whether every edge goes through Vector: there are stock components, or somebody else runs Vector, who has not to where
    /// all components are ours and shippers push to them.
    #[must_use]
    pub fn meets_vector(&self, is_external: bool) -> bool {
        self.beside_vector || (is_external && self.sinks.iter().all(|sink| sink.listen.is_none()))
    }

    /// Whether any component keeps incidents in sync.
    #[must_use]
    pub fn keeps_incidents_in_sync(&self) -> bool {
        self.sinks.iter().any(|sink| sink.component.sync().is_some())
    }

    /// The ids of the sources that emit what keeping incidents in sync has to report.
    pub(super) fn sync_event_readers(&self) -> Vec<String> {
        let readers = self.sources.iter().filter(|source| source.component.reads_sync_events());
        readers.map(|source| source.id.clone()).collect()
    }
}
