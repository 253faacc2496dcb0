//! Data collection rules and tables as Azure Resource Manager shows them.

// https://learn.microsoft.com/rest/api/monitor/data-collection-rules/get
// https://learn.microsoft.com/rest/api/loganalytics/tables/get

use serde_json::{Value, json};

use crate::arm::Answered;
use crate::core::request::ApiRequest;
use crate::core::responses::ApiError;
use crate::ingestion::{ColumnType, Columns, Dcr, Flow};
use crate::sim_state::SimState;

const RULE_VERSION: &str = "2023-03-11";
const TABLE_VERSION: &str = "2025-07-01";
/// The workspace's own id, which queries name.
pub(crate) const WORKSPACE_ID: &str = "9ba8bc53-bd36-4156-8667-e983e7ae0e4f";

/// Answers `GET .../providers/Microsoft.Insights/dataCollectionRules/{name}`
pub(crate) fn rule(request: &ApiRequest) -> Answered {
    request.check(RULE_VERSION)?;
    if !request.state.config.roles.reads_rules {
        return Err(request.forbidden("Microsoft.Insights/dataCollectionRules/read"));
    }
    let rules = all(&request.state);
    let found = rules
        .into_iter()
        .find(|rule| rule["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(request.uri.path())));
    found.ok_or_else(|| {
        let message = format!("The Resource '{}' was not found.", request.uri.path());
        ApiError::not_found("ResourceNotFound", message)
    })
}

/// Answers `GET .../providers/Microsoft.OperationalInsights/workspaces/{workspace}/tables/{name}`
pub(crate) fn table(request: &ApiRequest) -> Answered {
    request.check(TABLE_VERSION)?;
    if !request.state.config.roles.reads_tables {
        return Err(request.forbidden("Microsoft.OperationalInsights/workspaces/tables/read"));
    }
    let name = request.name();
    let Some(columns) = columns_of(&request.state, name) else {
        let message = format!("Table '{name}' was not found.");
        return Err(ApiError::not_found("TableNotFound", message));
    };
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, kind)| json!({"name": name, "type": in_table(*kind), "isDefaultDisplay": false, "isHidden": false}))
        .collect();
    let tenant_id = json!({"name": "TenantId", "type": "guid", "isDefaultDisplay": false, "isHidden": false});
    // Of a table of Microsoft's, all columns are standard ones.
    let (own, standard) = if name.ends_with("_CL") {
        (json!(columns), json!([tenant_id]))
    } else {
        (Value::Null, columns.into_iter().chain([tenant_id]).collect())
    };
    Ok(json!({
        "id": request.uri.path(),
        "name": name,
        "properties": {
            "plan": plan_of(&request.state, name),
            "provisioningState": "Succeeded",
            "retentionInDays": 30,
            "schema": {
                "name": name,
                "tableType": if name.ends_with("_CL") { "CustomLog" } else { "Microsoft" },
                "columns": own,
                "standardColumns": standard,
            },
        },
    }))
}

/// Every rule, as Azure Resource Manager has it.
pub(crate) fn all(state: &SimState) -> Vec<Value> {
    state.config.rules().enumerate().map(|(index, rule)| resource(state, index, rule)).collect()
}

fn resource(state: &SimState, index: usize, rule: &Dcr) -> Value {
    let name = format!("rule-{}", index + 1);
    let workspace = &state.config.workspace;
    let group = workspace.group();
    let streams = rule.streams.iter().map(|(stream, columns)| {
        let columns = columns.iter().map(|(name, kind)| json!({"name": name, "type": in_stream(*kind)}));
        (stream.clone(), json!({"columns": columns.collect::<Vec<_>>()}))
    });
    let flows = rule.flows.iter().map(|flow| {
        json!({
            "streams": flow.streams,
            "destinations": ["workspace"],
            "transformKql": flow.transform_kql,
            "outputStream": flow.output_stream,
        })
    });
    let url = rule.host.as_ref().map_or_else(|| state.url.clone(), |host| state.url_of(host));
    let direct = rule.kind.as_deref() == Some("Direct");
    let endpoint = format!("{group}/providers/Microsoft.Insights/dataCollectionEndpoints/endpoint");
    json!({
        "id": format!("{group}/providers/Microsoft.Insights/dataCollectionRules/{name}"),
        "name": name,
        "type": "Microsoft.Insights/dataCollectionRules",
        "location": rule.location,
        "kind": rule.kind,
        "properties": {
            "immutableId": rule.immutable_id,
            "dataCollectionEndpointId": if direct { Value::Null } else { endpoint.into() },
            "endpoints": if direct { json!({"logsIngestion": url}) } else { Value::Null },
            "streamDeclarations": streams.collect::<serde_json::Map<_, _>>(),
            "destinations": {"logAnalytics": [{
                "workspaceResourceId": workspace.resource_id(),
                "workspaceId": WORKSPACE_ID,
                "name": "workspace",
            }]},
            "dataFlows": flows.collect::<Vec<_>>(),
            "provisioningState": "Succeeded",
        },
    })
}

/// What a table has: what the configuration says, or else what the streams have that go there.
pub(crate) fn columns_of(state: &SimState, table: &str) -> Option<Columns> {
    if let Some(told) = state.config.tables.get(table) {
        return told.clone();
    }
    let mut columns = Columns::new();
    for (rule, stream) in streams_into(state, table) {
        columns.extend(rule.streams.get(stream).cloned().unwrap_or_default());
    }
    (!columns.is_empty()).then_some(columns)
}

// https://learn.microsoft.com/azure/azure-monitor/logs/data-platform-logs#table-plans
pub(crate) fn plan_of(state: &SimState, table: &str) -> &'static str {
    let auxiliary = streams_into(state, table).any(|(rule, stream)| rule.auxiliary.contains(stream));
    if auxiliary { "Auxiliary" } else { "Analytics" }
}

/// The streams whose rows go into a table.
pub(crate) fn streams_into<'w>(
    state: &'w SimState,
    table: &str,
) -> impl Iterator<Item = (&'w Dcr, &'w String)> {
    let is_here = move |flow: &&Flow| {
        let output = flow.output_stream.as_deref().unwrap_or_default();
        output.strip_prefix("Custom-").or_else(|| output.strip_prefix("Microsoft-")) == Some(table)
    };
    let streams = move |rule: &'w Dcr| {
        let flows = rule.flows.iter().filter(is_here);
        flows.flat_map(|flow| &flow.streams).map(move |stream| (rule, stream))
    };
    state.config.rules().flat_map(streams)
}

// https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations
const fn in_stream(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "string",
        ColumnType::Int => "int",
        ColumnType::Long => "long",
        ColumnType::Real => "real",
        ColumnType::Boolean => "boolean",
        ColumnType::Dynamic => "dynamic",
        ColumnType::DateTime => "datetime",
    }
}

// https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables#column
const fn in_table(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::DateTime => "dateTime",
        other => in_stream(other),
    }
}
