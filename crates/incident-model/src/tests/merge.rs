//! The three-way merge of fields that can always be written.

use super::*;

const OPEN: (Field, &str, &str) = (Field::Status, "active", "New");

fn status(defender: &str, sentinel: &str) -> (Snapshot, Snapshot) {
    (in_defender(1, &[(Field::Status, defender)]), in_sentinel(2, &[(Field::Status, sentinel)]))
}

#[test]
fn nothing_changed_and_nothing_is_written() {
    let (defender, sentinel) = status("active", "New");
    for target in Side::ALL {
        let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, target, &rules(Policy::Newest));
        assert_eq!(merge, Merge::default(), "to {target}");
    }
}

#[test]
fn what_one_side_changed_moves_to_the_other_and_only_there() {
    let (defender, sentinel) = status("inProgress", "New");
    let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, Side::Sentinel, &rules(Policy::Manual));
    assert_eq!(written(&merge), [(Field::Status, "Active")]);
    assert_eq!((merge.moves[0].before.as_str(), merge.moves[0].why), ("New", "changed in Defender"));
    assert!(merge.conflicts.is_empty() && !merge.other_side);
    let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, Side::Defender, &rules(Policy::Manual));
    assert!(merge.is_empty() && merge.other_side, "{merge:?}");

    let (defender, sentinel) = status("active", "Active");
    let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, Side::Defender, &rules(Policy::Manual));
    assert_eq!(written(&merge), [(Field::Status, "inProgress")]);
    assert_eq!(merge.moves[0].why, "changed in Sentinel");
}

#[test]
fn what_both_sides_changed_to_the_same_is_agreed() {
    let (defender, sentinel) = status("inProgress", "Active");
    for target in Side::ALL {
        for policy in [Policy::Defender, Policy::Sentinel, Policy::Newest, Policy::Manual] {
            let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, target, &rules(policy));
            assert!(merge.is_empty() && merge.conflicts.is_empty() && !merge.other_side, "{merge:?}");
            let pair = Pair { defender: "inProgress".to_owned(), sentinel: "Active".to_owned() };
            assert_eq!(merge.agreed, [(Field::Status, pair)]);
        }
    }
}

#[test]
fn a_conflict_is_settled_by_the_policy_of_its_field() {
    // Closed in Defender in the first second, taken in Sentinel in the second.
    let (defender, sentinel) = status("resolved", "Active");
    for (policy, winner) in [
        (Policy::Defender, Some(Side::Defender)),
        (Policy::Sentinel, Some(Side::Sentinel)),
        (Policy::Newest, Some(Side::Sentinel)),
        (Policy::Manual, None),
    ] {
        for target in Side::ALL {
            let mut record = agreed(&[OPEN]);
            let merge = merged(&mut record, &defender, &sentinel, target, &rules(policy));
            assert_eq!(merge.conflicts.len(), 1, "{policy:?}");
            let (field, settled) = &merge.conflicts[0];
            assert_eq!((*field, settled.winner), (Field::Status, winner), "{policy:?}");
            let expected: &[(Field, &str)] = match (winner, target) {
                (Some(Side::Defender), Side::Sentinel) => &[(Field::Status, "Closed")],
                (Some(Side::Sentinel), Side::Defender) => &[(Field::Status, "inProgress")],
                _ => &[],
            };
            let words = written(&merge);
            assert_eq!(words, expected, "{policy:?} to {target}");
            assert_eq!(merge.other_side, winner == Some(target), "{policy:?} to {target}");
        }
    }
}

#[test]
fn the_newest_is_the_one_that_was_changed_last_and_not_the_incident_that_was() {
    let mut record = agreed(&[OPEN, (Field::Severity, "low", "Low")]);
    let early = in_sentinel(1, &[(Field::Status, "Active"), (Field::Severity, "Low")]);
    record.observe(Side::Sentinel, &early);
    // Something else is changed in Sentinel much later.
    let late = in_sentinel(9, &[(Field::Status, "Active"), (Field::Severity, "High")]);
    let defender = in_defender(5, &[(Field::Status, "resolved"), (Field::Severity, "low")]);
    let merge = merged(&mut record, &defender, &late, Side::Sentinel, &rules(Policy::Newest));
    assert_eq!(merge.conflicts[0].1.winner, Some(Side::Defender));
    // At the same time it is Defender's.
    let (mut defender, sentinel) = status("resolved", "Active");
    defender.version = sentinel.version;
    let merge = merged(&mut agreed(&[OPEN]), &defender, &sentinel, Side::Sentinel, &rules(Policy::Newest));
    assert_eq!(merge.conflicts[0].1.winner, Some(Side::Defender));
}

