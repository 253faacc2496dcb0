//! Closing, what is said with it, opening again, and incidents that were merged into others.

use super::super::merge::REDIRECTED;
use super::*;

const OPEN: (Field, &str, &str) = (Field::Status, "active", "New");
const CLOSED: [(Field, &str, &str); 3] = [
    (Field::Status, "resolved", "Closed"),
    (Field::Classification, "truePositive/malware", "TruePositive/SuspiciousActivity"),
    (Field::ClosingComment, "as Ann says", "as Ann says"),
];

fn closed_in_defender() -> Snapshot {
    in_defender(5, &CLOSED.map(|(field, defender, _)| (field, defender)))
}

fn closed_in_sentinel() -> Snapshot {
    in_sentinel(5, &CLOSED.map(|(field, _, sentinel)| (field, sentinel)))
}

fn open_in_sentinel() -> Snapshot {
    in_sentinel(6, &[(Field::Status, "New")])
}

#[test]
fn what_is_classified_in_defender_is_said_in_sentinel_when_it_is_closed_there() {
    let mut record = agreed(&[OPEN]);
    let defender = in_defender(
        5,
        &[
            (Field::Status, "active"),
            (Field::Classification, "truePositive/malware"),
            (Field::ClosingComment, "as Ann says"),
        ],
    );
    for target in Side::ALL {
        let merge = merged(&mut record, &defender, &open_in_sentinel(), target, &rules(Policy::Newest));
        assert_eq!(merge, Merge::default(), "to {target}");
    }
    let merge = merged(
        &mut record,
        &closed_in_defender(),
        &open_in_sentinel(),
        Side::Sentinel,
        &rules(Policy::Newest),
    );
    assert_eq!(
        written(&merge),
        [
            (Field::Status, "Closed"),
            (Field::Classification, "TruePositive/SuspiciousActivity"),
            (Field::ClosingComment, "as Ann says"),
        ]
    );
}

#[test]
fn what_is_closed_in_sentinel_is_closed_in_defender_with_the_same_words() {
    let mut record = agreed(&[OPEN]);
    let defender = in_defender(
        1,
        &[(Field::Status, "active"), (Field::Classification, "unknown/unknown"), (Field::ClosingComment, "")],
    );
    merged(&mut record, &defender, &open_in_sentinel(), Side::Defender, &rules(Policy::Newest));
    let merge = merged(&mut record, &defender, &closed_in_sentinel(), Side::Defender, &rules(Policy::Newest));
    assert_eq!(
        written(&merge),
        [
            (Field::Status, "resolved"),
            (Field::Classification, "truePositive/other"),
            (Field::ClosingComment, "as Ann says"),
        ]
    );
}

#[test]
fn what_is_closed_in_sentinel_without_a_verdict_gets_the_one_that_defender_has() {
    let mut record = agreed(&[OPEN]);
    let mut defender = closed_in_defender();
    defender.fields.insert(Field::Status, "active".to_owned());
    merged(&mut record, &defender, &open_in_sentinel(), Side::Defender, &rules(Policy::Newest));
    let sentinel = in_sentinel(
        9,
        &[(Field::Status, "Closed"), (Field::Classification, "Undetermined"), (Field::ClosingComment, "")],
    );
    let merge = merged(&mut record, &defender, &sentinel, Side::Defender, &rules(Policy::Newest));
    assert_eq!(written(&merge), [(Field::Status, "resolved")]);
    assert!(merge.other_side);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules(Policy::Newest));
    assert_eq!(
        written(&merge),
        [(Field::Classification, "TruePositive/SuspiciousActivity"), (Field::ClosingComment, "as Ann says")]
    );
}

#[test]
fn what_is_opened_again_on_one_side_is_opened_on_the_other_and_not_classified_there() {
    let mut defender = closed_in_defender();
    defender.fields.insert(Field::Status, "inProgress".to_owned());
    let merge = merged(
        &mut agreed(&CLOSED),
        &defender,
        &closed_in_sentinel(),
        Side::Sentinel,
        &rules(Policy::Newest),
    );
    assert_eq!(written(&merge), [(Field::Status, "Active")]);
    let merge = merged(
        &mut agreed(&CLOSED),
        &closed_in_defender(),
        &open_in_sentinel(),
        Side::Defender,
        &rules(Policy::Newest),
    );
    assert_eq!(written(&merge), [(Field::Status, "active")]);
}

