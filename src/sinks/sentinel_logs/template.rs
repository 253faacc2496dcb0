//! Names that depend on the event: `Custom-{{ table }}`.
//!
//! Source: <https://vector.dev/docs/reference/configuration/template-syntax/>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use thiserror::Error;

use super::field_path::{FieldPath, Segment};
use model::event::{Body, Event};
use model::value::Value;

/// What stands for the table of a layout.
const TABLE: &str = "table";
/// Most characters of a name that an event has made in a message.
const MAX_SHOWN_CHARS: usize = 100;

/// A text with paths of fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    written: String,
    parts: Vec<Part>,
    /// What it may come to, if that is not left to events.
    names: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The names on the way to a field.
    Field(Vec<String>),
}

/// Why a template comes to no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum TemplateError {
    #[error("'{{{{' is not followed by '}}}}'")]
    Unclosed,
    #[error("'{0}' is no path of a field, such as 'table' or 'meta.\"odd name\"'")]
    NoPath(String),
    #[error("'{template}' needs the field '{path}', which is no text or number here")]
    NoField { template: String, path: String },
    #[error(
        "'{template}' comes to '{name}', which is none of the names that it is confined to: if events may choose it, add it to \
         'destinations'"
    )]
    Unconfined { template: String, name: ShownName },
}

/// A name that an event has made, as messages show it: without control characters, and no longer than [`MAX_SHOWN_CHARS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownName(String);

// === impl Template ===

impl Template {
    /// Reads a template. The error says what is wrong with it.
    pub(super) fn parse(written: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = written;
        while let Some((text, after)) = rest.split_once("{{") {
            let Some((path, after)) = after.split_once("}}") else {
                return Err(TemplateError::Unclosed);
            };
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(Part::Field(names(path.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { written: written.to_owned(), parts, names: None })
    }

    /// The same, which comes to nothing but these names, in any case of their letters.
    pub(super) fn confined_to(self, names: Vec<String>) -> Self {
        Self { names: Some(names), ..self }
    }

    /// The names that it is confined to.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The paths of the fields that events fill; a layout fills the name of its table.
    pub(super) fn event_fields(&self, has_tables: bool) -> Vec<String> {
        let paths = self.parts.iter().filter_map(|part| match part {
            Part::Field(path) if !(has_tables && *path == [TABLE]) => Some(path.join(".")),
            _ => None,
        });
        paths.collect()
    }

    /// What it begins with whatever is in events.
    pub(super) fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text, if it is the same for every event.
    pub(super) fn fixed(&self) -> Option<&str> {
        self.parts.iter().all(|part| matches!(part, Part::Text(_))).then_some(&self.written)
    }

    /// The text for rows of a layout's `table`, if nothing else is in it.
    pub(super) fn for_table(&self, table: &str) -> Option<String> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Field(path) if *path == [TABLE] => Some(table),
            Part::Field(_) => None,
        });
        parts.collect()
    }

    /// Whether it differs from one table of a layout to the next.
    pub(super) fn names_table(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(path) if *path == [TABLE]))
    }

    /// The text for one event, whose row goes to `table` if a layout has said so. The error says which field is missing, or is no text or number.
    pub(super) fn render(&self, event: &Event, table: Option<&str>) -> Result<String, TemplateError> {
        let mut rendered = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Field(path) => {
                    let value = match (table, event.body()) {
                        (Some(table), _) if *path == [TABLE] => Some(table.to_owned()),
                        (_, Body::Json(json)) => find_in_json(json, path),
                        (_, Body::Value(value)) => find_in_value(value, path),
                    };
                    rendered.push_str(&value.ok_or_else(|| TemplateError::NoField {
                        template: self.written.clone(),
                        path: path.join("."),
                    })?);
                }
            }
        }
        let Some(names) = &self.names else { return Ok(rendered) };
        let in_any_case = || names.iter().find(|name| name.eq_ignore_ascii_case(&rendered));
        match names.iter().find(|name| **name == rendered).or_else(in_any_case) {
            // Not as the event spells it: each spelling would be a stream of its own.
            Some(name) => Ok(name.clone()),
            None => Err(TemplateError::Unconfined {
                template: self.written.clone(),
                name: ShownName::of(&rendered),
            }),
        }
    }
}

// === impl ShownName ===

impl ShownName {
    /// Shows so much of a name as a message may have.
    pub(super) fn of(name: &str) -> Self {
        let mut rest = name.chars();
        let mut shown: String = rest.by_ref().take(MAX_SHOWN_CHARS).collect();
        shown.retain(|character| !character.is_control());
        if rest.next().is_some() {
            shown.push('…');
        }
        Self(shown)
    }
}

impl fmt::Display for ShownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The names on the way to a field.
fn names(path: &str) -> Result<Vec<String>, TemplateError> {
    let wrong = || TemplateError::NoPath(path.to_owned());
    let FieldPath(segments) = FieldPath::parse(path).map_err(|_| wrong())?;
    let name = |segment| match segment {
        Segment::Field(name) => Some(name),
        Segment::Index(_) => None,
    };
    segments.into_iter().map(name).collect::<Option<_>>().ok_or_else(wrong)
}

