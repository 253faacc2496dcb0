//! The README and the pages in `docs` say what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use incident_model::owners::{Owners, Person};
use pipeline_file::document_schema;
use serde_json::{Value, json};
use simulator::{Dcr, FaultPlan, Simulator, SimulatorConfig};
use vector_sentinel::registry::catalogue;

use crate::harness::program;

const README: &str = "README.md";
const ROWS: &str = "docs/rows-and-layouts.md";
const SYNC: &str = "docs/incident-sync.md";
const BESIDE_VECTOR: &str = "docs/beside-vector.md";
const SIMULATOR: &str = "docs/simulator.md";

/// A longer README is not read: what is more belongs into `docs`.
const MOST_README_LINES: usize = 220;
/// The README's own commands: they need nothing but a clone of the repository.
const OWN_COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo test"];
/// Other programs in the commands of pages.
const OTHER_PROGRAMS: [&str; 2] = ["az", "curl"];
/// How a list of people begins.
const PEOPLE: &str = "- ";
/// How an option of a sink begins that stands by itself.
const COLUMNS: &str = "columns: ";
/// A pipeline whose sink lacks only that option.
const WITHOUT_COLUMNS: &str = "\
sources:
  defender:
    type: defender_incidents
    auth: {azure_credential_kind: managed_identity}
sinks:
  sentinel:
    type: sentinel_logs
    inputs: [defender]
    auth: {azure_credential_kind: managed_identity}
    endpoint: https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com
    dcr_immutable_id: dcr-000a00a000a00000a000000aa000a0aa
    stream_name: Custom-Rows_CL
";

/// A code block of a page.
struct Block {
    language: String,
    text: String,
}

/// A page, by its path in the repository.
struct Page {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn text_of(path: &str) -> String {
    read(Path::new(path))
}

/// The pages of a folder.
fn pages(folder: &str) -> Vec<Page> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let path = Path::new(folder).join(entry.unwrap().file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(Page { text: read(&path), path });
        }
    }
    found
}

/// The README and the pages in `docs`.
fn users_pages() -> Vec<Page> {
    let mut found = vec![Page { path: PathBuf::from(README), text: text_of(README) }];
    found.extend(pages("docs"));
    found
}

/// The code blocks of a page, without the indentation that they have in a list.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut current: Option<(String, Block)> = None;
    for line in page.lines() {
        let unindented = line.trim_start();
        match &mut current {
            None => {
                if let Some(language) = unindented.strip_prefix("```") {
                    let indentation = " ".repeat(line.len() - unindented.len());
                    let block = Block { language: language.to_owned(), text: String::new() };
                    current = Some((indentation, block));
                }
            }
            Some(_) if unindented == "```" => found.extend(current.take().map(|(_, block)| block)),
            Some((indentation, block)) => {
                block.text.push_str(line.strip_prefix(indentation.as_str()).unwrap_or(line));
                block.text.push('\n');
            }
        }
    }
    assert!(current.is_none(), "a code block does not end");
    found
}

/// The texts of a page's code blocks of a language.
fn blocks_of(path: &str, language: &str) -> Vec<String> {
    let all = blocks(&text_of(path)).into_iter();
    all.filter(|block| block.language == language).map(|block| block.text).collect()
}

/// The lines of a page that are in no code block.
fn prose(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        if !in_block && !is_fence {
            found.push(line);
        }
    }
    found
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(page) {
        found.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
    }
    found
}

/// What headings are called in links: as GitHub makes it.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// A path without `.` and `..` in it.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(tidied.pop()),
            other => tidied.push(other),
        }
    }
    tidied
}

/// The options in the tables below a heading of a page: what is between backticks in the first column.
fn options(page: &str, heading: &str) -> BTreeSet<String> {
    let text = text_of(page);
    let section = text.split(&format!("\n{heading}\n")).nth(1).unwrap().split("\n#").next().unwrap();
    let first_columns = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    first_columns
        .flat_map(|cell| cell.split(", ").map(|option| option.trim_matches('`').to_owned()))
        .collect()
}

