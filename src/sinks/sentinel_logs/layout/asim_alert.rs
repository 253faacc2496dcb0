//! The layout `asim_alert`: a Defender incident's alerts in ASIM's `AlertEvent` schema.
//!
//! The schema has room for one device, one user, one file and so on: so each piece of evidence makes a row, and an alert
//! without any makes one. An incident without alerts (merged away, or its alerts not listed) is no alert; it makes one row all
//! the same, with what it says itself, so that it is not missing: `EventOriginalType` tells it. `AdditionalFields` has the evidence as it came; the alert's own fields stand in the first of its
//! rows and the incident's in the first of all, because they would be repeated a hundred times otherwise.
//!
//! An alert, a piece of evidence and a change that is an event of its own makes rows in the same way, and `EventOriginalType` tells
//! what it is.
//!
//! Microsoft's own table `ASimAlertEventLogs` is not among those that can be written, so the table is a custom one.
//!
//! Sources: <https://learn.microsoft.com/azure/sentinel/normalization-schema-alert>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview#supported-tables>

use std::borrow::Cow;
use std::sync::LazyLock;

use super::asim_vocabulary as words;
use super::evidence::{self, Evidence, EvidenceColumns};
use super::fields::{Fields, id_text, text, time_text, write_text};
use super::incident::{Alert, DefenderEvent, IncidentState, Subject};
use super::table::ColumnType::{DateTime, Dynamic, Int, Long, String};
use super::table::{Table, TableColumn, TableKind, column};
use super::table_rows::{TableRow, TableRows};
use model::event::Event;
use runtime::quarantine::Reason;

pub(super) static TABLE: Table =
    Table { name: "ASimAlertEvent_CL", kind: TableKind::Custom, columns: COLUMNS };

