use super::*;

/// The place of the option at `path` of a file with that text, written there without variables.
fn place(name: &str, raw: &str, path: &str, entry: Option<&str>) -> Option<Place> {
    placed(name, raw, raw, Parts::default(), path, entry)
}

fn placed(
    name: &str,
    raw: &str,
    replaced: &str,
    parts: Parts,
    path: &str,
    entry: Option<&str>,
) -> Option<Place> {
    let source = SourceText {
        name: name.to_owned(),
        format: Format::of(name.as_ref()).unwrap(),
        raw: raw.to_owned(),
        replaced: replaced.to_owned(),
        parts,
    };
    let problem = Problem { entry: entry.map(str::to_owned), ..Problem::new(path, "m") };
    SourceTexts(Arc::new([source])).locate(vec![problem]).remove(0).place.map(|place| *place)
}

fn line(name: &str, raw: &str, path: &str) -> (usize, usize, String) {
    let place = place(name, raw, path, None).unwrap();
    (place.line, place.column, place.text)
}

const YAML: &str = "\
# é
sinks:
  out:
    inputs:
      - a
      - b
    auth: {azure_client_secret: 'hunter2 it''s', azure_credential_kind: none}
    tls:
      key_file: |
        -----BEGIN KEY-----
        aHVudGVyMg==
      ca_file: /ca
    a.b: {c: 1}
";

#[test]
fn an_option_stands_where_its_key_begins_in_every_format() {
    let toml = "[sinks.out]\ninputs = [\n  \"a\",\n  \"b\",\n]\n[sinks.out.auth]\nazure_client_secret = \"hunter2\"\n\
                [[sinks.out.list]]\nx = 1\n";
    let json = "{\n\"sinks\": {\"out\": {\n\t\"inputs\": [\"a\",\n  \"b\"], \"auth\": {\"azure_client_secret\":\"hunter2\",\
                \"kind\":1}}}\n}";
    for (name, text, path, expected) in [
        ("p.yaml", YAML, "sinks.out", (3, 3)),
        ("p.yaml", YAML, "sinks.out.inputs.1", (6, 9)),
        ("p.yaml", YAML, "sinks.out.auth.azure_credential_kind", (7, 50)),
        ("p.yaml", YAML, "sinks.out.a.b.c", (13, 11)),
        ("p.yaml", YAML, "sinks.out.a.b", (13, 5)),
        // What is not there stands where it would have to be.
        ("p.yaml", YAML, "sinks.out.tls.crt_file", (8, 5)),
        ("p.yaml", YAML, "sinks.out.endpoint", (3, 3)),
        ("p.toml", toml, "sinks.out", (1, 8)),
        ("p.toml", toml, "sinks.out.inputs.1", (4, 3)),
        ("p.toml", toml, "sinks.out.auth.azure_client_secret", (7, 1)),
        ("p.toml", toml, "sinks.out.list.0.x", (9, 1)),
        ("p.json", json, "sinks.out.inputs", (3, 2)),
        ("p.json", json, "sinks.out.inputs.1", (4, 3)),
        ("p.json", json, "sinks.out.auth.kind", (4, 50)),
    ] {
        let (line, column, _) = line(name, text, path);
        assert_eq!((line, column), expected, "{name} {path}");
    }
    assert_eq!(place("p.yaml", YAML, "sources", None), None);
    let unknown = place("p.yaml", YAML, "sinks.out", Some("tls")).unwrap();
    assert_eq!((unknown.line, unknown.text.as_str()), (8, "    tls:"));
}

#[test]
fn what_is_merged_in_stands_where_it_was_written() {
    let text =
        "x: &base\n  level: 1\nsinks:\n  one: {<<: *base, b: 2}\n  two:\n    <<: [*base]\n  three: *base\n";
    for path in ["sinks.one.level", "sinks.two.level", "sinks.three.level"] {
        assert_eq!(line("p.yaml", text, path).0, 2, "{path}");
    }
}

