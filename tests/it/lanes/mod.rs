//! A stream that takes nothing stops no other, and its rows arrive when it is mended. By simulated time.

mod kept;
mod storm;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use model::event::Batch;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::files::DataDir;
use runtime::health::Part;
use serde_json::{Value, json};
use simulator::{ColumnType, Columns, Dcr, Fault, SimulatorConfig};
use tokio::time::Instant;
use vector_sentinel::sinks::sentinel_logs::layout::Layout;
use vector_sentinel::sinks::sentinel_logs::{LogSink, RuleRegistry, SentinelLogs};

use crate::harness::checked;
use crate::in_process::{World, in_simulated_time};
use crate::layouts;
use crate::sink::batch;

const RULES: [&str; 2] = ["dcr-0000000000000000000000000000000a", "dcr-0000000000000000000000000000000b"];

/// A simulator with two rules of three streams each.
fn world() -> World {
    let columns: Columns =
        [("TimeGenerated", ColumnType::DateTime), ("n", ColumnType::Long), ("text", ColumnType::String)]
            .map(|(name, kind)| (name.to_owned(), kind))
            .into();
    let streams: BTreeMap<_, _> = ["Custom-Good_CL", "Custom-Bad_CL", "Custom-Other_CL"]
        .map(|name| (name.to_owned(), columns.clone()))
        .into();
    let [dcr, other] = RULES.map(|id| Dcr::new(id.to_owned(), streams.clone()).unwrap());
    World::of(SimulatorConfig { dcr, more_dcrs: vec![other], ..SimulatorConfig::default() })
}

/// A sink whose rows go where events say.
fn sink(world: &World, options: &Value) -> LogSink {
    sink_by(world, options, &world.connector())
}

fn sink_by(world: &World, options: &Value, connector: &Connector) -> LogSink {
    let mut all = world.sink();
    all["dcr_immutable_id"] = json!("{{ rule }}");
    all["endpoints"] = RULES.map(|rule| (rule.to_owned(), all["endpoint"].clone())).into_iter().collect();
    all["stream_name"] = json!("Custom-{{ to }}_CL");
    all["spool"] = json!({"enabled": true});
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    let checked: SentinelLogs = checked(all, &ProxyConfig::default());
    let rng = fastrand::Rng::with_seed(1);
    checked.sink("sentinel", &data_dir(world), &RuleRegistry::default(), connector, rng).unwrap()
}

fn data_dir(world: &World) -> DataDir {
    DataDir { off_thread: world.clock.off_thread(), ..DataDir::from(world.dir.path().join("data")) }
}

/// Events with these numbers, each for the stream of a rule.
fn rows(to: &str, rule: usize, numbers: std::ops::Range<u64>) -> Vec<Value> {
    numbers.map(|n| json!({"n": n, "to": to, "rule": RULES[rule]})).collect()
}

fn mixed(parts: &[Vec<Value>]) -> Batch {
    batch(parts.concat())
}

fn status(code: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status { code, retry_after: retry_after.map(str::to_owned), body: None }
}

/// Numbers of the rows in a table, in the order in which they came.
fn numbers(world: &World, stream: &str) -> Vec<u64> {
    let stream = format!("Custom-{stream}_CL");
    let rows = world.simulator.rows();
    rows.iter().filter(|row| row.stream == stream).map(|row| row.columns["n"].as_u64().unwrap()).collect()
}

/// How long a batch took, which was delivered.
async fn deliver(world: &World, sink: &LogSink, batch: Batch) -> Duration {
    let began: Instant = world.clock.monotonic();
    assert_eq!(sink.deliver(batch).await, BatchStatus::Delivered);
    world.clock.monotonic() - began
}

/// Waits until all of these numbers are in a table.
async fn arrived(world: &World, stream: &str, expected: std::ops::Range<u64>) {
    loop {
        let changed = world.simulator.changed();
        let there: BTreeSet<_> = numbers(world, stream).into_iter().collect();
        if expected.clone().all(|n| there.contains(&n)) {
            return;
        }
        changed.await;
    }
}

