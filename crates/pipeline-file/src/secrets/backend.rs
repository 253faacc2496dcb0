//! The backends that `secret` declares: the three of Vector's that need no cloud service.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Component, Path, PathBuf},
};

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;

use super::error::{BackendError, KeyError, SecretFileError};
use super::exec::ExecBackend;
use crate::{
    check::{check, kind},
    redaction::Redaction,
    suggest::{list, nearest},
};
use model::problem::Problem;
use runtime::clock::Clock;

/// No secret is larger; a path to a large file is a mistake, which is reported and not read.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// Vector's backends that only Vector can ask.
pub(crate) const ONLY_IN_VECTOR: [&str; 2] = ["aws_secrets_manager", "test"];

/// A backend's type name and the schema of its options without `type`.
pub(crate) fn catalogue() -> [(&'static str, Value); 3] {
    [
        ("directory", schema_for!(DirectoryBackend).to_value()),
        ("exec", schema_for!(ExecBackend).to_value()),
        ("file", schema_for!(FileSecrets).to_value()),
    ]
}

/// What stands under `secret`.
pub(crate) enum Declared {
    /// A backend that can be asked here.
    Here(SecretBackend),
    /// One that only Vector can ask: right, as long as nothing that is read here wants a secret of it.
    InVector,
    /// One that something is wrong with, which has been reported.
    Wrong,
}

/// A backend that can be asked here.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum SecretBackend {
    File(FileSecrets),
    Directory(DirectoryBackend),
    Exec(ExecBackend),
}

/// Secrets in one JSON file, a map from key to value.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FileSecrets {
    /// The path of the file, of at most 1 MiB. Example: `/run/secrets/vector-sentinel.json`.
    path: PathBuf,
}

/// Secrets in a directory, one file for each key, as Kubernetes mounts them.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DirectoryBackend {
    /// The path of the directory, whose files have at most 1 MiB each. Example: `/run/secrets`.
    path: PathBuf,
    /// Whether white space at the end of files is removed, such as a line break. Default: `false`.
    #[serde(default)]
    remove_trailing_whitespace: bool,
}

/// What came of asking a backend: a value or what went wrong, for each key; or that nothing came at all.
pub(super) type Fetched = Result<BTreeMap<String, Result<String, KeyError>>, BackendError>;

/// The backends under `secret`, and what is wrong there.
pub(crate) fn declared(tree: &Value, redaction: Redaction<'_>) -> (BTreeMap<String, Declared>, Vec<Problem>) {
    let mut backends = BTreeMap::new();
    let mut problems = Vec::new();
    let entries = match tree.get("secret") {
        None | Some(Value::Null) => return (backends, problems),
        Some(Value::Object(entries)) => entries,
        Some(other) => {
            problems.push(Problem::new("secret", format!("expected a map, got {}", kind(other))));
            return (backends, problems);
        }
    };
    for (name, options) in entries {
        let path = redaction.join("secret", name);
        let backend = parse(options, &path, redaction).unwrap_or_else(|found| {
            problems.extend(found);
            Declared::Wrong
        });
        backends.insert(name.clone(), backend);
    }
    (backends, problems)
}

fn parse(options: &Value, path: &str, redaction: Redaction<'_>) -> Result<Declared, Vec<Problem>> {
    let one = |path: &str, message: String| vec![Problem::new(path, message)];
    let Value::Object(map) = options else {
        return Err(one(path, format!("expected a map, got {}", kind(options))));
    };
    let catalogue = catalogue();
    let names = catalogue.each_ref().map(|(name, _)| *name);
    let type_path = redaction.join(path, "type");
    let type_name = match map.get("type") {
        None => return Err(one(path, format!("missing required option 'type': one of {}", list(names)))),
        Some(Value::String(name)) => name,
        Some(other) => return Err(one(&type_path, format!("expected a string, got {}", kind(other)))),
    };
    if ONLY_IN_VECTOR.contains(&type_name.as_str()) {
        return Ok(Declared::InVector);
    }
    let Some((_, schema)) = catalogue.iter().find(|(name, _)| name == type_name) else {
        let shown = redaction.value(&Value::from(type_name.as_str()));
        let message = match nearest(type_name, names) {
            Some(near) if shown != "the value" => format!("{shown} is no backend, did you mean '{near}'?"),
            _ => format!("{shown} is no backend; there are {}", list(names)),
        };
        return Err(one(&type_path, message));
    };
    let mut own = map.clone();
    own.shift_remove("type");
    let problems = check(schema, &Value::Object(own), path, redaction).problems;
    if !problems.is_empty() {
        return Err(problems);
    }
    // The schema said yes, so this is about a rule that only the type itself knows.
    let backend = SecretBackend::deserialize(options);
    backend.map(Declared::Here).map_err(|_| one(path, "these options do not fit together".to_owned()))
}

// === impl SecretBackend ===

impl SecretBackend {
    pub(super) async fn fetch(&self, keys: &BTreeSet<String>, clock: &Clock) -> Fetched {
        match self {
            Self::File(file) => file.fetch(keys),
            Self::Directory(directory) => Ok(directory.fetch(keys)),
            Self::Exec(exec) => exec.fetch(keys, clock).await,
        }
    }
}

// === impl FileSecrets ===

impl FileSecrets {
    fn fetch(&self, keys: &BTreeSet<String>) -> Fetched {
        let text = read(&self.path).map_err(|cause| BackendError::File { path: self.path.clone(), cause })?;
        // The error of `from_str` may hold a secret.
        let values: BTreeMap<String, String> = serde_json::from_str(&text)
            .map_err(|error| BackendError::NotAMap { line: error.line(), column: error.column() })?;
        let value = |key| non_empty(values.get(key).cloned().ok_or(KeyError::NotInFile)?);
        Ok(keys.iter().map(|key| (key.clone(), value(key))).collect())
    }
}

// === impl DirectoryBackend ===

impl DirectoryBackend {
    fn fetch(&self, keys: &BTreeSet<String>) -> BTreeMap<String, Result<String, KeyError>> {
        keys.iter().map(|key| (key.clone(), self.value(key))).collect()
    }

    fn value(&self, key: &str) -> Result<String, KeyError> {
        let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(KeyError::Outside);
        }
        let mut value = read(&self.path.join(key))?;
        if self.remove_trailing_whitespace {
            value.truncate(value.trim_end().len());
        }
        non_empty(value)
    }
}

pub(super) fn non_empty(value: String) -> Result<String, KeyError> {
    if value.is_empty() { Err(KeyError::Empty) } else { Ok(value) }
}

fn read(path: &Path) -> Result<String, SecretFileError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    // The error of `from_utf8` holds the bytes.
    String::from_utf8(bytes).map_err(|_| SecretFileError::NotText)
}
