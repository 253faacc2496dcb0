use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::format::Format;

fn written(tree: &Value) -> String {
    yaml(tree, &Placeholders::new(&[]))
}

#[test]
fn strings_that_look_like_something_else_stay_strings() {
    let plain = "yes No 010 1_000 null ~ 1e5 2001-01-01 true 0x1F .5 .inf a: [a] *a !a | > %a @a `a` 'a' --- ... << = \
        $ a$";
    let others = [
        "",
        "a # b",
        "# a",
        "a: b",
        "- a",
        "{a: b}",
        "& a",
        "\"a\"",
        " a",
        "a ",
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
        "  a\nb",
        "\ta\nb",
        "a\tb",
        "a\r\nb",
        "\\n",
        "é ☃ 🦀",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "a'b\"c\\d",
        "a\n---\nb",
        "\n",
        " ",
        "a \nb",
    ];
    for odd in plain.split(' ').chain(others) {
        let tree = json!({odd: odd, "list": [odd, [odd], {odd: odd}]});
        let text = written(&tree);
        assert_eq!(Format::Yaml.parse(&text), Ok(tree), "{odd:?}:\n{text}");
    }
}

#[test]
fn it_reads_as_a_person_would_write_it() {
    let tree = json!({
        "sources": {"in": {"type": "file", "include": ["/var/log/*.log", "/a b"], "empty": [], "none": {}}},
        "transforms": {"t": {"source": ".a = 1\nif .b == \"x\" {\n  .c = 2\n}\n", "condition": ".severity == \"high\""}},
        "list": [{"a": 1, "b": [true, null]}, [1.5, "x"]],
    });
    let expected = "sources:
  in:
    type: file
    include:
      - \"/var/log/*.log\"
      - /a b
    empty: []
    none: {}
transforms:
  t:
    source: |
      .a = 1
      if .b == \"x\" {
        .c = 2
      }
    condition: '.severity == \"high\"'
list:
  - a: 1
    b:
      - true
      - null
  - - 1.5
    - x
";
    assert_eq!(written(&tree), expected);
}

#[test]
fn what_only_looks_like_a_variable_does_not_become_one() {
    let text = written(&json!({"a": "$HOME", "b": "x\n$$\n", "c": "SECRET[a.b]"}));
    assert!(!is_replaced_in(&text), "{text}");
    assert_eq!(Format::Yaml.parse(&text), Ok(json!({"a": "$HOME", "b": "x\n$$\n", "c": "SECRET[a.b]"})));
}

fn trees() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[ -~\\n\\t]{0,12}", "(?s).{0,6}", "[ \\n#:'\"\\-|>&*!%$]{0,6}"];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_tree_comes_back(tree in trees()) {
        // A merge key merges, in quotes or not.
        prop_assume!(!tree.to_string().contains("<<"));
        let tree = json!({"root": tree});
        let text = written(&tree);
        prop_assert_eq!(Format::Yaml.parse(&text), Ok(tree), "{}", text);
        prop_assert!(!is_replaced_in(&text), "{}", text);
    }
}
