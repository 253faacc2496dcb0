//! The layout `syslog`: what Vector's `syslog` source and `parse_syslog` give, in the table `Syslog`.
//!
//! The message stays as it is. What the table has no column for goes where the option `syslog.extra` says. What says nothing
//! that is not known already is left out: `source_type`, `version` if it is 1, `host` if it repeats another field, a `procid` or
//! `msgid` that is `-`, and the structured data in which senders of RFC 5424 tell of their clocks and of themselves.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/syslog>,
//! <https://vector.dev/docs/reference/configuration/sources/syslog/#output-data>

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Layout;
use super::fields::{Fields, text};
use super::incident::read_object;
use super::table::{ColumnType, Table, TableColumn, TableKind, column};
use super::table_rows::{TableRow, TableRows};
use crate::sinks::sentinel_logs::encoder::TIME_GENERATED;
use crate::sinks::sentinel_logs::row_time::RowTime;
use model::event::Event;
use model::json::each_field;
use model::time::log_time;
use runtime::quarantine::Reason;

/// Options of the layout `syslog`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    /// Where fields go that the table `Syslog` has no column for, such as `msgid` and structured data; `timeQuality`, `origin` and
    /// `meta` of RFC 5424 go nowhere. A message without such fields is never touched. Default: `append`, and a warning that says
    /// what to deploy for `column`. Example: `column`.
    pub extra: Option<SyslogExtra>,
}

/// Where fields of syslog go that have no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogExtra {
    /// Behind the message, as one JSON object: `worm stopped {"msgid":"ID47"}`. In a message that is a JSON object, they go
    /// inside, so that it stays one: `{"a":1,"ExtraFields":{"msgid":"ID47"}}`, or `ExtraFields_` if it has that name already.
    Append,
    /// Into the dynamic column `ExtraFields_CF`. The table and the stream must have it: `generate dcr -c` prints both.
    Column,
    /// Nowhere: they are lost.
    Drop,
}

/// The column of what has no other. Names of columns that are added to one of Microsoft's tables end so.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table#add-or-delete-a-custom-column>
const EXTRA: &str = "ExtraFields_CF";
/// The member of a message that is JSON.
const EXTRA_MEMBER: &str = "ExtraFields";

pub(super) static TABLE: Table = table(COLUMNS);
/// The same table with the column of what has no other.
pub(super) static TABLE_WITH_EXTRA: Table = table(ALL_COLUMNS);

const fn table(columns: &'static [TableColumn]) -> Table {
    Table { name: "Syslog", kind: TableKind::BuiltIn { notes: "SyslogMessage" }, columns }
}

const ALL_COLUMNS: &[TableColumn] = &[
    column("TimeGenerated", ColumnType::DateTime, "timestamp."),
    column("EventTime", ColumnType::DateTime, "timestamp."),
    column("Computer", ColumnType::String, "hostname, or host."),
    column("HostName", ColumnType::String, "hostname, or host."),
    column("HostIP", ColumnType::String, "source_ip."),
    column("Facility", ColumnType::String, "facility."),
    column("SeverityLevel", ColumnType::String, "severity."),
    column("ProcessName", ColumnType::String, "appname."),
    column("ProcessID", ColumnType::Int, "procid, if it is a number."),
    column("SyslogMessage", ColumnType::String, "message, and everything else as JSON."),
    column(EXTRA, ColumnType::Dynamic, "Everything else, such as msgid and structured data."),
];
const COLUMNS: &[TableColumn] = match ALL_COLUMNS.split_last() {
    Some((_, columns)) => columns,
    None => &[],
};

/// Fields, and the columns they move into.
const FIELDS: [(&str, &str); 4] = [
    ("source_ip", "HostIP"),
    ("facility", "Facility"),
    ("severity", "SeverityLevel"),
    ("appname", "ProcessName"),
];

/// Structured data that is registered, and what may be in it: how good the sender's clock is, which program it is, and how many
/// messages it has sent.
/// Source: <https://www.rfc-editor.org/rfc/rfc5424#section-7>
const REGISTERED: [(&str, &[&str]); 3] = [
    ("timeQuality", &["tzKnown", "isSynced", "syncAccuracy"]),
    ("origin", &["ip", "enterpriseId", "software", "swVersion"]),
    ("meta", &["sequenceId", "sysUpTime", "language"]),
];
/// What stands for nothing.
/// Source: <https://www.rfc-editor.org/rfc/rfc5424#section-6>
const NIL: &str = "-";

