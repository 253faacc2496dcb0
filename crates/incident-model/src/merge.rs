//! The three-way merge: what must be written on one side, given both sides as they are and what they last agreed on.
//!
//! A field that was changed on one side moves to the other. Changed on both, to what means the same, it is agreed. Changed
//! on both to different values it is a conflict, and the field's policy says whose value it is. Tags are merged one by one,
//! and cannot conflict.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Field, Pair, Policy, Side};
use super::mapping::translate;
use super::owners::Owners;
use super::record::{FieldWrite, Record, Settled, Unconfirmed};
use super::snapshot::Snapshot;

/// A label of incidents that were merged into another one.
/// Source: <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>
pub const REDIRECTED: &str = "redirected";

/// How to merge toward one side.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The fields that are kept in sync, and whose value each is to be in a conflict.
    pub fields: BTreeMap<Field, Policy>,
    /// Whether tags are.
    pub tags: bool,
    /// Whether incidents may be closed.
    pub closing: bool,
    /// Whether incidents that are closed may be opened again.
    pub reopening: bool,
    /// Who is who.
    pub owners: Owners,
}

/// What comes out of a merge toward one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// The fields to write.
    pub moves: Vec<Move>,
    /// All tags that the side is to have, if they are not those that it has.
    pub tags: Option<BTreeSet<String>>,
    /// Fields whose values mean the same already.
    pub agreed: Vec<(Field, Pair)>,
    /// Conflicts, and whose value each is.
    pub conflicts: Vec<(Field, Settled)>,
    /// Values that have no counterpart, and whose they are.
    pub unknown: Vec<(Field, Side, String)>,
    /// Fields that may not be written, because closing or reopening is switched off.
    pub withheld: Vec<(Field, String)>,
    /// Whether something must be written on the other side.
    pub other_side: bool,
}

/// A field to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The field to write.
    pub field: Field,
    /// What it is, in the words of the side that is written.
    pub before: String,
    /// What it is to be.
    pub after: String,
    /// Why it is written.
    pub why: &'static str,
}

/// The two sides as they are.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The incident in Defender.
    pub defender: &'a Snapshot,
    /// The incident in Sentinel.
    pub sentinel: &'a Snapshot,
}

/// Whose value a field is to be.
enum Decision {
    /// Nobody has changed it.
    Same,
    /// One side's, and why.
    Of(Side, &'static str),
    /// Both mean the same.
    Agreed,
    /// This side's has no counterpart, so neither is written.
    Unknown(Side),
    /// Nobody's yet: a person decides.
    Open,
}

/// Says what must be written on `target`. Both sides must have been observed by the record before.
pub fn merge(record: &Record, sides: Sides<'_>, target: Side, rules: &Rules) -> Merge {
    let mut merge = Merge::default();
    if sides.defender.profile().is_some_and(|profile| profile.merged_into.is_some())
        || sides.defender.field(Field::Status) == Some("redirected")
    {
        merge.redirect(sides, target, rules);
        return merge;
    }
    for (field, policy) in &rules.fields {
        merge.field(*field, *policy, record, sides, target, rules);
    }
    if rules.tags {
        merge.tags(record, sides, target);
    }
    merge
}

// === impl Sides ===

impl<'a> Sides<'a> {
    fn of(self, side: Side) -> &'a Snapshot {
        match side {
            Side::Defender => self.defender,
            Side::Sentinel => self.sentinel,
        }
    }

    /// A field's two values, if both are said.
    fn pair(self, field: Field) -> Option<Pair> {
        let (defender, sentinel) = (self.defender.field(field)?, self.sentinel.field(field)?);
        Some(Pair { defender: defender.to_owned(), sentinel: sentinel.to_owned() })
    }

    fn translate(self, field: Field, from: Side, record: &Record, rules: &Rules) -> Option<String> {
        let agreed = record.agreed.get(&field).map(|pair| pair.of(from.other()));
        translate(field, from, self.of(from), self.of(from.other()), agreed, &rules.owners)
    }

