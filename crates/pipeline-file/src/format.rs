//! YAML, TOML and JSON: one tree from each, and a syntax error that does not quote the text.
//!
//! The text has the environment's values in it by now, so none of the parsers' messages that repeat a
//! piece of it is passed on.

use std::path::Path;

use serde::de::Deserialize;
use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser;

use super::{reject_duplicate_keys::UniqueKeys, text::line_start};

/// A language for pipeline files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Toml,
    Json,
}

/// How a scalar is written, as far as that decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: it may be a number, or true or false.
    Plain,
    /// In single quotes, where no character is special but the quote.
    Single,
    /// In double quotes, with escapes.
    Double,
    /// As it is, line by line.
    Block,
}

/// Text that cannot be read as its format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Where, in bytes of the text.
    pub(super) offset: usize,
    pub(super) message: String,
}

// === impl Format ===

impl Format {
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) fn parse(self, text: &str) -> Result<Value, SyntaxError> {
        match self {
            Self::Yaml => yaml(text),
            Self::Toml => toml(text),
            Self::Json => json(text),
        }
    }

    /// Calls `each` with every scalar of a text that can be parsed, keys too. Of TOML and JSON these are only the strings.
    pub(super) fn scalars(self, text: &str, each: &mut dyn FnMut(&str, Style)) {
        match self {
            Self::Yaml => {
                for (event, _) in granit_parser::Parser::new_from_str(text).map_while(Result::ok) {
                    if let granit_parser::Event::Scalar(scalar, style, _, tag) = event {
                        each(&scalar, yaml_style(style, tag.is_some()));
                    }
                }
            }
            Self::Toml => {
                if let Ok(table) = toml::de::DeTable::parse(text) {
                    toml_strings(text, table.get_ref(), each);
                }
            }
            // Nothing in JSON is like anything but double quotes; what is not in quotes has no style to keep.
            Self::Json => each(text, Style::Double),
        }
    }
}

const fn yaml_style(style: granit_parser::ScalarStyle, tagged: bool) -> Style {
    use granit_parser::ScalarStyle;

    match style {
        // A tag is not written again; quotes do what `!!str` does.
        ScalarStyle::Plain if tagged => Style::Single,
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

fn toml_strings(text: &str, table: &toml::de::DeTable<'_>, each: &mut dyn FnMut(&str, Style)) {
    for (key, value) in table {
        each(key.get_ref(), toml_style(text, key.span().start));
        toml_string(text, value, each);
    }
}

fn toml_string(text: &str, value: &toml::Spanned<toml::de::DeValue<'_>>, each: &mut dyn FnMut(&str, Style)) {
    use toml::de::DeValue;

    match value.get_ref() {
        DeValue::String(string) => each(string, toml_style(text, value.span().start)),
        DeValue::Array(items) => items.iter().for_each(|item| toml_string(text, item, each)),
        DeValue::Table(table) => toml_strings(text, table, each),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

fn toml_style(text: &str, start: usize) -> Style {
    match text.get(start..) {
        Some(string) if string.starts_with("'''") => Style::Block,
        Some(string) if string.starts_with('\'') => Style::Single,
        Some(string) if string.starts_with('"') => Style::Double,
        _ => Style::Plain,
    }
}

fn json(text: &str) -> Result<Value, SyntaxError> {
    serde_json::from_str::<UniqueKeys>(text).map(|UniqueKeys(tree)| tree).map_err(|error| {
        let whole = error.to_string();
        // serde_json's own words are fixed ones, and `UniqueKeys` adds only fixed ones.
        let words = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(words, _)| words);
        SyntaxError {
            offset: line_start(text, error.line()) + error.column().saturating_sub(1),
            message: format!("not valid JSON: {words}"),
        }
    })
}

fn toml(text: &str) -> Result<Value, SyntaxError> {
    // The first pass finds every syntax error, and says it in fixed words.
    toml::de::DeTable::parse(text).map_err(|error| SyntaxError {
        offset: error.span().map_or(0, |span| span.start),
        message: format!("not valid TOML: {}", error.message()),
    })?;
    let value_error = |offset| SyntaxError {
        offset,
        message: "not valid TOML here: a number that is out of range".to_owned(),
    };
    let table = toml::Deserializer::parse(text)
        .and_then(toml::Table::deserialize)
        .map_err(|error| value_error(error.span().map_or(0, |span| span.start)))?;
    table_to_json(table).ok_or_else(|| value_error(0))
}

fn table_to_json(table: toml::Table) -> Option<Value> {
    let entries = table.into_iter().map(|(key, value)| Some((key, toml_to_json(value)?)));
    Some(Value::Object(entries.collect::<Option<Map<_, _>>>()?))
}

fn toml_to_json(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => Value::Number(Number::from_f64(number)?),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => {
            Value::Array(items.into_iter().map(toml_to_json).collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => table_to_json(table)?,
    })
}

fn yaml(text: &str) -> Result<Value, SyntaxError> {
    let options = serde_saphyr::options! {
        // As Vector's YAML parser has it: `yes`, `010` and `1_000` are strings.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let offset = error.location().map_or(0, |location| {
            let start = line_start(text, usize::try_from(location.line()).unwrap_or(1));
            let before = usize::try_from(location.column()).unwrap_or(1).saturating_sub(1);
            let line = text.get(start..).unwrap_or_default();
            start + line.char_indices().nth(before).map_or(line.len(), |(at, _)| at)
        });
        SyntaxError { offset, message: format!("not valid YAML: {}", yaml_words(&error)) }
    })
}

fn yaml_words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;

    let words = match error.without_snippet() {
        Error::AliasError { error, .. } => return yaml_words(error),
        // The scanner's words are fixed but for a character behind a backquote.
        Error::ExternalMessage { msg, .. } => {
            msg.split('`').next().unwrap_or_default().trim_end_matches([' ', ':'])
        }
        Error::DuplicateMappingKey { .. } => "the same key is given twice in one map",
        Error::MultipleDocuments { .. } => "a pipeline file is one document, without a second '---'",
        Error::UnknownAnchor { .. } => "an alias (*name) whose anchor (&name) was not given before",
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "what is merged with '<<' is no map",
        Error::NonFiniteFloat { .. } => "a number must be finite",
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "too large or too deep once anchors are put in",
        Error::Eof { .. } => "the text ends too early",
        _ => "cannot be read here",
    };
    words.to_owned()
}

#[cfg(test)]
#[path = "tests/format.rs"]
mod tests;
