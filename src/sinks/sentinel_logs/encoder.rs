//! How one sink writes rows: as its layout says, or an event's fields as the columns of its row.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::column::{Column, EXTRA_COLUMNS};
use super::columns::Columns;
use super::encoding::Encoding;
use super::layout::{Layout, WriteRows, read_object};
use super::row_writer::{RowSize, RowWriter};
use super::table_plan::TablePlan;
use model::event::{Body, Event};
use model::json::{each_field, write_text};
use model::time::rfc3339;
use runtime::quarantine::Reason;

/// Where Vector keeps an event's time by default.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#log_schema.timestamp_key>
const VECTOR_TIMESTAMP: &str = "timestamp";

/// Azure puts the time of ingestion in the place of a `TimeGenerated` older than this, or this much in the future.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
const OLDEST: TimeDelta = TimeDelta::days(2);
const NEWEST: TimeDelta = TimeDelta::days(1);

/// Encoder of one sink: writes events as rows. Cheap to clone.
#[derive(Clone)]
pub struct Encoder(pub(super) RowFormat);

/// What rows are made of.
#[derive(Clone)]
pub(super) enum RowFormat {
    /// One row an event, with a column for each of its fields.
    Fields(Arc<FieldsEncoder>),
    /// Rows of a layout's tables.
    Tables(TablesEncoder),
}

/// Writes the rows that a layout makes of events.
#[derive(Clone)]
pub(super) struct TablesEncoder {
    pub(super) write_rows: WriteRows,
    pub(super) encoding: Option<Arc<Encoding>>,
    pub(super) plan: TablePlan,
    pub(super) max_row_bytes: usize,
}

/// Writes an event's fields as the columns of its row. Of an event that is JSON text, values are copied as they stand in it;
/// nothing is parsed that need not be.
pub(super) struct FieldsEncoder {
    timestamp_field: String,
    /// The columns that the stream has, if that is known.
    declared: Option<Columns>,
    encoding: Option<Arc<Encoding>>,
    max_row_bytes: usize,
}

/// Writes the fields of one event into the columns of its row.
struct FieldsRow<'a> {
    timestamp_field: &'a str,
    declared: Option<&'a Columns>,
    encoding: Option<&'a Encoding>,
    row: RowWriter<'a>,
    now: DateTime<Utc>,
    /// Whether something else is in `ExtraColumns` under the name of the time's column.
    is_name_taken: bool,
    has_time: bool,
    /// Vector's own timestamp, until it is known whether the row needs it.
    vector_time: Option<(DateTime<Utc>, &'a str)>,
    /// The value of `ExtraColumns`, without its last brace.
    extra: Vec<u8>,
}

// === impl Encoder ===

impl Encoder {
    /// Encoder of rows as `layout` says, of at most `max_row_bytes` each, for tables of this `plan`.
    ///
    /// Of a layout that leaves events as they are, `timestamp_field` is the column of the event's time; and if the columns
    /// that the stream has are `declared`, no field goes into any other, nor into one that cannot hold it. `encoding` leaves out
    /// or changes fields before that.
    pub fn new(
        layout: Layout,
        plan: TablePlan,
        timestamp_field: String,
        declared: Option<Columns>,
        encoding: Option<Arc<Encoding>>,
        max_row_bytes: usize,
    ) -> Self {
        Self(match layout.write_rows() {
            Some(write_rows) => {
                RowFormat::Tables(TablesEncoder { write_rows, encoding, plan, max_row_bytes })
            }
            None => RowFormat::Fields(Arc::new(FieldsEncoder {
                timestamp_field,
                declared,
                encoding,
                max_row_bytes,
            })),
        })
    }
}

// === impl FieldsEncoder ===

impl FieldsEncoder {
    /// Appends the event's row to `out`, and answers how many of its fields were cut. An event without a time of its
    /// own gets `now`. If the event cannot be a row, `out` is as before.
    pub(super) fn write_row(
        &self,
        event: &Event,
        now: DateTime<Utc>,
        out: &mut Vec<u8>,
    ) -> Result<u64, Reason> {
        let written;
        let json: &[u8] = match event.body() {
            Body::Json(json) => json,
            Body::Value(value) => {
                written = value.to_json();
                &written
            }
        };
        let start = out.len();
        let mut row = FieldsRow {
            timestamp_field: &self.timestamp_field,
            declared: self.declared.as_ref(),
            encoding: self.encoding.as_deref(),
            row: RowWriter::new(out, self.max_row_bytes),
            now,
            is_name_taken: false,
            has_time: false,
            vector_time: None,
            extra: Vec::new(),
        };
        if !each_field(json, |name, value| row.field(name, value)) {
            out.truncate(start);
            return Err(not_an_object(json));
        }
        row.finish(event.timestamp().unwrap_or(now)).map(|size| size.truncated_fields)
    }
}

