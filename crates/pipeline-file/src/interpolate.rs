//! Environment variables in the text of a file, before it is parsed: Vector's grammar.
//!
//! <https://vector.dev/docs/reference/environment_variables/#syntax>

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::LazyLock};

use regex::{Captures, Regex};
use thiserror::Error;

use super::text::{Splice, Text};

/// `$$`, `$NAME`, `${NAME}`, and `${NAME}` with one of `:-` `-` `:?` `?` and the words that belong to it.
/// A dot may stand in a name, as Java's property names have it. Vector puts secrets into the text as well, so they are found here too.
static OCCURRENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \$\$
        | \$(?<bare>[\w.]+)
        | \$\{(?<braced>[\w.]+)(?:(?<rule>:-|-|:\?|\?)(?<words>[^}]*))?\}
        | (?<secret>SECRET\[[\w\-]+\.[\w.\-/]+\])",
    )
    .ok()
});

/// A place in the text where Vector would put something else.
pub(super) struct Occurrence<'a> {
    /// Where it is, in bytes.
    pub(super) range: Range<usize>,
    /// How it is written.
    pub(super) written: &'a str,
    /// What comes there, or why nothing does. A secret stays as it is written until it is fetched.
    pub(super) value: Result<Splice<'a>, VariableError>,
}

/// Why nothing can be put in for a variable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum VariableError {
    #[error("environment variable {0} contains a line break")]
    LineBreak(String),
    #[error("environment variable {name} is not set or empty{reason}")]
    UnsetOrEmpty { name: String, reason: String },
    #[error("environment variable {name} is not set{reason}")]
    Unset { name: String, reason: String },
}

/// A variable that could not be put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unset {
    /// Where its name stands in the file, in bytes.
    pub(super) offset: usize,
    /// How it is written; that stays in the text.
    pub(super) written: String,
    pub(super) message: String,
}

/// Every variable and every secret of `raw`, in order.
pub(super) fn occurrences<'a>(raw: &'a str, env: &BTreeMap<String, String>) -> Vec<Occurrence<'a>> {
    let found = OCCURRENCE.iter().flat_map(|regex| regex.captures_iter(raw));
    found
        .filter_map(|found| {
            let whole = found.get(0)?;
            let value = match found.name("secret") {
                Some(secret) => Ok(Splice::Written(secret.as_str().into())),
                None => replacement(&found, env),
            };
            Some(Occurrence { range: whole.range(), written: whole.as_str(), value })
        })
        .collect()
}

/// Whether Vector would put something else anywhere in `text`.
pub(super) fn is_replaced_in(text: &str) -> bool {
    OCCURRENCE.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Puts what each occurrence stands for into `raw`, and reports every variable that is missing. Where `instead` has something
/// for an occurrence, by its number, that is put in, whether or not the variable is missing.
pub(super) fn interpolate<'a>(
    raw: &'a str,
    occurrences: &[Occurrence<'a>],
    instead: impl Fn(usize) -> Option<String>,
) -> (Text<'a>, Vec<Unset>) {
    let mut text = Text::new(raw);
    let mut unset = Vec::new();
    for (number, found) in occurrences.iter().enumerate() {
        match (instead(number), &found.value) {
            (Some(placeholder), _) => text.splice(found.range.clone(), Splice::Written(placeholder.into())),
            (None, Ok(splice)) => text.splice(found.range.clone(), splice.clone()),
            (None, Err(error)) => unset.push(Unset {
                offset: found.range.start,
                written: found.written.to_owned(),
                message: error.to_string(),
            }),
        }
    }
    (text.finish(), unset)
}

fn replacement<'a>(
    found: &Captures<'a>,
    env: &BTreeMap<String, String>,
) -> Result<Splice<'a>, VariableError> {
    let Some(name) = found.name("bare").or_else(|| found.name("braced")) else {
        return Ok(Splice::Written("$".into()));
    };
    let name = name.as_str();
    let words = found.name("words").map_or("", |words| words.as_str());
    let rule = found.name("rule").map_or("", |rule| rule.as_str());

    let value = env.get(name);
    // A line break could add options to the file, so it is refused even where a default is given.
    if value.is_some_and(|value| value.contains(['\n', '\r'])) {
        return Err(VariableError::LineBreak(name.to_owned()));
    }
    // With a colon, a variable that is set to nothing counts as not set.
    let value = value.filter(|value| !(rule.starts_with(':') && value.is_empty()));
    match (value, rule) {
        (Some(value), _) => Ok(Splice::BroughtIn(Cow::Owned(value.clone()))),
        (None, ":-" | "-") => Ok(Splice::Written(words.into())),
        (None, ":?") => Err(VariableError::UnsetOrEmpty { name: name.to_owned(), reason: reason(words) }),
        (None, _) => Err(VariableError::Unset { name: name.to_owned(), reason: reason(words) }),
    }
}