    /// Whether both values mean the same, read from either side.
    pub fn agree_on(self, field: Field, record: &Record, rules: &Rules) -> bool {
        Side::ALL.into_iter().any(|side| {
            self.translate(field, side, record, rules).as_deref() == self.of(side.other()).field(field)
        })
    }
}

// === impl Merge ===

impl Merge {
    /// What it writes on a side that is `now`.
    pub fn writes(&self, now: &Snapshot) -> Unconfirmed {
        let write = |one: &Move| FieldWrite {
            field: one.field,
            before: one.before.clone(),
            after: one.after.clone(),
            why: one.why.to_owned(),
        };
        let tags = self.tags.clone().map(|after| (now.tags.clone().unwrap_or_default(), after));
        Unconfirmed { of: now.version, fields: self.moves.iter().map(write).collect(), tags }
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.tags.is_none()
    }

    /// An incident that was merged into another is closed in Sentinel; in Defender nothing can be written on it.
    fn redirect(&mut self, sides: Sides<'_>, target: Side, rules: &Rules) {
        if target == Side::Defender {
            return;
        }
        let why = "merged into another incident in Defender";
        let before = sides.sentinel.field(Field::Status).unwrap_or_default().to_owned();
        if before != "Closed" {
            let words =
                [(Field::Status, before, "Closed"), (Field::Classification, String::new(), "Undetermined")];
            for (field, before, after) in words {
                if !rules.fields.contains_key(&field) {
                    continue;
                }
                if rules.closing {
                    self.moves.push(Move { field, before, after: after.to_owned(), why });
                } else {
                    self.withheld.push((field, after.to_owned()));
                }
            }
        }
        let tags = sides.sentinel.tags.clone().unwrap_or_default();
        if rules.tags && !tags.contains(REDIRECTED) {
            self.tags = Some(tags.into_iter().chain([REDIRECTED.to_owned()]).collect());
        }
    }

    fn field(
        &mut self,
        field: Field,
        policy: Policy,
        record: &Record,
        sides: Sides<'_>,
        target: Side,
        rules: &Rules,
    ) {
        if field.is_of_closed() && sides.sentinel.field(field).is_none() {
            // It is ours to say only if we close it just now.
            if target == Side::Sentinel && self.closes() {
                self.say_with_closing(field, record, sides, rules);
            }
            return;
        }
        let Some(pair) = sides.pair(field) else { return };
        if field.is_of_closed() && target == Side::Sentinel && self.reopens() {
            return;
        }
        match self.decide(field, policy, record, &pair, sides, rules) {
            Decision::Same | Decision::Open => {}
            Decision::Agreed => self.agreed.push((field, pair)),
            Decision::Unknown(side) => self.unknown.push((field, side, pair.of(side).to_owned())),
            Decision::Of(side, _) if side == target => match sides.translate(field, side, record, rules) {
                None => self.unknown.push((field, side, pair.of(side).to_owned())),
                Some(there) => self.other_side |= there != pair.of(side.other()),
            },
            Decision::Of(side, why) => {
                let before = pair.of(target).to_owned();
                match sides.translate(field, side, record, rules) {
                    None => self.unknown.push((field, side, pair.of(side).to_owned())),
                    Some(after) if after == before => self.agreed.push((field, pair)),
                    Some(after) if !may(field, &before, &after, rules) => self.withheld.push((field, after)),
                    Some(after) => self.moves.push(Move { field, before, after, why }),
                }
            }
        }
    }

