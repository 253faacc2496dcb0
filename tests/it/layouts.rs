//! Rows of each layout, through the sink, into the simulator with the rule that the template declares.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;
use model::event::Event;
use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{Dcr, Fault, Service, SimulatorConfig};
use vector_sentinel::sinks::sentinel_logs::layout::Layout;
use vector_sentinel::sinks::sentinel_logs::{LogSink, TablePlan};
use vector_sentinel::templates::{Format, of_layout, rule};

use crate::harness::Bench;
use crate::sink::sink;

/// The rule in a template, read by the simulator as it would read any.
pub(crate) fn dcr(layout: Layout) -> Dcr {
    let (tables, name) = of_layout(layout);
    let template: Value =
        serde_json::from_str(&rule(tables, name, TablePlan::Analytics, Format::Arm, false)).unwrap();
    let mut resources = template["resources"].as_array().unwrap().iter();
    let rule = resources.find(|resource| resource["type"] == "Microsoft.Insights/dataCollectionRules");
    Dcr::from_json(&rule.unwrap().to_string()).unwrap()
}

pub(crate) fn fixture(name: &str) -> Event {
    let path = format!("{}/tests/fixtures/layouts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Event::new(std::fs::read(path).unwrap().into(), None)
}

async fn bench(layout: Layout) -> Bench {
    Bench::start(SimulatorConfig { dcr: dcr(layout), ..SimulatorConfig::default() }).await
}

/// The sink with that layout: where rows go and which columns they have is the layout's to say.
fn sink_with(bench: &Bench, layout: &str) -> Arc<LogSink> {
    sink(bench, &json!({"layout": layout, "stream_name": null}))
}

/// Ingests events in a layout, and asserts that nothing of them is lost.
async fn send(layout: Layout, events: &[Event]) -> Bench {
    let bench = bench(layout).await;
    let name = layout.to_possible_value().unwrap().get_name().to_owned();
    let delivered = sink_with(&bench, &name).deliver(events.into()).await;
    assert_eq!(delivered, BatchStatus::Delivered);
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
    let incidents = ["two-alerts", "redirected", "through-vector"];
    let alone = ["kind-alert", "kind-evidence", "kind-change", "alert-alone"];
    let events: Vec<_> =
        incidents.iter().chain(&alone).map(|name| fixture(&format!("defender-{name}"))).collect();
    let bench = send(Layout::Defender, &events).await;
    assert_eq!(bench.simulator.stats().rows_ingested, 5 + 1 + 4 + (1 + 1 + 1 + 2));
    let bench = send(Layout::AsimAlert, &events).await;
    assert_eq!(bench.simulator.stats().rows_ingested, 3 + 1 + 2 + (1 + 1 + 1 + 1));
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
    let bench = send(Layout::AsimAlert, &incidents).await;
    assert!(bench.simulator.stats().rows_ingested >= 200);
}

#[tokio::test]
async fn a_rule_of_before_takes_the_rows_without_what_is_new() {
    let mut dcr = dcr(Layout::Defender);
    dcr.streams.remove("Custom-DefenderIncidentChanges_CL").unwrap();
    let evidence = dcr.streams.get_mut("Custom-DefenderEvidence_CL").unwrap();
    evidence.remove("EvidenceId").unwrap();
    let bench = Bench::start(SimulatorConfig { dcr, ..SimulatorConfig::default() }).await;
    let events = [fixture("defender-two-alerts"), fixture("defender-kind-evidence")];
    let delivered = sink_with(&bench, "defender").deliver(events[..].into()).await;
    assert_eq!(delivered, BatchStatus::Delivered);
    let stats = bench.simulator.stats();
    assert_eq!(stats.rows_ingested, 5 + 1);
    let vanished: Vec<_> = stats.columns_vanished.keys().map(String::as_str).collect();
    assert!(vanished.len() == 1 && vanished[0].contains("EvidenceId"), "{vanished:?}");
}

#[tokio::test]
async fn what_a_layout_cannot_take_is_kept_as_it_came_and_once() {
    let bench = bench(Layout::Defender).await;
    let incident: Value = serde_json::from_slice(&fixture("defender-two-alerts").to_json()).unwrap();
    let events = vec![
        Event::new("{\"message\":\"no incident\"}".into(), None),
        Event::new(incident.to_string().into(), None),
    ];
    // All of the incident's rows are refused, and so are their halves down to single rows.
    let refusal = Fault::Status { code: 413, retry_after: None, body: None };
    bench.simulator.faults().script(Service::LogsIngestion, vec![refusal; 15]);
    let delivered = sink_with(&bench, "defender").deliver(events.into()).await;
    assert_eq!(delivered, BatchStatus::Rejected);
    let kept = bench.quarantine();
    let codes: Vec<_> = kept.iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["not_an_incident", "refused"], "{kept:?}");
    assert_eq!(kept[1]["event"], incident);
    assert!(kept[1]["message"].as_str().unwrap().starts_with("its row for Defender"), "{kept:?}");
}
