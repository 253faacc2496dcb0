//! What runs, and the order in which it is drained.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture, Shared, select_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::plan::{Plan, Planned};
use super::ready::{ReadySink, ReadySource};
use super::sink_links::SinkLinks;
use super::task::StoppableTask;
use super::vector_links::VectorLinks;
use super::vector_process::{Process, Supervised};
use super::{Ended, Reload, Topology};
use crate::component::Runtime;
use pipeline_file::Kind;
use runtime::clock::Clock;
use runtime::delivery::{FanOut, SinkSlot};
use vector_link::child::{SupervisorCommand, SupervisorEnded, SupervisorState};

/// The components that run, and what they share.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    /// What it was built from.
    pub(super) plan: Plan,
    pub(super) links: Option<VectorLinks>,
    pub(super) sources: Vec<RunningSource>,
    pub(super) vector: Option<Supervised>,
    /// Whether there was a Vector of ours that has ended by itself.
    lost_vector: bool,
    pub(super) sinks: Vec<RunningSink>,
    /// The places of the sinks by id, in a pipeline without Vector.
    pub(super) slots: BTreeMap<String, Arc<SinkSlot>>,
    /// Sinks that are not in the file any more, as long as Vector may hold events for them.
    pub(super) retiring: Vec<RetiringSink>,
    /// Links of sinks that are being replaced, by id: whatever comes there is told to come again.
    pub(super) kept: BTreeMap<String, SinkLinks>,
}

/// A source that runs.
pub(super) struct RunningSource {
    pub(super) planned: Planned,
    address: Option<String>,
    fan_out: Option<Arc<FanOut>>,
    /// The source, and what redelivers to Vector.
    tasks: Vec<StoppableTask<()>>,
}

/// A sink that runs.
pub(super) struct RunningSink {
    pub(super) planned: Planned,
    pub(super) address: Option<String>,
    /// Where it is pushed to from outside.
    pub(super) links: SinkLinks,
    /// What it does beside taking events.
    task: Option<StoppableTask<()>>,
}

/// A sink that is not in the file any more, and goes on for Vector.
pub(super) struct RetiringSink {
    pub(super) planned: Planned,
    pub(super) address: Option<String>,
    /// Ends it where it is, in order: what it consists of has ended when the task has.
    abort: CancellationToken,
    task: StoppableTask<()>,
}

/// Ends when a Vector of ours is dead and waits to be started again.
pub(super) async fn down(state: Option<watch::Receiver<SupervisorState>>) {
    let Some(mut state) = state else { return std::future::pending().await };
    if state.wait_for(|state| *state == SupervisorState::Waiting).await.is_err() {
        std::future::pending::<()>().await;
    }
}

// === impl Running ===

impl Running {
    /// Starts what was built. Answers also what has it reload.
    pub(super) fn start(topology: Topology) -> (Self, mpsc::Receiver<Reload>) {
        let Topology { plan, runtime, links, sinks, sources, vector, reloads: (_, reloads) } = topology;
        let mut running = Self {
            runtime,
            links,
            sources: Vec::new(),
            vector: None,
            lost_vector: false,
            sinks: Vec::new(),
            slots: BTreeMap::new(),
            retiring: Vec::new(),
            kept: BTreeMap::new(),
            plan,
        };
        for sink in sinks {
            running.start_sink(sink);
        }
        if running.links.is_none() {
            let sinks = running.plan.sinks.clone();
            running.connect(&sinks, &sources);
        }
        running.vector = vector.map(Process::start);
        running.sources = sources.into_iter().map(RunningSource::start).collect();
        (running, reloads)
    }

    pub(super) fn start_sink(&mut self, ready: ReadySink) {
        let ReadySink { planned, built, mut links, address } = ready;
        links.fill(&built);
        let task = built.task.map(StoppableTask::start);
        if self.links.is_none() {
            match self.slots.get(&planned.id) {
                Some(slot) => slot.fill(built.deliver),
                None => drop(self.slots.insert(planned.id.clone(), Arc::new(SinkSlot::new(built.deliver)))),
            }
        }
        self.sinks.push(RunningSink { planned, address, links, task });
    }

    /// Has every source hand its events to those of `sinks` that read it: the sources that run, and `new` ones.
    pub(super) fn connect(&mut self, sinks: &[Planned], new: &[ReadySource]) {
        let running = self.sources.iter().map(|source| (&source.planned, &source.fan_out));
        for (source, fan_out) in running.chain(new.iter().map(|source| (&source.planned, &source.fan_out))) {
            let readers = sinks.iter().filter(|sink| sink.inputs.contains(&source.id));
            let branches = readers.filter_map(|sink| self.slots.get(&sink.id).cloned());
            if let Some(fan_out) = fan_out {
                fan_out.set_branches(branches.collect());
            }
        }
        for sink in &mut self.sinks {
            if let Some(planned) = sinks.iter().find(|planned| planned.id == sink.planned.id) {
                sink.planned.inputs.clone_from(&planned.inputs);
                sink.planned.has_inputs = planned.has_inputs;
            }
        }
        // Only now: what was on its way to them is on its way to what has come in their place.
        self.slots.retain(|id, slot| {
            let stays = sinks.iter().any(|sink| sink.id == *id);
            if !stays {
                slot.remove();
            }
            stays
        });
    }

