//! Builds sinks out of what they share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::sinks::incident_sync::{BuiltSync, Ledger, Worker};
use crate::sinks::sentinel_logs::{Rules, SentinelLogs};
use crate::topology::plan::{Plan, PlannedSink, PlannedSource, SinkPlan, SourcePlan};
use runtime::clock::Clock;
use runtime::store::Store;
use vector_link::server;

/// What the sinks of a process share.
pub(super) struct Shared<'a> {
    data_dir: &'a Path,
    store: Store,
    clock: &'a Clock,
    rules: Rules,
    /// The sources that emit what keeping incidents in sync has to tell.
    readers: Vec<String>,
    ledgers: BTreeMap<String, Arc<Ledger>>,
    pub(super) workers: Vec<Worker>,
    /// Those that compare data collection rules once they run.
    pub(super) logs: Vec<Arc<SentinelLogs>>,
}

// === impl Shared ===

impl<'a> Shared<'a> {
    pub(super) fn new(plan: &'a Plan, store: Store, clock: &'a Clock) -> Self {
        let reader = |source: &PlannedSource| match &source.plan {
            SourcePlan::VectorSentinelEvents(options) => options.tells_of_sync().then(|| source.id.clone()),
            _ => None,
        };
        Self {
            data_dir: &plan.data_dir,
            store,
            clock,
            rules: Rules::default(),
            readers: plan.sources.iter().filter_map(reader).collect(),
            ledgers: BTreeMap::new(),
            workers: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Builds a sink, and its worker if it has one.
    pub(super) fn build(
        &mut self,
        sink: &PlannedSink,
        rng: fastrand::Rng,
    ) -> Result<server::Options, String> {
        let ledger = sink.plan.sync().map(|sync| self.ledger(&sync.ledger));
        let (data_dir, clock) = (self.data_dir, self.clock);
        let built = match (&sink.plan, ledger) {
            (SinkPlan::SentinelIncidents(options), Some(ledger)) => {
                options.build(&sink.id, data_dir, ledger, clock, rng)?
            }
            (SinkPlan::DefenderIncidents(options), Some(ledger)) => {
                options.build(&sink.id, data_dir, ledger, clock, rng)?
            }
            (SinkPlan::SentinelLogs(options), _) => {
                let built = Arc::new(options.build(&sink.id, data_dir, &self.rules, clock.clone(), rng)?);
                self.logs.push(Arc::clone(&built));
                return Ok(server::Options {
                    health: built.health().clone(),
                    quarantine: built.quarantine().clone(),
                    labels: built.labels().clone(),
                    deliver: built,
                });
            }
            (SinkPlan::SentinelIncidents(_) | SinkPlan::DefenderIncidents(_), None) => {
                return Err("it has no ledger".to_owned());
            }
        };
        let BuiltSync { sink, worker } = built;
        self.workers.push(worker);
        Ok(server::Options {
            health: sink.health().clone(),
            quarantine: sink.quarantine().clone(),
            labels: sink.labels().clone(),
            deliver: Arc::new(sink),
        })
    }

    /// The ledger of that name, which two sinks may have.
    fn ledger(&mut self, name: &str) -> Arc<Ledger> {
        let made =
            || Arc::new(Ledger::new(self.store.clone(), name, self.readers.clone(), self.clock.clone()));
        Arc::clone(self.ledgers.entry(name.to_owned()).or_insert_with(made))
    }
}
