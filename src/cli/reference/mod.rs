//! The configuration reference: the JSON Schema of pipeline files as a Markdown page.

use serde_json::{Map, Value};

/// What stands above the tables.
const INTRODUCTION: &str = "\
# Configuration reference

Every option of a pipeline file, as this version of the program has it. The page is printed from the program itself, so change the
docstring of an option and not the page:

```sh
vector-sentinel schema --format markdown > docs/configuration.md
```

In the tables `a.b` is the option `b` in the map `a`. An option without a default, which is not required either, may be left out. What
components do with their options is in the pages that the [overview](README.md) names; how a pipeline file is written, in
[The pipeline file](quick-start.md#the-pipeline-file).
";
const SHARED: &str = "Maps that several components have in the same form. Which of them a component has, and whether it needs them, its own table says.";
const TOP_LEVEL: &str = "Options of a pipeline file beside its components.";

/// An option of a map.
#[derive(PartialEq)]
struct Field<'s> {
    name: &'s str,
    schema: &'s Value,
    is_required: bool,
}

/// A heading, and what stands below it.
struct Section {
    level: usize,
    title: String,
    text: String,
    rows: Vec<[String; 4]>,
}

/// The page of a file's schema.
pub(super) fn page(document: &Value) -> String {
    let document = inlined(document, document);
    let parts: Vec<(&str, &str, &Value)> = document["$defs"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(place, schema)| place.split_once('.').map(|(kind, name)| (kind, name, schema)))
        .filter(|(_, name, _)| !name.contains('.'))
        .collect();
    let shared = shared(&parts);
    let of_parts = |wanted: fn(&str) -> bool| {
        let wanted = parts.iter().filter(move |(kind, _, _)| wanted(kind));
        wanted.map(|(kind, name, schema)| Section {
            level: 2,
            title: match *kind {
                "source" => format!("Source `{name}`"),
                "sink" => format!("Sink `{name}`"),
                _ => format!("Secret backend `{name}`"),
            },
            text: schema["description"].as_str().unwrap_or_default().to_owned(),
            rows: rows("", schema, &shared),
        })
    };
    let section = |title: &str, text: &str, rows| Section {
        level: 2,
        title: title.to_owned(),
        text: text.to_owned(),
        rows,
    };
    let mut sections: Vec<Section> = of_parts(|kind| kind != "secret").collect();
    sections.push(section("Shared options", SHARED, Vec::new()));
    sections.extend(shared.iter().map(|field| Section {
        level: 3,
        title: format!("`{}`", field.name),
        text: String::new(),
        rows: rows(field.name, field.schema, &[]),
    }));
    sections.push(section("Top level", TOP_LEVEL, rows("", &document, &[])));
    sections.extend(of_parts(|kind| kind == "secret"));
    written(&sections)
}

fn written(sections: &[Section]) -> String {
    let mut lines = vec![INTRODUCTION.to_owned()];
    for Section { level, title, .. } in sections {
        let anchor = title.to_lowercase().replace(' ', "-").replace('`', "");
        lines.push(format!("{:indent$}- [{title}](#{anchor})", "", indent = (level - 2) * 2));
    }
    for Section { level, title, text, rows } in sections {
        lines.push(format!("\n{} {title}", "#".repeat(*level)));
        if !text.is_empty() {
            lines.push(format!("\n{text}"));
        }
        if !rows.is_empty() {
            lines.push("\n| option | type | default | meaning |\n|---|---|---|---|".to_owned());
        }
        lines.extend(rows.iter().map(|row| format!("| {} |", row.join(" | ").replace("|  |", "| |"))));
    }
    lines.join("\n") + "\n"
}

/// The maps among the components' options that two of them have in the same form.
fn shared<'s>(parts: &[(&str, &str, &'s Value)]) -> Vec<Field<'s>> {
    let mut seen: Vec<Field<'s>> = Vec::new();
    let mut shared: Vec<Field<'s>> = Vec::new();
    for field in parts.iter().flat_map(|(_, _, schema)| fields(schema)) {
        if fields(field.schema).is_empty() || is_among(&field, &shared) {
            continue;
        }
        if is_among(&field, &seen) { shared.push(field) } else { seen.push(field) }
    }
    shared
}

fn is_among(field: &Field<'_>, others: &[Field<'_>]) -> bool {
    others.iter().any(|other| other.name == field.name && fields(other.schema) == fields(field.schema))
}

