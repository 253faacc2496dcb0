use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{reference, *};
use crate::redaction::Redaction;
use model::problem::Problem;
use runtime::clock::Clock;

/// What no message may show.
const CANARY: &str = "hunter2";

fn reported(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// Fetches into `options` from one backend called `vault`.
async fn fetch(backend: Value, options: Value) -> Result<Value, Vec<String>> {
    let mut tree = json!({"secret": {"vault": backend}, "options": options});
    let raw = tree.to_string();
    let before = tree.clone();
    let outcome = resolve(&mut tree, Redaction::new(&raw, &[]), &Clock::system()).await;
    if let Err(problems) = outcome {
        assert_eq!(tree, before, "nothing is put in when something is missing");
        assert!(!format!("{problems:?}").contains(CANARY), "{problems:?}");
        return Err(reported(&problems));
    }
    Ok(tree["options"].take())
}

fn shell(script: &str) -> Value {
    json!({"type": "exec", "command": ["sh", "-c", script]})
}

fn check(tree: &Value) -> Vec<String> {
    let raw = tree.to_string();
    let redaction = Redaction::new(&raw, &[]);
    let (backends, mut problems) = declared(tree, redaction);
    problems.extend(check_references(tree, &backends, redaction));
    reported(&problems)
}

#[test]
fn references_are_found_as_vector_finds_them() {
    for (text, expected) in [
        ("SECRET[backend.secret_name]", Some(("backend", "secret_name"))),
        ("xSECRET[my-backend.secret_name]y", Some(("my-backend", "secret_name"))),
        ("SECRET[backend.secret.name]", Some(("backend", "secret.name"))),
        ("SECRET[backend..secret.name]", Some(("backend", ".secret.name"))),
        ("SECRET[backend.path/to/secret]", Some(("backend", "path/to/secret"))),
        ("SECRET[secret_name]", None),
        ("SECRET[.secret.name]", None),
        ("SECRET[a.b c]", None),
        ("secret[a.b]", None),
    ] {
        let found = reference::references(&json!(text), Redaction::new("", &[]));
        let found = found.keys().next().map(|found| (found.backend.as_str(), found.key.as_str()));
        assert_eq!(found, expected, "{text}");
        assert_eq!(has_secret_reference(text), expected.is_some(), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_declaration_is_reported_without_asking_a_backend() {
    for (backend, expected) in [
        (json!({"type": "file", "path": "/nowhere"}), String::new()),
        (json!({"type": "aws_secrets_manager", "region": "SECRET[w.x]"}), String::new()),
        (json!({"type": "flie"}), "secret.v.type: 'flie' is no backend, did you mean 'file'?".to_owned()),
        (
            json!({"path": "/x"}),
            "secret.v: missing required option 'type': one of 'directory', 'exec' and 'file'".to_owned(),
        ),
        (json!({"type": "file"}), "secret.v: missing required option 'path'".to_owned()),
        (
            json!({"type": "file", "path": "/x", "remove_trailing_whitespace": true}),
            "secret.v: unknown option 'remove_trailing_whitespace'; the options are 'path'".to_owned(),
        ),
        (
            json!({"type": "directory", "path": "/x", "remove_trailing_whitespaces": true}),
            "secret.v: unknown option 'remove_trailing_whitespaces', \
             did you mean 'remove_trailing_whitespace'?"
                .to_owned(),
        ),
        (json!({"type": "exec", "command": []}), "secret.v.command: at least 1 must be given".to_owned()),
        (
            json!({"type": "exec", "command": ["x"], "timeout": "5"}),
            "secret.v.timeout: expected a whole number, got '5': write 5 without quotes".to_owned(),
        ),
        (
            json!({"type": "exec", "command": ["x"], "protocol": {"version": "v2"}}),
            "secret.v.protocol.version: 'v2' is not known here; it must be one of 'v1' and 'v1_1'".to_owned(),
        ),
        (
            json!({"type": "exec", "command": ["x"], "protocol": {"version": "v1_1", "backend_type": "x"}}),
            "secret.v.protocol: missing required option 'backend_config'".to_owned(),
        ),
        (json!("file"), "secret.v: expected a map, got a string".to_owned()),
        (
            json!({"type": "file", "path": "SECRET[w.x]"}),
            "secret.v.path: a secret backend's own options cannot be secrets".to_owned(),
        ),
    ] {
        let expected: Vec<String> = Some(expected).into_iter().filter(|words| !words.is_empty()).collect();
        assert_eq!(check(&json!({"secret": {"v": backend}})), expected, "{backend}");
    }
}

#[test]
fn every_reference_must_name_a_declared_backend() {
    let tree = json!({
        "secret": {"vault": {"type": "file", "path": "/x"}},
        "a": "SECRET[vault.x]", "b": ["SECRET[valut.x]"], "c": {"d": "SECRET[other.x]"},
    });
    assert_eq!(
        check(&tree),
        [
            "c.d: secret backend 'other' is not declared under 'secret'",
            "b.0: secret backend 'valut' is not declared under 'secret', did you mean 'vault'?",
        ]
    );
}

#[tokio::test]
async fn a_file_gives_its_secrets_whatever_characters_they_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secrets.json");
    let odd = "a \"quote\",\nline: {$1} SECRET[vault.b]";
    std::fs::write(&path, json!({"a.b": odd, "n/m": "two", "unused": ""}).to_string()).unwrap();
    let options = json!({"x": "SECRET[vault.a.b]", "y": ["<SECRET[vault.n/m]SECRET[vault.n/m]>"], "z": 1});
    let fetched = fetch(json!({"type": "file", "path": path}), options).await.unwrap();
    assert_eq!(fetched, json!({"x": odd, "y": ["<twotwo>"], "z": 1}));
}

#[tokio::test]
async fn everything_a_file_cannot_give_is_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secrets.json");
    let backend = json!({"type": "file", "path": path});
    let options = json!({"x": "SECRET[vault.gone]", "y": "SECRET[vault.empty]", "z": "SECRET[vault.gone]"});

    let missing = fetch(backend.clone(), options.clone()).await.unwrap_err();
    assert_eq!(missing.len(), 1);
    let named = format!("secret.vault: {} cannot be read: No such file", path.display());
    assert!(missing[0].starts_with(&named), "{missing:?}");
    assert!(missing[0].ends_with("(secrets wanted: 'empty' and 'gone')"), "{missing:?}");

    std::fs::write(&path, json!({"empty": "", "other": CANARY}).to_string()).unwrap();
    assert_eq!(
        fetch(backend.clone(), options.clone()).await.unwrap_err(),
        [
            "options.x: secret 'gone' of backend 'vault' is not in the file",
            "options.y: secret 'empty' of backend 'vault' is empty",
            "options.z: secret 'gone' of backend 'vault' is not in the file",
        ]
    );

    for (contents, expected) in [
        (&b"{\"a\": hunter2}"[..], "the file is no JSON map from keys to strings (line 1, column 7)"),
        (b"{\"a\": {\"hunter2\": 1}}", "the file is no JSON map from keys to strings (line 1, column 6)"),
        (b"\xffhunter2", "cannot be read: it is not UTF-8"),
    ] {
        std::fs::write(&path, contents).unwrap();
        let problems = fetch(backend.clone(), options.clone()).await.unwrap_err();
        assert!(problems[0].contains(expected), "{problems:?}");
    }
    std::fs::write(&path, vec![b' '; 1024 * 1024 + 1]).unwrap();
    let problems = fetch(backend, options).await.unwrap_err();
    assert!(problems[0].contains("larger than 1 MiB"), "{problems:?}");
}

#[tokio::test]
async fn a_directory_gives_a_secret_for_each_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, contents: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    };
    write("plain", "one \n");
    write("sub/deep", "two");
    write("blank", " \n");
    let backend =
        |trim: bool| json!({"type": "directory", "path": dir.path(), "remove_trailing_whitespace": trim});
    let options = json!({"x": "SECRET[vault.plain]", "y": "SECRET[vault.sub/deep]"});
    let fetched = fetch(backend(false), options.clone()).await.unwrap();
    assert_eq!(fetched, json!({"x": "one \n", "y": "two"}));
    assert_eq!(fetch(backend(true), options).await.unwrap(), json!({"x": "one", "y": "two"}));

    let options = json!({"a": "SECRET[vault.blank]", "b": "SECRET[vault.gone]", "c": "SECRET[vault.../x]", "d": "SECRET[vault./etc/passwd]"});
    let problems = fetch(backend(true), options).await.unwrap_err();
    assert_eq!(problems.len(), 4);
    for (problem, expected) in problems.iter().zip([
        "options.a: secret 'blank' of backend 'vault' is empty",
        "options.b: secret 'gone' of backend 'vault' cannot be read: No such file",
        "options.c: secret '../x' of backend 'vault' leads out of the backend's directory",
        "options.d: secret '/etc/passwd' of backend 'vault' leads out of the backend's directory",
    ]) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[tokio::test]
async fn a_command_is_asked_as_the_protocol_says() {
    let dir = tempfile::tempdir().unwrap();
    let asked = dir.path().join("asked");
    let script = format!(
        r#"cat > {}; echo note >&2; echo '{{"b": {{"value": "two"}}, "a": {{"value": "one", "error": null}}}}'"#,
        asked.display()
    );
    let mut backend = shell(&script);
    let options = json!({"x": "SECRET[vault.b]", "y": "SECRET[vault.a]", "z": "SECRET[vault.a]"});
    let query = |path: &Path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();

    let fetched = fetch(backend.clone(), options.clone()).await.unwrap();
    assert_eq!(fetched, json!({"x": "two", "y": "one", "z": "one"}));
    assert_eq!(query(&asked), json!({"version": "1.0", "secrets": ["a", "b"]}));

    backend["protocol"] =
        json!({"version": "v1_1", "backend_type": "file.json", "backend_config": {"file_path": "/abc"}});
    fetch(backend, options).await.unwrap();
    assert_eq!(
        query(&asked),
        json!({"version": "1.1", "secrets": ["a", "b"], "type": "file.json", "config": {"file_path": "/abc"}})
    );
}

#[tokio::test]
async fn a_command_that_fails_is_reported_without_what_it_printed() {
    let wanted = "(secrets wanted: 'k')";
    for (script, expected) in [
        (
            "echo '{\"k\": {\"value\": \"hunter2\"}}'; echo hunter2 >&2; exit 3",
            "the command failed: exit status: 3",
        ),
        ("echo hunter2", "the command's output is not the JSON map that the protocol asks for"),
        ("head -c 2000000 /dev/zero", "the command's output is larger than 1 MiB"),
    ] {
        // The canary must not be in the file either, or showing it would be fine.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        std::fs::write(&path, script).unwrap();
        let backend = json!({"type": "exec", "command": ["sh", path]});
        let problems = fetch(backend, json!("SECRET[vault.k]")).await.unwrap_err();
        assert_eq!(problems, [format!("secret.vault: {expected} {wanted}")]);
    }
    let problems = fetch(json!({"type": "exec", "command": ["/no/such"]}), json!("SECRET[vault.k]")).await;
    let problems = problems.unwrap_err();
    assert!(
        problems[0].starts_with("secret.vault: the command cannot be started: No such file"),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_command_may_refuse_single_secrets() {
    let script =
        r#"echo '{"a": {"value": null, "error": "no"}, "b": {"value": ""}, "c": {}, "e": {"value": "v"}}'"#;
    let options = json!([
        "SECRET[vault.a]",
        "SECRET[vault.b]",
        "SECRET[vault.c]",
        "SECRET[vault.d]",
        "SECRET[vault.e]"
    ]);
    assert_eq!(
        fetch(shell(script), options).await.unwrap_err(),
        [
            "options.0: secret 'a' of backend 'vault' was refused by the command; run it by hand to see why",
            "options.1: secret 'b' of backend 'vault' is empty",
            "options.2: secret 'c' of backend 'vault' is empty",
            "options.3: secret 'd' of backend 'vault' was not in the command's output",
        ]
    );
}

#[tokio::test]
async fn a_command_may_answer_without_reading_and_talk_a_lot() {
    let script = "exec <&-; head -c 300000 /dev/zero | tr '\\0' x >&2; echo '{\"k\": {\"value\": \"v\"}}'";
    assert_eq!(fetch(shell(script), json!("SECRET[vault.k]")).await.unwrap(), json!("v"));
}

/// Paused time goes on by itself when nothing else does, so this does not wait.
#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    for (timeout, seconds) in [(json!(null), 5), (json!(7), 7)] {
        let mut backend = shell(&format!("echo $$ > {}; exec sleep 600", mark.display()));
        if timeout.is_u64() {
            backend["timeout"] = timeout;
        }
        let clock = Clock::system();
        let start = clock.monotonic();
        let problems = fetch(backend, json!("SECRET[vault.k]")).await.unwrap_err();
        let expected =
            format!("secret.vault: the command did not finish within {seconds} s (secrets wanted: 'k')");
        assert_eq!(problems, [expected]);
        assert_eq!((clock.monotonic() - start).as_secs(), seconds);
        // Stopped before it could write its id, it has left no file, or an empty one.
        if let Some(id) = std::fs::read_to_string(&mark).ok().filter(|id| !id.is_empty()) {
            assert!(!Path::new("/proc").join(id.trim()).exists(), "the command is gone");
        }
    }
}

#[test]
fn a_backend_name_from_the_environment_is_not_shown() {
    let tree = json!({"secret": {CANARY: {"type": CANARY}}, "a": "SECRET[hunter2x.k]"});
    let redaction = Redaction::new("secret type a", &[]);
    let (backends, mut problems): (BTreeMap<_, _>, _) = declared(&tree, redaction);
    problems.extend(check_references(&tree, &backends, redaction));
    assert_eq!(problems.len(), 2);
    assert!(!format!("{problems:?}").contains(CANARY), "{problems:?}");
}
