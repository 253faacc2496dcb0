//! Data flows one way: a file names only modules on lower rows of the map in `lib.rs`, and stays small.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// The map. Modules of one row do not know each other, except within a folder.
const ROWS: [&[&str]; 8] = [
    &["model"],
    &["clock", "secret", "telemetry"],
    &["delivery", "quarantine", "retry", "store"],
    &["client"],
    &["sinks", "sources", "vector"],
    &["pipeline", "templates"],
    &["topology"],
    &["cli", "simulator"],
];
/// What may be named on its own row or from above it, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    // The demo and `simulate` run the simulator.
    ("cli", "simulator"),
    // The mechanisms of a row build on each other, but never in a circle: see the test below.
    ("delivery", "retry"),
    ("quarantine", "retry"),
    ("quarantine", "store"),
];
/// A file longer than this holds more than one thought. The tests of a file may stand in a file of their own.
const MAX_LINES: usize = 400;

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module at the top that a file belongs to.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(src()).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").trim_end_matches("_tests").to_owned()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The modules at the top that a text names: after `crate::`, also in a group of imports.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        let rest = &text[at + found.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(top_of_group(group));
        } else {
            names.push(word(rest));
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first word of each member of `{a::b, c::{d, e}, f}`, of which the opening brace is gone.
fn top_of_group(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut at_start) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && c.is_alphabetic() => {
                names.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn a_file_names_only_lower_rows() {
    let mut wrong = Vec::new();
    for path in files(&src()) {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = row(&module).unwrap_or_else(|| panic!("{} is not on the map", path.display()));
        for name in named(&std::fs::read_to_string(&path).unwrap()) {
            let allowed = name == module
                || EXCEPTIONS.contains(&(module.as_str(), name.as_str()))
                || row(&name).is_some_and(|other| other < own);
            if !allowed {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_simulator_shares_no_type_with_the_client() {
    for path in files(&src().join("simulator")) {
        for name in named(&std::fs::read_to_string(&path).unwrap()) {
            assert!(["simulator", "clock"].contains(&name.as_str()), "{} names {name}", path.display());
        }
    }
}

#[test]
fn sources_and_sinks_do_not_know_each_other() {
    for (folder, other) in [("sources", "sinks"), ("sinks", "sources")] {
        for path in files(&src().join(folder)) {
            let names = named(&std::fs::read_to_string(&path).unwrap());
            assert!(!names.contains(&other.to_owned()), "{} names {other}", path.display());
        }
    }
}

#[test]
fn files_stay_small_and_are_named_for_what_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "tests", "benches"].iter().flat_map(|dir| files(&root.join(dir))) {
        // Nobody reads what a compiler has written.
        if path.parent().is_some_and(|folder| folder.ends_with("generated")) {
            continue;
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["utils", "util", "common", "helpers", "helper", "manager"].contains(&name),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_crate_that_has_vectors_name_and_nothing_of_vector_is_not_in_the_tree() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    for banned in ["vector-core", "vector-lib", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} is in the tree");
    }
}

#[test]
fn groups_of_imports_are_read() {
    let text = "use crate::{model::{event::Event, x}, retry::Verdict, clock};\nuse crate::store::Store;\ncrate::client::f()";
    assert_eq!(named(text), ["model", "retry", "clock", "store", "client"]);
}
