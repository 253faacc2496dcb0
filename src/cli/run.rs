//! `run`: hosts the components of a pipeline file, and runs stock Vector beside them if it has stock ones.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tracing::{error, info, warn};

use super::signals::Signals;
use super::{Loaded, PipelineFile, VectorOptions, exit, load, rng};
use crate::clock::Clock;
use crate::pipeline::Outline;
use crate::telemetry::{self, LogFormat};
use crate::topology::{Beside, Ended, OurVector, Reload, Topology};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelineFile,
    /// Do not run Vector: somebody else runs it, on what `render` has printed.
    #[arg(long, conflicts_with_all = ["vector_bin", "dangerously_allow_env_var_interpolation"])]
    no_vector: bool,
    #[command(flatten)]
    vector: VectorOptions,
    /// How many seconds to wait, after SIGTERM or Ctrl-C, for what is being delivered. A second signal ends the wait.
    #[arg(long, default_value_t = 60)]
    graceful_shutdown_limit_secs: u64,
    /// Serve metrics for Prometheus on this loopback address, such as 127.0.0.1:9598.
    #[arg(long)]
    metrics_address: Option<SocketAddr>,
}

pub(super) async fn run(arguments: Arguments, log_format: LogFormat, clock: Clock) -> ExitCode {
    // Before anything else, so that no signal is missed.
    let signals = match Signals::count() {
        Ok(signals) => signals,
        Err(error) => return exit::failed(&format!("cannot wait for signals: {error}")),
    };
    let mut loaded = match load(arguments.file.paths(), &clock).await {
        Ok(loaded) => loaded,
        Err(problems) => return exit::problems(arguments.file.paths(), &problems),
    };
    if let Some(Err(error)) = arguments.metrics_address.map(telemetry::serve_metrics) {
        return exit::failed(&error);
    }
    loop {
        match run_once(&arguments, log_format, loaded, &signals, &clock).await {
            Next::End(code) => return code,
            Next::Again(changed) => loaded = *changed,
        }
    }
}

/// What comes after a run.
enum Next {
    End(ExitCode),
    /// The options of our own components have changed.
    Again(Box<Loaded>),
}

async fn run_once(
    arguments: &Arguments,
    log_format: LogFormat,
    loaded: Loaded,
    signals: &Signals,
    clock: &Clock,
) -> Next {
    let Loaded { file, outline, plan } = loaded;
    for warning in &plan.warnings {
        warn!("{warning}");
    }
    let limit = Duration::from_secs(arguments.graceful_shutdown_limit_secs);
    let beside = match (plan.beside_vector, arguments.no_vector) {
        (_, true) => Beside::TheirVector,
        (false, false) => Beside::Nothing,
        (true, false) => match arguments.vector.find(clock).await {
            Ok(binary) => {
                if let Some(warning) = binary.warning() {
                    warn!("{warning}");
                }
                Beside::OurVector(Box::new(OurVector {
                    binary,
                    file,
                    allow_env: arguments.vector.dangerously_allow_env_var_interpolation,
                    json_logs: log_format == LogFormat::Json,
                    shutdown_limit: limit,
                }))
            }
            Err(error) => return Next::End(exit::failed(&error)),
        },
    };
    let topology = match Topology::build(&plan, beside, clock, &mut rng(clock)).await {
        Ok(topology) => topology,
        Err(problems) => {
            for problem in problems {
                error!("Cannot start: {problem}");
            }
            return Next::End(ExitCode::FAILURE);
        }
    };
    info!(
        sources = plan.sources.len(),
        sinks = plan.sinks.len(),
        data_dir = %plan.data_dir.display(),
        beside_vector = plan.beside_vector || arguments.no_vector,
        "Running."
    );
    let vector = topology.reload();
    let mut changed = None;
    let stop = async {
        tokio::select! {
            () = signals.stopped(1) => {}
            new = reloaded(arguments, &outline, vector, signals, clock) => changed = Some(new),
        }
    };
    let give_up = async {
        tokio::select! {
            () = signals.stopped(2) => {}
            () = clock.sleep(limit) => {}
        }
    };
    let ended = topology.run(stop, give_up).await;
    match (ended, changed) {
        (Ended::Drained | Ended::GaveUp, Some(new)) => Next::Again(Box::new(new)),
        (Ended::Drained, None) => Next::End(ExitCode::SUCCESS),
        (Ended::GaveUp, None) => Next::End(exit::gave_up()),
        (Ended::Broke, _) => Next::End(ExitCode::FAILURE),
    }
}

/// Answers what the files say as soon as SIGHUP comes and our own components in them have changed. What has changed in stock
/// components only, Vector is told in passing.
async fn reloaded(
    arguments: &Arguments,
    running: &Outline,
    vector: Option<Reload>,
    signals: &Signals,
    clock: &Clock,
) -> Loaded {
    let mut seen = signals.reloads();
    loop {
        signals.reloaded(seen).await;
        seen = signals.reloads();
        let loaded = match load(arguments.file.paths(), clock).await {
            Ok(loaded) => loaded,
            Err(problems) => {
                for problem in problems {
                    error!("Not reloaded, going on as before: {problem}");
                }
                continue;
            }
        };
        if !loaded.outline.has_same_components(running) {
            info!(
                "Our components have changed: stopping in order, and starting with what the files say now."
            );
            return loaded;
        }
        match &vector {
            None => info!("Nothing of ours has changed."),
            Some(vector) => match vector.with(loaded.file).await {
                Ok(()) => info!("Our components are the same; Vector reads the rest again."),
                Err(error) => error!("Not reloaded, going on as before: {error}"),
            },
        }
    }
}
