//! JSON as text: takes an object apart into the texts of its fields, as strict as `serde_json` and faster for small ones, of
//! which logs have many.

use std::borrow::Cow;

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

/// Calls `take` with each field of the object that `json` is, in order: the name, and the value as it stands there.
/// Answers whether `json` is an object; fields before the mistake in what is none have been taken.
pub fn each_field<'a>(json: &'a [u8], mut take: impl FnMut(&str, &'a str)) -> bool {
    let Ok(text) = std::str::from_utf8(json) else { return false };
    let mut scanner = Scanner { bytes: json, at: 0, open: Vec::new() };
    scanner.fields(text, &mut take).is_some()
}

/// Calls `take` with each element of the array that `json` is, in order, as it stands there. Answers whether `json` is an array;
/// elements before the mistake in what is none have been taken.
pub fn each_element<'a>(json: &'a str, mut take: impl FnMut(&'a str)) -> bool {
    let mut scanner = Scanner { bytes: json.as_bytes(), at: 0, open: Vec::new() };
    scanner.elements(json, &mut take).is_some()
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

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How the objects and arrays end that the value is inside of, the outermost first.
    open: Vec<u8>,
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    fn fields(&mut self, text: &'a str, take: &mut impl FnMut(&str, &'a str)) -> Option<()> {
        if self.token()? != b'{' {
            return None;
        }
        let mut next = self.token()?;
        if next != b'}' {
            loop {
                let name_at = self.at;
                (next == b'"').then_some(())?;
                let is_plain = self.string()?;
                let name = name(text.get(name_at..self.at - 1)?, is_plain)?;
                (self.token()? == b':').then_some(())?;
                let first = self.token()?;
                let value_at = self.at - 1;
                self.value(first)?;
                take(&name, text.get(value_at..self.at)?);
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

    fn elements(&mut self, text: &'a str, take: &mut impl FnMut(&'a str)) -> Option<()> {
        if self.token()? != b'[' {
            return None;
        }
        let mut first = self.token()?;
        if first != b']' {
            loop {
                let value_at = self.at - 1;
                self.value(first)?;
                take(text.get(value_at..self.at)?);
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

    /// Passes over the rest of a value that begins with `first`.
    fn value(&mut self, mut first: u8) -> Option<()> {
        self.open.clear();
        loop {
            match first {
                b'"' => {
                    self.string()?;
                }
                b'{' => match self.token()? {
                    b'}' => {}
                    quote => {
                        self.open.push(b'}');
                        first = self.name_and_colon(quote)?;
                        continue;
                    }
                },
                b'[' => match self.token()? {
                    b']' => {}
                    item => {
                        self.open.push(b']');
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
                let Some(close) = self.open.last().copied() else { return Some(()) };
                match self.token()? {
                    b',' => {
                        first = self.token()?;
                        if close == b'}' {
                            first = self.name_and_colon(first)?;
                        }
                        break;
                    }
                    token if token == close => {
                        self.open.pop();
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
    fn string(&mut self) -> Option<bool> {
        let mut is_plain = true;
        loop {
            self.at += plain_prefix(self.bytes.get(self.at..)?);
            match self.byte()? {
                b'"' => return Some(is_plain),
                b'\\' => {
                    is_plain = false;
                    match self.byte()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(rest).then_some(())?;
        self.at += rest.len();
        Some(())
    }

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

    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }
}

fn name(text: &str, is_plain: bool) -> Option<Cow<'_, str>> {
    if is_plain {
        return Some(Cow::Borrowed(text));
    }
    // What an escape stands for may be no character.
    serde_json::from_str(&format!("\"{text}\"")).ok().map(Cow::Owned)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