/// The options of a component as the schema of whole files has them.
fn schema_options(place: &str) -> BTreeMap<String, Value> {
    let document = document_schema(&catalogue());
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

/// Has the program check a pipeline, and asserts that it finds nothing.
async fn assert_right(pipeline: &str, extension: &str, page: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pipeline").with_extension(extension);
    std::fs::write(&file, pipeline).unwrap();
    let output = program().arg("validate").arg(&file).output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{}: {pipeline}\n{told}", page.display());
}

#[test]
fn the_readme_is_short() {
    let lines = text_of(README).lines().count();
    assert!(lines <= MOST_README_LINES, "it has {lines} lines, and may have {MOST_README_LINES}");
}

#[test]
fn the_readme_has_its_own_commands() {
    let text = blocks_of(README, "sh").concat();
    for command in OWN_COMMANDS {
        assert!(text.lines().any(|line| line == command), "{command}");
    }
}

#[tokio::test]
async fn every_command_is_one_that_the_program_knows() {
    let mut checked = 0;
    for page in users_pages() {
        let shown = page.path.display();
        let in_shell = blocks(&page.text).into_iter().filter(|block| block.language == "sh");
        let commands = in_shell.map(|block| block.text).collect::<String>();
        for line in commands.lines().filter(|line| !line.starts_with('#')) {
            // What a variable is set to is a command, too.
            let command = line.split_once("=$(").map_or(line, |(_, command)| command);
            let Some(arguments) = command.strip_prefix("vector-sentinel ") else {
                let other = command.split(' ').next().unwrap();
                let is_known = if page.path == Path::new(README) {
                    OWN_COMMANDS.contains(&line)
                } else {
                    OTHER_PROGRAMS.contains(&other)
                };
                assert!(is_known, "{shown}: {line}");
                continue;
            };
            // Where its output goes to is for the shell.
            let arguments = arguments.split(" > ").next().unwrap();
            // With --help at the end everything before it is parsed, and nothing is done.
            let output = program().args(arguments.split(' ')).arg("--help").output().await.unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{shown}: {line}: {told}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} commands");
}

#[tokio::test]
async fn every_pipeline_is_one_that_is_right() {
    let (mut pipelines, mut others) = (0, 0);
    for page in users_pages() {
        for Block { language, text } in blocks(&page.text) {
            match language.as_str() {
                "yaml" if text.starts_with(PEOPLE) => others += 1,
                "yaml" if text.starts_with(COLUMNS) => {
                    others += 1;
                    assert_right(&format!("{WITHOUT_COLUMNS}    {text}"), "yaml", &page.path).await;
                }
                "yaml" | "toml" => {
                    pipelines += 1;
                    assert_right(&text, &language, &page.path).await;
                }
                _ => {}
            }
        }
    }
    assert!(pipelines >= 4 && others == 2, "{pipelines} pipelines, {others} others");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for page in [".", "docs", "docs/adr"].into_iter().flat_map(pages) {
        let shown = page.path.display();
        for link in links(&page.text).into_iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                tidy(&page.path.parent().unwrap_or(Path::new("")).join(file))
            };
            checked += 1;
            assert!(root().join(&target).exists(), "{shown}: there is no {link}");
            let is_there = anchor.is_empty() || anchors(&read(&target)).contains(anchor);
            assert!(is_there, "{shown}: there is no such heading: {link}");
        }
    }
    assert!(checked >= 100, "only {checked} links");
}

#[test]
fn the_stream_has_every_column_of_an_incident() {
    let declarations: Value = serde_json::from_str(&blocks_of(ROWS, "json")[0]).unwrap();
    let rule = json!({"immutableId": "dcr-1", "properties": {"streamDeclarations": declarations, "immutableId": "dcr-1"}});
    let dcr = Dcr::from_json(&rule.to_string()).unwrap();
    assert_eq!(dcr.streams, Dcr::defender_incidents().streams);
}

#[tokio::test]
async fn the_faults_are_ones_that_the_simulator_knows() {
    let plan: FaultPlan = serde_json::from_str(&blocks_of(SIMULATOR, "json")[0]).unwrap();
    let simulator =
        Simulator::start(SimulatorConfig::default(), runtime::clock::Clock::system()).await.unwrap();
    simulator.faults().apply(plan);
}

#[test]
fn the_options_beside_vector_are_the_ones_there_are() {
    let sink = schema_options("sink.sentinel_logs");
    let mut expected = BTreeSet::from(["batch.max_events".to_owned(), "batch.timeout_secs".to_owned()]);
    for option in ["buffer", "graph", "healthcheck", "vector"] {
        leaves(option, &sink[option], &mut expected);
    }
    assert_eq!(options(BESIDE_VECTOR, "## Options"), expected);
}

#[test]
fn the_file_of_owners_is_one_that_is_right() {
    let list = blocks_of(SYNC, "yaml").into_iter().find(|block| block.starts_with(PEOPLE)).unwrap();
    let people: Vec<Person> = serde_saphyr::from_str(&list).unwrap();
    assert!(people.len() > 1);
    Owners::new(people).unwrap();
}