/// The rows of a map's options. Of a map that is `shared` there is one row, with a link.
fn rows(path: &str, schema: &Value, shared: &[Field<'_>]) -> Vec<[String; 4]> {
    let mut found: Vec<[String; 4]> = Vec::new();
    for field in fields(schema).into_iter().filter(|field| field.name != "type") {
        let name = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        let (text, default) = meaning(&field);
        let is_shared = is_among(&field, shared);
        let link = if is_shared { format!(" See [{name}](#{name}).") } else { String::new() };
        let row = [format!("`{name}`"), kind(field.schema), default, cell(&(text + &link))];
        match found.last_mut() {
            // Options of Vector's, of which there is nothing to say but that.
            Some(last) if last[1..] == row[1..] => last[0] = format!("{}, {}", last[0], row[0]),
            _ => found.push(row),
        }
        if !is_shared {
            found.extend(rows(&name, field.schema, shared));
        }
    }
    found
}

/// What an option means, with the values that it may have; and what it is if it is left out.
fn meaning(field: &Field<'_>) -> (String, String) {
    let text = field.schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    let (text, example) = text.split_once(" Example: ").unwrap_or((&text, ""));
    let (text, default) = text.split_once(" Default: ").unwrap_or((text, ""));
    let default = if field.is_required { "required" } else { default.trim_end_matches('.') };
    let mut text = text.to_owned();
    if !example.is_empty() {
        text = format!("{text} Example: {example}");
    }
    for (value, means) in values(field.schema) {
        text = format!("{text}<br>`{value}`: {}", means.replace('\n', " "));
    }
    (text, cell(default))
}

/// The words that an option may be, or have in it, and what each means.
fn values(schema: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for shape in shapes(schema) {
        // What is one word only is said by its own description.
        if !std::ptr::eq(shape, schema) {
            found.extend(shape["const"].as_str().zip(shape["description"].as_str()));
        }
        let inner = ["items", "additionalProperties"].into_iter().filter_map(|word| shape.get(word));
        found.extend(inner.filter(|inner| inner.is_object()).flat_map(values));
    }
    found
}

/// The type of an option, with its bounds: `integer, 1 to 50`.
fn kind(schema: &Value) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for shape in shapes(schema) {
        let inner = |word: &str| shape.get(word).filter(|inner| inner.is_object()).map(kind);
        let word = |name: &str| match name {
            "object" => inner("additionalProperties").map_or("map".to_owned(), |of| format!("map of {of}s")),
            "array" => inner("items").map_or("list".to_owned(), |of| format!("list of {of}s")),
            name => format!("{name}{}", bounds(shape)),
        };
        let found = match &shape["type"] {
            Value::String(name) => vec![word(name)],
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").map(word).collect()
            }
            _ if shape["enum"].is_array() => vec!["string".to_owned()],
            _ => vec!["any".to_owned()],
        };
        kinds.extend(found);
    }
    kinds.dedup();
    kinds.join(" or ")
}

fn bounds(shape: &Value) -> String {
    match (&shape["minimum"], &shape["maximum"], &shape["exclusiveMinimum"]) {
        (Value::Null, Value::Null, Value::Null) => String::new(),
        (Value::Null, Value::Null, over) => format!(", more than {over}"),
        (least, Value::Null, _) => format!(", at least {least}"),
        (least, most, _) => format!(", {least} to {most}"),
    }
}

/// The options of a map; of a choice between several maps, those of all.
fn fields(schema: &Value) -> Vec<Field<'_>> {
    let shapes = shapes(schema);
    let mut found: Vec<Field<'_>> = Vec::new();
    for shape in &shapes {
        for (name, schema) in shape["properties"].as_object().into_iter().flatten() {
            let named =
                shape["required"].as_array().is_some_and(|required| required.contains(&name.as_str().into()));
            if found.iter().all(|field| field.name != name) {
                found.push(Field { name, schema, is_required: named && shapes.len() == 1 });
            }
        }
    }
    found
}

/// The schemas that a schema is a choice between, or itself.
fn shapes(schema: &Value) -> Vec<&Value> {
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    let found: Vec<_> = choices.filter(|choice| choice["type"] != "null").flat_map(shapes).collect();
    if found.is_empty() { vec![schema] } else { found }
}

/// A schema with what it refers to in the place of its references.
fn inlined(schema: &Value, document: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let target = map.get("$ref").and_then(Value::as_str).map(|target| target.trim_start_matches('#'));
            let target =
                target.and_then(|target| document.pointer(target)).map(|target| inlined(target, document));
            let mut whole = match target {
                Some(Value::Object(target)) => target,
                _ => Map::new(),
            };
            let own = map.iter().filter(|(key, _)| *key != "$ref");
            whole.extend(own.map(|(key, inner)| (key.clone(), inlined(inner, document))));
            Value::Object(whole)
        }
        Value::Array(items) => items.iter().map(|item| inlined(item, document)).collect(),
        other => other.clone(),
    }
}

/// A text as it may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests;