const COLUMNS: &[TableColumn] = &[
    column(
        "TimeGenerated",
        DateTime,
        "lastUpdateDateTime of the incident, or the nearest to it that is said; Azure replaces it if it is over two days old.",
    ),
    column("IncidentLastModifiedTime", DateTime, "lastUpdateDateTime of the incident."),
    column("AlertLastModifiedTime", DateTime, "lastUpdateDateTime of the alert.").alert("lastUpdateDateTime"),
    column("EventCount", Int, "1."),
    column("EventStartTime", DateTime, "firstActivityDateTime of the alert, or when it was created."),
    column("EventEndTime", DateTime, "lastActivityDateTime of the alert, or when it was last updated."),
    column("EventType", String, "Alert."),
    column("EventSubType", String, "Threat, Suspicious Activity, Anomaly or Compliance Violation."),
    column(
        "EventOriginalType",
        String,
        "alert; evidence, change or incident in the row of one that came alone.",
    ),
    column("EventUid", String, "id of the alert, or of an incident without alerts or that changed."),
    column("EventOriginalUid", String, "providerAlertId.").alert("providerAlertId"),
    column("EventMessage", String, "description of the alert.").alert("description"),
    column("EventProduct", String, "productName, or Microsoft Defender XDR."),
    column("EventVendor", String, "Microsoft."),
    column("EventSchema", String, "AlertEvent."),
    column("EventSchemaVersion", String, "1.0.0."),
    column("EventSeverity", String, "severity, in ASIM's words."),
    column("EventOriginalSeverity", String, "severity.").alert("severity"),
    column("EventReportUrl", String, "alertWebUrl.").alert("alertWebUrl"),
    column("EventOwner", String, "assignedTo.").alert("assignedTo"),
    column("AlertId", String, "The same as EventUid."),
    column("AlertName", String, "title.").alert("title"),
    column("AlertDescription", String, "The same as EventMessage.").alert("description"),
    column("AlertVerdict", String, "classification, in ASIM's words."),
    column("AlertStatus", String, "status, in ASIM's words."),
    column("AlertOriginalStatus", String, "status.").alert("status"),
    column("DetectionMethod", String, "detectionSource, in ASIM's words."),
    column("RuleName", String, "alertPolicyId, or detectorId.").alert("alertPolicyId, detectorId"),
    column("Rule", String, "The same as RuleName.").alert("alertPolicyId, detectorId"),
    column("ThreatName", String, "threatDisplayName, threatFamilyName, or the name of malware that is evidence.")
        .alert("threatDisplayName, threatFamilyName"),
    column("ThreatCategory", String, "category, if it is one of ASIM's."),
    column("ThreatOriginalCategory", String, "category.").alert("category"),
    column("IndicatorType", String, "What the piece of evidence is."),
    column(
        "IndicatorAssociation",
        String,
        "Targeted if it was attacked or compromised, otherwise Associated.",
    ),
    column("AttackTactics", String, "categories, or category."),
    column("AttackTechniques", String, "mitreTechniques."),
    column("AttackRemediationSteps", String, "recommendedActions.").alert("recommendedActions"),
    column("Dvc", String, "The device's name, or else its address.").evidence(
        "hostName, deviceDnsName, host.hostName, host.deviceDnsName, deviceName, lastIpAddress, ipInterfaces[ip]",
    ),
    column("DvcHostname", String, "The device's name.").evidence(evidence::HOST_NAME),
    column("Hostname", String, "The same as DvcHostname.").evidence(evidence::HOST_NAME),
    column("DvcIpAddr", String, "The address; the device's last one, or of its interfaces the first that tells something; a connection's source.")
        .evidence(evidence::ADDRESS),
    column("IpAddr", String, "The same as DvcIpAddr.").evidence(evidence::ADDRESS),
    column("DvcMacAddr", String, "The device's MAC address.").evidence(evidence::MAC_ADDRESS),
    column("DvcDomain", String, "The device's domain.").evidence("dnsDomain, host.dnsDomain, ntDomain, host.ntDomain"),
    column("DvcId", String, "The device's id in Defender for Endpoint.").evidence(evidence::DEVICE_ID),
    column("DvcIdType", String, "MDEid."),
    column("DvcScopeId", String, "The subscription that the device is in.")
        .evidence("vmMetadata.subscriptionId, host.vmMetadata.subscriptionId"),
    column("DvcOs", String, "The device's operating system.").evidence("osPlatform, host.osPlatform, operatingSystem"),
    column("DvcOsVersion", String, "Its version.")
        .evidence("deviceEvidence/version, host.version"),
    column("UserId", String, "The user's id in Entra ID, or SID."),
    column("UserIdType", String, "GUID or SID."),
    column("Username", String, "The user principal name, or DOMAIN\\name, or name."),
    column("UsernameType", String, "UPN, Windows or Simple."),
    column("User", String, "The same as Username."),
    column("UserSessionId", String, "The id of the session or request to log on.").evidence(evidence::SESSION_ID),
    column("HttpUserAgent", String, "The browser's name for itself.").evidence("userAgent"),
    column("ProcessId", String, "The process' id."),
    column("ProcessCommandLine", String, "The process' command line.")
        .evidence("processCommandLine, processes[0].processCommandLine"),
    column("ProcessName", String, "The name of the process' image.")
        .evidence("imageFile.fileName, processes[0].imageFile.fileName"),
    column("ProcessFileCompany", String, "Who published it.").evidence("imageFile.filePublisher"),
    column("FileName", String, "The file's name.").evidence(evidence::FILE_NAME),
    column("FilePath", String, "Where it is.").evidence(evidence::FILE_PATH),
    column("FileSHA1", String, "Its SHA-1.").evidence(evidence::SHA1),
    column("FileSHA256", String, "Its SHA-256.").evidence(evidence::SHA256),
    column("FileMD5", String, "Its MD5.").evidence(evidence::MD5),
    column("FileSize", Long, "Its size in bytes.").evidence(evidence::FILE_SIZE),
    column("Url", String, "The URL.").evidence(evidence::URL),
    column("RegistryKey", String, "The registry key.").evidence("registryKey"),
    column("RegistryValue", String, "The registry value's name.").evidence("registryValueName"),
    column("RegistryValueData", String, "Its data.").evidence("registryValue"),
    column("RegistryValueType", String, "Its type.").evidence("registryValueType"),
    column("EmailMessageId", String, "The message's id.")
        .evidence("internetMessageId, networkMessageId, teamsMessageEvidence/messageId"),
    column("EmailMessageIds", Dynamic, "The ids of a cluster's messages.").evidence("networkMessageIds"),
    column("EmailSubject", String, "Its subject.").evidence("subject"),
    column("SenderFromAddress", String, "Whom it says that it is from.").evidence(evidence::SENDER_FROM),
    column("SenderMailFromAddress", String, "Whom its envelope says that it is from.")
        .evidence(evidence::SENDER_MAIL_FROM),
    column("SenderIP", String, "The sender's address in the network.").evidence(evidence::SENDER_IP),
    column("RecipientEmailAddress", String, "Whom it is for.").evidence(evidence::RECIPIENT),
    column("Recipients", Dynamic, "Whom a Teams message is for.").evidence("recipients"),
    column("MailboxAddress", String, "The mailbox' address.").evidence(evidence::MAILBOX),
    column("AppId", String, "The id of the OAuth application, cloud application, service principal or AI agent.")
        .evidence(evidence::APPLICATION_ID),
    column("AppName", String, "Its name.").evidence(evidence::APPLICATION_NAME),
    column("GroupName", String, "The security group's name.").evidence(evidence::GROUP_NAME),
    column("GroupId", String, "Its id.").evidence("securityGroupId"),
    column("GroupSid", String, "Its SID.").evidence("sid"),
    column("DnsQuery", String, "The name that DNS was asked for, or the directory's domain.").evidence(evidence::DOMAIN),
    column("SrcIpAddr", String, "Where a network connection came from.").evidence("sourceAddress.ipAddress"),
    column("SrcPortNumber", Int, "Its port.").evidence("sourcePort"),
    column("DstIpAddr", String, "Where it went.").evidence("destinationAddress.ipAddress"),
    column("DstPortNumber", Int, "Its port.").evidence("destinationPort"),
    column("NetworkProtocol", String, "Its protocol.").evidence("networkConnectionEvidence/protocol"),
    column("ResourceId", String, "The cloud resource's id.").evidence(evidence::RESOURCE_ID),
    column("ResourceName", String, "The name of the resource in a cloud, a cluster or GitHub.")
        .evidence(evidence::RESOURCE_NAME),
    column("ResourceType", String, "The cloud resource's type.").evidence(evidence::RESOURCE_TYPE),
    column("KubernetesCluster", String, "The cluster's name.").evidence(evidence::KUBERNETES_CLUSTER),
    column("KubernetesNamespace", String, "The namespace in it.").evidence(evidence::KUBERNETES_NAMESPACE),
    column("KubernetesPod", String, "The pod in that.").evidence(evidence::KUBERNETES_POD),
    column("ContainerImage", String, "The id of a container's image.").evidence(evidence::CONTAINER_IMAGE),
    column("AdditionalFields", Dynamic, "incidentId, tenantId, evidence, change; alert and incident once."),
];

