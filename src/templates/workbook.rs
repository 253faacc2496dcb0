//! A workbook over the tables of the layout `defender`.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/visualize/workbooks-automate>

use serde_json::{Value, json};

use super::kql::{LATEST, TIMELINE};

/// Where queries run.
const WORKSPACES: &str = "microsoft.operationalinsights/workspaces";

/// The workbook as the advanced editor takes it: open incidents by severity, all of them, and the timeline of the one that is
/// chosen.
pub fn workbook() -> String {
    let by_severity = format!(
        "{LATEST}DefenderIncidentsLatest()\n| where Status != 'Closed'\n| summarize Incidents = count() by Severity"
    );
    let incidents = format!(
        "{LATEST}DefenderIncidentsLatest()\n| project ProviderIncidentId, LastModifiedTime, Severity, Status, \
         IncidentTitle, Owner = tostring(Owner.assignedTo), Alerts = array_length(AlertIds), IncidentUrl\n\
         | sort by LastModifiedTime desc"
    );
    let timeline = format!("{TIMELINE}DefenderIncidentTimeline('{{Incident}}')");
    let mut chosen = query("incidents", "Incidents: choose one", &incidents, "table");
    chosen["content"]["exportFieldName"] = "ProviderIncidentId".into();
    chosen["content"]["exportParameterName"] = "Incident".into();
    let mut of_chosen = query("timeline", "What happened in {Incident}", &timeline, "table");
    of_chosen["conditionalVisibility"] =
        json!({"parameterName": "Incident", "comparison": "isNotEqualTo", "value": ""});
    let workbook = json!({
        "version": "Notebook/1.0",
        "items": [
            {"type": 1, "content": {"json": "# Defender incidents"}, "name": "title"},
            time_range(),
            query("severities", "Open incidents by severity", &by_severity, "piechart"),
            chosen,
            of_chosen,
        ],
        "fallbackResourceIds": [],
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    });
    format!("{workbook:#}")
}

fn time_range() -> Value {
    let days = |days: u64| days * 24 * 60 * 60 * 1000;
    let choices: Vec<_> = [1, 7, 30, 90].iter().map(|count| json!({"durationMs": days(*count)})).collect();
    json!({
        "type": 9,
        "content": {
            "version": "KqlParameterItem/1.0",
            "parameters": [{
                "id": "5f1c7c1e-2d0b-4f3e-9a86-6b6a5f0f4c11",
                "version": "KqlParameterItem/1.0",
                "name": "TimeRange",
                "type": 4,
                "isRequired": true,
                "value": {"durationMs": days(7)},
                "typeSettings": {"selectableValues": choices},
            }],
            "style": "pills",
            "queryType": 0,
            "resourceType": WORKSPACES,
        },
        "name": "parameters",
    })
}

fn query(name: &str, title: &str, query: &str, visualization: &str) -> Value {
    json!({
        "type": 3,
        "content": {
            "version": "KqlItem/1.0",
            "query": query,
            "size": 0,
            "title": title,
            "timeContextFromParameter": "TimeRange",
            "queryType": 0,
            "resourceType": WORKSPACES,
            "visualization": visualization,
        },
        "name": name,
    })
}
