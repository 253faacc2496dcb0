//! JSON as text: takes an object apart into the texts of its fields, as strict as `serde_json` and faster for small ones, of
//! which logs have many.

use std::ops::Range;

/// How many of the first bytes may stand in a JSON string as they are.
pub fn plain_prefix(bytes: &[u8]) -> usize {
    /// One in each byte.
    const ONES: u64 = 0x0101_0101_0101_0101;
    /// The highest bit of each byte.
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    // Eight at a time. A byte's highest bit is set if it is less than a blank, a quote or a backslash; of the bytes behind
    // the first that is, this says nothing.
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let eight = u64::from_le_bytes(*eight);
        let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
        let control = eight.wrapping_sub(ONES * u64::from(b' ')) & !eight;
        let quote = is_zero(eight ^ (ONES * u64::from(b'"')));
        let backslash = is_zero(eight ^ (ONES * u64::from(b'\\')));
        let found = (control | quote | backslash) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    at + rest.iter().position(special).unwrap_or(rest.len())
}

/// A field of an object, as it stands in the object's text.
#[derive(Clone, Debug)]
pub struct JsonField<'n, 'a> {
    /// Its name, without escapes.
    pub name: &'n str,
    /// Its value, as it stands there.
    pub json: &'a str,
    /// Where it stands, from the quote before its name on, in bytes.
    pub range: Range<usize>,
    /// Whether nothing but a colon stands between name and value, and no escape in the name.
    pub is_compact: bool,
}

/// Calls `take` with each field of the object that `json` is, in order: the name, and the value as it stands there.
/// Answers whether `json` is an object; fields before the mistake in what is none have been taken.
pub fn each_field<'a>(json: &'a [u8], mut take: impl FnMut(&str, &'a str)) -> bool {
    let Ok(text) = std::str::from_utf8(json) else { return false };
    each_field_of_text(text, |field| take(field.name, field.json))
}

/// The same with a text, and with where each field stands in it.
pub fn each_field_of_text<'a>(text: &'a str, mut take: impl FnMut(JsonField<'_, 'a>)) -> bool {
    Scanner::of(text).fields(text, &mut take).is_some()
}

/// Calls `take` with each element of the array that `json` is, in order, as it stands there. Answers whether `json` is an array;
/// elements before the mistake in what is none have been taken.
pub fn each_element<'a>(json: &'a str, mut take: impl FnMut(&'a str)) -> bool {
    let take = |range: Range<usize>| take(json.get(range).unwrap_or_default());
    Scanner::of(json).elements(take).is_some()
}

/// Where each element of the array that `json` is stands in it, in bytes; nothing if it is no array.
pub fn element_ranges(json: &str) -> Option<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    Scanner::of(json).elements(|range| ranges.push(range))?;
    Some(ranges)
}

