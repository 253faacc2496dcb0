//! What Graph lets readers of incidents ask, and the members of its enumerations.

// https://learn.microsoft.com/graph/api/security-list-incidents#optional-query-parameters
// https://learn.microsoft.com/graph/api/resources/security-incident#properties

use crate::config::LARGEST_PAGE;
use crate::core::odata::{Dialect, Kind, Property};

/// The property that says when an incident changed last.
pub(crate) const UPDATED: &str = "lastUpdateDateTime";

pub(crate) const STATUSES: [&str; 6] =
    ["active", "resolved", "inProgress", "redirected", "unknownFutureValue", "awaitingAction"];
pub(crate) const SEVERITIES: [&str; 6] =
    ["unknown", "informational", "low", "medium", "high", "unknownFutureValue"];
pub(crate) const CLASSIFICATIONS: [&str; 5] =
    ["unknown", "falsePositive", "truePositive", "informationalExpectedActivity", "unknownFutureValue"];
pub(crate) const DETERMINATIONS: [&str; 16] = [
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    "unknownFutureValue",
];

/// A list of incidents, as documented.
pub(crate) const INCIDENTS: Dialect = Dialect {
    options: &["$filter", "$orderby", "$top", "$skip", "$count", "$expand"],
    properties: &[
        Property { name: UPDATED, kind: Kind::Time { equals: true }, sorts: true },
        Property { name: "createdDateTime", kind: Kind::Time { equals: true }, sorts: false },
        Property { name: "status", kind: Kind::Member(&STATUSES), sorts: false },
        Property { name: "severity", kind: Kind::Member(&SEVERITIES), sorts: false },
        Property { name: "assignedTo", kind: Kind::Text, sorts: false },
        Property { name: "classification", kind: Kind::Member(&CLASSIFICATIONS), sorts: false },
        Property { name: "determination", kind: Kind::Member(&DETERMINATIONS), sorts: false },
    ],
    expands: &["alerts"],
    largest_page: LARGEST_PAGE,
    any_case: true,
    lenient: false,
};

/// One incident: no more than its alerts can be asked for.
// https://learn.microsoft.com/graph/api/security-incident-get
pub(crate) const INCIDENT: Dialect = Dialect { options: &["$expand"], ..INCIDENTS };
