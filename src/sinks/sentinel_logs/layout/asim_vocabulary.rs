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

/// The kind of thing that a piece of evidence is, if ASIM has a word for it.
pub(super) fn indicator_type(evidence_type: &str) -> Option<&'static str> {
    let (_, indicator) = INDICATORS.iter().find(|(known, _)| *known == evidence_type)?;
    match indicator {
        Indicator::Type(indicator) => Some(indicator),
        Indicator::None(_) => None,
    }
}

/// What `IndicatorType` says of a type of evidence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Indicator {
    Type(&'static str),
    /// Nothing: why it is none of the twelve kinds of the schema.
    None(#[cfg_attr(not(test), expect(dead_code, reason = "for the reader, and for a test"))] &'static str),
}

const APPLICATION: Indicator = Indicator::Type("Application");
const CLOUD_RESOURCE: Indicator = Indicator::Type("Cloud Resource");
const EMAIL: Indicator = Indicator::Type("Email");
const FILE: Indicator = Indicator::Type("File");
const HOST: Indicator = Indicator::Type("Host");
const LOGON_SESSION: Indicator = Indicator::Type("Logon Session");
const MAILBOX: Indicator = Indicator::Type("Mailbox");
const REGISTRY: Indicator = Indicator::Type("Registry");
const USER: Indicator = Indicator::Type("User");

/// Every type of evidence, and which of the kinds of `IndicatorType` it is.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>
pub(super) const INDICATORS: [(&str, Indicator); 48] = [
    ("activeDirectoryDomainEvidence", Indicator::None("a directory is neither its hosts nor its users")),
    ("aiAgentEvidence", APPLICATION),
    ("amazonResourceEvidence", CLOUD_RESOURCE),
    ("analyzedMessageEvidence", EMAIL),
    ("azureResourceEvidence", CLOUD_RESOURCE),
    ("blobContainerEvidence", CLOUD_RESOURCE),
    ("blobEvidence", CLOUD_RESOURCE),
    ("cloudApplicationEvidence", APPLICATION),
    ("cloudLogonRequestEvidence", LOGON_SESSION),
    ("cloudLogonSessionEvidence", LOGON_SESSION),
    ("containerEvidence", CLOUD_RESOURCE),
    ("containerImageEvidence", CLOUD_RESOURCE),
    ("containerRegistryEvidence", CLOUD_RESOURCE),
    ("deviceEvidence", HOST),
    ("dnsEvidence", Indicator::None("an answer of DNS ties a name to addresses, and is neither")),
    ("fileEvidence", FILE),
    ("fileHashEvidence", FILE),
    ("gitHubOrganizationEvidence", CLOUD_RESOURCE),
    ("gitHubRepoEvidence", CLOUD_RESOURCE),
    ("gitHubUserEvidence", USER),
    ("googleCloudResourceEvidence", CLOUD_RESOURCE),
    ("hostLogonSessionEvidence", LOGON_SESSION),
    ("ioTDeviceEvidence", HOST),
    ("ipEvidence", Indicator::Type("Ip")),
    ("kubernetesClusterEvidence", CLOUD_RESOURCE),
    ("kubernetesControllerEvidence", CLOUD_RESOURCE),
    ("kubernetesNamespaceEvidence", CLOUD_RESOURCE),
    ("kubernetesPodEvidence", CLOUD_RESOURCE),
    ("kubernetesSecretEvidence", CLOUD_RESOURCE),
    ("kubernetesServiceAccountEvidence", CLOUD_RESOURCE),
    ("kubernetesServiceEvidence", CLOUD_RESOURCE),
    ("mailClusterEvidence", EMAIL),
    ("mailboxConfigurationEvidence", MAILBOX),
    ("mailboxEvidence", MAILBOX),
    ("malwareEvidence", Indicator::None("malware is the threat itself: ThreatName")),
    (
        "networkConnectionEvidence",
        Indicator::None("a connection is between two addresses, and neither of them"),
    ),
    ("nicEvidence", HOST),
    ("oauthApplicationEvidence", APPLICATION),
    ("processEvidence", Indicator::Type("Process")),
    ("registryKeyEvidence", REGISTRY),
    ("registryValueEvidence", REGISTRY),
    ("sasTokenEvidence", Indicator::None("a token opens a resource, and is not that resource")),
    ("securityGroupEvidence", Indicator::None("a group is none of its users")),
    ("servicePrincipalEvidence", APPLICATION),
    ("submissionMailEvidence", EMAIL),
    ("teamsMessageEvidence", Indicator::None("a message in Teams is no mail, and in no mailbox")),
    ("urlEvidence", Indicator::Type("Url")),
    ("userEvidence", USER),
];

/// Whether the threat was after it, by the roles that it played.
pub(super) fn association<'r>(roles: impl IntoIterator<Item = &'r str>) -> &'static str {
    let targeted = roles.into_iter().any(|role| matches!(role, "attacked" | "compromised"));
    if targeted { "Targeted" } else { "Associated" }
}
