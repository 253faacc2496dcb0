use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::beside::{Beside, Meeting};
use super::old_control_files;
use super::process::{Process, Reload};
use crate::component::{Built, Runtime, Source, Task};
use crate::topology::plan::Plan;
use microsoft::connection::Connector;
use model::problem::Problem;
use pipeline_file::Link;
use runtime::clock::Clock;
use runtime::control::Mailbox;
use runtime::delivery::{Deliver, FanOut};
use runtime::store::Store;
use vector_link::certificates::TlsIdentity;
use vector_link::child::{self, SupervisorCommand, SupervisorState};
use vector_link::server::{self, Listener};

/// Components that are built and wired, ready to run.
pub struct Topology {
    clock: Clock,
    sources: Vec<(Box<dyn Source>, Arc<dyn Deliver>)>,
    listeners: Vec<(Listener, TcpListener)>,
    tasks: Vec<Task>,
    vector: Option<Process>,
}

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

/// What runs, in the order that it is drained.
struct Running {
    clock: Clock,
    /// How long sources may take to finish, if Vector has to have its time after them.
    sources_limit: Option<Duration>,
    sources: JoinSet<()>,
    reading: CancellationToken,
    vector: Option<JoinHandle<Result<child::SupervisorEnded, String>>>,
    commands: Option<mpsc::Sender<SupervisorCommand>>,
    state: Option<watch::Receiver<SupervisorState>>,
    listeners: JoinSet<Result<(), String>>,
    listening: CancellationToken,
    tasks: JoinSet<()>,
    working: CancellationToken,
}

// === impl Topology ===

