//! How one sink writes rows: as its layout says, or an event's fields as the columns of its row.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::column::{Column, EXTRA_COLUMNS};
use super::columns::Columns;
use super::encoding::Encoding;
use super::field_path::{FieldPath, Segment};
use super::layout::{Layout, WriteRows, read_object};
use super::row_writer::RowWriter;
use super::table_plan::TablePlan;
use model::event::{Body, Event};
use model::json::{each_element, each_field, write_text};
use model::time::{log_time, rfc3339};
use runtime::quarantine::Reason;

/// Where an event's time is unless the options say: Vector's field, and that of ECS and Logstash.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#log_schema.timestamp_key>,
/// <https://www.elastic.co/docs/reference/ecs/ecs-base#field-timestamp>
pub(super) const USUAL_TIME_FIELDS: [&str; 2] = ["timestamp", "@timestamp"];

/// The column of a row's time, which every table has.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
pub(super) const TIME_GENERATED: &str = "TimeGenerated";

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
    time: TimeField,
    /// The columns that the stream has, if that is known.
    declared: Option<Columns>,
    encoding: Option<Arc<Encoding>>,
    max_row_bytes: usize,
}

/// What there is to say of a row that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowNotes {
    /// Number of fields that were cut at 64 KB.
    pub truncated_fields: u64,
    /// Number of events whose own time could not be read, so that the row has another.
    pub unread_times: u64,
}

/// Where the time of an event is, and the column that it goes into: the option `timestamp_field`.
#[derive(Clone, Debug)]
pub(super) struct TimeField {
    pub(super) column: String,
    /// The way to the field; one segment if it is a field of the event itself.
    path: Vec<Segment>,
}

/// A field that is a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FieldTime<'a> {
    time: DateTime<Utc>,
    /// The field's value.
    json: &'a str,
    /// Whether that is a time as the service takes it for sure.
    is_rfc3339: bool,
}

/// Writes the fields of one event into the columns of its row.
struct FieldsRow<'a> {
    time: &'a TimeField,
    declared: Option<&'a Columns>,
    encoding: Option<&'a Encoding>,
    row: RowWriter<'a>,
    now: DateTime<Utc>,
    /// Whether something else is in `ExtraColumns` under the name of the time's column.
    is_name_taken: bool,
    has_time: bool,
    /// Whether a field should have been a time, and could not be read.
    is_time_unread: bool,
    /// The times in the usual fields, until it is known whether the row needs one.
    usual_times: [Option<FieldTime<'a>>; USUAL_TIME_FIELDS.len()],
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
        timestamp_field: &str,
        declared: Option<Columns>,
        encoding: Option<Arc<Encoding>>,
        max_row_bytes: usize,
    ) -> Self {
        Self(match layout.write_rows() {
            Some(write_rows) => {
                RowFormat::Tables(TablesEncoder { write_rows, encoding, plan, max_row_bytes })
            }
            None => RowFormat::Fields(Arc::new(FieldsEncoder {
                time: TimeField::of(timestamp_field),
                declared,
                encoding,
                max_row_bytes,
            })),
        })
    }
}

// === impl TimeField ===

impl TimeField {
    /// What can be a column's name is both the field and the column. Anything else is the path of a field, whose time goes into
    /// `TimeGenerated`.
    pub(super) fn of(written: &str) -> Self {
        let path = FieldPath::parse(written).map(|FieldPath(path)| path);
        match path {
            Ok(path) if Column::of(written) != Column::Plain(written) => {
                Self { column: TIME_GENERATED.to_owned(), path }
            }
            _ => Self { column: written.to_owned(), path: vec![Segment::Field(written.to_owned())] },
        }
    }

    /// The value of the field, if it is this one, or within it.
    fn find<'v>(&self, name: &str, json: &'v str) -> Option<&'v str> {
        let (first, rest) = self.path.split_first()?;
        matches!(first, Segment::Field(first) if first == name).then_some(())?;
        let mut found = json;
        for segment in rest {
            let mut inner = None;
            match segment {
                Segment::Field(name) => {
                    each_field(found.as_bytes(), |field, json| {
                        if field == name {
                            inner = Some(json);
                        }
                    });
                }
                Segment::Index(index) => {
                    let mut elements = Vec::new();
                    each_element(found, |json| elements.push(json));
                    let at = usize::try_from(*index)
                        .ok()
                        .or_else(|| elements.len().checked_sub(index.unsigned_abs()));
                    inner = at.and_then(|at| elements.get(at).copied());
                }
            }
            found = inner?;
        }
        Some(found)
    }

    const fn is_whole_field(&self) -> bool {
        self.path.len() == 1
    }
}