#[test]
fn no_line_shows_a_secret() {
    let flow = "sinks:\n  s: {proxy: {https: 'u:hunter2@p'}, token_scope: x, listen: {auth: {token: [hunter2, hunter2]}}}\n";
    let long =
        "sinks: {s: {auth: {azure_client_secret: \"hunter2\n  hunter2\", azure_credential_kind: x}}}\n";
    let anchor = "x: &s hunter2\nsinks: {s: {key_pass: *s}}\n";
    for (name, text, path, shown) in [
        (
            "p.yaml",
            flow,
            "sinks.s.token_scope",
            "  s: {proxy: {https: ***}, token_scope: x, listen: {auth: {token: [***, ***]}}}",
        ),
        ("p.yaml", long, "sinks.s.auth.azure_credential_kind", "***, azure_credential_kind: x}}}"),
        ("p.yaml", anchor, "x", "x: &s ***"),
        (
            "p.yaml",
            "a:\n  azure_client_secrt: hunter2\n",
            "a.azure_client_secrt",
            "  azure_client_secrt: ***",
        ),
        ("p.yaml", "a:\n  uri: https://u:hunter2@h/p\n", "a.uri", "  uri: https://***@h/p"),
        // Indented by mistake.
        ("p.yaml", "azure_client_secret: hunter2\n", "azure_client_secret", "azure_client_secret: ***"),
        ("p.yaml", "secret: {v: {type: file}}\n", "secret.v", "secret: {v: {type: file}}"),
        ("p.toml", "azure_client_secret = 'hunter2'\n", "azure_client_secret", "azure_client_secret = ***"),
        ("p.yaml", "a:\n  password: ${PASSWORD}\n", "a.password", "  password: ${PASSWORD}"),
        ("p.yaml", "a:\n  password: ${P:-hunter2}\n", "a.password", "  password: ***"),
        ("p.yaml", "a:\n  password: 'SECRET[v.p]'\n", "a.password", "  password: 'SECRET[v.p]'"),
        ("p.toml", "[a]\nb = {key_pass = 'hunter2', c = 1}\n", "a.b.c", "b = {key_pass = ***, c = 1}"),
        (
            "p.json",
            "{\"a\": {\"api_key\": \"hunter2\", \"c\": 1}}",
            "a.c",
            "{\"a\": {\"api_key\": ***, \"c\": 1}}",
        ),
    ] {
        assert_eq!(line(name, text, path).2, shown, "{text}");
    }
    assert_eq!(line("p.yaml", YAML, "sinks.out.auth.azure_credential_kind").2.matches("hunter2").count(), 0);
    assert_eq!(line("p.yaml", YAML, "sinks.out.tls.key_file").2, "      key_file: |");
    assert_eq!(line("p.yaml", YAML, "sinks.out.tls.ca_file").2, "      ca_file: /ca");
}

