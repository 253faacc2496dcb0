//! The few fields that are read from an incident of Defender XDR, or of Sentinel. Everything else travels as Microsoft sent it.
//!
//! Shapes: <https://learn.microsoft.com/graph/api/resources/security-incident>,
//! <https://learn.microsoft.com/rest/api/securityinsights/incidents/get#incident>

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// What identifies one state of one incident: a later state has a later `last_update`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision {
    /// `lastUpdateDateTime`, or `properties.lastModifiedTimeUtc`, kept to the 100 ns that Microsoft sends: two revisions may differ in the last digit.
    /// [`Revision::UNDATED`] if the incident has none that can be read.
    pub last_update: DateTime<Utc>,
    /// `id` of Defender XDR, a decimal number as text; `name` of Sentinel, a GUID.
    pub id: String,
}

/// The head of Sentinel's.
#[derive(Deserialize)]
struct SentinelHead<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    properties: Option<SentinelProperties<'a>>,
}

#[derive(Deserialize)]
struct SentinelProperties<'a> {
    #[serde(borrow, default, rename = "lastModifiedTimeUtc")]
    last_modified: Option<Cow<'a, str>>,
}

/// The head of Defender XDR's.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "lastUpdateDateTime")]
    last_update: Option<Cow<'a, str>>,
}

// === impl Revision ===

impl Revision {
    /// Stands for a time that cannot be read. It is after every other, so that it is never forgotten for being old.
    pub const UNDATED: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

    /// Reads the revision of a Defender XDR incident from its JSON text.
    ///
    /// An incident that lacks a readable `id` or `lastUpdateDateTime` (both are documented as always there) is
    /// identified by its content: so it is delivered, and once.
    pub fn of(json: &str) -> Self {
        let head = serde_json::from_str::<Head<'_>>(json).ok();
        let (id, last_update) = head.map_or((None, None), |head| (head.id, head.last_update));
        Self::from_head(id, last_update, json)
    }

    /// The same of a Sentinel incident.
    pub fn of_sentinel(json: &str) -> Self {
        let head = serde_json::from_str::<SentinelHead<'_>>(json).ok();
        let (name, properties) = head.map_or((None, None), |head| (head.name, head.properties));
        Self::from_head(name, properties.and_then(|properties| properties.last_modified), json)
    }

    fn from_head(id: Option<Cow<'_, str>>, last_update: Option<Cow<'_, str>>, json: &str) -> Self {
        let last_update = last_update.and_then(|text| parse_time(&text));
        match (id, last_update) {
            (Some(id), Some(last_update)) => Self { last_update, id: id.into_owned() },
            (id, last_update) => {
                let content = digest(&SHA256, json.as_bytes());
                let content = BASE64_URL_SAFE_NO_PAD.encode(content);
                let id = format!("{}#{content}", id.unwrap_or_default());
                Self { last_update: last_update.unwrap_or(Self::UNDATED), id }
            }
        }
    }

    /// The time of the change, if the incident has one that can be read.
    pub fn dated(&self) -> Option<DateTime<Utc>> {
        (self.last_update != Self::UNDATED).then_some(self.last_update)
    }
}

/// Reads an RFC 3339 time with any number of fraction digits, as Microsoft sends it.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_that_differ_by_100_ns_are_different() {
        let at = |text: &str| {
            Revision::of(&format!(r#"{{"alerts":[{{"id":"x"}}],"id":"29","lastUpdateDateTime":"{text}"}}"#))
        };
        assert_ne!(at("2026-02-25T16:29:33.1000001Z"), at("2026-02-25T16:29:33.1Z"));
        assert_eq!(at("2026-02-25T16:29:33.1000000Z"), at("2026-02-25T16:29:33.1Z"));
        assert_eq!(at("2026-02-25T16:29:33.1Z").id, "29");
    }

    #[test]
    fn a_sentinel_incident_is_known_by_its_name_and_when_it_was_modified() {
        let json = r#"{"id":"/subscriptions/s","name":"n-1","properties":{"lastModifiedTimeUtc":"2026-02-25T16:29:33.1000001Z"}}"#;
        let revision = Revision::of_sentinel(json);
        assert_eq!((revision.id.as_str(), revision.dated().is_some()), ("n-1", true));
        assert_ne!(revision, Revision::of_sentinel(&json.replace("0001Z", "0002Z")));
        let undated = Revision::of_sentinel(r#"{"name":"n-1","properties":{}}"#);
        assert_eq!(undated.dated(), None);
        assert!(undated.id.starts_with("n-1#"), "{undated:?}");
    }

    #[test]
    fn an_incident_without_id_or_time_is_identified_by_its_content() {
        let one = Revision::of(r#"{"displayName":"one"}"#);
        assert_ne!(one, Revision::of(r#"{"displayName":"two"}"#));
        assert_eq!(one, Revision::of(r#"{"displayName":"one"}"#));
        assert_eq!(one.dated(), None);
        assert!(Revision::of(r#"{"id":"7","lastUpdateDateTime":"soon"}"#).id.starts_with("7#"));
        // The state file has it: it must not change with the compiler.
        assert_eq!(one.id, "#-z0iRfkpIRB_ltvAvO-zAPr40PLTg-BY_Ek3jZrQ058");
    }
}
