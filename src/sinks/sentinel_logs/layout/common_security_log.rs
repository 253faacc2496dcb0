//! The layout `common_security_log`: a message in the Common Event Format, as it is or as VRL's `parse_cef` has taken it apart,
//! alone or merged into an event of Vector's `syslog` source, in the table `CommonSecurityLog`.
//!
//! A field goes into the column that is documented for its CEF key, in any case, or into the column whose own name it has.
//! What has no column, or a value that its column cannot take, goes into `AdditionalExtensions` as `key=value;key=value`;
//! there `\`, `;` and, in keys, `=` have a backslash in front. What says nothing that is not known already is left out: empty
//! values, the version of the format, `source_type`, a `source_ip` that is the host, and a `message` whose parts are all in
//! the event.
//!
//! Sources: <https://learn.microsoft.com/azure/sentinel/cef-name-mapping>,
//! <https://vrl.dev/functions/#parse_cef>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::cef::Cef;
use super::cef_columns::{COLUMNS, KEYS};
use super::fields::{Fields, text};
use super::incident::read_object;
use super::syslog::{write, write_host, write_time};
use super::table::{Table, TableKind};
use super::table_rows::TableRows;
use model::event::Event;
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
/// What every message begins with, without its colon.
const MARK: &str = "CEF";
/// Fields that an event has which VRL has taken apart.
const HEADER: [&str; 3] = ["deviceVendor", "deviceProduct", "deviceEventClassId"];

/// Writes the row that an event becomes.
pub(super) fn write_rows(event: &Event, rows: &mut TableRows) -> Result<(), Reason> {
    let json = event.to_json();
    let mut fields = read_object(&json)?;
    fields.remove_nulls();
    let message = fields.text("message");
    let found = message.as_deref().and_then(|message| found(message, &fields));
    let is_parsed = fields.iter().any(|(name, _)| HEADER.iter().any(|key| key.eq_ignore_ascii_case(name)));
    if found.as_ref().is_some_and(|cef| !is_parsed || says_the_same(cef, &fields)) {
        fields.remove("message");
        if fields.text("appname").is_some_and(|name| name == MARK) {
            fields.remove("appname");
        }
    }
    let raw = found.filter(|_| !is_parsed);
    if raw.is_none() && !is_parsed {
        let message = "this layout takes CEF: a message such as CEF:0|vendor|product|version|class|name|severity|key=value, or \
                       what VRL's parse_cef gives, which has deviceVendor, deviceProduct or deviceEventClassId; anything else \
                       goes to a sink of its own, with layout raw";
        return Err(Reason { code: "not_cef", message: message.to_owned(), request_id: None });
    }
    let cef = raw.as_ref().map(Cef::to_json).unwrap_or_default();
    let cef = if cef.is_empty() { Fields::default() } else { read_object(&cef)? };
    let mut row = rows.begin(&TABLE);
    let (sent, sender) = raw.as_ref().map_or((None, None), |cef| cef.sent(row.time().now));
    let replaced = write_time(&mut row, &mut fields, &["TimeGenerated"], sent);
    let mut written = Vec::new();
    if let Some(host) = write_host(&mut row, &mut fields, &["Computer"], sender) {
        written.push("Computer");
        if fields.text("source_ip").is_some_and(|address| address == host) {
            fields.remove("source_ip");
        }
    }
    let mut rest = Vec::new();
    for (name, value) in cef.iter().chain(fields.iter()).filter(|(name, value)| !is_known(name, value.get()))
    {
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
    rest.extend(replaced);
    if !rest.is_empty() {
        row.text("AdditionalExtensions", &extensions(&rest));
    }
    row.finish();
    Ok(())
}

/// The message in the format that a text is. A reader of syslog may have taken its first word for the program's name.
fn found<'a>(message: &'a str, fields: &Fields<'_>) -> Option<Cef<'a>> {
    let is_marked = || fields.text("appname").is_some_and(|name| name == MARK);
    Cef::find(message).or_else(|| is_marked().then(|| Cef::without_mark(message)).flatten())
}

/// Whether all that a message says is in the event, too.
fn says_the_same(cef: &Cef<'_>, fields: &Fields<'_>) -> bool {
    let said: BTreeMap<&str, &RawValue> = fields.iter().collect();
    cef.before.is_empty()
        && cef.fields.iter().all(|(name, value)| {
            value.is_empty() || said.get(name).and_then(|said| text(said)).is_some_and(|said| said == *value)
        })
}

/// Whether a field says nothing, or what is known of every event. `json` is its value.
fn is_known(name: &str, json: &str) -> bool {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    let text = inner.unwrap_or(json).trim();
    // Empty, or a device's quotes around nothing.
    if text.is_empty() || text == r#"\"\""# {
        return true;
    }
    match name {
        "cefVersion" => matches!(text, "0" | "1"),
        "source_type" => matches!(text, "syslog" | "socket"),
        _ => false,
    }
}

/// The column that a field is for.
fn column_of(name: &str) -> Option<&'static str> {
    let key = KEYS.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, column)| *column);
    // Only to the letter: Vector's own `message` is not the column `Message`.
    let own = || COLUMNS.iter().map(|column| column.name).find(|column| *column == name);
    key.or_else(own).filter(|column| !["TimeGenerated", "AdditionalExtensions"].contains(column))
}

fn extensions(fields: &[(&str, &RawValue)]) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace(';', "\\;");
    let pairs = fields.iter().map(|(name, value)| {
        let value = text(value).unwrap_or(Cow::Borrowed(value.get()));
        format!("{}={}", escape(name).replace('=', "\\="), escape(&value))
    });
    pairs.collect::<Vec<_>>().join(";")
}
