//! Rows of tables, each written once, with no column that its table has not and no value that its column cannot take.

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::cutting::Cuts;
use super::evidence::{Evidence, EvidenceColumns};
use super::fields::{Fields, write_text};
use super::table::{ColumnSource, ColumnType, Table, TableKind};
use crate::sinks::sentinel_logs::column_type::in_micros;
use crate::sinks::sentinel_logs::encoder::{RowNotes, TablesEncoder, time_of_row};
use crate::sinks::sentinel_logs::row_time::RowTime;
use crate::sinks::sentinel_logs::row_writer::{MAX_FIELD_BYTES, RowSize, RowWriter};
use crate::sinks::sentinel_logs::table_plan::TablePlan;
use model::event::Event;
use runtime::quarantine::Reason;

/// The column of a row's time, which every table has.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
const TIME_GENERATED: &str = "TimeGenerated";
/// A buffer that has so many bytes is left as it is, so that none is moved in memory that is large.
const BUFFER: usize = 1024 * 1024;

/// The rows that a layout makes of a batch.
pub(in crate::sinks::sentinel_logs) struct TableRows {
    /// Whether the tables take no time with more than six digits behind the point.
    in_micros: bool,
    max_row_bytes: usize,
    /// Rows behind each other; the last buffer is the one that grows.
    buffers: Vec<Vec<u8>>,
    rows: Vec<WrittenRow>,
    /// The event that rows are written of now: its index in the batch, and its time if its fields do not tell.
    event: (usize, DateTime<Utc>),
    /// Whether the next row is to say that the time of its event could not be read.
    is_time_unread: bool,
    time: RowTime,
}

/// Where a row comes from, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sinks::sentinel_logs) struct RowOrigin {
    /// The event's index in the batch.
    pub(in crate::sinks::sentinel_logs) event: usize,
    /// The table's name.
    pub(in crate::sinks::sentinel_logs) table: &'static str,
}

struct WrittenRow {
    origin: RowOrigin,
    /// Where it is, or why it cannot be sent.
    text: Result<RowText, Reason>,
}

struct RowText {
    buffer: usize,
    bytes: Range<usize>,
    notes: RowNotes,
}

/// A row of a table that is being written. A value that its column cannot take is not written: it stays with whoever offers it.
pub(super) struct TableRow<'r> {
    table: &'static Table,
    in_micros: bool,
    row: RowWriter<'r>,
    /// Where the row begins, in the buffer of this index.
    location: (usize, usize),
    has_time: bool,
    is_time_unread: bool,
    event: (usize, DateTime<Utc>),
    time: RowTime,
    rows: &'r mut Vec<WrittenRow>,
}

// === impl TableRows ===

impl TableRows {
    /// The rows that `encoder` makes of `events`, and the events that become none, with the reason. Rows whose events do not
    /// tell their time have the one at which they were taken in.
    pub(in crate::sinks::sentinel_logs) fn of(
        encoder: &TablesEncoder,
        events: &[Event],
        time: RowTime,
    ) -> (Self, Vec<(usize, Reason)>) {
        let mut rows = Self {
            in_micros: encoder.plan == TablePlan::Auxiliary,
            max_row_bytes: encoder.max_row_bytes,
            buffers: vec![Vec::new()],
            rows: Vec::new(),
            event: (0, time.now),
            is_time_unread: false,
            time,
        };
        let mut rowless = Vec::new();
        for (index, event) in events.iter().enumerate() {
            rows.event = (index, event.timestamp().unwrap_or(time.now));
            rows.is_time_unread = false;
            let shaped = encoder.encoding.as_ref().map(|encoding| {
                let json = event.to_json();
                Event::new(encoding.event(&json).into_owned().into(), event.timestamp())
            });
            if let Err(reason) = (encoder.write_rows)(shaped.as_ref().unwrap_or(event), &mut rows) {
                rowless.push((index, reason));
            }
        }
        (rows, rowless)
    }

    /// How many there are.
    pub(in crate::sinks::sentinel_logs) const fn count(&self) -> usize {
        self.rows.len()
    }

    /// Where a row comes from, and where it goes.
    pub(in crate::sinks::sentinel_logs) fn origin(&self, row: usize) -> Option<RowOrigin> {
        self.rows.get(row).map(|row| row.origin)
    }