#[test]
fn what_a_misspelt_option_holds_is_shown_in_no_line() {
    for (name, text, path, entry, shown) in [
        ("p.yaml", "s: {tls: {key_pas: hunter2}}\n", "s.tls", "key_pas", "s: {tls: {key_pas: ***}}"),
        ("p.yaml", "s:\n  pasword: hunter2\n", "s", "pasword", "  pasword: ***"),
        (
            "p.yaml",
            "s:\n  secrets: {a: hunter2, b: [hunter2]}\n",
            "s",
            "secrets",
            "  secrets: {a: ***, b: [***]}",
        ),
        ("p.toml", "[s]\npasswords = ['hunter2', 'hunter2']\n", "s", "passwords", "passwords = [***, ***]"),
        ("p.yaml", "s:\n  secretz: {hunter2}\n", "s", "secretz", "  secretz: {***}"),
        ("p.yaml", "s:\n  password: {hunter2}\n", "s", "password", "  password: {***}"),
        ("p.yaml", "s:\n  colour: {hunter2, b: c}\n", "s", "colour", "  colour: {***, b: ***}"),
        ("p.yaml", "s:\n  colour:\n", "s", "colour", "  colour:"),
        ("p.toml", "[s]\ntokens = ['hunter2']\n", "s", "tokens", "tokens = [***]"),
        ("p.toml", "[s.tokens]\na = 'hunter2'\n", "s", "tokens", "[s.tokens]"),
        (
            "p.json",
            "{\"s\": {\"client_secret_value\": \"hunter2\"}}",
            "s",
            "client_secret_value",
            "{\"s\": {\"client_secret_value\": ***}}",
        ),
        ("p.yaml", "proxy: {htps: 'user:hunter2@proxy'}\n", "proxy", "htps", "proxy: {htps: ***}"),
        ("p.yaml", "s:\n  webhook: https://h/?sig=hunter2\n", "s", "webhook", "  webhook: ***"),
        ("p.yaml", "s:\n  colour: ${C}\n", "s", "colour", "  colour: ${C}"),
        // A key that a variable brings in is not named.
        ("p.yaml", "s: {x: {k: hunter2}}\n", "s.x", "", "s: {x: {k: ***}}"),
        // At the top the path is the option itself.
        ("p.yaml", "webhook: hunter2\n", "webhook", "", "webhook: ***"),
        ("p.yaml", "s: {1: hunter2}\n", "s", "1", "s: {1: ***}"),
        // The items of a list are no options.
        ("p.yaml", "s:\n  inputs: [a, b]\n", "s.inputs", "1", "  inputs: [a, b]"),
        ("p.yaml", "s:\n  inputs: a\n", "s.inputs", "0", "  inputs: a"),
    ] {
        assert_eq!(place(name, text, path, Some(entry)).unwrap().text, shown, "{text}");
    }
    // Nor in the line of another problem, wherever an alias is from.
    let text = "x: &c hunter2\ns: {colour: *c, level: 1}\n";
    let source = SourceText {
        name: "p.yaml".to_owned(),
        format: Format::Yaml,
        raw: text.to_owned(),
        replaced: text.to_owned(),
        parts: Parts::default(),
    };
    let problems = vec![Problem::new("s", "m").about("colour"), Problem::new("x", "m")];
    let located = SourceTexts(Arc::new([source])).locate(problems);
    let shown: Vec<_> = located.iter().map(|problem| problem.place.as_ref().unwrap().text.as_str()).collect();
    assert_eq!(shown, ["x: &c ***", "s: {colour: *c, level: 1}"]);
}

#[test]
fn what_is_nearly_the_name_of_a_secret_is_taken_for_one() {
    for key in [
        "key_pas",
        "pasword",
        "passwrd",
        "secrets",
        "passwords",
        "tokens",
        "toekn",
        "client_secret_value",
        "client_secrt_value",
        "ClientSecret",
        "api-keys",
        "private_ky",
        "cert_file",
        "azure_client_secrt",
    ] {
        assert!(holds_secret(Some("s"), key), "{key}");
    }
    for key in [
        "endpoint",
        "level",
        "token_scope",
        "azure_credential_kind",
        "ca_file",
        "server_name",
        "type",
        "inputs",
        "class",
        "path",
        "poll_secs",
        "data_dir",
        "stream_name",
        "log_file",
        "key_field",
        "open",
        "max_events",
    ] {
        assert!(!holds_secret(Some("proxy"), key), "{key}");
    }
    assert!(holds_secret(Some("proxy"), "htps") && holds_secret(Some("proxy"), "htpt"));
}

