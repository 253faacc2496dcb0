//! Takes a body apart while it comes: into the lines of newline-delimited JSON, or the elements of a JSON array.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use model::event::Event;

/// The longest line that is taken for an event: 100 MiB, as much as Vector itself reads at a time.
/// Source: <https://vector.dev/docs/reference/configuration/sources/vector/>
pub(super) const MAX_LINE_BYTES: usize = 100 * 1024 * 1024;
/// No more memory than this is taken on somebody's word: what Vector sends at a time has less.
const MAX_RESERVED_BYTES: usize = 2 * 1024 * 1024;
/// What UTF-8 text may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// So much is kept of a longer one.
const HEAD_BYTES: usize = 1024 * 1024;

/// How the events of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As Vector writes them: a line is a map of `log`, `metric` or `trace` to the event.
    NativeJson,
    /// A JSON object is an event: one in each line, or all as the elements of one JSON array.
    Json,
}

/// A line of a body, or an element of an array.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// Without its line break, or the comma behind it.
    Whole(Bytes),
    /// Longer than [`MAX_LINE_BYTES`].
    TooLong {
        /// The line's first bytes.
        head: Bytes,
        /// How many bytes it had.
        bytes: u64,
    },
    /// What stands behind the end of an array.
    Stray(Bytes),
}

/// What has come of a body and was not yet taken out.
pub(super) struct Lines {
    pending: BytesMut,
    /// In so many bytes of it no line ends.
    searched: usize,
    /// The line that is passing by because it is too long.
    passing: Option<(Bytes, u64)>,
    max_line_bytes: usize,
    form: Form,
}

/// What divides a body.
enum Form {
    /// Its first byte that is not blank has not come: if that is `[`, it is an array.
    Unknown,
    /// Line breaks, each of which ends an event.
    Lines,
    /// The commas of an array.
    Array(Nesting),
    /// Nothing: it is behind the end of the array.
    Behind,
}

/// Where in an element of an array the search has come to.
#[derive(Default)]
struct Nesting {
    /// How many brackets are open.
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
}

/// What stands in a line.
pub(super) enum Decoded {
    /// An event that is a log.
    Log(Event),
    /// A metric or a trace.
    NotALog,
}

/// An event as Vector's codec `native_json` writes it.
/// Source: <https://vector.dev/docs/reference/configuration/sinks/http/#encoding.codec>
#[derive(Deserialize)]
struct NativeJson<'l> {
    #[serde(borrow)]
    log: Option<&'l RawValue>,
    metric: Option<IgnoredAny>,
    trace: Option<IgnoredAny>,
}

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// It is not JSON, or not UTF-8.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON, and something else than an object.
    #[error("it is no JSON object, as an event must be")]
    NotAnObject,
    /// It is JSON, and has none of the keys.
    #[error("it has none of the keys log, metric and trace, which native_json has")]
    NotNative,
}

// === impl Codec ===

