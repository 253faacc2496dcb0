//! Pipeline files from their paths to one tree.

use std::{
    collections::BTreeMap,
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    check::kind,
    component_graph::{self, ComponentGraph, ComponentType, Kind},
    format::Format,
    interpolate::{interpolate, occurrences},
    merge::{Named, merge},
    ownership,
    placeholders::Placeholders,
    redaction::Redaction,
    secrets,
    source_text::{SourceText, SourceTexts, place_in_raw},
    text::Parts,
};
use model::problem::Problem;
use runtime::clock::Clock;

/// No pipeline is larger; a path to a large file is a mistake, which is reported and not read.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Pipeline files that could be parsed, as one. `Debug` shows only their paths.
pub struct PipelineFile {
    paths: Vec<PathBuf>,
    /// As written: no variable and no secret is in it.
    raw: String,
    texts: SourceTexts,
    tree: Value,
    written: Option<Written>,
    /// What came into `tree` from the environment and from secret backends.
    brought_in: Vec<String>,
    /// Variables that are missing: how they are written, and what is reported.
    unset: Vec<(String, Problem)>,
    fetched: bool,
}

/// What the files say, with placeholders where their authors wrote variables and secrets.
pub(super) struct Written {
    pub(super) tree: Value,
    pub(super) placeholders: Placeholders,
}

/// What one file comes to.
struct Parsed {
    tree: Value,
    /// The same with placeholders; nothing if a variable stands where only its value makes sense of the text.
    with_placeholders: Option<Value>,
    replaced: String,
    parts: Parts,
    brought_in: Vec<String>,
    unset: Vec<(String, Problem)>,
}

/// Why a file is no pipeline file.
#[derive(Debug, Error)]
enum FileError {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("is larger than 10 MiB, which no pipeline file is")]
    TooLarge,
    #[error("is not UTF-8 text")]
    NotText,
    #[error("a pipeline file is a map with 'sources' and 'sinks', not {0}")]
    NotAMap(&'static str),
}

// === impl PipelineFile ===

impl PipelineFile {
    /// Where it was read from.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn written(&self) -> Option<&Written> {
        self.written.as_ref()
    }

    /// The stock components of a kind: where each stands in the file, and what stands after its `type:`.
    pub fn stock_components(&self, kind: Kind) -> Vec<(String, &str)> {
        let redaction = self.redaction();
        let entries = ownership::stock(&self.tree, kind);
        let typed = entries.filter_map(|(id, entry)| Some((id, entry.get("type")?.as_str()?)));
        typed.map(|(id, name)| (redaction.join(kind.section(), id), name)).collect()
    }

    /// The problems with the lines that they are about, in the order of those.
    pub fn locate(&self, problems: Vec<Problem>) -> Vec<Problem> {
        self.texts.locate(problems)
    }

    fn redaction(&self) -> Redaction<'_> {
        Redaction::new(&self.raw, &self.brought_in)
    }
}

