//! Vector's own sinks for Azure become `sentinel_logs`: the new file, what to deploy for it, and what means something else.

use super::{data_collector, logs_ingestion};
use model::problem::Problem;
use pipeline_file::{Kind, PipelineFile, Variables, rewritten};
use serde_json::{Map, Value};

/// Vector's sink for the Logs Ingestion API.
pub(super) const LOGS_INGESTION: &str = "azure_logs_ingestion";
/// Vector's sink for the Data Collector API.
pub(super) const DATA_COLLECTOR: &str = "azure_monitor_logs";

/// What means something else in `sentinel_logs` than in both of Vector's sinks.
/// Source of the names: <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table>
pub(super) const MEANINGS: [&str; 10] = [
    "Fields named id, Title, Type, TenantId, UniqueId, BilledSize, IsBillable or InvalidTimeGenerated, in upper or lower case, \
     are columns with an underscore behind the name (id_): Azure reserves these names, and drops such columns.",
    "Fields whose names cannot be columns (anything but letters, digits and _, or over 45 characters) go into the column \
     ExtraColumns, which the rule should declare as dynamic.",
    "A field named kind is written as it is. Azure is known to drop it without an error: rename it in a remap.",
    "Requests are compressed with gzip and have at most 1 MB, which is the limit of the API.",
    "Retries do not end. What can never be accepted goes to the quarantine below data_dir; see `vector-sentinel quarantine`.",
    "At most 16 requests are in flight (request.adaptive_concurrency.max_concurrency_limit), where Vector has 200.",
    "Acknowledgements cannot be switched off.",
    "A TimeGenerated that the event has is the row's time, and its timestamp a column then; Vector's sinks overwrite it.",
    "encoding leaves the row's time alone, and what is left out is still in what is quarantined.",
    "encoding.timestamp_format changes every text that is a time in UTC, because a text and a time of Vector's look alike here.",
];

/// What a file becomes.
#[derive(Debug, Default)]
pub(super) struct Migration {
    /// The new file, in YAML, without the comments of the old.
    pub(super) pipeline: String,
    /// What was changed, by where it stood.
    pub(super) changes: Vec<Problem>,
    /// What has to be there before it runs, as commands and sentences.
    pub(super) to_deploy: Vec<String>,
    /// What means something else from now on.
    pub(super) meanings: Vec<&'static str>,
}

/// What is written down while sinks are changed.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) changes: Vec<Problem>,
    pub(super) to_deploy: Vec<String>,
    /// The beginnings of variables that were made up.
    variables: Vec<String>,
}

// === impl Notes ===

impl Notes {
    pub(super) fn changed(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.changes.push(Problem::new(path, what));
    }

    /// What new variables of a sink begin with: its id, as far as a shell can have it, and a number if another has that.
    pub(super) fn new_variable(&mut self, id: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = id.chars().map(letter).collect();
        let name =
            if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let new = names.find(|name| !self.variables.contains(name)).unwrap_or(name);
        self.variables.push(new.clone());
        new
    }

    /// Writes variables as they are in the file.
    fn write(&mut self, variables: &Variables) {
        for change in &mut self.changes {
            *change = Problem::new(variables.written(&change.path), variables.written(&change.message));
        }
        for text in &mut self.to_deploy {
            *text = variables.written(text);
        }
    }
}

/// Warnings about sinks of Vector's that `sentinel_logs` can take the place of.
pub(in crate::cli) fn warnings(file: &PipelineFile) -> Vec<Problem> {
    let sinks = file.stock_components(Kind::Sink).into_iter();
    let warnings = sinks.filter_map(|(path, name)| {
        let message = match name {
            LOGS_INGESTION => {
                "azure_logs_ingestion sends up to 10 MB at a time to a service that takes 1 MB, and drops what is refused; \
                 `vector-sentinel migrate` prints this file with sentinel_logs in its place"
            }
            DATA_COLLECTOR => {
                "azure_monitor_logs is gone in Vector 0.58, and its API has ended on 2026-09-14; `vector-sentinel migrate` \
                 prints this file with sentinel_logs in its place, and says what to deploy"
            }
            _ => return None,
        };
        Some(Problem::new(path, message))
    });
    warnings.collect()
}

/// Puts `sentinel_logs` in the place of each of those sinks; nothing if there is none.
pub(super) fn migrate(file: &PipelineFile) -> Result<Option<Migration>, Vec<Problem>> {
    let mut notes = Notes::default();
    let pipeline = rewritten(file, |tree, variables| {
        migrate_tree(tree, variables, &mut notes);
        notes.write(variables);
    })?;
    if notes.changes.is_empty() {
        return Ok(None);
    }
    let Notes { changes, to_deploy, .. } = notes;
    Ok(Some(Migration { pipeline, changes, to_deploy, meanings: MEANINGS.to_vec() }))
}

fn migrate_tree(tree: &mut Value, variables: &mut Variables, notes: &mut Notes) {
    let Some(Value::Object(sinks)) = tree.get_mut("sinks") else { return };
    for (id, entry) in sinks {
        let Value::Object(sink) = entry else { continue };
        let path = format!("sinks.{id}");
        match sink.get("type").and_then(Value::as_str).map(|name| variables.meant(name)).as_deref() {
            Some(LOGS_INGESTION) => logs_ingestion::migrate(&path, sink, notes),
            Some(DATA_COLLECTOR) => data_collector::migrate(id, sink, variables, notes),
            _ => continue,
        }
        without_effect(&path, sink, notes);
    }
}

/// Takes out what would have no effect.
fn without_effect(path: &str, sink: &mut Map<String, Value>, notes: &mut Notes) {
    if sink.shift_remove("retry_strategy").is_some() {
        notes.changed(format!("{path}.retry_strategy"), "removed: retries do not end");
    }
    for (map, option, why) in [
        ("request", "retry_attempts", "removed: retries do not end"),
        ("request", "retry_jitter_mode", "removed: waits are always shortened at random"),
    ] {
        if let Some(Value::Object(inner)) = sink.get_mut(map)
            && inner.shift_remove(option).is_some()
        {
            notes.changed(format!("{path}.{map}.{option}"), why);
            if inner.is_empty() {
                sink.shift_remove(map);
            }
        }
    }
    let is_off = |value: &Value| value == &Value::Bool(false) || value["enabled"] == Value::Bool(false);
    if sink.get("acknowledgements").is_some_and(is_off) {
        sink.shift_remove("acknowledgements");
        notes.changed(format!("{path}.acknowledgements"), "removed: they cannot be switched off");
    }
    let is_too_large =
        |batch: &Value| batch.get("max_bytes").and_then(Value::as_u64).is_some_and(|bytes| bytes > 1_048_576);
    if sink.get("batch").is_some_and(is_too_large)
        && let Some(Value::Object(batch)) = sink.get_mut("batch")
    {
        batch.shift_remove("max_bytes");
        if batch.is_empty() {
            sink.shift_remove("batch");
        }
        notes.changed(format!("{path}.batch.max_bytes"), "removed: the default is what the API takes, 1 MB");
    }
}

/// The type, with the id's other options behind it as they were.
pub(super) fn set_type(path: &str, sink: &mut Map<String, Value>, old: &str, notes: &mut Notes) {
    sink.insert("type".to_owned(), "sentinel_logs".into());
    notes.changed(format!("{path}.type"), format!("{old} became sentinel_logs"));
}
