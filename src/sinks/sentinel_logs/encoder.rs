//! Writes one event as one row: a JSON object whose fields are columns.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::column::{Column, EXTRA_COLUMNS, TRUNCATED_COLUMNS};
use super::columns::Columns;
use crate::model::event::{Body, Event};
use crate::model::value::Value;
use crate::quarantine::Reason;

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

/// A name, borrowed unless it has escapes.
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
    has_time: bool,
    /// Vector's own timestamp, until it is known whether the row needs it.
    vector_time: Option<(DateTime<Utc>, String)>,
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
        out.push(b'{');
        let mut row = RowWriter {
            timestamp_field: &self.timestamp_field,
            columns: self.columns.as_ref(),
            out,
            now,
            keeps_time: self.keeps_time,
            has_time: false,
            vector_time: None,
            whole: 0,
            extra: Vec::new(),
            truncated: Vec::new(),
            truncated_fields: 0,
        };
        let read = match event.body() {
            Body::Json(json) => read_fields(json, &mut row),
            Body::Value(Value::Object(fields)) => row.take_fields(fields),
            Body::Value(_) => Err(serde::de::Error::custom("its root is a plain value or a list")),
        };
        read.map_err(|error| not_an_object(&error))?;
        // Before fields are cut: a row that is too large as a whole is kept whole, in the quarantine.
        if row.whole > self.max_row_bytes {
            return Err(self.too_large(row.whole));
        }
        row.finish(event.timestamp().unwrap_or(now)).map_err(|error| not_an_object(&error))
    }

    fn too_large(&self, size: usize) -> Reason {
        let message = format!(
            "the row has {size} bytes, and one call may have {} in all (batch.max_bytes)",
            self.max_row_bytes
        );
        Reason { code: "too_large", message, request_id: None }
    }
}

fn not_an_object(error: &serde_json::Error) -> Reason {
    let message = format!("an event must be an object to become a row: {error}");
    Reason { code: "not_an_object", message, request_id: None }
}

/// Feeds the fields of a JSON object to `row`.
fn read_fields(json: &Bytes, row: &mut RowWriter<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    row.deserialize(&mut deserializer)?;
    deserializer.end()
}

// === impl RowWriter ===

impl<'de> DeserializeSeed<'de> for &mut RowWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut RowWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            self.field(&name, value.get()).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

