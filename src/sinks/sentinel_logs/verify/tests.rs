use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::marked::{MarkedRow, of_fields, of_layout};
use super::*;
use crate::sinks::sentinel_logs::columns::ColumnsConfig;
use microsoft::data_collection_rules::NamedColumn;

const MARKER: &str = "vector-sentinel-verify-1";

fn now() -> DateTime<Utc> {
    "2026-11-28T10:00:00.123456Z".parse().unwrap()
}

fn row(marked: &MarkedRow) -> Value {
    serde_json::from_slice(&marked.json).unwrap()
}

#[test]
fn every_table_of_a_layout_has_a_marked_row_that_fits_it() {
    let layouts = [
        (Layout::Defender, "ProviderIncidentId"),
        (Layout::AsimAlert, "EventUid"),
        (Layout::CommonSecurityLog, "ExtID"),
        (Layout::Syslog, "SyslogMessage"),
        (Layout::SyslogWithExtra, "SyslogMessage"),
        (Layout::SyslogWithoutExtra, "SyslogMessage"),
    ];
    for (layout, column) in layouts {
        // Rows of changes come of events that a source emits when it is asked to, and are not verified.
        for table in layout.tables().iter().filter(|table| !table.name.contains("Changes")) {
            let marked = of_layout(layout, TablePlan::Auxiliary, Some(table.name), MARKER, now()).unwrap();
            assert_eq!(marked.condition, format!("{column} == '{MARKER}'"));
            let row = row(&marked);
            assert_eq!(row[column], MARKER, "{}", table.name);
            assert!(row["TimeGenerated"].as_str().unwrap().starts_with("2026-11-28T10:00:00.123"), "{row}");
            let declared: Vec<_> = table.declared().map(|column| column.name).collect();
            assert!(row.as_object().unwrap().keys().all(|name| declared.contains(&name.as_str())), "{row}");
        }
        assert!(of_layout(layout, TablePlan::Analytics, None, MARKER, now()).is_some());
    }
    // Nobody is called for it.
    let incident = row(&of_layout(Layout::Defender, TablePlan::Analytics, None, MARKER, now()).unwrap());
    assert_eq!(
        json!([incident["Status"], incident["Severity"], incident["Classification"]]),
        json!(["Closed", "Informational", "BenignPositive"])
    );
    let alert = row(&of_layout(Layout::AsimAlert, TablePlan::Analytics, None, MARKER, now()).unwrap());
    assert_eq!(json!([alert["AlertStatus"], alert["EventSeverity"]]), json!(["Closed", "Informational"]));
    assert!(of_layout(Layout::Raw, TablePlan::Analytics, None, MARKER, now()).is_none());
}

#[test]
fn events_that_stay_as_they_are_are_marked_beside_their_columns() {
    let declared = |columns: &[(&str, &str)]| -> Vec<NamedColumn> {
        let named = |(name, column_type): &(&str, &str)| NamedColumn {
            name: (*name).to_owned(),
            column_type: (*column_type).to_owned(),
        };
        columns.iter().map(named).collect()
    };
    let extra = format!("tostring(ExtraColumns.vector_sentinel_verify) == '{MARKER}'");
    let text = |column: &str| format!("{column} == '{MARKER}'");
    let types: ColumnsConfig =
        serde_json::from_value(json!({"host": "string", "message": "string"})).unwrap();
    let with_extra = declared(&[("host", "string"), ("ExtraColumns", "dynamic")]);
    let without = declared(&[("n", "int"), ("host", "String"), ("message", "string")]);
    for (declared, columns, table, condition) in [
        (Some(with_extra.as_slice()), None, "T_CL", extra.clone()),
        (Some(&with_extra), None, "Syslog", text("host")),
        (Some(&without), None, "T_CL", text("message")),
        (Some(&declared(&[("n", "int")])), None, "T_CL", extra.clone()),
        (None, Some(&types), "T_CL", extra.clone()),
        (None, Some(&types), "Syslog", text("message")),
        (None, None, "T_CL", extra),
    ] {
        let marked = of_fields(declared, columns, "Seen", table, MARKER, now());
        assert_eq!(marked.condition, condition);
        let row = row(&marked);
        assert_eq!(row["Seen"], "2026-11-28T10:00:00.123456Z");
        assert_eq!(row.as_object().unwrap().len(), 2, "{row}");
    }
}

#[test]
fn the_rule_says_where_rows_go() {
    let rule: DataCollectionRule = serde_json::from_value(json!({"properties": {
        "destinations": {"logAnalytics": [
            {"name": "other", "workspaceId": "0"}, {"name": "here", "workspaceResourceId": "/w", "workspaceId": "9"},
        ]},
        "dataFlows": [
            {"streams": ["Custom-a"], "destinations": ["other"], "outputStream": "Custom-A_CL"},
            {"streams": ["custom-B"], "destinations": ["here"], "outputStream": "Microsoft-Syslog"},
        ],
    }}))
    .unwrap();
    let key = |stream: &str| StreamKey {
        rule: "dcr-1".to_owned(),
        stream: stream.to_owned(),
        table: None,
        is_candidate: false,
    };
    let found = |stream: &str| {
        let key = key(stream);
        (table_of(&key, Some(&rule)), workspace_of(&key, &rule))
    };
    assert_eq!(found("Custom-A"), ("A_CL".to_owned(), Some("0".to_owned())));
    assert_eq!(found("Custom-B"), ("Syslog".to_owned(), Some("9".to_owned())));
    assert_eq!(found("Custom-C_CL' | x"), ("C_CLx".to_owned(), None));
    assert_eq!(table_of(&key("Custom-Mine_CL"), None), "Mine_CL");
}

#[test]
fn a_stream_that_events_need_not_choose_is_no_failure_if_its_rule_and_its_name_work() {
    let key = |rule: &str, stream: &str| StreamKey {
        rule: rule.to_owned(),
        stream: stream.to_owned(),
        table: None,
        is_candidate: true,
    };
    let keys = [key("1", "A"), key("1", "B"), key("2", "A"), key("2", "B")];
    let keys: Vec<_> = keys.iter().collect();
    let missing = |taken: [bool; 4]| -> Vec<bool> {
        let found = |(key, taken): (&&StreamKey, bool)| {
            (Verified::new(key, Arrival::Missing("not there".to_owned())), taken)
        };
        let found = excused(&keys, keys.iter().zip(taken).map(found).collect());
        found.iter().map(|verified| matches!(verified.arrival, Arrival::Missing(_))).collect()
    };
    // A row that was taken and is not there is missing, whoever chose its stream.
    assert_eq!(missing([true, false, false, true]), [true, false, false, true]);
    assert_eq!(missing([true, false, false, false]), [true; 4]);
    assert_eq!(missing([false; 4]), [true; 4]);
}