    /// Appends a row to `out`, and answers what there is to say of it; or why it cannot be sent.
    pub(in crate::sinks::sentinel_logs) fn copy(
        &self,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<RowNotes, Reason> {
        let text = self.rows[row].text.as_ref().map_err(Clone::clone)?;
        out.extend_from_slice(&self.buffers[text.buffer][text.bytes.clone()]);
        Ok(text.notes)
    }

    /// Notes that the event has a time that its rows should have, and that cannot be read. It counts once, with its first row.
    pub(super) const fn note_unread_time(&mut self) {
        self.is_time_unread = true;
    }

    /// Begins a row of the event whose turn it is. It counts when it is finished.
    pub(super) fn begin(&mut self, table: &'static Table) -> TableRow<'_> {
        if self.buffers.last().is_none_or(|buffer| buffer.len() >= BUFFER) {
            self.buffers.push(Vec::new());
        }
        let index = self.buffers.len() - 1;
        let buffer = &mut self.buffers[index];
        let location = (index, buffer.len());
        TableRow {
            table,
            in_micros: self.in_micros,
            row: RowWriter::new(buffer, self.max_row_bytes),
            location,
            has_time: false,
            is_time_unread: std::mem::take(&mut self.is_time_unread),
            event: self.event,
            time: self.time,
            rows: &mut self.rows,
        }
    }
}

// === impl TableRow ===

impl TableRow<'_> {
    /// Writes a column with the value, if it can take it, or what it becomes without losing anything; answers whether it could.
    pub(super) fn copy(&mut self, column: &str, value: &RawValue) -> bool {
        let Some(column_type) = self.column_type(column) else { return false };
        let fitting = column_type.fit(value.get());
        if let Some(json) = &fitting {
            self.write(column, column_type, json);
        }
        fitting.is_some()
    }

    /// Notes that the event has a time that this row should have, and that cannot be read.
    pub(super) const fn note_unread_time(&mut self) {
        self.is_time_unread = true;
    }

    /// When events were taken in, and when their rows are sent.
    pub(super) const fn time(&self) -> RowTime {
        self.time
    }

    /// Moves a field into a column, if the column can take it. What it cannot take stays in `fields`, and so does null,
    /// which a column has anyway if nobody says otherwise.
    pub(super) fn take(&mut self, fields: &mut Fields<'_>, field: &str, column: &str) {
        if fields.get(field).is_some_and(|value| self.copy(column, value)) {
            fields.remove(field);
        }
    }

    /// Moves the fields that columns are named for into them.
    pub(super) fn take_all(&mut self, fields: &mut Fields<'_>) {
        for column in self.table.columns {
            if let ColumnSource::Field(field) = column.from {
                self.take(fields, field, column.name);
            }
        }
    }

    /// Copies what columns have from an alert.
    pub(super) fn copy_alert(&mut self, alert: &Fields<'_>) {
        for column in self.table.columns {
            if let ColumnSource::Alert(paths) = column.from {
                self.copy_first(alert, column.name, paths);
            }
        }
    }

    /// Copies what columns have from a piece of evidence.
    pub(super) fn copy_evidence(&mut self, columns: &EvidenceColumns, evidence: &mut Evidence<'_, '_>) {
        columns.each(evidence, |column, value| self.copy(column, value));
    }

    /// Copies into a column the value of the first of these fields, separated by commas, that is there and fits.
    pub(super) fn copy_first(&mut self, fields: &Fields<'_>, column: &str, names: &str) {
        let mut names = names.split(", ");
        names.any(|name| fields.get(name).is_some_and(|value| self.copy(column, value)));
    }

    /// Writes a text of ours, which is a time if that is what the column holds.
    pub(super) fn text(&mut self, column: &str, text: &str) {
        let is_time = (self.in_micros || cfg!(debug_assertions))
            && self.column_type(column) == Some(ColumnType::DateTime);
        debug_assert!(is_time || self.column_type(column) == Some(ColumnType::String), "{column}");
        if is_time {
            let mut json = Vec::new();
            write_text(text, &mut json);
            self.write(column, ColumnType::DateTime, &String::from_utf8(json).unwrap_or_default());
        } else {
            self.has_time |= column == TIME_GENERATED;
            self.column_with(column, |out| write_text(text, out));
        }
    }

    /// Writes a text of ours, if there is one.
    pub(super) fn text_if(&mut self, column: &str, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.text(column, text.as_ref());
        }
    }

    /// Writes a whole number.
    pub(super) fn number(&mut self, column: &str, number: impl Into<i64>) {
        self.row.column(column, "", &number.into().to_string());
    }

    /// Writes a column that holds any JSON.
    pub(super) fn dynamic(&mut self, column: &str, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert_eq!(self.column_type(column), Some(ColumnType::Dynamic), "{column}");
        self.column_with(column, write);
    }

    /// Writes what is left of an object, if anything is.
    pub(super) fn rest(&mut self, column: &str, fields: &Fields<'_>) {
        if !fields.is_empty() {
            self.dynamic(column, |out| fields.write(out));
        }
    }

    /// Ends the row. If nothing has said its time, it has its event's. What is too large is cut: every event of a table of ours has its
    /// rows.
    pub(super) fn finish(mut self) {
        let (event, time) = self.event;
        if !self.has_time {
            self.row.column(TIME_GENERATED, "", &time_of_row(time));
        }
        if self.table.kind == TableKind::Custom {
            self.row.cut_to_row();
        }
        let (buffer, start) = self.location;
        let text = self.row.finish().map(|RowSize { bytes, truncated_fields }| RowText {
            buffer,
            bytes: start..start + bytes,
            notes: RowNotes { truncated_fields, unread_times: u64::from(self.is_time_unread) },
        });
        self.rows.push(WrittenRow { origin: RowOrigin { event, table: self.table.name }, text });
    }

    /// What a column holds, if the table has it.
    pub(super) fn column_type(&self, column: &str) -> Option<ColumnType> {
        self.table.column_type(column)
    }

    fn write(&mut self, column: &str, column_type: ColumnType, json: &str) {
        self.has_time |= column == TIME_GENERATED;
        if self.in_micros && column_type == ColumnType::DateTime {
            self.row.column(column, "", &in_micros(json));
        } else {
            self.column_with(column, |out| out.extend_from_slice(json.as_bytes()));
        }
    }

    /// Writes a column, and cuts its value if it is too long.
    fn column_with(&mut self, column: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(json) = self.row.column_unless_long(column, write) else { return };
        let mut cuts = Cuts::default();
        let kept = cuts.column(column, &json, MAX_FIELD_BYTES);
        self.row.value(&kept);
        // A row for a table of Microsoft's is a log, and goes to the quarantine whole if it is larger than a call.
        let is_log = self.table.kind != TableKind::Custom;
        let bytes = if is_log { json.len().saturating_sub(kept.len()) } else { 0 };
        self.row.note_cuts(&cuts.notes, cuts.count, bytes);
    }
}
