//! `sentinel_logs`, offered batches directly.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, Fault, Service, SimulatorConfig};
use vector_sentinel::sinks::sentinel_logs::{LogSink, RuleRegistry, SentinelLogs};

use crate::harness::{Bench, checked};

/// A simulator with one table of a few columns.
pub(crate) async fn bench() -> Bench {
    let columns = [
        ("TimeGenerated", ColumnType::DateTime),
        ("n", ColumnType::Long),
        ("text", ColumnType::String),
        ("id_", ColumnType::String),
        ("ExtraColumns", ColumnType::Dynamic),
        ("TruncatedColumns", ColumnType::Dynamic),
    ];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind)).into();
    let streams = [("Custom-Rows_CL".to_owned(), columns)].into();
    let dcr = Dcr::new("dcr-00000000000000000000000000000003".to_owned(), streams).unwrap();
    Bench::start(SimulatorConfig { dcr, ..SimulatorConfig::default() }).await
}

/// The sink, with `options` over the usual ones.
pub(crate) fn sink(bench: &Bench, options: &Value) -> Arc<LogSink> {
    let mut all = bench.sink();
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    let checked: SentinelLogs = checked(all, &ProxyConfig::default());
    let data_dir: &Path = &bench.path("data");
    let (rules, rng) = (RuleRegistry::default(), fastrand::Rng::with_seed(1));
    let connector = Connector::new(Clock::system());
    Arc::new(checked.sink("sentinel", &data_dir.into(), &rules, &connector, rng).unwrap())
}

pub(crate) fn batch(events: impl IntoIterator<Item = Value>) -> Batch {
    events.into_iter().map(|event| Event::new(Bytes::from(event.to_string()), None)).collect()
}

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: None }
}

