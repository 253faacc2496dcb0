//! The two directions in which incidents are kept in sync: what must fit together across components.

use super::plan::{PlannedSink, PlannedSource, SinkPlan};
use crate::sinks::incident_sync::SyncOptions;
use model::problem::Problem;

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

/// Directions back into Defender that know no incident of ours: those are in the ledger of a direction into Sentinel.
pub(super) fn unpaired(sinks: &[PlannedSink]) -> Vec<Problem> {
    let ledgers = |to_sentinel: bool| {
        let of_kind =
            move |sink: &&PlannedSink| matches!(sink.plan, SinkPlan::SentinelIncidents(_)) == to_sentinel;
        sinks.iter().filter(of_kind).filter_map(|sink| Some((sink, sink.plan.sync()?.ledger.as_str())))
    };
    let into_sentinel: Vec<_> = ledgers(true).map(|(_, ledger)| ledger).collect();
    let alone =
        ledgers(false).filter(|(_, ledger)| !into_sentinel.is_empty() && !into_sentinel.contains(ledger));
    let warning = |(sink, ledger): (&PlannedSink, &str)| {
        let message = format!(
            "no sentinel_incidents sink has the ledger {ledger}, so that only incidents of Microsoft's connector are known here: \
             the two directions between one tenant and one workspace share a ledger ({} is there)",
            into_sentinel.join(", ")
        );
        Problem::new(format!("sinks.{}.sync.ledger", sink.id), message)
    };
    alone.map(warning).collect()
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
