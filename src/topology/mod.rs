//! Wires components, runs them, replaces those whose options change, and drains them.
//!
//! A pipeline of ours alone is wired in process. Beside stock Vector every edge goes through it: each of our sources posts
//! to an `http_server` source, each of our sinks is posted to by an `http` sink, and both have the ids that the user wrote. Other
//! shippers may post to a sink either way.

mod left_spools;
mod link_error;
mod old_control_files;
pub mod plan;
mod ready;
mod redelivery;
mod reload;
mod running;
mod sink_links;
mod source_endpoint;
mod sync_pairs;
mod task;
mod vector_links;
mod vector_process;

use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use reload::{Changes, NotReloaded};
pub use vector_links::{ManagedVector, VectorMode};

use self::plan::Plan;
use self::ready::{ReadySink, ReadySource};
use self::running::Running;
use self::sink_links::{SinkLinks, server_tls};
use self::vector_links::VectorLinks;
use self::vector_process::Process;
use crate::component::Runtime;
use microsoft::connection::Connector;
use model::problem::Problem;
use pipeline_file::{Link, PipelineFile};
use runtime::control::Mailbox;
use runtime::files::DataDir;
use runtime::store::Store;
use vector_link::certificates::TlsIdentity;

/// Components that are built and wired, ready to run.
pub struct Topology {
    plan: Plan,
    runtime: Runtime,
    links: Option<VectorLinks>,
    sinks: Vec<ReadySink>,
    sources: Vec<ReadySource>,
    vector: Option<Process>,
    reloads: (mpsc::Sender<Reload>, mpsc::Receiver<Reload>),
}

/// What is to run from now on.
struct Reload {
    plan: Plan,
    file: PipelineFile,
    limit: Duration,
    answer: oneshot::Sender<Result<Changes, NotReloaded>>,
}

/// Has a topology that runs go on with what the files say now. Cheap to clone.
#[derive(Clone)]
pub struct ReloadHandle(mpsc::Sender<Reload>);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was under way is delivered and saved.
    Drained,
    /// We stopped waiting for a delivery. Nothing is lost: it is read again, and may arrive twice.
    GaveUp,
    /// A component ended by itself, which it never should.
    Broke,
}

// === impl Topology ===

impl Topology {
    /// Opens the state file, builds every component, and makes ready for Vector as `mode` says. What cannot be built is
    /// told all at once.
    ///
    /// In a dry run incidents are only planned, and not written.
    pub async fn build(
        plan: &Plan,
        mode: VectorMode,
        connector: &Connector,
        rng: &mut fastrand::Rng,
        dry_run: bool,
    ) -> Result<Self, Vec<Problem>> {
        let store = Store::open_with(&plan.data_dir, connector.clock.off_thread())
            .map_err(|error| vec![Problem::new("data_dir", error.to_string())])?;
        old_control_files::take_over(
            &plan.data_dir,
            &mut Mailbox::new(&plan.data_dir, connector.clock.clone(), rng.fork()),
        );
        let (mut links, vector) = VectorLinks::prepare(plan, mode, &connector.clock, rng).await?.unzip();
        if let Some(links) = &mut links {
            links.set_plan(plan);
        }
        let data_dir =
            DataDir { off_thread: connector.clock.off_thread(), ..DataDir::from(plan.data_dir.as_path()) };
        let mut runtime = Runtime::new(connector.clone(), rng.fork(), store, data_dir);
        runtime.data_dir_lasts = plan.data_dir_lasts;
        runtime.dry_run = dry_run;
        runtime.sync_event_readers.set(plan.sync_event_readers());
        let (mut sinks, mut sources, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for sink in &plan.sinks {
            match ReadySink::build(sink, links.as_ref(), SinkLinks::default(), &mut runtime).await {
                Ok(sink) => sinks.push(sink),
                Err((problem, _)) => problems.push(problem),
            }
        }
        for source in &plan.sources {
            match ReadySource::build(source, links.as_ref(), &mut runtime) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        left_spools::report(&runtime.data_dir, plan).await;
        let (plan, vector, reloads) = (plan.clone(), vector.flatten(), mpsc::channel(1));
        Ok(Self { plan, runtime, links, sinks, sources, vector, reloads })
    }

    /// Whether components can be built from `plan`, as far as can be told while others run: reads certificates, opens nothing.
    #[must_use]
    pub fn check(plan: &Plan, connector: &Connector) -> Vec<Problem> {
        let readable = |link: &Link| {
            link.tls.as_ref().map_or(Ok(()), |tls| {
                TlsIdentity::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file).map(drop)
            })
        };
        let checked = plan.components().filter_map(|(kind, one)| {
            let unusable = one.component.check(connector).err().map(|error| error.to_string());
            let unusable = unusable.or_else(|| Some(readable(&one.link).err()?.to_string()));
            let tls = one.listen.as_ref().and_then(|listen| listen.tls.as_ref());
            let unusable = unusable.or_else(|| Some(server_tls(tls?).err()?.to_string()));
            Some(Problem::new(one.path(kind), unusable?))
        });
        checked.collect()
    }

    /// Has it go on with something else, while it runs.
    #[must_use]
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle(self.reloads.0.clone())
    }

