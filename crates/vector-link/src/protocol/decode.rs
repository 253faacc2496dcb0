//! From one event as Vector sends it to ours.

use bytes::Bytes;
use chrono::DateTime;
use prost::{DecodeError, Message};

use super::MAX_LEVELS;
use super::generated::event::event_wrapper::Event as Kind;
use super::generated::event::value::Kind as ProtoKind;
use super::generated::event::{EventWrapper, Log, Value as ProtoValue};
use super::rescue::rescue;
use super::transcode::transcode;
use model::event::Event;
use model::value::Value;

/// What an event of Vector's turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A log, ready for our sinks.
    Log {
        /// The event as it came.
        event: Event,
        /// How many of its values were nested too deep, and are JSON text now.
        flattened: usize,
    },
    /// A metric, a trace, or what a later Vector may send: nothing that could be a row.
    NotALog,
}

/// Decodes the events of one push, each an `event.EventWrapper`. Those that are JSON then share one piece of memory.
#[must_use]
pub fn decode(wires: &[Bytes]) -> Vec<Result<Decoded, DecodeError>> {
    let mut json = Vec::with_capacity(wires.iter().map(Bytes::len).sum());
    let ends: Vec<Option<usize>> = wires
        .iter()
        .map(|wire| {
            let start = json.len();
            if transcode(wire, &mut json).is_none() {
                json.truncate(start);
                return None;
            }
            Some(json.len())
        })
        .collect();
    let json = Bytes::from(json);
    let mut start = 0;
    let decoded = wires.iter().zip(ends).map(|(wire, end)| {
        let Some(end) = end else { return decode_values(wire) };
        let event = Event::new(json.slice(start..end), None);
        start = end;
        Ok(Decoded::Log { event, flattened: 0 })
    });
    decoded.collect()
}

/// Decodes whatever is out of the ordinary.
pub(super) fn decode_values(wire: &Bytes) -> Result<Decoded, DecodeError> {
    let wrapper = match EventWrapper::decode(wire.clone()) {
        Ok(wrapper) => wrapper,
        // The usual reason is nesting, which that decoder follows no further than Vector's does.
        Err(error) => return rescue(wire).map(flattened).ok_or(error),
    };
    Ok(match wrapper.event {
        Some(Kind::Log(log)) => Decoded::Log { event: Event::from_value(root(log)), flattened: 0 },
        Some(Kind::Metric(_) | Kind::Trace(_)) | None => Decoded::NotALog,
    })
}

fn flattened(mut value: Value) -> Decoded {
    let flattened = value.flatten_below(MAX_LEVELS);
    Decoded::Log { event: Event::from_value(value), flattened }
}

fn root(log: Log) -> Value {
    match log.value {
        // A root that is no object.
        Some(value) => value.into(),
        None => Value::Object(log.fields.into_iter().map(|(name, value)| (name, value.into())).collect()),
    }
}

impl From<ProtoValue> for Value {
    fn from(value: ProtoValue) -> Self {
        match value.kind {
            Some(ProtoKind::RawBytes(bytes)) => Self::Bytes(bytes),
            Some(ProtoKind::Timestamp(time)) => timestamp(time),
            Some(ProtoKind::Integer(number)) => Self::Integer(number),
            Some(ProtoKind::Float(number)) => Self::Float(number),
            Some(ProtoKind::Boolean(flag)) => Self::Boolean(flag),
            Some(ProtoKind::Map(map)) => {
                Self::Object(map.fields.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
            Some(ProtoKind::Array(array)) => Self::Array(array.items.into_iter().map(Into::into).collect()),
            Some(ProtoKind::Null(_)) | None => Self::Null,
        }
    }
}

/// A time that no calendar has stays readable, as text.
pub(super) fn timestamp(time: prost_types::Timestamp) -> Value {
    let known =
        u32::try_from(time.nanos).ok().and_then(|nanos| DateTime::from_timestamp(time.seconds, nanos));
    known.map_or_else(
        || Value::Bytes(format!("{} s and {} ns since 1970", time.seconds, time.nanos).into()),
        Value::Timestamp,
    )
}
