//! Several files as one, as Vector takes `--config a --config b`.

use serde_json::{Map, Value};

use super::redaction::Redaction;
use model::problem::Problem;

/// Sections that hold one thing an id: an id in two files is a mistake, even if both say the same.
const BY_ID: [&str; 5] = ["enrichment_tables", "secret", "sinks", "sources", "transforms"];
/// Lists of which every file brings a part.
const CHAINED: [&str; 2] = ["expire_metrics_per_metric_set", "tests"];

/// A file's tree and its name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) tree: Value,
}

/// Merges the files, and reports what cannot be merged.
pub(super) fn merge(files: Vec<Named>, redaction: Redaction<'_>) -> (Value, Vec<Problem>) {
    let mut merging = Merging { redaction, before: Vec::new(), problems: Vec::new() };
    let mut whole = Map::new();
    for file in files {
        if let Value::Object(tree) = &file.tree {
            for (key, value) in tree {
                let path = redaction.join("", key);
                merging.add(&mut whole, &path, (key, value), &file.name);
            }
        }
        merging.before.push(file);
    }
    (Value::Object(whole), merging.problems)
}

struct Merging<'w> {
    redaction: Redaction<'w>,
    /// The files that are in already.
    before: Vec<Named>,
    problems: Vec<Problem>,
}

// === impl Merging ===

impl Merging<'_> {
    fn add(&mut self, whole: &mut Map<String, Value>, path: &str, (key, new): (&str, &Value), file: &str) {
        match (whole.get_mut(key), new) {
            // An option without a value is one that is not given.
            (None | Some(Value::Null), _) => {
                whole.insert(key.to_owned(), new.clone());
            }
            (Some(_), Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                for (inner, value) in new {
                    let inner_path = self.redaction.join(path, inner);
                    if BY_ID.contains(&path) && old.contains_key(inner) {
                        let first = self.first_with(path, inner);
                        let message = format!("is in {first} and in {file}; ids must be different");
                        self.problems.push(Problem::new(inner_path, message));
                    } else {
                        self.add(old, &inner_path, (inner, value), file);
                    }
                }
            }
            (Some(Value::Array(old)), Value::Array(new)) if CHAINED.contains(&path) => {
                old.extend(new.iter().cloned());
            }
            (Some(old), new) if old == new => {}
            (Some(_), _) => {
                let message = format!("is given again in {file}, with another value");
                self.problems.push(Problem::new(path, message));
            }
        }
    }

    /// The first file with such an entry.
    fn first_with(&self, section: &str, id: &str) -> String {
        let has = |file: &&Named| file.tree.get(section).is_some_and(|section| section.get(id).is_some());
        self.before.iter().find(has).map(|file| file.name.clone()).unwrap_or_default()
    }
}