fn spool_files(world: &World) -> Vec<PathBuf> {
    let Ok(lanes) = std::fs::read_dir(world.dir.path().join("data/spool/sentinel")) else {
        return Vec::new();
    };
    let lanes = lanes.map(|lane| lane.unwrap().path()).filter(|path| path.is_dir());
    let files = lanes.flat_map(|lane| std::fs::read_dir(lane).unwrap());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_stream_that_answers_badly_or_not_at_all_holds_no_batch_and_gets_its_rows_when_it_is_mended() {
    let bad = [
        status(403, None),
        status(404, None),
        status(429, Some("86400")),
        status(503, None),
        status(401, None),
        Fault::Reset,
        // Longer than a request may take.
        Fault::Delay(Duration::from_secs(100)),
    ];
    for fault in bad {
        in_simulated_time(async {
            let world = world();
            let sink = sink(&world, &json!({}));
            world.simulator.faults().at_path("Custom-Bad_CL", fault.clone());
            let mut longest = Duration::ZERO;
            for n in 0..100 {
                let parts = [rows("Good", 0, 5 * n..5 * n + 5), rows("Bad", 1, n..n + 1)];
                let took = deliver(&world, &sink, mixed(&parts)).await;
                longest = longest.max(took);
                world.clock.sleep(Duration::from_secs(1)).await;
                // All but the first few go to the spool at once, and wait for nothing.
                assert!(n < 3 || took < Duration::from_millis(100), "{fault:?}: {n} took {took:?}");
            }
            assert!(longest < Duration::from_secs(3), "{fault:?}: {longest:?}");
            assert_eq!(numbers(&world, "Good"), (0..500).collect::<Vec<_>>(), "{fault:?}");
            world.simulator.faults().clear();
            arrived(&world, "Bad", 0..100).await;
            sink.stop().await;
            // Requests that were not answered in time may have been taken; nothing else comes twice.
            let unanswered = matches!(fault, Fault::Delay(_));
            assert!(unanswered || numbers(&world, "Bad").len() == 100, "{fault:?}");
            assert_eq!(spool_files(&world), Vec::<PathBuf>::new(), "{fault:?}");
        });
    }
}

#[test]
fn health_names_the_stream_that_fails_and_only_as_long_as_it_does() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &json!({}));
        world.simulator.faults().at_path("Custom-Bad_CL", status(403, None));
        deliver(&world, &sink, mixed(&[rows("Good", 0, 0..1), rows("Bad", 1, 1..2)])).await;
        deliver(&world, &sink, mixed(&[rows("Good", 0, 2..3)])).await;
        let troubles = sink.health().troubles();
        let name = format!("{}/Custom-Bad_CL", RULES[1]);
        assert_eq!(troubles[0].0, Part::Destination(name.clone().into()));
        assert!(troubles[0].1.why.contains("Monitoring Metrics Publisher"), "{troubles:?}");
        assert_eq!((troubles.len(), troubles[0].1.error_type), (1, "forbidden"));
        world.simulator.faults().clear();
        world.simulator.wait_until(|stats| stats.rows_ingested == 3).await;
        sink.stop().await;
        assert!(sink.health().is_working());
    });
}

#[test]
fn what_waits_survives_a_restart_and_comes_once_and_in_order() {
    in_simulated_time(async {
        let world = world();
        world.simulator.faults().at_path("Custom-Bad_CL", status(404, None));
        for n in 0..3 {
            let sink = sink(&world, &json!({}));
            sink.start().await;
            deliver(&world, &sink, mixed(&[rows("Bad", 1, 10 * n..10 * n + 10), rows("Good", 0, n..n + 1)]))
                .await;
            world.clock.sleep(Duration::from_mins(3)).await;
            sink.stop().await;
        }
        assert!(numbers(&world, "Bad").is_empty());
        world.simulator.faults().clear();
        let sink = sink(&world, &json!({}));
        sink.start().await;
        world.simulator.wait_until(|stats| stats.rows_ingested == 33).await;
        sink.stop().await;
        assert_eq!(numbers(&world, "Bad"), (0..30).collect::<Vec<_>>());
        assert_eq!(spool_files(&world), Vec::<PathBuf>::new());
    });
}

#[test]
fn a_mistake_in_the_file_that_is_mended_mends_what_waits() {
    in_simulated_time(async {
        let world = world();
        let wrong = json!({"dcr_immutable_id": RULES[0], "stream_name": "Custom-Missing_CL"});
        let sink_before = sink(&world, &wrong);
        deliver(&world, &sink_before, mixed(&[rows("Good", 0, 0..50)])).await;
        sink_before.stop().await;
        drop(sink_before);
        let right = json!({"dcr_immutable_id": RULES[0], "stream_name": "Custom-Good_CL"});
        let sink = sink(&world, &right);
        sink.start().await;
        world.simulator.wait_until(|stats| stats.rows_ingested == 50).await;
        sink.stop().await;
        assert_eq!(numbers(&world, "Good"), (0..50).collect::<Vec<_>>());
        assert_eq!(spool_files(&world), Vec::<PathBuf>::new());
    });
}

