//! The two sides, and the fields that are kept in sync.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Microsoft Defender XDR, through Microsoft Graph.
    Defender,
    /// Microsoft Sentinel, through `SecurityInsights`.
    Sentinel,
}

/// A field that has one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `status` on both sides.
    Status,
    /// `severity` on both sides.
    Severity,
    /// `assignedTo` in Defender; `owner` in Sentinel.
    Owner,
    /// `classification` and `determination`; `classification` and `classificationReason`.
    Classification,
    /// `resolvingComment` in Defender; `classificationComment` in Sentinel.
    ClosingComment,
}

/// The side whose value counts if a field was changed on both sides, to different values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Defender's value is written to Sentinel.
    Defender,
    /// Sentinel's value is written to Defender.
    Sentinel,
    /// The value that was changed last counts, as far as the incidents' timestamps show.
    #[default]
    Newest,
    /// Neither value counts: the field is left alone until somebody makes both the same.
    Manual,
}

/// What both sides had when they last agreed, each in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// In Defender's words.
    pub defender: String,
    /// In Sentinel's words.
    pub sentinel: String,
}

/// A value that differs from the agreed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The value that differs.
    pub value: String,
    /// The time of the first revision that had it.
    pub since: DateTime<Utc>,
}

// === impl Side ===

impl Side {
    /// Both sides, Defender first.
    pub const ALL: [Self; 2] = [Self::Defender, Self::Sentinel];

    /// The opposite one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Defender => Self::Sentinel,
            Self::Sentinel => Self::Defender,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Defender => "Defender",
            Self::Sentinel => "Sentinel",
        })
    }
}

// === impl Field ===

impl Field {
    /// All, in the order in which they are looked at: what closes an incident before what is said when it is closed.
    pub const ALL: [Self; 5] =
        [Self::Status, Self::Severity, Self::Owner, Self::Classification, Self::ClosingComment];

    /// Whether Sentinel has it only of incidents that are closed.
    /// Source: <https://learn.microsoft.com/rest/api/securityinsights/incidents/get#incidentclassification>
    pub const fn is_of_closed(self) -> bool {
        matches!(self, Self::Classification | Self::ClosingComment)
    }

    /// Its name in options, events and the state file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Severity => "severity",
            Self::Owner => "owner",
            Self::Classification => "classification",
            Self::ClosingComment => "closing_comment",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Pair ===

impl Pair {
    /// The value of one side.
    pub fn of(&self, side: Side) -> &str {
        match side {
            Side::Defender => &self.defender,
            Side::Sentinel => &self.sentinel,
        }
    }
}