impl RowWriter<'_> {
    /// Feeds it the fields of an object of Vector's.
    fn take_fields(&mut self, fields: &BTreeMap<String, Value>) -> Result<(), serde_json::Error> {
        let mut json = Vec::new();
        for (name, value) in fields {
            json.clear();
            value.write_json(&mut json);
            let text = std::str::from_utf8(&json).map_err(serde::de::Error::custom)?;
            self.field(name, text)?;
        }
        Ok(())
    }

    fn field(&mut self, name: &str, json: &str) -> Result<(), serde_json::Error> {
        self.whole += name.len() + json.len();
        if name == self.timestamp_field {
            if let Some(time) = time(json)
                && !self.has_time
            {
                self.has_time = true;
                self.keep_time(time, json)?;
                self.time_column(json)
            } else {
                // Not a time: the column could not take it, and it must not be lost.
                self.keeps_time = false;
                self.extra_field(name, json)
            }
        } else if name == VECTOR_TIMESTAMP
            && let Some(time) = time(json)
        {
            self.vector_time = Some((time, json.to_owned()));
            Ok(())
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
    fn finish(mut self, time: DateTime<Utc>) -> Result<u64, serde_json::Error> {
        match (self.has_time, self.vector_time.take()) {
            (true, None) => {}
            (true, Some((_, text))) => match self.fitting(VECTOR_TIMESTAMP, "", &text) {
                Some(text) => self.column(VECTOR_TIMESTAMP, "", &text)?,
                None => self.extra_field(VECTOR_TIMESTAMP, &text)?,
            },
            (false, Some((time, text))) => {
                self.keep_time(time, &text)?;
                self.time_column(&text)?;
            }
            (false, None) => {
                let text = format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true));
                self.keep_time(time, &text)?;
                self.column(self.timestamp_field, "", &text)?;
            }
        }
        if !self.extra.is_empty() {
            self.extra.push(b'}');
            let extra = String::from_utf8(std::mem::take(&mut self.extra)).unwrap_or_default();
            self.column(EXTRA_COLUMNS, "", &extra)?;
        }
        if !self.truncated.is_empty() {
            self.begin(TRUNCATED_COLUMNS, "");
            self.out.append(&mut self.truncated);
            self.out.push(b']');
        }
        self.out.push(b'}');
        Ok(self.truncated_fields)
    }

    /// Keeps the row's time, as JSON, where Azure will replace it.
    fn keep_time(&mut self, time: DateTime<Utc>, json: &str) -> Result<(), serde_json::Error> {
        if self.keeps_time && (time < self.now - OLDEST || time > self.now + NEWEST) {
            self.extra_field(self.timestamp_field, json)?;
        }
        Ok(())
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
    fn time_column(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let json = self.fitting(self.timestamp_field, "", json).unwrap_or(Cow::Borrowed(json));
        self.column(self.timestamp_field, "", &json)
    }

    /// Writes one column. `name` and `suffix` need no escaping: they are legal names.
    fn column(&mut self, name: &str, suffix: &str, json: &str) -> Result<(), serde_json::Error> {
        self.begin(name, suffix);
        // A value's text is at least as long as the value: most need no closer look.
        let cut = if json.len() > MAX_FIELD_BYTES { cut(json)? } else { None };
        let Some((json, bytes)) = cut else {
            self.out.extend_from_slice(json.as_bytes());
            return Ok(());
        };
        self.out.extend_from_slice(json.as_bytes());
        self.truncated.push(if self.truncated.is_empty() { b'[' } else { b',' });
        self.truncated
            .extend_from_slice(format!("{{\"column\":\"{name}{suffix}\",\"bytes\":{bytes}}}").as_bytes());
        self.truncated_fields += 1;
        Ok(())
    }

    fn begin(&mut self, name: &str, suffix: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        for part in ["\"", name, suffix, "\":"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn extra_field(&mut self, name: &str, json: &str) -> Result<(), serde_json::Error> {
        self.extra.push(if self.extra.is_empty() { b'{' } else { b',' });
        serde_json::to_writer(&mut self.extra, name)?;
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
        Ok(())
    }
}

/// The value cut to what a field may have, as JSON, with its size before; nothing if it need not be cut.
///
/// A string is cut at a character, and an array after an element, so that it stays an array. Anything else is cut as JSON
/// text and becomes a string.
fn cut(json: &str) -> Result<Option<(String, usize)>, serde_json::Error> {
    if json.starts_with('[')
        && let Some(kept) = cut_array(json)?
    {
        return Ok(Some((kept, json.len())));
    }
    let value =
        if json.starts_with('"') { Cow::Owned(serde_json::from_str(json)?) } else { Cow::Borrowed(json) };
    if value.len() <= MAX_FIELD_BYTES {
        return Ok(None);
    }
    let end = value.floor_char_boundary(MAX_FIELD_BYTES);
    let kept = value.get(..end).unwrap_or_default();
    Ok(Some((serde_json::to_string(kept)?, value.len())))
}

/// As many elements as fit; nothing if not even the first does.
fn cut_array(json: &str) -> Result<Option<String>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(json)?;
    let mut kept = String::from("[");
    for element in elements {
        // A comma or the bracket, and the bracket that ends the array.
        if kept.len() + element.get().len() + 2 > MAX_FIELD_BYTES {
            break;
        }
        if kept.len() > 1 {
            kept.push(',');
        }
        kept.push_str(element.get());
    }
    kept.push(']');
    Ok((kept.len() > 2).then_some(kept))
}

/// The time that a JSON text is, in RFC 3339.
fn time(json: &str) -> Option<DateTime<Utc>> {
    let Name(text) = serde_json::from_str::<Name<'_>>(json).ok()?;
    DateTime::parse_from_rfc3339(&text).ok().map(Into::into)
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
