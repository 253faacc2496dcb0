//! The descriptions of tables.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::sinks::sentinel_logs::SentinelLogsConfig;
use crate::sinks::sentinel_logs::column::Column;
use crate::sinks::sentinel_logs::layout::{ColumnType, Layout, RAW_INCIDENTS, TableKind};
use microsoft::http::ProxyConfig;

/// Most columns of a table.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#log-analytics-workspaces>
const MAX_COLUMNS: usize = 500;

#[test]
fn tables_have_columns_that_a_workspace_can_have() {
    let tables = Layout::value_variants().iter().flat_map(|layout| layout.tables()).chain([&RAW_INCIDENTS]);
    for table in tables {
        let mut names = BTreeSet::new();
        for column in table.declared() {
            assert!(Column::is_declarable(column.name), "{}.{}", table.name, column.name);
            assert!(names.insert(column.name.to_lowercase()), "{}.{} twice", table.name, column.name);
            assert!(column.description.ends_with('.'), "{}.{}", table.name, column.name);
        }
        assert!(names.len() <= MAX_COLUMNS);
        assert_eq!(table.column_type("TimeGenerated"), Some(ColumnType::DateTime));
        match table.kind {
            TableKind::Custom => assert!(table.name.ends_with("_CL"), "{}", table.name),
            TableKind::BuiltIn { notes } => assert_eq!(table.column_type(notes), Some(ColumnType::String)),
        }
    }
}

#[test]
fn streams_are_named_as_the_service_wants_them() {
    let streams = |layout: Layout| {
        let tables = layout.tables().iter();
        tables.map(|table| (table.stream(), table.output_stream())).collect::<Vec<_>>()
    };
    let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    assert_eq!(streams(Layout::Syslog), [pair("Custom-Syslog", "Microsoft-Syslog")]);
    assert_eq!(streams(Layout::AsimAlert), [pair("Custom-ASimAlertEvent_CL", "Custom-ASimAlertEvent_CL")]);
    assert_eq!(streams(Layout::Raw), []);
}

#[test]
fn layouts_are_named_alike_in_files_and_on_the_command_line() {
    for layout in Layout::value_variants() {
        let name = layout.to_possible_value().unwrap().get_name().to_owned();
        assert_eq!(&serde_json::from_value::<Layout>(Value::String(name)).unwrap(), layout);
    }
    assert_eq!(Layout::default(), Layout::Raw);
    assert!(Layout::Raw.write_rows().is_none(), "it leaves an event as it is");
}

#[test]
fn options_that_a_layout_settles_are_refused() {
    let problems = |more: Value| {
        let mut options = json!({
            "auth": {"azure_credential_kind": "azure_cli"},
            "endpoint": "https://a.ingest.monitor.azure.com",
            "dcr_immutable_id": "dcr-000a00a000a00000a000000aa000a0aa",
        });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: SentinelLogsConfig = serde_json::from_value(options).unwrap();
        let found = config.validate("s", &ProxyConfig::default()).err().unwrap_or_default();
        found.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
    };
    assert_eq!(problems(json!({})), ["s.stream_name"]);
    assert_eq!(problems(json!({"layout": "defender"})), [""; 0]);
    let columns = ["TimeGenerated", "ExtraColumns", "TruncatedColumns"];
    let settled = problems(json!({"layout": "syslog", "columns": columns, "timestamp_field": "Time"}));
    for path in ["s.timestamp_field", "s.columns"] {
        assert!(settled.contains(&path.to_owned()), "{settled:?}");
    }
    assert_eq!(problems(json!({"layout": "defender", "syslog": {"extra": "column"}})), ["s.syslog"]);
}

#[test]
fn the_option_of_syslog_chooses_the_table_and_is_asked_for() {
    for (extra, column, is_warned) in [
        (json!({}), false, true),
        (json!({"extra": "append"}), false, false),
        (json!({"extra": "drop"}), false, false),
        (json!({"extra": "column"}), true, false),
    ] {
        let options = json!({
            "auth": {"azure_credential_kind": "azure_cli"},
            "endpoint": "https://a.ingest.monitor.azure.com",
            "dcr_immutable_id": "dcr-000a00a000a00000a000000aa000a0aa",
            "layout": "syslog", "syslog": extra,
        });
        let config: SentinelLogsConfig = serde_json::from_value(options).unwrap();
        let ready = config.validate("s", &ProxyConfig::default()).unwrap();
        let table = &ready.targets.layout.tables()[0];
        assert_eq!(table.column_type("ExtraFields_CF").is_some(), column, "{extra}");
        let warned = ready.warnings.iter().any(|warning| warning.path == "s.syslog.extra");
        assert_eq!(warned, is_warned, "{extra}");
    }
}
