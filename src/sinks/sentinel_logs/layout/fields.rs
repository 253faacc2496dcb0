//! The fields of a JSON object, whose values stay the text that they came as.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

pub(super) use model::json::write_text;

/// The fields of an object, in their order. Values are read only when somebody asks for what is in them: most of an
/// incident is copied from the event to its rows and never looked at.
#[derive(Debug, Default)]
pub(in crate::sinks::sentinel_logs) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct FieldsVisitor;

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            fields.push((name, value));
        }
        Ok(Fields(fields))
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of a value, if it is an object.
    pub(super) fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// A field's value, unless it is null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        (value.get() != "null").then_some(*value)
    }

    /// The value at a path of names joined by dots, unless it is null.
    pub(super) fn find(&self, path: &str) -> Option<&'a RawValue> {
        match path.split_once('.') {
            None => self.get(path),
            Some((first, rest)) => Fields::of(self.get(first)?)?.find(rest),
        }
    }

    /// A field's text, if it has any.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// The items of a field that is a list.
    pub(super) fn items(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// The items of a field that is a list of nothing but texts.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<Cow<'a, str>>> {
        self.items(name)?.into_iter().map(text).collect()
    }

    /// Removes a field; of two with the same name, the first, which is the one that [`Fields::get`] answers.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(index) = self.0.iter().position(|(field, _)| field == name) {
            self.0.remove(index);
        }
    }

    /// Keeps the fields that are to stay.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&str, &RawValue) -> bool) {
        self.0.retain(|(name, value)| stays(name, value));
    }

    /// Adds a field behind the others.
    pub(super) fn push(&mut self, name: &'a str, value: &'a RawValue) {
        self.0.push((Cow::Borrowed(name), value));
    }

    /// Removes the fields that say nothing.
    pub(super) fn remove_nulls(&mut self) {
        self.0.retain(|(_, value)| value.get() != "null");
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends them as the object that they are.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(name, out);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
    }
}

/// A value's text, if it is one.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Name(text)| text)
}
