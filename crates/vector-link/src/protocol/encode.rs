//! From our events to what Vector reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::MAX_LEVELS;
use super::generated::event::event_wrapper::Event as Kind;
use super::generated::event::value::Kind as ProtoKind;
use super::generated::event::{EventWrapper, Log, Value as ProtoValue, ValueArray, ValueMap, ValueNull};
use model::event::{Body, Event};
use model::value::Value;

/// An event as Vector reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The event in Vector's encoding.
    pub wrapper: EventWrapper,
    /// How many of its values were nested too deep for Vector, and are JSON text now.
    pub flattened: usize,
}

/// Encodes an event of a source of type `source_type`.
///
/// JSON has no times, so a time in it stays text; but every log of Vector's has the field `timestamp`, and here it is the
/// event's own time. Likewise `source_type`. A whole number that needs 64 bits without sign becomes text, so that no
/// digit is lost. What is no JSON at all becomes the field `message`, as Vector's sources have it.
#[must_use]
pub fn encode(event: &Event, source_type: &'static str) -> Encoded {
    let (root, flattened) = match event.body() {
        Body::Json(json) => read(json).unwrap_or_else(|_| {
            let message = ProtoKind::RawBytes(json.clone());
            (object([("message".to_owned(), ProtoValue { kind: Some(message) })].into()), 0)
        }),
        Body::Value(value) => {
            let mut value = value.clone();
            let flattened = value.flatten_below(MAX_LEVELS);
            (value.into(), flattened)
        }
    };
    let log = match root.kind {
        Some(ProtoKind::Map(ValueMap { mut fields })) => {
            add_own(&mut fields, event.timestamp(), source_type);
            Log { fields, ..Log::default() }
        }
        kind => Log { value: Some(ProtoValue { kind }), ..Log::default() },
    };
    Encoded { wrapper: EventWrapper { event: Some(Kind::Log(log)) }, flattened }
}

/// Adds what every log of Vector's has, unless the event says it itself.
fn add_own(
    fields: &mut BTreeMap<String, ProtoValue>,
    timestamp: Option<DateTime<Utc>>,
    source_type: &'static str,
) {
    if let Some(time) = timestamp {
        fields.entry("timestamp".to_owned()).or_insert_with(|| Value::Timestamp(time).into());
    }
    let source_type = || Value::Bytes(source_type.into()).into();
    fields.entry("source_type".to_owned()).or_insert_with(source_type);
}

fn read(json: &[u8]) -> Result<(ProtoValue, usize), serde_json::Error> {
    let mut flattened = 0;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Reader { levels: MAX_LEVELS, flattened: &mut flattened }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, flattened))
}

fn object(fields: BTreeMap<String, ProtoValue>) -> ProtoValue {
    ProtoValue { kind: Some(ProtoKind::Map(ValueMap { fields })) }
}

impl From<Value> for ProtoValue {
    fn from(value: Value) -> Self {
        let kind = match value {
            Value::Bytes(bytes) => ProtoKind::RawBytes(bytes),
            Value::Integer(number) => ProtoKind::Integer(number),
            Value::Float(number) => ProtoKind::Float(number),
            Value::Boolean(flag) => ProtoKind::Boolean(flag),
            Value::Timestamp(time) => ProtoKind::Timestamp(prost_types::Timestamp {
                seconds: time.timestamp(),
                nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
            }),
            Value::Object(fields) => {
                return object(fields.into_iter().map(|(name, value)| (name, value.into())).collect());
            }
            Value::Array(items) => {
                ProtoKind::Array(ValueArray { items: items.into_iter().map(Into::into).collect() })
            }
            Value::Null => ProtoKind::Null(ValueNull::NullValue.into()),
        };
        Self { kind: Some(kind) }
    }
}

/// Reads JSON into a value of Vector's without anything in between.
struct Reader<'a> {
    /// How many levels there may still be.
    levels: usize,
    flattened: &'a mut usize,
}

impl Reader<'_> {
    const fn below(&mut self) -> Reader<'_> {
        Reader { levels: self.levels - 1, flattened: self.flattened }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ProtoValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ProtoValue, D::Error> {
        if self.levels > 0 {
            return deserializer.deserialize_any(self);
        }
        // Here a list or an object would be one level too many.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with(['{', '[']) {
            *self.flattened += 1;
            return Ok(Value::Bytes(raw.to_owned().into()).into());
        }
        let mut plain = serde_json::Deserializer::from_str(raw);
        plain.deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ProtoValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<ProtoValue, E> {
        Ok(Value::Boolean(flag).into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ProtoValue, E> {
        Ok(Value::Integer(number).into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ProtoValue, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Value::Bytes(number.to_string().into()), Value::Integer)
            .into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<ProtoValue, E> {
        Ok(Value::Float(number).into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProtoValue, E> {
        Ok(Value::Bytes(text.to_owned().into()).into())
    }

    fn visit_unit<E: Error>(self) -> Result<ProtoValue, E> {
        Ok(Value::Null.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<ProtoValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.below())? {
            items.push(item);
        }
        Ok(ProtoValue { kind: Some(ProtoKind::Array(ValueArray { items })) })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<ProtoValue, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            fields.insert(name.into_owned(), map.next_value_seed(self.below())?);
        }
        Ok(object(fields))
    }
}