impl fmt::Debug for PipelineFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineFile").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Reads and parses the files at `paths`, with the variables of `env` put in where something is read here. Touches nothing else.
///
/// Variables that are missing are reported with everything else, by [`component_graph()`], unless a file cannot be parsed
/// without them.
pub fn read(paths: &[PathBuf], env: &BTreeMap<String, String>) -> Result<PipelineFile, Vec<Problem>> {
    let mut problems = Vec::new();
    let texts: Vec<(&Path, Format, String)> = paths
        .iter()
        .filter_map(|path| match (Format::of(path), contents(path)) {
            (Some(format), Ok(raw)) => Some((path.as_path(), format, raw)),
            (None, _) => {
                problems.push(at_file(path, "a pipeline file's name ends in .yaml, .yml, .toml or .json"));
                None
            }
            (_, Err(error)) => {
                problems.push(at_file(path, &error.to_string()));
                None
            }
        })
        .collect();
    let mut placeholders =
        Placeholders::new(&texts.iter().map(|(_, _, raw)| raw.as_str()).collect::<Vec<_>>());
    let (mut trees, mut trees_with_placeholders) = (Vec::new(), Some(Vec::new()));
    let (mut brought_in, mut unset, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for (path, format, raw) in &texts {
        match parse(path, *format, raw, env, &mut placeholders) {
            Ok(parsed) => {
                let name = path.display().to_string();
                sources.push(SourceText {
                    name: name.clone(),
                    format: *format,
                    raw: raw.clone(),
                    replaced: parsed.replaced,
                    parts: parsed.parts,
                });
                trees_with_placeholders =
                    trees_with_placeholders.zip(parsed.with_placeholders).map(|(mut trees, tree)| {
                        trees.push(Named { name: name.clone(), tree });
                        trees
                    });
                trees.push(Named { name, tree: parsed.tree });
                brought_in.extend(parsed.brought_in);
                unset.extend(parsed.unset);
            }
            Err(found) => problems.extend(found),
        }
    }
    let raw = texts.iter().map(|(_, _, raw)| raw.as_str()).collect::<Vec<_>>().join("\n");
    let (tree, found) = merge(trees, Redaction::new(&raw, &brought_in));
    problems.extend(found);
    let texts = SourceTexts(sources.into());
    if !problems.is_empty() {
        return Err(texts.locate(problems));
    }
    // What is wrong in merging was reported above.
    let written = trees_with_placeholders
        .map(|trees| Written { tree: merge(trees, Redaction::new(&raw, &brought_in)).0, placeholders });
    Ok(PipelineFile { paths: paths.to_vec(), raw, texts, tree, written, brought_in, unset, fetched: false })
}

/// One file. Its placeholders are added to `placeholders`.
fn parse(
    path: &Path,
    format: Format,
    raw: &str,
    env: &BTreeMap<String, String>,
    placeholders: &mut Placeholders,
) -> Result<Parsed, Vec<Problem>> {
    let name = path.display().to_string();
    let at = |offset: usize, message: String| Problem::new("", message).at(place_in_raw(&name, raw, offset));
    let found = occurrences(raw, env);
    let first = placeholders.len();
    let words = placeholders.add(&found, format);
    let placeholder = |number: usize| words.as_ref().and_then(|words| words.get(number)).cloned();
    let with_placeholders = words.as_ref().and_then(|_| {
        let (text, _) = interpolate(raw, &found, placeholder);
        let tree = root(format.parse(text.as_str()).ok()?).ok()?;
        placeholders.record_styles(format, text.as_str());
        // Where a variable is a part of a number, its placeholder has gone into another number.
        let is_whole = placeholders.are_found(first, raw, &found, &tree);
        (is_whole && !ownership::has_placeholder_section(&tree, placeholders)).then_some(tree)
    });
    // Only what is read here is replaced, so a variable that only Vector knows is not missed.
    let here = with_placeholders.as_ref().map(|tree| ownership::placeholders_read_here(tree, placeholders));
    let left = |number: usize| {
        here.as_ref().filter(|here| !here.contains(&(first + number))).and_then(|_| placeholder(number))
    };
    let (text, unset) = interpolate(raw, &found, left);
    let unset: Vec<(String, Problem)> =
        unset.into_iter().map(|unset| (unset.written, at(unset.offset, unset.message))).collect();
    let mut tree = match format.parse(text.as_str()) {
        Ok(tree) => root(tree).map_err(|error| vec![at_file(path, &error.to_string())])?,
        Err(error) if unset.is_empty() => return Err(vec![at(text.raw(error.offset), error.message)]),
        Err(_) => {
            // Is it the variables? They may stand in comments only.
            let something = |number: usize| {
                let is_unset = found.get(number).is_some_and(|found| found.value.is_err());
                left(number).or_else(|| is_unset.then(|| "0".to_owned()))
            };
            let (text, _) = interpolate(raw, &found, something);
            return Err(match format.parse(text.as_str()) {
                Ok(_) => unset.into_iter().map(|(_, problem)| problem).collect(),
                Err(error) => vec![at(text.raw(error.offset), error.message)],
            });
        }
    };
    let (replaced, parts, mut brought_in) = text.into_parts();
    placeholders.put_in(&mut tree, &mut brought_in);
    Ok(Parsed { tree, with_placeholders, replaced, parts, brought_in, unset })
}

/// A file's tree, if it is a map.
fn root(tree: Value) -> Result<Value, FileError> {
    match tree {
        // An empty file lacks everything, which the component graph reports better.
        Value::Null => Ok(Value::Object(Map::new())),
        tree @ Value::Object(_) => Ok(tree),
        other => Err(FileError::NotAMap(kind(&other))),
    }
}

fn at_file(path: &Path, message: &str) -> Problem {
    Problem::new(path.display().to_string(), message)
}

fn contents(path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    // The error of `from_utf8` holds the bytes.
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText)?;
    // Some editors on Windows begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), ToOwned::to_owned))
}

/// What the file says, and all that is wrong with it as far as the file alone shows it. Secrets
/// that are not fetched yet stand in the options as references, and variables that are missing as they are written.
pub fn component_graph(file: &PipelineFile, catalogue: &[ComponentType]) -> ComponentGraph {
    let mut graph = component_graph::component_graph(&file.tree, catalogue, file.redaction(), file.fetched);
    graph.texts = file.texts.clone();
    for (written, problem) in &file.unset {
        graph.unset.push(written.clone());
        graph.problems.push(problem.clone());
    }
    if file.written.is_none() && ownership::has_stock(&file.tree) {
        graph.problems.push(inseparable());
    }
    graph
}

/// A variable brings in more than a value, so that nobody knows which part of the file is whose.
pub(super) fn inseparable() -> Problem {
    Problem::new(
        "",
        "a variable is a part of a number, or brings in more than one value or a whole section: beside stock components a \
         variable may stand only for a value or in a text, so that Vector gets it as it is written. Put it in quotes",
    )
}

/// Fetches the secrets that our components refer to and puts them in the place of their references; then
/// [`component_graph()`] has the values.
pub async fn resolve_secrets(file: &mut PipelineFile, clock: &Clock) -> Result<(), Vec<Problem>> {
    if !file.fetched {
        let redaction = Redaction::new(&file.raw, &file.brought_in);
        let values = secrets::resolve(&mut file.tree, redaction, clock).await;
        let values = values.map_err(|problems| file.texts.locate(problems))?;
        file.brought_in.extend(values);
        file.fetched = true;
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/file.rs"]
mod tests;
