//! Pipeline files from their paths to one tree.

use std::{
    collections::BTreeMap,
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    check::kind,
    format::Format,
    interpolate::{interpolate, occurrences},
    marks::Marks,
    merge::{Named, merge},
    outline::{self, ComponentType, Outline},
    parts, secrets, text,
    wording::Wording,
};
use model::problem::{Problem, tidy};
use runtime::clock::Clock;

/// No pipeline is larger; a mistaken path to a large file is told instead of read.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Pipeline files that could be parsed, as one. `Debug` shows only their paths.
pub struct File {
    paths: Vec<PathBuf>,
    /// As written: no variable and no secret is in it.
    raw: String,
    tree: Value,
    written: Option<Written>,
    /// What came into `tree` from the environment and from secret backends.
    brought_in: Vec<String>,
    /// Variables that are missing: how they are written, and what to tell.
    unset: Vec<(String, Problem)>,
    fetched: bool,
}

/// What the files say, with marks where their authors wrote variables and secrets.
pub(super) struct Written {
    pub(super) tree: Value,
    pub(super) marks: Marks,
}

/// What one file comes to.
struct Parsed {
    tree: Value,
    /// The same with marks; nothing if a variable stands where only its value makes sense of the text.
    marked: Option<Value>,
    brought_in: Vec<String>,
    unset: Vec<(String, Problem)>,
}

// === impl File ===

impl File {
    /// Where it was read from.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn written(&self) -> Option<&Written> {
        self.written.as_ref()
    }

    fn wording(&self) -> Wording<'_> {
        Wording::new(&self.raw, &self.brought_in)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Reads and parses the files at `paths`, with the variables of `env` put in where something is read here. Touches nothing else.
///
/// Variables that are missing are told with everything else, by [`outline()`], unless a file cannot be parsed without
/// them.
pub fn read(paths: &[PathBuf], env: &BTreeMap<String, String>) -> Result<File, Vec<Problem>> {
    let mut problems = Vec::new();
    let texts: Vec<(&Path, Format, String)> = paths
        .iter()
        .filter_map(|path| match (Format::of(path), contents(path)) {
            (Some(format), Ok(raw)) => Some((path.as_path(), format, raw)),
            (None, _) => {
                problems.push(at_file(path, "a pipeline file's name ends in .yaml, .yml, .toml or .json"));
                None
            }
            (_, Err(message)) => {
                problems.push(at_file(path, &message));
                None
            }
        })
        .collect();
    let mut marks = Marks::new(&texts.iter().map(|(_, _, raw)| raw.as_str()).collect::<Vec<_>>());
    let (mut trees, mut marked_trees) = (Vec::new(), Some(Vec::new()));
    let (mut brought_in, mut unset) = (Vec::new(), Vec::new());
    for (path, format, raw) in &texts {
        match parse(path, *format, raw, env, &mut marks) {
            Ok(parsed) => {
                let name = path.display().to_string();
                marked_trees = marked_trees.zip(parsed.marked).map(|(mut trees, tree)| {
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
    let (tree, found) = merge(trees, Wording::new(&raw, &brought_in));
    problems.extend(found);
    if !problems.is_empty() {
        return Err(tidy(problems));
    }
    // What is wrong in merging was told above.
    let written =
        marked_trees.map(|trees| Written { tree: merge(trees, Wording::new(&raw, &brought_in)).0, marks });
    Ok(File { paths: paths.to_vec(), raw, tree, written, brought_in, unset, fetched: false })
}

/// One file. Its marks are added to `marks`.
fn parse(
    path: &Path,
    format: Format,
    raw: &str,
    env: &BTreeMap<String, String>,
    marks: &mut Marks,
) -> Result<Parsed, Vec<Problem>> {
    let at = |place: text::Place, message: String| {
        Problem::new(format!("{}:{}:{}", path.display(), place.line, place.column), message)
    };
    let found = occurrences(raw, env);
    let first = marks.len();
    let words = marks.add(&found, format);
    let mark = |number: usize| words.as_ref().and_then(|words| words.get(number)).cloned();
    let marked = words.as_ref().and_then(|_| {
        let (text, _) = interpolate(raw, &found, mark);
        let tree = root(format.parse(text.as_str()).ok()?).ok()?;
        marks.learn_styles(format, text.as_str());
        // Where a variable is a part of a number, its mark has gone into another number.
        let is_whole = marks.are_found(first, raw, &found, &tree);
        (is_whole && !parts::has_marked_section(&tree, marks)).then_some(tree)
    });
    // Only what is read here is replaced, so a variable that only Vector knows is not missed.
    let here = marked.as_ref().map(|tree| parts::marks_read_here(tree, marks));
    let left = |number: usize| {
        here.as_ref().filter(|here| !here.contains(&(first + number))).and_then(|_| mark(number))
    };
    let (text, unset) = interpolate(raw, &found, left);
    let unset: Vec<(String, Problem)> = unset
        .into_iter()
        .map(|unset| (unset.written, at(text::place(raw, unset.offset), unset.message)))
        .collect();
    let mut tree = match format.parse(text.as_str()) {
        Ok(tree) => root(tree).map_err(|message| vec![at_file(path, &message)])?,
        Err(error) if unset.is_empty() => return Err(vec![at(text.place(error.offset), error.message)]),
        Err(_) => return Err(unset.into_iter().map(|(_, problem)| problem).collect()),
    };
    let mut brought_in = text.into_brought_in();
    marks.put_in(&mut tree, &mut brought_in);
    Ok(Parsed { tree, marked, brought_in, unset })
}

/// A file's tree, if it is a map.
fn root(tree: Value) -> Result<Value, String> {
    match tree {
        // An empty file lacks everything, which the outline tells better.
        Value::Null => Ok(Value::Object(Map::new())),
        tree @ Value::Object(_) => Ok(tree),
        other => Err(format!("a pipeline file is a map with 'sources' and 'sinks', not {}", kind(&other))),
    }
}

fn at_file(path: &Path, message: &str) -> Problem {
    Problem::new(path.display().to_string(), message)
}

fn contents(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("is larger than 10 MiB, which no pipeline file is".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    // Some editors on Windows begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), ToOwned::to_owned))
}

/// What the file says, and all that is wrong with it as far as can be told without touching anything. Secrets
/// that are not fetched yet stand in the options as placeholders, and variables that are missing as they are written.
#[must_use]
pub fn outline(file: &File, catalogue: &[ComponentType]) -> Outline {
    let mut outline = outline::outline(&file.tree, catalogue, file.wording(), file.fetched);
    for (written, problem) in &file.unset {
        outline.unset.push(written.clone());
        outline.problems.push(problem.clone());
    }
    if file.written.is_none() && parts::has_stock(&file.tree) {
        outline.problems.push(inseparable());
    }
    outline
}

/// A variable brings in more than a value, so that nobody can tell what of the file is whose.
pub(super) fn inseparable() -> Problem {
    Problem::new(
        "",
        "a variable is a part of a number, or brings in more than one value or a whole section: beside stock components a \
         variable may stand only for a value or in a text, so that Vector gets it as it is written. Put it in quotes",
    )
}

/// Fetches the secrets that our components refer to and puts them in the place of their placeholders; [`outline()`] then
/// has the values.
pub async fn resolve_secrets(file: &mut File, clock: &Clock) -> Result<(), Vec<Problem>> {
    if !file.fetched {
        let wording = Wording::new(&file.raw, &file.brought_in);
        let values = secrets::resolve(&mut file.tree, wording, clock).await?;
        file.brought_in.extend(values);
        file.fetched = true;
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/file.rs"]
mod tests;