/// Appends a text as a JSON string.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    // Most text has nothing to escape.
    if plain_prefix(text.as_bytes()) == text.len() {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if serde_json::to_writer(&mut *out, text).is_err() {
        // Into memory: this cannot be.
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Bytes that are looked at together.
const CHUNK: usize = 64;

/// Passes over JSON. What it calls out of line takes a copy and gives it back: only so does it stay in registers.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Which chunk of the text was looked at last.
    chunk: usize,
    /// Which bytes of it cannot stand in a string as they are, the first in the lowest bit.
    special: u64,
}

/// The bytes of a chunk that cannot stand in a JSON string as they are, the first in the lowest bit.
#[inline]
fn special_bytes(chunk: &[u8; CHUNK]) -> u64 {
    // Without a branch, so that many bytes are compared at once.
    let special = chunk.map(|byte| u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\'));
    let (eights, _) = special.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |bits, (index, eight)| {
        // Each byte's lowest bit, moved to the highest byte.
        let eight = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits | eight << (8 * index)
    })
}

/// The same of the chunk at this index; what is behind the end of the text is special, too.
fn special_of(bytes: &[u8], chunk: usize) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    match (chunks.get(chunk), bytes.last_chunk::<CHUNK>()) {
        (Some(chunk), _) => special_bytes(chunk),
        (None, Some(last)) if chunk == chunks.len() => {
            special_bytes(last) >> 1 >> (CHUNK - 1 - rest.len()) | u64::MAX << rest.len()
        }
        (None, None) if chunk == 0 => {
            let mut padded = [0; CHUNK];
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            special_bytes(&padded)
        }
        (None, _) => u64::MAX,
    }
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, chunk: usize::MAX, special: 0 }
    }

    /// Where the next byte is that cannot stand in a string as it is; behind the end if there is none.
    #[expect(
        clippy::inline_always,
        reason = "so that where the scanner is stays in registers: a third faster"
    )]
    #[inline(always)]
    fn next_special(&mut self) -> usize {
        let (mut chunk, within) = (self.at / CHUNK, self.at % CHUNK);
        if chunk != self.chunk {
            self.special = special_of(self.bytes, chunk);
        }
        let mut found = self.special >> within << within;
        while found == 0 {
            chunk += 1;
            self.special = special_of(self.bytes, chunk);
            found = self.special;
        }
        self.chunk = chunk;
        chunk * CHUNK + found.trailing_zeros() as usize
    }

    fn fields(mut self, text: &'a str, take: &mut impl FnMut(JsonField<'_, 'a>)) -> Option<()> {
        let mut open = Vec::new();
        if self.token()? != b'{' {
            return None;
        }
        let mut next = self.token()?;
        if next != b'}' {
            loop {
                (next == b'"').then_some(())?;
                let name_at = self.at;
                let is_plain = self.string()?;
                let name_end = self.at - 1;
                (self.token()? == b':').then_some(())?;
                let first = self.token()?;
                let value_at = self.at - 1;
                match first {
                    b'"' => drop(self.string()?),
                    b'-' | b'0'..=b'9' => self.number(first)?,
                    _ => self = self.value(first, &mut open)?,
                }
                let name = text.get(name_at..name_end)?;
                let unescaped;
                let name = if is_plain {
                    name
                } else {
                    unescaped = without_escapes(name)?;
                    &unescaped
                };
                let json = text.get(value_at..self.at)?;
                let is_compact = is_plain && value_at == name_end + 2;
                take(JsonField { name, json, range: name_at - 1..self.at, is_compact });
                match self.token()? {
                    b',' => next = self.token()?,
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        // Nothing may follow.
        self.token().is_none().then_some(())
    }

    fn elements(mut self, mut take: impl FnMut(Range<usize>)) -> Option<()> {
        let mut open = Vec::new();
        if self.token()? != b'[' {
            return None;
        }
        let mut first = self.token()?;
        if first != b']' {
            loop {
                let value_at = self.at - 1;
                self = self.value(first, &mut open)?;
                take(value_at..self.at);
                match self.token()? {
                    b',' => first = self.token()?,
                    b']' => break,
                    _ => return None,
                }
            }
        }
        // Nothing may follow.
        self.token().is_none().then_some(())
    }

    /// Passes over the rest of a value that begins with `first`. How the objects and arrays end that it is inside of goes into `open`,
    /// the outermost first.
    #[inline(never)]
    fn value(mut self, mut first: u8, open: &mut Vec<u8>) -> Option<Self> {
        open.clear();
        loop {
            match first {
                b'"' => {
                    self.string()?;
                }
                b'{' => match self.token()? {
                    b'}' => {}
                    quote => {
                        open.push(b'}');
                        first = self.name_and_colon(quote)?;
                        continue;
                    }
                },
                b'[' => match self.token()? {
                    b']' => {}
                    item => {
                        open.push(b']');
                        first = item;
                        continue;
                    }
                },
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                b'-' | b'0'..=b'9' => self.number(first)?,
                _ => return None,
            }
            loop {
                let Some(close) = open.last().copied() else { return Some(self) };
                match self.token()? {
                    b',' => {
                        first = self.token()?;
                        if close == b'}' {
                            first = self.name_and_colon(first)?;
                        }
                        break;
                    }
                    token if token == close => {
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// Passes over a name and what is behind it; answers how the value begins.
    fn name_and_colon(&mut self, quote: u8) -> Option<u8> {
        (quote == b'"').then_some(())?;
        self.string()?;
        (self.token()? == b':').then_some(())?;
        self.token()
    }

    /// Passes over the rest of a string, with its quote; answers whether it has no escapes.
    #[expect(
        clippy::inline_always,
        reason = "so that where the scanner is stays in registers: a third faster"
    )]
    #[inline(always)]
    fn string(&mut self) -> Option<bool> {
        self.at = self.next_special();
        if self.byte()? == b'"' {
            return Some(true);
        }
        *self = self.escaped()?;
        Some(false)
    }

    /// The same behind the first byte that is not plain.
    #[inline(never)]
    fn escaped(mut self) -> Option<Self> {
        loop {
            match self.bytes.get(self.at - 1)? {
                b'"' => return Some(self),
                b'\\' => match self.byte()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        self.at += 4;
                    }
                    _ => return None,
                },
                _ => return None,
            }
            self.at = self.next_special() + 1;
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(rest).then_some(())?;
        self.at += rest.len();
        Some(())
    }

    #[inline]
    fn number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.byte()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.byte()?.is_ascii_digit().then_some(())?;
            self.digits();
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            let first = match self.byte()? {
                b'+' | b'-' => self.byte()?,
                first => first,
            };
            first.is_ascii_digit().then_some(())?;
            self.digits();
        }
        Some(())
    }

    #[inline]
    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
        }
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }
}

/// The name, if its escapes stand for characters.
fn without_escapes(name: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{name}\"")).ok()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