    fn decide(
        &mut self,
        field: Field,
        policy: Policy,
        record: &Record,
        pair: &Pair,
        sides: Sides<'_>,
        rules: &Rules,
    ) -> Decision {
        let agreed = record.agreed.get(&field);
        let changed = |side: Side| agreed.is_none_or(|agreed| agreed.of(side) != pair.of(side));
        match (changed(Side::Defender), changed(Side::Sentinel)) {
            (false, false) => Decision::Same,
            (true, false) => Decision::Of(Side::Defender, "changed in Defender"),
            (false, true) => Decision::Of(Side::Sentinel, "changed in Sentinel"),
            (true, true) if sides.agree_on(field, record, rules) => Decision::Agreed,
            (true, true) => {
                let is_unknown = |side: &Side| sides.translate(field, *side, record, rules).is_none();
                if let Some(side) = Side::ALL.into_iter().find(is_unknown) {
                    return Decision::Unknown(side);
                }
                let known = record.settled.get(&field).filter(|settled| settled.between == *pair);
                let decided = known.and_then(|settled| settled.winner);
                let winner = decided.or_else(|| winner(field, policy, record));
                self.conflicts.push((field, Settled { between: pair.clone(), winner }));
                match winner {
                    Some(side @ Side::Defender) => {
                        Decision::Of(side, "changed on both sides: Defender's counts")
                    }
                    Some(side @ Side::Sentinel) => {
                        Decision::Of(side, "changed on both sides: Sentinel's counts")
                    }
                    None => Decision::Open,
                }
            }
        }
    }

    /// What Defender says of the incident that is closed in Sentinel just now.
    fn say_with_closing(&mut self, field: Field, record: &Record, sides: Sides<'_>, rules: &Rules) {
        let Some(value) = sides.defender.field(field) else { return };
        match sides.translate(field, Side::Defender, record, rules) {
            None => self.unknown.push((field, Side::Defender, value.to_owned())),
            Some(after) if after.is_empty() => {}
            Some(after) => {
                self.moves.push(Move { field, before: String::new(), after, why: "closed in Defender" });
            }
        }
    }

    fn closes(&self) -> bool {
        self.moves.iter().any(|one| one.field == Field::Status && one.after == "Closed")
    }

    fn reopens(&self) -> bool {
        self.moves.iter().any(|one| one.field == Field::Status && one.before == "Closed")
    }

    fn tags(&mut self, record: &Record, sides: Sides<'_>, target: Side) {
        let (Some(defender), Some(sentinel)) = (&sides.defender.tags, &sides.sentinel.tags) else { return };
        let all: BTreeSet<&String> = record.tags.iter().chain(defender).chain(sentinel).collect();
        // One that was agreed stays if both still have it; another stays if either has it.
        let stays = |tag: &String| {
            let (here, there) = (defender.contains(tag), sentinel.contains(tag));
            if record.tags.contains(tag) { here && there } else { here || there }
        };
        let merged: BTreeSet<String> = all.into_iter().filter(|tag| stays(tag)).cloned().collect();
        let (now, other) = match target {
            Side::Defender => (defender, sentinel),
            Side::Sentinel => (sentinel, defender),
        };
        self.other_side |= merged != *other;
        self.tags = (merged != *now).then_some(merged);
    }
}

/// Whose value a field is to be that was changed on both sides.
fn winner(field: Field, policy: Policy, record: &Record) -> Option<Side> {
    let since = |side: Side| {
        record.changed.get(&side).and_then(|changed| changed.get(&field)).map(|changed| changed.since)
    };
    match policy {
        Policy::Sentinel => Some(Side::Sentinel),
        Policy::Manual => None,
        Policy::Newest if since(Side::Sentinel) > since(Side::Defender) => Some(Side::Sentinel),
        Policy::Defender | Policy::Newest => Some(Side::Defender),
    }
}

/// Whether a status may be written.
fn may(field: Field, before: &str, after: &str, rules: &Rules) -> bool {
    let is_closed = |status: &str| matches!(status, "Closed" | "resolved");
    match (field, is_closed(before), is_closed(after)) {
        (Field::Status, false, true) => rules.closing,
        (Field::Status, true, false) => rules.reopening,
        _ => true,
    }
}
