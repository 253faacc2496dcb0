//! Reload by difference: what has changed is stopped, built anew and started, and everything else goes on.
//!
//! In this order, so that nothing is lost and nothing comes twice: sources that go stop first, and finish what they are
//! delivering; then sinks that go finish what they have been given; then everything new is built, all of it before any of it
//! starts; then the edges are changed, and Vector is told.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Shared, join_all};
use tracing::{error, warn};

use super::plan::Plan;
use super::ready::{ReadySink, ReadySource};
use super::running::{Running, RunningSource};
use super::task::StoppableTask;
use model::problem::{Problem, words};
use pipeline_file::{Kind, PipelineFile};

/// What a reload has come to: the components that it was about, as they stand in the file (`sinks.sentinel`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones.
    pub added: Vec<String>,
    /// Those that have other options now.
    pub changed: Vec<String>,
    /// Those that are not there any more.
    pub removed: Vec<String>,
    /// Whether a Vector of ours was told to read its configuration again.
    pub vector_reads_again: bool,
}

/// Why a reload did not come about.
#[derive(Debug)]
pub enum NotReloaded {
    /// Something cannot be built: everything goes on as before.
    Problems(Vec<Problem>),
    /// Neither can something of what ran before: the run ends.
    Broke(Vec<Problem>),
    /// The run ends.
    Stopping,
}

/// Why a difference was not applied.
enum NotApplied {
    Problems(Vec<Problem>),
    Stopping,
}

// === impl Changes ===

impl Changes {
    /// What there is to do to come from one plan to another.
    fn between(running: &Running, plan: &Plan) -> Self {
        let mut changes = Self::default();
        for (kind, planned) in plan.components() {
            match running.component(kind, &planned.id) {
                None => changes.added.push(planned.path(kind)),
                Some(_) if running.goes_on(kind, planned) => {}
                Some(_) => changes.changed.push(planned.path(kind)),
            }
        }
        for (kind, planned) in running.components() {
            if plan.component(kind, &planned.id).is_none() {
                changes.removed.push(planned.path(kind));
            }
        }
        changes
    }

    /// Whether no component was touched.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Display for Changes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = [("changed", &self.changed), ("added", &self.added), ("removed", &self.removed)];
        let parts = all.iter().filter(|(_, ids)| !ids.is_empty());
        let parts: Vec<String> = parts.map(|(word, ids)| format!("{word} {}", ids.join(", "))).collect();
        f.write_str(&parts.join("; "))
    }
}

// === impl Running ===

impl Running {
    /// Goes on with `plan`. What is on its way to a component that goes has until `limit`.
    pub(super) async fn reload(
        &mut self,
        plan: Plan,
        file: PipelineFile,
        limit: Duration,
        stop: Shared<impl Future<Output = ()> + Send>,
    ) -> Result<Changes, NotReloaded> {
        match self.apply(&plan, Some(file), limit, stop.clone()).await {
            Ok(changes) => {
                self.plan = plan;
                Ok(changes)
            }
            Err(NotApplied::Stopping) => Err(NotReloaded::Stopping),
            Err(NotApplied::Problems(problems)) => {
                let before = self.plan.clone();
                match self.apply(&before, None, limit, stop).await {
                    Ok(_) => Err(NotReloaded::Problems(problems)),
                    Err(NotApplied::Stopping) => Err(NotReloaded::Stopping),
                    Err(NotApplied::Problems(again)) => {
                        error!("What ran before cannot be started again either: {}", words(&again, "; "));
                        Err(NotReloaded::Broke(problems))
                    }
                }
            }
        }
    }

    async fn apply(
        &mut self,
        plan: &Plan,
        file: Option<PipelineFile>,
        limit: Duration,
        stop: Shared<impl Future<Output = ()> + Send>,
    ) -> Result<Changes, NotApplied> {
        if let Some(links) = &mut self.links {
            links.set_plan(plan);
        }
        let mut changes = Changes::between(self, plan);
        let clock = self.runtime.connector.clock.clone();
        let over = async move { clock.sleep(limit).await }.boxed().shared();
        self.stop_sources(plan, over.clone(), stop.clone()).await?;
        let mut sockets = self.stop_sinks(plan, over.clone(), stop).await?;
        for path in &changes.added {
            // It may still be there, for a Vector that had not read its configuration again.
            if let Some(mut retired) = self.retiring.remove(path) {
                retired.stop_within(over.clone()).await;
            }
        }

        self.runtime.sync_event_readers.set(plan.sync_event_readers());
        let (sinks, sources) = self.build_missing(plan, &mut sockets).await?;
        for sink in sinks {
            self.start_sink(sink);
        }
        if self.links.is_some() {
            self.retire_sinks(plan, limit);
        } else {
            self.connect(&plan.sinks, &sources);
        }
        if let Some(links) = &self.links {
            changes.vector_reads_again = links
                .write(file)
                .map_err(|error| NotApplied::Problems(vec![Problem::new("", error.to_string())]))?;
        }
        for source in sources {
            self.sources.push(RunningSource::start(source));
        }
        if changes.vector_reads_again {
            self.reload_vector().await;
        }
        Ok(changes)
    }

