//! Writes an event that Vector sent as JSON, straight from the bytes on the wire.
//!
//! Nearly every event goes this way, which costs a fraction of building it as values first. What JSON cannot say in full
//! (bytes that are not UTF-8) or is otherwise out of the ordinary is left to whoever builds values.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>

use chrono::{DateTime, Datelike, Timelike};

use super::MAX_LEVELS;
use model::json::{plain_prefix, write_text};

/// How fields of bytes begin, by tag.
const KEY_OF_1: u8 = 1 << 3 | 2;
const KEY_OF_2: u8 = 2 << 3 | 2;

/// What one field of a message has.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// Nothing in these messages has it.
    Fixed32,
}

/// The fields of a message, one after the other.
struct Fields<'a>(&'a [u8]);

/// Appends the log's JSON; nothing if the event is out of the ordinary, and then what was appended means nothing.
pub(super) fn transcode(wrapper: &[u8], json: &mut Vec<u8>) -> Option<()> {
    let mut fields = Fields(wrapper);
    let (tag, Payload::Bytes(log)) = fields.next()? else { return None };
    // Another member of the `oneof`, or the same again.
    if tag != 1 || !fields.is_empty() {
        return None;
    }
    let start = json.len();
    json.push(b'{');
    let mut fields = Fields(log);
    while !fields.is_empty() {
        match fields.next()? {
            (1, Payload::Bytes(entry)) => write_entry(entry, MAX_LEVELS - 1, json)?,
            // A root that is no object.
            (2, _) => return None,
            _ => {}
        }
    }
    json.push(b'}');
    // Once for all texts: what stands between them keeps one from mending another.
    std::str::from_utf8(json.get(start..)?).ok().map(|_| ())
}

/// Writes one entry of a map, behind those that were written before.
fn write_entry(entry: &[u8], levels: usize, json: &mut Vec<u8>) -> Option<()> {
    let (name, value) = usual_entry(entry).or_else(|| any_entry(entry))?;
    if json.last() != Some(&b'{') {
        json.push(b',');
    }
    write_string(name, json)?;
    json.push(b':');
    write_value(value, levels, json)
}

/// An entry's name and value, if they are all there is, in this order: as everybody writes them.
fn usual_entry(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields(entry.strip_prefix(&[KEY_OF_1])?);
    let name = fields.bytes()?;
    fields.0 = fields.0.strip_prefix(&[KEY_OF_2])?;
    let value = fields.bytes()?;
    fields.is_empty().then_some((name, value))
}

fn any_entry(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut name, mut value) = (&b""[..], &b""[..]);
    let mut fields = Fields(entry);
    while !fields.is_empty() {
        match fields.next()? {
            (1, Payload::Bytes(bytes)) => name = bytes,
            (2, Payload::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((name, value))
}

/// Writes an `event.Value`, in which there may still be so many `levels`.
fn write_value(value: &[u8], levels: usize, json: &mut Vec<u8>) -> Option<()> {
    let mut fields = Fields(value);
    if fields.is_empty() {
        json.extend_from_slice(b"null");
        return Some(());
    }
    let kind = fields.next()?;
    if !fields.is_empty() {
        return None;
    }
    match kind {
        (1, Payload::Bytes(text)) => write_string(text, json)?,
        (2, Payload::Bytes(time)) => write_time(time, json)?,
        (4, Payload::Varint(number)) => serde_json::to_writer(json, &number.cast_signed()).ok()?,
        (5, Payload::Fixed64(number)) => serde_json::to_writer(json, &f64::from_le_bytes(number)).ok()?,
        (6, Payload::Varint(flag)) => json.extend_from_slice(if flag == 0 { b"false" } else { b"true" }),
        (7, Payload::Bytes(map)) => {
            let levels = levels.checked_sub(1)?;
            json.push(b'{');
            let mut entries = Fields(map);
            while !entries.is_empty() {
                let (1, Payload::Bytes(entry)) = entries.next()? else { return None };
                write_entry(entry, levels, json)?;
            }
            json.push(b'}');
        }
        (8, Payload::Bytes(array)) => {
            let levels = levels.checked_sub(1)?;
            json.push(b'[');
            let mut items = Fields(array);
            while !items.is_empty() {
                let (1, Payload::Bytes(item)) = items.next()? else { return None };
                if json.last() != Some(&b'[') {
                    json.push(b',');
                }
                write_value(item, levels, json)?;
            }
            json.push(b']');
        }
        (9, Payload::Varint(_)) => json.extend_from_slice(b"null"),
        _ => return None,
    }
    Some(())
}

/// Writes a text, of which nobody knows yet whether it is one.
fn write_string(text: &[u8], json: &mut Vec<u8>) -> Option<()> {
    if plain_prefix(text) == text.len() {
        json.push(b'"');
        json.extend_from_slice(text);
        json.push(b'"');
    } else {
        write_text(std::str::from_utf8(text).ok()?, json);
    }
    Some(())
}

/// Writes a `google.protobuf.Timestamp` in RFC 3339, with as many digits as it needs.
fn write_time(timestamp: &[u8], json: &mut Vec<u8>) -> Option<()> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Fields(timestamp);
    while !fields.is_empty() {
        match fields.next()? {
            (1, Payload::Varint(number)) => seconds = number.cast_signed(),
            (2, Payload::Varint(number)) => nanos = u32::try_from(number).ok()?,
            _ => {}
        }
    }
    // More is a leap second, which is written in another way.
    let time = DateTime::from_timestamp(seconds, nanos).filter(|_| nanos < 1_000_000_000)?;
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9_999)?;
    let clock = [time.month(), time.day(), time.hour(), time.minute(), time.second()];
    json.push(b'"');
    write_digits(year, 4, json);
    for (separator, number) in b"--T::".iter().zip(clock) {
        json.push(*separator);
        write_digits(number, 2, json);
    }
    // As many digits as milliseconds, microseconds or nanoseconds take.
    let digits = [(1_000_000, 3), (1_000, 6), (1, 9)].into_iter().find(|(unit, _)| nanos % unit == 0);
    if nanos > 0
        && let Some((unit, digits)) = digits
    {
        json.push(b'.');
        write_digits(nanos / unit, digits, json);
    }
    json.extend_from_slice(b"Z\"");
    Some(())
}

fn write_digits(number: u32, digits: u32, json: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        json.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next field and its tag; nothing if the bytes are no message.
    #[inline]
    fn next(&mut self) -> Option<(u64, Payload<'a>)> {
        let key = self.varint()?;
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(self.take(8)?.try_into().ok()?),
            2 => Payload::Bytes(self.bytes()?),
            5 => {
                self.take(4)?;
                Payload::Fixed32
            }
            _ => return None,
        };
        Some((key >> 3, payload))
    }

    /// The bytes of a field whose key was read.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Keys, and most lengths.
        if let [byte @ 0..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(u64::from(*byte));
        }
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
