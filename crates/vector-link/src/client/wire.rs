//! An event as one line of JSON, as Vector's `http_server` source reads it.

use bytes::{BufMut, Bytes, BytesMut};
use chrono::SecondsFormat;

use model::event::Event;

/// Deeper than this Vector's reader refuses the whole body.
/// Source: <https://docs.rs/serde_json/latest/serde_json/struct.Deserializer.html#method.disable_recursion_limit>
const MAX_LEVELS: usize = 127;

/// Why Vector could not read an event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    /// Its reader has a limit, and a body with one such line is refused as a whole.
    #[error("it is nested over {MAX_LEVELS} levels deep, which Vector does not read")]
    TooDeep,
    /// It is no JSON object.
    #[error("it is no JSON object")]
    NotAnObject,
}

/// The event's JSON on one line, with the fields `source_type` and `timestamp` that every log of Vector's has. They stand first:
/// of two fields with one name Vector takes the last, which is the event's own.
pub(super) fn line(event: &Event, source_type: &str) -> Result<Bytes, Unsendable> {
    let json = event.to_json();
    let json = json.trim_ascii();
    let members = json.strip_prefix(b"{").ok_or(Unsendable::NotAnObject)?;
    let is_empty = members.trim_ascii_start().starts_with(b"}");
    let mut line = BytesMut::with_capacity(json.len() + 96);
    line.put_slice(b"{\"source_type\":\"");
    line.put_slice(source_type.as_bytes());
    line.put_u8(b'"');
    if let Some(time) = event.timestamp() {
        line.put_slice(b",\"timestamp\":\"");
        line.put_slice(time.to_rfc3339_opts(SecondsFormat::AutoSi, true).as_bytes());
        line.put_u8(b'"');
    }
    if !is_empty {
        line.put_u8(b',');
    }
    copy_on_one_line(members, &mut line)?;
    line.put_u8(b'\n');
    Ok(line.freeze())
}

/// Copies JSON with blanks in the place of line breaks, which stand between its tokens only.
fn copy_on_one_line(json: &[u8], line: &mut BytesMut) -> Result<(), Unsendable> {
    let (mut levels, mut in_string, mut is_escaped) = (1_usize, false, false);
    for byte in json {
        let mut copied = *byte;
        match (in_string, *byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                levels += 1;
                if levels > MAX_LEVELS {
                    return Err(Unsendable::TooDeep);
                }
            }
            (false, b'}' | b']') => levels = levels.saturating_sub(1),
            (false, b'\n' | b'\r') => copied = b' ',
            _ => {}
        }
        line.put_u8(copied);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        let time = DateTime::from_timestamp(1_790_000_000, 123_000_000);
        let line = line(&Event::new(text.to_owned().into(), time), "defender_incidents").unwrap();
        assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1), "one line");
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_line_has_the_event_and_what_every_log_has() {
        let expected = json!({"source_type": "defender_incidents", "timestamp": "2026-09-21T14:13:20.123Z", "a": "{\n\"[\\"});
        assert_eq!(read("\n{ \"a\":\r\n\"{\\n\\\"[\\\\\" }\n"), expected);
        let own = json!({"source_type": "own", "timestamp": 1});
        assert_eq!(read(r#"{"timestamp":1,"source_type":"own"}"#), own);
        assert_eq!(read("{ }")["source_type"], "defender_incidents");
    }

    #[test]
    fn what_vector_would_refuse_is_told_beforehand() {
        let nested =
            |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let sent = |text: String| line(&Event::new(text.into(), None), "x");
        let whole: Result<Value, _> = serde_json::from_slice(&sent(nested(127)).unwrap());
        assert!(whole.is_ok());
        assert_eq!(sent(nested(128)), Err(Unsendable::TooDeep));
        assert!(serde_json::from_str::<Value>(&nested(128)).is_err(), "as Vector's reader does");
        assert_eq!(sent("[1]".to_owned()), Err(Unsendable::NotAnObject));
    }
}
