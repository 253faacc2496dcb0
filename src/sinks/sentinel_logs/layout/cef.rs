//! Reads the Common Event Format as devices write it: `CEF:0|vendor|product|version|class|name|severity|key=value key=value`.
//!
//! The standard has `=` in values escaped, and devices do not. So a key is a word right behind a blank and right before an
//! `=`: the `=` of `https://example.com/?a=b` is in the value. And a value that begins with a quote reaches to the next quote
//! that the end or another key follows.
//!
//! Input is hostile: every character is looked at a bounded number of times.
//!
//! Sources: <https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.4/pdfdoc/cef-implementation-standard/cef-implementation-standard.pdf>,
//! <https://github.com/vectordotdev/vrl/issues/784>, <https://github.com/vectordotdev/vrl/issues/1352>

use std::borrow::Cow;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::fields::write_text;
use model::time::log_time;

/// The parts of the header, as VRL's `parse_cef` names them. What follows the last is the extension.
const HEADER: [&str; 7] = [
    "cefVersion",
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];
/// So many parts of the header there are at least: devices leave out the last ones, and what has fewer is some other text.
const LEAST: usize = 4;
/// Most characters of the version, which is `0` or `1`.
const LONGEST_VERSION: usize = 8;
/// The name of what stands in front of the format, most often a header of syslog.
const BEFORE: &str = "syslogHeader";
/// The name of a text in the place of the extension that no key stands in front of.
const UNNAMED: &str = "message";

/// A message in the format, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cef<'a> {
    /// What stands in front of it.
    pub(super) before: &'a str,
    /// Its parts and their names, in their order.
    pub(super) fields: Vec<(&'a str, Cow<'a, str>)>,
}

// === impl Cef ===

impl<'a> Cef<'a> {
    /// The first message of the format in a text, if there is one.
    pub(super) fn find(text: &'a str) -> Option<Self> {
        text.match_indices("CEF:").find_map(|(at, mark)| {
            let before = text.get(..at)?.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let fields = read(text.get(at + mark.len()..)?)?;
            Some(Self { before, fields })
        })
    }

    /// The message that a reader of syslog has taken its first word off, which it held for the program's name.
    pub(super) fn without_mark(text: &'a str) -> Option<Self> {
        Some(Self { before: "", fields: read(text)? })
    }

    /// Its fields as a JSON object, as VRL's `parse_cef` gives them.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let before = (!self.before.is_empty()).then_some((BEFORE, self.before));
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_ref())).chain(before);
        let mut json = vec![b'{'];
        for (name, value) in fields {
            if json.len() > 1 {
                json.push(b',');
            }
            write_text(name, &mut json);
            json.push(b':');
            write_text(value, &mut json);
        }
        json.push(b'}');
        json
    }

    /// The time and the host's name in the header of syslog in front of it, as far as it has them.
    pub(super) fn sent(&self, now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<&'a str>) {
        let rest = match self.before.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((_, rest)) => rest,
            None => self.before,
        };
        // The version of RFC 5424.
        let rest = rest.strip_prefix("1 ").unwrap_or(rest).trim_start();
        let ends = rest.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at).chain([rest.len()]);
        // `Nov 23 2026 08:45:58` has three blanks, and four if the day has one digit.
        for end in ends.take(5) {
            let Some((time, after)) = rest.split_at_checked(end) else { break };
            if let Some(time) = log_time(time, Some(now)) {
                let host =
                    after.split_whitespace().next().filter(|host| *host != "-" && !host.ends_with(':'));
                return (Some(time), host);
            }
        }
        (None, None)
    }
}

/// Takes apart what follows the mark.
fn read(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut rest = text.trim_start_matches(' ');
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let version = rest.bytes().take(LONGEST_VERSION).take_while(is_version).count();
    (version > 0 && rest.as_bytes().get(version) == Some(&b'|')).then_some(())?;
    let mut fields = Vec::new();
    for name in HEADER {
        let end = unescaped(rest, b'|');
        let part = rest.get(..end.unwrap_or(rest.len()))?;
        fields.push((name, unescape(part.trim(), &['|', '\\'], false)));
        rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
        if end.is_none() {
            break;
        }
    }
    (fields.len() >= LEAST).then_some(())?;
    read_extension(rest, &mut fields);
    Some(fields)
}