#[test]
fn a_conflict_that_is_decided_stays_decided_until_one_side_changes_again() {
    let (defender, sentinel) = status("resolved", "Active");
    let mut record = agreed(&[OPEN]);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules(Policy::Newest));
    record.settled.extend(merge.conflicts);
    assert_eq!(record.settled[&Field::Status].winner, Some(Side::Sentinel));
    // The other direction has another policy: it does not turn round what is decided.
    let merge = merged(&mut record, &defender, &sentinel, Side::Defender, &rules(Policy::Defender));
    assert_eq!(written(&merge), [(Field::Status, "inProgress")]);
    let (defender, sentinel) = status("resolved", "New");
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules(Policy::Defender));
    assert_eq!(written(&merge), [(Field::Status, "Closed")]);
}

#[test]
fn what_was_left_to_people_is_decided_once_there_is_a_policy() {
    let (defender, sentinel) = status("resolved", "Active");
    let mut record = agreed(&[OPEN]);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules(Policy::Manual));
    assert!(merge.is_empty() && !merge.other_side);
    record.settled.extend(merge.conflicts);
    let merge = merged(&mut record, &defender, &sentinel, Side::Sentinel, &rules(Policy::Defender));
    assert_eq!(written(&merge), [(Field::Status, "Closed")]);
}

#[test]
fn two_incidents_that_meet_for_the_first_time_are_agreed_where_they_say_the_same() {
    let fields = [(Field::Status, "active"), (Field::Severity, "high"), (Field::Owner, "")];
    let defender = in_defender(5, &fields);
    let sentinel = in_sentinel(
        1,
        &[(Field::Status, "New"), (Field::Severity, "Low"), (Field::Owner, "ben@contoso.com")],
    );
    let merge =
        merged(&mut Record::default(), &defender, &sentinel, Side::Sentinel, &rules(Policy::Defender));
    assert_eq!(merge.agreed.iter().map(|(field, _)| *field).collect::<Vec<_>>(), [Field::Status]);
    assert_eq!(written(&merge), [(Field::Severity, "High"), (Field::Owner, "")]);
}

#[test]
fn a_word_that_has_no_counterpart_is_said_and_left_alone() {
    let (defender, sentinel) = status("unknownFutureValue", "New");
    for target in Side::ALL {
        for policy in [Policy::Defender, Policy::Sentinel, Policy::Newest] {
            // Changed to it since, or never agreed on.
            for mut record in [agreed(&[OPEN]), Record::default()] {
                let merge = merged(&mut record, &defender, &sentinel, target, &rules(policy));
                assert!(merge.is_empty() && merge.agreed.is_empty(), "{policy:?} to {target}: {merge:?}");
                assert!(!merge.other_side, "{policy:?} to {target}");
                let said = [(Field::Status, Side::Defender, "unknownFutureValue".to_owned())];
                assert_eq!(merge.unknown, said, "{policy:?} to {target}");
            }
        }
    }
    // What somebody does on the other side later does count.
    let mut record = agreed(&[(Field::Status, "unknownFutureValue", "New")]);
    let (defender, sentinel) = status("unknownFutureValue", "Closed");
    let merge = merged(&mut record, &defender, &sentinel, Side::Defender, &rules(Policy::Newest));
    assert_eq!(written(&merge), [(Field::Status, "resolved")]);
}

#[test]
fn what_is_not_said_or_not_kept_in_sync_is_left_alone() {
    let defender = in_defender(1, &[(Field::Severity, "high"), (Field::Status, "resolved")]);
    let sentinel = in_sentinel(1, &[(Field::Status, "New"), (Field::Owner, "ben@contoso.com")]);
    let mut only_owner = rules(Policy::Newest);
    only_owner.fields = [(Field::Owner, Policy::Newest)].into();
    for target in Side::ALL {
        let merge = merged(&mut Record::default(), &defender, &sentinel, target, &only_owner);
        assert_eq!(merge, Merge::default(), "to {target}");
    }
}