/// Those that copy from evidence.
static COPIES: LazyLock<EvidenceColumns> = LazyLock::new(|| EvidenceColumns::of(COLUMNS));

/// Fields of an incident without alerts that are copied.
const INCIDENT_COPIES: [(&str, &str); 11] = [
    ("EventUid", "id"),
    ("AlertId", "id"),
    ("AlertName", "displayName"),
    ("EventMessage", "description"),
    ("AlertDescription", "description"),
    ("EventOriginalSeverity", "severity"),
    ("EventReportUrl", "incidentWebUrl"),
    ("EventOwner", "assignedTo"),
    ("AlertOriginalStatus", "status"),
    ("EventStartTime", "createdDateTime, lastUpdateDateTime"),
    ("EventEndTime", "lastUpdateDateTime, createdDateTime"),
];

/// What all rows say.
const CONSTANTS: [(&str, &str); 4] = [
    ("EventType", "Alert"),
    ("EventVendor", "Microsoft"),
    ("EventSchema", "AlertEvent"),
    ("EventSchemaVersion", "1.0.0"),
];

/// Where the ids of a user are, and what they are.
const USER_IDS: [(&str, &str); 2] = [
    ("userAccount.azureAdUserId, account.userAccount.azureAdUserId, externalDirectoryObjectId", "GUID"),
    ("userAccount.userSid, account.userAccount.userSid", "SID"),
];
/// Where the names of a user are: the user principal name, the name and its domain.
const USER_NAMES: [&str; 3] = [
    "userAccount.userPrincipalName, account.userAccount.userPrincipalName, upn",
    "userAccount.accountName, account.userAccount.accountName, gitHubUserEvidence/login",
    "userAccount.domainName, account.userAccount.domainName",
];