// === impl SyslogConfig ===

impl SyslogConfig {
    /// The layout that rows are written by.
    pub(in crate::sinks::sentinel_logs) fn layout(self) -> Layout {
        match self.extra {
            None | Some(SyslogExtra::Append) => Layout::Syslog,
            Some(SyslogExtra::Column) => Layout::SyslogWithExtra,
            Some(SyslogExtra::Drop) => Layout::SyslogWithoutExtra,
        }
    }

    /// What to write, if nothing is.
    pub(in crate::sinks::sentinel_logs) fn warning(self) -> Option<String> {
        self.extra.is_none().then(|| {
            format!(
                "is not set: what the table Syslog has no column for, such as msgid and structured data, is put behind the \
                 message. 'column' puts it into the column {EXTRA}: deploy what `vector-sentinel generate dcr -c` prints with \
                 it. 'append' is as now, without this warning; 'drop' leaves it out"
            )
        })
    }
}

/// Writes the row that an event becomes; what has no column is behind the message.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    write_row(event, rows, SyslogExtra::Append)
}

/// Writes the row that an event becomes; what has no column is in a column of its own.
pub(super) fn write_rows_with_extra(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    write_row(event, rows, SyslogExtra::Column)
}

/// Writes the row that an event becomes, without what has no column.
pub(super) fn write_rows_without_extra(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    write_row(event, rows, SyslogExtra::Drop)
}

fn write_row(event: &Event, rows: &mut TableRows, extra: SyslogExtra) -> Result<(), Reason> {
    let json = event.to_json();
    let mut fields = read_object(&json)?;
    let Some(message) = fields.text("message") else {
        let message = "this layout takes syslog, which has a text message: parse it with Vector's syslog source or \
                       parse_syslog; anything else goes to a sink of its own, with layout raw";
        return Err(Reason { code: "not_syslog", message: message.to_owned(), request_id: None });
    };
    fields.remove("message");
    fields.remove_nulls();
    let mut row = rows.begin(if extra == SyslogExtra::Column { &TABLE_WITH_EXTRA } else { &TABLE });
    let replaced = write_time(&mut row, &mut fields, &[TIME_GENERATED, "EventTime"], None);
    write_host(&mut row, &mut fields, &["Computer", "HostName"], None);
    for (field, column) in FIELDS {
        row.take(&mut fields, field, column);
    }
    if let Some(process) = fields.get("procid").and_then(whole_number) {
        row.number("ProcessID", process);
        fields.remove("procid");
    }
    fields.retain(|name, value| !is_known(name, value));
    if let Some((name, time)) = replaced {
        fields.push(name, time);
    }
    match extra {
        SyslogExtra::Append if !fields.is_empty() => {
            row.text("SyslogMessage", &with_extra(&message, &fields));
        }
        SyslogExtra::Append | SyslogExtra::Drop => row.text("SyslogMessage", &message),
        SyslogExtra::Column => {
            row.text("SyslogMessage", &message);
            row.rest(EXTRA, &fields);
        }
    }
    row.finish();
    Ok(())
}

/// Whether a field says what is known of every event, or nothing.
fn is_known(name: &str, value: &RawValue) -> bool {
    let is_text = |known: &[&str]| text(value).is_some_and(|text| known.contains(&text.as_ref()));
    match name {
        "source_type" => is_text(&["syslog", "socket"]),
        "version" => matches!(value.get(), "1" | "\"1\""),
        "procid" | "msgid" => is_text(&[NIL]),
        _ => REGISTERED.iter().any(|(id, parameters)| {
            *id == name
                && Fields::of(value).is_some_and(|data| {
                    data.iter().all(|(name, value)| parameters.contains(&name) && text(value).is_some())
                })
        }),
    }
}

