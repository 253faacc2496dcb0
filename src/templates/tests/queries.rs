//! KQL, and what is built on it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sinks::sentinel_logs::layout::Layout;
use crate::templates::{functions, workbook};

/// Names that a query gives by itself.
const OWN: [&str; 20] = [
    "DefenderIncidentsLatest",
    "DefenderAlertsLatest",
    "DefenderEvidenceLatest",
    "StateTime",
    "Arrived",
    "AlertTime",
    "Piece",
    "DefenderIncidentTimeline",
    "IncidentId",
    "ClosedTime",
    "States",
    "Time",
    "What",
    "Name",
    "Details",
    "Who",
    "Data",
    "Closed",
    "Incidents",
    "Alerts",
];

/// Asserts that every name in a query is a column, a table or the query's own.
fn assert_names(query: &str) {
    let tables = Layout::Defender.tables();
    let known: BTreeSet<_> = tables
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| column.name).chain([table.name]))
        .chain(OWN)
        .collect();
    let code: Vec<_> = query.lines().filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    for word in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let is_name = word.starts_with(|first: char| first.is_ascii_uppercase());
        assert!(!is_name || known.contains(word) || word == "Incident", "{word}");
    }
    for (open, close) in [('(', ')'), ('{', '}')] {
        assert_eq!(code.matches(open).count(), code.matches(close).count());
    }
}

#[test]
fn functions_name_only_columns_that_there_are() {
    let functions = functions();
    assert_names(&functions);
    for table in Layout::Defender.tables() {
        assert!(functions.contains(table.name), "{}", table.name);
    }
}

#[test]
fn columns_that_a_table_of_before_lacks_are_named_as_such() {
    /// Columns of the tables of 0.1.0, and what queries give by themselves.
    const BEFORE: &str = "TimeGenerated ProviderIncidentId SourceTenantId IncidentLastModifiedTime SystemAlertId AdditionalData \
        LastModifiedTime IncidentTitle Status Severity Classification ModifiedBy StartTime CreatedTime AlertName AlertSeverity \
        Tactics ProductName EvidenceIndex EvidenceType FileName RemoteUrl IpAddress AccountUpn AccountName HostName EmailSubject \
        ResourceId Verdict RemediationStatus DefenderIncidents_CL DefenderAlerts_CL DefenderEvidence_CL";
    let functions = functions();
    // The leg of a table that is not there is left out as a whole.
    let (before, after) = functions.split_once("DefenderIncidentChanges_CL").unwrap();
    let code: Vec<_> =
        before.lines().chain(after.lines().skip(5)).filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let known: BTreeSet<_> = BEFORE.split_whitespace().chain(OWN).collect();
    for (at, word) in code.split(|c: char| !c.is_alphanumeric() && c != '_').enumerate() {
        let asked = code.contains(&format!("column_ifexists('{word}', "));
        let is_name = word.starts_with(|first: char| first.is_ascii_uppercase());
        assert!(!is_name || asked || known.contains(word), "{word}, word {at}");
    }
}

#[test]
fn the_workbook_is_a_workbook_whose_queries_name_what_there_is() {
    let workbook: Value = serde_json::from_str(&workbook()).unwrap();
    assert_eq!(workbook["version"], "Notebook/1.0");
    let items = workbook["items"].as_array().unwrap();
    let names: BTreeSet<_> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), items.len());
    let queries: Vec<_> = items.iter().filter(|item| item["type"] == 3).collect();
    assert_eq!(queries.len(), 3);
    for query in queries {
        assert_names(query["content"]["query"].as_str().unwrap());
        assert_eq!(query["content"]["timeContextFromParameter"], "TimeRange");
    }
}
