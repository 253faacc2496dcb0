//! The table that incidents go to as they are. The layout itself leaves every event as it is and knows no table.

use super::table::ColumnType::{DateTime, Dynamic, Int, String};
use super::table::{Table, TableColumn, TableKind, column};

/// Incidents with the field names that Microsoft Graph has; reserved names end in an underscore.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-incident#properties>
pub static RAW_INCIDENTS: Table =
    Table { name: "DefenderIncidentsRaw_CL", kind: TableKind::Custom, columns: COLUMNS };

const COLUMNS: &[TableColumn] = &[
    column("TimeGenerated", DateTime, "lastUpdateDateTime; Azure replaces it if it is over two days old."),
    column("id_", String, "id."),
    column("tenantId_", String, "tenantId."),
    column("displayName", String, "The title."),
    column("description", String, "What it is about."),
    column("summary", String, "What happened, in Microsoft's words."),
    column("status", String, "active, inProgress, resolved, redirected and so on."),
    column("severity", String, "informational, low, medium, high and so on."),
    column("classification", String, "truePositive and so on."),
    column("determination", String, "What kind of threat it was."),
    column("assignedTo", String, "Who works on it."),
    column("createdDateTime", DateTime, "When it was opened."),
    column("lastUpdateDateTime", DateTime, "When it changed: with id_, the state that the row tells of."),
    column("lastModifiedBy", String, "Who changed it."),
    column("incidentWebUrl", String, "Its page in the Defender portal."),
    column("redirectIncidentId", String, "The incident that it was merged into."),
    column("resolvingComment", String, "What was said when it was resolved."),
    column("priorityScore", Int, "From 0 to 100."),
    column("customTags", Dynamic, "Tags that people set."),
    column("systemTags", Dynamic, "Tags that Defender set."),
    column("comments", Dynamic, "What people wrote."),
    column("alerts", Dynamic, "Its alerts with their evidence, cut at 64 KB."),
];
