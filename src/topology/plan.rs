//! From an outline to options that were checked: everything a topology is built from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sync_pairs::{check_directions, check_ledgers, unpaired};
use crate::sinks::incident_sync::SyncOptions;
use crate::sinks::sentinel_logs::{self, SentinelLogsConfig};
use crate::sinks::{defender_incidents as to_defender, sentinel_incidents as to_sentinel};
use crate::sources::defender_incidents::{self, DefenderIncidentsConfig};
use crate::sources::sentinel_incidents::{self, SentinelIncidentsConfig};
use crate::sources::vector_sentinel_events::{self, Peer, VectorSentinelEventsConfig};
use microsoft::http::ProxyConfig;
use model::problem::{Problem, tidy};
use pipeline_file::{Component, ComponentType, Kind, Link, Outline, link_addresses};

/// A pipeline whose every option was checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// The sources, in the file's order.
    pub sources: Vec<PlannedSource>,
    /// The sinks, in the file's order.
    pub sinks: Vec<PlannedSink>,
    /// Whether there are stock components, which only Vector can run: then every edge goes through Vector.
    pub beside_vector: bool,
    /// What works, but perhaps not as its author thinks.
    pub warnings: Vec<Problem>,
}

/// One source.
#[derive(Clone, Debug)]
pub struct PlannedSource {
    /// Its id in the file.
    pub id: String,
    /// Where it meets Vector.
    pub link: Link,
    /// Its options.
    pub plan: SourcePlan,
}

/// One sink.
#[derive(Clone, Debug)]
pub struct PlannedSink {
    /// Its id in the file.
    pub id: String,
    /// The sources whose events it takes, in a pipeline without Vector.
    pub inputs: Vec<String>,
    /// Where it meets Vector.
    pub link: Link,
    /// Its options.
    pub plan: SinkPlan,
}

/// The options of a source, by its type.
#[derive(Clone, Debug)]
pub enum SourcePlan {
    /// `defender_incidents`
    DefenderIncidents(Box<defender_incidents::Validated>),
    /// `sentinel_incidents`
    SentinelIncidents(Box<sentinel_incidents::Validated>),
    /// `vector_sentinel_events`
    VectorSentinelEvents(vector_sentinel_events::Validated),
}

/// The options of a sink, by its type.
#[derive(Clone, Debug)]
pub enum SinkPlan {
    /// `sentinel_logs`
    SentinelLogs(Box<sentinel_logs::Validated>),
    /// `sentinel_incidents`
    SentinelIncidents(Box<to_sentinel::Validated>),
    /// `defender_incidents`
    DefenderIncidents(Box<to_defender::Validated>),
}

/// The component types there are.
#[must_use]
pub fn catalogue() -> Vec<ComponentType> {
    vec![
        ComponentType {
            kind: Kind::Source,
            name: "defender_incidents",
            schema: schema::<DefenderIncidentsConfig>,
            emits_own_events: false,
        },
        ComponentType {
            kind: Kind::Source,
            name: "sentinel_incidents",
            schema: schema::<SentinelIncidentsConfig>,
            emits_own_events: false,
        },
        ComponentType {
            kind: Kind::Source,
            name: vector_sentinel_events::TYPE_NAME,
            schema: schema::<VectorSentinelEventsConfig>,
            emits_own_events: true,
        },
        ComponentType {
            kind: Kind::Sink,
            name: "sentinel_logs",
            schema: schema::<SentinelLogsConfig>,
            emits_own_events: false,
        },
        ComponentType {
            kind: Kind::Sink,
            name: "sentinel_incidents",
            schema: schema::<to_sentinel::SentinelIncidentsConfig>,
            emits_own_events: false,
        },
        ComponentType {
            kind: Kind::Sink,
            name: "defender_incidents",
            schema: schema::<to_defender::DefenderIncidentsConfig>,
            emits_own_events: false,
        },
    ]
}

/// Checks the options of every component in `outline`, and tells all that is wrong with the file at once. `environment` may
/// name proxies.
pub fn plan(outline: &Outline, environment: &BTreeMap<String, String>) -> Result<Plan, Vec<Problem>> {
    let (plan, mut problems) = lay_out(outline, environment);
    problems.extend(outline.standing_problems());
    if problems.is_empty() { Ok(plan) } else { Err(tidy(problems)) }
}

