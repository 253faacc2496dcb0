//! The tables of the layout `defender`.
//!
//! Names and types are those of `SecurityIncident` and `SecurityAlert` where a column means the same there, and otherwise
//! the tables' own. `id`, `Title`, `TenantId` and `Type` cannot be columns of a custom table.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident>,
//! <https://learn.microsoft.com/azure/sentinel/security-alert-schema>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table>

use std::sync::LazyLock;

use super::evidence::{self, EvidenceColumns};
use super::table::ColumnType::{Boolean, DateTime, Dynamic, Int, Long, String};
use super::table::{Table, TableColumn, TableKind, column};

pub(super) static INCIDENTS: &Table = &TABLES[0];
pub(super) static ALERTS: &Table = &TABLES[1];
pub(super) static EVIDENCE: &Table = &TABLES[2];

pub(super) static CHANGES: &Table = &TABLES[3];

/// The tables that are needed for incidents.
pub(super) static USUAL: &[Table] = &[TABLES[0], TABLES[1], TABLES[2]];

/// The last is only for events of the kind `change`, which a source emits when it is asked to.
pub(super) static TABLES: [Table; 4] = [
    Table { name: "DefenderIncidents_CL", kind: TableKind::Custom, columns: INCIDENT_COLUMNS },
    Table { name: "DefenderAlerts_CL", kind: TableKind::Custom, columns: ALERT_COLUMNS },
    Table { name: "DefenderEvidence_CL", kind: TableKind::Custom, columns: EVIDENCE_COLUMNS },
    Table { name: "DefenderIncidentChanges_CL", kind: TableKind::Custom, columns: CHANGE_COLUMNS },
];

/// Columns of evidence that copy from it.
pub(super) static EVIDENCE_COPIES: LazyLock<EvidenceColumns> =
    LazyLock::new(|| EvidenceColumns::of(EVIDENCE_COLUMNS));

/// The time of a row of any of them: alerts and evidence have the incident's too, and not their own, because a row
/// says how things stood when the incident changed. So one filter by time finds a state whole.
const TIME_GENERATED: TableColumn = column(
    "TimeGenerated",
    DateTime,
    "lastUpdateDateTime of the incident, or the nearest to it that is said; Azure replaces it if it is over two days old.",
);
const INCIDENT_ID: TableColumn = column("ProviderIncidentId", String, "id of the incident, if there is one.");
const TENANT: TableColumn = column("SourceTenantId", String, "tenantId: Defender's tenant.");
const TENANT_NAME: TableColumn =
    column("SourceTenantName", String, "The tenant's name, if the source has a list of them.");
const INCIDENT_URL: TableColumn = column(
    "IncidentUrl",
    String,
    "incidentWebUrl, in the rows of events that say nothing else of the incident.",
);
const STATE: TableColumn = column(
    "IncidentLastModifiedTime",
    DateTime,
    "lastUpdateDateTime of the incident: with ProviderIncidentId, the state that the row belongs to.",
);
const ALERT_ID: TableColumn = column("SystemAlertId", String, "id of the alert.");
const REST: TableColumn = column("AdditionalData", Dynamic, "Everything else, as Microsoft sent it.");

const INCIDENT_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    column("IncidentNumber", Int, "id, as a number."),
    TENANT.field("tenantId"),
    TENANT_NAME,
    column("ProviderName", String, "Microsoft XDR."),
    column("IncidentTitle", String, "displayName.").field("displayName"),
    column("Description", String, "description.").field("description"),
    column("Summary", String, "summary.").field("summary"),
    column("Severity", String, "severity, in Sentinel's words."),
    column("Status", String, "status, in Sentinel's words."),
    column("Classification", String, "classification, in Sentinel's words."),
    column("ClassificationReason", String, "What Sentinel calls the reason of that classification."),
    column("ClassificationComment", String, "resolvingComment.").field("resolvingComment"),
    column("Determination", String, "determination.").field("determination"),
    column("Owner", Dynamic, "assignedTo, as {assignedTo}."),
    column("Labels", Dynamic, "customTags (labelType User) and systemTags (AutoAssigned)."),
    column("Comments", Dynamic, "comments.").field("comments"),
    column("PriorityScore", Int, "priorityScore.").field("priorityScore"),
    column("CreatedTime", DateTime, "createdDateTime.").field("createdDateTime"),
    column("LastModifiedTime", DateTime, "lastUpdateDateTime.").field("lastUpdateDateTime"),
    column("ModifiedBy", String, "lastModifiedBy.").field("lastModifiedBy"),
    column("FirstActivityTime", DateTime, "The earliest firstActivityDateTime of its alerts."),
    column("LastActivityTime", DateTime, "The latest lastActivityDateTime of its alerts."),
    column("AlertIds", Dynamic, "id of each of its alerts."),
    column("RedirectIncidentId", String, "redirectIncidentId: the incident that it was merged into.")
        .field("redirectIncidentId"),
    column("IncidentUrl", String, "incidentWebUrl.").field("incidentWebUrl"),
    REST,
];

