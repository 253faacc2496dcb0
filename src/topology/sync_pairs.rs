//! The two directions in which incidents are kept in sync: what must fit together across components.

use super::plan::Planned;
use crate::component::SyncDirection;
use incident_model::field::Side;
use model::problem::Problem;

/// The sinks that keep incidents in sync, each with its direction.
fn directions(sinks: &[Planned]) -> impl Iterator<Item = (&Planned, SyncDirection<'_>)> {
    sinks.iter().filter_map(|sink| Some((sink, sink.component.sync()?)))
}

/// The two directions of a ledger must mean the same by it; a third sink would write what the others have agreed on.
pub(super) fn check_ledgers(sinks: &[Planned], problems: &mut Vec<Problem>) {
    let mut known: Vec<(&Planned, SyncDirection<'_>)> = Vec::new();
    for (sink, direction) in directions(sinks) {
        let path = format!("sinks.{}.sync", sink.id);
        for (other, others) in known.iter().filter(|(_, others)| others.ledger == direction.ledger) {
            if others.target == direction.target {
                let message =
                    format!("sinks.{} has this ledger already: give one of them a name of its own", other.id);
                problems.push(Problem::new(format!("{path}.ledger"), message));
            } else if others.shared != direction.shared {
                let message = format!(
                    "differs from sinks.{}.sync, which has the same ledger: both directions must agree on what is kept in sync \
                     and how",
                    other.id
                );
                problems.push(Problem::new(path.clone(), message));
            }
        }
        known.push((sink, direction));
    }
}

/// Directions back into Defender that know no incident of ours: those are in the ledger of a direction into Sentinel.
pub(super) fn unpaired(sinks: &[Planned]) -> Vec<Problem> {
    let of = |side: Side| directions(sinks).filter(move |(_, direction)| direction.target == side);
    let into_sentinel: Vec<_> = of(Side::Sentinel).map(|(_, direction)| direction.ledger).collect();
    let alone = of(Side::Defender)
        .filter(|(_, direction)| !into_sentinel.is_empty() && !into_sentinel.contains(&direction.ledger));
    let warning = |(sink, direction): (&Planned, SyncDirection<'_>)| {
        let message = format!(
            "no sentinel_incidents sink has the ledger {}, so that only incidents of Microsoft's connector are known here: \
             the two directions between one tenant and one workspace share a ledger ({} is there)",
            direction.ledger,
            into_sentinel.join(", ")
        );
        Problem::new(format!("sinks.{}.sync.ledger", sink.id), message)
    };
    alone.map(warning).collect()
}

/// What keeps incidents in sync takes those of the other side: of its own it would understand none.
pub(super) fn check_directions(sources: &[Planned], sinks: &[Planned], problems: &mut Vec<Problem>) {
    for (sink, _) in directions(sinks) {
        let name = sink.type_name;
        let of_its_own = |source: &&Planned| source.type_name == name && sink.inputs.contains(&source.id);
        for source in sources.iter().filter(of_its_own) {
            let message = format!(
                "{} has incidents of the side that {name} writes to: it takes the other side's",
                source.id
            );
            problems.push(Problem::new(format!("sinks.{}.inputs", sink.id), message));
        }
    }
}
