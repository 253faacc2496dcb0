//! Environment variables in the text of a file, before it is parsed: Vector's grammar.
//!
//! <https://vector.dev/docs/reference/environment_variables/#syntax>

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use regex::{Captures, Regex};

use super::text::{Splice, Text};

/// `$$`, `$NAME`, `${NAME}`, and `${NAME}` with one of `:-` `-` `:?` `?` and the words that belong to it.
/// A dot may stand in a name, as Java's property names have it.
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \$\$
        | \$(?<bare>[\w.]+)
        | \$\{(?<braced>[\w.]+)(?:(?<rule>:-|-|:\?|\?)(?<words>[^}]*))?\}",
    )
    .ok()
});

/// A variable that could not be put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unset {
    /// Where its name stands in the file, in bytes.
    pub(super) offset: usize,
    /// How it is written; that stays in the text.
    pub(super) written: String,
    pub(super) message: String,
}

/// Puts the variables of `env` into `raw`, and tells every one that is missing.
pub(super) fn interpolate<'a>(raw: &'a str, env: &BTreeMap<String, String>) -> (Text<'a>, Vec<Unset>) {
    let mut text = Text::new(raw);
    let mut unset = Vec::new();
    for found in VARIABLE.iter().flat_map(|regex| regex.captures_iter(raw)) {
        let Some(whole) = found.get(0) else { continue };
        match replacement(&found, env) {
            Ok(splice) => text.splice(whole.range(), splice),
            Err(message) => {
                unset.push(Unset { offset: whole.start(), written: whole.as_str().to_owned(), message });
            }
        }
    }
    (text.finish(), unset)
}

fn replacement<'a>(found: &Captures<'a>, env: &BTreeMap<String, String>) -> Result<Splice<'a>, String> {
    let Some(name) = found.name("bare").or_else(|| found.name("braced")) else {
        return Ok(Splice::Written("$"));
    };
    let name = name.as_str();
    let words = found.name("words").map_or("", |words| words.as_str());
    let rule = found.name("rule").map_or("", |rule| rule.as_str());

    let value = env.get(name);
    // A line break could add options to the file, so it is refused even where a default is given.
    if value.is_some_and(|value| value.contains(['\n', '\r'])) {
        return Err(format!("environment variable {name} contains a line break"));
    }
    // With a colon, a variable that is set to nothing counts as not set.
    let value = value.filter(|value| !(rule.starts_with(':') && value.is_empty()));
    match (value, rule) {
        (Some(value), _) => Ok(Splice::BroughtIn(Cow::Owned(value.clone()))),
        (None, ":-" | "-") => Ok(Splice::Written(words)),
        (None, ":?") => Err(with_reason(format!("environment variable {name} is not set or empty"), words)),
        (None, _) => Err(with_reason(format!("environment variable {name} is not set"), words)),
    }
}

fn with_reason(message: String, words: &str) -> String {
    if words.is_empty() { message } else { format!("{message}: {words}") }
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
        ] {
            let (interpolated, unset) = interpolate(text, &env());
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
            let (left, unset) = interpolate(text, &env());
            let told: Vec<_> = unset.iter().map(|unset| (unset.offset, unset.message.as_str())).collect();
            assert_eq!(told, [(0, expected)], "{text}");
            assert!(left.as_str().starts_with(&unset[0].written), "{text}");
        }
    }

    #[test]
    fn all_missing_variables_are_told_at_once() {
        let unset = interpolate("a: $A\nb: ${FOO}\nc: ${C}", &env()).1;
        assert_eq!(unset.iter().map(|unset| unset.offset).collect::<Vec<_>>(), [3, 19]);
    }
}