/// Whose alert it is, if nobody says so.
const PRODUCT: &str = "Microsoft Defender XDR";

/// Writes the rows that an event becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let DefenderEvent { incident, subject } = DefenderEvent::read(&json)?;
    if incident.is_time_unread {
        rows.note_unread_time();
    }
    match subject {
        Subject::Incident { fields, alerts } => {
            let alerts = alerts.unwrap_or_default();
            if alerts.is_empty() {
                incident_row(rows.begin(&TABLE), &fields, &incident);
            }
            let mut whole_incident = Some(&fields);
            for alert in &alerts {
                alert_rows(rows, alert, whole_incident.take(), &incident);
            }
        }
        Subject::Alert(mut alert) => {
            if let Some(url) = &incident.url
                && alert.fields.text("incidentWebUrl").as_ref() != Some(url)
            {
                alert.fields.leave_text("incidentUrl", url);
            }
            alert_rows(rows, &alert, None, &incident);
        }
        Subject::Evidence { piece, alert } => evidence_row(rows.begin(&TABLE), &piece, &alert, &incident),
        Subject::Change(change) => change_row(rows.begin(&TABLE), &change, &incident),
    }
    Ok(())
}

/// Writes the rows of an alert, one for each piece of its evidence.
fn alert_rows(
    rows: &mut TableRows,
    alert: &Alert<'_>,
    mut whole_incident: Option<&Fields<'_>>,
    incident: &IncidentState<'_>,
) {
    let mut whole_alert = Some(&alert.fields);
    let pieces = if alert.evidence.is_empty() { &[Fields::default()] } else { alert.evidence.as_slice() };
    for evidence in pieces {
        let originals = [
            ("evidence", (!evidence.is_empty()).then_some(evidence)),
            ("alert", whole_alert.take()),
            ("incident", whole_incident.take()),
        ];
        alert_row(rows.begin(&TABLE), incident, alert, evidence, &originals);
    }
}

