//! What Cargo cannot say about the structure: rows inside the root package, one test command for every crate, names, sizes.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The map of `src/lib.rs`. Modules of one row do not know each other, except within a folder.
const ROWS: [&[&str]; 6] =
    [&["component"], &["sinks", "sources"], &["templates"], &["registry"], &["topology"], &["cli"]];
/// Crates that hold the client or are built on it: the simulator names none of them, not even in its tests.
const CLIENT_CRATES: [&str; 4] = ["microsoft", "incident-model", "pipeline-file", "vector-link"];
/// A file longer than this holds more than one thought. The tests of a file may stand in a file of their own.
const MAX_LINES: usize = 500;
/// Public types that share a name on purpose: a component type that is both a source and a sink is called the same in a
/// pipeline file, and its folder says which of the two a file is about.
const SHARED_NAMES: [&str; 4] =
    ["DefenderIncidents", "DefenderIncidentsConfig", "SentinelIncidents", "SentinelIncidentsConfig"];
/// Docs with fewer words say no more than the name below them.
const MIN_DOC_WORDS: usize = 3;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

/// The folders of `crates/`, which are the names of the crates.
fn crates() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("crates")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn manifest(of: &Path) -> toml::Table {
    toml::from_str(&std::fs::read_to_string(of.join("Cargo.toml")).unwrap()).unwrap()
}

/// What people write of the product: no tests that stand in a file of their own, and nothing that a compiler has written.
fn product_files() -> Vec<PathBuf> {
    let sources = crates().into_iter().map(|name| root().join("crates").join(name).join("src"));
    let mut found: Vec<PathBuf> =
        sources.chain([root().join("src")]).flat_map(|folder| files(&folder)).collect();
    found.retain(|path| {
        let mut parts = path.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs"));
        !parts.any(|part| part == "tests" || part.ends_with("_tests") || part == "generated")
    });
    found
}

/// The types that a text makes public to its crate or to all.
fn public_types(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let item = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) "))?;
        let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| item.strip_prefix(kind))?;
        Some(word(name))
    })
}

/// The docs in a text of which each has fewer than [`MIN_DOC_WORDS`], by line. A vendor's page says enough by itself.
fn short_docs(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(words) = line.trim_start().strip_prefix("///") {
            doc.extend(words.split_whitespace());
            continue;
        }
        let words = std::mem::take(&mut doc);
        if !words.is_empty() && words.len() < MIN_DOC_WORDS && words[0] != "Source:" {
            found.push((number, words.join(" ")));
        }
    }
    found
}

/// The module at the top of the root package that a file belongs to.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
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
fn a_file_of_the_root_package_names_only_lower_rows() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src")) {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = row(&module).unwrap_or_else(|| panic!("{} is not on the map", path.display()));
        for name in named(&std::fs::read_to_string(&path).unwrap()) {
            if name != module && row(&name).is_none_or(|other| other >= own) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_commands_know_the_simulator() {
    for path in files(&root().join("src")).iter().filter(|path| module(path) != "cli") {
        let text = std::fs::read_to_string(path).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        let is_test = path.to_str().unwrap().contains("test");
        assert!(is_test || !product.contains("simulator::"), "{} names the simulator", path.display());
    }
}

#[test]
fn the_simulator_depends_on_no_crate_of_the_client() {
    let manifest = manifest(&root().join("crates/simulator"));
    for section in ["dependencies", "dev-dependencies"] {
        for name in manifest[section].as_table().unwrap().keys() {
            assert!(!CLIENT_CRATES.contains(&name.as_str()), "the simulator depends on {name}");
        }
    }
}

#[test]
fn every_crate_is_tested_by_default_under_the_same_lints_and_can_be_named_in_a_log_filter() {
    let workspace = manifest(root());
    let workspace = workspace["workspace"].as_table().unwrap();
    assert_eq!(workspace["members"].as_array().unwrap(), &[toml::Value::from("crates/*")]);
    let default: Vec<_> =
        workspace["default-members"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert_eq!(default, [".", "crates/*"]);
    for name in crates() {
        let manifest = manifest(&root().join("crates").join(&name));
        assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()), "folder and crate differ");
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name} has lints of its own");
    }
    let mut logged: Vec<_> = runtime::telemetry::CRATES.map(|name| name.replace('_', "-")).into();
    logged.retain(|name| name != "vector-sentinel");
    logged.sort();
    assert_eq!(logged, crates());
}

#[test]
fn sources_and_sinks_do_not_know_each_other() {
    for (folder, other) in [("sources", "sinks"), ("sinks", "sources")] {
        for path in files(&root().join("src").join(folder)) {
            let names = named(&std::fs::read_to_string(&path).unwrap());
            assert!(!names.contains(&other.to_owned()), "{} names {other}", path.display());
        }
    }
}

#[test]
fn files_stay_small_and_are_named_for_what_they_are() {
    for path in ["src", "crates", "tests", "benches"].iter().flat_map(|dir| files(&root().join(dir))) {
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
fn no_two_public_types_have_the_same_name() {
    let mut homes: BTreeMap<(bool, String), BTreeSet<PathBuf>> = BTreeMap::new();
    for path in product_files() {
        // The simulator models the same services and shares no type with their client: its names are a world of their own.
        let is_simulator = path.starts_with(root().join("crates/simulator"));
        for name in public_types(&std::fs::read_to_string(&path).unwrap()) {
            homes.entry((is_simulator, name)).or_default().insert(path.clone());
        }
    }
    homes.retain(|_, files| files.len() > 1);
    let shared: Vec<&str> = homes.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(shared, SHARED_NAMES, "{homes:#?}");
}

#[test]
fn docs_say_more_than_the_name_below_them() {
    let mut short = Vec::new();
    for path in product_files() {
        for (line, doc) in short_docs(&std::fs::read_to_string(&path).unwrap()) {
            short.push(format!("{}:{line}: {doc}", path.display()));
        }
    }
    assert!(short.is_empty(), "{short:#?}");
}

#[test]
fn types_and_docs_are_read() {
    let text = "/// The least.\n#[x]\npub struct A<T>;\n/// Source: <https://a>\n  pub(crate) enum B {\n/// One\n/// two three\nC }\n\
                pub(super) type D = u8;\npub trait E: F {}\npub fn g() {}";
    assert_eq!(public_types(text).collect::<Vec<_>>(), ["A", "B", "E"]);
    assert_eq!(short_docs(text), [(1, "The least.".to_owned())]);
}

#[test]
fn a_crate_that_has_vectors_name_and_nothing_of_vector_is_not_in_the_tree() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in ["vector-core", "vector-lib", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} is in the tree");
    }
}

#[test]
fn groups_of_imports_are_read() {
    let text = "use crate::{sinks::{incident_sync::Ledger, x}, topology::plan, cli};\nuse crate::sources::Source;\ncrate::templates::f()";
    assert_eq!(named(text), ["sinks", "topology", "cli", "sources", "templates"]);
}
