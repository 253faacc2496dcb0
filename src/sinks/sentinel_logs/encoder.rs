//! Writes one event as one row: a JSON object whose fields are columns.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::column::{Column, EXTRA_COLUMNS, TRUNCATED_COLUMNS};
use super::columns::Columns;
use model::event::{Body, Event};
use model::json::{each_field, write_text};
use model::time::rfc3339;
use runtime::quarantine::Reason;

/// Longest value of a field, in bytes: the service cuts what is longer, and does not say so.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
const MAX_FIELD_BYTES: usize = 65_536;
/// Where Vector keeps an event's time by default.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#log_schema.timestamp_key>
const VECTOR_TIMESTAMP: &str = "timestamp";

/// Azure puts the time of ingestion in the place of a `TimeGenerated` older than this, or this much in the future.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
const OLDEST: TimeDelta = TimeDelta::days(2);
const NEWEST: TimeDelta = TimeDelta::days(1);

/// Writes rows. Of an event that is JSON text, values are copied as they stand in it; nothing is parsed that need not be.
#[derive(Clone, Debug)]
pub struct Encoder {
    timestamp_field: String,
    max_row_bytes: usize,
    /// The columns that the stream has, if that is known.
    columns: Option<Columns>,
    /// Whether rows have no other column with the event's time.
    keeps_time: bool,
}

/// A text, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Writes the fields of one event behind each other.
struct RowWriter<'a> {
    timestamp_field: &'a str,
    columns: Option<&'a Columns>,
    out: &'a mut Vec<u8>,
    now: DateTime<Utc>,
    /// Whether a time that Azure will replace goes into `ExtraColumns`, under the name of its column.
    keeps_time: bool,
    /// Whether something else is there under that name.
    is_name_taken: bool,
    has_time: bool,
    /// Vector's own timestamp, until it is known whether the row needs it.
    vector_time: Option<(DateTime<Utc>, &'a str)>,
    /// Bytes of all fields, before any is cut.
    whole: usize,
    extra: Vec<u8>,
    truncated: Vec<u8>,
    truncated_fields: u64,
}

// === impl Encoder ===

impl Encoder {
    /// `timestamp_field` is the column of the event's time; a row may have `max_row_bytes`. If the stream's `columns` are
    /// known, no field goes into any other, nor into one that cannot hold it.
    #[must_use]
    pub const fn new(timestamp_field: String, max_row_bytes: usize, columns: Option<Columns>) -> Self {
        Self { timestamp_field, max_row_bytes, columns, keeps_time: true }
    }

    /// The same for rows that have their times in other columns, too.
    #[must_use]
    pub fn with_times_elsewhere(self) -> Self {
        Self { keeps_time: false, ..self }
    }

    /// Appends the event's row to `out`, and answers how many of its fields were cut. An event without a time of its
    /// own gets `now`. If the event cannot be a row, `out` is as before.
    pub fn write_row(&self, event: &Event, now: DateTime<Utc>, out: &mut Vec<u8>) -> Result<u64, Reason> {
        let start = out.len();
        let row = self.write_fields(event, now, out);
        let size = out.len() - start;
        let row = if size > self.max_row_bytes { row.and(Err(self.too_large(size))) } else { row };
        if row.is_err() {
            out.truncate(start);
        }
        row
    }

    fn write_fields(&self, event: &Event, now: DateTime<Utc>, out: &mut Vec<u8>) -> Result<u64, Reason> {
        let written;
        let json: &[u8] = match event.body() {
            Body::Json(json) => json,
            Body::Value(value) => {
                written = value.to_json();
                &written
            }
        };
        out.push(b'{');
        let mut row = RowWriter {
            timestamp_field: &self.timestamp_field,
            columns: self.columns.as_ref(),
            out,
            now,
            keeps_time: self.keeps_time,
            is_name_taken: false,
            has_time: false,
            vector_time: None,
            whole: 0,
            extra: Vec::new(),
            truncated: Vec::new(),
            truncated_fields: 0,
        };
        if !each_field(json, |name, value| row.field(name, value)) {
            return Err(not_an_object(json));
        }
        // Before fields are cut: a row that is too large as a whole is kept whole, in the quarantine.
        if row.whole > self.max_row_bytes {
            return Err(self.too_large(row.whole));
        }
        Ok(row.finish(event.timestamp().unwrap_or(now)))
    }