fn not_an_object(json: &[u8]) -> Reason {
    // Slower, but it knows where the mistake is.
    read_object(json).err().unwrap_or_else(|| Reason {
        code: "not_an_object",
        message: "an event must be an object to become a row".to_owned(),
        request_id: None,
    })
}

// === impl FieldsRow ===

impl<'a> FieldsRow<'a> {
    /// Takes a field of the event, with its value as JSON: here a field meets its column.
    fn field(&mut self, name: &str, json: &'a str) {
        if name == self.timestamp_field
            && !self.has_time
            && let Some(time) = time(json)
        {
            self.has_time = true;
            self.keep_time(None, time, json);
            self.time_column(json);
        } else if name == VECTOR_TIMESTAMP
            && self.vector_time.is_none()
            && let Some(time) = time(json)
        {
            self.vector_time = Some((time, json));
        } else {
            self.other_field(name, json);
        }
    }

    /// Takes a field that is not the row's time.
    fn other_field(&mut self, name: &str, json: &str) {
        let json = match self.encoding {
            None => Cow::Borrowed(json),
            Some(encoding) => match encoding.field(name, json) {
                None => return,
                Some(json) => json,
            },
        };
        if name == self.timestamp_field {
            // Not a time: the column could not take it, and it must not be lost.
            self.is_name_taken = true;
            self.extra_field(name, &json);
            return;
        }
        let (suffix, fitting) = match Column::of(name) {
            Column::Plain(name) => ("", self.fitting(name, "", &json)),
            Column::Reserved(name) => ("_", self.fitting(name, "_", &json)),
            Column::Extra(_) => ("", None),
        };
        match fitting {
            Some(json) => self.row.column(name, suffix, &json),
            None => self.extra_field(name, &json),
        }
    }

    /// Ends the row; `time` is its time if no field has said so.
    fn finish(mut self, time: DateTime<Utc>) -> Result<RowSize, Reason> {
        match (self.has_time, self.vector_time.take()) {
            (true, None) => {}
            (true, Some((_, text))) => self.other_field(VECTOR_TIMESTAMP, text),
            (false, Some((time, text))) => {
                self.keep_time(Some(VECTOR_TIMESTAMP), time, text);
                self.time_column(text);
            }
            (false, None) => {
                let text = time_of_row(time);
                self.keep_time(None, time, &text);
                self.row.column(self.timestamp_field, "", &text);
            }
        }
        if !self.extra.is_empty() {
            self.extra.push(b'}');
            let extra = String::from_utf8(self.extra).unwrap_or_default();
            self.row.column(EXTRA_COLUMNS, "", &extra);
        }
        self.row.finish()
    }

    /// Keeps the row's time, as JSON, where Azure will replace it: under the name of its column or, if that is taken, under
    /// the one that it came with.
    fn keep_time(&mut self, came_as: Option<&str>, time: DateTime<Utc>, json: &str) {
        let age = self.now.signed_duration_since(time);
        let name = if self.is_name_taken { came_as } else { Some(self.timestamp_field) };
        if let Some(name) = name
            && (age > OLDEST || age < -NEWEST)
        {
            self.extra_field(name, json);
        }
    }

    /// What is written of a value into a column, if the stream has it and it can hold the value, as far as is known.
    fn fitting<'v>(&self, name: &str, suffix: &str, json: &'v str) -> Option<Cow<'v, str>> {
        match (self.declared, suffix) {
            (None, _) => Some(Cow::Borrowed(json)),
            (Some(columns), "") => columns.fit(name, json),
            (Some(columns), suffix) => columns.fit(&format!("{name}{suffix}"), json),
        }
    }

    /// Writes the column of the event's time.
    fn time_column(&mut self, json: &str) {
        let json = self.fitting(self.timestamp_field, "", json).unwrap_or(Cow::Borrowed(json));
        self.row.column(self.timestamp_field, "", &json);
    }

    fn extra_field(&mut self, name: &str, json: &str) {
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        write_text(name, &mut self.extra);
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
    }
}

/// A time of ours, as JSON.
pub(super) fn time_of_row(time: DateTime<Utc>) -> String {
    format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The time that a JSON text is, in RFC 3339.
fn time(json: &str) -> Option<DateTime<Utc>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    rfc3339(text).or_else(|| {
        let unescaped: String = text.contains('\\').then(|| serde_json::from_str(json).ok())??;
        rfc3339(&unescaped)
    })
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
