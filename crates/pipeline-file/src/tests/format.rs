use std::fmt::Write as _;

use serde_json::json;

use super::*;

#[test]
fn the_extension_picks_the_format() {
    for (path, expected) in [
        ("a.yaml", Some(Format::Yaml)),
        ("dir.toml/a.yml", Some(Format::Yaml)),
        ("a.TOML", Some(Format::Toml)),
        ("a.b.json", Some(Format::Json)),
        ("a.txt", None),
        ("yaml", None),
        (".yaml", None),
    ] {
        assert_eq!(Format::of(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn the_same_content_gives_the_same_tree_in_file_order() {
    let expected = json!({"z": {"n": 1, "f": 1.5, "on": true}, "a": ["x", "y"], "m": [{"k": "v"}]});
    for (format, text) in [
        (Format::Yaml, "z:\n  n: 1\n  f: 1.5\n  on: true\na: [x, y]\nm:\n- k: v\n"),
        (Format::Json, r#"{"z": {"n": 1, "f": 1.5, "on": true}, "a": ["x", "y"], "m": [{"k": "v"}]}"#),
        (Format::Toml, "z.n = 1\nz.f = 1.5\nz.on = true\na = [\"x\", \"y\"]\n[[m]]\nk = \"v\"\n"),
    ] {
        let tree = format.parse(text).unwrap();
        assert_eq!(tree, expected, "{format:?}");
        assert_eq!(tree.to_string(), expected.to_string(), "{format:?} keeps the order");
    }
}

#[test]
fn toml_times_become_strings() {
    let tree = Format::Toml.parse("at = 2026-01-02T03:04:05Z\nday = 2026-01-02").unwrap();
    assert_eq!(tree, json!({"at": "2026-01-02T03:04:05Z", "day": "2026-01-02"}));
}

#[test]
fn yaml_scalars_are_read_as_vector_reads_them() {
    let tree = Format::Yaml.parse("a: yes\nb: 010\nc: 1_000\nd: ~\ne:\nf: 'true'\ng: 0x10\nh: -5").unwrap();
    let expected = json!({
        "a": "yes", "b": "010", "c": "1_000", "d": null, "e": null, "f": "true", "g": 16, "h": -5
    });
    assert_eq!(tree, expected);
}

#[test]
fn yaml_anchors_and_merge_keys_work() {
    let text = "base: &base {tenant_id: t, port: 1}\none: *base\ntwo:\n  <<: *base\n  port: 2\nthree:\n  <<: [*base, {x: 1}]\n";
    let tree = Format::Yaml.parse(text).unwrap();
    assert_eq!(tree["one"], json!({"tenant_id": "t", "port": 1}));
    assert_eq!(tree["two"], json!({"tenant_id": "t", "port": 2}));
    assert_eq!(tree["three"], json!({"tenant_id": "t", "port": 1, "x": 1}));
}

#[test]
fn an_anchor_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        writeln!(text, "a{level}: &a{level} [{}]", below.trim_end_matches(", ")).unwrap();
    }
    let error = Format::Yaml.parse(&text).unwrap_err();
    assert!(error.message.contains("too large"), "{}", error.message);
}

#[test]
fn a_key_given_twice_is_an_error() {
    for (format, text, offset) in [
        (Format::Yaml, "a: {b: 1, b: 2}", 10),
        (Format::Toml, "a = 1\na = 2", 6),
        (Format::Json, r#"{"a": 1, "a": 2}"#, 11),
    ] {
        let error = format.parse(text).unwrap_err();
        assert_eq!(error.offset, offset, "{error:?}");
    }
}

#[test]
fn syntax_errors_do_not_quote_the_text() {
    for (format, text) in [
        (Format::Yaml, "a: \"hunter2"),
        (Format::Yaml, "a: [hunter2"),
        (Format::Yaml, "a: hunter2: b"),
        (Format::Yaml, "a: *hunter2"),
        (Format::Yaml, "a: !hunter2!x y"),
        (Format::Yaml, "a: &hunter2 &hunter2 b"),
        (Format::Yaml, "hunter2: 1\nhunter2: 2"),
        (Format::Yaml, "a: !!int hunter2"),
        (Format::Yaml, "a: @hunter2"),
        (Format::Yaml, "%hunter2 x\na: b"),
        (Format::Yaml, "a: b\n hunter2: c\n"),
        (Format::Toml, "a = hunter2"),
        (Format::Toml, "hunter2"),
        (Format::Toml, "a = \"hunter2"),
        (Format::Toml, "hunter2 = 1\nhunter2 = 2"),
        (Format::Toml, "[hunter2]\n[hunter2]"),
        (Format::Toml, "a = 2026-99-99T hunter2"),
        (Format::Toml, "a = 99999999999999999999999"),
        (Format::Json, r#"{"a": hunter2}"#),
        (Format::Json, r#"{"a": "hunter2"#),
        (Format::Json, r#"{"hunter2": 1, "hunter2": 2}"#),
        (Format::Json, "\"hunter2\" x"),
        (Format::Json, r#"{"a": 1e999}"#),
    ] {
        let error = format.parse(text).unwrap_err();
        for part in ["hunter2", "hunter", "unter2", "99999"] {
            assert!(!format!("{error:?}").contains(part), "{text}: {error:?}");
        }
    }
}
