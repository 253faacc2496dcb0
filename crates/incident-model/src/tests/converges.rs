//! Whatever people do on both sides, both come to say the same, and then nothing more is written.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::owners::{Person, SentinelUser};
use super::*;

const ANN: &str = "2046feea-040d-4a46-9e2b-91c2941bfa70";

/// What somebody does.
#[derive(Clone, Debug)]
enum Step {
    Set(Field, Side, &'static str),
    Tag(Side, &'static str),
    Untag(Side, &'static str),
    /// The sink that writes to this side gets the other side's incident as it is.
    Sync(Side),
}

/// Words that mean the same, by hand: Defender's and Sentinel's.
fn classes(field: Field) -> &'static [(&'static [&'static str], &'static [&'static str])] {
    match field {
        Field::Status => &[
            (&["active"], &["New"]),
            (&["inProgress", "awaitingAction"], &["Active"]),
            (&["resolved"], &["Closed"]),
        ],
        Field::Severity => &[
            (&["informational"], &["Informational"]),
            (&["low"], &["Low"]),
            (&["medium"], &["Medium"]),
            (&["high"], &["High"]),
        ],
        Field::Owner => &[(&[""], &[""]), (&["ann@d"], &[ANN, "ann@s"]), (&["ben@x"], &["ben@x"])],
        Field::Classification => &[
            (&["unknown/unknown", "unknown/malware"], &["Undetermined"]),
            (
                &["truePositive/malware", "truePositive/other", "truePositive/apt"],
                &["TruePositive/SuspiciousActivity"],
            ),
            (
                &[
                    "falsePositive/notMalicious",
                    "falsePositive/notEnoughDataToValidate",
                    "falsePositive/other",
                ],
                &["FalsePositive/IncorrectAlertLogic", "FalsePositive/InaccurateData"],
            ),
            (
                &[
                    "informationalExpectedActivity/confirmedActivity",
                    "informationalExpectedActivity/securityTesting",
                ],
                &["BenignPositive/SuspiciousButExpected"],
            ),
        ],
        Field::ClosingComment => &[(&[""], &[""]), (&["a"], &["a"]), (&["b"], &["b"])],
    }
}

fn words(field: Field, side: Side) -> Vec<&'static str> {
    let of = |(defender, sentinel): &(&'static [&'static str], &'static [&'static str])| match side {
        Side::Defender => *defender,
        Side::Sentinel => *sentinel,
    };
    classes(field).iter().flat_map(of).copied().collect()
}

fn mean_the_same(field: Field, defender: &str, sentinel: &str) -> bool {
    classes(field).iter().any(|(one, other)| one.contains(&defender) && other.contains(&sentinel))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = || select(&Side::ALL[..]);
    let field = (select(&Field::ALL[..]), side()).prop_flat_map(|(field, side)| {
        select(words(field, side)).prop_map(move |word| Step::Set(field, side, word))
    });
    let tag = || select(&["a", "b", "c"][..]);
    let step = prop_oneof![
        6 => field,
        1 => (side(), tag()).prop_map(|(side, tag)| Step::Tag(side, tag)),
        1 => (side(), tag()).prop_map(|(side, tag)| Step::Untag(side, tag)),
        4 => side().prop_map(Step::Sync),
    ];
    prop::collection::vec(step, 0..40)
}

/// Both sides, and what is known of them.
struct Both {
    defender: Snapshot,
    sentinel: Snapshot,
    record: Record,
    rules: Rules,
    now: i64,
}

impl Both {
    fn new(policy: Policy) -> Self {
        let mut defender = in_defender(
            0,
            &[
                (Field::Status, "active"),
                (Field::Severity, "low"),
                (Field::Owner, ""),
                (Field::Classification, "unknown/unknown"),
                (Field::ClosingComment, ""),
            ],
        );
        let mut sentinel =
            in_sentinel(0, &[(Field::Status, "New"), (Field::Severity, "Low"), (Field::Owner, "")]);
        (defender.tags, sentinel.tags) = (Some(BTreeSet::new()), Some(BTreeSet::new()));
        let ann =
            SentinelUser { user_principal_name: Some("ann@s".to_owned()), object_id: Some(ANN.to_owned()) };
        let owners = Owners::new(vec![Person { defender: "ann@d".to_owned(), sentinel: ann }]).unwrap();
        let rules = Rules { owners, ..rules(policy) };
        Self { defender, sentinel, record: Record::default(), rules, now: 0 }
    }

    fn side(&mut self, side: Side) -> &mut Snapshot {
        self.now += 1;
        let now = at(self.now);
        let snapshot = match side {
            Side::Defender => &mut self.defender,
            Side::Sentinel => &mut self.sentinel,
        };
        snapshot.version = now;
        snapshot
    }

