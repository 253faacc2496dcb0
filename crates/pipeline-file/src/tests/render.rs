use std::path::PathBuf;

use super::*;
use crate::{format::Format, read, stubs};

/// What must never be in a rendered file.
const CANARY: &str = "hunter2";

fn env() -> BTreeMap<String, String> {
    ["PW", "PORT", "ID", "1", "HOME"].map(|name| (name.to_owned(), CANARY.to_owned())).into()
}

/// Component types that take any option: what is in them is the business of who has them.
fn catalogue() -> Vec<ComponentType> {
    let schema = || {
        serde_json::json!({"type": "object", "properties": {
            "auth": true,
            "batch": {"type": "object", "properties": {"max_bytes": true}},
            "dcr_immutable_id": true,
            "endpoint": true,
            "stream_name": true,
        }})
    };
    [(Kind::Source, "defender_incidents"), (Kind::Sink, "sentinel_logs")]
        .map(|(kind, name)| ComponentType { kind, name, schema, emits_own_events: false })
        .to_vec()
}

/// The stock file of a pipeline of one file.
fn rendered(name: &str, text: &str) -> Result<String, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    of(&[path])
}

fn of(paths: &[PathBuf]) -> Result<String, Vec<String>> {
    let catalogue = catalogue();
    let words = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = read(paths, &env()).map_err(words)?;
    let graph = component_graph(&file, &catalogue);
    let graph = graph.checked().map_err(words)?;
    let text = render(&file, &catalogue, &stubs(&graph)).map_err(words)?;
    assert!(!text.contains(CANARY), "{text}");
    Ok(text)
}

/// A pipeline file that is right, with `more` of Vector's own below `transforms`.
fn yaml_with(more: &str) -> String {
    format!(
        "data_dir: /d
sources:
  defender:
    type: defender_incidents
    auth: {{azure_credential_kind: client_secret_credential, azure_tenant_id: t, azure_client_id: c, azure_client_secret: $PW}}
sinks:
  screen: {{type: console, inputs: [t], encoding: {{codec: json}}}}
transforms:
{more}"
    )
}

/// The rendered file as a tree.
fn tree(name: &str, text: &str) -> Value {
    Format::Yaml.parse(&rendered(name, text).unwrap()).unwrap()
}

const SENTINEL: &str = "
    type: sentinel_logs
    auth: {azure_credential_kind: managed_identity}
    endpoint: https://a.ingest.monitor.azure.com
    dcr_immutable_id: dcr-000a00a000a00000a000000aa000a0aa
    stream_name: Custom-X
";

#[test]
fn a_variable_that_is_more_or_less_than_a_value_is_refused_beside_stock_components() {
    let toml = |line: &str| {
        format!(
            "[sources.defender]\ntype = \"defender_incidents\"\nauth = {{azure_credential_kind = \"azure_cli\"}}\n\
             [sinks.screen]\ntype = \"console\"\ninputs = [\"defender\"]\nencoding = {{codec = \"json\"}}\n{line}\n"
        )
    };
    for refused in ["rate = 0.${PORT}", "rate = 1${PORT}", "rate = ${PORT}5"] {
        assert!(rendered("a.toml", &toml(refused)).is_err(), "{refused}");
    }
    for fine in ["rate = ${PORT}", "rate = \"0.${PORT}\"", "# rate = 0.${PORT}"] {
        rendered("a.toml", &toml(fine)).unwrap_or_else(|problems| panic!("{fine}: {problems:?}"));
    }
}

#[test]
fn each_of_ours_gives_way_to_a_stub_with_its_id_and_its_place() {
    let text = format!(
        "data_dir: /d
proxy: {{http: 'http://proxy:3128'}}
sources:
  first: {{type: stdin}}
  defender:
    type: defender_incidents
    graph: {{node_attributes: {{color: red}}}}
    auth: {{azure_credential_kind: managed_identity}}
  last: {{type: stdin}}
sinks:
  sentinel: {SENTINEL}
    inputs: [first, def*]
    buffer: {{type: disk, max_size: 268435488}}
    batch: {{max_bytes: 500000, max_events: 10, timeout_secs: 0.5}}
    healthcheck: {{enabled: false}}
    vector: {{address: '0.0.0.0:7000', tls: {{ca_file: /ca, crt_file: /crt, key_file: /key, vector_crt_file: /vc, vector_key_file: /vk}}}}
  screen: {{type: console, inputs: [defender, last], encoding: {{codec: json}}}}
"
    );
    let expected = r#"data_dir: /d
proxy:
  http: http://proxy:3128
sources:
  first:
    type: stdin
  defender:
    type: http_server
    address: "127.0.0.1:6100"
    decoding:
      codec: json
    framing:
      method: newline_delimited
    path_key: ""
    tls:
      enabled: true
      verify_certificate: true
      ca_file: /d/vector-link/ca.pem
      crt_file: /d/vector-link/vector.pem
      key_file: /d/vector-link/vector.key
    graph:
      node_attributes:
        color: red
  last:
    type: stdin
sinks:
  sentinel:
    type: http
    inputs:
      - first
      - "def*"
    uri: https://127.0.0.1:7000/sinks/sentinel
    method: post
    encoding:
      codec: native_json
    framing:
      method: newline_delimited
    acknowledgements:
      enabled: true
    proxy:
      enabled: false
    request:
      concurrency: 8
    tls:
      verify_certificate: true
      verify_hostname: true
      ca_file: /ca
      crt_file: /vc
      key_file: /vk
    batch:
      max_events: 10
      timeout_secs: 0.5
      max_bytes: 1000000
    buffer:
      type: disk
      max_size: 268435488
    healthcheck:
      enabled: false
      uri: https://127.0.0.1:7000/sinks/sentinel
  screen:
    type: console
    inputs:
      - defender
      - last
    encoding:
      codec: json
    acknowledgements:
      enabled: true
"#;
    assert_eq!(rendered("p.yaml", &text).unwrap(), expected);
}

