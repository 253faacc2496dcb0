//! Functions over the tables of the layout `defender`.

/// What people see of the incidents, as one query: two functions, and a call of the first.
///
/// Rows tell of states, and a state may be there twice, or its alerts more often than its incident changed: so each function
/// takes the latest of what it shows.
pub fn functions() -> String {
    format!("{LATEST}\n{TIMELINE}\nDefenderIncidentsLatest()\n| where Status != 'Closed'")
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

/// Everything that is known of one incident, in the order in which it happened.
pub(super) const TIMELINE: &str = "\
// What happened in and to one incident, by its id. To keep it, save it with the parameter IncidentId of type string.
let DefenderIncidentTimeline = (IncidentId: string) {
    union
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
            | summarize arg_max(IncidentLastModifiedTime, *) by SystemAlertId
            | project Time = coalesce(StartTime, CreatedTime), What = 'alert', Name = AlertName,
                Details = strcat(Status, ', ', AlertSeverity, ', ', Tactics), Who = ProductName,
                Data = AdditionalData
        ),
        (
            DefenderEvidence_CL
            | where ProviderIncidentId == IncidentId
            | summarize arg_max(IncidentLastModifiedTime, *) by SystemAlertId, EvidenceIndex
            | project Time = CreatedTime, What = EvidenceType,
                Name = coalesce(FileName, RemoteUrl, IpAddress, AccountUpn, AccountName, HostName, ResourceId),
                Details = strcat(Verdict, ', ', RemediationStatus), Who = SystemAlertId,
                Data = AdditionalData
        )
    | sort by Time asc
};
";