/// The words that the file has for a variable that is not set, behind what we say.
fn reason(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> BTreeMap<String, String> {
        [
            ("FOO", "dogs"),
            ("FOOBAR", "cats"),
            ("FOO.BAR", "turtles"),
            ("EMPTY", ""),
            ("PRICE", "$FOO"),
            ("LF", "a\nb"),
            ("CR", "a\rb"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn whole(text: &str) -> (Text<'_>, Vec<Unset>) {
        interpolate(text, &occurrences(text, &env()), |_| None)
    }

    #[test]
    fn every_form_of_vector_gives_what_vector_gives() {
        for (text, expected) in [
            ("$FOO", "dogs"),
            ("${FOO}", "dogs"),
            ("x${FOOBAR}y", "xcatsy"),
            ("$FOO=bar", "dogs=bar"),
            ("$FOO-bar", "dogs-bar"),
            ("$FOO.BAR", "turtles"),
            ("${FOO.BAR}", "turtles"),
            ("$ x", "$ x"),
            ("$$FOO", "$FOO"),
            ("$$$FOO", "$dogs"),
            ("a$", "a$"),
            ("${FOO x", "${FOO x"),
            ("${}", "${}"),
            ("${:-cats}", "${:-cats}"),
            ("${FOO:-cats}", "dogs"),
            ("${NOT:-dogs and cats}", "dogs and cats"),
            ("${NOT:-}", ""),
            ("${EMPTY:-cats}", "cats"),
            ("${NOT-cats}", "cats"),
            ("${EMPTY-cats}", ""),
            ("${EMPTY}", ""),
            ("${FOO:?why}", "dogs"),
            ("${FOO?why}", "dogs"),
            ("${EMPTY?why}", ""),
            // What comes from the environment is not looked at again.
            ("$PRICE", "$FOO"),
            ("SECRET[vault.$FOO]", "SECRET[vault.dogs]"),
            ("SECRET[vault.key]", "SECRET[vault.key]"),
        ] {
            let (interpolated, unset) = whole(text);
            assert_eq!((interpolated.as_str(), unset), (expected, Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_is_missing_says_why() {
        for (text, expected) in [
            ("$NOT_FOO", "environment variable NOT_FOO is not set"),
            ("$FOOBARy", "environment variable FOOBARy is not set"),
            ("$NOT-FOO", "environment variable NOT is not set"),
            ("${NOT}", "environment variable NOT is not set"),
            ("${NOT:?ask ops}", "environment variable NOT is not set or empty: ask ops"),
            ("${EMPTY:?ask ops}", "environment variable EMPTY is not set or empty: ask ops"),
            ("${NOT?ask ops}", "environment variable NOT is not set: ask ops"),
            ("$LF", "environment variable LF contains a line break"),
            ("${CR:-safe}", "environment variable CR contains a line break"),
        ] {
            let (left, unset) = whole(text);
            let reported: Vec<_> = unset.iter().map(|unset| (unset.offset, unset.message.as_str())).collect();
            assert_eq!(reported, [(0, expected)], "{text}");
            assert!(left.as_str().starts_with(&unset[0].written), "{text}");
        }
    }

    #[test]
    fn all_missing_variables_are_reported_at_once() {
        let unset = whole("a: $A\nb: ${FOO}\nc: ${C}").1;
        assert_eq!(unset.iter().map(|unset| unset.offset).collect::<Vec<_>>(), [3, 19]);
    }
}
