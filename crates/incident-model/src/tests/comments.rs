//! Comments are copied once.

use super::super::comment::{Later, MAX_COMMENT_CHARS, merged_into, note_later};
use super::*;

const INCIDENT: &str = "tenant/29";

/// Writes what must be copied from `origin`, and answers the comments that come of it on the other side. Defender gives
/// them ids of its own.
fn copy_all(record: &mut Record, origin: Side, comments: &[Comment]) -> Vec<Comment> {
    let mut written = Vec::new();
    for copy in to_copy(record, origin, comments) {
        record.plan_copy(origin, &copy);
        for nth in record.unwritten(origin, &copy.id) {
            let part = &copy.parts[nth];
            let id = match origin {
                Side::Defender => part.id.clone(),
                Side::Sentinel => format!("given {}", part.id),
            };
            record.note_copied(origin, &copy.id, nth, id.clone());
            written.push(comment(&id, 500, "our application", &part.text));
        }
    }
    written
}

#[test]
fn a_comment_is_copied_once_in_order_with_its_author_and_time_in_its_first_line() {
    for origin in Side::ALL {
        let mut record = Record::default();
        let originals = [
            comment("a", 0, "Ann", "first\nand more"),
            comment("b", 1, "", "second"),
            comment("c", 1, "Ben", ""),
        ];
        let copies = copy_all(&mut record, origin, &originals);
        let texts: Vec<_> = copies.iter().map(|copy| copy.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                format!("Ann, 2027-01-15 08:00:00 UTC, in {origin}:\nfirst\nand more"),
                format!("Somebody, 2027-01-15 08:00:01 UTC, in {origin}:\nsecond"),
                format!("Ben, 2027-01-15 08:00:01 UTC, in {origin}:\n"),
            ]
        );
        assert!(to_copy(&record, origin, &originals).is_empty());
        // What we wrote comes back as comments of the other side.
        assert!(to_copy(&record, origin.other(), &copies).is_empty(), "from {origin}");
        let more = [originals.as_slice(), &[comment("d", 2, "Ann", "first\nand more")]].concat();
        assert_eq!(to_copy(&record, origin, &more).len(), 1);
    }
}

#[test]
fn a_copy_has_the_same_id_for_ever_and_another_one_in_another_incident() {
    let originals = [comment("a", 0, "Ann", "x"), comment("b", 0, "Ann", "x")];
    let ids = |incident| {
        let copies = missing(&Record::default(), Side::Defender, &originals, &[], incident);
        copies.into_iter().map(|copy| copy.parts[0].id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(INCIDENT), ids(INCIDENT));
    assert_ne!(ids(INCIDENT)[0], ids(INCIDENT)[1]);
    assert_ne!(ids(INCIDENT)[0], ids("tenant/30")[0]);
    assert_eq!(ids(INCIDENT)[0].len(), 36);
}

#[test]
fn a_long_comment_is_copied_in_parts_that_lose_nothing() {
    for chars in [MAX_COMMENT_CHARS - 100, MAX_COMMENT_CHARS, 3 * MAX_COMMENT_CHARS] {
        let long = comment("a", 0, "Ann", &"ä".repeat(chars));
        let copy = &to_copy(&Record::default(), Side::Defender, std::slice::from_ref(&long))[0];
        assert!(copy.parts.iter().all(|part| part.text.chars().count() <= MAX_COMMENT_CHARS));
        let whole: String = copy.parts.iter().map(|part| part.text.as_str()).collect();
        assert!(whole.ends_with(&long.text) && whole.starts_with("Ann, "), "{chars}");
        let mut ids: Vec<_> = copy.parts.iter().map(|part| &part.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), copy.parts.len());
    }
}

#[test]
fn a_long_comment_goes_on_where_its_copy_ended() {
    let long = comment("a", 0, "Ann", &"x".repeat(2 * MAX_COMMENT_CHARS));
    let comments = std::slice::from_ref(&long);
    let mut record = Record::default();
    let copy = to_copy(&record, Side::Defender, comments).remove(0);
    assert_eq!(copy.parts.len(), 3);
    record.plan_copy(Side::Defender, &copy);
    record.note_copied(Side::Defender, "a", 0, copy.parts[0].id.clone());
    assert_eq!(to_copy(&record, Side::Defender, comments), std::slice::from_ref(&copy));
    record.plan_copy(Side::Defender, &copy);
    assert_eq!(record.unwritten(Side::Defender, "a"), [1, 2]);
}

