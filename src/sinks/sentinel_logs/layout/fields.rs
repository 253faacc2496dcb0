//! The fields of a JSON object, whose values stay the text that they came as.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::evidence::telling_address;
use super::table::{ColumnType, is_time};
pub(super) use model::json::write_text;

/// The fields of an object, in their order. Values are read only when somebody asks for what is in them: most of an
/// incident is copied from the event to its rows and never looked at.
#[derive(Debug, Default)]
pub(in crate::sinks::sentinel_logs) struct Fields<'a> {
    given: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// What is left of fields that were taken in part, as JSON, behind the others.
    left: Vec<(String, String)>,
}

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
        let mut given = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            given.push((name, value));
        }
        Ok(Fields { given, left: Vec::new() })
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
        let (_, value) = self.given.iter().find(|(field, _)| field == name)?;
        (value.get() != "null").then_some(*value)
    }

    /// A field's text, if it has any.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// The items of a field that is a list.
    pub(super) fn items(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// The texts in a field that is a list, or the one text that it is; its other members are passed over.
    pub(super) fn texts(&self, name: &str) -> Vec<Cow<'a, str>> {
        match self.items(name) {
            Some(items) => items.into_iter().filter_map(text).collect(),
            None => self.text(name).into_iter().collect(),
        }
    }

    /// Takes the texts out of a field that is a list, or the one text that it is. Its other members stay in it.
    pub(super) fn take_texts(&mut self, name: &str) -> Vec<Cow<'a, str>> {
        self.take_members(name, text).unwrap_or_default()
    }

    /// Takes the objects out of a field that is a list, or the one object that it is. Its other members stay in it. Nothing if it is
    /// neither.
    pub(super) fn take_objects(&mut self, name: &str) -> Option<Vec<Self>> {
        self.take_members(name, Self::of)
    }

    /// Takes those members out of a list that `read` can read, or the one value that it is: what is odd stays in the field and
    /// takes nothing else with it. Null says nothing, and does not stay. Nothing if no member can be read, and there are some.
    fn take_members<T>(&mut self, name: &str, read: impl Fn(&'a RawValue) -> Option<T>) -> Option<Vec<T>> {
        let value = self.get(name)?;
        let items = self.items(name).unwrap_or_else(|| vec![value]);
        let (mut taken, mut odd) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            match read(item) {
                Some(member) => taken.push(member),
                None if item.get() == "null" => {}
                None => odd.push(item.get()),
            }
        }
        if taken.is_empty() && !odd.is_empty() {
            return None;
        }
        self.remove(name);
        if !odd.is_empty() {
            self.leave(name, format!("[{}]", odd.join(",")));
        }
        Some(taken)
    }

    /// Takes the object that a field is.
    pub(super) fn take_object(&mut self, name: &str) -> Option<Self> {
        let object = Self::of(self.get(name)?)?;
        self.remove(name);
        Some(object)
    }

    /// Takes the text that a field is.
    pub(super) fn take_text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let text = self.text(name)?;
        self.remove(name);
        Some(text)
    }

    /// Takes the id that a field is.
    pub(super) fn take_id(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let id = self.get(name).and_then(id_text)?;
        self.remove(name);
        Some(id)
    }

    /// Puts a text behind the others.
    pub(super) fn leave_text(&mut self, name: &str, text: &str) {
        let mut json = Vec::new();
        write_text(text, &mut json);
        self.leave(name, String::from_utf8(json).unwrap_or_default());
    }

    /// Puts what is left of an object behind the others, if anything is.
    pub(super) fn leave_rest(&mut self, name: &str, mut rest: Fields<'_>) {
        rest.remove_nulls();
        if !rest.is_empty() {
            let mut json = Vec::new();
            rest.write(&mut json);
            self.leave(name, String::from_utf8(json).unwrap_or_default());
        }
    }

    /// Puts what is left of a field, as JSON, behind the others; under another name if one of them has that already.
    fn leave(&mut self, name: &str, json: String) {
        let mut name = name.to_owned();
        while self.given.iter().any(|(given, _)| *given == name) {
            name.push('_');
        }
        self.left.push((name, json));
    }

    /// Removes a field; of two with the same name, the first, which is the one that [`Fields::get`] answers.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(index) = self.given.iter().position(|(field, _)| field == name) {
            self.given.remove(index);
        }
    }

    /// Keeps the fields that are to stay.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&str, &RawValue) -> bool) {
        self.given.retain(|(name, value)| stays(name, value));
    }

    /// Adds a field behind the others.
    pub(super) fn push(&mut self, name: &'a str, value: &'a RawValue) {
        self.given.push((Cow::Borrowed(name), value));
    }

    /// Removes the fields that say nothing.
    pub(super) fn remove_nulls(&mut self) {
        self.given.retain(|(_, value)| value.get() != "null");
    }

    /// Each field with its value, but for those that were taken in part.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.given.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.left.is_empty()
    }

    /// Appends them as the object that they are.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let given = self.iter().map(|(name, value)| (name, value.get()));
        let left = self.left.iter().map(|(name, json)| (name.as_str(), json.as_str()));
        for (index, (name, json)) in given.chain(left).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(name, out);
            out.push(b':');
            out.extend_from_slice(json.as_bytes());
        }
        out.push(b'}');
    }
}

/// Finds values in an object by their paths, and takes each object on the way apart only once.
pub(super) struct Lookup<'f, 'a> {
    fields: &'f Fields<'a>,
    /// Objects at paths, if there are any.
    inner: Vec<(&'static str, Option<Fields<'a>>)>,
}

// === impl Lookup ===

impl<'f, 'a> Lookup<'f, 'a> {
    pub(super) const fn new(fields: &'f Fields<'a>) -> Self {
        Self { fields, inner: Vec::new() }
    }

    /// The value at a path of names joined by dots, unless it is null. `name[0]` is the first member of a list, and `name[ip]` that
    /// of a list of addresses which tells most.
    pub(super) fn find(&mut self, path: &'static str) -> Option<&'a RawValue> {
        let Some((within, name)) = path.rsplit_once('.') else { return step(self.fields, path) };
        let known = self.inner.iter().position(|(known, _)| *known == within);
        let index = known.unwrap_or_else(|| {
            let object = self.find(within).and_then(Fields::of);
            self.inner.push((within, object));
            self.inner.len() - 1
        });
        step(self.inner[index].1.as_ref()?, name)
    }
}

/// The value that one name of a path leads to.
fn step<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a RawValue> {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        None => fields.get(name),
        Some((name, "ip")) => telling_address(&fields.items(name)?),
        Some((name, _)) => fields.items(name)?.into_iter().find(|item| item.get() != "null"),
    }
}

/// A value's text, if it is one.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Name(text)| text)
}

/// A value's text, or a whole number's digits: what an id can be.
pub(super) fn id_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let is_number = !value.get().is_empty() && value.get().bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some(Cow::Borrowed(value.get())) } else { text(value) }
}

/// The time that a value is in any form that logs have, in RFC 3339.
pub(super) fn time_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let usual = text(value).filter(|text| is_time(text));
    usual.or_else(|| serde_json::from_str(&ColumnType::DateTime.fit(value.get())?).ok().map(Cow::Owned))
}

/// Appends texts as a list of them.
pub(super) fn write_texts(texts: &[Cow<'_, str>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(text, out);
    }
    out.push(b']');
}
