//! Memory does not grow with the number of incidents, nor with what is offered to a sink whose service hangs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use serde_json::json;
use simulator::{Fault, Service, SimulatorConfig};
use tokio::process::Command;

use crate::harness::{Bench, spawn};
use crate::rig::rss_kb;
use crate::sink;
use crate::sink::bench;

/// Peak memory, in KB, of the program over a first run of so many incidents with three alerts of five pieces each.
async fn peak_kb(incidents: usize) -> u64 {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = incidents;
    config.incidents.alerts_per_incident = 3;
    config.keep_rows = false;
    let bench = Bench::start(config).await;
    let file = bench.file(&bench.pipeline());
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    bench.until(|stats| stats.distinct_rows == incidents as u64).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    child.kill().await.unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn four_times_as_many_incidents_take_no_more_memory() {
    let (few, many) = (peak_kb(1_500).await, peak_kb(6_000).await);
    println!("peak memory: {few} KB for 1,500 incidents, {many} KB for 6,000");
    // All 6,000 are some 80 MB of JSON.
    assert!(many < few + 10_000, "{few} KB for 1,500 incidents, {many} KB for 6,000");
}

/// Rows of 30 MB that compression does not make much smaller.
fn random_rows() -> Batch {
    let mut rng = fastrand::Rng::with_seed(1);
    let text: String = (0..2_000_000).map(|_| rng.alphanumeric()).collect();
    let row = |n: usize| {
        // What was before comes again too late to be remembered by the compressor.
        let start = n * 1_000 % 1_999_000;
        let row =
            json!({"TimeGenerated": "2026-11-23T12:00:00Z", "n": n, "text": text.get(start..start + 1_000)});
        Event::new(Bytes::from(row.to_string()), None)
    };
    (0..30_000).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures its process, so it has to be alone there: the next test runs it"]
async fn alone_a_service_that_hangs() {
    const REQUESTS: u64 = 16;
    let bench = bench().await;
    let hang = Fault::Delay(Duration::from_hours(1));
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, hang)]);
    let sink = sink::sink(&bench, &json!({"request": {"concurrency": REQUESTS}}));
    let rows = random_rows();
    let pid = std::process::id().to_string();
    let before = rss_kb(&pid);
    let mut deliveries = tokio::task::JoinSet::new();
    // 600 MB of rows, some 450 MB of them compressed.
    for _ in 0..20 {
        let (sink, rows) = (Arc::clone(&sink), Arc::clone(&rows));
        deliveries.spawn(async move { sink.deliver(rows).await });
    }
    bench.until(|stats| stats.ingestion_at_once == REQUESTS).await;
    // Time for whatever else it would do.
    Clock::system().sleep(Duration::from_secs(1)).await;
    let grown = rss_kb(&pid).saturating_sub(before);
    println!("grown by {grown} KB, with {REQUESTS} requests in flight");
    assert_eq!(bench.simulator.stats().ingestion_at_once, REQUESTS);
    // A megabyte each, and what connections take, whose other end is in this process too.
    assert!(grown < REQUESTS * 3_000, "{grown} KB");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_whose_service_hangs_takes_no_more_than_its_requests_in_flight() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--ignored", "--exact", "memory::alone_a_service_that_hangs", "--nocapture"]);
    let output = alone.kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
