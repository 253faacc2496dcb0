//! Defender's words in those of ASIM's alert schema.
//!
//! Source: <https://learn.microsoft.com/azure/sentinel/normalization-schema-alert>

/// What is written if the original is not known to say the same: `None` leaves the column empty.
pub(super) fn severity(word: &str) -> Option<&'static str> {
    match word {
        "informational" => Some("Informational"),
        "low" => Some("Low"),
        "medium" => Some("Medium"),
        "high" => Some("High"),
        _ => None,
    }
}

pub(super) fn status(word: &str) -> Option<&'static str> {
    match word {
        "new" | "inProgress" => Some("Active"),
        "resolved" => Some("Closed"),
        _ => None,
    }
}

/// The same for an incident, which has other words. One that was merged away goes on in another.
pub(super) fn incident_status(word: &str) -> Option<&'static str> {
    match word {
        "active" | "inProgress" | "awaitingAction" => Some("Active"),
        "resolved" | "redirected" => Some("Closed"),
        _ => None,
    }
}

pub(super) fn verdict(classification: &str) -> &'static str {
    match classification {
        "truePositive" => "True Positive",
        "falsePositive" => "False Positive",
        "informationalExpectedActivity" => "Benign Positive",
        _ => "Unknown",
    }
}

/// What kind of alert it is: a threat if Defender or somebody is sure of it.
pub(super) fn sub_type(service: &str, classification: &str, malicious: bool) -> &'static str {
    match (service, classification) {
        ("dataLossPrevention" | "microsoftInsiderRiskManagement", _) => "Compliance Violation",
        (_, "truePositive") => "Threat",
        ("azureAdIdentityProtection", _) => "Anomaly",
        _ if malicious => "Threat",
        _ => "Suspicious Activity",
    }
}

pub(super) fn detection_method(source: &str) -> &'static str {
    match source {
        "microsoftDefenderForEndpoint" | "microsoftDefenderForServers" => "EDR",
        "antivirus" => "Antivirus",
        "smartScreen" => "Reputation",
        "customTi" | "microsoftThreatIntelligence" | "microsoftDefenderThreatIntelligenceAnalytics" => {
            "Threat Intelligence"
        }
        "automatedInvestigation" => "Automated Investigation",
        "microsoftDefenderForIdentity" | "azureAdIdentityProtection" | "builtInMl" => "Behavioral Analytics",
        "cloudAppSecurity" | "appGovernancePolicy" | "appGovernanceDetection" => "Cloud Application Security",
        "microsoftDataLossPrevention" => "Data Loss Prevention",
        "scheduledAlerts" | "nrtAlerts" | "customDetection" => "Scheduled Alerts",
        _ => "Other",
    }
}

/// The categories of Defender that are categories of ASIM; the others are tactics.
pub(super) fn threat_category(category: &str) -> Option<&'static str> {
    match category {
        "Malware" => Some("Malware"),
        "Ransomware" => Some("Ransomware"),
        "Phishing" => Some("Phishing"),
        "Spam" => Some("Spam"),
        _ => None,
    }
}

/// The kind of thing that a piece of evidence is.
pub(super) fn indicator_type(evidence_type: &str) -> Option<&'static str> {
    let kind = match evidence_type {
        "ipEvidence" => "Ip",
        "userEvidence" => "User",
        "processEvidence" => "Process",
        "registryKeyEvidence" | "registryValueEvidence" => "Registry",
        "urlEvidence" => "Url",
        "deviceEvidence" | "ioTDeviceEvidence" => "Host",
        "azureResourceEvidence"
        | "amazonResourceEvidence"
        | "googleCloudResourceEvidence"
        | "blobEvidence"
        | "blobContainerEvidence"
        | "containerEvidence"
        | "containerImageEvidence"
        | "containerRegistryEvidence"
        | "kubernetesClusterEvidence"
        | "kubernetesControllerEvidence"
        | "kubernetesNamespaceEvidence"
        | "kubernetesPodEvidence"
        | "kubernetesSecretEvidence"
        | "kubernetesServiceEvidence"
        | "kubernetesServiceAccountEvidence" => "Cloud Resource",
        "oauthApplicationEvidence" | "cloudApplicationEvidence" | "servicePrincipalEvidence" => "Application",
        "fileEvidence" | "fileHashEvidence" => "File",
        "analyzedMessageEvidence" | "mailClusterEvidence" | "submissionMailEvidence" => "Email",
        "mailboxEvidence" | "mailboxConfigurationEvidence" => "Mailbox",
        "cloudLogonRequestEvidence" | "cloudLogonSessionEvidence" | "hostLogonSessionEvidence" => {
            "Logon Session"
        }
        _ => return None,
    };
    Some(kind)
}

/// Whether the threat was after it, by the roles that it played.
pub(super) fn association<'r>(roles: impl IntoIterator<Item = &'r str>) -> &'static str {
    let targeted = roles.into_iter().any(|role| matches!(role, "attacked" | "compromised"));
    if targeted { "Targeted" } else { "Associated" }
}