// === impl FieldsEncoder ===

impl FieldsEncoder {
    /// Appends the event's row to `out`, and answers what there is to say of it. An event without a time of its own gets
    /// `now`. If the event cannot be a row, `out` is as before.
    pub(super) fn write_row(
        &self,
        event: &Event,
        now: DateTime<Utc>,
        out: &mut Vec<u8>,
    ) -> Result<RowNotes, Reason> {
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
            time: &self.time,
            declared: self.declared.as_ref(),
            encoding: self.encoding.as_deref(),
            row: RowWriter::new(out, self.max_row_bytes),
            now,
            is_name_taken: false,
            has_time: false,
            is_time_unread: false,
            usual_times: Default::default(),
            extra: Vec::new(),
        };
        if !each_field(json, |name, value| row.field(name, value)) {
            out.truncate(start);
            return Err(not_an_object(json));
        }
        row.finish(event.timestamp().unwrap_or(now))
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
        if !self.has_time
            && let Some(found) = self.time.find(name, json)
        {
            match time(found, self.now) {
                Some(time) => {
                    self.has_time = true;
                    self.keep_time(None, time.time, found);
                    self.time_column(time);
                    if self.time.is_whole_field() {
                        return;
                    }
                }
                None => self.is_time_unread |= found != "null",
            }
        } else if let Some(at) = USUAL_TIME_FIELDS.iter().position(|usual| *usual == name)
            && self.usual_times[at].is_none()
        {
            match time(json, self.now) {
                Some(time) => {
                    self.usual_times[at] = Some(time);
                    return;
                }
                None => self.is_time_unread |= json != "null",
            }
        }
        self.other_field(name, json);
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
        if name == self.time.column {
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
    fn finish(mut self, time: DateTime<Utc>) -> Result<RowNotes, Reason> {
        for (name, found) in USUAL_TIME_FIELDS.into_iter().zip(std::mem::take(&mut self.usual_times)) {
            match found {
                Some(found) if !self.has_time => {
                    self.has_time = true;
                    self.keep_time(Some(name), found.time, found.json);
                    self.time_column(found);
                }
                Some(found) => self.other_field(name, found.json),
                None => {}
            }
        }
        let unread_times = u64::from(self.is_time_unread && !self.has_time);
        if !self.has_time {
            let text = time_of_row(time);
            self.keep_time(None, time, &text);
            self.row.column(&self.time.column, "", &text);
        }
        if !self.extra.is_empty() {
            self.extra.push(b'}');
            let extra = String::from_utf8(self.extra).unwrap_or_default();
            self.row.column(EXTRA_COLUMNS, "", &extra);
        }
        self.row.finish().map(|size| RowNotes { truncated_fields: size.truncated_fields, unread_times })
    }

    /// Keeps the row's time, as JSON, where Azure will replace it: under the name of its column or, if that is taken, under
    /// the one that it came with.
    fn keep_time(&mut self, came_as: Option<&str>, time: DateTime<Utc>, json: &str) {
        let column = self.time.column.as_str();
        let name = if self.is_name_taken { came_as } else { Some(column) };
        if let Some(name) = name
            && is_replaced(time, self.now)
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
    fn time_column(&mut self, FieldTime { time, json, is_rfc3339 }: FieldTime<'_>) {
        let with_all_digits = || format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        let written = if is_rfc3339 { Cow::Borrowed(json) } else { Cow::Owned(with_all_digits()) };
        match self.fitting(&self.time.column, "", &written) {
            Some(fitting) => self.row.column(&self.time.column, "", &fitting),
            None => self.row.column(&self.time.column, "", &written),
        }
    }

    fn extra_field(&mut self, name: &str, json: &str) {
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        write_text(name, &mut self.extra);
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
    }
}

/// Whether Azure will put another in the place of this `TimeGenerated`.
pub(super) fn is_replaced(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let age = now.signed_duration_since(time);
    age > OLDEST || age < -NEWEST
}

/// A time of ours, as JSON.
pub(super) fn time_of_row(time: DateTime<Utc>) -> String {
    format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The time that a JSON value is, in any form that logs have.
fn time(json: &str, now: DateTime<Utc>) -> Option<FieldTime<'_>> {
    let text = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    if let Some(time) = text.and_then(rfc3339) {
        return Some(FieldTime { time, json, is_rfc3339: true });
    }
    let time = match text {
        Some(text) if !text.contains('\\') => log_time(text, Some(now)),
        Some(_) => log_time(&serde_json::from_str::<String>(json).ok()?, Some(now)),
        None => log_time(json, None),
    };
    time.map(|time| FieldTime { time, json, is_rfc3339: false })
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
