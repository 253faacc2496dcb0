use schemars::{JsonSchema, schema_for};

use super::*;
use crate::Kind;
use runtime::secret::SensitiveString;

/// What no message may show.
const CANARY: &str = "hunter2";

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Options {
    level: Option<Level>,
    poll_secs: Option<u64>,
    token: Option<SensitiveString>,
    labels: Option<BTreeMap<String, u64>>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
#[schemars(rename_all = "snake_case")]
enum Level {
    Low,
    High,
}

fn schema() -> Value {
    schema_for!(Options).to_value()
}

const CATALOGUE: [ComponentType; 2] = [
    ComponentType { kind: Kind::Source, name: "from", schema, emits_own_events: false },
    ComponentType { kind: Kind::Sink, name: "to", schema, emits_own_events: false },
];

struct Written {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn write(name: &str, text: impl AsRef<[u8]>) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    Written { dir, path }
}

fn env() -> BTreeMap<String, String> {
    [("CANARY", CANARY), ("NUMBER", "31337"), ("POLL", "7")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Everything that is reported about a file, the directory's name left out.
fn reported(name: &str, text: impl AsRef<[u8]>) -> Vec<String> {
    let written = write(name, text);
    let outcome = read(std::slice::from_ref(&written.path), &env())
        .and_then(|file| component_graph(&file, &CATALOGUE).checked().map(|_| ()));
    shown(&written, &outcome.unwrap_err())
}

/// Problems with a file, the directory's name left out.
fn shown(written: &Written, problems: &[Problem]) -> Vec<String> {
    let prefix = format!("{}/", written.dir.path().display());
    problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

const YAML: &str = "data_dir: /d\nsources:\n  z: {type: from, poll_secs: ${POLL}}\n  a: {type: from, labels: {x: 1}}\n\
                    sinks:\n  s: {type: to, inputs: [z, a], level: high}\n";

#[test]
fn every_format_gives_the_same_component_graph_for_the_same_content() {
    let toml = "data_dir = \"/d\"\nsources.z.type = \"from\"\nsources.z.poll_secs = ${POLL}\n\
                [sources.a]\ntype = \"from\"\nlabels = {x = 1}\n\
                [sinks.s]\ntype = \"to\"\ninputs = [\"z\", \"a\"]\nlevel = \"high\"\n";
    let json = r#"{"data_dir": "/d", "sources": {"z": {"type": "from", "poll_secs": $POLL},
                "a": {"type": "from", "labels": {"x": 1}}},
                "sinks": {"s": {"type": "to", "inputs": ["z", "a"], "level": "high"}}}"#;
    let graphs =
        [("p.yaml", YAML), ("p.yml", YAML), ("p.toml", toml), ("p.json", json)].map(|(name, text)| {
            let written = write(name, text);
            component_graph(&read(std::slice::from_ref(&written.path), &env()).unwrap(), &CATALOGUE)
                .checked()
                .unwrap()
        });
    for other in &graphs {
        assert!(other == &graphs[0]);
    }
    assert_eq!(graphs[0].sources[0].id, "z");
    assert_eq!(graphs[0].sources[0].options, serde_json::json!({"poll_secs": 7}));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    assert_eq!(reported("p.txt", ""), ["p.txt: a pipeline file's name ends in .yaml, .yml, .toml or .json"]);
    assert_eq!(reported("p.yaml", b"\xff"), ["p.yaml: is not UTF-8 text"]);
    assert_eq!(
        reported("p.yaml", "- a"),
        ["p.yaml: a pipeline file is a map with 'sources' and 'sinks', not a list"]
    );
    assert_eq!(reported("p.yaml", "# nothing\n"), ["sinks: there is no sink", "sources: there is no source"]);
    assert_eq!(reported("p.json", "\u{feff}{\"sources\": 1}").len(), 2);
    let large = vec![b'#'; 10 * 1024 * 1024 + 1];
    assert_eq!(reported("p.yaml", large), ["p.yaml: is larger than 10 MiB, which no pipeline file is"]);
    let missing = read(&[PathBuf::from("/no/such.yaml")], &env()).unwrap_err();
    assert!(missing[0].message.starts_with("cannot be read: No such file"), "{missing:?}");
}

#[test]
fn no_line_shows_what_an_unknown_option_holds_or_a_comment() {
    let text = "webhook: https://h/?s=hunter2 # hunter2\nacknowledgements: {enabeld: hunter2}\n\
                proxy: {htps: 'user:hunter2@proxy'}\nsources:\n  x: {type: from, toke: hunter2, colour: {a: hunter2}, \
                \"a${POLL}b\": hunter2, level: hihg} # hunter2\nsinks:\n  y: {type: to, inputs: [z]}\n";
    let written = write("p.yaml", text);
    let graph = component_graph(&read(std::slice::from_ref(&written.path), &env()).unwrap(), &CATALOGUE);
    let located = graph.locate(graph.standing_problems());
    // Of a key that a variable brings in it is not known which one it is.
    let of_sources = "  x: {type: ***, toke: ***, colour: {a: ***}, \"a${POLL}b\": ***, level: ***}";
    for (words, shown) in [
        ("webhook: unknown option", "webhook: ***"),
        ("acknowledgements: unknown option 'enabeld'", "acknowledgements: {enabeld: ***}"),
        ("proxy: unknown option 'htps'", "proxy: {htps: ***}"),
        ("sources.x: unknown option 'toke'", of_sources),
        ("sources.x: unknown option 'colour'", of_sources),
        ("there is no source", "  y: {type: to, inputs: [z]}"),
    ] {
        let problem = located.iter().find(|problem| problem.to_string().contains(words));
        let place = problem.and_then(|problem| problem.place.as_ref());
        assert_eq!(place.map(|place| place.text.as_str()), Some(shown), "{words}: {located:#?}");
    }
    assert!(!format!("{located:?}").contains(CANARY), "{located:#?}");
}

#[test]
fn missing_variables_are_reported_with_their_lines_and_with_everything_else() {
    let text = "data_dir: $ONE\nsources:\n  x: {type: from, poll_secs: $TWO, levl: high}\n\nsinks:\n  y: {type: to, \
                inputs: [x], level: \"${THREE:?ask ops}\"}\n";
    let expected = [
        "p.yaml:1:11: environment variable ONE is not set",
        "p.yaml:3:30: environment variable TWO is not set",
        "p.yaml:3:36: sources.x: unknown option 'levl', did you mean 'level'?",
        "p.yaml:6:38: environment variable THREE is not set or empty: ask ops",
    ];
    let written = write("p.yaml", text);
    let graph = component_graph(&read(std::slice::from_ref(&written.path), &env()).unwrap(), &CATALOGUE);
    let located = graph.locate(graph.standing_problems());
    assert_eq!(shown(&written, &located), expected);
    assert_eq!(located[0].place.as_ref().unwrap().text, "data_dir: $ONE");
    // Where the file cannot be parsed without them, they are reported alone.
    assert_eq!(reported("p.toml", "a = $ONE\n"), ["p.toml:1:5: environment variable ONE is not set"]);
    // Where it cannot be parsed with them either, that is what is wrong.
    for (name, comment) in [("p.yaml", "# yaml-language-server: $schema=x.json\n"), ("p.toml", "# ${ONE}\n")]
    {
        let problems = reported(name, comment.to_owned() + "sources: [a\nb = \n");
        assert!(problems.len() == 1 && problems[0].contains("not valid"), "{problems:?}");
    }
}

#[test]
fn a_syntax_error_is_where_the_user_wrote_it() {
    for (name, text, expected) in [
        ("p.yaml", "a: ${CANARY}\nb: [${CANARY}, }\n", "p.yaml:2:"),
        ("p.toml", "a = \"${CANARY}\" b\n", "p.toml:1:17: not valid TOML"),
        ("p.json", "{\"a\": \"${CANARY}\" 1}", "p.json:1:19: not valid JSON: expected `,` or `}`"),
        ("p.json", "{\n\"a\": 1,\n\"a\": 2}", "p.json:3:"),
    ] {
        let reported = reported(name, text);
        assert!(reported.len() == 1 && reported[0].starts_with(expected), "{reported:?}");
    }
}

#[test]
fn what_comes_from_the_environment_is_in_no_message() {
    let good = "sources: {a: {type: from}}\nsinks: {s: {type: to, inputs: [a]}}\n";
    for (name, text) in [
        // Not the syntax of its format.
        ("p.yaml", "a: $CANARY: b".to_owned()),
        ("p.yaml", "a: [$CANARY".to_owned()),
        ("p.yaml", "$CANARY: 1\n$CANARY: 2".to_owned()),
        ("p.yaml", "a: *$CANARY".to_owned()),
        ("p.toml", "a = $CANARY".to_owned()),
        ("p.toml", "$CANARY = 1\n$CANARY = 2".to_owned()),
        ("p.json", "{\"a\": $CANARY}".to_owned()),
        ("p.yaml", "$CANARY".to_owned()),
        // A wrong key, id, type or value.
        ("p.yaml", format!("{good}$CANARY: 1")),
        ("p.yaml", format!("{good}data_dir: [$CANARY]")),
        ("p.yaml", format!("{good}acknowledgements: {{$CANARY: $CANARY}}")),
        ("p.yaml", format!("{good}acknowledgements: $CANARY")),
        ("p.yaml", format!("{good}wildcard_matching: $CANARY")),
        ("p.yaml", format!("{good}proxy: {{$CANARY: $CANARY, http: [$CANARY]}}")),
        ("p.yaml", format!("{good}transforms: [$CANARY]")),
        ("p.yaml", format!("{good}secret: {{$CANARY: {{type: $CANARY}}, b: {{type: file, $CANARY: 1}}}}")),
        ("p.yaml", "sources: {$CANARY.x: {type: $CANARY}}\nsinks: {$CANARY: {type: $CANARY}}".to_owned()),
        ("p.yaml", "sources: {$CANARY: {type: from}}\nsinks: {$CANARY: {type: to, inputs: [$CANARY, $CANARY, x$CANARY, $CANARY*]}}".to_owned()),
        ("p.yaml", "sources: {a: {type: from, level: $CANARY, poll_secs: $CANARY, $CANARY: 1, labels: {$CANARY: $CANARY, x: -$NUMBER}}}".to_owned()),
        ("p.yaml", "sources: {a: {type: from, level: $NUMBER, token: $NUMBER, labels: [$NUMBER]}}".to_owned()),
        ("p.yaml", format!("{good}data_dir: SECRET[$CANARY.$CANARY]")),
    ] {
        let reported = reported(name, &text).join("\n");
        assert!(!reported.is_empty(), "{text}");
        assert!(!reported.contains(CANARY) && !reported.contains("31337"), "{text}:\n{reported}");
    }
}

#[test]
fn debug_shows_neither_text_nor_values() {
    let written = write("p.yaml", format!("{YAML}proxy: {{http: $CANARY}}\n"));
    let file = read(std::slice::from_ref(&written.path), &env()).unwrap();
    let shown = format!("{file:?} {:?}", component_graph(&file, &CATALOGUE).checked().unwrap());
    assert!(shown.contains("p.yaml") && !shown.contains(CANARY), "{shown}");
}

#[tokio::test]
async fn secrets_are_references_until_they_are_fetched_and_in_no_message_afterwards() {
    let secrets =
        write("secrets.json", r#"{"token": "a: \"b\"\nSECRET[x.y]", "level": "high", "odd": "sources"}"#);
    let text = |level: &str| {
        format!(
            "secret:\n  vault: {{type: file, path: {}}}\nsources:\n  a: {{type: from, token: 'SECRET[vault.token]', \
             level: 'SECRET[vault.{level}]'}}\nsinks:\n  s: {{type: to, inputs: a}}\n",
            secrets.path.display()
        )
    };
    let clock = Clock::system();

    let written = write("p.yaml", text("level"));
    let mut file = read(std::slice::from_ref(&written.path), &env()).unwrap();
    let before = component_graph(&file, &CATALOGUE).checked().unwrap();
    assert_eq!(before.sources[0].options["token"], "SECRET[vault.token]");
    resolve_secrets(&mut file, &clock).await.unwrap();
    resolve_secrets(&mut file, &clock).await.unwrap();
    let after = component_graph(&file, &CATALOGUE).checked().unwrap();
    assert_eq!(after.sources[0].options["token"], "a: \"b\"\nSECRET[x.y]");
    assert_eq!(after.sources[0].options["level"], "high");

    // A secret that is not what the option needs, and happens to be a word of the file.
    let written = write("p.yaml", text("odd"));
    let mut file = read(std::slice::from_ref(&written.path), &env()).unwrap();
    resolve_secrets(&mut file, &clock).await.unwrap();
    let problems = component_graph(&file, &CATALOGUE).checked().unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "sources.a.level: the value is not known here; it must be one of 'low' and 'high'"
    );

    let written = write("p.yaml", text("gone"));
    let mut file = read(std::slice::from_ref(&written.path), &env()).unwrap();
    let problems = resolve_secrets(&mut file, &clock).await.unwrap_err();
    assert_eq!(
        shown(&written, &problems),
        ["p.yaml:4:49: sources.a.level: secret 'gone' of backend 'vault' is not in the file"]
    );
}

#[tokio::test]
async fn secrets_that_only_stock_components_want_are_not_fetched() {
    let written = write(
        "p.yaml",
        "secret: {vault: {type: file, path: /nowhere.json}, cloud: {type: aws_secrets_manager, region: $NOT_SET}}\n\
         sources: {a: {type: from}}\nsinks:\n  s: {type: console, inputs: [a], x: 'SECRET[vault.k] SECRET[cloud.k]'}\n",
    );
    let mut file = read(std::slice::from_ref(&written.path), &env()).unwrap();
    assert!(component_graph(&file, &CATALOGUE).checked().unwrap().beside_vector);
    resolve_secrets(&mut file, &Clock::system()).await.unwrap();
}