#[test]
fn no_line_shows_a_user_a_query_or_what_an_alias_is_the_key_of() {
    for (text, path, shown) in [
        ("a:\n  uri: https://h/p?sig=hunter2&x=1\n", "a.uri", "  uri: https://h/p?***"),
        ("a: {uri: 'https://h/p?sig=hunter2', b: 1}\n", "a.b", "a: {uri: 'https://h/p?***', b: 1}"),
        ("a:\n  uri: \"https://u:hunter'2@h/p\"\n", "a.uri", "  uri: \"https://***@h/p\""),
        ("a:\n  via: u:hunter2@h\n", "a.via", "  via: ***@h"),
        ("a:\n  via: \"u:/hunter'2@h\"\n", "a.via", "  via: \"***@h\""),
        ("x: &k key_pass\ns: {*k : hunter2, b: 1}\n", "s.b", "s: {*k : ***, b: 1}"),
    ] {
        assert_eq!(line("p.yaml", text, path).2, shown, "{text}");
    }
}

#[test]
fn no_line_shows_a_comment() {
    for (name, text, path, shown) in [
        ("p.yaml", "s:\n  endpont: x # the old password was hunter2\n", "s.endpont", "  endpont: x"),
        ("p.yaml", "s:\n  a: # hunter2\n    b: 1\n", "s.a", "  a:"),
        ("p.yaml", "s:\n  a: | # hunter2\n    b # c\n", "s.a", "  a: |"),
        ("p.yaml", "s:\n  a: 'x # \"y' # it's \"hunter2\n", "s.a", "  a: 'x # \"y'"),
        (
            "p.yaml",
            "s:\n  a: {\"#k\": \"# x\", b: c#d} #hunter2\n",
            "s.a.b",
            "  a: {\"#k\": \"# x\", b: c#d}",
        ),
        ("p.yaml", "s:\n  a: \"x\n    y\" # \"hunter2\n  b: 1\n", "s.b", "  b: 1"),
        ("p.yaml", "s: {a: \"x\n  y\", b: 1} # \"hunter2\"\n", "s.b", "  y\", b: 1}"),
        ("p.toml", "[s] # hunter2\na = 'x # y'# hunter2\n", "s.a", "a = 'x # y'"),
        ("p.toml", "[s] # hunter2\na = 1# hunter2\n", "s", "[s]"),
        ("p.toml", "[s]\na = [ # hunter2\n '#1', # hunter2\n]\n", "s.a.0", " '#1',"),
        ("p.json", "{\"s\": {\"a\": \"x # y\"}}", "s.a", "{\"s\": {\"a\": \"x # y\"}}"),
    ] {
        assert_eq!(line(name, text, path).2, shown, "{text}");
    }
}

#[test]
fn what_a_variable_brings_in_is_never_shown_and_moves_nothing() {
    let raw = "a:\n  password: $P # why\n  b: $Q\n";
    let mut text = crate::text::Text::new(raw);
    for (variable, value) in [("$P", "a long hunter2"), ("$Q", "1")] {
        let at = raw.find(variable).unwrap();
        text.splice(at..at + 2, crate::text::Splice::BroughtIn(value.into()));
    }
    let (replaced, parts, _) = text.finish().into_parts();
    let place = |path| {
        let again = parts.clone();
        placed("p.yaml", raw, &replaced, again, path, None).unwrap()
    };
    assert_eq!((place("a.b").line, place("a.b").column, place("a.b").text.as_str()), (3, 3, "  b: $Q"));
    assert_eq!(place("a.password").text, "  password: $P");
}

