//! Every word of either side in the other's, against a table written by hand.

use super::super::mapping::{canonical, translate};
use super::super::owners::{Owners, Person, SentinelUser};
use super::*;

/// Every determination that Graph has.
const DETERMINATIONS: &str = "unknown apt malware securityPersonnel securityTesting unwantedSoftware other multiStagedAttack \
    compromisedAccount phishing maliciousUserActivity notMalicious notEnoughDataToValidate confirmedActivity \
    lineOfBusinessApplication";

/// A field's value in the words of the other side, where it is `now` and was agreed to be `agreed`.
fn word(field: Field, side: Side, value: &str, now: &str, agreed: Option<&str>) -> Option<String> {
    let owners = Owners::default();
    let (from, there) = match side {
        Side::Defender => (in_defender(0, &[(field, value)]), in_sentinel(0, &[(field, now)])),
        Side::Sentinel => (in_sentinel(0, &[(field, value)]), in_defender(0, &[(field, now)])),
    };
    translate(field, side, &from, &there, agreed, &owners)
}

fn words(field: Field, side: Side, table: &[(&str, &str, Option<&str>)]) {
    for (value, now, expected) in table {
        let word = word(field, side, value, now, None);
        assert_eq!(word.as_deref(), *expected, "{field} {value} of {side}, where the other has {now}");
    }
}

#[test]
fn every_status_of_defender_has_a_word_in_sentinel() {
    words(
        Field::Status,
        Side::Defender,
        &[
            ("active", "New", Some("New")),
            ("active", "Active", Some("New")),
            ("active", "Closed", Some("New")),
            ("inProgress", "New", Some("Active")),
            ("awaitingAction", "New", Some("Active")),
            ("resolved", "Active", Some("Closed")),
            ("redirected", "New", Some("Closed")),
            ("unknownFutureValue", "New", None),
            ("", "New", None),
        ],
    );
}

#[test]
fn what_nobody_has_begun_with_in_defender_stays_active_in_sentinel_if_somebody_owns_it_there() {
    let status = |owner: &str, now: &str| {
        let there = in_sentinel(0, &[(Field::Status, now), (Field::Owner, owner)]);
        let from = in_defender(0, &[(Field::Status, "active")]);
        translate(Field::Status, Side::Defender, &from, &there, None, &Owners::default()).unwrap()
    };
    assert_eq!(status("ann@contoso.com", "Active"), "Active");
    assert_eq!(status("", "Active"), "New");
    assert_eq!(status("ann@contoso.com", "Closed"), "New");
}

#[test]
fn every_status_of_sentinel_has_a_word_in_defender() {
    words(
        Field::Status,
        Side::Sentinel,
        &[
            ("New", "resolved", Some("active")),
            ("Active", "active", Some("inProgress")),
            ("Active", "awaitingAction", Some("awaitingAction")),
            ("Active", "resolved", Some("inProgress")),
            ("Closed", "awaitingAction", Some("resolved")),
            // A merged incident has no state of its own.
            ("New", "redirected", Some("redirected")),
            ("Active", "redirected", Some("redirected")),
            ("Closed", "redirected", Some("redirected")),
            ("Parked", "active", None),
            ("closed", "active", None),
        ],
    );
}

#[test]
fn every_severity_has_its_word_both_ways() {
    let table = [("informational", "Informational"), ("low", "Low"), ("medium", "Medium"), ("high", "High")];
    for (defender, sentinel) in table {
        words(Field::Severity, Side::Defender, &[(defender, "Low", Some(sentinel))]);
        words(Field::Severity, Side::Sentinel, &[(sentinel, "low", Some(defender))]);
    }
    words(Field::Severity, Side::Defender, &[("unknown", "Low", None), ("unknownFutureValue", "Low", None)]);
    words(Field::Severity, Side::Sentinel, &[("Critical", "low", None)]);
}

#[test]
fn every_classification_of_defender_has_a_word_in_sentinel_whatever_the_determination() {
    let table = [
        ("truePositive", "TruePositive/SuspiciousActivity"),
        ("falsePositive", "FalsePositive/InaccurateData"),
        ("informationalExpectedActivity", "BenignPositive/SuspiciousButExpected"),
        ("unknown", "Undetermined"),
    ];
    for (classification, expected) in table {
        for determination in DETERMINATIONS.split(' ') {
            let value = format!("{classification}/{determination}");
            words(Field::Classification, Side::Defender, &[(&value, "Undetermined", Some(expected))]);
        }
    }
    words(Field::Classification, Side::Defender, &[("unknownFutureValue/other", "Undetermined", None)]);
}

#[test]
fn either_reason_for_a_false_positive_stays_in_sentinel() {
    words(
        Field::Classification,
        Side::Defender,
        &[
            (
                "falsePositive/other",
                "FalsePositive/IncorrectAlertLogic",
                Some("FalsePositive/IncorrectAlertLogic"),
            ),
            ("falsePositive/other", "FalsePositive/InaccurateData", Some("FalsePositive/InaccurateData")),
            (
                "falsePositive/notMalicious",
                "TruePositive/SuspiciousActivity",
                Some("FalsePositive/InaccurateData"),
            ),
            (
                "truePositive/malware",
                "FalsePositive/IncorrectAlertLogic",
                Some("TruePositive/SuspiciousActivity"),
            ),
        ],
    );
}

