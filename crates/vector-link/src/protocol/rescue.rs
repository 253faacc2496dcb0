//! Reads events that are nested deeper than a generated decoder follows, one level at a time.
//!
//! Vector encodes such events without complaint, and sends a batch that was not understood again for ever. So they are
//! read, if need be slowly.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Message, Oneof};

use super::decode::timestamp;
use model::value::Value;

/// Followed no deeper than this, so that no event can exhaust the stack. VRL reads JSON no deeper than 128 levels.
const MAX_RESCUED_LEVELS: usize = 256;

/// The messages of `event.proto`, each with the next as bytes, which on the wire it is.
#[derive(Clone, PartialEq, Message)]
struct OpaqueWrapper {
    #[prost(bytes = "bytes", optional, tag = "1")]
    log: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueLog {
    #[prost(btree_map = "string, bytes", tag = "1")]
    fields: BTreeMap<String, Vec<u8>>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    value: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueValue {
    #[prost(oneof = "OpaqueKind", tags = "1, 2, 4, 5, 6, 7, 8, 9")]
    kind: Option<OpaqueKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OpaqueKind {
    #[prost(bytes = "bytes", tag = "1")]
    RawBytes(Bytes),
    #[prost(message, tag = "2")]
    Timestamp(prost_types::Timestamp),
    #[prost(int64, tag = "4")]
    Integer(i64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(bool, tag = "6")]
    Boolean(bool),
    #[prost(bytes = "bytes", tag = "7")]
    Map(Bytes),
    #[prost(bytes = "bytes", tag = "8")]
    Array(Bytes),
    #[prost(int32, tag = "9")]
    Null(i32),
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueMap {
    #[prost(btree_map = "string, bytes", tag = "1")]
    fields: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueArray {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    items: Vec<Bytes>,
}

/// The root of a log, from an `event.EventWrapper`; nothing if that is none, or deeper than anything sensible.
pub(super) fn rescue(wire: &Bytes) -> Option<Value> {
    let log = OpaqueLog::decode(OpaqueWrapper::decode(wire.clone()).ok()?.log?).ok()?;
    match log.value {
        Some(root) => value(root, MAX_RESCUED_LEVELS),
        None => fields(log.fields, MAX_RESCUED_LEVELS - 1),
    }
}

fn value(wire: Bytes, levels: usize) -> Option<Value> {
    Some(match OpaqueValue::decode(wire).ok()?.kind {
        Some(OpaqueKind::RawBytes(bytes)) => Value::Bytes(bytes),
        Some(OpaqueKind::Timestamp(time)) => timestamp(time),
        Some(OpaqueKind::Integer(number)) => Value::Integer(number),
        Some(OpaqueKind::Float(number)) => Value::Float(number),
        Some(OpaqueKind::Boolean(flag)) => Value::Boolean(flag),
        Some(OpaqueKind::Map(map)) => fields(OpaqueMap::decode(map).ok()?.fields, levels.checked_sub(1)?)?,
        Some(OpaqueKind::Array(array)) => {
            let levels = levels.checked_sub(1)?;
            let items = OpaqueArray::decode(array).ok()?.items.into_iter().map(|item| value(item, levels));
            Value::Array(items.collect::<Option<_>>()?)
        }
        Some(OpaqueKind::Null(_)) | None => Value::Null,
    })
}

fn fields(wire: BTreeMap<String, Vec<u8>>, levels: usize) -> Option<Value> {
    let fields = wire.into_iter().map(|(name, field)| Some((name, value(field.into(), levels)?)));
    Some(Value::Object(fields.collect::<Option<_>>()?))
}
