//! `run`: hosts the components of a pipeline file, and runs stock Vector beside them if it has stock ones.

use std::convert::Infallible;
use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::signals::Signals;
use super::vector_options::{VectorOptions, rendered};
use super::{Loaded, PipelinePaths, exit, load, rng};
use crate::topology::plan::Plan;
use crate::topology::{Ended, ManagedVector, NotReloaded, ReloadHandle, Topology, VectorMode};
use microsoft::connection::Connector;
use model::problem::{Problem, words};
use pipeline_file::{ComponentGraph, PipelineFile};
use runtime::clock::Clock;
use runtime::telemetry::{self, LogFormat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vector_link::binary::Binary;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelinePaths,
    /// Do not run Vector: somebody else runs it, on what `render` has printed.
    #[arg(long, conflicts_with = "vector_bin")]
    no_vector: bool,
    #[command(flatten)]
    vector: VectorOptions,
    /// Only say what would be written to incidents; it stays waiting, and is written by a run without this. Everything else
    /// runs as always.
    #[arg(long)]
    dry_run: bool,
    /// How many seconds to wait, after SIGTERM or Ctrl-C, for what is being delivered. A second signal ends the wait.
    #[arg(long, default_value_t = 60)]
    graceful_shutdown_limit_secs: u64,
    /// Serve metrics for Prometheus on this loopback address, such as 127.0.0.1:9598.
    #[arg(long)]
    metrics_address: Option<SocketAddr>,
}

const NOTHING_TO_TRY: &str = "--dry-run is for sinks that write incidents, and there is none in the file";

/// How we were told to log, for Vector to do the same.
pub(super) struct Logs {
    pub(super) format: LogFormat,
    pub(super) filter: String,
}

pub(super) async fn run(arguments: Arguments, logs: Logs, clock: Clock) -> ExitCode {
    // Before anything else, so that no signal is missed.
    let signals = match Signals::count() {
        Ok(signals) => signals,
        Err(error) => return exit::failed(&format!("cannot wait for signals: {error}")),
    };
    // Counted before the files are read: whoever changes them after that says so once more.
    let mut seen = signals.reloads();
    raise_open_files();
    let mut loaded = match load(arguments.file.paths(), &clock).await {
        Ok(loaded) => loaded,
        Err(problems) => return exit::problems(arguments.file.paths(), &problems),
    };
    if let Some(Err(error)) = arguments.metrics_address.map(telemetry::serve_metrics) {
        return exit::failed(&error);
    }
    loop {
        match run_once(&arguments, &logs, loaded, (&signals, seen), &clock).await {
            Next::End(code) => return code,
            Next::Again(changed, counted) => (loaded, seen) = (*changed, counted),
        }
    }
}

/// Takes as many open files as the process may have: connections, and the spool of each stream that takes nothing, are some. The
/// usual limit, 1024, is that of programs that still call `select`, and may be raised by any other up to the hard one.
///
/// Source: <https://0pointer.net/blog/file-descriptor-limits.html>
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(
            "Cannot raise the limit of open files from {:?} to {:?}: {error}",
            limit.current, limit.maximum
        );
    }
}

/// What comes after a run.
enum Next {
    End(ExitCode),
    /// What the files say can only be run by a process that is started anew; so many signals to reload had come when they
    /// were read.
    Again(Box<Loaded>, u32),
}

async fn run_once(
    arguments: &Arguments,
    logs: &Logs,
    loaded: Loaded,
    (signals, seen): (&Signals, u32),
    clock: &Clock,
) -> Next {
    let Loaded { file, graph, plan } = loaded;
    if arguments.dry_run && !plan.keeps_incidents_in_sync() {
        return Next::End(exit::failed(NOTHING_TO_TRY));
    }
    for warning in &plan.warnings {
        warn!("{warning}");
    }
    let limit = Duration::from_secs(arguments.graceful_shutdown_limit_secs);
    let mode = match (plan.meets_vector(arguments.no_vector), arguments.no_vector) {
        (false, _) => VectorMode::None,
        (true, true) => VectorMode::External,
        (true, false) => {
            // Before anything is started: a mistake is told at once, and once.
            let binary = match accepted(arguments, &file, &graph, clock).await {
                Ok(binary) => binary,
                Err(Refusal::NoVector(error)) => return Next::End(exit::failed(&error)),
                Err(Refusal::Words(words)) => {
                    return Next::End(exit::refused_by_vector(arguments.file.paths(), &words));
                }
            };
            let variables = arguments.vector.literal_variables(&file);
            for warning in variables.iter().map(ToString::to_string).chain(binary.warning()) {
                warn!("{warning}");
            }
            VectorMode::Managed(Box::new(ManagedVector {
                binary,
                file,
                allow_env: arguments.vector.dangerously_allow_env_var_interpolation,
                json_logs: logs.format == LogFormat::Json,
                log: vectors_level(&logs.filter),
                shutdown_limit: limit,
            }))
        }
    };
    let connector = Connector::new(clock.clone());
    let topology = match Topology::build(&plan, mode, &connector, &mut rng(clock), arguments.dry_run).await {
        Ok(topology) => topology,
        Err(problems) => {
            for problem in graph.locate(problems) {
                error!("Cannot start: {problem}");
            }
            return Next::End(ExitCode::FAILURE);
        }
    };
    info!(
        sources = plan.sources.len(),
        sinks = plan.sinks.len(),
        data_dir = %plan.data_dir.display(),
        beside_vector = plan.meets_vector(arguments.no_vector),
        "Running."
    );
    let handle = topology.reload_handle();
    // What can only be run by a process that is started anew, as soon as the files say that.
    let mut again = None;
    let (restart, restarts) = oneshot::channel::<()>();
    let stop = async {
        tokio::select! {
            () = signals.stopped(1) => {}
            Ok(()) = restarts => {}
        }
    };
    let give_up = async {
        tokio::select! {
            () = signals.stopped(2) => {}
            () = clock.sleep(limit) => {}
        }
    };
    let reloading = async {
        again = Some(reload_until_restart(arguments, &plan, handle, (signals, seen), clock).await);
        // The run cannot have ended: it is polled beside this.
        restart.send(()).ok();
        std::future::pending::<Infallible>().await
    };
    let ended = tokio::select! {
        ended = topology.run(stop, give_up) => ended,
        never = reloading => match never {},
    };
    // Whoever wants us to stop does not want us to start again first.
    let again = again.filter(|_| !signals.is_stopping());
    match (ended, again) {
        (Ended::Drained | Ended::GaveUp, Some((loaded, counted))) => Next::Again(Box::new(loaded), counted),
        (Ended::Drained, None) => Next::End(ExitCode::SUCCESS),
        (Ended::GaveUp, None) => Next::End(exit::gave_up()),
        (Ended::Broke, _) => Next::End(ExitCode::FAILURE),
    }
}

