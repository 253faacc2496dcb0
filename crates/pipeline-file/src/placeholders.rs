//! Placeholders for variables and secrets, so that a file can be parsed, taken apart and written again as its author
//! wrote it, without any of their values.
//!
//! Vector replaces both in the text, before it parses it. So what is written again must have each in the same kind of quotes:
//! `"${PORT}"` is a string whatever the port, and `${PORT}` a number.

use std::{borrow::Cow, collections::BTreeSet};

use regex::{Captures, Regex};
use serde_json::Value;

use super::{
    format::{Format, Style},
    interpolate::Occurrence,
    text::Splice,
};

/// The most placeholders; no file that a person wrote has more.
const MOST: usize = 99_999;

/// The placeholders of all files, and what each stands for.
#[derive(Clone)]
pub(super) struct Placeholders {
    /// Occurs in none of the files.
    nonce: String,
    find: Option<Regex>,
    all: Vec<Placeholder>,
}

#[derive(Clone)]
struct Placeholder {
    written: String,
    /// What Vector would put there; nothing if it is missing, or a secret.
    value: Option<Splice<'static>>,
    style: Style,
}

// === impl Placeholders ===

impl Placeholders {
    /// Placeholders that occur in none of `texts`.
    pub(super) fn new(texts: &[&str]) -> Self {
        let mut nonces = (0_u64..).map(|number| format!("{number:012}"));
        let unused = |nonce: &String| !texts.iter().any(|text| text.contains(nonce.as_str()));
        let nonce = nonces.find(unused).unwrap_or_default();
        let find = Regex::new(&format!(r"Zq{nonce}(?<word>\d{{5}})q|73{nonce}(?<number>\d{{5}})")).ok();
        Self { nonce, find, all: Vec::new() }
    }

    /// A placeholder for each of `occurrences`, as it can stand in text of `format`: `None` if none can stand there.
    pub(super) fn add(&mut self, occurrences: &[Occurrence<'_>], format: Format) -> Option<Vec<String>> {
        let several_lines = occurrences.iter().any(|found| found.written.contains(['\n', '\r']));
        if several_lines || self.all.len() + occurrences.len() > MOST {
            return None;
        }
        let mut added = Vec::new();
        for found in occurrences {
            let (nonce, id) = (&self.nonce, self.all.len());
            added.push(match format {
                // Plain words are values in YAML, and the parser says which were plain.
                Format::Yaml => format!("Zq{nonce}{id:05}q"),
                // Numbers are values in both, and fit 64 bits.
                Format::Toml | Format::Json => format!("73{nonce}{id:05}"),
            });
            let value = match &found.value {
                Ok(Splice::BroughtIn(value)) => Some(Splice::BroughtIn(value.clone().into_owned().into())),
                Ok(Splice::Written(value)) => Some(Splice::Written(value.clone().into_owned().into())),
                Err(_) => None,
            };
            self.all.push(Placeholder { written: found.written.to_owned(), value, style: Style::Plain });
        }
        Some(added)
    }

    /// A placeholder for a variable that no file has, which is written in double quotes.
    pub(super) fn new_variable(&mut self, written: &str) -> String {
        let placeholder = format!("Zq{}{:05}q", self.nonce, self.all.len());
        self.all.push(Placeholder { written: written.to_owned(), value: None, style: Style::Double });
        placeholder
    }

    /// Records in which kind of scalar each placeholder stands.
    pub(super) fn record_styles(&mut self, format: Format, with_placeholders: &str) {
        let mut styles = Vec::new();
        format.scalars(with_placeholders, &mut |text, style| {
            styles.extend(self.ids(text).into_iter().map(|id| (id, style)));
        });
        for (id, style) in styles {
            if let Some(placeholder) = self.all.get_mut(id) {
                placeholder.style = style;
            }
        }
    }

    /// Whether a variable, alone in a place of a list, has commas in it: whether those part items depends on how the list is
    /// written, which is not kept.
    pub(super) fn brings_in_items(&self, tree: &Value) -> bool {
        match tree {
            Value::Array(items) => items.iter().any(|item| {
                let several = |placeholder: &Placeholder| {
                    placeholder.style == Style::Plain
                        && matches!(&placeholder.value, Some(Splice::BroughtIn(value)) if value.contains(','))
                };
                let mut alone = BTreeSet::new();
                if !item.is_object() && !item.is_array() {
                    self.collect(item, &mut alone);
                }
                alone.iter().filter_map(|id| self.all.get(*id)).any(several) || self.brings_in_items(item)
            }),
            Value::Object(map) => map.values().any(|value| self.brings_in_items(value)),
            _ => false,
        }
    }

    /// Whether all placeholders from number `first` on, which stand for `occurrences` of `raw`, are in `tree`, or in a comment.
    pub(super) fn are_found(
        &self,
        first: usize,
        raw: &str,
        occurrences: &[Occurrence<'_>],
        tree: &Value,
    ) -> bool {
        let mut found = BTreeSet::new();
        self.collect(tree, &mut found);
        occurrences.iter().enumerate().all(|(number, occurrence)| {
            let before = raw.get(..occurrence.range.start).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            found.contains(&(first + number)) || line.contains('#')
        })
    }

    fn ids(&self, text: &str) -> Vec<usize> {
        self.find.iter().flat_map(|find| find.captures_iter(text)).filter_map(|found| id(&found)).collect()
    }

    /// The numbers of the placeholders in the keys and values of `tree`.
    pub(super) fn collect(&self, tree: &Value, into: &mut BTreeSet<usize>) {
        match tree {
            Value::String(text) => into.extend(self.ids(text)),
            Value::Number(number) => into.extend(self.ids(&number.to_string())),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, into)),
            Value::Object(map) => {
                for (key, value) in map {
                    into.extend(self.ids(key));
                    self.collect(value, into);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The variables in `tree`, as they are written, whose authors must have meant one: they have a value, or braces.
    pub(super) fn variables(&self, tree: &Value) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.collect(tree, &mut found);
        let placeholders = found.into_iter().filter_map(|id| self.all.get(id));
        let meant = placeholders.filter(|placeholder| {
            placeholder.written.starts_with("${") || matches!(placeholder.value, Some(Splice::BroughtIn(_)))
        });
        meant.map(|placeholder| placeholder.written.as_str()).collect()
    }

    /// How many placeholders there are so far: the number of the next.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The kind of scalar that the first placeholder in `text` stands in; nothing if it has no placeholder.
    pub(super) fn style(&self, text: &str) -> Option<Style> {
        let first = self.ids(text).into_iter().next()?;
        self.all.get(first).map(|placeholder| placeholder.style)
    }

    /// `text` with the placeholders as they were written.
    pub(super) fn written<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replace(text, |placeholder| placeholder.written.clone())
    }

    /// The same, with each as `change` has it.
    pub(super) fn written_as<'t>(&self, text: &'t str, change: impl Fn(&str) -> String) -> Cow<'t, str> {
        self.replace(text, |placeholder| change(&placeholder.written))
    }

