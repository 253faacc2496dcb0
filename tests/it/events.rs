//! `vector_sentinel_events`: quarantines as events, from one sink's into another sink's table.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, Fault, Service, SimulatorConfig};
use vector_sentinel::topology::Ended;

use crate::cli::ran;
use crate::harness::{Bench, PATIENCE, program, real_vector, spawn};
use crate::quarantine::fill;

const STREAM: &str = "Custom-Quarantined_CL";

/// A simulator with a table for incidents, and one for what is told.
async fn bench(incidents: usize) -> Bench {
    let columns = [
        ("TimeGenerated", ColumnType::DateTime),
        ("kind", ColumnType::String),
        ("component_id", ColumnType::String),
        ("entry_id", ColumnType::String),
        ("code", ColumnType::String),
        ("event", ColumnType::Dynamic),
        ("ExtraColumns", ColumnType::Dynamic),
        ("TruncatedColumns", ColumnType::Dynamic),
    ];
    let columns: BTreeMap<_, _> = columns.map(|(name, kind)| (name.to_owned(), kind)).into();
    let mut streams = Dcr::defender_incidents().streams;
    streams.insert(STREAM.to_owned(), columns);
    let dcr = Dcr::new("dcr-00000000000000000000000000000004".to_owned(), streams).unwrap();
    let mut config = SimulatorConfig { dcr, ..SimulatorConfig::default() };
    config.incidents.initial = incidents;
    Bench::start(config).await
}

/// Incidents into `sentinel`, and what becomes of those into `refused`.
fn pipeline(bench: &Bench) -> Value {
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["events"] = json!({"type": "vector_sentinel_events", "poll_interval_secs": 1});
    let mut refused = bench.sink();
    refused["inputs"] = json!(["events"]);
    refused["stream_name"] = json!(STREAM);
    refused["columns"] = json!([
        "TimeGenerated",
        "kind",
        "component_id",
        "entry_id",
        "code",
        "event",
        "ExtraColumns",
        "TruncatedColumns"
    ]);
    pipeline["sinks"]["refused"] = refused;
    pipeline
}

/// How often the number of each event was told.
fn told(bench: &Bench) -> BTreeMap<i64, usize> {
    let mut told = BTreeMap::new();
    for row in bench.simulator.rows().into_iter().filter(|row| row.stream == STREAM) {
        *told.entry(row.columns["event"]["n"].as_i64().unwrap()).or_default() += 1;
    }
    told
}

/// Waits until so many rows were told.
async fn told_of(bench: &Bench, count: u64) {
    bench.until(|stats| stats.rows_by_stream.get(STREAM).copied().unwrap_or_default() >= count).await;
}