    fn too_large(&self, size: usize) -> Reason {
        let message = format!(
            "the row has {size} bytes, and one call may have {} in all (batch.max_bytes)",
            self.max_row_bytes
        );
        Reason { code: "too_large", message, request_id: None }
    }
}

fn not_an_object(json: &[u8]) -> Reason {
    // Slower, but it knows where the mistake is.
    let read = serde_json::from_slice::<HashMap<String, &RawValue>>(json);
    let mistake = read.err().map(|error| format!(": {error}")).unwrap_or_default();
    let message = format!("an event must be an object to become a row{mistake}");
    Reason { code: "not_an_object", message, request_id: None }
}

// === impl RowWriter ===

impl<'a> RowWriter<'a> {
    /// Takes a field of the event, with its value as JSON: here a field meets its column.
    fn field(&mut self, name: &str, json: &'a str) {
        self.whole += name.len() + json.len();
        if name == self.timestamp_field {
            if let Some(time) = time(json)
                && !self.has_time
            {
                self.has_time = true;
                self.keep_time(None, time, json);
                self.time_column(json);
            } else {
                // Not a time: the column could not take it, and it must not be lost.
                self.is_name_taken = true;
                self.extra_field(name, json);
            }
        } else if name == VECTOR_TIMESTAMP
            && self.vector_time.is_none()
            && let Some(time) = time(json)
        {
            self.vector_time = Some((time, json));
        } else {
            let (suffix, fitting) = match Column::of(name) {
                Column::Plain(name) => ("", self.fitting(name, "", json)),
                Column::Reserved(name) => ("_", self.fitting(name, "_", json)),
                Column::Extra(_) => ("", None),
            };
            match fitting {
                Some(json) => self.column(name, suffix, &json),
                None => self.extra_field(name, json),
            }
        }
    }