/// What goes into `AdditionalFields` of one row, under which names.
type Originals<'r, 'a> = [(&'static str, Option<&'r Fields<'a>>)];

/// The row of an incident without alerts.
fn incident_row(mut row: TableRow<'_>, fields: &Fields<'_>, incident: &IncidentState<'_>) {
    let word = |name: &str| fields.text(name).unwrap_or_default();
    write_constants(&mut row, incident, "incident");
    row.text("EventProduct", PRODUCT);
    for (column, paths) in INCIDENT_COPIES {
        row.copy_first(fields, column, paths);
    }
    row.text("EventSubType", words::sub_type("", &word("classification"), false));
    row.text("AlertVerdict", words::verdict(&word("classification")));
    row.text_if("EventSeverity", words::severity(&word("severity")));
    row.text_if("AlertStatus", words::incident_status(&word("status")));
    row.dynamic("AdditionalFields", |out| write_originals(incident, &[("incident", Some(fields))], out));
    row.finish();
}

/// The row of a piece of evidence that came without its alert.
fn evidence_row(mut row: TableRow<'_>, piece: &Fields<'_>, alert: &Fields<'_>, incident: &IncidentState<'_>) {
    write_constants(&mut row, incident, "evidence");
    row.text("EventProduct", PRODUCT);
    let created = piece.get("createdDateTime").and_then(time_text);
    write_times(&mut row, [created.clone(), created], incident);
    for column in ["EventUid", "AlertId"] {
        row.text_if(column, alert.get("id").and_then(id_text));
    }
    row.copy_first(alert, "AlertName", "title");
    row.text_if("EventReportUrl", incident.url.as_deref());
    row.text("EventSubType", words::sub_type("", "", is_malicious(piece)));
    write_malware(&mut row, piece);
    write_evidence(&mut row, piece);
    let originals = [("evidence", Some(piece)), ("alert", Some(alert))];
    row.dynamic("AdditionalFields", |out| write_originals(incident, &originals, out));
    row.finish();
}

/// The row of what changed in an incident.
fn change_row(mut row: TableRow<'_>, change: &Fields<'_>, incident: &IncidentState<'_>) {
    write_constants(&mut row, incident, "change");
    row.text("EventProduct", PRODUCT);
    let changed = change.get("changed_at").and_then(time_text);
    write_times(&mut row, [changed.clone(), changed], incident);
    for column in ["EventUid", "AlertId"] {
        row.text_if(column, incident.id.as_deref());
    }
    row.text_if("EventReportUrl", incident.url.as_deref());
    row.text("EventSubType", words::sub_type("", "", false));
    let fields: Vec<_> =
        change.items("fields").unwrap_or_default().into_iter().filter_map(Fields::of).collect();
    let side = |field: &Fields<'_>, name: &str| {
        field
            .get(name)
            .map(|value| text(value).unwrap_or(value.get().into()).into_owned())
            .unwrap_or_default()
    };
    let message = fields.iter().filter_map(|field| {
        Some(format!("{}: {} -> {}", field.text("name")?, side(field, "before"), side(field, "after")))
    });
    let message = message.collect::<Vec<_>>().join("; ");
    for column in ["EventMessage", "AlertDescription"] {
        row.text_if(column, (!message.is_empty()).then_some(&message));
    }
    let after = |name: &str| {
        let field = fields.iter().find(|field| field.text("name").is_some_and(|field| field == name))?;
        field.text("after")
    };
    row.text_if("AlertOriginalStatus", after("status"));
    row.text_if("AlertStatus", after("status").as_deref().and_then(words::incident_status));
    row.text_if("EventOwner", after("assignedTo"));
    row.dynamic("AdditionalFields", |out| write_originals(incident, &[("change", Some(change))], out));
    row.finish();
}

/// Writes what all rows say.
fn write_constants(row: &mut TableRow<'_>, incident: &IncidentState<'_>, original_type: &str) {
    row.text_if("TimeGenerated", incident.time.as_deref());
    row.text_if("IncidentLastModifiedTime", incident.last_update.as_deref());
    row.number("EventCount", 1);
    for (column, value) in CONSTANTS {
        row.text(column, value);
    }
    row.text("EventOriginalType", original_type);
}

/// Writes when it began and ended. Both are mandatory: what is nearest to it is better than nothing.
fn write_times(row: &mut TableRow<'_>, times: [Option<Cow<'_, str>>; 2], incident: &IncidentState<'_>) {
    for (column, time) in ["EventStartTime", "EventEndTime"].into_iter().zip(times) {
        row.text_if(column, time.as_deref().or(incident.time.as_deref()));
    }
}

fn is_malicious(piece: &Fields<'_>) -> bool {
    piece.text("verdict").is_some_and(|verdict| verdict == "malicious")
}

/// The row of an alert and one piece of its evidence.
fn alert_row(
    mut row: TableRow<'_>,
    incident: &IncidentState<'_>,
    alert: &Alert<'_>,
    evidence: &Fields<'_>,
    originals: &Originals<'_, '_>,
) {
    write_constants(&mut row, incident, "alert");
    write_alert(&mut row, incident, alert);
    if ["threatDisplayName", "threatFamilyName"].iter().all(|name| alert.fields.text(name).is_none()) {
        write_malware(&mut row, evidence);
    }
    write_evidence(&mut row, evidence);
    row.dynamic("AdditionalFields", |out| write_originals(incident, originals, out));
    row.finish();
}

