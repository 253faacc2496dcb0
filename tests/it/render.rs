//! The file for stock Vector: what `render` prints, and what a real Vector takes it for.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{real_vector, skipped};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `render` where the project is, as a user would.
fn render(files: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vector-sentinel"));
    command.env_clear().current_dir(root()).arg("render").args(files);
    command.env("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000");
    command.env("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000002");
    command.env("AZURE_CLIENT_ID", "hunter2").output().unwrap()
}

fn rendered(files: &[&str]) -> String {
    let output = render(files);
    assert!(output.status.success(), "{files:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    text
}

/// What Vector understands: the file as JSON. It leaves variables alone in this, so those are put in here, by how they are written.
fn converted(vector: &Path, file: &Path, variables: &[(&str, &str)]) -> Value {
    let mut text = std::fs::read_to_string(file).unwrap();
    for (written, value) in variables {
        text = text.replace(written, value);
    }
    std::fs::write(file, text).unwrap();
    let json = file.with_extension("json");
    let output = Command::new(vector)
        .env_clear()
        .args(["convert-config", "--output-format", "json"])
        .args([file, &json])
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&json).unwrap_or_else(|_| panic!("{}", said(&output)));
    serde_json::from_str(&text).unwrap()
}

/// Whether Vector accepts a file, and if not, why.
fn accepts(vector: &Path, file: &Path) -> Result<(), String> {
    let mut command = Command::new(vector);
    let output = command.env_clear().args(["validate", "--no-environment"]).arg(file).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(said(&output)) }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn examples() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("config-examples")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).collect()
}

#[test]
fn vector_accepts_every_example() {
    let dir = tempfile::tempdir().unwrap();
    let vector = real_vector();
    // In one there is nothing for Vector.
    let others = |example: &PathBuf| !example.ends_with("other-shippers.yaml");
    for example in examples().into_iter().filter(others) {
        let text = rendered(&["-c", example.to_str().unwrap()]);
        let file = dir.path().join("vector.yaml");
        std::fs::write(&file, &text).unwrap();
        let Some(vector) = &vector else { continue };
        match accepts(vector, &file) {
            Err(why) if why.contains("unknown variant") => {
                let why = format!("{}: this Vector lacks one of its components: {why}", example.display());
                skipped(&why);
            }
            outcome => assert_eq!(outcome, Ok(()), "{}:\n{text}", example.display()),
        }
    }
}

#[test]
fn the_sidecars_file_is_what_is_rendered() {
    let path = root().join("config-examples/sidecar/vector.yaml");
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(rendered(&["-c", "config-examples/sidecar.yaml"]), kept);
}

#[test]
fn several_files_are_rendered_as_one_however_they_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let a = write(
        "a.yaml",
        "sources: {d: {type: defender_incidents, auth: {azure_credential_kind: azure_cli}}}\n",
    );
    let b = write("b.toml", "[sinks.s]\ntype = \"blackhole\"\ninputs = [\"d\"]\n");
    let body =
        |text: String| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let expected = body(rendered(&["-c", &a, "-c", &b]));
    assert!(expected.contains("type: http_server") && expected.contains("type: blackhole"), "{expected}");
    assert_eq!(body(rendered(&[&a, &b])), expected);
    assert_eq!(body(rendered(&["-c", &format!("{a},{b}")])), expected);

    // Mistakes are told as `validate` tells them.
    let output = render(&[&a]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("sinks: there is no sink"));
}

/// What may be in a string of Vector's own parts, each as YAML.
const ODD: &str = r#"
sources:
  defender: {type: defender_incidents, auth: {azure_credential_kind: azure_cli}}
  in:
    type: demo_logs
    format: shuffle
    lines: ["yes", "010", 1_000, "null", "~", "1e5", "2001-01-01", "a # b", "a: b", " a ", "é ☃", "a\tb", 'it''s',
      "$1", '$$', $HOME, '${HOME}', "${X:-it's}", "<", "- a", "{{ a }}", "\\d", "no", off, "0x1F", "1:20", "a\u0085b", ".5"]
