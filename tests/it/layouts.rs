//! Rows of each layout, through the sink, into the simulator with the rule that the template declares.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::{Value, json};
use vector_sentinel::delivery::{BatchStatus, Deliver};
use vector_sentinel::model::event::{Batch, Event};
use vector_sentinel::simulator::{Dcr, SimulatorConfig};
use vector_sentinel::sinks::sentinel_logs::layout::{Layout, Row};
use vector_sentinel::templates::{Format, rule};

use crate::harness::Bench;
use crate::sink::sink;

/// The rule in a template, read by the simulator as it would read any.
fn dcr(layout: Layout) -> Dcr {
    let template: Value = serde_json::from_str(&rule(layout, Format::Arm, false)).unwrap();
    let mut resources = template["resources"].as_array().unwrap().iter();
    let rule = resources.find(|resource| resource["type"] == "Microsoft.Insights/dataCollectionRules");
    Dcr::from_json(&rule.unwrap().to_string()).unwrap()
}

fn fixture(name: &str) -> Event {
    let path = format!("{}/tests/fixtures/layouts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Event::new(std::fs::read(path).unwrap().into(), None)
}

/// Sends all rows of a layout's events, each to the stream of its table, and asserts that nothing of them is lost.
async fn send(layout: Layout, events: &[Event]) -> Bench {
    let bench = Bench::start(SimulatorConfig { dcr: dcr(layout), ..SimulatorConfig::default() }).await;
    let mut by_table: HashMap<&str, Vec<Event>> = HashMap::new();
    for Row { table, event } in events.iter().flat_map(|event| layout.rows(event).unwrap()) {
        by_table.entry(table).or_default().push(event);
    }
    for table in layout.tables() {
        let columns: Vec<_> = table.declared().map(|column| column.name).collect();
        let sink = sink(&bench, &json!({"stream_name": table.stream(), "columns": columns}));
        let rows: Batch = by_table.remove(table.name).unwrap_or_default().into();
        if !rows.is_empty() {
            assert_eq!(sink.deliver(rows).await, BatchStatus::Delivered);
        }
    }
    assert!(by_table.is_empty());
    let stats = bench.simulator.stats();
    assert_eq!(stats.columns_vanished, BTreeMap::new());
    assert_eq!(stats.type_mismatches, BTreeMap::new());
    assert_eq!(stats.fields_truncated, BTreeMap::new());
    assert_eq!(stats.time_generated_missing, 0);
    for row in bench.simulator.rows() {
        assert!(row.columns.get("ExtraColumns").is_none(), "{row:?}");
    }
    bench
}

#[tokio::test]
async fn every_row_of_every_layout_fits_the_rule_of_its_template() {
    let incidents = ["defender-two-alerts", "defender-redirected", "defender-through-vector"].map(fixture);
    let bench = send(Layout::Defender, &incidents).await;
    assert_eq!(bench.simulator.stats().rows_ingested, 5 + 1 + 4);
    let with_alerts = [incidents[0].clone(), incidents[2].clone()];
    let bench = send(Layout::AsimAlert, &with_alerts).await;
    assert_eq!(bench.simulator.stats().rows_ingested, 3 + 2);
    send(Layout::Syslog, &["syslog-rfc5424", "syslog-plain"].map(fixture)).await;
    send(Layout::CommonSecurityLog, &["cef-merged", "cef-alone"].map(fixture)).await;
}

#[tokio::test]
async fn incidents_as_the_simulator_makes_them_fit_too() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = 200;
    let served = Bench::start(config).await;
    served.runs_through(&served.pipeline()).await;
    let rows = served.simulator.rows();
    let incidents = rows.into_iter().map(|row| {
        // The sink has put an underscore behind names that are reserved.
        let fields = row.columns.into_iter().filter(|(name, _)| name != "TimeGenerated");
        let fields = fields.map(|(name, value)| (name.trim_end_matches('_').to_owned(), value));
        Event::new(Bytes::from(Value::Object(fields.collect()).to_string()), None)
    });
    let incidents: Vec<_> = incidents.collect();
    assert_eq!(incidents.len(), 200);
    let bench = send(Layout::Defender, &incidents).await;
    assert_eq!(bench.simulator.stats().rows_by_stream["Custom-DefenderIncidents_CL"], 200);
    assert!(bench.simulator.stats().rows_by_stream["Custom-DefenderEvidence_CL"] >= 200);
    let with_alerts: Vec<_> =
        incidents.into_iter().filter(|incident| Layout::AsimAlert.rows(incident).is_ok()).collect();
    assert!(with_alerts.len() > 100);
    send(Layout::AsimAlert, &with_alerts).await;
}

#[tokio::test]
async fn what_is_cut_is_noted_in_a_declared_column() {
    let long = json!({"message": "x".repeat(70_000), "timestamp": "2026-11-23T20:45:38Z"});
    let bench = send(Layout::Syslog, &[Event::new(Bytes::from(long.to_string()), None)]).await;
    let rows = bench.simulator.rows();
    assert_eq!(rows[0].columns["TruncatedColumns"], json!([{"column": "SyslogMessage", "bytes": 70_000}]));
}