fn write_alert(row: &mut TableRow<'_>, incident: &IncidentState<'_>, alert: &Alert<'_>) {
    let fields = &alert.fields;
    let word = |name: &str| fields.text(name).unwrap_or_default();
    let time = |names: &[&str]| names.iter().find_map(|name| time_text(fields.get(name)?));
    let begins = time(&["firstActivityDateTime", "createdDateTime"]);
    let ends = time(&["lastActivityDateTime", "lastUpdateDateTime", "createdDateTime"]);
    write_times(row, [begins, ends], incident);
    row.text("EventProduct", &fields.text("productName").unwrap_or(PRODUCT.into()));
    for column in ["EventUid", "AlertId"] {
        row.text_if(column, fields.get("id").and_then(id_text));
    }
    row.copy_alert(fields);
    let classification = word("classification");
    let malicious = alert.evidence.iter().any(is_malicious);
    row.text("EventSubType", words::sub_type(&word("serviceSource"), &classification, malicious));
    row.text("AlertVerdict", words::verdict(&classification));
    row.text("DetectionMethod", words::detection_method(&word("detectionSource")));
    row.text_if("EventSeverity", words::severity(&word("severity")));
    row.text_if("AlertStatus", words::status(&word("status")));
    row.text_if("ThreatCategory", words::threat_category(&word("category")));
    let joined = |names: &[&str]| {
        let mut lists = names.iter().map(|name| fields.texts(name));
        lists.find(|texts| !texts.is_empty()).map(|texts| texts.join(", "))
    };
    row.text_if("AttackTactics", joined(&["categories", "category"]));
    row.text_if("AttackTechniques", joined(&["mitreTechniques"]));
}

fn write_malware(row: &mut TableRow<'_>, piece: &Fields<'_>) {
    if let Some(name) = Evidence::new(piece).find("malwareEvidence/name") {
        row.copy("ThreatName", name);
    }
}

fn write_evidence(row: &mut TableRow<'_>, piece: &Fields<'_>) {
    let mut evidence = Evidence::new(piece);
    if evidence.kind.is_empty() {
        return;
    }
    row.text_if("IndicatorType", words::indicator_type(&evidence.kind));
    let roles = piece.texts("roles");
    row.text("IndicatorAssociation", words::association(roles.iter().map(AsRef::as_ref)));
    row.copy_evidence(&COPIES, &mut evidence);
    let mut find = |paths: &'static str| paths.split(", ").find_map(|path| evidence.find(path));
    if find(evidence::DEVICE_ID).is_some() {
        row.text("DvcIdType", "MDEid");
    }
    // The schema has process ids as text.
    if let Some(id) = find("processId, processes[0].processId").and_then(|id| id.get().parse::<i64>().ok()) {
        row.text("ProcessId", &id.to_string());
    }
    let mut find_text = |paths| find(paths).and_then(text);
    let ids = USER_IDS.iter().find_map(|(paths, id_type)| Some((find_text(paths)?, id_type)));
    if let Some((id, id_type)) = ids {
        row.text("UserId", &id);
        row.text("UserIdType", id_type);
    }
    let [upn, name, domain] = USER_NAMES.map(find_text);
    let name = match (upn, name, domain) {
        (Some(upn), ..) => Some((upn.into_owned(), "UPN")),
        (None, Some(name), Some(domain)) => Some((format!("{domain}\\{name}"), "Windows")),
        (None, Some(name), None) => Some((name.into_owned(), "Simple")),
        (None, None, _) => None,
    };
    if let Some((name, name_type)) = name {
        row.text("Username", &name);
        row.text("User", &name);
        row.text("UsernameType", name_type);
    }
}

fn write_originals(incident: &IncidentState<'_>, originals: &Originals<'_, '_>, out: &mut Vec<u8>) {
    let begins = out.len();
    let name = |name: &str, out: &mut Vec<u8>| {
        out.push(if out.len() == begins { b'{' } else { b',' });
        write_text(name, out);
        out.push(b':');
    };
    let texts =
        [("incidentId", &incident.id), ("tenantId", &incident.tenant), ("tenantName", &incident.tenant_name)];
    for (key, text) in texts {
        if let Some(text) = text {
            name(key, out);
            write_text(text, out);
        }
    }
    for (key, fields) in originals {
        if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
            name(key, out);
            fields.write(out);
        }
    }
    out.extend_from_slice(if out.len() == begins { b"{}" } else { b"}" });
}
