//! Puts the parts of one direction together.

use std::path::Path;
use std::sync::Arc;

use super::ledger::Ledger;
use super::options::SyncOptions;
use super::pass::Direction;
use super::sink::IncidentSink;
use super::target::Target;
use super::worker::Worker;
use crate::sinks::quarantine::QuarantineConfig;
use incident_model::owners::Owners;
use runtime::clock::Clock;
use runtime::delivery::Health;
use runtime::quarantine::Quarantine;
use runtime::telemetry::Component;

/// One direction, ready to run.
pub struct BuiltSync {
    /// Takes incidents.
    pub sink: IncidentSink,
    /// Writes them.
    pub worker: Worker,
}

/// Puts a direction together: `target` makes the service of who is who. Reads the file of owners, opens the quarantine.
#[expect(clippy::too_many_arguments, reason = "the parts of a direction, each of them once")]
pub fn assemble(
    target: impl FnOnce(Owners) -> Arc<dyn Target>,
    ledger: Arc<Ledger>,
    options: SyncOptions,
    labels: Component,
    quarantine: QuarantineConfig,
    data_dir: &Path,
    clock: &Clock,
    rng: fastrand::Rng,
) -> Result<BuiltSync, String> {
    let rules = options.rules()?;
    let target = target(rules.owners.clone());
    let quarantine =
        Quarantine::open(data_dir, &labels.id, quarantine.max_bytes).map_err(|error| error.to_string())?;
    let direction = Direction::new(target, ledger, options, rules, labels, quarantine, clock.clone(), rng);
    let direction = Arc::new(direction);
    let sink = IncidentSink::new(Arc::clone(&direction), Health::default());
    Ok(BuiltSync { sink, worker: Worker::new(direction, data_dir) })
}
