//! Where rows go may depend on the event.

use std::collections::BTreeMap;

use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, Fault, Service, SimulatorConfig};

use crate::harness::Bench;
use crate::sink::{batch, sink};

/// A simulator with a rule of two streams.
async fn two_streams() -> Bench {
    let columns: BTreeMap<String, ColumnType> =
        [("TimeGenerated", ColumnType::DateTime), ("n", ColumnType::Long), ("table", ColumnType::String)]
            .map(|(name, kind)| (name.to_owned(), kind))
            .into();
    let streams = ["Custom-One_CL", "Custom-Other_CL"].map(|name| (name.to_owned(), columns.clone())).into();
    let dcr = Dcr::new("dcr-00000000000000000000000000000003".to_owned(), streams).unwrap();
    Bench::start(SimulatorConfig { dcr, ..SimulatorConfig::default() }).await
}

fn by_stream(bench: &Bench) -> Vec<(String, u64)> {
    bench.simulator.stats().rows_by_stream.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_batch_go_to_the_streams_that_they_name() {
    let bench = two_streams().await;
    let sink = sink(&bench, &json!({"stream_name": "Custom-{{ table }}"}));
    let table = |n: u64| if n.is_multiple_of(3) { "One_CL" } else { "Other_CL" };
    let rows = (0..300).map(|n| json!({"n": n, "table": table(n)}));
    assert_eq!(sink.deliver(batch(rows)).await, BatchStatus::Delivered);
    let expected = [("Custom-One_CL", 100), ("Custom-Other_CL", 200)];
    assert_eq!(by_stream(&bench), expected.map(|(name, rows)| (name.to_owned(), rows)));
    assert_eq!(bench.simulator.stats().ingestion_requests, 2, "one request a stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_template_does_not_resolve_is_kept_and_the_others_go_through() {
    let bench = two_streams().await;
    let sink = sink(&bench, &json!({"stream_name": "Custom-{{ table }}"}));
    let rows = [
        json!({"n": 1, "table": "One_CL"}),
        json!({"n": 2}),
        json!({"n": 3, "table": {"name": "One_CL"}}),
        json!({"n": 4, "table": "../../evil?x=y"}),
        json!({"n": 5, "table": "Other_CL"}),
    ];
    assert_eq!(sink.deliver(batch(rows)).await, BatchStatus::Rejected);
    assert_eq!(bench.simulator.stats().rows_ingested, 2);
    let kept = bench.quarantine();
    let numbers: Vec<_> = kept.iter().map(|line| line["event"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    for (line, words) in kept.iter().zip(["needs the field 'table'", "needs the field", "must be a stream"]) {
        assert_eq!(line["code"], "unresolved_template");
        assert!(line["message"].as_str().unwrap().contains(words), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_may_depend_on_the_event_and_a_failing_one_does_not_hold_the_other() {
    let bench = two_streams().await;
    let right = bench.config.dcr.immutable_id.clone();
    let sink = sink(
        &bench,
        &json!({
            "dcr_immutable_id": "{{ rule }}", "stream_name": "Custom-One_CL", "destinations": [right],
        }),
    );
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::Reset]);
    let rows: Vec<Value> = vec![json!({"n": 1, "rule": right}), json!({"n": 2, "rule": "dcr-short"})];
    assert_eq!(sink.deliver(batch(rows)).await, BatchStatus::Rejected);
    assert_eq!(bench.simulator.stats().rows_ingested, 1);
    assert!(bench.quarantine()[0]["message"].as_str().unwrap().contains("none of the names"));
}
