//! `run`: hosts the components of a pipeline file.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{PipelineFile, exit, load, rng};
use crate::clock::Clock;
use crate::telemetry;
use crate::topology::{Ended, Topology};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelineFile,
    /// How many seconds to wait, after SIGTERM or Ctrl-C, for what is being delivered. A second signal ends the wait.
    #[arg(long, default_value_t = 60)]
    graceful_shutdown_limit_secs: u64,
    /// Serve metrics for Prometheus on this loopback address, such as 127.0.0.1:9598.
    #[arg(long)]
    metrics_address: Option<SocketAddr>,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    // Before anything else, so that no signal is missed.
    let signals = match count_signals() {
        Ok(signals) => signals,
        Err(error) => return exit::failed(&format!("cannot wait for signals: {error}")),
    };
    let plan = match load(arguments.file.paths(), &clock).await {
        Ok(plan) => plan,
        Err(problems) => return exit::problems(arguments.file.paths(), &problems),
    };
    for warning in &plan.warnings {
        warn!("{warning}");
    }
    if let Some(Err(error)) = arguments.metrics_address.map(telemetry::serve_metrics) {
        return exit::failed(&error);
    }
    let topology = match Topology::build(&plan, &clock, &mut rng(&clock)) {
        Ok(topology) => topology,
        Err(problems) => {
            for problem in problems {
                error!("Cannot start: {problem}");
            }
            return ExitCode::FAILURE;
        }
    };
    info!(sources = plan.sources.len(), sinks = plan.sinks.len(), data_dir = %plan.data_dir.display(), "Running.");
    let stop = reached(signals.clone(), 1);
    let give_up = async {
        tokio::select! {
            () = reached(signals, 2) => {}
            () = clock.sleep(Duration::from_secs(arguments.graceful_shutdown_limit_secs)) => {}
        }
    };
    match topology.run(stop, give_up).await {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::GaveUp => exit::gave_up(),
        Ended::Broke => ExitCode::FAILURE,
    }
}

/// Counts the signals that ask us to stop.
pub(super) fn count_signals() -> std::io::Result<watch::Receiver<u32>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

/// Waits until so many signals have come.
pub(super) async fn reached(mut signals: watch::Receiver<u32>, count: u32) {
    if signals.wait_for(|counted| *counted >= count).await.is_err() {
        // Nobody counts any more, so none will come.
        std::future::pending::<()>().await;
    }
}