/// Reloads by difference whenever SIGHUP comes, and answers what the files say when that can only be run by a process that
/// is started anew.
async fn reload_until_restart(
    arguments: &Arguments,
    started: &Plan,
    handle: ReloadHandle,
    (signals, mut seen): (&Signals, u32),
    clock: &Clock,
) -> (Loaded, u32) {
    let limit = Duration::from_secs(arguments.graceful_shutdown_limit_secs);
    loop {
        signals.reloaded(seen).await;
        seen = signals.reloads();
        let loaded = match load_to_replace(arguments, clock).await {
            Ok(loaded) => loaded,
            Err(problems) => {
                not_reloaded(problems);
                continue;
            }
        };
        for warning in &loaded.plan.warnings {
            warn!("{warning}");
        }
        let with_vector = |plan: &Plan| plan.meets_vector(arguments.no_vector);
        let why = match (
            loaded.plan.data_dir == started.data_dir,
            with_vector(&loaded.plan) == with_vector(started),
        ) {
            (true, true) => None,
            (false, _) => Some("data_dir is another one"),
            (true, false) if loaded.plan.beside_vector != started.beside_vector => {
                Some("the first stock component came, or the last one went")
            }
            (true, false) => Some("the first listener for shippers came, or the last one went"),
        };
        if let Some(why) = why {
            info!("{why}: stopping in order, and starting with what the files say now.");
            return (loaded, seen);
        }
        match handle.reload(loaded.plan, loaded.file, limit).await {
            Ok(changes) if !changes.is_empty() => {
                info!("Reloaded: {changes}. What has not changed went on.");
            }
            Ok(changes) if changes.vector_reads_again => {
                info!("Our components are the same; Vector reads the rest again.");
            }
            Ok(_) if arguments.no_vector => {
                info!(
                    "Nothing of ours has changed. If Vector's part has, render it again for whoever runs Vector."
                );
            }
            Ok(_) => info!("Nothing has changed."),
            Err(NotReloaded::Problems(problems)) => not_reloaded(loaded.graph.locate(problems)),
            Err(NotReloaded::Broke(problems)) => {
                for problem in loaded.graph.locate(problems) {
                    error!("Not reloaded: {problem}");
                }
            }
            Err(NotReloaded::Stopping) => info!("Not reloaded: stopping."),
        }
    }
}

fn not_reloaded(problems: Vec<impl Display>) {
    for problem in problems {
        error!("Not reloaded, going on as before: {problem}");
    }
}

/// What the files say now, if it could be run in the place of what runs.
async fn load_to_replace(arguments: &Arguments, clock: &Clock) -> Result<Loaded, Vec<String>> {
    let each = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let loaded = load(arguments.file.paths(), clock).await.map_err(each)?;
    let unusable = Topology::check(&loaded.plan, &Connector::new(clock.clone()));
    let mut wrong = each(loaded.graph.locate(unusable));
    if arguments.dry_run && !loaded.plan.keeps_incidents_in_sync() {
        wrong.push(NOTHING_TO_TRY.to_owned());
    }
    if loaded.plan.beside_vector && !arguments.no_vector {
        match accepted(arguments, &loaded.file, &loaded.graph, clock).await {
            Ok(_) => {}
            Err(Refusal::NoVector(error)) => wrong.push(error),
            Err(Refusal::Words(words)) => wrong.push(format!("Vector refuses the stock components: {words}")),
        }
    }
    if wrong.is_empty() { Ok(loaded) } else { Err(wrong) }
}

/// Why Vector cannot be started on its part.
enum Refusal {
    /// There is none that would do.
    NoVector(String),
    /// What it says is wrong.
    Words(String),
}

/// The Vector that accepts its part of the files.
async fn accepted(
    arguments: &Arguments,
    file: &PipelineFile,
    graph: &ComponentGraph,
    clock: &Clock,
) -> Result<Binary, Refusal> {
    let binary = arguments.vector.find(clock).await.map_err(Refusal::NoVector)?;
    let text = rendered(file, graph).map_err(|problems| Refusal::Words(words(&problems, "\n")))?;
    arguments.vector.check(&binary, &text).await.map_err(Refusal::Words)?;
    Ok(binary)
}

/// Our level, for Vector, unless its own variable says something else.
fn vectors_level(filter: &str) -> Option<String> {
    let own = std::env::var_os("VECTOR_LOG").is_some();
    (!own && telemetry::is_level(filter)).then(|| filter.to_owned())
}