impl Codec {
    /// Its name, as Vector has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NativeJson => "native_json",
            Self::Json => "json",
        }
    }

    /// Reads a line. The event's JSON is a part of it, byte for byte.
    pub(super) fn decode(self, line: &Bytes) -> Result<Decoded, LineError> {
        let event = |json: &RawValue| Decoded::Log(Event::new(line.slice_ref(json.get().as_bytes()), None));
        match self {
            Self::NativeJson => match serde_json::from_slice(line)? {
                NativeJson { log: Some(json), .. } => Ok(event(json)),
                NativeJson { metric: None, trace: None, .. } => Err(LineError::NotNative),
                _ => Ok(Decoded::NotALog),
            },
            Self::Json => {
                let json: &RawValue = serde_json::from_slice(line)?;
                if json.get().starts_with('{') { Ok(event(json)) } else { Err(LineError::NotAnObject) }
            }
        }
    }
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(codec: Codec, max_line_bytes: usize) -> Self {
        let form = match codec {
            Codec::NativeJson => Form::Lines,
            Codec::Json => Form::Unknown,
        };
        Self { pending: BytesMut::new(), searched: 0, passing: None, max_line_bytes, form }
    }

    /// So many bytes are about to come, as far as is known: they are taken into one piece of memory.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.pending.reserve(bytes.min(MAX_RESERVED_BYTES));
    }

    /// Takes what has come next.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    /// How much has come and was not yet taken out, in bytes.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// What one is called: a line, or an element of an array.
    pub(super) const fn word(&self) -> &'static str {
        match self.form {
            Form::Unknown | Form::Lines => "a line",
            Form::Array(_) | Form::Behind => "an element of a JSON array",
        }
    }

    /// The next line that is whole.
    pub(super) fn next(&mut self) -> Option<Line> {
        self.settle();
        let unsearched = self.pending.get(self.searched..)?;
        let found = match &mut self.form {
            Form::Lines => memchr::memchr(b'\n', unsearched),
            Form::Array(nesting) => nesting.end_of_element(unsearched),
            Form::Unknown | Form::Behind => None,
        };
        let Some(end) = found.map(|at| self.searched + at) else {
            self.searched = self.pending.len();
            if self.passing.is_some() || self.pending.len() > self.max_line_bytes {
                self.pass_by();
            }
            return None;
        };
        let mut line = self.pending.split_to(end + 1);
        self.searched = 0;
        let is_last = matches!(self.form, Form::Array(_)) && line.last() == Some(&b']');
        line.truncate(end);
        let line = self.whole(line);
        if is_last {
            self.form = Form::Behind;
        }
        Some(line)
    }

    /// What stands behind the last line break or comma, at the end of the body.
    pub(super) fn rest(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.pending);
        self.searched = 0;
        (!line.is_empty() || self.passing.is_some()).then(|| self.whole(line))
    }

    /// Finds out from its first byte what divides the body.
    fn settle(&mut self) {
        if !matches!(self.form, Form::Unknown) {
            return;
        }
        // Some programs begin their text with a mark of its byte order.
        if self.pending.starts_with(BYTE_ORDER_MARK) {
            self.pending.advance(BYTE_ORDER_MARK.len());
        } else if BYTE_ORDER_MARK.starts_with(&self.pending) {
            return;
        }
        let first = self.pending.iter().position(|byte| !byte.is_ascii_whitespace());
        self.pending.advance(first.unwrap_or(self.pending.len()));
        match self.pending.first() {
            None => {}
            Some(b'[') => {
                self.pending.advance(1);
                self.form = Form::Array(Nesting::default());
            }
            Some(_) => self.form = Form::Lines,
        }
    }

    fn whole(&mut self, line: BytesMut) -> Line {
        let count = line.len() as u64;
        match self.passing.take() {
            Some((head, bytes)) => Line::TooLong { head, bytes: bytes + count },
            None if line.len() > self.max_line_bytes => Line::TooLong { head: head(&line), bytes: count },
            None if matches!(self.form, Form::Behind) => Line::Stray(line.freeze()),
            None => Line::Whole(line.freeze()),
        }
    }

    /// Counts what has come of a line that is too long, and lets go of it.
    fn pass_by(&mut self) {
        let part = std::mem::take(&mut self.pending);
        self.searched = 0;
        let (_, bytes) = self.passing.get_or_insert_with(|| (head(&part), 0));
        *bytes += part.len() as u64;
    }
}

// === impl Nesting ===

