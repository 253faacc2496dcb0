//! How one sink writes rows: as its layout says, or an event's fields as the columns of its row.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::column::{Column, EXTRA_COLUMNS, PlainNames};
use super::columns::Columns;
use super::encoding::Encoding;
use super::field_path::{FieldPath, Segment};
use super::layout::{Layout, WriteRows, read_object};
use super::row_writer::RowWriter;
use super::table_plan::TablePlan;
use model::event::{Body, Event};
use model::json::{Field, each_element, each_field, each_field_of_text, write_text};
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
    /// Names of fields that are columns as they are; not known if options have a say in it.
    plain_names: Option<PlainNames>,
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

/// When rows are written, and which times Azure leaves as they are then.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTime {
    now: DateTime<Utc>,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
}

/// Writes the fields of one event into the columns of its row.
struct FieldsRow<'a> {
    time: &'a TimeField,
    declared: Option<&'a Columns>,
    encoding: Option<&'a Encoding>,
    plain_names: Option<&'a PlainNames>,
    row: RowWriter<'a>,
    /// The event.
    text: &'a str,
    /// Fields of the event that stand behind each other and are columns as they are, and are not in the row yet.
    run: Range<usize>,
    now: RowTime,
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
        Self(if let Some(write_rows) = layout.write_rows() {
            RowFormat::Tables(TablesEncoder { write_rows, encoding, plan, max_row_bytes })
        } else {
            let time = TimeField::of(timestamp_field);
            RowFormat::Fields(Arc::new(FieldsEncoder::new(time, declared, encoding, max_row_bytes)))
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
    fn new(
        time: TimeField,
        declared: Option<Columns>,
        encoding: Option<Arc<Encoding>>,
        max_row_bytes: usize,
    ) -> Self {
        let plain_names = (declared.is_none() && encoding.is_none()).then(|| {
            let first = time.path.first().and_then(|segment| match segment {
                Segment::Field(name) => Some(name.as_str()),
                Segment::Index(_) => None,
            });
            PlainNames::except(USUAL_TIME_FIELDS.into_iter().chain([time.column.as_str()]).chain(first))
        });
        Self { time, declared, encoding, plain_names, max_row_bytes }
    }

    /// Appends the event's row to `out`, and answers what there is to say of it. An event without a time of its own gets
    /// `now`. If the event cannot be a row, `out` is as before.
    pub(super) fn write_row(
        &self,
        event: &Event,
        now: RowTime,
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
        let Ok(text) = std::str::from_utf8(json) else { return Err(not_an_object(json)) };
        let start = out.len();
        let mut row = FieldsRow {
            time: &self.time,
            declared: self.declared.as_ref(),
            encoding: self.encoding.as_deref(),
            plain_names: self.plain_names.as_ref(),
            row: RowWriter::new(out, self.max_row_bytes),
            text,
            run: 0..0,
            now,
            is_name_taken: false,
            has_time: false,
            is_time_unread: false,
            usual_times: Default::default(),
            extra: Vec::new(),
        };
        if !each_field_of_text(text, |field| row.field(field)) {
            out.truncate(start);
            return Err(not_an_object(json));
        }
        row.finish(event.timestamp().unwrap_or(now.now))
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
    /// Takes a field of the event: here a field meets its column.
    #[inline]
    fn field(&mut self, field: Field<'_, 'a>) {
        // Most fields of most events, in a hurry.
        if field.is_compact
            && !RowWriter::is_long(field.range.len())
            && self.plain_names.is_some_and(|plain| plain.contains(field.name))
        {
            self.column_as_it_stands(field.range);
        } else {
            self.special_field(field);
        }
    }

    fn special_field(&mut self, field: Field<'_, 'a>) {
        let (name, json) = (field.name, field.json);
        if !self.has_time
            && let Some(found) = self.time.find(name, json)
        {
            match time(found, self.now.now) {
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
            match time(json, self.now.now) {
                Some(time) => {
                    self.usual_times[at] = Some(time);
                    return;
                }
                None => self.is_time_unread |= json != "null",
            }
        }
        let text = (field.is_compact && !RowWriter::is_long(json.len())).then_some(field.range);
        self.other_field(name, json, text);
    }

    /// Takes a field that is not the row's time, and stands so in the event, if it can be a column as it stands there.
    fn other_field(&mut self, name: &str, json: &str, text: Option<Range<usize>>) {
        let written = match self.encoding {
            None => Cow::Borrowed(json),
            Some(encoding) => match encoding.field(name, json) {
                None => return,
                Some(json) => json,
            },
        };
        if name == self.time.column {
            // Not a time: the column could not take it, and it must not be lost.
            self.is_name_taken = true;
            self.extra_field(name, &written);
            return;
        }
        let (suffix, fitting) = match Column::of(name) {
            Column::Plain(name) => ("", self.fitting(name, "", &written)),
            Column::Reserved(name) => ("_", self.fitting(name, "_", &written)),
            Column::Extra(_) => ("", None),
        };
        match (fitting, text) {
            (Some(fitting), Some(text)) if suffix.is_empty() && std::ptr::eq(&raw const *fitting, json) => {
                self.column_as_it_stands(text);
            }
            (Some(fitting), _) => self.column(name, suffix, &fitting),
            (None, _) => self.extra_field(name, &written),
        }
    }

    /// Writes a column that stands in the event as it is in the row: together with its neighbours, when their run ends.
    fn column_as_it_stands(&mut self, text: Range<usize>) {
        // Between two that stand behind each other is a comma, and nothing else.
        if self.run.end + 1 == text.start && !self.run.is_empty() {
            self.run.end = text.end;
        } else {
            self.end_run();
            self.run = text;
        }
    }

    fn end_run(&mut self) {
        if !self.run.is_empty() {
            self.row.columns(self.text.get(self.run.clone()).unwrap_or_default());
            self.run = 0..0;
        }
    }

    fn column(&mut self, name: &str, suffix: &str, json: &str) {
        self.end_run();
        self.row.column(name, suffix, json);
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
                Some(found) => self.other_field(name, found.json, None),
                None => {}
            }
        }
        let unread_times = u64::from(self.is_time_unread && !self.has_time);
        if !self.has_time {
            let text = time_of_row(time);
            self.keep_time(None, time, &text);
            self.column(&self.time.column, "", &text);
        }
        self.end_run();
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
            && self.now.is_replaced(time)
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
        let fitting = self.fitting(&self.time.column, "", &written);
        self.column(&self.time.column, "", fitting.as_ref().unwrap_or(&written));
    }

    fn extra_field(&mut self, name: &str, json: &str) {
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        write_text(name, &mut self.extra);
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
    }
}

// === impl RowTime ===

impl RowTime {
    /// Rows are written `now`.
    pub(super) fn of(now: DateTime<Utc>) -> Self {
        let oldest = now.checked_sub_signed(OLDEST).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let newest = now.checked_add_signed(NEWEST).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { now, oldest, newest }
    }

    /// Whether Azure will put another in the place of this `TimeGenerated`.
    fn is_replaced(&self, time: DateTime<Utc>) -> bool {
        time < self.oldest || time > self.newest
    }
}

/// Whether Azure will put another in the place of this `TimeGenerated`.
pub(super) fn is_replaced(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    RowTime::of(now).is_replaced(time)
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