#[test]
fn a_copy_whose_answer_was_lost_is_found_again() {
    let originals = [comment("a", 0, "Ann", "same"), comment("b", 0, "Ann", "same")];
    let mut record = Record::default();
    for copy in to_copy(&record, Side::Sentinel, &originals) {
        record.plan_copy(Side::Sentinel, &copy);
    }
    let text = &to_copy(&record, Side::Sentinel, &originals)[0].parts[0].text;
    // Both say the same, one of them is written: the service has trimmed it.
    let written = [
        comment("x", 0, "Ben", "other"),
        comment("d1", 9, "us", &format!("{} ", text.replace('\n', "\r\n"))),
    ];
    // Before anybody looks, nothing of it is taken for an original.
    assert_eq!(to_copy(&record, Side::Defender, &written).len(), 1);
    record.find_planned(Side::Defender, &written);
    assert_eq!(record.unwritten(Side::Sentinel, "a"), [] as [usize; 0]);
    assert_eq!(record.unwritten(Side::Sentinel, "b"), [0]);
    // Looking again finds no second one.
    record.find_planned(Side::Defender, &written);
    assert_eq!(record.unwritten(Side::Sentinel, "b"), [0]);
    assert_eq!(to_copy(&record, Side::Sentinel, &originals).len(), 1);
}

#[test]
fn no_copy_is_taken_for_an_original_if_the_ledger_is_lost() {
    for origin in Side::ALL {
        let originals =
            [comment("a", 0, "Ann", &"x".repeat(2 * MAX_COMMENT_CHARS)), comment("b", 1, "Ben", "short")];
        let copies = copy_all(&mut Record::default(), origin, &originals);
        let back = missing(&Record::default(), origin.other(), &copies, &originals, INCIDENT);
        assert_eq!(back, [], "copies of {origin}'s");
    }
}

#[test]
fn comments_that_are_not_to_be_copied_are_not_and_their_ids_are_remembered() {
    let originals = [comment("a", 0, "Ann", "no room")];
    let mut record = Record::default();
    let copy = to_copy(&record, Side::Defender, &originals).remove(0);
    record.plan_copy(Side::Defender, &copy);
    record.refuse_copy(Side::Defender, &copy);
    assert!(to_copy(&record, Side::Defender, &originals).is_empty());
    assert_eq!(record.comments.len(), 1);
    // There is no copy that could be out of date.
    assert!(note_later(&mut record, Side::Defender, &[]).is_empty());
}

#[test]
fn a_comment_that_is_edited_or_removed_after_it_was_copied_is_said_once_and_not_copied() {
    let mut record = Record::default();
    let originals = [comment("a", 0, "Ann", "first"), comment("b", 1, "Ben", "second")];
    copy_all(&mut record, Side::Sentinel, &originals);
    assert!(note_later(&mut record, Side::Sentinel, &originals).is_empty());
    let edited = [comment("a", 0, "Ann", "first, mended"), comment("b", 1, "Ben", "second")];
    assert_eq!(note_later(&mut record, Side::Sentinel, &edited), [Later::Edited("a".to_owned())]);
    assert!(note_later(&mut record, Side::Sentinel, &edited).is_empty());
    assert!(to_copy(&record, Side::Sentinel, &edited).is_empty());
    let gone = &edited[..1];
    assert_eq!(note_later(&mut record, Side::Sentinel, gone), [Later::Removed("b".to_owned())]);
    assert!(note_later(&mut record, Side::Sentinel, gone).is_empty());
    // The other side's are another matter.
    assert!(note_later(&mut record, Side::Defender, &[]).is_empty());
}

#[test]
fn where_an_incident_went_that_was_merged_is_said_once() {
    let mut record = Record::default();
    let said = copy_all(&mut record, Side::Defender, &[merged_into("30", at(0))]);
    assert!(said[0].text.ends_with("This incident was merged into incident 30."), "{said:?}");
    // Its time is that of the state that was seen.
    assert!(to_copy(&record, Side::Defender, &[merged_into("30", at(7))]).is_empty());
}