/// The same without the values of secrets: an option whose value is still a placeholder is taken to be right. Answers what
/// works, but perhaps not as its author thinks.
pub fn check(
    outline: &Outline,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let (plan, mut problems) = lay_out(outline, environment);
    problems.retain(|problem| !outline.is_open(&problem.path));
    problems.extend(outline.standing_problems());
    if problems.is_empty() { Ok(plan.warnings) } else { Err(tidy(problems)) }
}

/// What there is of the plan, and what is wrong with values.
fn lay_out(outline: &Outline, environment: &BTreeMap<String, String>) -> (Plan, Vec<Problem>) {
    let mut problems = Vec::new();
    let proxy = outline.proxy.clone().and_then(|proxy| serde_json::from_value::<ProxyConfig>(proxy).ok());
    let proxy = proxy.unwrap_or_default().or_environment(|name| environment.get(name).map(String::as_str));
    proxy.validate("proxy", &mut problems);

    let mut checking = Checking { outline, proxy: &proxy, problems };
    let peers = peers(outline);
    let sources = outline.sources.iter().filter_map(|component| {
        let plan = checking.source(component, &peers)?;
        let link = component.link.clone();
        Some(PlannedSource { id: component.id.clone(), link, plan })
    });
    let sources: Vec<PlannedSource> = sources.collect();
    let sinks = outline.sinks.iter().filter_map(|component| {
        let plan = checking.sink(component)?;
        let link = component.link.clone();
        Some(PlannedSink { id: component.id.clone(), inputs: component.inputs.clone(), link, plan })
    });
    let sinks: Vec<PlannedSink> = sinks.collect();
    let mut problems = checking.problems;
    check_ledgers(&sinks, &mut problems);
    check_directions(&sources, &sinks, &mut problems);
    // What the schema has told of an option is not told again in other words.
    problems.retain(|problem| !outline.problems.iter().any(|told| told.path == problem.path));
    let (beside_vector, mut warnings) = (outline.beside_vector, outline.warnings.clone());
    warnings.extend(unpaired(&sinks));
    for sink in &sinks {
        if let SinkPlan::SentinelLogs(options) = &sink.plan {
            warnings.extend(options.warnings(&format!("sinks.{}", sink.id)));
        }
    }
    (Plan { data_dir: outline.data_dir(), sources, sinks, beside_vector, warnings }, problems)
}

/// The components that have quarantines: every sink, and beside Vector, which may refuse events, every source.
fn peers(outline: &Outline) -> Vec<Peer> {
    let sources = outline.sources.iter().filter(|_| outline.beside_vector);
    let all = sources.map(|one| (Kind::Source, one)).chain(outline.sinks.iter().map(|one| (Kind::Sink, one)));
    let peers = all.map(|(kind, component)| Peer {
        id: component.id.clone(),
        kind: kind.word(),
        component_type: component.type_name.clone(),
        takes: kind == Kind::Sink && outline.event_consumers.contains(&component.id),
    });
    peers.collect()
}

// === impl SourcePlan ===

impl SourcePlan {
    /// What stands after `type:`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::DefenderIncidents(_) => "defender_incidents",
            Self::SentinelIncidents(_) => "sentinel_incidents",
            Self::VectorSentinelEvents(_) => vector_sentinel_events::TYPE_NAME,
        }
    }
}

// === impl SinkPlan ===

impl SinkPlan {
    /// What stands after `type:`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::SentinelLogs(_) => "sentinel_logs",
            Self::SentinelIncidents(_) => "sentinel_incidents",
            Self::DefenderIncidents(_) => "defender_incidents",
        }
    }

    /// How incidents are kept in sync, if that is what it does.
    #[must_use]
    pub fn sync(&self) -> Option<&SyncOptions> {
        match self {
            Self::SentinelLogs(_) => None,
            Self::SentinelIncidents(options) => Some(options.sync()),
            Self::DefenderIncidents(options) => Some(options.sync()),
        }
    }
}

// === impl Plan ===

impl Plan {
    /// Has every sink that keeps incidents in sync only say what it would write. Answers whether there is any.
    pub fn only_say_what_would_be_written(&mut self) -> bool {
        let mut any = false;
        for sink in &mut self.sinks {
            match &mut sink.plan {
                SinkPlan::SentinelLogs(_) => continue,
                SinkPlan::SentinelIncidents(options) => options.only_say(),
                SinkPlan::DefenderIncidents(options) => options.only_say(),
            }
            any = true;
        }
        any
    }