#[test]
fn variables_and_secrets_of_vectors_own_parts_stay_as_they_are_written() {
    // Each as it is written in YAML, and as it comes out.
    for (text, expected) in [
        ("${PORT}", "${PORT}"),
        ("$PORT", "$PORT"),
        ("'${PORT}'", "'${PORT}'"),
        ("\"${PORT}\"", "\"${PORT}\""),
        ("tcp://$PORT:1", "tcp://$PORT:1"),
        ("{b: $PORT}", "\n      b: $PORT"),
        ("[ $PORT, x, '$PW' ]", "\n      - $PORT\n      - x\n      - '$PW'"),
        ("${NOT_SET}", "${NOT_SET}"),
        ("\"${PW:-a\\tb}\"", "\"${PW:-a\\tb}\""),
        ("'it''s ${PW:-it''s}'", "'it''s ${PW:-it''s}'"),
        ("\"it's $PW \\\\ \\u00e9\"", "\"it's $PW \\\\ é\""),
        ("SECRET[v.k]", "SECRET[v.k]"),
        ("'SECRET[v.k]'", "'SECRET[v.k]'"),
        ("\"a $$ b\"", "\"a $$ b\""),
        ("!!str $PORT", "'$PORT'"),
        ("|\n      .a = \"$1\"\n      # it's ${HOME}\n", "|\n      .a = \"$1\"\n      # it's ${HOME}"),
        ("|-\n      $PORT", "|-\n      $PORT"),
        (">\n      a\n      $PORT\n", "|\n      a $PORT"),
        ("'a\n\n      ''$PW'' ${X:-it''s}'", "|-\n      a\n      '$PW' ${X:-it's}"),
        ("\"a\\n  $PW\"", "\"a\\n  $PW\""),
        ("\"a\\x24PW\"", "\"a\\x24PW\""),
        ("1 # $PW", "1"),
    ] {
        let yaml = yaml_with(&format!("  t:\n    type: x\n    inputs: [defender]\n    a: {text}\n"));
        let whole = rendered("p.yaml", &yaml).unwrap();
        assert!(whole.contains(&format!("\n    a: {expected}\n").replace(": \n", ":\n")), "{text}:\n{whole}");
    }
}

#[test]
fn a_bare_variable_is_bare_and_a_quoted_one_quoted_in_every_format() {
    let toml = "[sources.defender]\ntype = \"defender_incidents\"\nauth.azure_credential_kind = \"managed_identity\"\n\
                [sinks.screen]\ntype = \"console\"\ninputs = [\"defender\"]\nencoding.codec = \"json\"\n\
                port = ${PORT}\nname = \"${PORT}\"\nraw = '$PW \\d'\nvrl = '''\n.a = \"$1\"\n'''\nlong = \"\"\"\na$PW\"\"\"\n";
    let text = rendered("p.toml", toml).unwrap();
    for line in [
        "port: ${PORT}",
        "name: \"${PORT}\"",
        "raw: '$PW \\d'",
        "vrl: |\n      .a = \"$1\"",
        "long: \"a$PW\"",
    ] {
        assert!(text.contains(&format!("\n    {line}\n")), "{line}:\n{text}");
    }
    let json = r#"{"sources": {"defender": {"type": "defender_incidents", "auth": {"azure_credential_kind": "managed_identity"}}},
        "sinks": {"screen": {"type": "console", "inputs": ["defender"], "port": $PORT, "name": "${PORT}", "z": "Z${PW}Z\n$1"}}}"#;
    let text = rendered("p.json", json).unwrap();
    for line in ["port: $PORT", "name: \"${PORT}\"", "z: \"Z${PW}Z\\n$1\""] {
        assert!(text.contains(&format!("\n    {line}\n")), "{line}:\n{text}");
    }
}