#[test]
fn a_stream_that_stays_bad_until_its_share_is_full_goes_to_the_quarantine_and_no_other_notices() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &json!({"spool": {"enabled": true, "max_bytes": 10_000_000}}));
        world.simulator.faults().at_path("Custom-Bad_CL", status(403, None));
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut n, mut rejected) = (0, 0);
        // Text that cannot be compressed.
        while rejected < 3 {
            let text: String = (0..500_000).map(|_| rng.alphanumeric()).collect();
            let large = json!({"n": n, "to": "Bad", "rule": RULES[1], "text": text});
            let began = world.clock.monotonic();
            let status = sink.deliver(mixed(&[vec![large], rows("Good", 0, n..n + 1)])).await;
            rejected += u64::from(status == BatchStatus::Rejected);
            assert!(n == 0 || world.clock.monotonic() - began < Duration::from_millis(100), "{n}");
            world.clock.sleep(Duration::from_secs(1)).await;
            n += 1;
        }
        let spooled = n - rejected;
        assert!((8..=13).contains(&spooled), "half of ten megabytes holds {spooled} of some 0.4 MB");
        assert_eq!(numbers(&world, "Good"), (0..n).collect::<Vec<_>>());
        let kept = sink.quarantine().path();
        let text = std::fs::read_to_string(kept.join("000001.ndjson")).unwrap();
        assert!(
            text.contains("\"code\":\"spool_full\"") && text.contains("quarantine retry"),
            "{}",
            text.get(..300).unwrap_or_default()
        );
        // Another stream still has room.
        world.simulator.faults().at_path("Custom-Other_CL", status(403, None));
        deliver(&world, &sink, mixed(&[rows("Other", 0, 0..10)])).await;
        world.simulator.faults().clear();
        world.simulator.wait_until(|stats| stats.rows_ingested == n + spooled + 10).await;
        sink.stop().await;
    });
}

#[test]
fn the_only_stream_of_a_sink_blocks_when_the_spool_is_full_and_goes_on_when_it_is_well() {
    in_simulated_time(async {
        let world = world();
        let sink = Arc::new(sink(
            &world,
            &json!({
                "dcr_immutable_id": RULES[0], "stream_name": "Custom-Bad_CL",
                "spool": {"enabled": true, "max_bytes": 10_000_000},
            }),
        ));
        world.simulator.faults().at_path("Custom-Bad_CL", status(503, None));
        let mut rng = fastrand::Rng::with_seed(1);
        let mut offered = Vec::new();
        for n in 0..40_u64 {
            let text: String = (0..500_000).map(|_| rng.alphanumeric()).collect();
            let sink = Arc::clone(&sink);
            offered.push(tokio::spawn(
                async move { sink.deliver(batch([json!({"n": n, "text": text})])).await },
            ));
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        let waiting = offered.iter().filter(|offered| !offered.is_finished()).count();
        assert!((10..=20).contains(&waiting), "{waiting} of 40 wait for room");
        world.simulator.faults().clear();
        for offered in offered {
            assert_eq!(offered.await.unwrap(), BatchStatus::Delivered);
        }
        world.simulator.wait_until(|stats| stats.rows_ingested == 40).await;
        assert_eq!(world.simulator.stats().rows_ingested, 40, "nothing came twice");
        sink.stop().await;
    });
}

#[test]
fn an_answer_that_is_late_but_comes_is_not_asked_for_again() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &json!({}));
        world.simulator.faults().at_path("Custom-Bad_CL", Fault::Delay(Duration::from_secs(30)));
        for n in 0..20 {
            let took =
                deliver(&world, &sink, mixed(&[rows("Bad", 1, n..n + 1), rows("Good", 0, n..n + 1)])).await;
            assert!(took <= Duration::from_secs(1), "{took:?}");
        }
        world.simulator.wait_until(|stats| stats.rows_ingested == 40).await;
        assert!(sink.health().is_working());
        sink.stop().await;
        assert_eq!(world.simulator.stats().rows_ingested, 40, "nothing came twice");
        assert_eq!(spool_files(&world), Vec::<PathBuf>::new());
    });
}

#[test]
fn a_failure_that_passes_at_once_is_not_worth_the_disk() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &json!({}));
        world.simulator.faults().script(simulator::Service::LogsIngestion, vec![status(503, None)]);
        let took = deliver(&world, &sink, mixed(&[rows("Good", 0, 0..10)])).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(numbers(&world, "Good").len(), 10);
        assert!(!world.dir.path().join("data/spool").exists());
    });
}