    /// Sets a field as the service does: in Sentinel only a closed incident is classified.
    fn set(&mut self, side: Side, field: Field, word: &str) {
        let is_open = !self.sentinel.is_closed();
        let snapshot = self.side(side);
        if side == Side::Sentinel && field.is_of_closed() && is_open {
            return;
        }
        snapshot.fields.insert(field, word.to_owned());
        if side == Side::Sentinel && field == Field::Status {
            if word == "Closed" {
                snapshot.fields.entry(Field::Classification).or_insert_with(|| "Undetermined".to_owned());
                snapshot.fields.entry(Field::ClosingComment).or_default();
            } else {
                snapshot.fields.retain(|field, _| !field.is_of_closed());
            }
        }
    }

    /// Merges toward a side, writes and notes what came of it. Answers how many fields were written.
    fn sync(&mut self, target: Side) -> usize {
        let merge = merged(&mut self.record, &self.defender, &self.sentinel, target, &self.rules);
        assert!(merge.unknown.is_empty() && merge.withheld.is_empty(), "{merge:?}");
        for (field, settled) in merge.conflicts {
            self.record.settled.insert(field, settled);
        }
        for (field, pair) in merge.agreed {
            self.record.agree(field, pair);
        }
        let origin = match target {
            Side::Defender => self.sentinel.clone(),
            Side::Sentinel => self.defender.clone(),
        };
        let count = merge.moves.len() + usize::from(merge.tags.is_some());
        for one in &merge.moves {
            let said = origin.field(one.field).unwrap();
            let (defender, sentinel) = match target {
                Side::Defender => (one.after.as_str(), said),
                Side::Sentinel => (said, one.after.as_str()),
            };
            // Nobody gets a value that the other side does not mean.
            assert!(mean_the_same(one.field, defender, sentinel), "{} to {target}", one.after);
            assert_ne!(one.before, one.after);
            self.set(target, one.field, &one.after);
        }
        if let Some(tags) = merge.tags {
            self.side(target).tags = Some(tags);
        }
        let (defender, sentinel) = (self.defender.clone(), self.sentinel.clone());
        self.record.observe(Side::Defender, &defender);
        self.record.observe(Side::Sentinel, &sentinel);
        for one in &merge.moves {
            let of = |snapshot: &Snapshot| snapshot.field(one.field).unwrap().to_owned();
            self.record.agree(one.field, Pair { defender: of(&defender), sentinel: of(&sentinel) });
        }
        self.record.agree_on_tags(&defender.tags.unwrap(), &sentinel.tags.unwrap());
        count
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Set(field, side, word) => self.set(*side, *field, word),
            Step::Tag(side, tag) => drop(self.side(*side).tags.as_mut().unwrap().insert((*tag).to_owned())),
            Step::Untag(side, tag) => drop(self.side(*side).tags.as_mut().unwrap().remove(*tag)),
            Step::Sync(target) => drop(self.sync(*target)),
        }
    }

    fn say_the_same(&self) {
        for field in Field::ALL {
            let (Some(defender), Some(sentinel)) = (self.defender.field(field), self.sentinel.field(field))
            else {
                assert!(field.is_of_closed() && !self.sentinel.is_closed(), "{field}");
                continue;
            };
            // What nobody has begun with in Defender stays as it is in Sentinel if somebody owned it there.
            let is_exempt = field == Field::Status && (defender, sentinel) == ("active", "Active");
            assert!(
                is_exempt || mean_the_same(field, defender, sentinel),
                "{field}: {defender} / {sentinel}"
            );
        }
        assert_eq!(self.defender.tags, self.sentinel.tags);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn both_sides_come_to_say_the_same_and_then_nothing_is_written(
        steps in steps(),
        policy in select(&[Policy::Defender, Policy::Sentinel, Policy::Newest][..]),
        first in select(&Side::ALL[..]),
    ) {
        let mut both = Both::new(policy);
        for step in &steps {
            both.take(step);
        }
        for target in [first, first.other(), first, first.other()] {
            both.sync(target);
        }
        for target in Side::ALL {
            prop_assert_eq!(both.sync(target), 0, "a quiet system writes nothing to {}", target);
        }
        both.say_the_same();
    }

    #[test]
    fn a_merge_that_was_written_has_nothing_more_to_write(steps in steps(), target in select(&Side::ALL[..])) {
        let mut both = Both::new(Policy::Newest);
        for step in &steps {
            both.take(step);
            both.sync(target);
            prop_assert_eq!(both.sync(target), 0, "after {:?}", step);
        }
    }
}