    /// `text` with what each placeholder stands for, and as it was written where that is nothing.
    pub(super) fn meant<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replace(text, |placeholder| match &placeholder.value {
            Some(Splice::BroughtIn(value) | Splice::Written(value)) => value.clone().into_owned(),
            None => placeholder.written.clone(),
        })
    }

    fn replace<'t>(&self, text: &'t str, with: impl Fn(&Placeholder) -> String) -> Cow<'t, str> {
        let Some(find) = &self.find else { return Cow::Borrowed(text) };
        find.replace_all(text, |found: &Captures<'_>| {
            let placeholder = id(found).and_then(|id| self.all.get(id));
            placeholder.map_or_else(|| found[0].to_owned(), &with)
        })
    }

    /// Puts into `tree` what its placeholders stand for, and into `brought_in` what of that is not written in the file.
    pub(super) fn put_in(&self, tree: &mut Value, brought_in: &mut Vec<String>) {
        match tree {
            Value::String(text) => {
                self.note(text, brought_in);
                *text = self.meant(text).into_owned();
            }
            Value::Number(number) => {
                let text = number.to_string();
                if let Cow::Owned(meant) = self.meant(&text) {
                    self.note(&text, brought_in);
                    *tree = serde_json::from_str(&meant).unwrap_or(Value::String(meant));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_in(item, brought_in)),
            Value::Object(map) => {
                for (key, mut value) in std::mem::take(map) {
                    self.note(&key, brought_in);
                    self.put_in(&mut value, brought_in);
                    map.insert(self.meant(&key).into_owned(), value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn note(&self, text: &str, brought_in: &mut Vec<String>) {
        for placeholder in self.ids(text).into_iter().filter_map(|id| self.all.get(id)) {
            if let Some(Splice::BroughtIn(value)) = &placeholder.value
                && !value.is_empty()
            {
                brought_in.push(value.clone().into_owned());
            }
        }
    }
}

fn id(found: &Captures<'_>) -> Option<usize> {
    found.name("word").or_else(|| found.name("number"))?.as_str().parse().ok()
}
