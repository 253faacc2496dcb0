//! From an outline to options that were checked: everything a topology is built from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::outline::{Component, ComponentType, Kind, Outline};
use super::secrets::has_placeholder;
use crate::client::http::ProxyConfig;
use crate::model::problem::Problem;
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

/// Checks the options of every component in `outline`, and tells all problems at once. `environment` may name proxies.
pub fn plan(outline: Outline, environment: &BTreeMap<String, String>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    let proxy: ProxyConfig =
        outline.proxy.and_then(|proxy| serde_json::from_value(proxy).ok()).unwrap_or_default();
    let proxy = proxy.or_environment(|name| environment.get(name).map(String::as_str));
    proxy.validate("proxy", &mut problems);

    let mut sources = Vec::new();
    for component in outline.sources {
        let path = format!("sources.{}", component.id);
        let checked =
            validate(&component, &path, |config: DefenderIncidentsConfig| config.validate(&path, &proxy));
        match checked {
            Ok(plan) => sources.push(PlannedSource {
                id: component.id,
                plan: SourcePlan::DefenderIncidents(Box::new(plan)),
            }),
            Err(found) => problems.extend(found),
        }
    }
    let mut sinks = Vec::new();
    for component in outline.sinks {
        let path = format!("sinks.{}", component.id);
        let checked =
            validate(&component, &path, |config: SentinelLogsConfig| config.validate(&path, &proxy));
        match checked {
            Ok(plan) => sinks.push(PlannedSink {
                id: component.id,
                inputs: component.inputs,
                plan: SinkPlan::SentinelLogs(Box::new(plan)),
            }),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let data_dir = outline.data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
    Ok(Plan { data_dir, sources, sinks, warnings: outline.warnings })
}

/// Checks the options of every component without the values of secrets: an option whose value is still a placeholder is
/// taken to be right. Answers what works, but perhaps not as its author thinks.
pub fn check(outline: Outline, environment: &BTreeMap<String, String>) -> Result<Vec<Problem>, Vec<Problem>> {
    let components = || outline.sources.iter().chain(&outline.sinks);
    let options: Vec<(String, Value)> =
        components().map(|component| (component.id.clone(), component.options.clone())).collect();
    let is_unknown = |problem: &Problem| {
        let mut path = problem.path.split('.').skip(1);
        let options = path.next().and_then(|id| options.iter().find(|(other, _)| other == id));
        let value =
            options.and_then(|(_, options)| path.try_fold(options, |value, option| value.get(option)));
        value.and_then(Value::as_str).is_some_and(has_placeholder)
    };
    let warnings = outline.warnings.clone();
    match plan(outline, environment) {
        Ok(_) => Ok(warnings),
        Err(mut problems) => {
            problems.retain(|problem| !is_unknown(problem));
            if problems.is_empty() { Ok(warnings) } else { Err(problems) }
        }
    }
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

fn validate<C: DeserializeOwned, V>(
    component: &Component,
    path: &str,
    by_type: impl FnOnce(C) -> Result<V, Vec<Problem>>,
) -> Result<V, Vec<Problem>> {
    // The types were checked against the schema; the error's own words could show a value.
    let config = serde_json::from_value(component.options.clone())
        .map_err(|_| vec![Problem::new(path, "one of the options has a value that does not fit its type")])?;
    by_type(config)
}
