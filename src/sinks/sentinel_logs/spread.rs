//! The alerts of an incident that are too many for one column: they are spread over several columns and, beyond those that the
//! stream is known to have or that fit into a row, over several rows.
//!
//! The first row of such an incident has all its other columns, and the others only those that join them to it: if each had all,
//! the rows together would be many times the event. In `TruncatedColumns` is which part of how many a row is. So the rows of one
//! state are those with the same `id_` and `lastUpdateDateTime`.

use std::ops::Range;

use bytes::Bytes;

use super::column::EXTRA_COLUMNS;
use super::encoder::RowNotes;
use super::layout::Cuts;
use super::row_writer::{MAX_FIELD_BYTES, RowStart, RowWriter};
use model::json::{each_field, element_ranges};
use runtime::quarantine::Reason;

/// The field that is spread, and its first column; the others have a number behind it, as in `alerts_2`.
pub(super) const ALERTS: &str = "alerts";

/// Room for the name of a column and what belongs to it.
const COLUMN_BYTES: usize = 24;
/// Room for the name of `TruncatedColumns`, and for the note which part a row is.
const NOTE_BYTES: usize = 200;
/// Room that is held for notes on what was cut of an alert, or a quarter of what is left if that is less. More of them are written
/// as far as there is room.
const NOTES_BYTES: usize = 2_000;
/// Less than this is no room for alerts.
const LEAST_BYTES: usize = 1_000;

/// What rows after the first have of an incident, besides its time: what tells which state of which incident they belong to.
/// Of those of Defender the first, and of those of Sentinel the last.
const JOINING: [&str; 8] = [
    ID,
    "createdDateTime",
    "lastUpdateDateTime",
    "displayName",
    "incidentWebUrl",
    "tenantId",
    "name",
    "etag",
];
/// The field without which no row belongs to an incident.
const ID: &str = "id";
/// Most bytes of what joins rows; a longer one, if it is not the id, is in the first row only.
const MAX_JOINING_BYTES: usize = 1_024;

/// The alerts of one incident, as its rows have them.
pub(super) struct Spread {
    /// What the first row has besides.
    rest: RowStart,
    /// What the others have besides.
    joining: RowStart,
    /// Number of times in that that could not be read.
    unread_times: u64,
    max_row_bytes: usize,
    /// For each row what its columns have.
    rows: Vec<Vec<Piece>>,
    /// Bytes of all alerts.
    bytes: usize,
    /// Number of all alerts.
    alerts: usize,
}

/// What one column has.
struct Piece {
    /// Alerts with commas between them, without brackets.
    text: Bytes,
    /// What was cut of the alert that is alone here because it is too long for a column.
    cuts: Cuts,
}

/// Whether an event, which is JSON, is an incident of Defender or of Sentinel.
pub(super) fn is_incident(json: &[u8]) -> bool {
    let (mut has_id, mut is_defender, mut has_etag, mut has_properties) = (false, false, false, false);
    each_field(json, |name, value| match name {
        "id" => has_id = true,
        "incidentWebUrl" | "lastUpdateDateTime" => is_defender = true,
        "etag" => has_etag = true,
        "properties" => has_properties = value.starts_with('{'),
        _ => {}
    });
    has_id && (is_defender || has_etag && has_properties)
}

// === impl Spread ===

impl Spread {
    /// Spreads `alerts`, a JSON list, over rows of so many columns for them, the first with the `rest` of the incident, and the others
    /// with what of it joins them. Nothing if that is no list, or if there is no room.
    pub(super) fn of(
        alerts: &Bytes,
        columns: usize,
        (rest, unread_times): (RowStart, u64),
        time_column: &str,
        max_row_bytes: usize,
    ) -> Option<Self> {
        let text = std::str::from_utf8(alerts).ok()?;
        let room = max_row_bytes.checked_sub(rest.len() + NOTE_BYTES).filter(|room| *room >= COLUMN_BYTES)?;
        let elements = element_ranges(text)?;
        let joining = rest.filtered(|name, json| joining(name, json, time_column));
        let later = max_row_bytes.checked_sub(joining.len() + NOTE_BYTES);
        let later = later.filter(|later| *later >= LEAST_BYTES)?;
        let mut filler =
            Filler { alerts, columns, room: later, left: room, rows: vec![Vec::new()], open: None };
        for element in &elements {
            filler.add(element.clone(), text.get(element.clone())?);
        }
        filler.close();
        let (rows, bytes, alerts) = (filler.rows, alerts.len(), elements.len());
        Some(Self { rest, joining, unread_times, max_row_bytes, rows, bytes, alerts })
    }

    /// How many rows the incident has; at least one.
    pub(super) const fn count(&self) -> usize {
        self.rows.len()
    }

