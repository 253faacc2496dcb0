use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::*;

type Found = Vec<(String, String)>;

/// What `serde_json` reads.
struct Read(Found);

impl<'de> serde::Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Found;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
                let mut found = Found::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    found.push((name, value.get().to_owned()));
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Fields).map(Self)
    }
}

fn ours(json: &[u8]) -> Option<Found> {
    let mut found = Found::new();
    each_field(json, |name, value| found.push((name.to_owned(), value.to_owned()))).then_some(found)
}

fn assert_alike(json: &[u8]) {
    let theirs = serde_json::from_slice::<Read>(json).ok().map(|Read(found)| found);
    assert_eq!(ours(json), theirs, "{}", String::from_utf8_lossy(json));
}

#[test]
fn what_stands_in_a_field_is_given_as_it_stands() {
    let json = br#" { "a" : 1.50e+3 , "b\u0041\"":{"x": [ ]},"":"\ud800","a":[1,{"b":null}] }
    "#;
    let expected =
        [("a", "1.50e+3"), ("bA\"", r#"{"x": [ ]}"#), ("", r#""\ud800""#), ("a", r#"[1,{"b":null}]"#)];
    assert_eq!(ours(json).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn mistakes_are_those_that_serde_json_finds() {
    let plain = "0 -0 01 - -a 1. 1.5 .5 1e 1e5 1E+5 1e- 1e+x 0x1 +1 1.5.5 00 true tru truee True null nul false fals \
        NaN 'a' [ [] [1 [1, [1,] [,1] [1} { {} {,} {a:1} {1:1} [[[]]] [[] []] 1, //";
    let others = [
        "",
        " ",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\uD83D\uDE00""#,
        "\"\t\"",
        "\"\u{7f}\"",
        "[1 2]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "{\"\\ud800\":1}",
        "[{\"a\":[{}]}]",
        "[\u{a0}]",
        "[1\u{b}]",
        "\u{0}",
    ];
    for value in plain.split(' ').chain(others) {
        for json in [
            value.to_owned(),
            format!("{{\"a\":{value}}}"),
            format!("{{\"a\":{value}"),
            format!("{{\"a\":1,\"b\": {value} , \"c\":2}}"),
            format!("{{{value}}}"),
            format!("{{{value}:1}}"),
            format!("{{}}{value}"),
            format!("{value}{{}}"),
        ] {
            assert_alike(json.as_bytes());
        }
    }
    assert_alike(b"{\"a\":\"\xff\"}");
    assert_alike(b"{\"\xff\":1}");
    assert_alike(b"\xef\xbb\xbf{}");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(ours(deep.as_bytes()).map(|found| found.len()), Some(1));
    assert_alike(deep.as_bytes());
}

#[test]
fn a_text_is_read_alike_wherever_its_chunks_begin() {
    for length in 0..150 {
        let pad = "a".repeat(length);
        for json in [
            format!("{{\"{pad}\":\"{pad}\"}}"),
            format!("{{\"a\":\"{pad}\\\"{pad}\\\\\",\"{pad}\\n\":[\"{pad}\",{{\"{pad}\":0}}]}}"),
            format!("{{\"a\":\"{pad}\t\"}}"),
            format!("{{\"a\":\"{pad}\u{7f}\u{e9}\"}}"),
            format!("{{\"a\":\"{pad}\\"),
            format!("{{\"a\":\"{pad}"),
            format!("{{\"a\":1}}\n{}\n{{", pad.replace('a', " ")),
            format!("{{\"a\" :1,{}\"b\":\"\"}}\n", pad.replace('a', "\n")),
        ] {
            assert_alike(json.as_bytes());
        }
    }
}

#[test]
fn a_field_says_where_it_stands_and_whether_it_is_compact() {
    let text = r#"{"a":1, "b" :"x","c": [ ],"d\u0041":{},"e":{ }}"#;
    let mut found = Vec::new();
    assert!(each_field_of_text(text, |field| found.push((
        field.name.to_owned(),
        text.get(field.range).unwrap(),
        field.is_compact
    ))));
    let expected = [
        ("a", r#""a":1"#, true),
        ("b", r#""b" :"x""#, false),
        ("c", r#""c": [ ]"#, false),
        ("dA", r#""d\u0041":{}"#, false),
        ("e", r#""e":{ }"#, true),
    ];
    assert_eq!(found, expected.map(|(name, text, is_compact)| (name.to_owned(), text, is_compact)));
}

/// Bytes that look like JSON, more or less.
fn tokens() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        6 => proptest::sample::select(&b"{}[]:,\"\\ \n019.-+eEtu"[..]).prop_map(|byte| vec![byte]),
        2 => proptest::sample::select(&["\"a\":", "true", "null", "\"\\n\"", "1.5", "{\"a\":1}", "[1]", "\\u00e9"][..])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

/// The text of an object, with blanks and escapes here and there.
fn objects() -> impl Strategy<Value = String> {
    let name = "\"([a-z]{0,9}|[a-z\u{e9}]{0,3}(\\\\[nu\"/]|\\\\u[0-9a-fA-Fx]{4}){0,2}|\\PC{0,12})\"";
    let leaf =
        prop_oneof!["-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?", name, "true|false|null|[ \t]"];
    let value = leaf.prop_recursive(4, 20, 4, move |inner| {
        let entry = (name, inner.clone()).prop_map(|(name, value)| format!("{name} :{value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            proptest::collection::vec(entry, 0..4).prop_map(|fields| format!("{{ {} }}", fields.join(", "))),
        ]
    });
    let entry = (name, value).prop_map(|(name, value)| format!("{name}: {value}"));
    proptest::collection::vec(entry, 0..5).prop_map(|fields| format!("{{{}}}\n", fields.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_object_is_read_as_serde_json_reads_it(json in objects()) {
        assert_alike(json.as_bytes());
    }

    #[test]
    fn an_object_with_a_mistake_is_read_as_serde_json_reads_it(
        json in objects(), at: prop::sample::Index, byte in tokens(), cut in 0..3_usize,
    ) {
        let mut json = json.into_bytes();
        let at = at.index(json.len());
        json.splice(at..(at + cut).min(json.len()), byte);
        assert_alike(&json);
    }

    #[test]
    fn anything_else_is_read_as_serde_json_reads_it(bytes in tokens()) {
        assert_alike(&bytes);
        assert_alike(&[b"{\"a\":", &bytes[..], b"}"].concat());
    }

    #[test]
    fn every_special_byte_of_a_chunk_has_its_bit(chunk in proptest::array::uniform32(any::<[u8; 2]>())) {
        let mut bytes = [0; CHUNK];
        bytes.copy_from_slice(chunk.as_flattened());
        // Text is rare in what is any byte.
        for bytes in [bytes, bytes.map(|byte| byte % 64 + 31)] {
            let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
            let expected = bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(special(*byte)));
            prop_assert_eq!(special_bytes(&bytes), expected);
        }
    }

    #[test]
    fn a_string_is_plain_up_to_its_first_special_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
        prop_assert_eq!(plain_prefix(&bytes), bytes.iter().position(special).unwrap_or(bytes.len()));
    }
}
