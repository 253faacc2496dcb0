//! A file's text with parts of it replaced, and the way back from a position in it to the file as written.

use std::{borrow::Cow, fmt, ops::Range};

/// What stands in the place of a replaced part.
#[derive(Clone)]
pub(super) enum Splice<'a> {
    /// Something the file's author wrote, such as a default.
    Written(Cow<'a, str>),
    /// Something from outside the file.
    BroughtIn(Cow<'a, str>),
}

/// Text after replacement.
pub(super) struct Text<'a> {
    raw: &'a str,
    replaced: String,
    /// How far `raw` has been taken over.
    taken: usize,
    parts: Parts,
    brought_in: Vec<String>,
}

/// The replaced parts of a text: where each is in it, and where in the text as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(Vec<(Range<usize>, Range<usize>)>);

/// A position as editors count it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextPosition {
    pub(super) line: usize,
    pub(super) column: usize,
}

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self {
            raw,
            replaced: String::with_capacity(raw.len()),
            taken: 0,
            parts: Parts::default(),
            brought_in: Vec::new(),
        }
    }

    /// Replaces `range` of the raw text, which lies behind every range before it.
    pub(super) fn splice(&mut self, range: Range<usize>, with: Splice<'a>) {
        self.take_until(range.start);
        let start = self.replaced.len();
        match with {
            Splice::Written(words) => self.replaced.push_str(&words),
            Splice::BroughtIn(value) => {
                self.replaced.push_str(&value);
                if !value.is_empty() {
                    self.brought_in.push(value.into_owned());
                }
            }
        }
        self.taken = range.end;
        self.parts.0.push((start..self.replaced.len(), range));
    }

    pub(super) fn finish(mut self) -> Self {
        self.take_until(self.raw.len());
        self
    }

    fn take_until(&mut self, end: usize) {
        self.replaced.push_str(self.raw.get(self.taken..end).unwrap_or_default());
        self.taken = end;
    }

    pub(super) fn as_str(&self) -> &str {
        &self.replaced
    }

    /// The text, its parts, and everything that came from outside the file.
    pub(super) fn into_parts(self) -> (String, Parts, Vec<String>) {
        (self.replaced, self.parts, self.brought_in)
    }

    /// Where in the file as written the byte `offset` of the replaced text stands.
    pub(super) fn raw(&self, offset: usize) -> usize {
        self.parts.raw(offset)
    }
}

// === impl Parts ===

impl Parts {
    /// Where in the text as written the byte `offset` of the replaced text stands.
    pub(super) fn raw(&self, offset: usize) -> usize {
        match self.0.iter().rev().find(|(text, _)| text.start <= offset) {
            None => offset,
            Some((text, raw)) if offset < text.end => raw.start,
            Some((text, raw)) => raw.end + (offset - text.end),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

/// Line and column of the byte `offset` of `text`.
pub(super) fn position(text: &str, offset: usize) -> TextPosition {
    let mut position = TextPosition { line: 1, column: 1 };
    for (_, character) in text.char_indices().take_while(|(at, _)| *at < offset) {
        if character == '\n' {
            position = TextPosition { line: position.line + 1, column: 1 };
        } else {
            position.column += 1;
        }
    }
    position
}

/// The byte where `line` starts, counted from 1.
pub(super) fn line_start(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_where_the_user_sees_it_whatever_was_put_in_before() {
        let mut text = Text::new("é: $A b\nc: $B d");
        text.splice(4..6, Splice::BroughtIn("a long value".into()));
        text.splice(12..14, Splice::Written("".into()));
        let text = text.finish();
        assert_eq!(text.as_str(), "é: a long value b\nc:  d");
        for (needle, line, column) in [("é", 1, 1), ("long", 1, 4), (" b", 1, 6), ("c", 2, 1), ("d", 2, 7)] {
            let offset = text.as_str().find(needle).unwrap();
            assert_eq!(position(text.raw, text.raw(offset)), TextPosition { line, column }, "{needle}");
        }
        assert_eq!(line_start("a\nbc\nd", 3), 5);
        assert_eq!(text.into_parts().2, ["a long value"]);
    }
}