#[test]
fn ids_and_types_may_be_variables() {
    let mut env = env();
    env.insert("ID".to_owned(), "defender".to_owned());
    env.insert("TYPE".to_owned(), "defender_incidents".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    let text = "sources:\n  $ID: {type: $TYPE, auth: {azure_credential_kind: managed_identity}}\n\
                sinks:\n  screen: {type: console, inputs: ['$ID']}\n";
    std::fs::write(&path, text).unwrap();
    let file = read(&[path], &env).unwrap();
    let graph = component_graph(&file, &catalogue());
    let graph = graph.checked().unwrap();
    let text = render(&file, &catalogue(), &stubs(&graph)).unwrap();
    assert!(text.contains("  $ID:\n    type: http_server\n") && text.contains("      - '$ID'\n"), "{text}");
    assert!(text.contains("acknowledgements"), "its events reach the sink: {text}");
}

#[test]
fn a_missing_variable_matters_only_where_it_is_read_here() {
    let stock = "  t: {type: x, inputs: [defender], a: $NOT_SET} # $NOT_EITHER\n";
    assert!(rendered("p.yaml", &yaml_with(stock)).is_ok());
    let ours = yaml_with(stock).replace("azure_client_id: c", "azure_client_id: $MISSING");
    let reported = rendered("p.yaml", &ours).unwrap_err();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].ends_with("p.yaml:5:98: environment variable MISSING is not set"), "{reported:?}");
}

#[test]
fn a_variable_that_brings_in_more_than_a_value_is_reported_beside_stock_components() {
    let text = yaml_with("  t: {type: x, inputs: [defender]}\n") + "${ID}: 1\n";
    let reported = rendered("p.yaml", &text).unwrap_err().join("\n");
    assert!(
        reported.contains("a variable is a part of a number, or brings in more than one value"),
        "{reported}"
    );
}

#[test]
fn anchors_and_merges_are_written_out() {
    let more = "  a: &a {type: x, inputs: [defender], port: $PORT}\n  t: {<<: *a, b: '$PW'}\n";
    let tree = tree("p.yaml", &yaml_with(more));
    assert_eq!(tree["transforms"]["t"]["port"], "$PORT");
    assert_eq!(tree["transforms"]["t"]["b"], "$PW");
}

#[test]
fn several_files_in_several_formats_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = file("a.yaml", &yaml_with("  t: {type: x, inputs: [defender], a: $PORT}\n"));
    let toml = file(
        "b.toml",
        "data_dir = \"/d\"\n[sinks.other]\ntype = \"file\"\ninputs = [\"defender\"]\npath = \"$PW\"\n",
    );
    let json =
        file("c.json", r#"{"sources": {"in": {"type": "stdin", "b": $PORT}}, "tests": [{"name": "1"}]}"#);
    let text = of(&[ours.clone(), toml, json]).unwrap();
    for line in ["a: $PORT", "path: \"$PW\"", "b: $PORT"] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    assert_eq!(text.matches("vector-link/ca.pem").count(), 1);

    let again =
        file("d.yaml", "data_dir: /e\nsources: {defender: {type: stdin}}\nwildcard_matching: strict\n");
    let reported: Vec<String> = of(&[ours, again]).unwrap_err();
    let prefix = format!("{}/", dir.path().display());
    let reported: Vec<String> = reported.iter().map(|problem| problem.replace(&prefix, "")).collect();
    assert_eq!(
        reported,
        [
            "a.yaml:1:1: data_dir: is given again in d.yaml, with another value",
            "a.yaml:3:3: sources.defender: is in a.yaml and in d.yaml; ids must be different"
        ]
    );
}

#[test]
fn two_components_do_not_meet_vector_at_one_address() {
    let text = yaml_with("  t: {type: x, inputs: [defender]}\n")
        .replace("    auth: {azure_c", "    vector: {address: 'localhost:6100'}\n    auth: {azure_c");
    let more = format!(
        "  sentinel: {SENTINEL}    inputs: [t]\n    vector: {{address: '127.0.0.1:6100'}}\ntransforms:"
    );
    let reported = rendered("p.yaml", &text.replace("transforms:", &more)).unwrap_err();
    assert_eq!(
        reported,
        [
            "sinks.sentinel.vector.address: sources.defender has the same address; each component needs its own"
        ]
    );
}

#[test]
fn what_only_others_post_to_is_not_in_vectors_file() {
    let listening =
        format!("  posted: {SENTINEL}    inputs: []\n    listen: {{address: '127.0.0.1:6100'}}\n");
    let linked =
        format!("  sentinel: {SENTINEL}    inputs: [t]\n    listen: {{address: '127.0.0.1:6200'}}\n");
    let text = yaml_with("  t: {type: x, inputs: [defender]}\n");
    let text = text.replace("transforms:", &format!("{listening}{linked}transforms:"));
    let tree: Value = serde_saphyr::from_str(&rendered("p.yaml", &text).unwrap()).unwrap();
    assert_eq!((tree["sinks"].get("posted"), tree["sinks"]["sentinel"].get("listen")), (None, None));
    // Nor does its address make way for another's.
    assert_eq!(tree["sources"]["defender"]["address"], "127.0.0.1:6101");
    assert_eq!(tree["sinks"]["sentinel"]["uri"], "https://127.0.0.1:6102/sinks/sentinel");

    let alone = format!("sinks:\n{listening}");
    let reported = rendered("p.yaml", &alone).unwrap_err();
    assert!(reported[0].contains("there is nothing here for Vector"), "{reported:?}");
}