#[test]
fn a_classification_of_sentinel_keeps_the_determination_that_belongs_to_it() {
    // In Sentinel; in Defender; what is said there if nothing is known; what is kept if it is there.
    let table: [(&[&str], &str, &str, &[&str]); 4] = [
        (
            &["TruePositive/SuspiciousActivity", "TruePositive"],
            "truePositive",
            "other",
            &[
                "multiStagedAttack",
                "maliciousUserActivity",
                "compromisedAccount",
                "malware",
                "phishing",
                "unwantedSoftware",
                "other",
            ],
        ),
        (
            &["BenignPositive/SuspiciousButExpected", "BenignPositive"],
            "informationalExpectedActivity",
            "confirmedActivity",
            &["securityTesting", "lineOfBusinessApplication", "confirmedActivity", "other"],
        ),
        (
            &["FalsePositive/IncorrectAlertLogic"],
            "falsePositive",
            "notMalicious",
            &["notMalicious", "notEnoughDataToValidate", "other"],
        ),
        (
            &["FalsePositive/InaccurateData", "FalsePositive"],
            "falsePositive",
            "notEnoughDataToValidate",
            &["notMalicious", "notEnoughDataToValidate", "other"],
        ),
    ];
    for (values, classification, otherwise, belong) in table {
        for value in values {
            for determination in DETERMINATIONS.split(' ') {
                let there = format!("{classification}/{determination}");
                let kept = if belong.contains(&determination) { determination } else { otherwise };
                let expected = Some(format!("{classification}/{kept}"));
                let said =
                    |now: &str, agreed| word(Field::Classification, Side::Sentinel, value, now, agreed);
                assert_eq!(said(&there, None), expected, "{value} where Defender has {there}");
                assert_eq!(said("unknown/unknown", Some(&there)), expected, "{value}, {there} agreed last");
                // It belongs to another classification.
                let elsewhere = format!("unknown/{determination}");
                assert_eq!(said(&elsewhere, None), Some(format!("{classification}/{otherwise}")), "{value}");
            }
        }
    }
    words(
        Field::Classification,
        Side::Sentinel,
        &[
            ("Undetermined", "truePositive/malware", Some("unknown/unknown")),
            ("TruePositive/SomethingNew", "unknown/unknown", None),
            ("Other", "unknown/unknown", None),
            ("", "unknown/unknown", None),
        ],
    );
}

#[test]
fn a_comment_that_closes_is_the_same_on_both_sides() {
    for side in Side::ALL {
        words(
            Field::ClosingComment,
            side,
            &[("as agreed with Ann", "x", Some("as agreed with Ann")), ("", "x", Some(""))],
        );
    }
}

#[test]
fn words_of_graph_are_known_in_any_case_and_others_stay_as_they_are() {
    assert_eq!(canonical("TruePositive"), "truePositive");
    assert_eq!(canonical("INPROGRESS"), "inProgress");
    assert_eq!(canonical("AwaitingAction"), "awaitingAction");
    assert_eq!(canonical("SomethingNew"), "SomethingNew");
}

#[test]
fn people_are_found_by_any_of_their_names_in_any_case() {
    let id = "2046feea-040d-4a46-9e2b-91c2941bfa70";
    let sentinel = SentinelUser {
        user_principal_name: Some("ann@s.example".to_owned()),
        object_id: Some(id.to_owned()),
    };
    let owners = Owners::new(vec![Person { defender: "ann@d.example".to_owned(), sentinel }]).unwrap();
    let owner = |side: Side, value: &str, now: &str, aliases: &[&str]| {
        let (mut from, mut there) = match side {
            Side::Defender => {
                (in_defender(0, &[(Field::Owner, value)]), in_sentinel(0, &[(Field::Owner, now)]))
            }
            Side::Sentinel => {
                (in_sentinel(0, &[(Field::Owner, value)]), in_defender(0, &[(Field::Owner, now)]))
            }
        };
        let sentinel = if side == Side::Defender { &mut there } else { &mut from };
        let owner_aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        sentinel.own = Own::Sentinel(Origin { owner_aliases, ..Origin::default() });
        translate(Field::Owner, side, &from, &there, None, &owners).unwrap()
    };
    assert_eq!(owner(Side::Defender, "ANN@d.example", "", &[]), "ann@s.example");
    // Whatever the incident calls her stays.
    assert_eq!(owner(Side::Defender, "ann@d.example", id, &[]), id);
    assert_eq!(owner(Side::Defender, "ann@d.example", "Ann@S.example", &[]), "Ann@S.example");
    assert_eq!(owner(Side::Defender, "ann@d.example", "old@s.example", &[id]), "old@s.example");
    assert_eq!(owner(Side::Defender, "ben@x", "", &[]), "ben@x");
    assert_eq!(owner(Side::Defender, "", "ann@s.example", &[id]), "");
    assert_eq!(owner(Side::Sentinel, id, "", &[]), "ann@d.example");
    assert_eq!(owner(Side::Sentinel, "other@s.example", "", &[&id.to_uppercase()]), "ann@d.example");
    assert_eq!(owner(Side::Sentinel, "ben@x", "BEN@x", &[]), "BEN@x");
    assert_eq!(owner(Side::Sentinel, "", "ben@x", &[]), "");
}