const ALERT_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    STATE,
    TENANT.field("tenantId"),
    TENANT_NAME,
    INCIDENT_URL,
    ALERT_ID.field("id"),
    column("VendorOriginalId", String, "providerAlertId.").field("providerAlertId"),
    column("VendorName", String, "Microsoft."),
    column("ProductName", String, "productName.").field("productName"),
    column("ServiceSource", String, "serviceSource.").field("serviceSource"),
    column("DetectionSource", String, "detectionSource.").field("detectionSource"),
    column("DetectorId", String, "detectorId.").field("detectorId"),
    column("AlertPolicyId", String, "alertPolicyId.").field("alertPolicyId"),
    column("AlertName", String, "title.").field("title"),
    column("Description", String, "description.").field("description"),
    column("AlertSeverity", String, "severity, in Sentinel's words."),
    column("Status", String, "status, in Sentinel's words."),
    column("Classification", String, "classification, in Sentinel's words."),
    column("Determination", String, "determination.").field("determination"),
    column("InvestigationState", String, "investigationState.").field("investigationState"),
    column("AssignedTo", String, "assignedTo.").field("assignedTo"),
    column("Tactics", String, "categories, or category, joined by commas."),
    column("Techniques", String, "mitreTechniques, as JSON text."),
    column("ActorName", String, "actorDisplayName.").field("actorDisplayName"),
    column("ThreatName", String, "threatDisplayName.").field("threatDisplayName"),
    column("ThreatFamilyName", String, "threatFamilyName.").field("threatFamilyName"),
    column("RemediationSteps", String, "recommendedActions.").field("recommendedActions"),
    column("StartTime", DateTime, "firstActivityDateTime.").field("firstActivityDateTime"),
    column("EndTime", DateTime, "lastActivityDateTime.").field("lastActivityDateTime"),
    column("CreatedTime", DateTime, "createdDateTime.").field("createdDateTime"),
    column("LastModifiedTime", DateTime, "lastUpdateDateTime of the alert.").field("lastUpdateDateTime"),
    column("ResolvedTime", DateTime, "resolvedDateTime.").field("resolvedDateTime"),
    column("SystemTags", Dynamic, "systemTags.").field("systemTags"),
    column("Comments", Dynamic, "comments.").field("comments"),
    column("CustomDetails", Dynamic, "customDetails.").field("customDetails"),
    column("AlertLink", String, "alertWebUrl.").field("alertWebUrl"),
    REST,
];