    /// Every component that runs, sources first.
    pub(super) fn components(&self) -> impl Iterator<Item = (Kind, &Planned)> {
        let sources = self.sources.iter().map(|source| (Kind::Source, &source.planned));
        sources.chain(self.sinks.iter().map(|sink| (Kind::Sink, &sink.planned)))
    }

    /// The component of that kind and id, if it runs.
    pub(super) fn component(&self, kind: Kind, id: &str) -> Option<&Planned> {
        self.components().find(|(of, planned)| *of == kind && planned.id == id).map(|(_, planned)| planned)
    }

    /// Where the component of that kind and id meets Vector, unless a free port was found for it.
    pub(super) fn address(&self, kind: Kind, id: &str) -> Option<&String> {
        match kind {
            Kind::Source => self.sources.iter().find(|one| one.planned.id == id)?.address.as_ref(),
            Kind::Sink => self.sinks.iter().find(|one| one.planned.id == id)?.address.as_ref(),
        }
    }

    /// Whether a component runs as `planned` says, where it does.
    pub(super) fn goes_on(&self, kind: Kind, planned: &Planned) -> bool {
        let meant = self.links.as_ref().and_then(|links| links.address(planned));
        // Without inputs there is nothing between it and Vector.
        let same_link = |one: &Planned| self.links.is_none() || one.has_inputs == planned.has_inputs;
        self.component(kind, &planned.id).is_some_and(|one| one.is_same(planned) && same_link(one))
            && self.address(kind, &planned.id) == meant.as_ref()
    }

    /// Has our Vector read its configuration again.
    pub(super) async fn reload_vector(&mut self) {
        if let Some(vector) = &self.vector {
            // If nobody listens to it, it has ended, and that is seen.
            vector.commands.send(SupervisorCommand::Reload).await.ok();
        }
    }

    /// Whether our Vector is gone for good.
    pub(super) const fn has_lost_vector(&self) -> bool {
        self.lost_vector
    }

    /// Waits until something ends that should run for ever, and answers what that was.
    pub(super) async fn broke(&mut self) -> String {
        let mut parts: Vec<BoxFuture<'_, String>> = Vec::new();
        for source in &mut self.sources {
            for task in &mut source.tasks {
                let id = &source.planned.id;
                parts.push(Box::pin(async move {
                    task.ended().await;
                    format!("sources.{id} ended by itself")
                }));
            }
        }
        for sink in &mut self.sinks {
            let id = &sink.planned.id;
            if let Some(task) = &mut sink.task {
                parts.push(Box::pin(async move {
                    task.ended().await;
                    format!("The task of sinks.{id} ended by itself")
                }));
            }
            for listener in sink.links.listeners() {
                parts.push(Box::pin(async move {
                    listener.ended().await;
                    format!("The listener of sinks.{id} ended by itself")
                }));
            }
        }
        if let Some(links) = &mut self.links {
            parts.push(Box::pin(async {
                links.broke().await;
                "The listener for Vector ended by itself".to_owned()
            }));
        }
        // There is always a source, but a reload may have been cut short.
        parts.push(Box::pin(std::future::pending()));
        let vector = OptionFuture::from(self.vector.as_mut().map(|vector| &mut vector.task));
        tokio::select! {
            (reason, ..) = select_all(parts) => reason,
            Some(ended) = vector => {
                self.vector = None;
                self.lost_vector = true;
                match ended {
                    Ok(Err(reason)) => reason,
                    _ => "Vector's supervisor ended by itself".to_owned(),
                }
            }
        }
    }

    /// First the sources, then Vector, which hands on what it holds, then what that is handed to, and last what writes incidents.
    pub(super) async fn drain(&mut self) -> Ended {
        let mut ended = self.drain_sources().await;
        if let Some(vector) = &mut self.vector {
            // If nobody listens to it, it has ended already.
            vector.commands.send(SupervisorCommand::Stop).await.ok();
            ended = match (&mut vector.task).await {
                Ok(Ok(SupervisorEnded::Drained)) => ended,
                Ok(Ok(SupervisorEnded::GaveUp)) => Ended::GaveUp,
                Ok(Err(reason)) => {
                    error!("{reason}");
                    Ended::Broke
                }
                Err(_) => Ended::Broke,
            };
            self.vector = None;
        }
        for retiring in self.retiring.drain(..) {
            retiring.stop_within(std::future::pending()).await;
        }
        if let Some(links) = &mut self.links {
            links.stop_listening().await;
        }
        for sink in &mut self.sinks {
            sink.links.stop_within(std::future::pending()).await;
        }
        self.sinks.iter().filter_map(|sink| sink.task.as_ref()).for_each(StoppableTask::stop);
        for task in self.sinks.iter_mut().filter_map(|sink| sink.task.as_mut()) {
            if matches!(task.ended().await, Some(Err(_))) {
                ended = Ended::Broke;
            }
        }
        ended
    }

