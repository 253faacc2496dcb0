//! `demo`: simulated Microsoft services, a pipeline between them, and a check that every row arrived exactly once.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::demo_display::Display;
use super::signals::Signals;
use super::simulate::{with_cause, write_files};
use super::{exit, load, rng, say};
use crate::topology::{Ended, Topology, VectorMode};
use microsoft::connection::Connector;
use model::problem::{Problem, words};
use runtime::clock::Clock;
use runtime::quarantine::Contents;
use simulator::{Fault, IncidentsConfig, Service, Simulator, SimulatorConfig};

/// How often something is shown, and something may happen.
const BEAT: Duration = Duration::from_millis(250);
/// How long the pipeline may take to catch up after the last change.
const CATCH_UP: Duration = Duration::from_secs(90);
/// Seconds between two looks: a demo should not take a minute to show something.
const POLL_INTERVAL_SECS: u64 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many seconds things go on happening.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Incidents at the start.
    #[arg(long, default_value_t = 300)]
    incidents: usize,
    /// Changes a minute after that.
    #[arg(long, default_value_t = 240)]
    changes_per_minute: u32,
    /// The same seed makes the same incidents and changes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let dir = std::env::temp_dir().join(format!("vector-sentinel-demo-{}", std::process::id()));
    let result = show(&arguments, &dir, &clock).await;
    if let Err(error) = std::fs::remove_dir_all(&dir) {
        eprintln!("cannot remove {}: {error}", dir.display());
    }
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => exit::failed(&message),
    }
}

async fn show(arguments: &Arguments, dir: &Path, clock: &Clock) -> Result<bool, String> {
    let signals = Signals::count().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let config = SimulatorConfig {
        seed: arguments.seed,
        keep_rows: false,
        incidents: IncidentsConfig {
            initial: arguments.incidents,
            alerts_per_incident: 2,
            ..IncidentsConfig::default()
        },
        ..SimulatorConfig::default()
    };
    let simulator =
        Simulator::start(config.clone(), clock.clone()).await.map_err(|error| with_cause(&error))?;
    script_faults(&simulator);
    let pipeline = write_files(dir, &simulator, &config, "data", POLL_INTERVAL_SECS)?;
    say(format!(
        "A simulated tenant with {} incidents at {}, and a pipeline from its Defender XDR to its Sentinel workspace.",
        arguments.incidents,
        simulator.url()
    ));
    say(format!(
        "For {} s, {} things a minute happen to them.",
        arguments.seconds, arguments.changes_per_minute
    ));

    let topology = build(&pipeline, clock).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // An error means that the other end is gone, and that is a stop as well.
        drop(stopped.await);
    };
    let running = topology.run(stopped, clock.sleep(CATCH_UP));
    let watching = async {
        let caught_up = watch_it(arguments, &simulator, clock, &signals).await;
        drop(stop);
        caught_up
    };
    let (ended, caught_up) = tokio::join!(running, watching);
    let quarantine = Contents::of(&dir.join("data"), "sentinel");
    let quarantined = !quarantine.is_ok_and(|found| found.is_none_or(|found| found.file_bytes() == 0));
    Ok(summary(&simulator, ended == Ended::Drained && caught_up, quarantined))
}

/// Things that go wrong in real life, and must make no difference.
fn script_faults(simulator: &Simulator) {
    let status = |code, retry_after: &str| Fault::Status {
        code,
        retry_after: Some(retry_after.to_owned()),
        body: None,
    };
    let faults = simulator.faults();
    faults.script(
        Service::Graph,
        vec![Fault::Pass, status(429, "1.5"), Fault::Pass, Fault::CutBody, Fault::ExpireToken],
    );
    let sink_faults =
        vec![Fault::Pass, status(503, "1"), Fault::Pass, Fault::Reset, Fault::ExpireToken, status(429, "1")];
    faults.script(Service::LogsIngestion, sink_faults);
}

async fn build(pipeline: &Path, clock: &Clock) -> Result<Topology, String> {
    let words = |problems: Vec<Problem>| words(&problems, "\n");
    let loaded = load(&[pipeline.to_owned()], clock).await.map_err(words)?;
    let connector = Connector::new(clock.clone());
    Topology::build(&loaded.plan, VectorMode::None, &connector, &mut rng(clock), false).await.map_err(words)
}

/// Lets things happen, shows them, and waits until the last of them is ingested. Answers whether that came to be.
async fn watch_it(arguments: &Arguments, simulator: &Simulator, clock: &Clock, signals: &Signals) -> bool {
    let mut display = Display::new();
    let start = clock.monotonic();
    let mut changes = 0;
    while seconds_since(start, clock) < arguments.seconds as f64 {
        let due = seconds_since(start, clock) * f64::from(arguments.changes_per_minute) / 60.0;
        while f64::from(changes) < due {
            simulator.tenant().step();
            changes += 1;
        }
        display.show(simulator, clock, "things happen");
        tokio::select! {
            () = clock.sleep(BEAT) => {}
            () = signals.stopped(1) => break,
        }
    }
    let quiet = clock.monotonic();
    loop {
        if everything_arrived(simulator) {
            display.finish(simulator, clock);
            return true;
        }
        if clock.monotonic() - quiet > CATCH_UP {
            return false;
        }
        display.show(simulator, clock, "catching up");
        tokio::select! {
            () = clock.sleep(BEAT) => {}
            () = signals.stopped(2) => return false,
        }
    }
}

fn seconds_since(start: Instant, clock: &Clock) -> f64 {
    (clock.monotonic() - start).as_secs_f64()
}

/// Whether the state that each incident is in now was served, and all that was served is ingested.
fn everything_arrived(simulator: &Simulator) -> bool {
    let served: BTreeSet<_> = simulator.served().into_iter().collect();
    simulator.tenant().current().iter().all(|revision| served.contains(revision))
        && simulator.missing().is_empty()
}

/// Says what came of it, and answers whether every row arrived exactly once.
fn summary(simulator: &Simulator, drained: bool, quarantined: bool) -> bool {
    let stats = simulator.stats();
    let (served, missing) = (simulator.served(), simulator.missing().len());
    let vanished: u64 = stats.columns_vanished.values().sum();
    say(format!(
        "{} incidents, {} states of them seen in {} requests; {} rows ingested in {} requests, {:.1} MB of JSON sent as \
         {:.1} MB; {} faults survived.",
        simulator.tenant().len(),
        served.len(),
        stats.graph_requests,
        stats.rows_ingested,
        stats.ingestion_requests,
        stats.ingestion_bytes_json as f64 / 1e6,
        stats.ingestion_bytes_wire as f64 / 1e6,
        stats.faults_fired,
    ));
    say(format!(
        "Missing: {missing}. Twice: {}. Columns that the table does not have: {vanished}. Quarantined: {}.",
        stats.duplicate_rows,
        if quarantined { "some" } else { "none" },
    ));
    let served: BTreeSet<_> = served.into_iter().collect();
    let unread = simulator.tenant().current().iter().filter(|revision| !served.contains(revision)).count();
    let exactly_once = missing == 0
        && stats.duplicate_rows == 0
        && stats.rows_ingested == served.len() as u64
        && vanished == 0
        && stats.bare_objects == 0
        && !quarantined;
    let finished = drained && unread == 0;
    say(match (exactly_once, finished) {
        (true, true) => "Every row arrived exactly once.".to_owned(),
        (true, false) => {
            format!("NOT finished: {unread} incidents were not read yet; what was read arrived exactly once.")
        }
        (false, _) => "NOT every row arrived exactly once.".to_owned(),
    });
    exactly_once && finished
}