const EVIDENCE_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    STATE,
    TENANT,
    TENANT_NAME,
    INCIDENT_URL,
    ALERT_ID,
    column("AlertName", String, "title of the alert, in the row of a piece of evidence that came alone."),
    column("AlertLastModifiedTime", DateTime, "lastUpdateDateTime of the alert, if it is in no incident that has one."),
    column(
        "EvidenceIndex",
        Int,
        "Which piece of the alert's evidence it is, from 0, if it came with its alert.",
    ),
    column(
        "EvidenceId",
        String,
        "The same in each state of the piece, whichever way it came: a hash of what it is, since Microsoft gives it no id.",
    ),
    column("EvidenceType", String, "@odata.type, without #microsoft.graph.security."),
    column("CreatedTime", DateTime, "createdDateTime.").field("createdDateTime"),
    column("Verdict", String, "verdict.").field("verdict"),
    column("RemediationStatus", String, "remediationStatus.").field("remediationStatus"),
    column("RemediationStatusDetails", String, "remediationStatusDetails.").field("remediationStatusDetails"),
    column("Roles", Dynamic, "roles.").field("roles"),
    column("DetailedRoles", Dynamic, "detailedRoles.").field("detailedRoles"),
    column("Tags", Dynamic, "tags.").field("tags"),
    column("HostName", String, "The device's name.").evidence(evidence::HOST_NAME),
    column("DeviceId", String, "The device's id in Defender for Endpoint.")
        .evidence("mdeDeviceId, host.mdeDeviceId, deviceId"),
    column("AadDeviceId", String, "The device's id in Entra ID.")
        .evidence("azureAdDeviceId, host.azureAdDeviceId"),
    column("DeviceRbacGroup", String, "The device's group for role-based access.")
        .evidence("rbacGroupName, host.rbacGroupName"),
    column("OsPlatform", String, "The device's operating system.")
        .evidence("osPlatform, host.osPlatform, operatingSystem"),
    column("IpAddress", String, "The address; the device's last one, or of its interfaces the first that tells something; a connection's source.")
        .evidence(evidence::ADDRESS),
    column("IpAddresses", Dynamic, "All addresses, if there are more than the one in IpAddress."),
    column("ExternalIpAddress", String, "The device's last address outside of its network.")
        .evidence("lastExternalIpAddress, host.lastExternalIpAddress"),
    column("MacAddress", String, "The MAC address.").evidence(evidence::MAC_ADDRESS),
    column("AccountName", String, "The account's name.")
        .evidence("userAccount.accountName, account.userAccount.accountName, gitHubUserEvidence/login"),
    column("AccountDomain", String, "The account's domain.")
        .evidence("userAccount.domainName, account.userAccount.domainName"),
    column("AccountDisplayName", String, "The account's display name.").evidence(
        "userAccount.displayName, account.userAccount.displayName, mailboxEvidence/displayName, gitHubUserEvidence/name",
    ),
    column("AccountUpn", String, "The account's user principal name.")
        .evidence("userAccount.userPrincipalName, account.userAccount.userPrincipalName, upn"),
    column("AccountSid", String, "The account's SID.")
        .evidence("userAccount.userSid, account.userAccount.userSid"),
    column("AccountObjectId", String, "The account's id in Entra ID.").evidence(
        "userAccount.azureAdUserId, account.userAccount.azureAdUserId, externalDirectoryObjectId",
    ),
    column("FileName", String, "The file's name, or that of the process' image.").evidence(evidence::FILE_NAME),
    column("FolderPath", String, "Where that file is.").evidence(evidence::FILE_PATH),
    column("FileSize", Long, "Its size in bytes.").evidence(evidence::FILE_SIZE),
    column("MD5", String, "Its MD5.").evidence(evidence::MD5),
    column("SHA1", String, "Its SHA-1.").evidence(evidence::SHA1),
    column("SHA256", String, "Its SHA-256.").evidence(evidence::SHA256),
    column("SHA256AC", String, "Its SHA-256 as Authenticode computes it.")
        .evidence("fileDetails.sha256Ac, imageFile.sha256Ac, #sha256ac"),
    column("ProcessId", Long, "The process' id.").evidence("processId, processes[0].processId"),
    column("ProcessCommandLine", String, "The process' command line.")
        .evidence("processCommandLine, processes[0].processCommandLine"),
    column("MalwareName", String, "The malware's name.").evidence("malwareEvidence/name"),
    column("MalwareCategory", String, "Its kind.").evidence("malwareEvidence/category"),
    column("RemoteUrl", String, "The URL.").evidence(evidence::URL),
    column("DomainName", String, "The name that DNS was asked for, or the directory's domain.")
        .evidence(evidence::DOMAIN),
    column("DnsServerIP", String, "The DNS server's address.").evidence("dnsServerIp.ipAddress"),
    column("SourceIP", String, "Where a network connection came from.").evidence("sourceAddress.ipAddress"),
    column("SourcePort", Int, "Its port.").evidence("sourcePort"),
    column("DestinationIP", String, "Where it went.").evidence("destinationAddress.ipAddress"),
    column("DestinationPort", Int, "Its port.").evidence("destinationPort"),
    column("Protocol", String, "Its protocol.").evidence("networkConnectionEvidence/protocol"),
    column("ResourceId", String, "The cloud resource's id.").evidence(evidence::RESOURCE_ID),
    column("ResourceName", String, "The name of the resource in a cloud, a cluster or GitHub.")
        .evidence(evidence::RESOURCE_NAME),
    column("ResourceType", String, "The cloud resource's type.").evidence(evidence::RESOURCE_TYPE),
    column("CloudAccountId", String, "The account, project or subscription that it is in.")
        .evidence("amazonAccountId, projectId, vmMetadata.subscriptionId"),
    column("KubernetesCluster", String, "The cluster's name.").evidence(evidence::KUBERNETES_CLUSTER),
    column("KubernetesNamespace", String, "The namespace in it.").evidence(evidence::KUBERNETES_NAMESPACE),
    column("KubernetesPod", String, "The pod in that.").evidence(evidence::KUBERNETES_POD),
    column("KubernetesServiceAccount", String, "The service account in that.")
        .evidence("kubernetesServiceAccountEvidence/name, serviceAccount.name, pod.serviceAccount.name"),
    column("ContainerId", String, "The container's id.").evidence("containerId, containers[0].containerId"),
    column("ContainerImage", String, "The id of its image.").evidence(evidence::CONTAINER_IMAGE),
    column("ContainerRegistry", String, "Where that is from.")
        .evidence("containerRegistryEvidence/registry, registry.registry, image.registry.registry"),
    column("ApplicationId", String, "The id of the OAuth application, cloud application or AI agent.")
        .evidence(evidence::APPLICATION_ID),
    column("ApplicationName", String, "Its name.").evidence(evidence::APPLICATION_NAME),
    column("ApplicationObjectId", String, "The id in Entra ID of its service principal, or of itself.")
        .evidence("servicePrincipalObjectId, objectId"),
    column("ApplicationPublisher", String, "Who published it.").evidence("publisher"),
    column("GroupName", String, "The security group's name.").evidence(evidence::GROUP_NAME),
    column("GroupId", String, "Its id.").evidence("securityGroupId"),
    column("GroupSid", String, "Its SID.").evidence("sid"),
    column("RegistryKey", String, "The registry key.").evidence("registryKey"),
    column("RegistryValueName", String, "The registry value's name.").evidence("registryValueName"),
    column("RegistryValueData", String, "Its data.").evidence("registryValue"),
    column("EmailSubject", String, "The message's subject.").evidence("subject"),
    column("SenderFromAddress", String, "Whom a mail or a Teams message says that it is from.")
        .evidence(evidence::SENDER_FROM),
    column("SenderMailFromAddress", String, "Whom a mail's envelope says that it is from.")
        .evidence(evidence::SENDER_MAIL_FROM),
    column("SenderDisplayName", String, "The sender's name.")
        .evidence("p2Sender.displayName, p1Sender.displayName"),
    column("SenderIP", String, "The sender's address in the network.").evidence(evidence::SENDER_IP),
    column("RecipientEmailAddress", String, "Whom a mail is for.").evidence(evidence::RECIPIENT),
    column("Recipients", Dynamic, "Whom a Teams message is for.").evidence("recipients"),
    column("MailboxAddress", String, "The mailbox' address.").evidence(evidence::MAILBOX),
    column("NetworkMessageId", String, "The message's id in Exchange Online.").evidence("networkMessageId"),
    column("NetworkMessageIds", Dynamic, "The ids of a cluster's messages.").evidence("networkMessageIds"),
    column("InternetMessageId", String, "The id that the sender's system gave it.").evidence("internetMessageId"),
    column("TeamsMessageId", String, "The Teams message's id.").evidence("teamsMessageEvidence/messageId"),
    column("TeamsThreadId", String, "The id of its thread.").evidence("threadId"),
    column("SessionId", String, "The id of the session or request to log on.").evidence(evidence::SESSION_ID),
    column("UserAgent", String, "The browser's name for itself.").evidence("userAgent"),
    REST,
];

const CHANGE_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    STATE,
    TENANT,
    TENANT_NAME,
    INCIDENT_URL,
    column("ChangedTime", DateTime, "changed_at.").field("changed_at"),
    column("ChangedBy", String, "changed_by.").field("changed_by"),
    column("ChangedFields", Dynamic, "fields: the name of each, and its value before and after.")
        .field("fields"),
    column("AlertsAdded", Dynamic, "alerts_added.").field("alerts_added"),
    column("EvidenceAdded", Dynamic, "evidence_added.").field("evidence_added"),
    column("MergedInto", String, "merged_into: the incident that it was merged into.").field("merged_into"),
    column("Reopened", Boolean, "reopened.").field("reopened"),
    REST,
];
