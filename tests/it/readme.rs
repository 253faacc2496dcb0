//! The README says what is so.

use std::collections::{BTreeMap, BTreeSet};

use incident_model::owners::{Owners, Person};
use pipeline_file::document_schema;
use serde_json::{Value, json};
use simulator::{Dcr, FaultPlan, Simulator, SimulatorConfig};
use vector_sentinel::topology::plan;

use crate::harness::program;

const README: &str = include_str!("../../README.md");

/// The code blocks of a language, without their indentation.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<String> = None;
    for line in README.lines().map(str::trim) {
        match &mut current {
            None if line.strip_prefix("```") == Some(language) => current = Some(String::new()),
            Some(_) if line == "```" => found.extend(current.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// The options in the tables below a heading: what is between backticks in the first column.
fn options(heading: &str) -> BTreeSet<String> {
    let section = README.split(&format!("\n{heading}\n")).nth(1).unwrap().split("\n#").next().unwrap();
    let first_columns = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    first_columns
        .flat_map(|cell| cell.split(", ").map(|option| option.trim_matches('`').to_owned()))
        .collect()
}

/// The options of a component as the schema of whole files has them.
fn schema_options(place: &str) -> BTreeMap<String, Value> {
    let document = document_schema(&plan::catalogue());
    let properties = document["$defs"][place]["properties"].as_object().unwrap().clone();
    properties.into_iter().filter(|(name, _)| name != "type").collect()
}

/// The paths of an option's own options, down to those that have none; a choice between shapes has none.
fn leaves(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(options) = schema["properties"].as_object() {
        for (name, inner) in options {
            leaves(&format!("{path}.{name}"), inner, found);
        }
        return;
    }
    let shapes = schema["anyOf"].as_array().map_or(&[][..], Vec::as_slice);
    let choice = shapes.iter().any(|shape| shape["type"] == "boolean");
    match shapes.iter().find(|shape| shape["properties"].is_object() && !choice) {
        // What may be left out is "this, or nothing".
        Some(shape) => leaves(path, shape, found),
        None => drop(found.insert(path.to_owned())),
    }
}

#[tokio::test]
async fn every_command_is_one_that_the_program_knows() {
    let mut checked = 0;
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let Some(arguments) = line.strip_prefix("vector-sentinel ") else {
            assert!(["cargo run --release -- demo", "cargo test"].contains(&line), "{line}");
            continue;
        };
        // With --help at the end everything before it is parsed, and nothing is done.
        let output = program().args(arguments.split(' ')).arg("--help").output().await.unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        checked += 1;
    }
    assert!(checked >= 5);
}

#[tokio::test]
async fn every_pipeline_is_one_that_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pipeline.yaml");
    let pipelines: Vec<_> =
        README.split("\n```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(!pipelines.is_empty());
    // A list is of people.
    for pipeline in pipelines.into_iter().filter(|pipeline| !pipeline.starts_with("- ")) {
        std::fs::write(&file, pipeline).unwrap();
        let output = program().arg("validate").arg(&file).output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{pipeline}\n{told}");
    }
}

#[test]
fn the_stream_has_every_column_of_an_incident() {
    let declarations: Value = serde_json::from_str(&blocks("json")[0]).unwrap();
    let rule = json!({"immutableId": "dcr-1", "properties": {"streamDeclarations": declarations, "immutableId": "dcr-1"}});
    let dcr = Dcr::from_json(&rule.to_string()).unwrap();
    assert_eq!(dcr.streams, Dcr::defender_incidents().streams);
}

#[tokio::test]
async fn the_faults_are_ones_that_the_simulator_knows() {
    let plan: FaultPlan = serde_json::from_str(&blocks("json")[1]).unwrap();
    let simulator =
        Simulator::start(SimulatorConfig::default(), runtime::clock::Clock::system()).await.unwrap();
    simulator.faults().apply(plan);
}

#[test]
fn the_tables_have_every_option_and_no_other() {
    for (place, heading) in [
        ("source.defender_incidents", "### Source `defender_incidents`"),
        ("source.vector_sentinel_events", "### Source `vector_sentinel_events`"),
        ("source.sentinel_incidents", "### Source `sentinel_incidents`"),
        ("sink.sentinel_logs", "### Sink `sentinel_logs`"),
        ("sink.sentinel_incidents", "### Sinks `sentinel_incidents` and `defender_incidents`"),
    ] {
        let schema = schema_options(place);
        let documented = options(heading);
        let tops: BTreeSet<_> = documented.iter().map(|option| option.split('.').next().unwrap()).collect();
        for option in schema.keys() {
            assert!(tops.contains(option.as_str()), "{heading} lacks {option}");
        }
        for option in tops {
            assert!(schema.contains_key(option), "{heading} has {option}, which does not exist");
        }
        for (option, schema) in &schema {
            let Some(default) = schema.get("default").filter(|default| default.is_number()) else { continue };
            let row = format!("| `{option}` | {default} |");
            assert!(README.contains(&row), "{heading}: the default of {option} is {default}");
        }
    }
}

#[test]
fn the_options_beside_vector_are_the_ones_there_are() {
    let sink = schema_options("sink.sentinel_logs");
    let mut expected = BTreeSet::from(["batch.max_events".to_owned(), "batch.timeout_secs".to_owned()]);
    for option in ["buffer", "graph", "healthcheck", "vector"] {
        leaves(option, &sink[option], &mut expected);
    }
    assert_eq!(options("## Beside Vector"), expected);
}

/// The paths of an option's own options, where the schema only refers to them.
fn referred(path: &str, schema: &Value, document: &Value, found: &mut BTreeSet<String>) {
    let name = schema["$ref"].as_str().and_then(|place| place.strip_prefix("#/$defs/"));
    match name.and_then(|name| document["$defs"][name]["properties"].as_object()) {
        Some(options) => {
            options
                .iter()
                .for_each(|(name, inner)| referred(&format!("{path}.{name}"), inner, document, found));
        }
        None => drop(found.insert(path.to_owned())),
    }
}

#[test]
fn the_file_of_owners_is_one_that_is_right() {
    let list = README.split("\n```yaml\n- ").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    let people: Vec<Person> = serde_saphyr::from_str(&format!("- {list}")).unwrap();
    assert!(people.len() > 1);
    Owners::new(people).unwrap();
}

#[test]
fn every_option_of_keeping_incidents_in_sync_is_in_its_table() {
    let documented = options("### Sinks `sentinel_incidents` and `defender_incidents`");
    let document = document_schema(&plan::catalogue());
    for place in ["sink.sentinel_incidents", "sink.defender_incidents"] {
        let mut expected = BTreeSet::from(["tls.ca_file".to_owned()]);
        for option in ["sync", "write", "request", "quarantine"] {
            referred(option, &document["$defs"][place]["properties"][option], &document, &mut expected);
        }
        let of_these = documented.iter().filter(|option| option.contains('.')).cloned();
        assert_eq!(of_these.collect::<BTreeSet<_>>(), expected, "{place}");
    }
}
