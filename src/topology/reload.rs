//! Reload by difference: what has changed is stopped, built anew and started, and everything else goes on.
//!
//! In this order: sources that go stop first, and finish what they are delivering; then sinks that go finish what they have
//! been given; then everything new is built, all of it before any of it starts; then Vector's configuration is written; then
//! everything new starts, the edges are changed, and Vector is told.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Shared, join_all};
use tracing::{error, warn};

use super::left_spools;
use super::plan::{Plan, Planned};
use super::ready::{ReadySink, ReadySource};
use super::running::{RetiringSink, Running, RunningSink, RunningSource, down};
use super::sink_links::SinkLinks;
use model::problem::{Problem, words};
use pipeline_file::{Kind, PipelineFile};

/// What a reload has come to: the components that it was about, as they stand in the file (`sinks.sentinel`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that are new.
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
        let is_rollback = file.is_none();
        if let Some(links) = &mut self.links {
            links.set_plan(plan);
        }
        let mut changes = self.difference(plan);
        self.check_addresses(plan).map_err(NotApplied::Problems)?;
        let clock = self.runtime.connector.clock.clone();
        // What waits for one kind of component takes no time from the next.
        let over = || {
            let clock = clock.clone();
            async move { clock.sleep(limit).await }.boxed().shared()
        };
        self.stop_sources(plan, over(), stop.clone()).await?;
        self.stop_sinks(plan, over(), stop).await?;
        self.stop_retiring(plan, over()).await;

        self.runtime.sync_event_readers.set(plan.sync_event_readers());
        let (sinks, sources) = self.build_missing(plan).await?;
        if let Some(links) = &self.links {
            match links.write(file) {
                // Without any change it is asked to look all the same: at the files that its tables are in, for example.
                Ok(is_new) => {
                    changes.vector_reads_again = is_new || (self.vector.is_some() && changes.is_empty());
                }
                // Vector goes on with what it has, and gets the rest when it is started again.
                Err(error) if is_rollback => error!("{error}"),
                Err(error) => {
                    self.forget_unstarted(sinks, &sources);
                    return Err(NotApplied::Problems(vec![Problem::new("", error.to_string())]));
                }
            }
        }
        for sink in sinks {
            self.start_sink(sink);
        }
        if self.links.is_some() {
            self.retire_sinks(plan, limit);
        } else {
            self.connect(&plan.sinks, &sources);
        }
        for source in sources {
            self.sources.push(RunningSource::start(source));
        }
        for (_, mut links) in std::mem::take(&mut self.kept) {
            links.remove().await;
        }
        if changes.vector_reads_again {
            self.reload_vector().await;
        }
        left_spools::report(&self.runtime.data_dir, plan).await;
        Ok(changes)
    }

    /// What there is to do to come to `plan`.
    fn difference(&self, plan: &Plan) -> Changes {
        let mut changes = Changes::default();
        for (kind, planned) in plan.components() {
            let rewired = |running: &Planned| self.links.is_none() && running.inputs != planned.inputs;
            match self.component(kind, &planned.id) {
                None => changes.added.push(planned.path(kind)),
                Some(running) if self.goes_on(kind, planned) && !rewired(running) => {}
                Some(_) => changes.changed.push(planned.path(kind)),
            }
        }
        let gone = self.components().filter(|(kind, planned)| plan.component(*kind, &planned.id).is_none());
        changes.removed = gone.map(|(kind, planned)| planned.path(kind)).collect();
        changes
    }

    /// Reports components that would meet a Vector that somebody else runs at another address, though their options are the
    /// same: until Vector has read its file again, one would get what is for another.
    fn check_addresses(&self, plan: &Plan) -> Result<(), Vec<Problem>> {
        let Some(links) = self.links.as_ref().filter(|_| self.vector.is_none()) else { return Ok(()) };
        let moved = plan.components().filter_map(|(kind, planned)| {
            self.component(kind, &planned.id)?;
            let (before, after) = (self.address(kind, &planned.id)?, links.address(planned)?);
            let moves = planned.link.address.is_none() && *before != after;
            let message = format!(
                "it would move from {before} to {after}, which Vector's file has for another component until Vector has read it \
                 again: give it vector.address, or start both anew"
            );
            moves.then(|| Problem::new(planned.path(kind), message))
        });
        let moved: Vec<_> = moved.collect();
        if moved.is_empty() { Ok(()) } else { Err(moved) }
    }

    /// Stops the sources that do not go on in `plan`.
    async fn stop_sources(
        &mut self,
        plan: &Plan,
        limit: impl Future<Output = ()>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), NotApplied> {
        let leaving: Vec<String> = self.leaving(Kind::Source, plan);
        let state = self.vector.as_ref().map(|vector| vector.state.clone());
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
                // It takes nothing now.
                () = down(state) => false,
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
            for id in leaving.iter().filter(|id| !plan.has_id(id)) {
                links.remove(id);
            }
        }
        Ok(())
    }

    /// Stops the sinks that do not go on in `plan`, but for those that may go on for Vector.
    async fn stop_sinks(
        &mut self,
        plan: &Plan,
        limit: Shared<impl Future<Output = ()>>,
        stop: Shared<impl Future<Output = ()>>,
    ) -> Result<(), NotApplied> {
        let mut leaving = self.leaving(Kind::Sink, plan);
        if self.links.is_some() {
            let retires = |sink: &RunningSink| {
                plan.component(Kind::Sink, &sink.planned.id).is_none()
                    && !self.is_in_the_way(&sink.planned, sink.address.as_ref(), plan)
            };
            let retiring: Vec<_> =
                self.sinks.iter().filter(|sink| retires(sink)).map(|sink| &sink.planned.id).collect();
            leaving.retain(|id| !retiring.contains(&id));
        }
        self.vacate_slots(&leaving, plan, limit.clone(), stop).await?;
        let (mut stopping, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.sinks).into_iter().partition(|sink| leaving.contains(&sink.planned.id));
        self.sinks = others;
        // One that hangs takes no time from the others.
        join_all(stopping.iter_mut().map(|sink| async {
            if sink.stop_within(limit.clone()).await {
                warn!("sinks.{} did not finish in time and was ended.", sink.planned.id);
            }
        }))
        .await;
        for sink in stopping {
            let RunningSink { planned: before, links, address, .. } = sink;
            let (mut kept, mut closed) = (links, SinkLinks::default());
            let planned = plan.component(Kind::Sink, &before.id);
            let same_link = planned.is_some_and(|planned| {
                (planned.has_inputs, &planned.link) == (before.has_inputs, &before.link)
                    && self.links.as_ref().is_some_and(|links| links.address(planned) == address)
            });
            if !same_link {
                closed.vector = kept.vector.take();
            }
            if planned.is_none_or(|planned| planned.listen != before.listen) {
                closed.shippers = kept.shippers.take();
            }
            // What comes in their place may listen where they do.
            closed.remove().await;
            self.kept.insert(before.id, kept);
        }
        Ok(())
    }

    /// Takes the sinks `leaving` out of their slots, when they have decided what they were given.
    async fn vacate_slots(
        &mut self,
        leaving: &[String],
        plan: &Plan,
        limit: Shared<impl Future<Output = ()>>,
        stop: Shared<impl Future<Output = ()>>,
    ) -> Result<(), NotApplied> {
        let slots = leaving.iter().filter_map(|id| Some((id, self.slots.get(id)?)));
        let vacated: Vec<_> = slots.map(|(id, slot)| (id, slot, slot.vacate())).collect();
        let is_decided = tokio::select! {
            biased;
            _ = join_all(vacated.iter().map(|(_, _, leaving)| leaving.decided())) => true,
            () = stop => {
                for (_, slot, leaving) in vacated {
                    slot.restore(leaving);
                }
                return Err(NotApplied::Stopping);
            }
            () = limit => false,
        };
        for (id, _, leaving) in vacated.iter().filter(|_| !is_decided) {
            if !leaving.is_decided() {
                let then = if plan.component(Kind::Sink, id).is_some() {
                    "it is delivered by its new options, and may arrive twice"
                } else {
                    "it may have arrived or not; nobody tries it again there"
                };
                warn!("sinks.{id} has not delivered in time what it was given: {then}.");
                leaving.revoke().await;
            }
        }
        Ok(())
    }

    /// Whether a sink that is removed cannot go on beside those of `plan`: one listens where it does, or writes by its ledger.
    fn is_in_the_way(&self, removed: &Planned, address: Option<&String>, plan: &Plan) -> bool {
        let key =
            |planned: &Planned| planned.component.sync().map(|sync| (sync.ledger.to_owned(), sync.target));
        let for_shippers = |planned: &Planned| Some(planned.listen.as_ref()?.address.clone());
        let taken = [address.cloned(), for_shippers(removed)];
        plan.sinks.iter().any(|planned| {
            let meant = self.links.as_ref().and_then(|links| links.address(planned));
            let meant = [meant, for_shippers(planned)];
            planned.id == removed.id
                || meant.iter().any(|address| address.is_some() && taken.contains(address))
                || key(planned).is_some_and(|one| Some(one) == key(removed))
        })
    }

    /// Stops sinks that were removed before, and would be in the way of `plan`.
    async fn stop_retiring(&mut self, plan: &Plan, limit: Shared<impl Future<Output = ()>>) {
        let (stopping, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.retiring)
            .into_iter()
            .filter(|one| !one.has_ended())
            .partition(|one| self.is_in_the_way(&one.planned, one.address.as_ref(), plan));
        self.retiring = others;
        join_all(stopping.into_iter().map(|one| one.stop_within(limit.clone()))).await;
    }

    /// Builds what is in `plan` and does not run.
    async fn build_missing(&mut self, plan: &Plan) -> Result<(Vec<ReadySink>, Vec<ReadySource>), NotApplied> {
        let (mut sinks, mut sources, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        // Of what did not start after all: what ran before may listen where it does.
        for (_, mut links) in
            self.kept.extract_if(.., |id, _| plan.component(Kind::Sink, id).is_none()).collect::<Vec<_>>()
        {
            links.remove().await;
        }
        for planned in &plan.sinks {
            if self.component(Kind::Sink, &planned.id).is_some() {
                continue;
            }
            let kept = self.kept.remove(&planned.id).unwrap_or_default();
            match ReadySink::build(planned, self.links.as_ref(), kept, &mut self.runtime).await {
                Ok(sink) => sinks.push(sink),
                Err((problem, links)) => {
                    self.kept.insert(planned.id.clone(), links);
                    problems.push(problem);
                }
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
        self.forget_unstarted(sinks, &sources);
        Err(NotApplied::Problems(problems))
    }

    /// Of what was built, and does not start after all, sources are not linked, and the links of sinks are kept for what ran
    /// before.
    fn forget_unstarted(&mut self, sinks: Vec<ReadySink>, sources: &[ReadySource]) {
        self.kept.extend(sinks.into_iter().map(|sink| (sink.planned.id, sink.links)));
        if let Some(links) = &self.links {
            for source in sources {
                links.remove(&source.planned.id);
            }
        }
    }

    /// Sinks that are not in `plan` any more go on for so long, because Vector may hold events for them.
    fn retire_sinks(&mut self, plan: &Plan, limit: Duration) {
        let leaving = self.leaving(Kind::Sink, plan);
        for sink in self.sinks.extract_if(.., |sink| leaving.contains(&sink.planned.id)) {
            if let Some(links) = self.links.as_ref().filter(|_| !plan.has_id(&sink.planned.id)) {
                links.remove(&sink.planned.id);
            }
            let clock = self.runtime.connector.clock.clone();
            self.retiring.push(RetiringSink::start(sink, limit, clock));
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
