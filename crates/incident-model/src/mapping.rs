//! One side's words in the other's. A word that is not known here has no counterpart: it is never guessed.
//!
//! Source, where Microsoft publishes it:
//! <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>. Not published, but what its
//! connector does: `inProgress` is `Active`, `resolved` is `Closed`.

use super::field::{Field, Side};
use super::owners::{Owners, same};
use super::snapshot::Snapshot;

/// Members that earlier versions of Graph had, and what they are called now.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alert>
pub const DETERMINATIONS: [(&str, &str); 4] = [
    ("compromisedUser", "compromisedAccount"),
    ("clean", "notMalicious"),
    ("insufficientData", "notEnoughDataToValidate"),
    ("confirmedUserActivity", "confirmedActivity"),
];

/// Which determinations belong to which classification. The last but one and the last are what a reason in Sentinel comes
/// to when nothing better is known.
/// Source: <https://learn.microsoft.com/defender-xdr/manage-incidents#specify-the-classification>
const BELONG: [(&str, &str); 3] = [
    (
        "truePositive",
        "multiStagedAttack maliciousUserActivity compromisedAccount malware phishing unwantedSoftware other",
    ),
    ("informationalExpectedActivity", "securityTesting lineOfBusinessApplication confirmedActivity other"),
    ("falsePositive", "notMalicious notEnoughDataToValidate other"),
];

/// Words of Graph's enumerations, as it spells them: it takes any case, and so must whoever compares.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-incident>
const WORDS: &str = "active inProgress awaitingAction resolved redirected informational low medium high truePositive \
    falsePositive informationalExpectedActivity multiStagedAttack maliciousUserActivity compromisedAccount \
    malware phishing unwantedSoftware securityTesting lineOfBusinessApplication confirmedActivity \
    notMalicious notEnoughDataToValidate unknown other";

/// A word as Graph spells it; one that is not known stays as it is.
pub fn canonical(word: &str) -> String {
    let known = WORDS.split(' ').find(|known| known.eq_ignore_ascii_case(word));
    known.unwrap_or(word).to_owned()
}

/// What a field of `from`, which is of an incident on `side`, is in the other side's words. `there` is the incident on the
/// other side as it is now, and `agreed` the value that both had agreed on, in that side's words. Nothing if there is no
/// counterpart.
pub fn translate(
    field: Field,
    side: Side,
    from: &Snapshot,
    there: &Snapshot,
    agreed: Option<&str>,
    owners: &Owners,
) -> Option<String> {
    let value = from.field(field)?;
    let now = there.field(field).unwrap_or_default();
    match (field, side) {
        (Field::Status, Side::Defender) => {
            let is_owned = there.field(Field::Owner).is_some_and(|owner| !owner.is_empty());
            status_in_sentinel(value, now, is_owned)
        }
        (Field::Status, Side::Sentinel) => status_in_defender(value, now),
        (Field::Severity, Side::Defender) => severity_in_sentinel(value),
        (Field::Severity, Side::Sentinel) => severity_in_defender(value),
        (Field::Owner, Side::Defender) if value.is_empty() => Some(String::new()),
        (Field::Owner, Side::Defender) => {
            let user = owners.in_sentinel(value);
            // The incident there may be known by another of the same person's names.
            let mut names = there.origin().into_iter().flat_map(|origin| &origin.owner_aliases);
            let is_same = |name: &str| {
                [&user.user_principal_name, &user.object_id]
                    .into_iter()
                    .flatten()
                    .any(|known| same(known, name))
            };
            let is_there = is_same(now) || names.any(|name| is_same(name));
            Some(if is_there { now.to_owned() } else { user.name().to_owned() })
        }
        (Field::Owner, Side::Sentinel) => {
            let aliases = from.origin().map(|origin| origin.owner_aliases.as_slice()).unwrap_or_default();
            let name = owners.in_defender(value, aliases);
            Some(if same(&name, now) { now.to_owned() } else { name })
        }
        (Field::Classification, Side::Defender) => classification_in_sentinel(value, now),
        (Field::Classification, Side::Sentinel) => classification_in_defender(value, now, agreed),
        (Field::ClosingComment, _) => Some(value.to_owned()),
    }
}

fn status_in_sentinel(value: &str, now: &str, is_owned: bool) -> Option<String> {
    let word = match value {
        // Active in Defender is what nobody has begun with; in Sentinel somebody may have.
        "active" if now == "Active" && is_owned => "Active",
        "active" => "New",
        "inProgress" | "awaitingAction" => "Active",
        "resolved" | "redirected" => "Closed",
        _ => return None,
    };
    Some(word.to_owned())
}

fn status_in_defender(value: &str, now: &str) -> Option<String> {
    let word = match (value, now) {
        // An incident that was merged into another has no state of its own any more.
        (_, "redirected") => "redirected",
        ("New", _) => "active",
        ("Active", "awaitingAction") => "awaitingAction",
        ("Active", _) => "inProgress",
        ("Closed", _) => "resolved",
        _ => return None,
    };
    Some(word.to_owned())
}

fn severity_in_sentinel(value: &str) -> Option<String> {
    let word = match value {
        "informational" => "Informational",
        "low" => "Low",
        "medium" => "Medium",
        "high" => "High",
        _ => return None,
    };
    Some(word.to_owned())
}

fn severity_in_defender(value: &str) -> Option<String> {
    let word = match value {
        "Informational" => "informational",
        "Low" => "low",
        "Medium" => "medium",
        "High" => "high",
        _ => return None,
    };
    Some(word.to_owned())
}

fn classification_in_sentinel(value: &str, now: &str) -> Option<String> {
    let (classification, _) = value.split_once('/').unwrap_or((value, ""));
    let words = match classification {
        "truePositive" => "TruePositive/SuspiciousActivity",
        // Defender does not tell the two reasons for a false positive apart: the one that is there stays.
        "falsePositive" if now.starts_with("FalsePositive/") => now,
        "falsePositive" => "FalsePositive/InaccurateData",
        "informationalExpectedActivity" => "BenignPositive/SuspiciousButExpected",
        "unknown" => "Undetermined",
        _ => return None,
    };
    Some(words.to_owned())
}

fn classification_in_defender(value: &str, now: &str, agreed: Option<&str>) -> Option<String> {
    let (classification, otherwise) = match value {
        "TruePositive" | "TruePositive/SuspiciousActivity" => ("truePositive", "other"),
        "BenignPositive" | "BenignPositive/SuspiciousButExpected" => {
            ("informationalExpectedActivity", "confirmedActivity")
        }
        "FalsePositive/IncorrectAlertLogic" => ("falsePositive", "notMalicious"),
        "FalsePositive" | "FalsePositive/InaccurateData" => ("falsePositive", "notEnoughDataToValidate"),
        "Undetermined" => return Some("unknown/unknown".to_owned()),
        _ => return None,
    };
    // Sentinel has no determination: one that was given in Defender, and fits, is not taken away.
    let fits = |words: &&str| {
        words.strip_prefix(classification).and_then(|rest| rest.strip_prefix('/')).is_some_and(
            |determination| {
                let belong = BELONG.iter().find(|(name, _)| *name == classification);
                belong.is_some_and(|(_, all)| all.split(' ').any(|known| known == determination))
            },
        )
    };
    let kept = [Some(now), agreed].into_iter().flatten().find(fits);
    Some(kept.map_or_else(|| format!("{classification}/{otherwise}"), ToOwned::to_owned))
}
