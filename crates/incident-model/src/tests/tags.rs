//! Tags are merged one by one.

use std::collections::BTreeSet;

use super::*;

fn set(tags: &str) -> BTreeSet<String> {
    tags.split_whitespace().map(ToOwned::to_owned).collect()
}

/// The tags that both sides are to have, of those that were agreed and those that they have.
fn both(agreed: &str, defender: &str, sentinel: &str) -> (Merge, Merge) {
    let mut record = Record { tags: set(agreed), ..Record::default() };
    let (mut one, mut other) = (in_defender(1, &[]), in_sentinel(1, &[]));
    (one.tags, other.tags) = (Some(set(defender)), Some(set(sentinel)));
    let rules = rules(Policy::Newest);
    let mut toward = |target| merged(&mut record, &one, &other, target, &rules);
    (toward(Side::Defender), toward(Side::Sentinel))
}

#[test]
fn a_tag_is_added_and_taken_away_wherever_that_was_done() {
    for (agreed, defender, sentinel, expected) in [
        ("", "a", "", "a"),
        ("", "", "a", "a"),
        ("", "a", "b", "a b"),
        ("a", "", "a", ""),
        ("a", "a", "", ""),
        ("a", "", "", ""),
        ("a b", "a c", "b d", "c d"),
        ("a", "a", "a", "a"),
        ("", "A", "a", "A a"),
    ] {
        let (in_defender, in_sentinel) = both(agreed, defender, sentinel);
        let expected = set(expected);
        assert_eq!(
            in_defender.tags.unwrap_or_else(|| set(defender)),
            expected,
            "{agreed}: {defender} / {sentinel}"
        );
        assert_eq!(
            in_sentinel.tags.unwrap_or_else(|| set(sentinel)),
            expected,
            "{agreed}: {defender} / {sentinel}"
        );
        assert_eq!(in_defender.other_side, set(sentinel) != expected, "{agreed}: {defender} / {sentinel}");
    }
}

#[test]
fn nothing_is_written_if_both_have_the_same_tags_and_nothing_if_one_says_none() {
    let (in_defender, in_sentinel) = both("a", "a b", "a b");
    assert_eq!((in_defender.tags, in_sentinel.tags), (None, None));
    let mut one = super::in_defender(1, &[]);
    one.tags = Some(set("a"));
    let silent = super::in_sentinel(1, &[]);
    let merge = merged(&mut Record::default(), &one, &silent, Side::Sentinel, &rules(Policy::Newest));
    assert_eq!(merge, Merge::default());
}

#[test]
fn a_tag_that_only_one_side_has_yet_is_not_agreed() {
    let mut record = Record { tags: set("old gone"), ..Record::default() };
    record.agree_on_tags(&set("old new"), &set("new"));
    // The old one is still to be taken away in Defender; nobody has the one that is gone.
    assert_eq!(record.tags, set("new old"));
}
