//! Cuts values that are too long for a column, or columns that are too long for a row, so that each stays the JSON that it was: a
//! list loses elements, an object what is long in it, and a text its end.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::fields::{Fields, write_text};
use model::time::log_time;

/// How deep is looked for what can be cut.
const MAX_DEPTH: usize = 32;
/// Fewest bytes that what is left of a value may have; one that would have fewer is left out.
const LEAST: usize = 8;
/// Lists that are histories: of these the newest elements are kept, and of others the first.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertcomment>
const HISTORIES: [&str; 1] = ["comments"];
/// Most notes that one row has room for; what is cut besides is counted and not noted.
const MAX_NOTES: usize = 32;
/// Longest path in a note, in bytes.
const MAX_PATH: usize = 200;

/// What was cut of one row.
#[derive(Debug, Default)]
pub(in crate::sinks::sentinel_logs) struct Cuts {
    /// Elements of `TruncatedColumns`.
    pub(in crate::sinks::sentinel_logs) notes: Vec<String>,
    /// How many values were cut.
    pub(in crate::sinks::sentinel_logs) count: u64,
}

// === impl Cuts ===

impl Cuts {
    /// The value of a column, in at most `max` bytes: of a text as it is, and of all else as JSON.
    pub(in crate::sinks::sentinel_logs) fn column(
        &mut self,
        column: &str,
        json: &str,
        max: usize,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(max + 2);
        if let Ok(text) = serde_json::from_str::<std::borrow::Cow<'_, str>>(json) {
            let kept = text.floor_char_boundary(max);
            write_text(text.get(..kept).unwrap_or_default(), &mut out);
            if kept < text.len() {
                self.note(column, text.len(), None);
            }
        } else {
            self.cut(json, max, column, 0, &mut out);
        }
        out
    }

    /// The columns of a row, which is an object, in at most `max` bytes of JSON.
    pub(in crate::sinks::sentinel_logs) fn row(&mut self, json: &str, max: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(max);
        self.cut(json, max, "", 0, &mut out);
        out
    }

    /// Appends a value in at most `max` bytes of JSON, of which there are some.
    fn cut(&mut self, json: &str, max: usize, path: &str, depth: usize, out: &mut Vec<u8>) {
        if json.len() <= max {
            out.extend_from_slice(json.as_bytes());
            return;
        }
        let first = json.as_bytes().first();
        match first {
            Some(b'"') => self.cut_text(json, max, path, out),
            Some(b'[') if depth < MAX_DEPTH => self.cut_list(json, max, path, depth, out),
            Some(b'{') if depth < MAX_DEPTH => self.cut_object(json, max, path, depth, out),
            _ => {
                self.note(path, json.len(), None);
                out.extend_from_slice(b"null");
            }
        }
    }

    fn cut_text(&mut self, json: &str, max: usize, path: &str, out: &mut Vec<u8>) {
        // One with an escape that stands for no character is left as it stands, without its quotes.
        let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.trim_matches('"').to_owned());
        self.note(path, text.len(), None);
        let start = out.len();
        let mut kept = text.floor_char_boundary(max.saturating_sub(2));
        loop {
            write_text(text.get(..kept).unwrap_or_default(), out);
            let written = out.len() - start;
            if written <= max || kept == 0 {
                return;
            }
            // Escapes take more room: so much less of the text.
            out.truncate(start);
            kept = text.floor_char_boundary((kept * max / written).min(kept - 1));
        }
    }

    /// As many elements as fit, or what is left of one.
    fn cut_list(&mut self, json: &str, max: usize, path: &str, depth: usize, out: &mut Vec<u8>) {
        let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        let mut order: Vec<usize> = (0..elements.len()).collect();
        if HISTORIES.iter().any(|name| last(path).eq_ignore_ascii_case(name)) {
            order.sort_by_cached_key(|at| std::cmp::Reverse((created(elements[*at]), *at)));
        }
        let mut room = max.saturating_sub(1);
        let mut kept: Vec<usize> = Vec::new();
        for at in &order {
            let Some(left) = room.checked_sub(elements[*at].get().len() + 1) else { break };
            room = left;
            kept.push(*at);
        }
        let alone = if kept.is_empty() { order.first().copied() } else { None };
        kept.extend(alone);
        kept.sort_unstable();
        self.note(path, json.len(), Some(elements.len() - kept.len()));
        out.push(b'[');
        for (index, at) in kept.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let element = elements[*at].get();
            if alone.is_some() {
                self.cut(element, max.saturating_sub(2), &format!("{path}[{at}]"), depth + 1, out);
            } else {
                out.extend_from_slice(element.as_bytes());
            }
        }
        out.push(b']');
    }

    /// All fields; those that are long get equal parts of the room that the others leave.
    fn cut_object(&mut self, json: &str, max: usize, path: &str, depth: usize, out: &mut Vec<u8>) {
        let fields: Fields<'_> = serde_json::from_str(json).unwrap_or_default();
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                let mut key = Vec::new();
                write_text(name, &mut key);
                key.push(b':');
                (name, key, value.get())
            })
            .collect();
        let size = |key: &[u8], value: usize| key.len() + value + 1;
        // Each needs its name, and room for what is left of its value: those behind the last that has that are left out.
        let mut room = max.saturating_sub(1);
        let fit = fields.iter().position(|(_, key, value)| {
            let least = size(key, value.len().min(LEAST));
            room.checked_sub(least).map(|left| room = left).is_none()
        });
        if let Some(fit) = fit {
            self.note(path, json.len(), Some(fields.len() - fit));
            fields.truncate(fit);
        }
        let mut by_length: Vec<usize> = (0..fields.len()).collect();
        by_length.sort_by_key(|at| fields[*at].2.len());
        let mut limits = vec![0; fields.len()];
        for (index, at) in by_length.iter().enumerate() {
            let length = fields[*at].2.len();
            let more = (room / (fields.len() - index)).min(length.saturating_sub(LEAST));
            limits[*at] = length.min(LEAST) + more;
            room -= more;
        }
        out.push(b'{');
        for (index, ((name, key, value), limit)) in fields.iter().zip(limits).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            self.cut(value, limit, &path, depth + 1, out);
        }
        out.push(b'}');
    }

    /// Notes what was cut: the column, the way to it in there, how long it was, and how many elements or fields are missing.
    fn note(&mut self, path: &str, bytes: usize, missing: Option<usize>) {
        self.count += 1;
        if self.notes.len() >= MAX_NOTES {
            return;
        }
        let (column, within) = path.split_once(['.', '[']).unwrap_or((path, ""));
        let mut note = b"{\"column\":".to_vec();
        write_text(column, &mut note);
        if !within.is_empty() {
            let within = path.get(column.len()..).unwrap_or_default().trim_start_matches('.');
            note.extend_from_slice(b",\"field\":");
            write_text(within.get(..within.floor_char_boundary(MAX_PATH)).unwrap_or_default(), &mut note);
        }
        note.extend_from_slice(format!(",\"bytes\":{bytes}").as_bytes());
        if let Some(missing) = missing.filter(|missing| *missing > 0) {
            note.extend_from_slice(format!(",\"missing\":{missing}").as_bytes());
        }
        note.push(b'}');
        self.notes.push(String::from_utf8(note).unwrap_or_default());
    }
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// When an element of a history was made, if it says so.
fn created(element: &RawValue) -> Option<DateTime<Utc>> {
    let comment = Fields::of(element)?;
    let time = comment.text("createdDateTime").or_else(|| {
        // Source: https://learn.microsoft.com/rest/api/securityinsights/incident-comments/list#incidentcomment
        Fields::of(comment.get("properties")?)?.text("createdTimeUtc")
    });
    log_time(&time?, None)
}

#[cfg(test)]
#[path = "cutting_tests.rs"]
mod tests;
