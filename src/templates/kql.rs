//! Functions over the tables of the layout `defender`.

/// What people see of the incidents, as one query: the functions, and a call of the first.
///
/// Rows tell of states, and a state may be there twice, or its alerts more often than its incident changed: so each function
/// takes the latest of what it shows. A table of before may lack the newest columns and the table of changes.
pub fn functions() -> String {
    format!(
        "{LATEST}\n{ALERTS_LATEST}\n{EVIDENCE_LATEST}\n{TIMELINE}\nDefenderIncidentsLatest()\n| where Status != 'Closed'"
    )
}

/// The latest state of each incident. `ClosedTime` is when it was first seen closed.
pub(super) const LATEST: &str = "\
// The latest state of each incident. To keep it, save what is between the braces as a function of this name.
let DefenderIncidentsLatest = () {
    DefenderIncidents_CL
    | summarize
        arg_max(LastModifiedTime, *),
        ClosedTime = minif(LastModifiedTime, Status == 'Closed'),
        States = dcount(LastModifiedTime)
        by SourceTenantId, ProviderIncidentId
    | extend ClosedTime = iff(Status == 'Closed', ClosedTime, datetime(null))
};
";

/// The latest state of each alert. Of two rows of one state, the one that arrived later knows more.
const ALERTS_LATEST: &str = "\
// The latest state of each alert, whether it came within its incident or as an event of its own.
let DefenderAlertsLatest = () {
    DefenderAlerts_CL
    | extend StateTime = coalesce(IncidentLastModifiedTime, LastModifiedTime, TimeGenerated), Arrived = ingestion_time()
    | summarize arg_max(Arrived, *) by SourceTenantId, SystemAlertId, StateTime
    | summarize arg_max(StateTime, *) by SourceTenantId, SystemAlertId
    | project-away Arrived
};
";

/// The latest state of each piece of evidence, in each alert that has it.
const EVIDENCE_LATEST: &str = "\
// The latest state of each piece of evidence of each alert, whether it came within its incident or as an event of its own.
let DefenderEvidenceLatest = () {
    DefenderEvidence_CL
    | extend Piece = coalesce(column_ifexists('EvidenceId', ''), tostring(EvidenceIndex))
    | extend AlertTime = column_ifexists('AlertLastModifiedTime', datetime(null)), Arrived = ingestion_time()
    | extend StateTime = coalesce(IncidentLastModifiedTime, AlertTime, TimeGenerated)
    | summarize arg_max(Arrived, *) by SourceTenantId, SystemAlertId, Piece, StateTime
    | summarize arg_max(StateTime, *) by SourceTenantId, SystemAlertId, Piece
    | project-away Arrived, AlertTime
};
";

/// Everything that is known of one incident, in the order in which it happened.
pub(super) const TIMELINE: &str = "\
// What happened in and to one incident, by its id. To keep it, save it with the parameter IncidentId of type string.
let DefenderIncidentTimeline = (IncidentId: string) {
    union isfuzzy=true
        (
            DefenderIncidents_CL
            | where ProviderIncidentId == IncidentId
            | summarize arg_max(TimeGenerated, *) by LastModifiedTime
            | project Time = LastModifiedTime, What = 'incident', Name = IncidentTitle,
                Details = strcat(Status, ', ', Severity, ', ', Classification), Who = ModifiedBy,
                Data = AdditionalData
        ),
        (
            DefenderAlerts_CL
            | where ProviderIncidentId == IncidentId
            | extend StateTime = coalesce(IncidentLastModifiedTime, LastModifiedTime, TimeGenerated)
            | summarize arg_max(StateTime, *) by SystemAlertId
            | project Time = coalesce(StartTime, CreatedTime), What = 'alert', Name = AlertName,
                Details = strcat(Status, ', ', AlertSeverity, ', ', Tactics), Who = ProductName,
                Data = AdditionalData
        ),
        (
            DefenderEvidence_CL
            | where ProviderIncidentId == IncidentId
            | extend Piece = coalesce(column_ifexists('EvidenceId', ''), tostring(EvidenceIndex))
            | summarize arg_max(IncidentLastModifiedTime, *) by SystemAlertId, Piece
            | project Time = CreatedTime, What = EvidenceType,
                Name = coalesce(FileName, RemoteUrl, IpAddress, AccountUpn, AccountName, HostName, EmailSubject,
                    column_ifexists('ResourceName', ''), ResourceId, column_ifexists('ApplicationName', ''),
                    column_ifexists('GroupName', ''), column_ifexists('DomainName', '')),
                Details = strcat(Verdict, ', ', RemediationStatus), Who = SystemAlertId,
                Data = AdditionalData
        ),
        (
            DefenderIncidentChanges_CL
            | where ProviderIncidentId == IncidentId
            | summarize arg_max(TimeGenerated, *) by ChangedTime
            | project Time = ChangedTime, What = 'change', Name = MergedInto, Details = tostring(ChangedFields),
                Who = ChangedBy, Data = AdditionalData
        )
    | sort by Time asc
};
";
