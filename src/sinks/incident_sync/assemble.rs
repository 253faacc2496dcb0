//! Puts together what both sinks that keep incidents in sync consist of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ledger::Ledger;
use super::options::SyncOptions;
use super::pass::Direction;
use super::sink::IncidentSink;
use super::target::Target;
use super::worker::Worker;
use crate::component::{BuildError, BuiltSink, Probed, Runtime};
use incident_model::owners::Owners;
use microsoft::ServiceError;
use runtime::quarantine::Quarantine;
use runtime::telemetry::ComponentLabels;

/// The ledgers of a process, by name: the two directions of a pair share one.
#[derive(Clone, Default)]
pub struct Ledgers(Arc<Mutex<BTreeMap<String, Arc<Ledger>>>>);

/// Builds the sink of a direction, whose task writes: `target` makes the service of who is who. Reads the file of owners,
/// opens the quarantine.
pub fn assemble(
    labels: ComponentLabels,
    options: SyncOptions,
    target: impl FnOnce(Owners) -> Arc<dyn Target>,
    runtime: &mut Runtime,
) -> Result<BuiltSink, BuildError> {
    let options = if runtime.dry_run { options.dry_run() } else { options };
    let rules = options.rules()?;
    let target = target(rules.owners.clone());
    let data_dir = runtime.data_dir.clone();
    let quarantine = Quarantine::open(data_dir.clone(), &labels.id, options.quarantine.max_bytes)?;
    let (ledger, clock) = (Ledgers::ledger(runtime, &options.ledger), runtime.connector.clock.clone());
    let rng = runtime.rng.fork();
    let direction = Direction::new(target, ledger, options, rules, labels, quarantine, clock, rng);
    let direction = Arc::new(direction);
    let sink = IncidentSink::new(Arc::clone(&direction));
    direction.ledger.begin(direction.origin());
    let worker = Worker::new(direction, &data_dir.path);
    Ok(BuiltSink {
        health: sink.health().clone(),
        quarantine: sink.quarantine().clone(),
        labels: sink.labels().clone(),
        deliver: Arc::new(sink),
        task: Some(Box::new(|shutdown| Box::pin(worker.run(shutdown)))),
    })
}

// === impl Ledgers ===

impl Ledgers {
    /// The ledger of that name in the process of `runtime`, made if there is none yet.
    pub fn ledger(runtime: &mut Runtime, name: &str) -> Arc<Ledger> {
        let Self(ledgers) = runtime.shared();
        let mut ledgers = ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let (store, readers) = (runtime.store.clone(), runtime.sync_event_readers.clone());
            Arc::new(Ledger::new(store, name, readers, runtime.connector.clock.clone()))
        };
        Arc::clone(ledgers.entry(name.to_owned()).or_insert_with(made))
    }
}

/// What asking a side for an incident came to.
pub fn probed(found: Result<usize, ServiceError>) -> Vec<Probed> {
    let read = "reading works; writing was not tried, as it would change an incident";
    vec![found.map_or_else(|error| Probed::Failed(error.to_string()), |_| Probed::Works(read.to_owned()))]
}