/// The message with the fields, which stays an object of JSON if it is one.
fn with_extra(message: &str, fields: &Fields<'_>) -> String {
    let mut rest = Vec::new();
    fields.write(&mut rest);
    let rest = String::from_utf8_lossy(&rest);
    let trimmed = message.trim();
    let object = trimmed.starts_with('{').then(|| serde_json::from_str::<&RawValue>(trimmed).ok()).flatten();
    let inside = object.and(trimmed.strip_suffix('}'));
    // An array with one element more would say what nobody has said.
    let Some(inside) = inside.map(str::trim_end) else {
        return format!("{message} {rest}");
    };
    let mut taken = Vec::new();
    each_field(trimmed.as_bytes(), |name, _| {
        if name.starts_with(EXTRA_MEMBER) {
            taken.push(name.to_owned());
        }
    });
    let mut member = EXTRA_MEMBER.to_owned();
    while taken.contains(&member) {
        member.push('_');
    }
    let comma = if inside.len() > 1 { "," } else { "" };
    format!("{inside}{comma}\"{member}\":{rest}}}")
}

/// Moves the event's time into columns of times: its `TimeGenerated`, or its `timestamp`, or the time that it was `sent` with.
/// Answers what the columns do not have when Azure has put the time of arrival into `TimeGenerated`.
pub(super) fn write_time<'a>(
    row: &mut TableRow<'_>,
    fields: &mut Fields<'a>,
    columns: &[&str],
    sent: Option<DateTime<Utc>>,
) -> Option<(&'static str, &'a RawValue)> {
    let others = || columns.iter().filter(|column| **column != TIME_GENERATED);
    let mut replaced = None;
    let own = fields.get(TIME_GENERATED).filter(|time| write(row, TIME_GENERATED, time));
    if let Some(time) = own {
        fields.remove(TIME_GENERATED);
        replaced = Some((TIME_GENERATED, time)).filter(|_| is_replaced(time, row.time()));
    }
    if let Some(time) = fields.get("timestamp") {
        let columns = columns.iter().filter(|column| own.is_none() || **column != TIME_GENERATED);
        // Either each of them takes it or none.
        if columns.fold(false, |_, column| write(row, column, time)) {
            fields.remove("timestamp");
            if own.is_none() && others().next().is_none() {
                replaced = Some(("timestamp", time)).filter(|_| is_replaced(time, row.time()));
            }
            return replaced;
        }
    }
    match own {
        Some(time) if others().fold(false, |_, column| write(row, column, time)) => None,
        Some(_) => replaced,
        None => {
            if sent.is_none() && [TIME_GENERATED, "timestamp"].iter().any(|name| fields.get(name).is_some()) {
                row.note_unread_time();
            }
            let sent = sent.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            for column in columns {
                row.text_if(column, sent.as_deref());
            }
            None
        }
    }
}

/// Writes a value into a column, if it can be what the column holds. A time may be without its year.
pub(super) fn write(row: &mut TableRow<'_>, column: &str, value: &RawValue) -> bool {
    if row.copy(column, value) {
        return true;
    }
    let is_time = row.column_type(column) == Some(ColumnType::DateTime);
    let time = text(value).filter(|_| is_time).and_then(|text| log_time(&text, Some(row.time().now)));
    if let Some(time) = time {
        row.text(column, &time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    time.is_some()
}

/// Whether Azure will put another time in the place of this one.
fn is_replaced(time: &RawValue, row: RowTime) -> bool {
    let text = text(time);
    let time = log_time(text.as_deref().unwrap_or(time.get()), Some(row.now));
    time.is_some_and(|time| row.is_replaced(time))
}

/// Moves the host's name into columns of text, and answers it: `hostname`, or whom the event was `sent` by, or Vector's `host`.
/// That is left out if it repeats the name or `source_ip`.
pub(super) fn write_host<'a>(
    row: &mut TableRow<'_>,
    fields: &mut Fields<'a>,
    columns: &[&str],
    sent: Option<&'a str>,
) -> Option<Cow<'a, str>> {
    let (host, hostname) = (fields.text("host"), fields.text("hostname"));
    let name = hostname.clone().or(sent.map(Cow::Borrowed)).or(host.clone());
    for column in columns {
        row.text_if(column, name.as_deref());
    }
    if hostname.is_some() {
        fields.remove("hostname");
    }
    if host.is_some() && (host == name || host == fields.text("source_ip")) {
        fields.remove("host");
    }
    name
}

/// A whole number of 32 bits, written as one or as text.
fn whole_number(value: &RawValue) -> Option<i32> {
    let text = text(value);
    let digits = text.as_deref().unwrap_or(value.get());
    digits.parse::<i32>().ok().filter(|number| number.to_string() == digits)
}
