//! The options of `encoding`: which fields of an event are written, and how times are written in them.
//!
//! They are Vector's, and change what is written of an event, not what is known of it: a field that chooses where a row goes
//! may be left out of the row.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;

use super::field_path::{FieldPath, Segment};
use super::layout::Layout;
use model::json::{each_element, each_field, write_text};
use model::problem::Problem;
use model::time::rfc3339;

/// How deep times are looked for: what is nested deeper stays as it is.
const MAX_DEPTH: usize = 32;

/// Which fields of an event are written, and how times are written in them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = {"codec": "rows are always JSON, so remove it"}))]
pub struct EncodingConfig {
    /// The paths of the fields that are written; all others are left out. The event's time is written in any case. Default: all
    /// fields. Example: `[message, host.name, "labels.\"app.kubernetes.io/name\""]`.
    pub only_fields: Option<Vec<String>>,
    /// The paths of the fields that are left out. They still count where an option takes a name from a field, as `stream_name`
    /// may. Default: none. Example: `[_internal, kubernetes.pod_ip]`.
    pub except_fields: Option<Vec<String>>,
    /// The form of times in fields, that of the event's time excepted: every text that is a time as Vector writes it
    /// (`2026-11-27T12:00:00Z`), nested up to 32 deep. Default: `rfc3339`.
    pub timestamp_format: Option<TimestampFormat>,
}

/// A form of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// Times in RFC 3339, as they are.
    Rfc3339,
    /// Whole seconds since 1970.
    Unix,
    /// Whole milliseconds since 1970.
    UnixMs,
    /// Whole microseconds since 1970.
    UnixUs,
    /// Whole nanoseconds since 1970.
    UnixNs,
    /// Seconds since 1970 with a fraction, of microseconds.
    UnixFloat,
}

/// The options, checked. One that changes nothing is not made.
#[derive(Debug)]
pub struct Encoding {
    only: Option<Paths>,
    except: Option<Paths>,
    timestamp_format: Option<TimestampFormat>,
}

/// Paths that begin alike share a branch.
#[derive(Clone, Debug, Default)]
struct Paths {
    /// Whether one ends here.
    ends: bool,
    fields: Vec<(String, Self)>,
    elements: Vec<(isize, Self)>,
}

// === impl EncodingConfig ===

impl EncodingConfig {
    /// Checks the options; `path` is where they stand in the file. Nothing if they change nothing.
    pub(super) fn validate(
        &self,
        layout: Layout,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Encoding> {
        let mut read = |option: &str, written: &Option<Vec<String>>| {
            let mut paths = Paths::default();
            for path_of_field in written.as_ref()? {
                match FieldPath::parse(path_of_field) {
                    Ok(FieldPath(segments)) => paths.add(segments),
                    Err(error) => problems.push(Problem::new(format!("{path}.{option}"), error.to_string())),
                }
            }
            Some(paths)
        };
        let only = read("only_fields", &self.only_fields);
        let except = read("except_fields", &self.except_fields);
        let both = self.only_fields.iter().flatten();
        for twice in both.filter(|path| self.except_fields.iter().flatten().any(|other| other == *path)) {
            let message = format!("'{twice}' is in only_fields, too: it can be in one of them");
            problems.push(Problem::new(format!("{path}.except_fields"), message));
        }
        let timestamp_format = self.timestamp_format.filter(|format| *format != TimestampFormat::Rfc3339);
        if timestamp_format.is_some() && layout != Layout::Raw {
            let message = "the layout's columns have forms of their own: leave this out";
            problems.push(Problem::new(format!("{path}.timestamp_format"), message));
        }
        let changes = only.is_some() || except.is_some() || timestamp_format.is_some();
        changes.then_some(Encoding { only, except, timestamp_format })
    }
}

// === impl Encoding ===

impl Encoding {
    /// What is written of a field of the event, whose value is JSON; nothing if the field is left out.
    pub(super) fn field<'v>(&self, name: &str, json: &'v str) -> Option<Cow<'v, str>> {
        let mut kept = Cow::Borrowed(json);
        if let Some(except) = self.except.as_ref().and_then(|except| except.field(name)) {
            kept = except.without(json)?;
        }
        if let Some(only) = &self.only {
            kept = and_then(kept, |kept| only.field(name)?.only(kept))?;
        }
        if let Some(format) = self.timestamp_format {
            kept = and_then(kept, |kept| Some(format.apply(kept, 0)))?;
        }
        Some(kept)
    }

    /// What is written of a whole event, which is JSON. What is no object is left as it is.
    pub(super) fn event<'v>(&self, json: &'v [u8]) -> Cow<'v, [u8]> {
        let mut object = Object::default();
        let is_object = each_field(json, |name, value| {
            if let Some(value) = self.field(name, value) {
                object.field(name, &value);
            }
        });
        if is_object { Cow::Owned(object.finish().into_bytes()) } else { Cow::Borrowed(json) }
    }
}