#[test]
fn of_a_text_that_cannot_be_parsed_no_secret_is_shown_either() {
    for (line, shown) in [
        ("endpoint: \"x", "endpoint: \"x"),
        ("  azure_client_secret: hunter2\t}", "  azure_client_secret: ***"),
        ("{a: 1, \"password\": \"hunter2\", b", "{a: 1, \"password\": ***"),
        ("password: ${P}", "password: ${P}"),
        ("  https: u:hunter2@p", "  https: ***"),
        ("aHVudGVyMg", ""),
        ("  \"aHVudGVyMmh1bnRlcjI=\"x", ""),
        ("  aHVudGVyMmh1bnRlcjI= x: y", ""),
        ("  aHVudGVyMmh1bnRlcjI==", ""),
        ("  \"hunter2\", a: 1", ""),
        ("  {a: 1, key_pas: hunter2", "  {a: 1, key_pas: ***"),
        ("  {a: 1, *k : hunter2", "  {a: 1, *k : ***"),
        ("{*k : hunter2", "{*k : ***"),
        ("a: [x # hunter2", "a: [x"),
        ("a: 'x' # it's hunter2", "a: 'x'"),
        ("# hunter2: x", ""),
        ("a = \"x # hunter2", "a = \"x"),
        ("tokens = [\"hunter2\"", "tokens = ***"),
        ("\"a\":1,\"secrets\":[\"hunter2", "\"a\":1,\"secrets\":***"),
        ("- webhook: https://h/?sig=hunter2", "- webhook: https://h/?***"),
    ] {
        assert_eq!(place_in_raw("p", line, 0).text, shown, "{line}");
    }
    // A text below the key of a secret.
    for (text, shown) in [
        ("s:\n  azure_client_secret:\n    \"aHVudGVyMmh1bnRlcjI=\"x", ""),
        ("s:\n  azure_client_secret: >\n\n    hunter2: x", ""),
        ("secret:\n  v:\n    type: x", "    type: x"),
    ] {
        assert_eq!(place_in_raw("p", text, text.len() - 1).text, shown, "{text}");
    }
}

#[test]
fn a_long_line_is_cut_around_its_column() {
    let text = format!("a: {{b: [{}], c: 1}}\n", "'x', ".repeat(100));
    let (_, column, shown) = line("p.yaml", &text, "a.c");
    assert_eq!((column, shown.chars().count()), (512, SHOWN_CHARS + 1));
    assert!(shown.starts_with('…') && shown.ends_with("c: 1}"), "{shown}");
    let (_, _, shown) = line("p.yaml", &text, "a.b");
    assert!(shown.starts_with("a: {b: [") && shown.ends_with('…'), "{shown}");
}

#[test]
fn of_several_files_the_one_that_has_the_option_is_named() {
    let of = |name: &str, raw: &str| SourceText {
        name: name.to_owned(),
        format: Format::Yaml,
        raw: raw.to_owned(),
        replaced: raw.to_owned(),
        parts: Parts::default(),
    };
    let texts = SourceTexts(Arc::new([
        of("b.yaml", "\n\n\n\n\n\n\n\n\nsinks: {s: {x: 1}}\n"),
        of("a.yaml", "sinks: {t: {x: 1}}\n"),
    ]));
    let problems = ["sinks.t.x", "sinks.s.y", "", "sources"].map(|path| Problem::new(path, "m"));
    let located = texts.locate(problems.to_vec());
    let shown: Vec<_> = located.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["m", "sources: m", "a.yaml:1:13: sinks.t.x: m", "b.yaml:10:9: sinks.s.y: m"]);
}

/// The names of fields that are secrets, in the Rust files below `dir`.
fn sensitive_fields(dir: &std::path::Path, names: &mut Vec<String>) {
    let field = Regex::new(r"(?m)^    (?:pub(?:\([^)]*\))? )?(\w+): (?:Option<)?SensitiveString").unwrap();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            sensitive_fields(&entry.path(), names);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            names.extend(field.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
}

#[test]
fn every_option_that_is_a_secret_is_known_as_one() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = Vec::new();
    for dir in ["src", "crates"] {
        sensitive_fields(&root.join(dir), &mut names);
    }
    assert!(names.iter().any(|name| name == "azure_client_secret"), "{names:?}");
    // The private key of a link's certificates is no option.
    let unknown = names.iter().filter(|name| !holds_secret(Some("proxy"), name) && *name != "key");
    assert_eq!(unknown.collect::<Vec<_>>(), [""; 0]);
}