fn read_extension<'a>(text: &'a str, fields: &mut Vec<(&'a str, Cow<'a, str>)>) {
    let mut keys = Keys { text, at: 0, no_quote_from: usize::MAX };
    let mut next = keys.first();
    let end = next.as_ref().map_or(text.len(), |key| key.start);
    // A pipe that was not escaped in the header shifts the severity here.
    let unnamed = text.get(..end).unwrap_or_default().trim();
    if !unnamed.is_empty() {
        fields.push((UNNAMED, unescape(unnamed, &['=', '\\', '|'], true)));
    }
    while let Some(key) = next {
        next = keys.next();
        let end = next.as_ref().map_or(text.len(), |key| key.start);
        let value = text.get(key.end + 1..end).unwrap_or_default().trim();
        fields.push((text.get(key).unwrap_or_default(), value_of(value)));
    }
}

/// Finds the keys of an extension, one after the other.
struct Keys<'a> {
    text: &'a str,
    /// Everything before is read.
    at: usize,
    /// From here on no quote ends a value: nobody looks again.
    no_quote_from: usize,
}

// === impl Keys ===

impl Keys<'_> {
    /// The first key, which a pipe may stand in front of, too.
    fn first(&mut self) -> Option<Range<usize>> {
        self.find(|byte| byte.is_ascii_whitespace() || byte == b'|')
    }

    /// The key behind the value that begins here.
    fn next(&mut self) -> Option<Range<usize>> {
        if let Some(end) = self.end_of_quoted() {
            self.at = end;
        }
        self.find(|byte| byte.is_ascii_whitespace())
    }

    /// The next word with an `=` right behind it, and what `is_before` right before it, or the beginning of the text.
    fn find(&mut self, is_before: impl Fn(u8) -> bool) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let mut start = (self.at == 0).then_some(0);
        while let Some(byte) = bytes.get(self.at).copied() {
            self.at += 1;
            match byte {
                b'\\' => {
                    start = None;
                    self.at += 1;
                }
                b'=' => {
                    if let Some(start) = start.take().filter(|start| *start + 1 < self.at) {
                        return Some(start..self.at - 1);
                    }
                }
                byte if is_before(byte) => start = Some(self.at),
                byte if !is_of_key(byte) => start = None,
                _ => {}
            }
        }
        None
    }

    /// Where the value that begins here ends, if it is in quotes.
    fn end_of_quoted(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') || self.at >= self.no_quote_from {
            return None;
        }
        let mut at = self.at + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'"' if self.ends_value(at + 1) => return Some(at + 1),
                _ => {}
            }
            at += 1;
        }
        self.no_quote_from = self.at;
        None
    }

    /// Whether nothing follows, or blanks and a key.
    fn ends_value(&self, at: usize) -> bool {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let word = rest.trim_ascii_start();
        let key = word.iter().take_while(|byte| is_of_key(**byte)).count();
        word.is_empty() || (word.len() < rest.len() && key > 0 && word.get(key) == Some(&b'='))
    }
}

/// The standard has letters and digits; devices have these, too.
const fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']')
}

/// Where a sign stands that has no backslash in front.
fn unescaped(text: &str, sign: u8) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = byte == sign && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// A value of the extension. Devices write paths as they are, and `\n` in `C:\new` is no end of a line.
fn value_of(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('"').unwrap_or(text).as_bytes() {
        // Of a share, the two backslashes in front are no escape either.
        [b'\\', b'\\', host, rest @ ..] if is_of_key(*host) && has_lone_backslash(rest) => {
            unescape(text, &['=', '|'], false)
        }
        [drive, b':', b'\\', next, ..] if drive.is_ascii_alphabetic() && *next != b'\\' => {
            unescape(text, &['=', '\\', '|'], false)
        }
        _ => unescape(text, &['=', '\\', '|'], true),
    }
}

/// Whether the first backslash is none that the standard would have written.
fn has_lone_backslash(text: &[u8]) -> bool {
    let at = text.iter().position(|byte| *byte == b'\\');
    let next = at.and_then(|at| text.get(at + 1));
    next.is_some_and(|next| !matches!(next, b'\\' | b'=' | b'|'))
}

/// The text without the backslashes in front of these signs and, in a text that `has_lines`, with the ends of lines that `\n`
/// and `\r` stand for. Any other backslash stays: devices write paths as they are.
fn unescape<'a>(text: &'a str, signs: &[char], has_lines: bool) -> Cow<'a, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let Some(escaped) = (c == '\\').then(|| rest.clone().next()).flatten() else {
            plain.push(c);
            continue;
        };
        match escaped {
            'n' if has_lines => plain.push('\n'),
            'r' if has_lines => plain.push('\r'),
            sign if signs.contains(&sign) => plain.push(sign),
            _ => {
                plain.push('\\');
                continue;
            }
        }
        rest.next();
    }
    Cow::Owned(plain)
}

#[cfg(test)]
#[path = "cef_tests.rs"]
mod tests;