    /// Runs until `stop`, then lets what is under way be delivered, but no longer than until `give_up`.
    pub async fn run(
        self,
        stop: impl Future<Output = ()> + Send,
        give_up: impl Future<Output = ()> + Send,
    ) -> Ended {
        let (mut running, mut reloads) = Running::start(self);
        let stop = stop.shared();
        let broken = CancellationToken::new();
        // Whatever is waited for then is not waited for any longer.
        let deadline = {
            let (stop, broken) = (stop.clone(), broken.clone());
            async move {
                tokio::select! {
                    () = stop => {}
                    () = broken.cancelled() => {}
                }
                give_up.await;
            }
        };
        tokio::pin!(deadline);
        let ended = loop {
            tokio::select! {
                biased;
                () = stop.clone() => break Ended::Drained,
                reason = running.broke() => {
                    error!("{reason}; stopping, so that whoever supervises us starts us anew.");
                    broken.cancel();
                    break Ended::Broke;
                }
                Some(reload) = reloads.recv() => {
                    let Reload { plan, file, limit, answer } = reload;
                    let reloaded = tokio::select! {
                        reloaded = running.reload(plan, file, limit, stop.clone()) => reloaded,
                        () = &mut deadline => {
                            running.abandon().await;
                            return gave_up();
                        }
                    };
                    let is_broken = matches!(reloaded, Err(NotReloaded::Broke(_)));
                    // Whoever asked may have gone.
                    answer.send(reloaded).ok();
                    if is_broken {
                        // What is on its way to what is not there any more is read again.
                        running.abandon().await;
                        return Ended::Broke;
                    }
                }
            }
        };
        if ended == Ended::Broke && running.has_lost_vector() {
            // Vector is gone for good, and what was on its way into it stays where it can be read again.
            running.abandon().await;
            return ended;
        }
        info!("Stopping: finishing what is being delivered.");
        let drained = tokio::select! {
            drained = running.drain() => drained,
            () = &mut deadline => {
                running.abandon().await;
                gave_up()
            }
        };
        if ended == Ended::Broke { ended } else { drained }
    }
}

fn gave_up() -> Ended {
    warn!("Stopped while something was being delivered: it is read again next time, and may arrive twice.");
    Ended::GaveUp
}

// === impl ReloadHandle ===

impl ReloadHandle {
    /// Replaces the components that differ in `plan`, starts new ones and stops those that are not there any more; all others
    /// go on. A delivery to a component that is stopped or replaced has until `limit` to be finished. Vector, if it is ours,
    /// gets what `file` says. On an error everything goes on as before, unless the error says otherwise.
    pub async fn reload(
        &self,
        plan: Plan,
        file: PipelineFile,
        limit: Duration,
    ) -> Result<Changes, NotReloaded> {
        let (answer, answered) = oneshot::channel();
        let reload = Reload { plan, file, limit, answer };
        self.0.send(reload).await.map_err(|_| NotReloaded::Stopping)?;
        answered.await.unwrap_or(Err(NotReloaded::Stopping))
    }
}
