//! What an incident's event says about what is kept in sync, in its own side's words.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::field::Field;

/// One state of an incident on one side. What is missing was not said, and is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Graph's `id`, a number as text, or `SecurityInsights`' `name`, a GUID.
    pub id: String,
    /// When the incident was changed last: later states have later ones.
    pub version: DateTime<Utc>,
    /// The side's words: `inProgress`, `truePositive/malware`, `BenignPositive/SuspiciousButExpected`. Nothing there is an
    /// empty text.
    pub fields: BTreeMap<Field, String>,
    /// `customTags`; `labels` that a user made.
    pub tags: Option<BTreeSet<String>>,
    /// The comments, oldest first.
    pub comments: Option<Vec<Comment>>,
    /// What only one side has.
    pub own: Own,
}

/// What only one side has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Own {
    /// Of an incident in Defender.
    Defender(Profile),
    /// Of an incident in Sentinel.
    Sentinel(Origin),
}

/// What an incident in Sentinel is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// `tenantId`, a GUID.
    pub tenant: String,
    /// The title: `displayName`.
    pub title: String,
    /// `description` and what else is told in words: the link, the alerts.
    pub description: String,
    /// The incident that this one was merged into: `redirectIncidentId`.
    pub merged_into: Option<String>,
    /// The incident's page: `incidentWebUrl`.
    pub url: Option<String>,
    /// When its first alert's activity began.
    pub first_activity: Option<DateTime<Utc>>,
    /// When its last alert's activity ended.
    pub last_activity: Option<DateTime<Utc>>,
}

/// Who brought an incident into Sentinel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The provider's name: `providerName`.
    pub provider: String,
    /// `providerIncidentId`: Defender's id, if the provider is its connector.
    pub provider_incident_id: String,
    /// The tenant that `providerIncidentUrl` names.
    pub provider_tenant: Option<String>,
    /// The owner's other names, where there is more than one: object id and mail address.
    pub owner_aliases: Vec<String>,
    /// How many comments there are.
    pub comments: u64,
}

/// A comment of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Names it among the incident's comments.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When it was written.
    pub created: Option<DateTime<Utc>>,
    /// What it says.
    pub text: String,
}

/// A value that is not there, which says nothing, or one that may be `null`, which says that there is none.
#[derive(Debug)]
pub(super) struct Said<T>(pub(super) Option<T>);

// === impl Said ===

impl<T> Default for Said<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: Option<T> = Deserialize::deserialize(deserializer)?;
        Ok(Self(Some(value.unwrap_or_default())))
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The value of a field, if it was said.
    pub fn field(&self, field: Field) -> Option<&str> {
        self.fields.get(&field).map(String::as_str)
    }

    /// Whether it is closed, in either side's words.
    pub fn is_closed(&self) -> bool {
        self.field(Field::Status).is_some_and(|status| matches!(status, "resolved" | "redirected" | "Closed"))
    }

    /// What only Defender's incidents have.
    pub const fn profile(&self) -> Option<&Profile> {
        match &self.own {
            Own::Defender(profile) => Some(profile),
            Own::Sentinel(_) => None,
        }
    }

    /// What only Sentinel's incidents have.
    pub const fn origin(&self) -> Option<&Origin> {
        match &self.own {
            Own::Sentinel(origin) => Some(origin),
            Own::Defender(_) => None,
        }
    }
}

// === impl Origin ===

impl Origin {
    /// What Microsoft's own connector calls itself, now and before.
    /// Source: <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>
    const CONNECTORS: [&str; 3] = ["Microsoft XDR", "Microsoft 365 Defender", "Microsoft Defender XDR"];

    /// Whether Microsoft's own connector keeps the incident in sync with Defender.
    pub fn is_native(&self) -> bool {
        Self::CONNECTORS.iter().any(|name| self.provider.eq_ignore_ascii_case(name))
    }
}