    async fn drain_sources(&mut self) -> Ended {
        let mut ended = Ended::Drained;
        let clock = self.runtime.connector.clock.clone();
        let (state, limit) = match &self.vector {
            Some(vector) => (Some(vector.state.clone()), Some(vector.sources_limit)),
            None => (None, None),
        };
        self.sources.iter().for_each(RunningSource::stop);
        let mut tasks: FuturesUnordered<_> =
            self.sources.iter_mut().flat_map(|source| &mut source.tasks).map(StoppableTask::ended).collect();
        let over = async {
            match limit {
                Some(limit) => clock.sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                task = tasks.next() => match task {
                    None => return ended,
                    Some(Some(Err(_))) => ended = Ended::Broke,
                    Some(_) => {}
                },
                () = down(state.clone()) => {
                    warn!("Vector is down: not waiting for it. What was on its way is read again next time.");
                    break;
                }
                () = &mut over => {
                    warn!("What was on its way is not delivered yet, and is read again next time; Vector stops now.");
                    break;
                }
            }
        }
        drop(tasks);
        for source in &mut self.sources {
            source.abort().await;
        }
        Ended::GaveUp
    }

    /// Ends everything at once, and returns when it has ended: another run may follow, and wants the same files.
    pub(super) async fn abandon(&mut self) {
        for source in &mut self.sources {
            source.abort().await;
        }
        if let Some(vector) = &mut self.vector {
            for _ in 0..2 {
                vector.commands.send(SupervisorCommand::Stop).await.ok();
            }
            (&mut vector.task).await.ok();
            self.vector = None;
        }
        for retiring in self.retiring.drain(..) {
            retiring.stop_within(std::future::ready(())).await;
        }
        if let Some(links) = &mut self.links {
            links.abort_listening().await;
        }
        for sink in &mut self.sinks {
            sink.abort().await;
        }
    }
}

// === impl RunningSource ===

impl RunningSource {
    pub(super) fn start(ready: ReadySource) -> Self {
        let ReadySource { planned, parts, fan_out, address } = ready;
        let tasks =
            parts.into_iter().map(|(source, out)| StoppableTask::start(|stopped| source.run(out, stopped)));
        Self { planned, address, fan_out, tasks: tasks.collect() }
    }

    /// Asks it to finish what it is delivering, and end.
    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(StoppableTask::stop);
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) {
        for task in &mut self.tasks {
            task.ended().await;
        }
    }

    /// Ends it where it is.
    pub(super) async fn abort(&mut self) {
        for task in &mut self.tasks {
            task.abort().await;
        }
    }
}

// === impl RetiringSink ===

impl RetiringSink {
    /// Has `sink` go on for so long, and then finish within as long again.
    pub(super) fn start(mut sink: RunningSink, limit: Duration, clock: Clock) -> Self {
        let (planned, address) = (sink.planned.clone(), sink.address.clone());
        let abort = CancellationToken::new();
        let aborted = abort.clone();
        let task = StoppableTask::start(|stopped| async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = clock.sleep(limit) => {}
            }
            let over = async {
                tokio::select! {
                    () = clock.sleep(limit) => {}
                    () = aborted.cancelled() => {}
                }
            };
            if sink.stop_within(over.boxed().shared()).await {
                warn!("sinks.{}, which was removed, did not finish in time and was ended.", sink.planned.id);
            }
            sink.links.remove().await;
        });
        Self { planned, address, abort, task }
    }

    /// Has it finish, and ends it when `limit` ends first.
    pub(super) async fn stop_within(mut self, limit: impl Future<Output = ()>) {
        self.task.stop();
        tokio::select! {
            biased;
            _ = self.task.ended() => return,
            () = limit => {}
        }
        self.abort.cancel();
        self.task.ended().await;
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.task.has_ended()
    }
}

// === impl RunningSink ===

impl RunningSink {
    /// Has it finish what it was given, until `limit` ends, and end. Whoever pushes is told to come again. Answers whether something
    /// was given up.
    pub(super) async fn stop_within(&mut self, limit: Shared<impl Future<Output = ()>>) -> bool {
        let mut gave_up = self.links.vacate(limit.clone()).await;
        if let Some(task) = &mut self.task {
            gave_up |= task.stop_within(limit).await;
        }
        gave_up
    }

    async fn abort(&mut self) {
        self.links.stop_within(std::future::ready(())).await;
        if let Some(task) = &mut self.task {
            task.abort().await;
        }
    }
}