impl Nesting {
    /// Where the comma or the bracket behind the element stands in `bytes`, which follow on those before.
    fn end_of_element(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.is_in_string {
                at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
                self.is_escaped = bytes.get(at) == Some(&b'\\');
                self.is_in_string = self.is_escaped;
            } else {
                match byte {
                    b'"' => self.is_in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b',' | b']' if self.depth == 0 => return Some(at),
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
            at += 1;
        }
        None
    }
}

/// A copy of the beginning: the whole need not stay in memory for it.
fn head(line: &[u8]) -> Bytes {
    Bytes::copy_from_slice(line.get(..HEAD_BYTES).unwrap_or(line))
}

/// The logs of a whole body of `native_json`, as a sink gets them. What is none is left out.
pub fn logs(body: &Bytes) -> Vec<Event> {
    let mut lines = Lines::new(Codec::NativeJson, MAX_LINE_BYTES);
    lines.push(body);
    let whole = std::iter::from_fn(|| lines.next());
    let logs = whole.filter_map(|line| match line {
        Line::Whole(line) => match Codec::NativeJson.decode(&line) {
            Ok(Decoded::Log(event)) => Some(event),
            Ok(Decoded::NotALog) | Err(_) => None,
        },
        Line::TooLong { .. } | Line::Stray(_) => None,
    });
    logs.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use super::Codec::{Json, NativeJson};

    fn all(codec: Codec, parts: &[&[u8]], max_line_bytes: usize) -> Vec<Line> {
        let mut lines = Lines::new(codec, max_line_bytes);
        let mut found = Vec::new();
        for part in parts {
            lines.push(part);
            found.extend(std::iter::from_fn(|| lines.next()));
        }
        found.extend(lines.rest());
        found
    }

    fn whole(text: &[u8]) -> Line {
        Line::Whole(Bytes::copy_from_slice(text))
    }

    proptest! {
        #[test]
        fn a_body_has_the_same_lines_however_it_comes(
            texts in prop::collection::vec("[a-c]{0,8}", 0..8),
            cuts in prop::collection::vec(0_usize..80, 0..6),
        ) {
            let body = texts.iter().flat_map(|text| [text.as_bytes(), b"\n"].concat()).collect::<Vec<u8>>();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            let expected: Vec<Line> = texts.iter().map(|text| match text.len() {
                0..=5 => whole(text.as_bytes()),
                bytes => Line::TooLong { head: Bytes::copy_from_slice(text.as_bytes()), bytes: bytes as u64 },
            }).collect();
            let found = all(NativeJson, &parts, 5);
            // Of a line that came in parts, the head is the first of them.
            let heads_cut = found.iter().map(|line| match line {
                Line::TooLong { bytes, .. } => (None, *bytes),
                Line::Whole(line) | Line::Stray(line) => (Some(line.clone()), line.len() as u64),
            });
            let expected = expected.iter().map(|line| match line {
                Line::TooLong { bytes, .. } => (None, *bytes),
                Line::Whole(line) | Line::Stray(line) => (Some(line.clone()), line.len() as u64),
            });
            prop_assert_eq!(heads_cut.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_that_is_too_long_passes_by_and_its_neighbours_are_whole() {
        let lines = all(NativeJson, &[b"a\nxxx", b"xxxx", b"xx\nb\n", b"last"], 4);
        let long = Line::TooLong { head: Bytes::from_static(b"xxxxxxx"), bytes: 9 };
        assert_eq!(lines, [whole(b"a"), long, whole(b"b"), whole(b"last")]);
    }

    #[test]
    fn a_recording_of_vector_reads_as_it_was_written() {
        let body = include_bytes!("../../tests/fixtures/http-sink-logs.ndjson");
        let lines = all(NativeJson, &[body], MAX_LINE_BYTES);
        assert_eq!(lines.len(), 2);
        for line in lines {
            let Line::Whole(line) = line else { panic!("{line:?}") };
            let Ok(Decoded::Log(event)) = NativeJson.decode(&line) else { panic!("no event") };
            let json = event.to_json();
            assert_eq!([b"{\"log\":", json.as_ref(), b"}"].concat(), line);
            let event: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(event["big"], -9_007_199_254_740_993_i64);
            assert_eq!(event["time"], "2026-11-27T12:00:00.123456789Z");
        }
        for line in all(
            NativeJson,
            &[include_bytes!("../../tests/fixtures/http-sink-metrics.ndjson")],
            MAX_LINE_BYTES,
        ) {
            let Line::Whole(line) = line else { panic!("{line:?}") };
            assert!(matches!(NativeJson.decode(&line), Ok(Decoded::NotALog)));
        }
    }

    #[test]
    fn what_is_no_event_says_why() {
        for (line, words) in [
            (&b"not json"[..], "expected ident"),
            (b"{\"log\":{\"a\":\"\xff\"}}", "invalid unicode"),
            (b"{\"log\":{}} x", "trailing characters"),
            (b"{\"event\":{}}", "none of the keys"),
            (b"", "EOF"),
        ] {
            let Err(error) = NativeJson.decode(&Bytes::copy_from_slice(line)) else { panic!("{line:?}") };
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    /// What each is called, in short, and its text.
    fn texts(lines: &[Line]) -> Vec<String> {
        let texts = lines.iter().map(|line| match line {
            Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
            Line::Stray(text) => format!("stray {}", String::from_utf8_lossy(text)),
            Line::TooLong { bytes, .. } => format!("{bytes} bytes"),
        });
        texts.collect()
    }

    #[test]
    fn the_first_byte_that_is_not_blank_says_whether_a_body_is_an_array() {
        for (body, expected) in [
            (&b"{\"log\":{}}\n{}"[..], &["{\"log\":{}}", "{}"][..]),
            (b" \r\n\t[{},{\"a\":[1,{}]}]\n", &["{}", "{\"a\":[1,{}]}", "stray \n"]),
            (b"{}\n[{},{}]\n", &["{}", "[{},{}]"]),
            (b"[]", &[""]),
            (b"[\n {} ,\n {}\n]", &["\n {} ", "\n {}\n"]),
            (b"[{\"a\":\"]},{\\\"\\\\\"},\"x\",1]", &["{\"a\":\"]},{\\\"\\\\\"}", "\"x\"", "1"]),
            (b"[{},]", &["{}", ""]),
            (b"[{\"a\":},{}]", &["{\"a\":}", "{}"]),
            (b"[{}},{}]", &["{}}", "{}"]),
            (b"[{},{\"a\":[1},{}]", &["{}", "{\"a\":[1},{}]"]),
            (b"[{},{\"a", &["{}", "{\"a"]),
            (b"[{}] [{}]", &["{}", "stray  [{}]"]),
            (b" \n", &[]),
        ] {
            assert_eq!(texts(&all(Json, &[body], 100)), expected, "{}", String::from_utf8_lossy(body));
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(texts(&all(Json, &bytes, 100)), expected, "byte by byte");
        }
        assert_eq!(texts(&all(NativeJson, &[b"[{},{}]"], 100)), ["[{},{}]"]);
    }

    #[test]
    fn an_element_that_is_too_long_passes_by_and_its_neighbours_are_whole() {
        let parts: [&[u8]; 4] = [b"[{},{\"a\":\"[[[", b",,,,,,,", b"\"},", b"{}]"];
        assert_eq!(texts(&all(Json, &parts, 8)), ["{}", "18 bytes", "{}"]);
    }

    #[test]
    fn json_takes_every_object_for_an_event_and_nothing_else() {
        for text in [r#" {"log":{"a":1}} "#, "{}", r#"{"metric":1}"#] {
            let Ok(Decoded::Log(event)) = Json.decode(&Bytes::from(text)) else { panic!("{text}") };
            assert_eq!(event.to_json(), text.trim());
        }
        for (text, words) in
            [("[]", "no JSON object"), ("\"x\"", "no JSON object"), ("{}{}", "trailing"), ("{", "EOF")]
        {
            let Err(error) = Json.decode(&Bytes::from(text)) else { panic!("{text}") };
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