/// Waits until what was told fulfils `condition`.
async fn all_told(bench: &Bench, condition: impl Fn(&BTreeMap<i64, usize>) -> bool) {
    let all = async {
        loop {
            let changed = bench.simulator.changed();
            if condition(&told(bench)) {
                return;
            }
            changed.await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("something was never told of");
}

fn once(numbers: std::ops::Range<i64>) -> BTreeMap<i64, usize> {
    numbers.map(|n| (n, 1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_is_refused_is_told_of_and_stays_in_the_quarantine() {
    let bench = bench(20).await;
    // Down to one incident, which is refused alone.
    let refusal = Fault::Status { code: 400, retry_after: None, body: None };
    bench.simulator.faults().script(Service::LogsIngestion, vec![refusal; 5]);
    let running = bench.run(&pipeline(&bench));
    told_of(&bench, 1).await;
    bench.until(|stats| stats.rows_ingested == 20).await;
    assert_eq!(running.stop().await, Ended::Drained);
    let kept = bench.quarantine();
    assert_eq!(kept.len(), 1);
    let rows: Vec<_> = bench.simulator.rows().into_iter().filter(|row| row.stream == STREAM).collect();
    assert_eq!(rows.len(), 1);
    let row = &rows[0].columns;
    assert_eq!((&row["kind"], &row["component_id"]), (&json!("quarantine"), &json!("sentinel")));
    assert_eq!(
        (&row["entry_id"], &row["code"], &row["event"]),
        (&kept[0]["id"], &json!("refused"), &kept[0]["event"])
    );
    let extra = &row["ExtraColumns"];
    assert_eq!(
        (&extra["component_type"], &extra["component_kind"]),
        (&json!("sentinel_logs"), &json!("sink"))
    );
    for field in ["time", "message", "request_id", "stream", "bytes"] {
        assert_eq!(extra[field], kept[0][field], "{field}");
    }
    assert_eq!(row["TimeGenerated"].as_str().unwrap().get(..19), kept[0]["time"].as_str().unwrap().get(..19));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_told_once_across_restarts() {
    let bench = bench(0).await;
    let data = bench.path("data");
    fill(&data, "sentinel", 0..1_500).await;
    let mut expected = 1_500;
    for round in 0..4 {
        let running = bench.run(&pipeline(&bench));
        if round == 0 {
            // Stopped in the middle of it.
            told_of(&bench, 300).await;
        } else {
            told_of(&bench, u64::try_from(expected).unwrap()).await;
        }
        assert_eq!(running.stop().await, Ended::Drained);
        if round == 1 {
            fill(&data, "sentinel", expected..expected + 10).await;
            expected += 10;
        }
    }
    assert_eq!(told(&bench), once(0..expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sink_refuses_of_it_is_kept_there_and_told_no_more() {
    let bench = bench(0).await;
    fill(&bench.path("data"), "sentinel", 0..5).await;
    // All five, then down to the first; then one more time for good measure.
    let refusal = Fault::Status { code: 400, retry_after: None, body: None };
    bench.simulator.faults().script(Service::LogsIngestion, vec![refusal; 3]);
    let running = bench.run(&pipeline(&bench));
    told_of(&bench, 4).await;
    fill(&bench.path("data"), "sentinel", 5..7).await;
    told_of(&bench, 6).await;
    assert_eq!(running.stop().await, Ended::Drained);
    let text = std::fs::read_to_string(bench.path("data/quarantine/refused/000001.ndjson")).unwrap();
    let kept: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept.len(), 1);
    let n = kept[0]["event"]["event"]["n"].as_i64().unwrap();
    let mut expected = once(0..7);
    expected.remove(&n);
    assert_eq!(told(&bench), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_and_doubles_no_more_than_a_batch() {
    const ENTRIES: i64 = 4_000;
    let bench = bench(0).await;
    fill(&bench.path("data"), "sentinel", 0..ENTRIES).await;
    let delay = Fault::Delay(Duration::from_millis(10));
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(0.5, delay)]);
    let file = bench.file(&pipeline(&bench));
    let run = ["run", "-c", file.to_str().unwrap()];
    let mut rng = fastrand::Rng::with_seed(5);
    let kills = 5;
    for kill in 1..=kills {
        let mut child = spawn(&run);
        told_of(&bench, kill * 500 + rng.u64(0..200)).await;
        child.kill().await.unwrap();
        child.wait().await.unwrap();
    }
    let mut child = spawn(&run);
    all_told(&bench, |told| told.len() == usize::try_from(ENTRIES).unwrap()).await;
    child.kill().await.unwrap();
    let twice: usize = told(&bench).values().map(|times| times - 1).sum();
    assert!(twice <= usize::try_from(kills + 1).unwrap() * 100, "{twice} came twice");
}

#[tokio::test]
async fn a_pipeline_in_which_it_would_go_round_and_round_is_refused() {
    let bench = bench(0).await;
    let said = async |pipeline: &Value| {
        let file = bench.file(pipeline);
        let (code, _, stderr) = ran(&["validate", "-c", file.to_str().unwrap()]).await;
        (code, stderr)
    };
    assert_eq!(said(&pipeline(&bench)).await.0, 0);
    let mut named = pipeline(&bench);
    named["sources"]["events"]["components"] = json!(["refused"]);
    let (code, stderr) = said(&named).await;
    assert!(code == 78 && stderr.contains("sources.events.components.0: takes events of"), "{stderr}");
    let mut only = pipeline(&bench);
    only["sinks"]["sentinel"]["inputs"] = json!(["defender", "events"]);
    let (code, stderr) = said(&only).await;
    assert!(code == 78 && stderr.contains("give this source a sink of its own"), "{stderr}");
    // Through a transform, too.
    let mut through = pipeline(&bench);
    through["transforms"]["t"] = json!({"type": "remap", "inputs": ["*vents"], "source": ".a = 1"});
    through["sinks"]["refused"]["inputs"] = json!(["t"]);
    through["sources"]["events"]["components"] = json!(["defender", "refused"]);
    let (code, stderr) = said(&through).await;
    assert!(code == 78 && stderr.contains("sources.events.components.1: takes events of"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_vector_gets_every_entry_once_across_restarts() {
    let Some(vector) = real_vector() else { return };
    let bench = bench(3).await;
    let data = bench.path("data");
    let out = bench.path("told.ndjson");
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["events"] = json!({"type": "vector_sentinel_events", "poll_interval_secs": 1});
    pipeline["transforms"]["mark"] =
        json!({"type": "remap", "inputs": ["events"], "source": ".marked = true"});
    pipeline["sinks"]["told"] =
        json!({"type": "file", "inputs": ["mark"], "path": out, "encoding": {"codec": "json"}});
    let file = bench.file(&pipeline);
    let read = || {
        let text = std::fs::read_to_string(&out).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let mut expected = 0;
    for more in [500, 20] {
        fill(&data, "sentinel", expected..expected + more).await;
        expected += more;
        let mut child = program()
            .args(["run", "-c"])
            .arg(&file)
            .env("VECTOR_BIN", &vector)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let all = async {
            while read().len() < usize::try_from(expected).unwrap() {
                Clock::system().sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("not everything was told");
        let pid = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
    }
    let mut numbers = BTreeMap::new();
    for event in read() {
        assert_eq!((&event["kind"], &event["marked"]), (&json!("quarantine"), &json!(true)));
        assert_eq!(event["source_type"], "vector_sentinel_events");
        *numbers.entry(event["event"]["n"].as_i64().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(numbers, (0..expected).map(|n| (n, 1)).collect());
}