    /// Stops the sources that do not go on in `plan`.
    async fn stop_sources(
        &mut self,
        plan: &Plan,
        limit: impl Future<Output = ()>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), NotApplied> {
        let leaving: Vec<String> = self.leaving(Kind::Source, plan);
        let mut sources: Vec<&mut RunningSource> =
            self.sources.iter_mut().filter(|source| leaving.contains(&source.planned.id)).collect();
        for source in &sources {
            source.stop();
        }
        let is_over = {
            let ended = join_all(sources.iter_mut().map(|source| source.ended()));
            tokio::select! {
                biased;
                _ = ended => true,
                () = stop => return Err(NotApplied::Stopping),
                () = limit => false,
            }
        };
        if !is_over {
            warn!(
                "What a source was delivering is not delivered in time: it is read again, and may arrive twice."
            );
            for source in sources {
                source.abort().await;
            }
        }
        self.sources.retain(|source| !leaving.contains(&source.planned.id));
        if let Some(links) = &self.links {
            for id in leaving.iter().filter(|id| plan.component(Kind::Source, id).is_none()) {
                links.remove(id);
            }
        }
        Ok(())
    }

    /// Stops the sinks that do not go on in `plan`, but for those that only Vector can let go of. Answers the sockets of those
    /// that are replaced.
    async fn stop_sinks(
        &mut self,
        plan: &Plan,
        limit: Shared<impl Future<Output = ()>>,
        stop: Shared<impl Future<Output = ()>>,
    ) -> Result<BTreeMap<String, std::net::TcpListener>, NotApplied> {
        let mut leaving = self.leaving(Kind::Sink, plan);
        if self.links.is_some() {
            leaving.retain(|id| plan.component(Kind::Sink, id).is_some());
        }
        for id in &leaving {
            let Some(slot) = self.slots.get(id) else { continue };
            let delivering = slot.vacate();
            tokio::select! {
                biased;
                () = delivering.decided() => {}
                () = stop.clone() => {
                    slot.restore(delivering);
                    return Err(NotApplied::Stopping);
                }
                () = limit.clone() => {
                    warn!("sinks.{id} has not delivered in time what it was given: that is delivered again, and may arrive twice.");
                    delivering.revoke().await;
                }
            }
        }
        let mut sockets = BTreeMap::new();
        let mut at = 0;
        while let Some(sink) = self.sinks.get_mut(at) {
            if !leaving.contains(&sink.planned.id) {
                at += 1;
                continue;
            }
            if sink.stop_within(limit.clone()).await {
                warn!("sinks.{} did not stop in time and was ended.", sink.planned.id);
            }
            let sink = self.sinks.remove(at);
            let same_address = plan.component(Kind::Sink, &sink.planned.id).is_some_and(|planned| {
                self.links.as_ref().is_some_and(|links| links.address(planned) == sink.address)
            });
            if let Some(socket) = sink.socket.filter(|_| same_address) {
                sockets.insert(sink.planned.id.clone(), socket);
            }
        }
        Ok(sockets)
    }

    /// Builds what is in `plan` and does not run.
    async fn build_missing(
        &mut self,
        plan: &Plan,
        sockets: &mut BTreeMap<String, std::net::TcpListener>,
    ) -> Result<(Vec<ReadySink>, Vec<ReadySource>), NotApplied> {
        let (mut sinks, mut sources, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for planned in &plan.sinks {
            if self.component(Kind::Sink, &planned.id).is_some() {
                continue;
            }
            let kept = sockets.remove(&planned.id);
            match ReadySink::build(planned, self.links.as_ref(), kept, &mut self.runtime).await {
                Ok(sink) => sinks.push(sink),
                Err(problem) => problems.push(problem),
            }
        }
        for planned in &plan.sources {
            if self.component(Kind::Source, &planned.id).is_some() {
                continue;
            }
            match ReadySource::build(planned, self.links.as_ref(), &mut self.runtime) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            return Ok((sinks, sources));
        }
        if let Some(links) = &self.links {
            for source in &sources {
                links.remove(&source.planned.id);
            }
        }
        Err(NotApplied::Problems(problems))
    }

    /// Sinks that are not in `plan` any more go on for so long, because Vector may hold events for them.
    fn retire_sinks(&mut self, plan: &Plan, limit: Duration) {
        let leaving = self.leaving(Kind::Sink, plan);
        let retired = self.sinks.extract_if(.., |sink| leaving.contains(&sink.planned.id));
        for mut sink in retired {
            if let Some(links) = &self.links {
                links.remove(&sink.planned.id);
            }
            let (path, clock) = (sink.planned.path(Kind::Sink), self.runtime.connector.clock.clone());
            let task = StoppableTask::start(|stopped| async move {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = clock.sleep(limit) => {}
                }
                sink.stop_within(async move { clock.sleep(limit).await }.boxed().shared()).await;
            });
            self.retiring.insert(path, task);
        }
    }

    /// The ids of the components that do not go on in `plan`.
    fn leaving(&self, kind: Kind, plan: &Plan) -> Vec<String> {
        let all = self.components().filter(|(of, _)| *of == kind);
        let leaving = all.filter(|(kind, running)| {
            !plan.component(*kind, &running.id).is_some_and(|planned| self.goes_on(*kind, planned))
        });
        leaving.map(|(_, planned)| planned.id.clone()).collect()
    }
}
