//! The three tables of the layout `defender`.
//!
//! Names and types are those of `SecurityIncident` and `SecurityAlert` where a column means the same there, and otherwise
//! the tables' own. `id`, `Title`, `TenantId` and `Type` cannot be columns of a custom table.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident>,
//! <https://learn.microsoft.com/azure/sentinel/security-alert-schema>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table>

use super::table::ColumnType::{DateTime, Dynamic, Int, Long, String};
use super::table::{Table, TableColumn, TableKind, column};

pub(super) static INCIDENTS: &Table = &TABLES[0];
pub(super) static ALERTS: &Table = &TABLES[1];
pub(super) static EVIDENCE: &Table = &TABLES[2];

pub(super) static TABLES: [Table; 3] = [
    Table { name: "DefenderIncidents_CL", kind: TableKind::Custom, columns: INCIDENT_COLUMNS },
    Table { name: "DefenderAlerts_CL", kind: TableKind::Custom, columns: ALERT_COLUMNS },
    Table { name: "DefenderEvidence_CL", kind: TableKind::Custom, columns: EVIDENCE_COLUMNS },
];

/// The time of a row of any of the three: alerts and evidence have the incident's too, and not their own, because a row
/// says how things stood when the incident changed. So one filter by time finds a state whole.
const TIME_GENERATED: TableColumn = column(
    "TimeGenerated",
    DateTime,
    "lastUpdateDateTime of the incident; Azure replaces it if it is over two days old.",
);
const INCIDENT_ID: TableColumn = column("ProviderIncidentId", String, "id of the incident.");
const TENANT: TableColumn = column("SourceTenantId", String, "tenantId: Defender's tenant.");
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
    TENANT,
    column("ProviderName", String, "Microsoft XDR."),
    column("IncidentTitle", String, "displayName."),
    column("Description", String, "description."),
    column("Summary", String, "summary."),
    column("Severity", String, "severity, in Sentinel's words."),
    column("Status", String, "status, in Sentinel's words."),
    column("Classification", String, "classification, in Sentinel's words."),
    column("ClassificationReason", String, "What Sentinel calls the reason of that classification."),
    column("ClassificationComment", String, "resolvingComment."),
    column("Determination", String, "determination."),
    column("Owner", Dynamic, "assignedTo, as {assignedTo}."),
    column("Labels", Dynamic, "customTags (labelType User) and systemTags (AutoAssigned)."),
    column("Comments", Dynamic, "comments."),
    column("PriorityScore", Int, "priorityScore."),
    column("CreatedTime", DateTime, "createdDateTime."),
    column("LastModifiedTime", DateTime, "lastUpdateDateTime."),
    column("ModifiedBy", String, "lastModifiedBy."),
    column("FirstActivityTime", DateTime, "The earliest firstActivityDateTime of its alerts."),
    column("LastActivityTime", DateTime, "The latest lastActivityDateTime of its alerts."),
    column("AlertIds", Dynamic, "id of each of its alerts."),
    column("RedirectIncidentId", String, "redirectIncidentId: the incident that it was merged into."),
    column("IncidentUrl", String, "incidentWebUrl."),
    REST,
];

const ALERT_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    STATE,
    TENANT,
    ALERT_ID,
    column("VendorOriginalId", String, "providerAlertId."),
    column("VendorName", String, "Microsoft."),
    column("ProductName", String, "productName."),
    column("ServiceSource", String, "serviceSource."),
    column("DetectionSource", String, "detectionSource."),
    column("DetectorId", String, "detectorId."),
    column("AlertPolicyId", String, "alertPolicyId."),
    column("AlertName", String, "title."),
    column("Description", String, "description."),
    column("AlertSeverity", String, "severity, in Sentinel's words."),
    column("Status", String, "status, in Sentinel's words."),
    column("Classification", String, "classification, in Sentinel's words."),
    column("Determination", String, "determination."),
    column("InvestigationState", String, "investigationState."),
    column("AssignedTo", String, "assignedTo."),
    column("Tactics", String, "categories, or category, joined by commas."),
    column("Techniques", String, "mitreTechniques, as JSON text."),
    column("ActorName", String, "actorDisplayName."),
    column("ThreatName", String, "threatDisplayName."),
    column("ThreatFamilyName", String, "threatFamilyName."),
    column("RemediationSteps", String, "recommendedActions."),
    column("StartTime", DateTime, "firstActivityDateTime."),
    column("EndTime", DateTime, "lastActivityDateTime."),
    column("CreatedTime", DateTime, "createdDateTime."),
    column("LastModifiedTime", DateTime, "lastUpdateDateTime of the alert."),
    column("ResolvedTime", DateTime, "resolvedDateTime."),
    column("SystemTags", Dynamic, "systemTags."),
    column("Comments", Dynamic, "comments."),
    column("CustomDetails", Dynamic, "customDetails."),
    column("AlertLink", String, "alertWebUrl."),
    REST,
];

const EVIDENCE_COLUMNS: &[TableColumn] = &[
    TIME_GENERATED,
    INCIDENT_ID,
    STATE,
    TENANT,
    ALERT_ID,
    column("EvidenceIndex", Int, "Which piece of the alert's evidence it is, from 0."),
    column("EvidenceType", String, "@odata.type, without #microsoft.graph.security."),
    column("CreatedTime", DateTime, "createdDateTime."),
    column("Verdict", String, "verdict."),
    column("RemediationStatus", String, "remediationStatus."),
    column("RemediationStatusDetails", String, "remediationStatusDetails."),
    column("Roles", Dynamic, "roles."),
    column("DetailedRoles", Dynamic, "detailedRoles."),
    column("Tags", Dynamic, "tags."),
    column("HostName", String, "The device's name."),
    column("DeviceId", String, "The device's id in Defender for Endpoint."),
    column("IpAddress", String, "The address, or the device's last one."),
    column("AccountName", String, "The account's name."),
    column("AccountDomain", String, "The account's domain."),
    column("AccountUpn", String, "The account's user principal name."),
    column("AccountSid", String, "The account's SID."),
    column("AccountObjectId", String, "The account's id in Entra ID."),
    column("FileName", String, "The file's name, or that of the process' image."),
    column("FolderPath", String, "Where that file is."),
    column("FileSize", Long, "Its size in bytes."),
    column("MD5", String, "Its MD5."),
    column("SHA1", String, "Its SHA-1."),
    column("SHA256", String, "Its SHA-256."),
    column("ProcessId", Long, "The process' id."),
    column("ProcessCommandLine", String, "The process' command line."),
    column("RemoteUrl", String, "The URL."),
    column("ResourceId", String, "The cloud resource's id."),
    column("RegistryKey", String, "The registry key."),
    column("EmailSubject", String, "The message's subject."),
    column("NetworkMessageId", String, "The message's id in Exchange Online."),
    REST,
];