fn find_in_json(json: &[u8], path: &[String]) -> Option<String> {
    let mut raw: &RawValue = serde_json::from_slice(json).ok()?;
    for name in path {
        let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        raw = fields.get(name.as_str())?;
    }
    match serde_json::from_str(raw.get()).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some(raw.get().to_owned()),
        _ => None,
    }
}

fn find_in_value(value: &Value, path: &[String]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        _ => None,
    })?;
    match found {
        Value::Bytes(text) => String::from_utf8(text.to_vec()).ok(),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
            String::from_utf8(found.to_json().to_vec()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(json: &str) -> [Event; 2] {
        let value = |text: &str| Value::Bytes(text.to_owned().into());
        let meta =
            Value::Object([("odd name".to_owned(), value("x")), ("n".to_owned(), Value::Integer(7))].into());
        let fields = [("table".to_owned(), value("Firewall_CL")), ("meta".to_owned(), meta)];
        [Event::new(json.to_owned().into(), None), Event::from_value(Value::Object(fields.into()))]
    }

    #[test]
    fn a_template_takes_its_fields_from_the_event() {
        for event in events(r#"{"meta":{"n":7,"odd name":"x"},"table":"Firewall_CL"}"#) {
            for (template, expected) in [
                ("Custom-{{ table }}", "Custom-Firewall_CL"),
                ("{{.table}}", "Firewall_CL"),
                ("{{ meta.n }}-{{ meta.\"odd name\" }}!", "7-x!"),
                ("Custom-Plain", "Custom-Plain"),
            ] {
                assert_eq!(Template::parse(template).unwrap().render(&event, None).unwrap(), expected);
            }
            for missing in ["{{ tabel }}", "{{ meta }}", "{{ table.n }}"] {
                let error = Template::parse(missing).unwrap().render(&event, None).unwrap_err().to_string();
                assert!(error.contains(missing) && error.contains("needs the field"), "{error}");
            }
        }
    }

    #[test]
    fn a_confined_template_comes_to_nothing_else() {
        let template = Template::parse("{{ table }}").unwrap();
        assert_eq!((template.literal_prefix(), template.names()), ("", None));
        let template = template.confined_to(vec!["FIREWALL_CL".to_owned()]);
        for event in events(r#"{"table":"Firewall_CL"}"#) {
            assert_eq!(template.render(&event, None).unwrap(), "FIREWALL_CL");
        }
        let other = Event::new(r#"{"table":"Other_CL"}"#.into(), None);
        let error = template.render(&other, None).unwrap_err().to_string();
        assert!(
            error.contains("'{{ table }}' comes to 'Other_CL'") && error.contains("'destinations'"),
            "{error}"
        );
        let template = Template::parse("Custom-{{ table }}-{{ meta.n }}").unwrap();
        assert_eq!(template.literal_prefix(), "Custom-");
        assert_eq!(template.event_fields(false), ["table", "meta.n"]);
        assert_eq!(template.event_fields(true), ["meta.n"]);
    }

    #[test]
    fn all_spellings_of_a_name_are_the_one_of_the_file() {
        let template = Template::parse("{{ t }}").unwrap();
        let template = template.confined_to(vec!["Custom-Firewall".to_owned(), "Custom-FIREWALL".to_owned()]);
        for (spelled, expected) in [
            ("Custom-Firewall", "Custom-Firewall"),
            ("Custom-FIREWALL", "Custom-FIREWALL"),
            ("custom-firewall", "Custom-Firewall"),
            ("CUSTOM-fIREWALL", "Custom-Firewall"),
        ] {
            let event = Event::new(format!(r#"{{"t":"{spelled}"}}"#).into(), None);
            assert_eq!(template.render(&event, None).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_shows_little_of_a_name_that_an_event_made() {
        let template = Template::parse("{{ t }}").unwrap().confined_to(vec!["Custom-A".to_owned()]);
        let event = Event::new(format!(r#"{{"t":"a\n\u001b[31m{}"}}"#, "ü".repeat(100_000)).into(), None);
        let error = template.render(&event, None).unwrap_err().to_string();
        assert!(error.contains("comes to 'a[31mü") && error.contains("ü…'"), "{error}");
        assert!(error.chars().count() < 300 && !error.contains(char::is_control), "{error}");
        assert_eq!(ShownName::of(&"n".repeat(100)).to_string(), "n".repeat(100));
    }

    #[test]
    fn what_is_no_template_is_reported() {
        for wrong in ["{{ table", "{{ }}", "{{ a..b }}", "{{ a b }}", "{{ \"a }}", "{{ \"a\"b }}"] {
            Template::parse(wrong).unwrap_err();
        }
        assert_eq!(Template::parse("Custom-{{ t }}").unwrap().fixed(), None);
        assert_eq!(Template::parse("Custom-t").unwrap().fixed(), Some("Custom-t"));
    }
}
