use pipeline_file::document_schema;
use serde_json::json;

use super::*;
use crate::registry::catalogue;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const UPDATE: &str = "UPDATE_EXPECT=1 cargo test -p vector-sentinel --lib cli::reference";
/// A shorter description says nothing that the name does not.
const FEWEST_WORDS: usize = 3;

#[test]
fn the_configuration_reference_is_current() {
    let printed = page(&document_schema(&catalogue()));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(PAGE, &printed).unwrap();
    }
    let is_current = std::fs::read_to_string(PAGE).is_ok_and(|there| there == printed);
    assert!(is_current, "docs/configuration.md is not what the options say: run {UPDATE}");
}

/// Options and their values below `schema`, with their paths.
fn described<'s>(path: &str, schema: &'s Value, found: &mut Vec<(String, &'s Value)>) {
    for (key, inner) in schema.as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        match inner {
            // A condition is no option.
            _ if key == "if" => {}
            Value::Object(options) if key == "properties" => {
                for (name, option) in options {
                    found.push((format!("{path}/{name}"), option));
                    described(&format!("{path}/{name}"), option, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if item["const"].is_string() {
                        found.push((format!("{path}/{index}"), item));
                    }
                    described(&format!("{path}/{index}"), item, found);
                }
            }
            _ => described(&path, inner, found),
        }
    }
}

#[test]
fn every_option_and_value_has_a_description() {
    let document = document_schema(&catalogue());
    let mut found = Vec::new();
    described("", &document, &mut found);
    assert!(found.len() > 300, "only {}", found.len());
    let is_short = |option: &Value| {
        option["description"].as_str().unwrap_or_default().split_whitespace().count() < FEWEST_WORDS
    };
    let short: Vec<_> = found.iter().filter(|(_, option)| is_short(option)).map(|(path, _)| path).collect();
    assert!(short.is_empty(), "fewer than {FEWEST_WORDS} words describe {short:#?}");
}

#[test]
fn a_description_says_the_default_that_there_is() {
    let document = document_schema(&catalogue());
    let mut found = Vec::new();
    described("", &document, &mut found);
    let mut checked = 0;
    for (path, option) in found {
        let text = option["description"].as_str().unwrap_or_default().replace('\n', " ");
        let said = text.split_once(" Default: ").map(|(_, rest)| rest.split(" Example: ").next().unwrap());
        if let Some(said) = said {
            assert!(
                said.ends_with('.') && !said.contains(". "),
                "{path}: nothing but an example may follow: {said}"
            );
        }
        let Some(default) = option.get("default") else { continue };
        let default = match default {
            Value::String(default) => format!("`{default}`"),
            Value::Bool(default) => format!("`{default}`"),
            Value::Number(default) => default.to_string(),
            _ => continue,
        };
        let rest = said.and_then(|said| said.strip_prefix(&default));
        assert!(
            rest.is_some_and(|rest| rest.starts_with(['.', ' '])),
            "{path}: {default} is the default, not {said:?}"
        );
        checked += 1;
    }
    assert!(checked > 40, "only {checked}");
}

#[test]
fn a_map_that_two_components_share_stands_once() {
    let auth = json!({"type": "object", "required": ["kind"], "properties": {
        "kind": {"description": "The kind of it.", "oneOf": [
            {"const": "a", "type": "string", "description": "One of them."},
        ]},
        "pages": {"description": "How many | most. Default: 5. Example: `7`.", "type": "integer", "minimum": 1, "maximum": 9},
    }});
    let component = json!({"description": "What it does.", "properties": {
        "auth": {"description": "Who asks.", "$ref": "#/$defs/auth"},
    }});
    let page = page(&json!({
        "$defs": {"auth": auth, "source.one": component, "sink.two": component},
        "properties": {"api": {"description": "Vector's."}, "tests": {"description": "Vector's."}},
    }));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let link = "| `auth` | map | | Who asks. See [auth](#auth). |";
    assert_eq!(
        rows,
        [
            link,
            link,
            "| `auth.kind` | string | required | The kind of it.<br>`a`: One of them. |",
            "| `auth.pages` | integer, 1 to 9 | 5 | How many \\| most. Example: `7`. |",
            "| `api`, `tests` | any | | Vector's. |",
        ]
    );
    for heading in [
        "## Source `one`",
        "## Sink `two`",
        "### `auth`",
        "  - [`auth`](#auth)",
        "- [Source `one`](#source-one)",
    ] {
        assert!(page.lines().any(|line| line == heading), "{heading}: {page}");
    }
}