    /// Where each of our components meets Vector, by id, if Vector is run by somebody else: the address that the file gives in
    /// `vector.address`, else 127.0.0.1 and the next port from 6100 that no component names, sources before sinks. At a
    /// sink's address we listen and Vector connects; at a source's Vector listens and we connect.
    #[must_use]
    pub fn link_addresses(&self) -> BTreeMap<String, String> {
        let sources = self.sources.iter().map(|source| (source.id.as_str(), &source.link));
        let sinks = self.sinks.iter().map(|sink| (sink.id.as_str(), &sink.link));
        link_addresses(sources.chain(sinks))
    }
}

/// The checks of every component, and what they found.
struct Checking<'o> {
    outline: &'o Outline,
    proxy: &'o ProxyConfig,
    problems: Vec<Problem>,
}

// === impl Checking ===

impl Checking<'_> {
    /// The same for a source, by its type.
    fn source(&mut self, component: &Component, peers: &[Peer]) -> Option<SourcePlan> {
        match component.type_name.as_str() {
            vector_sentinel_events::TYPE_NAME => {
                let validate = |config: VectorSentinelEventsConfig, path: &str, _: &ProxyConfig| {
                    config.validate(path, peers)
                };
                let plan = self.component(Kind::Source, component, validate)?;
                Some(SourcePlan::VectorSentinelEvents(plan))
            }
            "sentinel_incidents" => {
                let validate = SentinelIncidentsConfig::validate;
                let validate = |config, path: &str, proxy: &ProxyConfig| validate(config, path, proxy);
                let plan = self.component(Kind::Source, component, validate)?;
                Some(SourcePlan::SentinelIncidents(Box::new(plan)))
            }
            _ => {
                let validate = DefenderIncidentsConfig::validate;
                let validate = |config, path: &str, proxy: &ProxyConfig| validate(config, path, proxy);
                let plan = self.component(Kind::Source, component, validate)?;
                Some(SourcePlan::DefenderIncidents(Box::new(plan)))
            }
        }
    }

    /// The same for a sink, by its type.
    fn sink(&mut self, component: &Component) -> Option<SinkPlan> {
        match component.type_name.as_str() {
            "sentinel_incidents" => {
                let validate = to_sentinel::SentinelIncidentsConfig::validate;
                let validate = |config, path: &str, proxy: &ProxyConfig| validate(config, path, proxy);
                let plan = self.component(Kind::Sink, component, validate)?;
                Some(SinkPlan::SentinelIncidents(Box::new(plan)))
            }
            "defender_incidents" => {
                let validate = to_defender::DefenderIncidentsConfig::validate;
                let validate = |config, path: &str, proxy: &ProxyConfig| validate(config, path, proxy);
                let plan = self.component(Kind::Sink, component, validate)?;
                Some(SinkPlan::DefenderIncidents(Box::new(plan)))
            }
            _ => {
                let validate = SentinelLogsConfig::validate;
                let validate = |config, path: &str, proxy: &ProxyConfig| validate(config, path, proxy);
                let plan = self.component(Kind::Sink, component, validate)?;
                Some(SinkPlan::SentinelLogs(Box::new(plan)))
            }
        }
    }

    /// The checked options of a component; nothing if something is wrong, which is then told.
    fn component<C: DeserializeOwned, V>(
        &mut self,
        kind: Kind,
        component: &Component,
        validate: impl FnOnce(C, &str, &ProxyConfig) -> Result<V, Vec<Problem>>,
    ) -> Option<V> {
        let path = format!("{}.{}", kind.section(), component.id);
        let checked = match serde_json::from_value(component.options.clone()) {
            Ok(config) => validate(config, &path, self.proxy),
            // The outline has told it, from the schema: in words that do not show the value, as these could.
            Err(_) if self.outline.problems.iter().any(|problem| problem.path.starts_with(&path)) => {
                return None;
            }
            Err(_) => {
                Err(vec![Problem::new(path, "one of the options has a value that does not fit its type")])
            }
        };
        checked.map_err(|found| self.problems.extend(found)).ok()
    }
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}
