//! Columns with types, and tables of the plan Auxiliary, through the sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use microsoft::http::ProxyConfig;
use model::event::Event;
use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, SimulatorConfig};
use vector_sentinel::sinks::sentinel_logs::SentinelLogsConfig;
use vector_sentinel::sinks::sentinel_logs::layout::Layout;

use crate::harness::Bench;
use crate::layouts::{dcr, fixture};
use crate::sink::{batch, sink};

const NANOS: &str = "2026-11-23T20:45:38.123456789Z";

async fn auxiliary(dcr: Dcr) -> Bench {
    Bench::start(SimulatorConfig { dcr: dcr.into_auxiliary(), ..SimulatorConfig::default() }).await
}

/// A table of typed columns, and those types as the option has them.
fn typed() -> (Dcr, Value) {
    let columns = [
        ("TimeGenerated", ColumnType::DateTime, "datetime"),
        ("message", ColumnType::String, "string"),
        ("seen", ColumnType::DateTime, "datetime"),
        ("size", ColumnType::Long, "long"),
        ("labels", ColumnType::Dynamic, "dynamic"),
        ("ExtraColumns", ColumnType::Dynamic, "dynamic"),
        ("TruncatedColumns", ColumnType::Dynamic, "dynamic"),
    ];
    let option = columns.iter().map(|(name, _, word)| ((*name).to_owned(), json!(word))).collect();
    let columns = columns.into_iter().map(|(name, kind, _)| (name.to_owned(), kind)).collect();
    let streams = [("Custom-Rows_CL".to_owned(), columns)].into();
    (Dcr::new("dcr-00000000000000000000000000000003".to_owned(), streams).unwrap(), Value::Object(option))
}

fn log() -> Value {
    json!({
        "timestamp": NANOS, "seen": NANOS, "message": {"nested": [1]}, "size": "12", "labels": {"a": "b"}, "new": [1],
    })
}

#[tokio::test]
async fn an_auxiliary_table_takes_every_log_whatever_is_in_it() {
    let (dcr, columns) = typed();
    let bench = auxiliary(dcr).await;
    let sink = sink(&bench, &json!({"columns": columns, "table_plan": "auxiliary"}));
    assert_eq!(sink.deliver(batch([log()])).await, BatchStatus::Delivered);
    let row = Value::Object(bench.simulator.rows()[0].columns.clone().into_iter().collect());
    let micros = "2026-11-23T20:45:38.123456Z";
    assert_eq!((&row["TimeGenerated"], &row["seen"]), (&json!(micros), &json!(micros)));
    assert_eq!(row["labels"], json!({"a": "b"}));
    assert_eq!(row["size"], 12, "nothing is lost by it");
    let expected = json!({"message": {"nested": [1]}, "new": [1]});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row["ExtraColumns"][name], value);
    }
    assert_eq!(bench.simulator.stats().type_mismatches, BTreeMap::new());
}

#[tokio::test]
async fn with_types_nothing_becomes_null_and_without_them_it_does() {
    let (dcr, columns) = typed();
    let names: Vec<_> = columns.as_object().unwrap().keys().cloned().collect();
    for (columns, lost) in [(columns, 0), (json!(names), 2)] {
        let config = SimulatorConfig { dcr: dcr.clone(), ..SimulatorConfig::default() };
        let bench = Bench::start(config).await;
        let sink = sink(&bench, &json!({"columns": columns}));
        assert_eq!(sink.deliver(batch([log()])).await, BatchStatus::Delivered);
        assert_eq!(bench.simulator.stats().type_mismatches.values().sum::<u64>(), lost);
    }
}

#[tokio::test]
async fn every_layout_fits_auxiliary_tables() {
    for (layout, name, fixtures) in [
        (Layout::Defender, "defender", &["defender-two-alerts", "defender-through-vector"][..]),
        (Layout::AsimAlert, "asim_alert", &["defender-two-alerts"]),
        (Layout::Syslog, "syslog", &["syslog-rfc5424", "syslog-plain"]),
        (Layout::CommonSecurityLog, "common_security_log", &["cef-merged", "cef-alone"]),
    ] {
        let bench = auxiliary(dcr(layout)).await;
        let events: Arc<[Event]> = fixtures.iter().map(|name| fixture(name)).collect();
        let options = json!({"layout": name, "stream_name": null, "table_plan": "auxiliary"});
        assert_eq!(sink(&bench, &options).deliver(events).await, BatchStatus::Delivered, "{name}");
        let stats = bench.simulator.stats();
        assert!(
            stats.rows_ingested > 0 && stats.type_mismatches.is_empty() && stats.columns_vanished.is_empty()
        );
    }
    // And without the option this would not be so.
    let bench = auxiliary(dcr(Layout::Syslog)).await;
    let event = Event::new(json!({"message": "m", "timestamp": NANOS}).to_string().into(), None);
    let options = json!({"layout": "syslog", "stream_name": null});
    assert_eq!(sink(&bench, &options).deliver([event].into()).await, BatchStatus::Rejected);
}

#[test]
fn what_an_auxiliary_table_could_not_take_is_told_by_validate() {
    let problems = |more: Value| {
        let mut all = json!({
            "auth": {"azure_credential_kind": "azure_cli"}, "endpoint": "https://a.ingest.monitor.azure.com",
            "dcr_immutable_id": "dcr-000a00a000a00000a000000aa000a0aa", "stream_name": "Custom-A_CL",
        });
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        let config: SentinelLogsConfig = serde_json::from_value(all).unwrap();
        let found = config.validate("s", &ProxyConfig::default()).err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let says = |more: Value, words: &str| {
        let found = problems(more);
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:#?}");
    };
    let (_, columns) = typed();
    assert_eq!(problems(json!({"columns": columns, "table_plan": "auxiliary"})), [""; 0]);
    says(json!({"table_plan": "auxiliary"}), "s.columns: is missing: a table of the plan Auxiliary");
    let names: Vec<_> = columns.as_object().unwrap().keys().collect();
    says(json!({"columns": names, "table_plan": "auxiliary"}), "the types must be known");
    let with = |name: &str, column_type: &str| {
        let mut columns = columns.clone();
        columns[name] = json!(column_type);
        json!({"columns": columns, "table_plan": "auxiliary"})
    };
    says(with("Message", "string"), "is there twice, in another case");
    says(with("TimeGenerated", "string"), "TimeGenerated must be of the type datetime");
    says(with("ExtraColumns", "string"), "ExtraColumns must be of the type dynamic");
    let syslog = |plan: &str| json!({"layout": "syslog", "table_plan": plan});
    says(syslog("basic"), "Syslog has no plan Basic");
    assert_eq!(problems(syslog("auxiliary")), [""; 0]);
}