transforms:
  t:
    type: remap
    inputs: [defender, in]
    source: |
      # it's $HOME
      .a = replace(to_string(.message) ?? "", r'^(\w+)-(\d+)$', "$2-$1")
        .b = "$$1 \\ '${HOME}'"

      .c = "trailing"   
  u:
    type: remap
    inputs: [t]
    source: ".d = \"a\\tb\"\n  .e = s'r'"
  v: {type: filter, inputs: [u], condition: '.a == "$1" && .b != "é"'}
sinks:
  out: {type: console, inputs: [v], encoding: {codec: json}}
"#;

/// Variables of Vector's own parts, in every kind of quotes.
const VARIABLES: &str = r#"
sources:
  defender: {type: defender_incidents, auth: {azure_credential_kind: azure_cli}}
  in:
    type: demo_logs
    format: shuffle
    count: ${COUNT}
    interval: $INTERVAL
    sequence: ${FLAG:-true}
    lines: ["${COUNT}", '$COUNT', x $COUNT, 'it''s $WORD', "tab\t${WORD}", "${NOT_SET:-a\tb}", x$COUNT, "$$1", $$]
transforms:
  t:
    type: remap
    inputs: [defender, in]
    source: |
      .a = "$WORD" # it's $QUOTE
      .b = replace("x", r'(x)', "$$1")
sinks:
  out: {type: console, inputs: [t], encoding: {codec: json}}
"#;

/// The same file with something stock where ours was, as Vector reads it by itself.
fn without_ours(text: &str) -> String {
    text.replace("{type: defender_incidents, auth: {azure_credential_kind: azure_cli}}", "{type: stdin}")
}

/// Asserts that Vector understands a rendered file as it does the file itself; answers how.
fn means_the_same(text: &str, variables: &[(&str, &str)]) -> Option<Value> {
    let vector = real_vector()?;
    let dir = tempfile::tempdir().unwrap();
    let [ours, stock, plain] = ["a.yaml", "b.yaml", "c.yaml"].map(|name| dir.path().join(name));
    std::fs::write(&ours, text).unwrap();
    std::fs::write(&stock, rendered(&["-c", ours.to_str().unwrap()])).unwrap();
    std::fs::write(&plain, without_ours(text)).unwrap();
    if variables.is_empty() {
        assert_eq!(accepts(&vector, &stock), Ok(()));
    }
    let [mut stock, mut plain] = [&stock, &plain].map(|file| converted(&vector, file, variables));
    assert_eq!(stock["sinks"]["out"]["acknowledgements"], json!({"enabled": true}));
    for tree in [&mut stock, &mut plain] {
        tree["sinks"]["out"]["acknowledgements"].take();
        tree["sources"]["defender"].take();
    }
    assert_eq!(stock, plain);
    Some(stock)
}

#[test]
fn vector_takes_odd_strings_for_what_they_were() {
    if let Some(tree) = means_the_same(ODD, &[]) {
        assert!(tree["transforms"]["t"]["source"].as_str().unwrap().contains("\"$2-$1\""), "{tree}");
    }
}

#[test]
fn variables_mean_the_same_to_a_vector_that_puts_them_in() {
    let variables = [
        ("${COUNT}", "7"),
        ("$COUNT", "7"),
        ("$INTERVAL", "0.5"),
        ("${FLAG:-true}", "true"),
        ("${WORD}", "# no"),
        ("$WORD", "# no"),
        ("$QUOTE", "'\""),
        ("${NOT_SET:-a\\tb}", "a\\tb"),
        ("$$", "$"),
    ];
    if let Some(tree) = means_the_same(VARIABLES, &variables) {
        assert_eq!(tree["sources"]["in"]["count"], 7);
        assert_eq!(tree["sources"]["in"]["lines"][0], "7");
        assert!(tree["transforms"]["t"]["source"].as_str().unwrap().contains("\"$1\""), "{tree}");
    }
}