impl Topology {
    /// Opens the state file, builds every component, and makes ready for Vector as `beside` says. What cannot be built is
    /// told all at once.
    ///
    /// In a dry run incidents are only planned, and not written.
    pub async fn build(
        plan: &Plan,
        beside: Beside,
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
        let mut meeting = Meeting::prepare(plan, beside, &connector.clock, rng)?;
        let mut runtime = Runtime::new(connector.clone(), rng.fork(), store, plan.data_dir.clone());
        runtime.dry_run = dry_run;
        runtime.sync_event_readers = plan.sync_event_readers();
        let mut problems = Vec::new();
        let mut sinks: Vec<(&[String], Arc<dyn Deliver>)> = Vec::new();
        let (mut listeners, mut tasks) = (Vec::new(), Vec::new());
        for sink in &plan.sinks {
            let path = format!("sinks.{}", sink.id);
            let built = match sink.component.build(&sink.id, &mut runtime) {
                Ok(Built::Sink(built)) => built,
                Ok(Built::Source(_)) => continue,
                Err(error) => {
                    problems.push(Problem::new(path, error));
                    continue;
                }
            };
            tasks.extend(built.task);
            sinks.push((&sink.inputs, Arc::clone(&built.deliver)));
            let Some(meeting) = &mut meeting else { continue };
            match meeting.listen(sink).await {
                Ok((socket, tls)) => {
                    let options = server::ListenerOptions {
                        deliver: built.deliver,
                        health: built.health,
                        quarantine: built.quarantine,
                        labels: built.labels,
                    };
                    let listener = Listener::new(options, tls, connector.clock.clone(), rng.fork());
                    listeners.push((listener, socket));
                }
                Err(error) => problems.push(Problem::new(path, error)),
            }
        }
        let mut sources: Vec<(Box<dyn Source>, Arc<dyn Deliver>)> = Vec::new();
        for source in &plan.sources {
            let path = format!("sources.{}", source.id);
            let out: Result<Arc<dyn Deliver>, String> = if let Some(meeting) = &mut meeting {
                meeting.forward(source, &plan.data_dir, &connector.clock, rng.fork()).map(|ways| {
                    sources.push((Box::new(ways.redelivery), ways.again));
                    ways.forward
                })
            } else {
                let reads_it = sinks.iter().filter(|(inputs, _)| inputs.contains(&source.id));
                let branches = reads_it.map(|(_, sink)| Arc::clone(sink));
                Ok(Arc::new(FanOut::new(branches.collect(), connector.clock.clone(), rng.fork())))
            };
            match (source.component.build(&source.id, &mut runtime), out) {
                (Ok(Built::Source(built)), Ok(out)) => sources.push((built, out)),
                (Ok(Built::Sink(_)), _) => {}
                (Err(error), _) | (_, Err(error)) => problems.push(Problem::new(path, error)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let vector = meeting.and_then(Meeting::into_process);
        Ok(Self { clock: connector.clock.clone(), sources, listeners, tasks, vector })
    }

    /// Whether components can be built from `plan`, as far as can be told while others run: reads certificates, opens nothing.
    #[must_use]
    pub fn check(plan: &Plan, connector: &Connector) -> Vec<Problem> {
        let readable = |link: &Link| {
            link.tls.as_ref().map_or(Ok(()), |tls| {
                TlsIdentity::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file).map(drop)
            })
        };
        let sources = plan.sources.iter().map(|source| ("sources", source));
        let all = sources.chain(plan.sinks.iter().map(|sink| ("sinks", sink)));
        all.filter_map(|(section, one)| {
            let checked = one.component.check(connector).and_then(|()| readable(&one.link));
            Some(Problem::new(format!("{section}.{}", one.id), checked.err()?))
        })
        .collect()
    }

    /// Lets Vector read its configuration anew; nothing if we do not run one.
    #[must_use]
    pub fn reload(&self) -> Option<Reload> {
        self.vector.as_ref().map(Process::reload)
    }

    /// Runs until `stop`, then lets what is under way be delivered, but no longer than until `give_up`.
    pub async fn run(self, stop: impl Future<Output = ()>, give_up: impl Future<Output = ()>) -> Ended {
        let mut running = Running::start(self);
        let ended = tokio::select! {
            () = stop => Ended::Drained,
            reason = running.broke() => {
                error!("{reason}; stopping, so that whoever supervises us starts us anew.");
                Ended::Broke
            }
        };
        if ended == Ended::Broke && running.vector.is_none() && running.commands.is_some() {
            // Vector is gone for good, and what was on its way into it stays where it can be read again.
            running.abandon().await;
            return ended;
        }
        info!("Stopping: finishing what is being delivered.");
        let drained = tokio::select! {
            drained = running.drain() => drained,
            () = give_up => {
                running.abandon().await;
                warn!("Stopped while something was being delivered: it is read again next time, and may arrive twice.");
                Ended::GaveUp
            }
        };
        if ended == Ended::Broke { ended } else { drained }
    }
}

/// Ends when a Vector of ours is dead and waits to be started again.
async fn down(state: Option<watch::Receiver<SupervisorState>>) {
    let Some(mut state) = state else { return std::future::pending().await };
    if state.wait_for(|state| *state == SupervisorState::Waiting).await.is_err() {
        std::future::pending::<()>().await;
    }
}

// === impl Running ===

impl Running {
    fn start(topology: Topology) -> Self {
        let [reading, listening, working] = std::array::from_fn(|_| CancellationToken::new());
        let mut tasks = JoinSet::new();
        for task in topology.tasks {
            tasks.spawn(task(working.clone()));
        }
        let mut listeners = JoinSet::new();
        for (listener, socket) in topology.listeners {
            listeners.spawn(listener.run(socket, listening.clone()));
        }
        let state = topology.vector.as_ref().map(Process::state);
        let sources_limit = topology.vector.as_ref().map(Process::sources_limit);
        let (vector, commands) = topology.vector.map(Process::start).unzip();
        let mut sources = JoinSet::new();
        for (source, out) in topology.sources {
            sources.spawn(source.run(out, reading.clone()));
        }
        let clock = topology.clock;
        Self {
            clock,
            sources_limit,
            sources,
            reading,
            vector,
            commands,
            state,
            listeners,
            listening,
            tasks,
            working,
        }
    }

    /// Waits until something ends that should run for ever, and answers what that was.
    async fn broke(&mut self) -> String {
        let vector = OptionFuture::from(self.vector.as_mut());
        tokio::select! {
            Some(_) = self.sources.join_next() => "A source ended by itself".to_owned(),
            Some(_) = self.tasks.join_next() => "The task of a sink ended by itself".to_owned(),
            Some(ended) = self.listeners.join_next() => match ended {
                Ok(Err(reason)) => reason,
                _ => "A listener for Vector ended by itself".to_owned(),
            },
            Some(ended) = vector => {
                self.vector = None;
                match ended {
                    Ok(Err(reason)) => reason,
                    _ => "Vector's supervisor ended by itself".to_owned(),
                }
            }
            else => std::future::pending().await,
        }
    }

    /// First the sources, then Vector, which hands on what it holds, then what that is handed to, and last what writes incidents.
    async fn drain(&mut self) -> Ended {
        let mut ended = Ended::Drained;
        self.reading.cancel();
        let began = self.clock.monotonic();
        loop {
            let left = self.sources_limit.map(|limit| limit.saturating_sub(self.clock.monotonic() - began));
            tokio::select! {
                source = self.sources.join_next() => match source {
                    None => break,
                    Some(Ok(())) => {}
                    Some(Err(_)) => ended = Ended::Broke,
                },
                () = down(self.state.clone()), if !self.sources.is_empty() => {
                    warn!("Vector is down: not waiting for it. What was on its way is read again next time.");
                    self.sources.shutdown().await;
                    ended = Ended::GaveUp;
                }
                () = self.clock.sleep(left.unwrap_or_default()), if left.is_some() => {
                    warn!("What was on its way is not delivered yet, and is read again next time; Vector stops now.");
                    self.sources.shutdown().await;
                    ended = Ended::GaveUp;
                }
            }
        }
        if let (Some(vector), Some(commands)) = (&mut self.vector, &self.commands) {
            // If nobody listens to it, it has ended already.
            commands.send(SupervisorCommand::Stop).await.ok();
            ended = match vector.await {
                Ok(Ok(child::SupervisorEnded::Drained)) => ended,
                Ok(Ok(child::SupervisorEnded::GaveUp)) => Ended::GaveUp,
                Ok(Err(reason)) => {
                    error!("{reason}");
                    Ended::Broke
                }
                Err(_) => Ended::Broke,
            };
            self.vector = None;
        }
        self.listening.cancel();
        while let Some(listener) = self.listeners.join_next().await {
            if !matches!(listener, Ok(Ok(()))) {
                ended = Ended::Broke;
            }
        }
        self.working.cancel();
        while let Some(task) = self.tasks.join_next().await {
            if task.is_err() {
                ended = Ended::Broke;
            }
        }
        ended
    }

    /// Ends everything at once, and returns when it has ended: another run may follow, and wants the same files.
    async fn abandon(&mut self) {
        self.sources.shutdown().await;
        if let (Some(vector), Some(commands)) = (&mut self.vector, &self.commands) {
            for _ in 0..2 {
                commands.send(SupervisorCommand::Stop).await.ok();
            }
            vector.await.ok();
        }
        self.listeners.shutdown().await;
        self.tasks.shutdown().await;
    }
}
