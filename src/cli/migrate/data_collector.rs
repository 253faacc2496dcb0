//! `azure_monitor_logs`: the service that it wrote to has ended, so that most of its options have no successor.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/logs/custom-logs-migrate>

use pipeline_file::Variables;
use serde_json::{Map, Value, json};

use super::sinks::{DATA_COLLECTOR, Notes, set_type};

/// Writes a sink anew. Answers the transforms that it needs in front of it.
pub(super) fn migrate(
    id: &str,
    sink: &mut Map<String, Value>,
    variables: &mut Variables,
    notes: &mut Notes,
) -> Map<String, Value> {
    let path = &format!("sinks.{id}");
    set_type(path, sink, DATA_COLLECTOR, notes);
    let mut take = |option: &str| sink.shift_remove(option);
    let (customer_id, shared_key) = (take("customer_id"), take("shared_key"));
    let (log_type, resource_id) = (take("log_type"), take("azure_resource_id"));
    let (host, time_key) = (take("host"), take("time_generated_key"));
    let mut gone = |option: &str, value: &Option<Value>, why: &str| {
        if value.is_some() {
            notes.changed(format!("{path}.{option}"), why);
        }
    };
    gone(
        "customer_id",
        &customer_id,
        "removed, without a successor: the data collection rule names the workspace",
    );
    gone(
        "shared_key",
        &shared_key,
        "removed, without a successor: auth names an identity, which needs the role Monitoring Metrics Publisher on the rule",
    );
    gone(
        "azure_resource_id",
        &resource_id,
        "removed, without a successor: write it into a field of your own, in a remap",
    );
    let old_table = log_type.as_ref().and_then(Value::as_str).unwrap_or("Logs").to_owned();
    let table = format!("{old_table}V2_CL");
    gone(
        "log_type",
        &log_type,
        &format!("became stream_name: Custom-{table}, of a table that has to be created"),
    );
    let cloud = host.as_ref().and_then(Value::as_str).and_then(|host| match host.rsplit('.').next() {
        Some("us") => Some("usgov"),
        Some("cn") => Some("china"),
        _ => None,
    });
    gone("host", &host, &cloud.map_or("removed".to_owned(), |cloud| format!("became cloud: {cloud}")));

    let variable: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let mut asked =
        |what: &str, why: &str| Value::String(variables.add(&format!("${{{variable}_{what}:?{why}}}")));
    let mut added = json!({
        "auth": {"azure_credential_kind": "managed_identity"},
        "endpoint": asked("ENDPOINT", "the logs ingestion URL of the rule"),
        "dcr_immutable_id": asked("DCR_IMMUTABLE_ID", "the immutable id of the rule, which begins with dcr-"),
        "stream_name": format!("Custom-{table}"),
        "columns": {
            "TimeGenerated": "datetime", "message": "string", "host": "string",
            "ExtraColumns": "dynamic", "TruncatedColumns": "dynamic",
        },
    });
    if let Some(cloud) = cloud {
        added["cloud"] = cloud.into();
    }
    if let Value::Object(added) = added {
        sink.extend(added);
    }
    notes.changed(format!("{path}.auth"), "added: managed_identity; change it if this runs outside Azure");
    notes.changed(
        format!("{path}.endpoint"),
        format!("added, with dcr_immutable_id: set {variable}_ENDPOINT and {variable}_DCR_IMMUTABLE_ID, or write them in"),
    );
    notes.changed(
        format!("{path}.columns"),
        "added: message and host have columns, and every other field goes into ExtraColumns; give more fields columns here, and \
         in the command that prints the rule",
    );
    notes.to_deploy.push(format!(
        "{path}: a table and a rule, which this prints; its outputs are the two variables:\n    vector-sentinel generate dcr \
         --layout raw --table {table} --column message:string --column host:string > {}.bicep",
        table.to_lowercase()
    ));
    notes.to_deploy.push(format!(
        "{path}: the table {old_table}_CL stays, with column names like message_s, and gets no more rows; read both with \
         `union {old_table}_CL, {table}`. `az monitor log-analytics workspace table migrate` would let a rule write into the old \
         one, whose column names a transformation has to make then"
    ));
    let Some(key) = time_key else { return Map::new() };
    time_of(id, path, &key, sink, notes)
}

/// A transform in front of the sink that puts the time where the sink looks for it.
fn time_of(
    id: &str,
    path: &str,
    key: &Value,
    sink: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let name = format!("{id}_time");
    let key = key.as_str().unwrap_or_default().trim_start_matches('.');
    let inputs = sink.insert("inputs".to_owned(), json!([name]));
    notes.changed(
        format!("{path}.time_generated_key"),
        format!("became transforms.{name}, which writes .TimeGenerated = .{key}"),
    );
    let remap = json!({"type": "remap", "inputs": inputs, "source": format!(".TimeGenerated = .{key}")});
    [(name, remap)].into_iter().collect()
}
