//! What keeps an incident the same on both sides, without any service.

mod closing;
mod comments;
mod converges;
mod from_graph;
mod from_security_insights;
mod mapping;
mod merge;
mod tags;

use chrono::{DateTime, Utc};

use super::comment::{Copy, missing};
use super::field::{Field, Pair, Policy, Side};
use super::merge::{Merge, Rules, Sides, merge};
use super::owners::Owners;
use super::record::Record;
use super::snapshot::{Comment, Origin, Own, Profile, Snapshot};

/// A second of a day.
fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn snapshot(own: Own, second: i64, fields: &[(Field, &str)]) -> Snapshot {
    Snapshot {
        id: "29".to_owned(),
        version: at(second),
        fields: fields.iter().map(|(field, value)| (*field, (*value).to_owned())).collect(),
        tags: None,
        comments: None,
        own,
    }
}

/// An incident in Defender, last changed in that second.
fn in_defender(second: i64, fields: &[(Field, &str)]) -> Snapshot {
    snapshot(Own::Defender(Profile::default()), second, fields)
}

/// An incident in Sentinel, last changed in that second.
fn in_sentinel(second: i64, fields: &[(Field, &str)]) -> Snapshot {
    snapshot(Own::Sentinel(Origin::default()), second, fields)
}

/// Keeps every field in sync, and has all conflicts settled alike.
fn rules(policy: Policy) -> Rules {
    Rules {
        fields: Field::ALL.into_iter().map(|field| (field, policy)).collect(),
        tags: true,
        closing: true,
        reopening: true,
        owners: Owners::default(),
    }
}

/// What is known of an incident whose sides last agreed on these values, Defender's first.
fn agreed(fields: &[(Field, &str, &str)]) -> Record {
    let mut record = Record::default();
    for (field, defender, sentinel) in fields {
        let pair = Pair { defender: (*defender).to_owned(), sentinel: (*sentinel).to_owned() };
        record.agreed.insert(*field, pair);
    }
    record
}

/// Looks at both sides, and merges toward one.
fn merged(
    record: &mut Record,
    defender: &Snapshot,
    sentinel: &Snapshot,
    target: Side,
    rules: &Rules,
) -> Merge {
    record.observe(Side::Defender, defender);
    record.observe(Side::Sentinel, sentinel);
    record.assume_open(sentinel);
    merge(record, Sides { defender, sentinel }, target, rules)
}

/// What is written: each field, and what it is to be.
fn written(merge: &Merge) -> Vec<(Field, &str)> {
    merge.moves.iter().map(|one| (one.field, one.after.as_str())).collect()
}

fn comment(id: &str, second: i64, author: &str, text: &str) -> Comment {
    Comment { id: id.to_owned(), author: author.to_owned(), created: Some(at(second)), text: text.to_owned() }
}

/// The comments that must be copied, of which the other side's are not known.
fn to_copy(record: &Record, origin: Side, comments: &[Comment]) -> Vec<Copy> {
    missing(record, origin, comments, &[], "tenant/29")
}
