//! What is known of one incident on both sides. The ledger keeps one record each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::field::{Changed, Field, Pair, Side};
use super::snapshot::Snapshot;

/// What is known of one incident on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Sentinel's incident: its `name`, a GUID.
    pub sentinel: String,
    /// Whether Microsoft's own connector keeps the two in sync.
    pub native: bool,
    /// What both sides had when they last agreed.
    pub agreed: BTreeMap<Field, Pair>,
    /// The tags that both sides had when they last agreed.
    pub tags: BTreeSet<String>,
    /// The newest state of each side that was read, written or offered.
    pub versions: BTreeMap<Side, DateTime<Utc>>,
    /// Values that differ from the agreed ones.
    pub changed: BTreeMap<Side, BTreeMap<Field, Changed>>,
    /// Conflicts that are decided: whose value it is, for as long as neither changes again.
    pub settled: BTreeMap<Field, Settled>,
    /// Values that the side that is written does not take: not tried again until they change.
    pub refused: BTreeMap<Field, String>,
    /// What is being written to each side: it may have been done, and the answer lost.
    pub unconfirmed: BTreeMap<Side, Unconfirmed>,
    /// Comments that were copied, or are about to be.
    pub comments: Vec<CommentLink>,
    /// The states of both sides for which the direction that reads a side was last told to look at it again.
    pub woken: BTreeMap<Side, BTreeMap<Side, DateTime<Utc>>>,
    /// What was said already and need not be said again until it changes: by what it is about.
    pub told: BTreeMap<String, String>,
}

/// A conflict that is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The two values.
    pub between: Pair,
    /// Whose value it is; nobody's if that is left to people.
    pub winner: Option<Side>,
}

/// A write that nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// The state that it is to change.
    pub of: DateTime<Utc>,
    /// The fields that are written.
    pub fields: Vec<FieldWrite>,
    /// All tags, before and after.
    pub tags: Option<(BTreeSet<String>, BTreeSet<String>)>,
}

/// A field that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldWrite {
    /// The field that is written.
    pub field: Field,
    /// What it is, in the words of the side that is written.
    pub before: String,
    /// What it is to be.
    pub after: String,
    /// Why it is written.
    pub why: String,
}

/// A comment, and its copy on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentLink {
    /// Where somebody wrote it.
    pub origin: Side,
    /// Its id there.
    pub id: String,
    /// Its text's hash, to see whether it is edited later.
    pub hash: String,
    /// Its copy: more than one comment if it is long, none if there is to be no copy.
    pub parts: Vec<PartLink>,
    /// Whether it was removed, and that was said.
    pub removed: bool,
}

/// One comment of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLink {
    /// What it says, as a hash.
    pub hash: String,
    /// Its id; nothing until it is known that it was written. It may have been, and the answer lost.
    pub id: Option<String>,
}

// === impl Record ===

impl Record {
    /// Notes what a side has now, and since when that differs from what was agreed.
    pub fn observe(&mut self, side: Side, now: &Snapshot) {
        let version = self.versions.entry(side).or_insert(now.version);
        *version = (*version).max(now.version);
        let changed = self.changed.entry(side).or_default();
        for (field, value) in &now.fields {
            if self.agreed.get(field).is_some_and(|pair| pair.of(side) == value) {
                changed.remove(field);
            } else if changed.get(field).is_none_or(|known| known.value != *value) {
                changed.insert(*field, Changed { value: value.clone(), since: now.version });
            }
        }
    }

    /// Whether a state of a side is older than one that is known.
    pub fn is_stale(&self, side: Side, version: DateTime<Utc>) -> bool {
        self.versions.get(&side).is_some_and(|known| version < *known)
    }

    /// Of what was being written to a side, and is not answered, the part that is done as the side is `now`.
    pub fn confirm(&mut self, side: Side, now: &Snapshot) -> Option<Unconfirmed> {
        let written = self.unconfirmed.remove(&side).filter(|written| now.version > written.of)?;
        let is_done = |write: &FieldWrite| now.field(write.field) == Some(&write.after);
        let tags = written.tags.filter(|(_, after)| now.tags.as_ref() == Some(after));
        let fields = written.fields.into_iter().filter(is_done).collect();
        Some(Unconfirmed { of: written.of, fields, tags })
    }

    /// Notes that both sides agree on a field, as far as they can.
    pub fn agree(&mut self, field: Field, pair: Pair) {
        for changed in self.changed.values_mut() {
            changed.remove(&field);
        }
        self.settled.remove(&field);
        self.agreed.insert(field, pair);
    }

    /// Notes that an incident that is open in Sentinel is not closed with any words: what it was closed with before, if it was,
    /// says nothing of how it will be closed next.
    pub fn assume_open(&mut self, sentinel: &Snapshot) {
        if sentinel.is_closed() || sentinel.field(Field::Status).is_none() {
            return;
        }
        for (field, defender, neutral) in
            [(Field::Classification, "unknown/unknown", "Undetermined"), (Field::ClosingComment, "", "")]
        {
            if sentinel.field(field).is_none() {
                let pair = Pair { defender: defender.to_owned(), sentinel: neutral.to_owned() };
                self.agreed.insert(field, pair);
            }
        }
    }

    /// Notes the tags that both sides have, and those that neither has any more.
    pub fn agree_on_tags(&mut self, defender: &BTreeSet<String>, sentinel: &BTreeSet<String>) {
        self.tags.retain(|tag| defender.contains(tag) || sentinel.contains(tag));
        self.tags.extend(defender.intersection(sentinel).cloned());
    }

    /// Whether something has to be said: it was not yet, or it was different. Notes that it is said now.
    pub fn must_tell(&mut self, about: &str, what: &str) -> bool {
        self.told.insert(about.to_owned(), what.to_owned()).is_none_or(|told| told != what)
    }
}
