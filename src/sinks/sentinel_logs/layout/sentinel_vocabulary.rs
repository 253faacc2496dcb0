//! Defender's words in Sentinel's: so that a query written for `SecurityIncident` or `SecurityAlert` means the same here.
//! A word that is not known passes as it is.

/// Sentinel's severity of an incident or an alert.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alert#alertseverity-values>
pub(super) fn severity(word: &str) -> &str {
    match word {
        "informational" => "Informational",
        "low" => "Low",
        "medium" => "Medium",
        "high" => "High",
        word => word,
    }
}

/// Active means New by Microsoft's own connector; what it makes of the others is not published.
/// Source: <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>
pub(super) fn incident_status(word: &str) -> &str {
    match word {
        "active" => "New",
        "inProgress" | "awaitingAction" => "Active",
        "resolved" | "redirected" => "Closed",
        word => word,
    }
}

/// Sentinel's status of an alert.
/// Source: <https://learn.microsoft.com/azure/sentinel/security-alert-schema>
pub(super) fn alert_status(word: &str) -> &str {
    match word {
        "new" => "New",
        "inProgress" => "InProgress",
        "resolved" => "Resolved",
        "unknown" => "Unknown",
        word => word,
    }
}

/// Sentinel's classification of an incident or an alert.
/// Source: <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>
pub(super) fn classification(word: &str) -> &str {
    match word {
        "truePositive" => "TruePositive",
        "falsePositive" => "FalsePositive",
        "informationalExpectedActivity" => "BenignPositive",
        "unknown" => "Undetermined",
        word => word,
    }
}

/// Sentinel's reason goes with the classification; Defender's determination, which is finer, has its own column.
/// Source: <https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration>
pub(super) fn classification_reason(word: &str) -> Option<&'static str> {
    match word {
        "truePositive" => Some("SuspiciousActivity"),
        "falsePositive" => Some("InaccurateData"),
        "informationalExpectedActivity" => Some("SuspiciousButExpected"),
        _ => None,
    }
}
