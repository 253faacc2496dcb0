//! Enum members that Graph hides from readers who did not ask for them.

use serde_json::Value;

/// What stands in for a hidden member.
// https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
const STAND_IN: &str = "unknownFutureValue";

/// The preference (header `Prefer`) that shows every member.
// https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
pub(crate) const PREFERENCE: &str = "include-unknown-enum-members";

/// Members above `unknownFutureValue`, by property.
// https://learn.microsoft.com/graph/api/resources/security-alert#detectionsource-values
// https://learn.microsoft.com/graph/api/resources/security-incident#incidentstatus-values
// https://learn.microsoft.com/graph/api/resources/security-alertevidence#evidenceremediationstatus-values
const NEWER: [(&str, &str); 4] = [
    ("status", "awaitingAction"),
    ("remediationStatus", "active pendingApproval declined unremediated running partiallyRemediated"),
    (
        "serviceSource",
        "microsoftDefenderForCloud microsoftSentinel microsoftInsiderRiskManagement \
        microsoftThreatIntelligence microsoftSecurityForAI",
    ),
    (
        "detectionSource",
        "microsoftDefenderForCloud microsoftDefenderForIoT microsoftDefenderForServers \
        microsoftDefenderForStorage microsoftDefenderForDNS microsoftDefenderForDatabases \
        microsoftDefenderForContainers microsoftDefenderForNetwork microsoftDefenderForAppService \
        microsoftDefenderForKeyVault microsoftDefenderForResourceManager microsoftDefenderForApiManagement \
        nrtAlerts scheduledAlerts microsoftDefenderThreatIntelligenceAnalytics builtInMl \
        microsoftInsiderRiskManagement microsoftThreatIntelligence microsoftDefenderForAIServices \
        securityCopilot microsoftSentinel",
    ),
];

/// Whether a reader must ask for `member` of `property`.
fn is_newer(property: &str, member: &str) -> bool {
    NEWER.iter().any(|(name, members)| *name == property && members.split(' ').any(|known| known == member))
}

/// Hides the newer members anywhere in `value`.
pub(crate) fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(object) => {
            for (property, value) in object {
                match value {
                    Value::String(member) if is_newer(property, member) => STAND_IN.clone_into(member),
                    other => hide(other),
                }
            }
        }
        _ => {}
    }
}