/// Goes on with what may be borrowed.
fn and_then<'v>(
    value: Cow<'v, str>,
    go_on: impl for<'c> FnOnce(&'c str) -> Option<Cow<'c, str>>,
) -> Option<Cow<'v, str>> {
    match value {
        Cow::Borrowed(text) => go_on(text),
        Cow::Owned(text) => Some(Cow::Owned(go_on(&text)?.into_owned())),
    }
}

// === impl Paths ===

impl Paths {
    fn add(&mut self, segments: Vec<Segment>) {
        let mut at = self;
        for segment in segments {
            at = match segment {
                Segment::Field(name) => branch(&mut at.fields, name),
                Segment::Index(index) => branch(&mut at.elements, index),
            };
        }
        at.ends = true;
    }

    fn field(&self, name: &str) -> Option<&Self> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, paths)| paths)
    }

    /// The branch of an element, of an array that has so many: of two that lead there, from both ends, both.
    fn element(&self, at: usize, count: usize) -> Option<Cow<'_, Self>> {
        let is_at = |index: &isize| match usize::try_from(*index) {
            Ok(index) => index == at,
            Err(_) => count.checked_sub(index.unsigned_abs()) == Some(at),
        };
        let mut found = self.elements.iter().filter(|(index, _)| is_at(index)).map(|(_, paths)| paths);
        let first = Cow::Borrowed(found.next()?);
        Some(found.fold(first, |all, paths| Cow::Owned(all.into_owned().and(paths.clone()))))
    }

    /// These and others.
    fn and(mut self, other: Self) -> Self {
        self.ends |= other.ends;
        for (name, paths) in other.fields {
            let branch = branch(&mut self.fields, name);
            *branch = std::mem::take(branch).and(paths);
        }
        for (index, paths) in other.elements {
            let branch = branch(&mut self.elements, index);
            *branch = std::mem::take(branch).and(paths);
        }
        self
    }

    /// A value without what these paths lead to; nothing if one leads to the value itself.
    fn without<'v>(&self, json: &'v str) -> Option<Cow<'v, str>> {
        if self.ends {
            return None;
        }
        let mut object = Object::default();
        if !self.fields.is_empty()
            && each_field(json.as_bytes(), |name, value| {
                let kept = match self.field(name) {
                    Some(paths) => paths.without(value),
                    None => Some(Cow::Borrowed(value)),
                };
                if let Some(kept) = kept {
                    object.field(name, &kept);
                }
            })
        {
            return Some(Cow::Owned(object.finish()));
        }
        if let Some(elements) = self.elements_of(json) {
            let count = elements.len();
            let kept =
                elements.into_iter().enumerate().filter_map(|(at, value)| match self.element(at, count) {
                    Some(paths) => paths.without(value),
                    None => Some(Cow::Borrowed(value)),
                });
            return Some(Cow::Owned(array(kept)));
        }
        Some(Cow::Borrowed(json))
    }

    /// Only what these paths lead to, in the same place; nothing if there is none of it.
    fn only<'v>(&self, json: &'v str) -> Option<Cow<'v, str>> {
        if self.ends {
            return Some(Cow::Borrowed(json));
        }
        let mut object = Object::default();
        if !self.fields.is_empty()
            && each_field(json.as_bytes(), |name, value| {
                if let Some(kept) = self.field(name).and_then(|paths| paths.only(value)) {
                    object.field(name, &kept);
                }
            })
        {
            return (!object.0.is_empty()).then(|| Cow::Owned(object.finish()));
        }
        let elements = self.elements_of(json)?;
        let count = elements.len();
        let kept = elements.into_iter().enumerate();
        let mut kept: Vec<_> = kept.map(|(at, value)| self.element(at, count)?.only(value)).collect();
        // An element keeps its place.
        let places = kept.iter().rposition(Option::is_some)? + 1;
        kept.truncate(places);
        Some(Cow::Owned(array(kept.into_iter().map(|value| value.unwrap_or(Cow::Borrowed("null"))))))
    }

    /// The elements of the array that `json` is, if any of them matters.
    fn elements_of<'v>(&self, json: &'v str) -> Option<Vec<&'v str>> {
        let mut elements = Vec::new();
        let is_array = !self.elements.is_empty() && each_element(json, |element| elements.push(element));
        is_array.then_some(elements)
    }
}

