//! From an outline to options that were checked: everything a topology is built from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::outline::{Component, ComponentType, Kind, Outline};
use crate::client::http::ProxyConfig;
use crate::model::problem::{Problem, tidy};
use crate::sinks::sentinel_logs::{self, SentinelLogsConfig};
use crate::sources::defender_incidents::{self, DefenderIncidentsConfig};

/// Where state is kept if the file does not say: as Vector.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#data_dir>
const DEFAULT_DATA_DIR: &str = "/var/lib/vector/";

/// A pipeline whose every option was checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// The sources, in the file's order.
    pub sources: Vec<PlannedSource>,
    /// The sinks, in the file's order.
    pub sinks: Vec<PlannedSink>,
    /// What works, but perhaps not as its author thinks.
    pub warnings: Vec<Problem>,
}

/// One source.
#[derive(Clone, Debug)]
pub struct PlannedSource {
    /// Its id in the file.
    pub id: String,
    /// Its options.
    pub plan: SourcePlan,
}

/// One sink.
#[derive(Clone, Debug)]
pub struct PlannedSink {
    /// Its id in the file.
    pub id: String,
    /// The sources whose events it takes.
    pub inputs: Vec<String>,
    /// Its options.
    pub plan: SinkPlan,
}

/// The options of a source, by its type.
#[derive(Clone, Debug)]
pub enum SourcePlan {
    /// `defender_incidents`
    DefenderIncidents(Box<defender_incidents::Validated>),
}

/// The options of a sink, by its type.
#[derive(Clone, Debug)]
pub enum SinkPlan {
    /// `sentinel_logs`
    SentinelLogs(Box<sentinel_logs::Validated>),
}

/// The component types there are.
#[must_use]
pub fn catalogue() -> Vec<ComponentType> {
    vec![
        ComponentType {
            kind: Kind::Source,
            name: "defender_incidents",
            schema: schema::<DefenderIncidentsConfig>,
        },
        ComponentType { kind: Kind::Sink, name: "sentinel_logs", schema: schema::<SentinelLogsConfig> },
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

    let mut sources = Vec::new();
    for component in &outline.sources {
        let path = format!("sources.{}", component.id);
        let checked =
            validate(outline, component, &path, &mut problems, |config: DefenderIncidentsConfig| {
                config.validate(&path, &proxy)
            });
        let plan = checked.map(|plan| SourcePlan::DefenderIncidents(Box::new(plan)));
        sources.extend(plan.map(|plan| PlannedSource { id: component.id.clone(), plan }));
    }
    let mut sinks = Vec::new();
    for component in &outline.sinks {
        let path = format!("sinks.{}", component.id);
        let checked = validate(outline, component, &path, &mut problems, |config: SentinelLogsConfig| {
            config.validate(&path, &proxy)
        });
        let plan = checked.map(|plan| SinkPlan::SentinelLogs(Box::new(plan)));
        let (id, inputs) = (component.id.clone(), component.inputs.clone());
        sinks.extend(plan.map(|plan| PlannedSink { id, inputs, plan }));
    }
    // What the schema has told of an option is not told again in other words.
    problems.retain(|problem| !outline.problems.iter().any(|told| told.path == problem.path));
    let data_dir = outline.data_dir.clone().unwrap_or_else(|| DEFAULT_DATA_DIR.into());
    let plan = Plan { data_dir, sources, sinks, warnings: outline.warnings.clone() };
    (plan, problems)
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

/// The checked options of a component; nothing if something is wrong, which is then told.
fn validate<C: DeserializeOwned, V>(
    outline: &Outline,
    component: &Component,
    path: &str,
    problems: &mut Vec<Problem>,
    by_type: impl FnOnce(C) -> Result<V, Vec<Problem>>,
) -> Option<V> {
    let checked = match serde_json::from_value(component.options.clone()) {
        Ok(config) => by_type(config),
        // The outline has told it, from the schema: in words that do not show the value, as these could.
        Err(_) if outline.problems.iter().any(|problem| problem.path.starts_with(path)) => return None,
        Err(_) => Err(vec![Problem::new(path, "one of the options has a value that does not fit its type")]),
    };
    checked.map_err(|found| problems.extend(found)).ok()
}
