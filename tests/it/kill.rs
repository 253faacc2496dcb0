//! The program is killed at random moments, and nothing is lost.

use std::time::Duration;

use runtime::clock::Clock;
use simulator::SimulatorConfig;

use crate::harness::{Bench, PATIENCE, spawn};

const INCIDENTS: usize = 2_000;
const KILLS: usize = 20;
/// A page: the source has no more on its way at any time.
const IN_FLIGHT: usize = 50;

async fn bench() -> Bench {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = INCIDENTS;
    Bench::start(config).await
}

fn duplicates(bench: &Bench) -> usize {
    bench.rows().values().map(|times| times - 1).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_by_kills_at_random_moments_and_no_more_is_doubled_than_was_in_flight() {
    let bench = bench().await;
    let file = bench.file(&bench.pipeline());
    let arguments = ["run", "-c", file.to_str().unwrap()];
    let mut rng = fastrand::Rng::with_seed(2_026);
    let clock = Clock::system();
    let mut kills_while_busy = 0;
    for kill in 0..KILLS {
        let before = bench.simulator.stats().rows_ingested;
        let mut child = spawn(&arguments);
        // From before the first request to many pages later; rows tell that it is at work. Every other kill waits for them,
        // however slow the machine is.
        let busy = bench.until(|stats| stats.rows_ingested > before);
        let limit = if kill % 2 == 0 { PATIENCE } else { Duration::from_millis(rng.u64(50..1_500)) };
        drop(tokio::time::timeout(limit, busy).await);
        clock.sleep(Duration::from_millis(rng.u64(0..60))).await;
        child.kill().await.unwrap();
        child.wait().await.unwrap();
        kills_while_busy += usize::from(bench.simulator.stats().rows_ingested > before);
        // Everything that was served so far is current, so nothing that was served can vanish before it is read again.
        // Between kills things change only while all is ingested.
        if bench.simulator.stats().distinct_rows == bench.simulator.tenant().len() as u64 {
            bench.simulator.tenant().create(100);
        }
    }
    assert!(kills_while_busy >= KILLS / 2, "only {kills_while_busy} kills met a program at work");
    let mut child = spawn(&arguments);
    tokio::time::timeout(PATIENCE, bench.caught_up()).await.unwrap();
    child.kill().await.unwrap();
    assert_eq!(bench.simulator.missing(), []);
    let duplicates = duplicates(&bench);
    println!(
        "{duplicates} of {} rows came twice, after {KILLS} kills",
        bench.simulator.stats().rows_ingested
    );
    assert!(duplicates <= (KILLS + 1) * IN_FLIGHT, "{duplicates} duplicates");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn being_asked_to_stop_doubles_nothing() {
    let bench = bench().await;
    let file = bench.file(&bench.pipeline());
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..10 {
        let before = bench.simulator.stats().rows_ingested;
        let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
        let more = rng.u64(1..300);
        let busy = bench.until(|stats| stats.rows_ingested > before + more);
        drop(tokio::time::timeout(Duration::from_secs(3), busy).await);
        let pid = child.id().unwrap().to_string();
        assert!(tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
    }
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    bench.caught_up().await;
    child.kill().await.unwrap();
    bench.assert_exactly_once();
}
