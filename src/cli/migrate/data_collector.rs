//! `azure_monitor_logs`: the service that it wrote to has ended, so that most of its options have no successor.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/logs/custom-logs-migrate>

use pipeline_file::Variables;
use serde_json::{Map, Value, json};

use super::sinks::{DATA_COLLECTOR, Notes, set_type};
use crate::sinks::sentinel_logs::layout::Table;

/// Writes a sink anew.
pub(super) fn migrate(id: &str, sink: &mut Map<String, Value>, variables: &mut Variables, notes: &mut Notes) {
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
    gone(
        "time_generated_key",
        &time_key,
        "removed: the row's time is the event's timestamp, as it was; no field of this name is written any more. If another \
         field has the time, make it the timestamp in a remap",
    );
    let old_table = log_type.as_ref().and_then(Value::as_str).unwrap_or("Logs").to_owned();
    let table = new_table(&old_table, variables);
    gone(
        "log_type",
        &log_type,
        &format!("became stream_name: Custom-{table}, of a table that has to be created"),
    );
    let host_meant = host.as_ref().and_then(Value::as_str).map(|host| variables.meant(host));
    let cloud = host_meant.as_deref().and_then(|host| match host.rsplit('.').next() {
        Some("us") => Some("usgov"),
        Some("cn") => Some("china"),
        _ => None,
    });
    let became = match (cloud, host_meant.as_deref()) {
        (Some(cloud), _) => format!("became cloud: {cloud}"),
        (None, Some("ods.opinsights.azure.com")) => "removed: cloud is public by default".to_owned(),
        (None, _) => "removed: set cloud, if it was not the public one".to_owned(),
    };
    gone("host", &host, &became);

    let variable = notes.new_variable(id);
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
        "{path}: a table, a rule, and the identity's role on it, which these print and create:\n    vector-sentinel generate dcr \
         --layout raw --table {table} --column message:string --column host:string > {file}.bicep\n    az deployment group create \
         --resource-group <the workspace's> --template-file {file}.bicep --parameters workspaceName=<the workspace> \
         principalId=<object id of the identity>\n    Its outputs: ingestionEndpoint is {variable}_ENDPOINT, dcrImmutableId is \
         {variable}_DCR_IMMUTABLE_ID",
        file = variable.to_lowercase()
    ));
    notes.to_deploy.push(format!(
        "{path}: the table {old_table}_CL stays, with column names like message_s, and gets no more rows; read both with \
         `union {old_table}_CL, {table}`. `az monitor log-analytics workspace table migrate` would let a rule write into the old \
         one, whose column names a transformation has to make then"
    ));
}

/// A name for the table in the place of the old one, which a rule can have.
fn new_table(old_table: &str, variables: &Variables) -> String {
    let new = format!("{old_table}V2_CL");
    let meant = variables.meant(&new);
    // What a variable that is not there stands for is not known.
    if meant.contains("${") || Table::is_custom_name(&meant) {
        return new;
    }
    // Longer than a table's name may be, or no letter first.
    let letters = old_table.trim_start_matches(|first: char| !first.is_ascii_alphabetic());
    let short: String = letters.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if short.is_empty() { "LogsV2_CL".to_owned() } else { format!("{short}V2_CL") }
}
