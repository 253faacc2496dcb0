//! The layout `common_security_log`: what VRL's `parse_cef` gives, alone or merged into an event of Vector's `syslog`
//! source, in the table `CommonSecurityLog`.
//!
//! A field goes into the column that is documented for its CEF key, in any case, or into the column whose own name it has.
//! What has no column, or a value that its column cannot take, goes into `AdditionalExtensions` as `key=value;key=value`;
//! there `\`, `;` and, in keys, `=` have a backslash in front.
//!
//! Sources: <https://learn.microsoft.com/azure/sentinel/cef-name-mapping>,
//! <https://vrl.dev/functions/#parse_cef>

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::value::RawValue;

use super::cef_columns::{COLUMNS, KEYS};
use super::fields::text;
use super::incident::read_object;
use super::syslog::{write_host, write_time};
use super::table::{ColumnType, Table, TableKind};
use super::table_rows::{TableRow, TableRows};
use crate::sinks::sentinel_logs::encoder;
use model::event::Event;
use model::time::log_time;
use runtime::quarantine::Reason;

pub(super) static TABLE: Table = Table {
    name: "CommonSecurityLog",
    kind: TableKind::BuiltIn { notes: "AdditionalExtensions" },
    columns: COLUMNS,
};

/// Fields of syslog, and the columns that they fill if CEF itself says nothing there.
const SYSLOG_FIELDS: [(&str, &str); 4] = [
    ("message", "Message"),
    ("appname", "ProcessName"),
    ("procid", "ProcessID"),
    ("facility", "DeviceFacility"),
];
/// Every message in this format has these.
const HEADER: [&str; 3] = ["deviceVendor", "deviceProduct", "deviceEventClassId"];

/// Writes the row that an event becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let mut fields = read_object(&json)?;
    fields.remove_nulls();
    if !fields.iter().any(|(name, _)| HEADER.iter().any(|key| key.eq_ignore_ascii_case(name))) {
        let message = "this layout takes CEF, which has deviceVendor, deviceProduct or deviceEventClassId: parse it \
                       with VRL's parse_cef; anything else goes to a sink of its own, with layout raw";
        return Err(Reason { code: "not_cef", message: message.to_owned(), request_id: None });
    }
    let mut row = rows.begin(&TABLE);
    let time = fields.get("timestamp").filter(|time| is_replaced(time, row.now()));
    write_time(&mut row, &mut fields, &["TimeGenerated"]);
    let mut written = Vec::new();
    if write_host(&mut row, &mut fields, &["Computer"]) {
        written.push("Computer");
    }
    let mut rest = Vec::new();
    for (name, value) in fields.iter() {
        let column = column_of(name).filter(|column| !written.contains(column));
        match column {
            Some(column) if write(&mut row, column, value) => written.push(column),
            _ => rest.push((name, value)),
        }
    }
    rest.retain(|(name, value)| {
        let column = SYSLOG_FIELDS.iter().find(|(field, _)| field == name).map(|(_, column)| *column);
        let free = column.filter(|column| !written.contains(column));
        !free.is_some_and(|column| write(&mut row, column, value))
    });
    // Azure will put the time of arrival into TimeGenerated, and no other column has the event's own.
    rest.extend(time.map(|time| ("timestamp", time)));
    if !rest.is_empty() {
        row.text("AdditionalExtensions", &extensions(&rest));
    }
    row.finish();
    Ok(())
}

/// The column that a field is for.
fn column_of(name: &str) -> Option<&'static str> {
    let key = KEYS.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, column)| *column);
    // Only to the letter: Vector's own `message` is not the column `Message`.
    let own = || COLUMNS.iter().map(|column| column.name).find(|column| *column == name);
    key.or_else(own).filter(|column| !["TimeGenerated", "AdditionalExtensions"].contains(column))
}

/// Writes a value into a column, if it can be what the column holds: in CEF every value is text.
fn write(row: &mut TableRow<'_>, column: &str, value: &RawValue) -> bool {
    if row.copy(column, value) {
        return true;
    }
    // CEF's own form of a date may have no year.
    let is_time = row.column_type(column) == Some(ColumnType::DateTime);
    let time = text(value).filter(|_| is_time).and_then(|text| log_time(&text, Some(row.now())));
    if let Some(time) = time {
        row.text(column, &time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    time.is_some()
}

/// Whether Azure will put another time in the place of this one.
fn is_replaced(time: &RawValue, now: DateTime<Utc>) -> bool {
    let text = text(time);
    let time = log_time(text.as_deref().unwrap_or(time.get()), Some(now));
    time.is_some_and(|time| encoder::is_replaced(time, now))
}

fn extensions(fields: &[(&str, &RawValue)]) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace(';', "\\;");
    let pairs = fields.iter().map(|(name, value)| {
        let value = text(value).unwrap_or(Cow::Borrowed(value.get()));
        format!("{}={}", escape(name).replace('=', "\\="), escape(&value))
    });
    pairs.collect::<Vec<_>>().join(";")
}