#[test]
fn closing_that_is_switched_off_is_said_and_keeps_back_what_is_said_with_it() {
    let rules = Rules { closing: false, ..rules(Policy::Newest) };
    let merge =
        merged(&mut agreed(&[OPEN]), &closed_in_defender(), &open_in_sentinel(), Side::Sentinel, &rules);
    assert!(merge.is_empty() && merge.agreed.is_empty(), "{merge:?}");
    assert_eq!(merge.withheld, [(Field::Status, "Closed".to_owned())]);
    // Opening again is another matter, and whatever else is changed still moves.
    let mut defender = closed_in_defender();
    defender.fields.insert(Field::Owner, "ann@contoso.com".to_owned());
    let mut sentinel = open_in_sentinel();
    sentinel.fields.insert(Field::Owner, String::new());
    let mut record = agreed(&[OPEN, (Field::Owner, "", "")]);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules);
    assert_eq!(written(&merge), [(Field::Owner, "ann@contoso.com")]);
    defender.fields.insert(Field::Status, "active".to_owned());
    let merge = merged(&mut agreed(&CLOSED), &defender, &closed_in_sentinel(), Side::Sentinel, &rules);
    assert_eq!(written(&merge), [(Field::Status, "New")]);
}

#[test]
fn opening_again_that_is_switched_off_is_said() {
    let rules = Rules { reopening: false, ..rules(Policy::Newest) };
    let merge =
        merged(&mut agreed(&CLOSED), &closed_in_defender(), &open_in_sentinel(), Side::Defender, &rules);
    assert!(merge.is_empty(), "{merge:?}");
    assert_eq!(merge.withheld, [(Field::Status, "active".to_owned())]);
}

#[test]
fn an_incident_that_was_merged_into_another_is_closed_and_labelled_in_sentinel_and_left_alone_in_defender() {
    let mut defender = in_defender(5, &[(Field::Status, "redirected"), (Field::Owner, "ann@contoso.com")]);
    defender.own = Own::Defender(Profile { merged_into: Some("30".to_owned()), ..Profile::default() });
    defender.tags = Some(["vip".to_owned()].into());
    let mut sentinel = open_in_sentinel();
    sentinel.tags = Some(["kept".to_owned()].into());
    let mut record = agreed(&[OPEN]);
    let rules = rules(Policy::Sentinel);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules);
    assert_eq!(written(&merge), [(Field::Status, "Closed"), (Field::Classification, "Undetermined")]);
    assert_eq!(merge.tags, Some(["kept".to_owned(), REDIRECTED.to_owned()].into()));
    assert_eq!(merged(&mut record, &defender, &sentinel, Side::Defender, &rules), Merge::default());
    // Once is enough.
    sentinel.fields.insert(Field::Status, "Closed".to_owned());
    sentinel.tags = merge.tags;
    assert_eq!(merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules), Merge::default());
}

#[test]
fn an_incident_that_was_merged_is_closed_only_as_far_as_that_is_allowed() {
    let defender = in_defender(5, &[(Field::Status, "redirected")]);
    let no_closing = Rules { closing: false, ..rules(Policy::Newest) };
    let merge = merged(&mut agreed(&[OPEN]), &defender, &open_in_sentinel(), Side::Sentinel, &no_closing);
    assert!(merge.moves.is_empty(), "{merge:?}");
    assert_eq!(merge.withheld[0], (Field::Status, "Closed".to_owned()));
    // Whoever keeps only comments and owners in sync has no incident closed.
    let only_owner = Rules { fields: [(Field::Owner, Policy::Newest)].into(), ..rules(Policy::Newest) };
    let merge = merged(&mut agreed(&[OPEN]), &defender, &open_in_sentinel(), Side::Sentinel, &only_owner);
    assert!(merge.moves.is_empty() && merge.withheld.is_empty(), "{merge:?}");
}
