//! Rows that are recognised: what they say in each layout, and how they are looked for.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::sinks::sentinel_logs::column::EXTRA_COLUMNS;
use crate::sinks::sentinel_logs::columns::ColumnsConfig;
use crate::sinks::sentinel_logs::encoder::{Encoder, TIME_GENERATED};
use crate::sinks::sentinel_logs::layout::{ColumnType, Layout};
use crate::sinks::sentinel_logs::rows::Rows;
use crate::sinks::sentinel_logs::table_plan::TablePlan;
use microsoft::data_collection_rules::NamedColumn;
use model::event::Event;

/// What the text of every marked row begins with; an id follows.
pub(super) const PREFIX: &str = "vector-sentinel-verify-";
/// The field of `ExtraColumns` that marks a row of events that stay as they are: no column of theirs has anything in it.
const FIELD: &str = "vector_sentinel_verify";
/// Columns that are likely to hold the text of an event, the likeliest first.
const TEXTS: [&str; 4] = ["message", "Message", "RawData", "SyslogMessage"];

/// A row that is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MarkedRow {
    /// The row as JSON.
    pub(super) json: Bytes,
    /// What is true of it alone, in KQL.
    pub(super) condition: String,
}

/// The marked row of the stream that rows of `table` go to, as the layout writes it; of all tables the first, if it is for none in
/// particular.
pub(super) fn of_layout(
    layout: Layout,
    plan: TablePlan,
    table: Option<&str>,
    marker: &str,
    now: DateTime<Utc>,
) -> Option<MarkedRow> {
    let (event, column) = event(layout, marker, now)?;
    let encoder = Encoder::new(layout, plan, TIME_GENERATED, None, None, usize::MAX);
    let events: Arc<[Event]> = [Event::new(event.to_string().into(), Some(now))].into();
    let (rows, _) = Rows::new(&encoder, events, now);
    let row = (0..rows.count()).find(|row| table.is_none() || rows.table(*row) == table)?;
    let mut json = Vec::new();
    rows.write(row, &mut json).ok()?;
    Some(MarkedRow { json: json.into(), condition: format!("{column} == '{marker}'") })
}

/// The event that a layout makes marked rows of, and the column that the marker is in. It is a closed incident of no severity, or
/// a log of a device that there is not, so that nobody is called.
fn event(layout: Layout, marker: &str, now: DateTime<Utc>) -> Option<(Value, &'static str)> {
    let time = now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let title = "vector-sentinel verify";
    Some(match layout {
        Layout::Raw => return None,
        Layout::Defender | Layout::AsimAlert => {
            let evidence = json!({
                "@odata.type": "#microsoft.graph.security.deviceEvidence", "createdDateTime": time, "verdict": "noThreatsFound",
                "remediationStatus": "none", "deviceDnsName": "vector-sentinel-verify",
            });
            let alert = json!({
                "id": marker, "incidentId": marker, "title": title, "severity": "informational", "status": "resolved",
                "classification": "informationalExpectedActivity", "determination": "securityTesting",
                "createdDateTime": time, "lastUpdateDateTime": time, "firstActivityDateTime": time,
                "lastActivityDateTime": time, "resolvedDateTime": time, "evidence": [evidence],
            });
            let incident = json!({
                "id": marker, "displayName": title, "severity": "informational", "status": "resolved",
                "classification": "informationalExpectedActivity", "determination": "securityTesting",
                "createdDateTime": time, "lastUpdateDateTime": time, "alerts": [alert],
            });
            (incident, if layout == Layout::Defender { "ProviderIncidentId" } else { "EventUid" })
        }
        Layout::CommonSecurityLog => {
            let message = format!("CEF:0|vector-sentinel|verify|1|verify|{title}|0|externalId={marker}");
            (json!({"message": message, "timestamp": time, "hostname": "vector-sentinel-verify"}), "ExtID")
        }
        Layout::Syslog | Layout::SyslogWithExtra | Layout::SyslogWithoutExtra => {
            let log = json!({
                "message": marker, "timestamp": time, "hostname": "vector-sentinel-verify", "appname": "vector-sentinel",
                "facility": "user", "severity": "info",
            });
            (log, "SyslogMessage")
        }
    })
}

/// The marked row of a stream of events that stay as they are, whose time is in the column `time` and which go to `table`. It is
/// marked in `ExtraColumns`, which no event's field is in, unless the stream is known to lack that.
pub(super) fn of_fields(
    declared: Option<&[NamedColumn]>,
    columns: Option<&ColumnsConfig>,
    time: &str,
    table: &str,
    marker: &str,
    now: DateTime<Utc>,
) -> MarkedRow {
    let mut row = json!({});
    // A table of the plan Auxiliary takes no more digits.
    row[time] = now.to_rfc3339_opts(SecondsFormat::Micros, true).into();
    if let Some(column) = text_column(declared, columns, table) {
        row[&column] = marker.into();
        return MarkedRow { json: row.to_string().into(), condition: format!("{column} == '{marker}'") };
    }
    row[EXTRA_COLUMNS] = json!({FIELD: marker});
    let condition = format!("tostring({EXTRA_COLUMNS}.{FIELD}) == '{marker}'");
    MarkedRow { json: row.to_string().into(), condition }
}

/// A column of text, if `ExtraColumns` cannot be taken.
fn text_column(
    declared: Option<&[NamedColumn]>,
    columns: Option<&ColumnsConfig>,
    table: &str,
) -> Option<String> {
    let texts: Vec<&str> = match (declared, columns) {
        (Some(declared), _) => {
            // Of Microsoft's tables, none has it.
            if table.ends_with("_CL") && declared.iter().any(|column| column.name == EXTRA_COLUMNS) {
                return None;
            }
            let texts = declared.iter().filter(|column| column.column_type.eq_ignore_ascii_case("string"));
            texts.map(|column| column.name.as_str()).collect()
        }
        // With the option, rows need ExtraColumns.
        (None, Some(ColumnsConfig::Types(types))) if !table.ends_with("_CL") => {
            let texts = types.iter().filter(|(_, column_type)| **column_type == ColumnType::String);
            texts.map(|(name, _)| name.as_str()).collect()
        }
        (None, _) => return None,
    };
    let likely = TEXTS.into_iter().find(|name| texts.contains(name));
    likely.or_else(|| texts.first().copied()).map(str::to_owned)
}
