//! Wires components, runs them, and drains them.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::delivery::{Deliver, FanOut};
use crate::model::problem::Problem;
use crate::pipeline::plan::{Plan, SinkPlan, SourcePlan};
use crate::sources::Source;
use crate::store::Store;

/// Components that are built and wired, ready to run.
pub struct Topology {
    sources: Vec<(Box<dyn Source>, Arc<dyn Deliver>)>,
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

// === impl Topology ===

impl Topology {
    /// Opens the state file and builds every component. What cannot be built is told all at once.
    pub fn build(plan: &Plan, clock: &Clock, rng: &mut fastrand::Rng) -> Result<Self, Vec<Problem>> {
        let store =
            Store::open(&plan.data_dir).map_err(|error| vec![Problem::new("data_dir", error.to_string())])?;
        let mut problems = Vec::new();
        let mut sinks: Vec<(&[String], Arc<dyn Deliver>)> = Vec::new();
        for sink in &plan.sinks {
            let SinkPlan::SentinelLogs(options) = &sink.plan;
            match options.build(&sink.id, &plan.data_dir, clock.clone(), rng.fork()) {
                Ok(built) => sinks.push((&sink.inputs, Arc::new(built))),
                Err(error) => problems.push(Problem::new(format!("sinks.{}", sink.id), error)),
            }
        }
        let mut sources: Vec<(Box<dyn Source>, Arc<dyn Deliver>)> = Vec::new();
        for source in &plan.sources {
            let SourcePlan::DefenderIncidents(options) = &source.plan;
            let reads_it = |inputs: &[String]| inputs.contains(&source.id);
            let branches =
                sinks.iter().filter(|(inputs, _)| reads_it(inputs)).map(|(_, sink)| Arc::clone(sink));
            let out = FanOut::new(branches.collect(), clock.clone(), rng.fork());
            match options.build(&source.id, store.clone(), clock.clone(), rng.fork()) {
                Ok(built) => sources.push((Box::new(built), Arc::new(out))),
                Err(error) => problems.push(Problem::new(format!("sources.{}", source.id), error)),
            }
        }
        if problems.is_empty() { Ok(Self { sources }) } else { Err(problems) }
    }

    /// Runs until `stop`, then lets what is under way be delivered, but no longer than until `give_up`.
    pub async fn run(self, stop: impl Future<Output = ()>, give_up: impl Future<Output = ()>) -> Ended {
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for (source, out) in self.sources {
            tasks.spawn(source.run(out, shutdown.clone()));
        }
        let mut ended = tokio::select! {
            () = stop => Ended::Drained,
            Some(_) = tasks.join_next() => {
                error!("A source ended by itself; stopping, so that whoever supervises us starts us anew.");
                Ended::Broke
            }
        };
        info!("Stopping: finishing what is being delivered.");
        shutdown.cancel();
        let drained = async {
            while let Some(task) = tasks.join_next().await {
                if task.is_err() {
                    ended = Ended::Broke;
                }
            }
            ended
        };
        tokio::select! {
            ended = drained => ended,
            () = give_up => {
                warn!("Stopped while something was being delivered: it is read again next time, and may arrive twice.");
                Ended::GaveUp
            }
        }
    }
}
