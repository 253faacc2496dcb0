//! The two directions in which incidents are kept in sync: what must fit together across components.

use super::plan::{PlannedSink, PlannedSource};
use crate::model::problem::Problem;
use crate::sinks::incident_sync::SyncOptions;

/// The two directions of a ledger must mean the same by it; a third sink would write what the others have agreed on.
pub(super) fn check_ledgers(sinks: &[PlannedSink], problems: &mut Vec<Problem>) {
    let syncs = sinks.iter().filter_map(|sink| Some((sink, sink.plan.sync()?)));
    let mut known: Vec<(&PlannedSink, &SyncOptions)> = Vec::new();
    for (sink, options) in syncs {
        let path = format!("sinks.{}.sync", sink.id);
        for (other, others) in known.iter().filter(|(_, others)| others.ledger == options.ledger) {
            if std::mem::discriminant(&sink.plan) == std::mem::discriminant(&other.plan) {
                let message =
                    format!("sinks.{} has this ledger already: give one of them a name of its own", other.id);
                problems.push(Problem::new(format!("{path}.ledger"), message));
            } else if others.shared != options.shared {
                let message = format!(
                    "differs from sinks.{}.sync, which has the same ledger: both directions must agree on what is kept in sync \
                     and how",
                    other.id
                );
                problems.push(Problem::new(path.clone(), message));
            }
        }
        known.push((sink, options));
    }
}

/// What keeps incidents in sync takes those of the other side: of its own it would understand none.
pub(super) fn check_directions(
    sources: &[PlannedSource],
    sinks: &[PlannedSink],
    problems: &mut Vec<Problem>,
) {
    for sink in sinks.iter().filter(|sink| sink.plan.sync().is_some()) {
        let name = sink.plan.type_name();
        let of_its_own =
            |source: &&PlannedSource| source.plan.type_name() == name && sink.inputs.contains(&source.id);
        for source in sources.iter().filter(of_its_own) {
            let message = format!(
                "{} has incidents of the side that {name} writes to: it takes the other side's",
                source.id
            );
            problems.push(Problem::new(format!("sinks.{}.inputs", sink.id), message));
        }
    }
}
