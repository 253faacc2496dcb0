//! Takes a body of newline-delimited JSON apart while it comes.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use model::event::Event;

/// The longest line that is taken for an event: 100 MiB, as much as Vector itself reads at a time.
/// Source: <https://vector.dev/docs/reference/configuration/sources/vector/>
pub(super) const MAX_LINE_BYTES: usize = 100 * 1024 * 1024;
/// So much is kept of a longer one.
const HEAD_BYTES: usize = 1024 * 1024;

/// A line of a body.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// Without its line break.
    Whole(Bytes),
    /// Longer than [`MAX_LINE_BYTES`].
    TooLong {
        /// The line's first bytes.
        head: Bytes,
        /// How many bytes it had.
        bytes: u64,
    },
}

/// What has come of a body and was not yet taken out.
pub(super) struct Lines {
    pending: BytesMut,
    /// In so many bytes of it there is no line break.
    searched: usize,
    /// The line that is passing by because it is too long.
    passing: Option<(Bytes, u64)>,
    max_line_bytes: usize,
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
    /// It is JSON, and has none of the keys.
    #[error("it has none of the keys log, metric and trace, which native_json has")]
    NotNative,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        Self { pending: BytesMut::new(), searched: 0, passing: None, max_line_bytes }
    }

    /// Takes what has come next.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    /// The next line that is whole.
    pub(super) fn next(&mut self) -> Option<Line> {
        let found = memchr::memchr(b'\n', self.pending.get(self.searched..)?);
        let Some(end) = found.map(|at| self.searched + at) else {
            self.searched = self.pending.len();
            if self.passing.is_some() || self.pending.len() > self.max_line_bytes {
                self.pass_by();
            }
            return None;
        };
        let mut line = self.pending.split_to(end + 1);
        self.searched = 0;
        line.truncate(end);
        Some(self.whole(line))
    }

    /// What stands behind the last line break, at the end of the body.
    pub(super) fn rest(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.pending);
        self.searched = 0;
        (!line.is_empty() || self.passing.is_some()).then(|| self.whole(line))
    }

    fn whole(&mut self, line: BytesMut) -> Line {
        let count = line.len() as u64;
        match self.passing.take() {
            Some((head, bytes)) => Line::TooLong { head, bytes: bytes + count },
            None if line.len() > self.max_line_bytes => Line::TooLong { head: head(&line), bytes: count },
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

/// A copy of the beginning: the whole need not stay in memory for it.
fn head(line: &[u8]) -> Bytes {
    Bytes::copy_from_slice(line.get(..HEAD_BYTES).unwrap_or(line))
}

/// Reads a line of `native_json`. The event's JSON is a part of the line, byte for byte.
pub(super) fn decode(line: &Bytes) -> Result<Decoded, LineError> {
    let read: NativeJson<'_> = serde_json::from_slice(line)?;
    match read {
        NativeJson { log: Some(json), .. } => {
            Ok(Decoded::Log(Event::new(line.slice_ref(json.get().as_bytes()), None)))
        }
        NativeJson { metric: None, trace: None, .. } => Err(LineError::NotNative),
        _ => Ok(Decoded::NotALog),
    }
}

/// The logs of a whole body of `native_json`, as a sink gets them. What is none is left out.
pub fn logs(body: &Bytes) -> Vec<Event> {
    let mut lines = Lines::new(MAX_LINE_BYTES);
    lines.push(body);
    let whole = std::iter::from_fn(|| lines.next());
    let logs = whole.filter_map(|line| match line {
        Line::Whole(line) => match decode(&line) {
            Ok(Decoded::Log(event)) => Some(event),
            Ok(Decoded::NotALog) | Err(_) => None,
        },
        Line::TooLong { .. } => None,
    });
    logs.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(parts: &[&[u8]], max_line_bytes: usize) -> Vec<Line> {
        let mut lines = Lines::new(max_line_bytes);
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
            let found = all(&parts, 5);
            // Of a line that came in parts, the head is the first of them.
            let heads_cut = found.iter().map(|line| match line {
                Line::TooLong { bytes, .. } => (None, *bytes),
                Line::Whole(line) => (Some(line.clone()), line.len() as u64),
            });
            let expected = expected.iter().map(|line| match line {
                Line::TooLong { bytes, .. } => (None, *bytes),
                Line::Whole(line) => (Some(line.clone()), line.len() as u64),
            });
            prop_assert_eq!(heads_cut.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_that_is_too_long_passes_by_and_its_neighbours_are_whole() {
        let lines = all(&[b"a\nxxx", b"xxxx", b"xx\nb\n", b"last"], 4);
        let long = Line::TooLong { head: Bytes::from_static(b"xxxxxxx"), bytes: 9 };
        assert_eq!(lines, [whole(b"a"), long, whole(b"b"), whole(b"last")]);
    }

    #[test]
    fn a_recording_of_vector_reads_as_it_was_written() {
        let body = include_bytes!("../../tests/fixtures/http-sink-logs.ndjson");
        let lines = all(&[body], MAX_LINE_BYTES);
        assert_eq!(lines.len(), 2);
        for line in lines {
            let Line::Whole(line) = line else { panic!("{line:?}") };
            let Ok(Decoded::Log(event)) = decode(&line) else { panic!("no event") };
            let json = event.to_json();
            assert_eq!([b"{\"log\":", json.as_ref(), b"}"].concat(), line);
            let event: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(event["big"], -9_007_199_254_740_993_i64);
            assert_eq!(event["time"], "2026-11-27T12:00:00.123456789Z");
        }
        for line in all(&[include_bytes!("../../tests/fixtures/http-sink-metrics.ndjson")], MAX_LINE_BYTES) {
            let Line::Whole(line) = line else { panic!("{line:?}") };
            assert!(matches!(decode(&line), Ok(Decoded::NotALog)));
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
            let Err(error) = decode(&Bytes::copy_from_slice(line)) else { panic!("{line:?}") };
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