    /// Ends the row; `time` is its time if no field has said so.
    fn finish(mut self, time: DateTime<Utc>) -> u64 {
        match (self.has_time, self.vector_time.take()) {
            (true, None) => {}
            (true, Some((_, text))) => match self.fitting(VECTOR_TIMESTAMP, "", text) {
                Some(text) => self.column(VECTOR_TIMESTAMP, "", &text),
                None => self.extra_field(VECTOR_TIMESTAMP, text),
            },
            (false, Some((time, text))) => {
                self.keep_time(Some(VECTOR_TIMESTAMP), time, text);
                self.time_column(text);
            }
            (false, None) => {
                let text = format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true));
                self.keep_time(None, time, &text);
                self.column(self.timestamp_field, "", &text);
            }
        }
        if !self.extra.is_empty() {
            self.extra.push(b'}');
            let extra = String::from_utf8(std::mem::take(&mut self.extra)).unwrap_or_default();
            self.column(EXTRA_COLUMNS, "", &extra);
        }
        if !self.truncated.is_empty() {
            self.begin(TRUNCATED_COLUMNS, "");
            self.out.append(&mut self.truncated);
            self.out.push(b']');
        }
        self.out.push(b'}');
        self.truncated_fields
    }

    /// Keeps the row's time, as JSON, where Azure will replace it: under the name of its column or, if that is taken, under
    /// the one that it came with.
    fn keep_time(&mut self, came_as: Option<&str>, time: DateTime<Utc>, json: &str) {
        let age = self.now.signed_duration_since(time);
        let name = if self.is_name_taken { came_as } else { Some(self.timestamp_field) };
        if let Some(name) = name
            && self.keeps_time
            && (age > OLDEST || age < -NEWEST)
        {
            self.extra_field(name, json);
        }
    }

    /// What is written of a value into a column, if the stream has it and it can hold the value, as far as is known.
    fn fitting<'v>(&self, name: &str, suffix: &str, json: &'v str) -> Option<Cow<'v, str>> {
        match (self.columns, suffix) {
            (None, _) => Some(Cow::Borrowed(json)),
            (Some(columns), "") => columns.fit(name, json),
            (Some(columns), suffix) => columns.fit(&format!("{name}{suffix}"), json),
        }
    }

    /// Writes the column of the event's time.
    fn time_column(&mut self, json: &str) {
        let json = self.fitting(self.timestamp_field, "", json).unwrap_or(Cow::Borrowed(json));
        self.column(self.timestamp_field, "", &json);
    }

    /// Writes one column. `name` and `suffix` need no escaping: they are legal names.
    fn column(&mut self, name: &str, suffix: &str, json: &str) {
        self.begin(name, suffix);
        // A value's text is at least as long as the value: most need no closer look.
        let cut = if json.len() > MAX_FIELD_BYTES { cut(json) } else { None };
        let Some((json, bytes)) = cut else {
            self.out.extend_from_slice(json.as_bytes());
            return;
        };
        self.out.extend_from_slice(&json);
        self.truncated.push(if self.truncated.is_empty() { b'[' } else { b',' });
        self.truncated
            .extend_from_slice(format!("{{\"column\":\"{name}{suffix}\",\"bytes\":{bytes}}}").as_bytes());
        self.truncated_fields += 1;
    }

    fn begin(&mut self, name: &str, suffix: &str) {
        let quote = if self.out.last() == Some(&b'{') { "\"" } else { ",\"" };
        for part in [quote, name] {
            self.out.extend_from_slice(part.as_bytes());
        }
        if !suffix.is_empty() {
            self.out.extend_from_slice(suffix.as_bytes());
        }
        self.out.extend_from_slice(b"\":");
    }

    fn extra_field(&mut self, name: &str, json: &str) {
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        write_text(name, &mut self.extra);
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
    }
}

/// The value cut to what a field may have, as JSON, with its size before; nothing if it need not be cut.
///
/// A string is cut at a character, and an array after an element, so that it stays an array. Anything else is cut as JSON
/// text and becomes a string.
fn cut(json: &str) -> Option<(Vec<u8>, usize)> {
    if let Some(kept) = cut_array(json) {
        return Some((kept, json.len()));
    }
    // A string with an escape that stands for no character is cut as text, too.
    let text = serde_json::from_str(json).map_or(Cow::Borrowed(json), |Name(text)| text);
    if text.len() <= MAX_FIELD_BYTES {
        return None;
    }
    let end = text.floor_char_boundary(MAX_FIELD_BYTES);
    let mut kept = Vec::with_capacity(MAX_FIELD_BYTES + 2);
    write_text(text.get(..end).unwrap_or_default(), &mut kept);
    Some((kept, text.len()))
}

/// As many elements as fit; nothing if not even the first does, or if it is no array.
fn cut_array(json: &str) -> Option<Vec<u8>> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let mut kept = vec![b'['];
    for element in elements {
        // A comma or the bracket, and the bracket that ends the array.
        if kept.len() + element.get().len() + 2 > MAX_FIELD_BYTES {
            break;
        }
        if kept.len() > 1 {
            kept.push(b',');
        }
        kept.extend_from_slice(element.get().as_bytes());
    }
    kept.push(b']');
    (kept.len() > 2).then_some(kept)
}

/// The time that a JSON text is, in RFC 3339.
fn time(json: &str) -> Option<DateTime<Utc>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    rfc3339(text).or_else(|| {
        let Name(unescaped) = text.contains('\\').then(|| serde_json::from_str(json).ok())??;
        rfc3339(&unescaped)
    })
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
