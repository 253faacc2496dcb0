//! The tables of the layout `defender`.
//!
//! Names and types are those of `SecurityIncident` and `SecurityAlert` where a column means the same there, and otherwise
//! the tables' own. `id`, `Title`, `TenantId` and `Type` cannot be columns of a custom table.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident>,
//! <https://learn.microsoft.com/azure/sentinel/security-alert-schema>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table>

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
    column(
        "EvidenceIndex",
        Int,
        "Which piece of the alert's evidence it is, from 0, if it came with its alert.",
    ),
    column("EvidenceType", String, "@odata.type, without #microsoft.graph.security."),
    column("CreatedTime", DateTime, "createdDateTime.").field("createdDateTime"),
    column("Verdict", String, "verdict.").field("verdict"),
    column("RemediationStatus", String, "remediationStatus.").field("remediationStatus"),
    column("RemediationStatusDetails", String, "remediationStatusDetails.").field("remediationStatusDetails"),
    column("Roles", Dynamic, "roles.").field("roles"),
    column("DetailedRoles", Dynamic, "detailedRoles.").field("detailedRoles"),
    column("Tags", Dynamic, "tags.").field("tags"),
    column("HostName", String, "The device's name.")
        .evidence("hostName, deviceDnsName, host.hostName, deviceName"),
    column("DeviceId", String, "The device's id in Defender for Endpoint.")
        .evidence("mdeDeviceId, host.mdeDeviceId, deviceId"),
    column("IpAddress", String, "The address, or the device's last one.")
        .evidence("ipAddress, lastIpAddress, ipAddress.ipAddress, senderIp"),
    column("AccountName", String, "The account's name.")
        .evidence("userAccount.accountName, account.userAccount.accountName"),
    column("AccountDomain", String, "The account's domain.")
        .evidence("userAccount.domainName, account.userAccount.domainName"),
    column("AccountUpn", String, "The account's user principal name.")
        .evidence("userAccount.userPrincipalName, account.userAccount.userPrincipalName, upn"),
    column("AccountSid", String, "The account's SID.")
        .evidence("userAccount.userSid, account.userAccount.userSid"),
    column("AccountObjectId", String, "The account's id in Entra ID.")
        .evidence("userAccount.azureAdUserId, account.userAccount.azureAdUserId"),
    column("FileName", String, "The file's name, or that of the process' image.")
        .evidence("fileDetails.fileName, imageFile.fileName"),
    column("FolderPath", String, "Where that file is.").evidence("fileDetails.filePath, imageFile.filePath"),
    column("FileSize", Long, "Its size in bytes.").evidence("fileDetails.fileSize, imageFile.fileSize"),
    column("MD5", String, "Its MD5.").evidence("fileDetails.md5, imageFile.md5"),
    column("SHA1", String, "Its SHA-1.").evidence("fileDetails.sha1, imageFile.sha1"),
    column("SHA256", String, "Its SHA-256.").evidence("fileDetails.sha256, imageFile.sha256"),
    column("ProcessId", Long, "The process' id.").evidence("processId"),
    column("ProcessCommandLine", String, "The process' command line.").evidence("processCommandLine"),
    column("RemoteUrl", String, "The URL.").evidence("url"),
    column("ResourceId", String, "The cloud resource's id.")
        .evidence("resourceId, fullResourceName, amazonResourceId"),
    column("RegistryKey", String, "The registry key.").evidence("registryKey"),
    column("EmailSubject", String, "The message's subject.").evidence("subject"),
    column("NetworkMessageId", String, "The message's id in Exchange Online.").evidence("networkMessageId"),
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