/// Numbers of the rows in the table, sorted.
fn numbers(bench: &Bench) -> Vec<i64> {
    let mut numbers: Vec<_> =
        bench.simulator.rows().iter().filter_map(|row| row.columns["n"].as_i64()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_carries_as_many_rows_as_fit() {
    let bench = bench().await;
    let rows = (0..3_000).map(|n| json!({"n": n, "text": "x".repeat(900)}));
    assert_eq!(sink(&bench, &json!({})).deliver(batch(rows)).await, BatchStatus::Delivered);
    let stats = bench.simulator.stats();
    assert_eq!((stats.rows_ingested, stats.ingestion_requests), (3_000, 3));
    assert!((999_000..=1_000_000).contains(&stats.largest_json), "{}", stats.largest_json);
    assert!(stats.ingestion_bytes_wire * 10 < stats.ingestion_bytes_json, "gzip is the default");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_compression_the_same_rows_arrive() {
    let bench = bench().await;
    let sink = sink(&bench, &json!({"compression": "none", "batch": {"max_bytes": 10_000}}));
    let rows = (0..100).map(|n| json!({"n": n, "text": "x".repeat(900)}));
    assert_eq!(sink.deliver(batch(rows)).await, BatchStatus::Delivered);
    let stats = bench.simulator.stats();
    assert_eq!(stats.ingestion_bytes_wire, stats.ingestion_bytes_json);
    assert!(stats.largest_wire <= 10_000);
    assert_eq!(numbers(&bench), (0..100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_is_halved_down_to_the_poison_row() {
    for code in [413, 400] {
        let bench = bench().await;
        // Four rows, two, one: refused. Everything else: accepted.
        bench.simulator.faults().script(Service::LogsIngestion, vec![status(code); 3]);
        let rows = (0..4).map(|n| json!({"n": n}));
        assert_eq!(sink(&bench, &json!({})).deliver(batch(rows)).await, BatchStatus::Rejected);
        assert_eq!(numbers(&bench), [1, 2, 3]);
        let kept = bench.quarantine();
        assert_eq!(kept.len(), 1);
        assert_eq!((&kept[0]["event"], &kept[0]["code"]), (&json!({"n": 0}), &json!("refused")));
        assert!(kept[0]["message"].as_str().unwrap().contains(&code.to_string()), "{}", kept[0]);
        assert!(kept[0]["request_id"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_option_is_not_blamed_on_the_rows() {
    let bench = bench().await;
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, status(400))]);
    let sink = sink(&bench, &json!({}));
    let delivery = tokio::spawn(async move { sink.deliver(batch([json!({"n": 1}), json!({"n": 2})])).await });
    bench.until(|stats| stats.faults_fired >= 5).await;
    assert_eq!(bench.quarantine(), Vec::<Value>::new());
    bench.simulator.faults().clear();
    assert_eq!(delivery.await.unwrap(), BatchStatus::Delivered);
    assert_eq!(numbers(&bench), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_call_its_rows_arrive() {
    let told_to_wait = |code| Fault::Status { code, retry_after: Some("0.1".to_owned()), body: None };
    let refuse = Fault::RefuseToken { code: "AADSTS7000215".to_owned(), description: None };
    let exactly_once = [
        status(500),
        status(403),
        status(404),
        told_to_wait(429),
        told_to_wait(503),
        Fault::Reset,
        Fault::ExpireToken,
        Fault::Delay(std::time::Duration::from_millis(50)),
    ];
    for fault in exactly_once {
        let bench = bench().await;
        bench.simulator.faults().script(Service::LogsIngestion, vec![fault.clone()]);
        bench.simulator.faults().script(Service::Entra, vec![refuse.clone()]);
        let rows = (0..10).map(|n| json!({"n": n}));
        assert_eq!(sink(&bench, &json!({})).deliver(batch(rows)).await, BatchStatus::Delivered, "{fault:?}");
        assert_eq!(numbers(&bench), (0..10).collect::<Vec<_>>(), "{fault:?}");
        assert_eq!(bench.simulator.stats().faults_fired, 2, "{fault:?}");
    }
    // The call was processed and its answer lost: nobody can know, so it is sent again.
    let bench = bench().await;
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::ResetAfter]);
    assert_eq!(sink(&bench, &json!({})).deliver(batch([json!({"n": 1})])).await, BatchStatus::Delivered);
    assert_eq!(numbers(&bench), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_services_own_word_counts_as_ingested() {
    let bench = bench().await;
    let login_page =
        |code| Fault::Status { code, retry_after: None, body: Some("<html>Please log in".to_owned()) };
    bench.simulator.faults().script(Service::LogsIngestion, vec![login_page(200), login_page(302)]);
    assert_eq!(sink(&bench, &json!({})).deliver(batch([json!({"n": 1})])).await, BatchStatus::Delivered);
    assert_eq!(numbers(&bench), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_all_refused_do_not_rush_into_the_quarantine() {
    let bench = bench().await;
    let sink = sink(&bench, &json!({}));
    assert_eq!(sink.deliver(batch([json!({"n": -1})])).await, BatchStatus::Delivered);
    // The table has changed: now every row is refused.
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, status(400))]);
    let delivery = tokio::spawn(async move { sink.deliver(batch((0..100).map(|n| json!({"n": n})))).await });
    bench.until(|stats| stats.faults_fired >= 18).await;
    let clock = Clock::system();
    clock.sleep(std::time::Duration::from_secs(2)).await;
    let kept = bench.quarantine().len();
    assert!((1..20).contains(&kept), "{kept} of 100 are in the quarantine after two seconds");
    bench.simulator.faults().clear();
    assert_eq!(delivery.await.unwrap(), BatchStatus::Rejected);
    assert_eq!(bench.quarantine().len() + numbers(&bench).len(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn being_told_to_wait_holds_every_call_back() {
    let bench = bench().await;
    let wait = Fault::Status { code: 429, retry_after: Some("1".to_owned()), body: None };
    bench.simulator.faults().script(Service::LogsIngestion, vec![wait]);
    let sink = sink(&bench, &json!({}));
    let first = tokio::spawn({
        let sink = Arc::clone(&sink);
        async move { sink.deliver(batch([json!({"n": 1})])).await }
    });
    bench.until(|stats| stats.faults_fired == 1).await;
    let clock = Clock::system();
    // The answer is on its way to the sink: nothing tells when it is there.
    clock.sleep(std::time::Duration::from_millis(100)).await;
    let start = clock.monotonic();
    assert_eq!(sink.deliver(batch([json!({"n": 2})])).await, BatchStatus::Delivered);
    assert!((clock.monotonic() - start).as_secs_f64() > 0.6, "the second call did not wait");
    assert_eq!(first.await.unwrap(), BatchStatus::Delivered);
    assert_eq!(numbers(&bench), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quarantine_holds_the_batch_and_loses_nothing() {
    let bench = bench().await;
    let sink = sink(&bench, &json!({"quarantine": {"max_bytes": 1_048_576}}));
    let file = bench.path("data/quarantine/sentinel/000001.ndjson");
    std::fs::write(&file, vec![b'\n'; 1_048_576]).unwrap();
    let events: Batch = [Event::new(Bytes::from_static(b"not json"), None)].into();
    let mut delivery = tokio::spawn(async move { sink.deliver(events).await });
    let early = tokio::time::timeout(std::time::Duration::from_secs(2), &mut delivery).await;
    assert!(early.is_err(), "it must wait for room: {early:?}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(delivery.await.unwrap(), BatchStatus::Rejected);
    assert_eq!(bench.quarantine()[0]["event"], "not json");
}
