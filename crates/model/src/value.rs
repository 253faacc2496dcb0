//! Values as Vector has them.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};

use super::json::write_text;

/// A value of an event that came from Vector. It has no kind for strings: they are bytes, which need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, or anything else.
    Bytes(Bytes),
    /// A whole number.
    Integer(i64),
    /// Any number but NaN.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A time, to the nanosecond.
    Timestamp(DateTime<Utc>),
    /// Values by name.
    Object(BTreeMap<String, Self>),
    /// Values in a row.
    Array(Vec<Self>),
    /// The absence of a value, JSON's `null`.
    Null,
}

// === impl Value ===

impl Value {
    /// Appends the value as JSON, as Vector's own `json` codec writes it: times in RFC 3339 with as many digits as they
    /// need, and U+FFFD where bytes are not UTF-8.
    ///
    /// Source: <https://vector.dev/docs/reference/configuration/sinks/console/#encoding.codec>
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => write_text(&String::from_utf8_lossy(bytes), out),
            Self::Integer(number) => write(number, out),
            Self::Float(number) => write(number, out),
            Self::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Timestamp(time) => {
                write_text(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true), out);
            }
            Self::Object(fields) => {
                out.push(b'{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(name, out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Null => out.extend_from_slice(b"null"),
        }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Bytes {
        let mut json = Vec::new();
        self.write_json(&mut json);
        json.into()
    }

    /// Turns what is nested more than `levels` deep into its JSON text, and answers how many values that were. A list or
    /// an object with nothing but plain values in it has one level.
    pub fn flatten_below(&mut self, levels: usize) -> usize {
        match self {
            Self::Object(_) | Self::Array(_) if levels == 0 => {
                *self = Self::Bytes(self.to_json());
                1
            }
            Self::Object(fields) => fields.values_mut().map(|value| value.flatten_below(levels - 1)).sum(),
            Self::Array(items) => items.iter_mut().map(|item| item.flatten_below(levels - 1)).sum(),
            _ => 0,
        }
    }

    /// Every part of it that is not UTF-8, which its JSON does not say in full, and where it stands: `/fields/0`.
    pub fn not_utf8(&self) -> Vec<(String, Bytes)> {
        let mut found = Vec::new();
        self.collect_not_utf8(&mut String::new(), &mut found);
        found
    }

    fn collect_not_utf8(&self, place: &mut String, found: &mut Vec<(String, Bytes)>) {
        let mut inside = |name: &str, value: &Self| {
            let length = place.len();
            place.push('/');
            place.push_str(name);
            value.collect_not_utf8(place, found);
            place.truncate(length);
        };
        match self {
            Self::Object(fields) => fields.iter().for_each(|(name, value)| inside(name, value)),
            Self::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| inside(&index.to_string(), item));
            }
            Self::Bytes(bytes) if std::str::from_utf8(bytes).is_err() => {
                found.push((place.clone(), bytes.clone()));
            }
            _ => {}
        }
    }
}

/// Writes what always can be written: a number into memory.
fn write(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        (1..levels).fold(Value::Array(vec![Value::Integer(1)]), |inner, _| {
            Value::Object([("a".to_owned(), inner)].into())
        })
    }

    #[test]
    fn only_what_is_too_deep_becomes_text() {
        let mut value = nested(3);
        assert_eq!(value.flatten_below(3), 0);
        assert_eq!(value, nested(3));
        assert_eq!(value.flatten_below(2), 1);
        assert_eq!(value.to_json(), r#"{"a":{"a":"[1]"}}"#);
    }

    #[test]
    fn json_is_what_vector_writes() {
        let time = |seconds, nanos| Value::Timestamp(DateTime::from_timestamp(seconds, nanos).unwrap());
        for (value, expected) in [
            (Value::Bytes(Bytes::from_static(b"a\"\n\xff")), "\"a\\\"\\n\u{fffd}\""),
            (Value::Integer(-9_007_199_254_740_993), "-9007199254740993"),
            (Value::Float(3.0), "3.0"),
            (Value::Float(1e-7), "1e-7"),
            (Value::Float(f64::INFINITY), "null"),
            (time(1, 123_456_789), "\"1970-01-01T00:00:01.123456789Z\""),
            (time(-1, 500_000_000), "\"1969-12-31T23:59:59.500Z\""),
            (time(0, 0), "\"1970-01-01T00:00:00Z\""),
            (Value::Object(BTreeMap::new()), "{}"),
            (Value::Array(vec![Value::Null, Value::Boolean(true)]), "[null,true]"),
        ] {
            assert_eq!(value.to_json(), expected);
        }
    }
}