#[test]
fn a_row_that_has_waited_for_days_keeps_its_events_time_in_a_column_that_azure_leaves() {
    in_simulated_time(async {
        let columns =
            ["TimeGenerated", "ExtraColumns"].map(|name| (name.to_owned(), ColumnType::Dynamic)).into();
        let streams = [("Custom-Rows_CL".to_owned(), columns)].into();
        let dcr = Dcr::new(RULES[0].to_owned(), streams).unwrap();
        let world = World::of(SimulatorConfig { dcr, ..SimulatorConfig::default() });
        let options = json!({"dcr_immutable_id": RULES[0], "stream_name": "Custom-Rows_CL"});
        let sink = sink(&world, &options);
        world.simulator.faults().at_path(RULES[0], status(503, None));
        let time = world.clock.now().to_rfc3339();
        deliver(&world, &sink, batch([json!({"TimeGenerated": time}), json!({})])).await;
        world.clock.sleep(Duration::from_hours(49)).await;
        world.simulator.faults().clear();
        world.simulator.wait_until(|stats| stats.rows_ingested == 2).await;
        for row in world.simulator.rows() {
            assert_eq!(row.columns["ExtraColumns"]["TimeGenerated"], row.columns["TimeGenerated"], "{row:?}");
        }
        sink.stop().await;
    });
}

#[test]
fn of_an_incident_only_the_rows_of_the_table_that_takes_nothing_wait() {
    in_simulated_time(async {
        let world =
            World::of(SimulatorConfig { dcr: layouts::dcr(Layout::Defender), ..SimulatorConfig::default() });
        let options = json!({
            "dcr_immutable_id": world.config.dcr.immutable_id, "layout": "defender", "stream_name": null,
            // So small that the alerts of an incident are in several requests, and only some of them arrive.
            "batch": {"max_bytes": 12_000},
        });
        let incidents: Batch = ["two-alerts", "redirected", "through-vector"]
            .iter()
            .cycle()
            .take(12)
            .map(|name| layouts::fixture(&format!("defender-{name}")))
            .collect();
        let by_stream = || world.simulator.stats().rows_by_stream;
        let whole = {
            let world = World::of(world.config.clone());
            let sink = sink(&world, &options);
            deliver(&world, &sink, Arc::clone(&incidents)).await;
            world.simulator.stats().rows_by_stream
        };
        let sink = sink(&world, &options);
        let faults = world.simulator.faults();
        faults.at_path("Custom-DefenderAlerts_CL", status(403, None));
        deliver(&world, &sink, Arc::clone(&incidents)).await;
        let before = by_stream();
        assert!(!before.contains_key("Custom-DefenderAlerts_CL"), "{before:?}");
        assert_eq!(before.get("Custom-DefenderEvidence_CL"), whole.get("Custom-DefenderEvidence_CL"));
        faults.at_path("Custom-DefenderAlerts_CL", Fault::Pass);
        let all = whole.values().sum::<u64>();
        world.simulator.wait_until(|stats| stats.rows_ingested >= all).await;
        sink.stop().await;
        assert_eq!((by_stream(), spool_files(&world)), (whole, Vec::new()));
    });
}

#[test]
fn rows_wait_neither_for_the_token_nor_for_the_comparison_of_the_rule() {
    in_simulated_time(async {
        let world = world();
        let sink = sink_by(&world, &json!({}), &world.connector_without_management_tokens());
        sink.start().await;
        for n in 0..5 {
            assert_eq!(deliver(&world, &sink, mixed(&[rows("Good", 0, n..n + 1)])).await, Duration::ZERO);
            world.clock.sleep(Duration::from_mins(10)).await;
        }
        assert_eq!(world.simulator.stats().tokens_issued, 1, "the other was never answered");
        sink.stop().await;
    });
}

#[test]
fn without_a_spool_a_batch_waits_for_all_its_streams_and_other_batches_do_not() {
    in_simulated_time(async {
        let world = world();
        let sink = Arc::new(sink(&world, &json!({"spool": {"enabled": false}})));
        world.simulator.faults().at_path("Custom-Bad_CL", status(403, None));
        let waiting = {
            let sink = Arc::clone(&sink);
            let bad = mixed(&[rows("Bad", 1, 0..1), rows("Good", 0, 0..1)]);
            tokio::spawn(async move { sink.deliver(bad).await })
        };
        world.simulator.wait_until(|stats| stats.ingestion_by_status.contains_key(&403)).await;
        for n in 1..100 {
            assert_eq!(deliver(&world, &sink, mixed(&[rows("Good", 0, n..n + 1)])).await, Duration::ZERO);
        }
        assert!(!waiting.is_finished() && !world.dir.path().join("data/spool").exists());
        world.simulator.faults().clear();
        assert_eq!(waiting.await.unwrap(), BatchStatus::Delivered);
        assert_eq!(world.simulator.stats().rows_ingested, 101);
    });
}

async fn sink_and_start(world: &World) -> LogSink {
    let sink = sink(world, &json!({}));
    sink.start().await;
    sink
}
