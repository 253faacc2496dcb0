//! The layout `syslog`: what Vector's `syslog` source and `parse_syslog` give, in the table `Syslog`.
//!
//! The table has no column for anything else. What is left over, such as structured data, is put behind the message as one
//! JSON object, so that it does not vanish: `worm stopped {"msgid":"ID47"}`. What says nothing that is not known already is
//! left out: `source_type` if it is `syslog`, `version` if it is 1, and `host` if it repeats another field.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/syslog>,
//! <https://vector.dev/docs/reference/configuration/sources/syslog/#output-data>

use super::fields::{Fields, text};
use super::incident::read_object;
use super::table::ColumnType::{DateTime, Int, String};
use super::table::{Table, TableColumn, TableKind, column};
use super::table_rows::{TableRow, TableRows};
use model::event::Event;
use runtime::quarantine::Reason;

pub(super) static TABLE: Table =
    Table { name: "Syslog", kind: TableKind::BuiltIn { notes: "SyslogMessage" }, columns: COLUMNS };

const COLUMNS: &[TableColumn] = &[
    column("TimeGenerated", DateTime, "timestamp."),
    column("EventTime", DateTime, "timestamp."),
    column("Computer", String, "hostname, or host."),
    column("HostName", String, "hostname, or host."),
    column("HostIP", String, "source_ip."),
    column("Facility", String, "facility."),
    column("SeverityLevel", String, "severity."),
    column("ProcessName", String, "appname."),
    column("ProcessID", Int, "procid, if it is a number."),
    column("SyslogMessage", String, "message, and everything else as JSON."),
];

/// Fields, and the columns they move into.
const FIELDS: [(&str, &str); 4] = [
    ("source_ip", "HostIP"),
    ("facility", "Facility"),
    ("severity", "SeverityLevel"),
    ("appname", "ProcessName"),
];

/// Writes the row that an event becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let mut fields = read_object(&json)?;
    let Some(message) = fields.text("message") else {
        let message = "this layout takes syslog, which has a text message: parse it with Vector's syslog source or \
                       parse_syslog; anything else goes to a sink of its own, with layout raw";
        return Err(Reason { code: "not_syslog", message: message.to_owned(), request_id: None });
    };
    fields.remove("message");
    fields.remove_nulls();
    let mut row = rows.begin(&TABLE);
    write_time(&mut row, &mut fields, &["TimeGenerated", "EventTime"]);
    write_host(&mut row, &mut fields, &["Computer", "HostName"]);
    for (field, column) in FIELDS {
        row.take(&mut fields, field, column);
    }
    if let Some(process) = fields.get("procid").and_then(whole_number) {
        row.number("ProcessID", process);
        fields.remove("procid");
    }
    if fields.text("source_type").is_some_and(|source| source == "syslog") {
        fields.remove("source_type");
    }
    if fields.get("version").is_some_and(|version| matches!(version.get(), "1" | "\"1\"")) {
        fields.remove("version");
    }
    if fields.is_empty() {
        row.text("SyslogMessage", &message);
    } else {
        let mut rest = Vec::new();
        fields.write(&mut rest);
        row.text("SyslogMessage", &format!("{message} {}", std::string::String::from_utf8_lossy(&rest)));
    }
    row.finish();
    Ok(())
}

/// Moves Vector's time into columns of times. An event that has a `TimeGenerated` keeps that.
pub(super) fn write_time(row: &mut TableRow<'_>, fields: &mut Fields<'_>, columns: &[&str]) {
    let own = fields.get("TimeGenerated").is_some_and(|time| row.copy("TimeGenerated", time));
    if own {
        fields.remove("TimeGenerated");
    }
    let Some(time) = fields.get("timestamp") else { return };
    let columns = columns.iter().filter(|column| !own || **column != "TimeGenerated");
    // Either each of them takes it or none.
    if columns.fold(false, |_, column| row.copy(column, time)) {
        fields.remove("timestamp");
    }
}

/// Moves the host's name into columns of text, and answers whether there is one. Vector's `host` is left out if it
/// repeats `hostname` or `source_ip`.
pub(super) fn write_host(row: &mut TableRow<'_>, fields: &mut Fields<'_>, columns: &[&str]) -> bool {
    let (host, hostname) = (fields.text("host"), fields.text("hostname"));
    let name = hostname.as_ref().or(host.as_ref()).cloned();
    for column in columns {
        row.text_if(column, name.as_deref());
    }
    if hostname.is_some() {
        fields.remove("hostname");
    }
    if host.is_some() && (host == name || host == fields.text("source_ip")) {
        fields.remove("host");
    }
    name.is_some()
}

/// A whole number of 32 bits, written as one or as text.
pub(super) fn whole_number(value: &serde_json::value::RawValue) -> Option<i32> {
    let text = text(value);
    let digits = text.as_deref().unwrap_or(value.get());
    digits.parse::<i32>().ok().filter(|number| number.to_string() == digits)
}
