//! A pipeline file from its path to its tree.

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
    interpolate::interpolate,
    outline::{self, ComponentType, Outline},
    secrets, text,
    wording::Wording,
};
use crate::clock::Clock;
use crate::model::problem::Problem;

/// No pipeline is larger; a mistaken path to a large file is told instead of read.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// A pipeline file that could be parsed. `Debug` shows only its path.
pub struct File {
    path: PathBuf,
    /// As written: no variable and no secret is in it.
    raw: String,
    tree: Value,
    /// What came into `tree` from the environment and from secret backends.
    brought_in: Vec<String>,
    /// Variables that are missing: how they are written, and what to tell.
    unset: Vec<(String, Problem)>,
    fetched: bool,
}

// === impl File ===

impl File {
    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn wording(&self) -> Wording<'_> {
        Wording::new(&self.raw, &self.brought_in)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Reads and parses the file at `path`, with the variables of `env` put in. Touches nothing else.
///
/// Variables that are missing are told with everything else, by [`outline()`], unless the file cannot be parsed without
/// them.
pub fn read(path: &Path, env: &BTreeMap<String, String>) -> Result<File, Vec<Problem>> {
    let name = path.display();
    let whole = |message: &str| vec![Problem::new(name.to_string(), message)];
    let at = |place: text::Place, message: String| {
        Problem::new(format!("{name}:{}:{}", place.line, place.column), message)
    };
    let Some(format) = Format::of(path) else {
        return Err(whole("a pipeline file's name ends in .yaml, .yml, .toml or .json"));
    };
    let raw = contents(path).map_err(|message| whole(&message))?;
    let (text, unset) = interpolate(&raw, env);
    let unset: Vec<(String, Problem)> = unset
        .into_iter()
        .map(|unset| (unset.written, at(text::place(&raw, unset.offset), unset.message)))
        .collect();
    let tree = match format.parse(text.as_str()) {
        // An empty file lacks everything, which the outline tells better.
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(tree @ Value::Object(_)) => tree,
        Ok(other) => {
            let message =
                format!("a pipeline file is a map with 'sources' and 'sinks', not {}", kind(&other));
            return Err(whole(&message));
        }
        Err(error) if unset.is_empty() => return Err(vec![at(text.place(error.offset), error.message)]),
        Err(_) => return Err(unset.into_iter().map(|(_, problem)| problem).collect()),
    };
    let brought_in = text.into_brought_in();
    Ok(File { path: path.to_owned(), raw, tree, brought_in, unset, fetched: false })
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
    outline
}

/// Fetches the secrets and puts them in the place of their placeholders; [`outline()`] then has the values.
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
