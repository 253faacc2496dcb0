//! A tree as YAML, with each variable and secret as it was written, in the kind of quotes that it was written in.
//!
//! Whoever reads it may follow YAML 1.1 or 1.2, so every string that either could take for something else is quoted.

use serde_json::Value;

use super::{format::Style, interpolate::is_replaced_in, placeholders::Placeholders};

/// Words that some reader takes for something else than a string.
const WORDS_OF_YAML: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];

/// `tree` as a YAML document.
pub(super) fn yaml(tree: &Value, placeholders: &Placeholders) -> String {
    let mut text = String::new();
    YamlWriter { placeholders }.block(tree, 0, &mut text);
    text
}

struct YamlWriter<'m> {
    placeholders: &'m Placeholders,
}

// === impl YamlWriter ===

impl YamlWriter<'_> {
    /// A map or a list, whose lines are indented by `indent`; or a scalar on a line of its own.
    fn block(&self, value: &Value, indent: usize, text: &mut String) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    text.push_str(&" ".repeat(indent));
                    text.push_str(&self.string(key, None));
                    text.push(':');
                    self.behind(value, indent + 2, text);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    let start = text.len();
                    if is_block(item) {
                        self.block(item, indent + 2, text);
                        // The first line of what is inside stands behind the dash.
                        let dash = start + indent;
                        text.replace_range(dash..=dash, "-");
                    } else {
                        text.push_str(&" ".repeat(indent));
                        text.push('-');
                        self.behind(item, indent + 2, text);
                    }
                }
            }
            other => self.behind(other, indent, text),
        }
    }

    /// A value behind its key or dash; further lines are indented by `indent`.
    fn behind(&self, value: &Value, indent: usize, text: &mut String) {
        if is_block(value) {
            text.push('\n');
            self.block(value, indent, text);
            return;
        }
        text.push(' ');
        text.push_str(&match value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => self.placeholders.written(&number.to_string()).into_owned(),
            Value::String(string) => self.string(string, Some(indent)),
            Value::Array(_) => "[]".to_owned(),
            Value::Object(_) => "{}".to_owned(),
        });
        text.push('\n');
    }

    /// A string, without an `indent` as a key, which takes one line.
    fn string(&self, string: &str, indent: Option<usize>) -> String {
        let Some(style) = self.placeholders.style(string) else { return free(string, indent) };
        let lines = string.contains('\n');
        match (style, indent) {
            (Style::Plain, _) if !lines => self.placeholders.written(string).into_owned(),
            (Style::Single, _) if !lines => {
                format!("'{}'", self.placeholders.written(&string.replace('\'', "''")))
            }
            // A quote within what stands for a variable was doubled.
            (Style::Single, Some(indent)) => {
                literal(&self.placeholders.written_as(string, |written| written.replace("''", "'")), indent)
            }
            (Style::Plain | Style::Block, Some(indent)) => {
                literal(&self.placeholders.written(string), indent)
            }
            _ => self.placeholders.written(&double(string)).into_owned(),
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// A string without variables, in whichever style reads best.
fn free(string: &str, indent: Option<usize>) -> String {
    if is_plain(string) {
        return string.to_owned();
    }
    // In double quotes a dollar sign can be written so that nobody takes it for a variable.
    let special =
        is_replaced_in(string) || !string.chars().all(|c| is_printable(c) || c == '\n' || c == '\t');
    let lines = string.contains('\n');
    match indent {
        Some(indent) if lines && !special && string.chars().next().is_some_and(|c| !c.is_whitespace()) => {
            literal(string, indent)
        }
        _ if !special && !lines && !string.contains(['\'', '\t']) && string.contains(['"', '\\']) => {
            format!("'{string}'")
        }
        _ => double(string),
    }
}

/// Whether every reader takes it for a string as it stands.
fn is_plain(string: &str) -> bool {
    let first = string.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && !string.ends_with([':', ' '])
        && !string.contains(": ")
        && string.chars().all(|c| c.is_ascii_alphanumeric() || " _-./:@+%;()=".contains(c))
        && !WORDS_OF_YAML.contains(&string.to_ascii_lowercase().as_str())
}

/// Line by line. How many line breaks there are at the end, the sign behind the bar says.
fn literal(string: &str, indent: usize) -> String {
    let mut text = "|".to_owned();
    // Blanks at the start would be taken for more indentation.
    if string.starts_with([' ', '\t', '\n']) {
        text.push('2');
    }
    let body = match string.strip_suffix('\n') {
        None => {
            text.push('-');
            string
        }
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => {
            text.push('+');
            rest
        }
        Some(rest) => rest,
    };
    for line in body.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            text.push_str(&" ".repeat(indent));
            text.push_str(line);
        }
    }
    text
}

fn double(string: &str) -> String {
    let mut text = "\"".to_owned();
    let hide = is_replaced_in(string);
    let mut rest = string.chars();
    while let Some(c) = rest.next() {
        let secret = hide && c == 'S' && rest.as_str().starts_with("ECRET[");
        let code = u32::from(c);
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_printable(c) && !secret && !(hide && c == '$') => text.push(c),
            _ => text += &numbered(code),
        }
    }
    text.push('"');
    text
}

/// A character by its number.
fn numbered(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Whether every reader lets it stand within a line.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
#[path = "tests/yaml_writer.rs"]
mod tests;