    /// Appends one of the rows to `out`, and answers what there is to say of it.
    pub(super) fn write_row(&self, row: usize, out: &mut Vec<u8>) -> Result<RowNotes, Reason> {
        let start = if row == 0 { &self.rest } else { &self.joining };
        let mut writer = RowWriter::resume(out, self.max_row_bytes, start);
        if self.count() > 1 {
            let note = format!(
                "{{\"column\":\"{ALERTS}\",\"bytes\":{},\"elements\":{},\"part\":{},\"parts\":{}}}",
                self.bytes,
                self.alerts,
                row + 1,
                self.count()
            );
            writer.note_first(&note);
        }
        if self.rows.get(row).is_some_and(Vec::is_empty) {
            // The first, if all others have more room.
            writer.column(ALERTS, "", "[]");
        }
        for (index, piece) in self.rows.get(row).into_iter().flatten().enumerate() {
            let list = [b"[", piece.text.as_ref(), b"]"].concat();
            writer.column(&column(index), "", &String::from_utf8(list).unwrap_or_default());
            writer.note_cuts(&piece.cuts.notes, piece.cuts.count, 0);
        }
        // What is to say of the rest is said once.
        let unread_times = if row == 0 { self.unread_times } else { 0 };
        writer.finish().map(|size| RowNotes { truncated_fields: size.truncated_fields, unread_times })
    }
}

/// Fills rows with alerts.
struct Filler<'a> {
    alerts: &'a Bytes,
    columns: usize,
    /// Room in each row after the first.
    room: usize,
    /// Room in the last row, without the column that is open.
    left: usize,
    rows: Vec<Vec<Piece>>,
    /// Where the alerts of the column stand that is being filled.
    open: Option<Range<usize>>,
}

// === impl Filler ===

impl Filler<'_> {
    fn add(&mut self, element: Range<usize>, text: &str) {
        if let Some(open) = &mut self.open
            && element.end - open.start <= most(self.left)
        {
            open.end = element.end;
            return;
        }
        self.close();
        let row = self.rows.last().map_or(0, Vec::len);
        let is_tight = element.len() > most(self.left) && most(self.left) < most(self.room);
        if row == self.columns || is_tight {
            self.rows.push(Vec::new());
            self.left = self.room;
        }
        if element.len() <= most(self.left) {
            self.open = Some(element);
        } else {
            let room = self.left - NOTES_BYTES.min(self.left / 4);
            let mut cuts = Cuts::default();
            let name = column(self.rows.last().map_or(0, Vec::len));
            let list = cuts.column(&name, &format!("[{text}]"), most(room) + 2);
            let list = Bytes::from(list);
            let mut for_notes = self.left.saturating_sub(list.len() + COLUMN_BYTES);
            let fitting = cuts.notes.iter().take_while(|note| {
                let left = for_notes.checked_sub(note.len() + 1);
                left.map(|left| for_notes = left).is_some()
            });
            let fitting = fitting.count();
            cuts.notes.truncate(fitting);
            self.push(Piece { text: list.slice(1..list.len() - 1), cuts });
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.push(Piece { text: self.alerts.slice(open), cuts: Cuts::default() });
        }
    }

    fn push(&mut self, piece: Piece) {
        let notes: usize = piece.cuts.notes.iter().map(|note| note.len() + 1).sum();
        self.left = self.left.saturating_sub(piece.text.len() + 2 + COLUMN_BYTES + notes);
        if let Some(row) = self.rows.last_mut() {
            row.push(piece);
        }
    }
}

/// What a row after the first has of a column of the first.
fn joining(name: &str, json: &str, time_column: &str) -> Option<String> {
    let is_named = |name: &str| JOINING.contains(&name.strip_suffix('_').unwrap_or(name));
    let is_kept = |name: &str, json: &str| {
        name == time_column
            || is_named(name) && (json.len() <= MAX_JOINING_BYTES || name.trim_end_matches('_') == ID)
    };
    if name != EXTRA_COLUMNS {
        return is_kept(name, json).then(|| json.to_owned());
    }
    let mut kept = String::new();
    each_field(json.as_bytes(), |name, json| {
        if is_kept(name, json) && json.len() <= MAX_JOINING_BYTES {
            kept.push(if kept.is_empty() { '{' } else { ',' });
            for part in ["\"", name, "\":", json] {
                kept.push_str(part);
            }
        }
    });
    (!kept.is_empty()).then(|| kept + "}")
}

/// Most bytes of alerts in a column, with so many left in its row.
fn most(left: usize) -> usize {
    MAX_FIELD_BYTES.min(left.saturating_sub(COLUMN_BYTES)).saturating_sub(2)
}

/// The name of a column of alerts, of which this is the one with that index.
fn column(index: usize) -> String {
    if index == 0 { ALERTS.to_owned() } else { format!("{ALERTS}_{}", index + 1) }
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
