//! The alerts of an incident that are too many for one column: they are spread over several columns and, beyond those that the
//! stream is known to have or that fit into a row, over several rows.
//!
//! Each row of such an incident has all its other columns, and in `TruncatedColumns` which part of how many it is. So the rows of one
//! state are those with the same `id_` and `lastUpdateDateTime`, and any of them tells all but the alerts of the others.

use std::ops::Range;

use bytes::Bytes;

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
/// Room for notes on what was cut of an alert.
const NOTES_BYTES: usize = 2_000;
/// Less than this is no room for alerts.
const LEAST_BYTES: usize = 1_000;

/// The alerts of one incident, as its rows have them.
pub(super) struct Spread {
    /// What each row has besides.
    rest: RowStart,
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
    /// Spreads `alerts`, a JSON list, over rows of so many columns for them, each with the `rest` of the incident. Nothing if that
    /// is no list, or if there is no room.
    pub(super) fn of(
        alerts: &Bytes,
        columns: usize,
        (rest, unread_times): (RowStart, u64),
        max_row_bytes: usize,
    ) -> Option<Self> {
        let text = std::str::from_utf8(alerts).ok()?;
        let room = max_row_bytes.checked_sub(rest.len() + NOTE_BYTES);
        let room = room.filter(|room| *room >= LEAST_BYTES)?;
        let elements = element_ranges(text)?;
        let mut filler = Filler { alerts, columns, room, left: room, rows: vec![Vec::new()], open: None };
        for element in &elements {
            filler.add(element.clone(), text.get(element.clone())?);
        }
        filler.close();
        let (rows, bytes, alerts) = (filler.rows, alerts.len(), elements.len());
        Some(Self { rest, unread_times, max_row_bytes, rows, bytes, alerts })
    }

    /// How many rows the incident has; at least one.
    pub(super) const fn count(&self) -> usize {
        self.rows.len()
    }

    /// Appends one of the rows to `out`, and answers what there is to say of it.
    pub(super) fn write_row(&self, row: usize, out: &mut Vec<u8>) -> Result<RowNotes, Reason> {
        let mut writer = RowWriter::resume(out, self.max_row_bytes, &self.rest);
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
        if row > 0 && (row == self.columns || is_tight) {
            self.rows.push(Vec::new());
            self.left = self.room;
        }
        if element.len() <= most(self.left) {
            self.open = Some(element);
        } else {
            self.left = self.left.saturating_sub(NOTES_BYTES);
            let mut cuts = Cuts::default();
            let name = column(self.rows.last().map_or(0, Vec::len));
            let list = cuts.column(&name, &format!("[{text}]"), most(self.left) + 2);
            let list = Bytes::from(list);
            self.push(Piece { text: list.slice(1..list.len() - 1), cuts });
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.push(Piece { text: self.alerts.slice(open), cuts: Cuts::default() });
        }
    }

    fn push(&mut self, piece: Piece) {
        self.left = self.left.saturating_sub(piece.text.len() + 2 + COLUMN_BYTES);
        if let Some(row) = self.rows.last_mut() {
            row.push(piece);
        }
    }
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
