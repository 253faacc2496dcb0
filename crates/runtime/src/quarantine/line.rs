//! One line: an event, and why it is here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use model::event::{Body, Event};
use model::value::Value;

/// The code of lines that are none of ours: cut off by a crash, or written by somebody else.
pub const UNREADABLE: &str = "unreadable";

/// Why an event is here.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// One word for grouping: `too_large`, `not_an_object`, `refused`.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// The service's id of the request that was refused, if there was one.
    pub request_id: Option<String>,
}

/// An event that is in the quarantine.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Names it, in its component's quarantine.
    pub id: String,
    /// When it was put here; unknown if the line cannot be read.
    pub time: Option<DateTime<Utc>>,
    /// One word for grouping.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// The service's id of the request that was refused, if there was one.
    pub request_id: Option<String>,
    /// The stream that it was meant for, if that is known.
    pub stream: Option<String>,
    /// How many bytes it has as JSON.
    pub bytes: u64,
    /// Where its line is.
    pub at: At,
    line: Vec<u8>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub(super) file: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<DateTime<Utc>>,
    code: &'a str,
    message: &'a str,
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    bytes: u64,
    /// When the event happened, if its source knew and it does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<DateTime<Utc>>,
    /// The event: as JSON if it is that, else as text.
    event: Payload<'a>,
    /// What of it is not UTF-8 and so not whole in `event`: in Base64, by its place.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_utf8: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

#[derive(Deserialize)]
struct Read<'a> {
    id: Option<String>,
    time: Option<DateTime<Utc>>,
    code: String,
    message: String,
    request_id: Option<String>,
    stream: Option<String>,
    bytes: u64,
    timestamp: Option<DateTime<Utc>>,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(default)]
    not_utf8: BTreeMap<String, String>,
}

/// The line for an event, with the line break that ends it.
pub(super) fn write(
    id: &str,
    event: &Event,
    reason: &Reason,
    stream: Option<&str>,
    time: DateTime<Utc>,
) -> Result<Vec<u8>, serde_json::Error> {
    let text = event.to_json();
    // A line break inside the JSON would end the line: such a text is kept as a string.
    let json = (!text.contains(&b'\n')).then(|| serde_json::from_slice::<&RawValue>(&text).ok()).flatten();
    let payload = json.map_or_else(|| Payload::Text(String::from_utf8_lossy(&text)), Payload::Json);
    let not_utf8 = not_utf8(event).into_iter().map(|(place, bytes)| (place, BASE64_STANDARD.encode(bytes)));
    Written {
        id,
        time: Some(time),
        code: reason.code,
        message: &reason.message,
        request_id: reason.request_id.as_deref(),
        stream,
        bytes: text.len() as u64,
        timestamp: event.timestamp(),
        event: payload,
        not_utf8: not_utf8.collect(),
    }
    .to_line()
}

fn not_utf8(event: &Event) -> Vec<(String, Bytes)> {
    match event.body() {
        Body::Json(json) if std::str::from_utf8(json).is_err() => vec![(String::new(), json.clone())],
        Body::Json(_) => Vec::new(),
        Body::Value(value) => value.not_utf8(),
    }
}

// === impl Written ===

impl Written<'_> {
    fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

// === impl Entry ===

impl Entry {
    /// The event of a line without its line break.
    pub(super) fn read(line: Vec<u8>, at: At) -> Self {
        let own_id = || format!("{}-{}", at.file, at.offset);
        match serde_json::from_slice::<Read<'_>>(&line) {
            Ok(read) => Self {
                id: read.id.unwrap_or_else(own_id),
                time: read.time,
                code: read.code,
                message: read.message,
                request_id: read.request_id,
                stream: read.stream,
                bytes: read.bytes,
                at,
                line,
            },
            Err(error) => Self {
                id: own_id(),
                time: None,
                code: UNREADABLE.to_owned(),
                message: format!("the line cannot be read, a crash may have cut it off: {error}"),
                request_id: None,
                stream: None,
                bytes: line.len() as u64,
                at,
                line,
            },
        }
    }

    /// The event, as it came; nothing if the line cannot be read.
    pub fn event(&self) -> Option<Event> {
        if self.code == UNREADABLE {
            return None;
        }
        let read: Read<'_> = serde_json::from_slice(&self.line).ok()?;
        let decoded = |text: &String| BASE64_STANDARD.decode(text).ok().map(Bytes::from);
        if let Some(whole) = read.not_utf8.get("") {
            return Some(Event::new(decoded(whole)?, read.timestamp));
        }
        if read.not_utf8.is_empty() {
            // What is a string here was text that is no JSON on one line.
            let text = serde_json::from_str::<String>(read.event.get());
            let body = text.unwrap_or_else(|_| read.event.get().to_owned());
            return Some(Event::new(body.into(), read.timestamp));
        }
        let mut value = value(serde_json::from_str(read.event.get()).ok()?);
        for (place, bytes) in &read.not_utf8 {
            put(&mut value, place, &decoded(bytes)?);
        }
        Some(Event::from_value(value))
    }

    /// The event as it stands in the line, for people: what is not UTF-8 is not whole.
    pub fn event_text(&self) -> Cow<'_, str> {
        let Ok(read) = serde_json::from_slice::<Read<'_>>(&self.line) else {
            return String::from_utf8_lossy(&self.line);
        };
        serde_json::from_str(read.event.get()).map_or(Cow::Borrowed(read.event.get()), Cow::Owned)
    }

    /// The line, with the line break that ends it. Also of a line without an id, or that cannot be read, it is one that says
    /// the id and can be read.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let read = serde_json::from_slice::<Read<'_>>(&self.line).ok();
        if read.as_ref().is_some_and(|read| read.id.is_some()) {
            return Ok([&self.line, &b"\n"[..]].concat());
        }
        let (timestamp, event, not_utf8) = match read {
            Some(read) => (read.timestamp, Payload::Json(read.event), read.not_utf8),
            None => (None, Payload::Text(String::from_utf8_lossy(&self.line)), BTreeMap::new()),
        };
        Written {
            id: &self.id,
            time: self.time,
            code: &self.code,
            message: &self.message,
            request_id: self.request_id.as_deref(),
            stream: self.stream.as_deref(),
            bytes: self.bytes,
            timestamp,
            event,
            not_utf8,
        }
        .to_line()
    }
}

/// A value of Vector's from its JSON.
fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::INFINITY)), Value::Integer),
        Json::String(text) => Value::Bytes(text.into()),
        Json::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        Json::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, value(field))).collect())
        }
    }
}

/// Puts bytes where `place` says: `/fields/0`. A name may have a slash in it.
fn put(value: &mut Value, place: &str, bytes: &Bytes) -> bool {
    let Some(place) = place.strip_prefix('/') else {
        let found = place.is_empty() && matches!(value, Value::Bytes(_));
        if found {
            *value = Value::Bytes(bytes.clone());
        }
        return found;
    };
    match value {
        Value::Object(fields) => fields.iter_mut().any(|(name, field)| {
            place.strip_prefix(name.as_str()).is_some_and(|place| put(field, place, bytes))
        }),
        Value::Array(items) => items.iter_mut().enumerate().any(|(index, item)| {
            place.strip_prefix(&index.to_string()).is_some_and(|place| put(item, place, bytes))
        }),
        _ => false,
    }
}
