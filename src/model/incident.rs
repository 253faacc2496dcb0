//! The few fields that are read from a Defender XDR incident. Everything else travels as Microsoft sent it.
//!
//! Shape: <https://learn.microsoft.com/graph/api/resources/security-incident>

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// What identifies one state of one incident: a later state has a later `last_update`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision {
    /// `lastUpdateDateTime`, kept to the 100 ns that Microsoft sends: two revisions may differ in the last digit.
    pub last_update: DateTime<Utc>,
    /// `id`, a decimal number as text.
    pub id: String,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "lastUpdateDateTime")]
    last_update: Option<Cow<'a, str>>,
}

// === impl Revision ===

impl Revision {
    /// Reads the revision of an incident from its JSON text.
    ///
    /// An incident that lacks a readable `id` or `lastUpdateDateTime` (both are documented as always there) is
    /// identified by its content, at the time `otherwise`: so it is delivered, and once.
    #[must_use]
    pub fn of(json: &str, otherwise: DateTime<Utc>) -> Self {
        let head = serde_json::from_str::<Head<'_>>(json).ok();
        let (id, last_update) = head.map_or((None, None), |head| (head.id, head.last_update));
        let last_update = last_update.and_then(|text| parse_time(&text));
        match (id, last_update) {
            (Some(id), Some(last_update)) => Self { last_update, id: id.into_owned() },
            (id, last_update) => {
                let mut hasher = DefaultHasher::new();
                json.hash(&mut hasher);
                let id = format!("{}#{:016x}", id.unwrap_or_default(), hasher.finish());
                Self { last_update: last_update.unwrap_or(otherwise), id }
            }
        }
    }
}

/// Reads an RFC 3339 time with any number of fraction digits, as Microsoft sends it.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        parse_time(text).unwrap()
    }

    #[test]
    fn revisions_that_differ_by_100_ns_are_different() {
        let at = |text: &str| {
            Revision::of(
                &format!(r#"{{"alerts":[{{"id":"x"}}],"id":"29","lastUpdateDateTime":"{text}"}}"#),
                time("2026-01-01T00:00:00Z"),
            )
        };
        assert_ne!(at("2026-02-25T16:29:33.1000001Z"), at("2026-02-25T16:29:33.1Z"));
        assert_eq!(at("2026-02-25T16:29:33.1000000Z"), at("2026-02-25T16:29:33.1Z"));
        assert_eq!(at("2026-02-25T16:29:33.1Z").id, "29");
    }

    #[test]
    fn an_incident_without_id_or_time_is_identified_by_its_content() {
        let otherwise = time("2026-01-01T00:00:00Z");
        let one = Revision::of(r#"{"displayName":"one"}"#, otherwise);
        let two = Revision::of(r#"{"displayName":"two"}"#, otherwise);
        assert_ne!(one, two);
        assert_eq!(one, Revision::of(r#"{"displayName":"one"}"#, otherwise));
        assert_eq!(one.last_update, otherwise);
        assert!(Revision::of(r#"{"id":"7","lastUpdateDateTime":"soon"}"#, otherwise).id.starts_with("7#"));
    }
}
