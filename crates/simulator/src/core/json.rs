//! Writes JSON text straight into one string: a tree of values per incident would cost most of the
//! time of listing a large tenant.

use std::fmt::{Display, Write as _};

use crate::core::ticks::Ticks;
use crate::graph::enum_members;

/// A growing JSON text. The caller opens and closes what it writes.
#[derive(Debug)]
pub(crate) struct Json {
    out: String,
    /// Whether newer enum members are shown by their names.
    shows_newer: bool,
}

// === impl Json ===

impl Json {
    pub(crate) const fn new(shows_newer: bool) -> Self {
        Self { out: String::new(), shows_newer }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) const fn shows_newer(&self) -> bool {
        self.shows_newer
    }

    /// Opens an object or an array that stands alone or in an array.
    pub(crate) fn open(&mut self, bracket: char) {
        self.comma();
        self.out.push(bracket);
    }

    /// Opens an object or an array as a property.
    pub(crate) fn open_at(&mut self, name: &str, bracket: char) {
        self.key(name);
        self.out.push(bracket);
    }

    pub(crate) fn close(&mut self, bracket: char) {
        self.out.push(bracket);
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.quoted(value);
    }

    pub(crate) fn maybe_text(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    /// A member of an enum: hidden if it is newer than the reader asked for.
    pub(crate) fn member(&mut self, name: &str, value: &str) {
        let hidden = !self.shows_newer && enum_members::is_newer(name, value);
        self.text(name, if hidden { enum_members::STAND_IN } else { value });
    }

    pub(crate) fn time(&mut self, name: &str, at: Ticks) {
        self.key(name);
        self.out.push('"');
        at.write(&mut self.out);
        self.out.push('"');
    }

    /// A number, a boolean, or any text that is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: impl Display) {
        self.key(name);
        self.push(value);
    }

    /// An element that is JSON already.
    pub(crate) fn raw_item(&mut self, value: impl Display) {
        self.comma();
        self.push(value);
    }

    pub(crate) fn null(&mut self, name: &str) {
        self.key(name);
        self.out.push_str("null");
    }

    /// Several properties that are all null.
    pub(crate) fn nulls(&mut self, names: &[&str]) {
        for name in names {
            self.null(name);
        }
    }

    pub(crate) fn texts<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        self.open_at(name, '[');
        for value in values {
            self.comma();
            self.quoted(value);
        }
        self.close(']');
    }

    fn key(&mut self, name: &str) {
        self.comma();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn comma(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':' | b',')) {
            self.out.push(',');
        }
    }

    fn quoted(&mut self, value: &str) {
        self.out.push('"');
        if value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            for character in value.chars() {
                match character {
                    '"' => self.out.push_str("\\\""),
                    '\\' => self.out.push_str("\\\\"),
                    '\n' => self.out.push_str("\\n"),
                    control if u32::from(control) < 0x20 => {
                        self.push(format_args!("\\u{:04x}", u32::from(control)));
                    }
                    plain => self.out.push(plain),
                }
            }
        } else {
            self.out.push_str(value);
        }
        self.out.push('"');
    }

    fn push(&mut self, value: impl Display) {
        // Writing to a string cannot fail.
        self.out.write_fmt(format_args!("{value}")).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_text_comes_back_as_it_was() {
        let awkward = "a \"quoted\" \\path\\ with\nnew line, \u{1} and ü";
        let mut json = Json::new(true);
        json.open('{');
        json.text("a", awkward);
        json.texts("b", [awkward, ""]);
        json.null("c");
        json.close('}');
        let value: serde_json::Value = serde_json::from_str(&json.finish()).unwrap();
        assert_eq!(value, serde_json::json!({"a": awkward, "b": [awkward, ""], "c": null}));
    }
}