/// The branch behind `key`, made if there is none.
fn branch<K: PartialEq>(branches: &mut Vec<(K, Paths)>, key: K) -> &mut Paths {
    let at = branches.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        branches.push((key, Paths::default()));
        branches.len() - 1
    });
    &mut branches[at].1
}

// === impl TimestampFormat ===

impl TimestampFormat {
    /// A value with every time in it in this form.
    fn apply(self, json: &str, depth: usize) -> Cow<'_, str> {
        match json.as_bytes().first() {
            Some(b'"') => self.time(json).map_or(Cow::Borrowed(json), Cow::Owned),
            Some(b'{') if depth < MAX_DEPTH => {
                let mut object = Object::default();
                let mut take = |name: &str, value| object.field(name, &self.apply(value, depth + 1));
                let is_read = each_field(json.as_bytes(), &mut take);
                // A name that is no text: all of it stays.
                if is_read { Cow::Owned(object.finish()) } else { Cow::Borrowed(json) }
            }
            Some(b'[') if depth < MAX_DEPTH => {
                let mut elements = Vec::new();
                each_element(json, |element| elements.push(self.apply(element, depth + 1)));
                Cow::Owned(array(elements.into_iter()))
            }
            _ => Cow::Borrowed(json),
        }
    }

    /// The time that a JSON text is, if it is one in UTC, which is how Vector writes its times.
    fn time(self, json: &str) -> Option<String> {
        let text = json.strip_prefix('"')?.strip_suffix("Z\"")?;
        text.starts_with(|first: char| first.is_ascii_digit()).then_some(())?;
        let time = rfc3339(json.strip_prefix('"')?.strip_suffix('"')?)?;
        Some(match self {
            Self::Rfc3339 => return None,
            Self::Unix => time.timestamp().to_string(),
            Self::UnixMs => time.timestamp_millis().to_string(),
            Self::UnixUs => time.timestamp_micros().to_string(),
            // Beyond the year 2262 there is no such number.
            Self::UnixNs => time.timestamp_nanos_opt()?.to_string(),
            Self::UnixFloat => serde_json::to_string(&(time.timestamp_micros() as f64 / 1e6)).ok()?,
        })
    }
}

/// A JSON object that grows.
#[derive(Default)]
struct Object(Vec<u8>);

// === impl Object ===

impl Object {
    fn field(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write_text(name, &mut self.0);
        self.0.push(b':');
        self.0.extend_from_slice(json.as_bytes());
    }

    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}

fn array<'v>(elements: impl Iterator<Item = Cow<'v, str>>) -> String {
    let mut array = "[".to_owned();
    for element in elements {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(&element);
    }
    array.push(']');
    array
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
