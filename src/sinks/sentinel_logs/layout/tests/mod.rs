mod evidence;
mod logs;
mod nothing_is_lost;
mod rows;
mod tables;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Layout, TableRows};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::encoder::TablesEncoder;
use crate::sinks::sentinel_logs::row_time::RowTime;
use model::event::Event;
use runtime::quarantine::Reason;

/// When rows were written whose event does not say when it happened.
const NOW: &str = "2026-11-23T12:00:00.000000Z";

/// Incidents and what else a source of them may emit, in `tests/fixtures/layouts`.
const DEFENDER: &[&str] = &[
    "defender-two-alerts",
    "defender-redirected",
    "defender-through-vector",
    "defender-kind-alert",
    "defender-kind-evidence",
    "defender-kind-change",
    "defender-alert-alone",
];

/// Events of `tests/fixtures/layouts`, and the layouts that they are for.
const FIXTURES: [(Layout, &[&str]); 4] = [
    (Layout::Defender, DEFENDER),
    (Layout::AsimAlert, DEFENDER),
    (Layout::Syslog, &["syslog-rfc5424", "syslog-plain", "syslog-address"]),
    (
        Layout::CommonSecurityLog,
        &["cef-merged", "cef-alone", "cef-columns", "cef-twice", "cef-raw", "cef-behind-tag"],
    ),
];

/// An event of `tests/fixtures/layouts`.
fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/layouts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn event(json: &Value) -> Event {
    Event::new(json.to_string().into(), None)
}

/// Most bytes of a row, as they are by default or nearly.
const MAX_ROW_BYTES: usize = 1_000_000;

/// An event's rows of at most so many bytes, and why it has none if so.
fn laid_out(layout: Layout, event: &Event, max_row_bytes: usize) -> (TableRows, Vec<(usize, Reason)>) {
    let encoder = TablesEncoder {
        encoding: None,
        write_rows: layout.write_rows().unwrap(),
        plan: TablePlan::Analytics,
        max_row_bytes,
    };
    let now: DateTime<Utc> = NOW.parse().unwrap();
    TableRows::of(&encoder, std::slice::from_ref(event), RowTime::of(now))
}

/// The texts of an event's rows, and the tables that they go to; or why it has none.
fn written(layout: Layout, event: &Event) -> Result<Vec<(&'static str, String)>, Reason> {
    let (rows, rowless) = laid_out(layout, event, MAX_ROW_BYTES);
    if let Some((_, reason)) = rowless.into_iter().next() {
        assert_eq!(rows.count(), 0);
        return Err(reason);
    }
    let text = |row| {
        let mut text = Vec::new();
        rows.copy(row, &mut text).map(|_| String::from_utf8(text).unwrap())
    };
    (0..rows.count()).map(|row| Ok((rows.origin(row).unwrap().table, text(row)?))).collect()
}

/// How many of an event's rows say that its time could not be read.
fn unread_times(layout: Layout, json: &Value) -> u64 {
    let (rows, _) = laid_out(layout, &event(json), MAX_ROW_BYTES);
    (0..rows.count()).map(|row| rows.copy(row, &mut Vec::new()).unwrap().unread_times).sum()
}

/// What rows say, and the tables that they go to.
fn rows(layout: Layout, json: &Value) -> Vec<(&'static str, Value)> {
    let rows = written(layout, &event(json)).unwrap();
    rows.into_iter().map(|(table, row)| (table, serde_json::from_str(&row).unwrap())).collect()
}
