use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::redaction::Redaction;
use model::problem::Problem;
use runtime::secret::SensitiveString;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Options {
    endpoint: String,
    /// Documented, so it is a `oneOf` of constants.
    #[serde(default)]
    level: Level,
    compression: Option<Compression>,
    auth: Option<Auth>,
    request: Option<Request>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, u16>,
    #[schemars(range(min = 1, max = 100))]
    batch: Option<u32>,
    #[schemars(length(min = 1))]
    name: Option<String>,
    ratio: Option<f64>,
    #[deprecated]
    old: Option<bool>,
    secret: Option<SensitiveString>,
    either: Option<BoolOrMap>,
    shape: Option<Shape>,
    pair: Option<(u8, String)>,
    tree: Option<Tree>,
    many: Option<Many>,
}

/// A word, a number or a map.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Many {
    Word(Word),
    Number(u64),
    Map { most: u64 },
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Each of them.
    All,
    /// Not one.
    None,
}

/// Names itself.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Tree {
    next: Option<Box<Tree>>,
}

/// Told apart by the option's name.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Shape {
    Plain,
    Round { radius: u8 },
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-synonyms" = {"silent": "low"}))]
enum Level {
    /// Quiet.
    #[default]
    Low,
    /// Loud.
    High,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Compression {
    None,
    Gzip,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "azure_credential_kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Auth {
    ManagedIdentity { client_id: Option<String> },
    ClientSecret { tenant_id: String, client_secret: SensitiveString },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Request {
    timeout_secs: Option<u64>,
    #[serde(flatten)]
    auth: Auth,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum BoolOrMap {
    Bool(bool),
    Map { enabled: bool },
}

fn problems(options: &Value) -> Vec<String> {
    let raw = options.to_string();
    let schema = schema_for!(Options).to_value();
    let findings = check(&schema, options, "s", Redaction::new(&raw, &[]));
    findings.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn good_options_pass() {
    for more in [
        json!({}),
        json!({"level": "high", "compression": "gzip", "tags": ["a"], "labels": {"x": 1}, "batch": 100}),
        json!({"compression": null, "auth": null, "ratio": 1, "either": true}),
        json!({"shape": "plain", "pair": [1, "x"], "tree": {"next": {"next": null}}}),
        json!({"either": {"enabled": true}, "secret": "s", "name": "n", "ratio": 0.5}),
        json!({"auth": {"azure_credential_kind": "managed_identity", "client_id": "c"}}),
        json!({"request": {"azure_credential_kind": "managed_identity", "client_id": "c", "timeout_secs": 1}}),
        // A value that is not known yet is right wherever a string may be.
        json!({"secret": "SECRET[a.b]", "level": "SECRET[a.b]", "compression": "SECRET[a.b]"}),
        json!({"name": "x SECRET[a.b]"}),
    ] {
        let mut options = json!({"endpoint": "e"});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(problems(&options), [""; 0], "{options}");
    }
}

#[test]
fn each_errors_is_reported_in_its_own_words() {
    for (more, expected) in [
        (json!({"endpont": 1}), "s: unknown option 'endpont', did you mean 'endpoint'?"),
        (json!({"level": "hihg"}), "s.level: 'hihg' is not known here, did you mean 'high'?"),
        (json!({"level": "loud"}), "s.level: 'loud' is not known here; it must be one of 'low' and 'high'"),
        (json!({"level": 3}), "s.level: expected 'low' or 'high', got a whole number"),
        (json!({"compression": "gzpi"}), "s.compression: 'gzpi' is not known here, did you mean 'gzip'?"),
        (json!({"batch": "5"}), "s.batch: expected a whole number, got '5': write 5 without quotes"),
        (
            json!({"request": {"azure_credential_kind": "managed_identity", "timeout_secs": "1m"}}),
            "s.request.timeout_secs: expected a whole number of seconds, got '1m': write 60",
        ),
        (
            json!({"request": {"azure_credential_kind": "managed_identity", "timeout_secs": "soon"}}),
            "s.request.timeout_secs: expected a whole number of seconds, such as 60, got a string",
        ),
        (json!({"level": "SILENT"}), "s.level: 'SILENT' is not known here: write 'low'"),
        (
            json!({"many": "lots"}),
            "s.many: 'lots' is not known here; it must be one of 'all' and 'none', or a whole number or a map",
        ),
        (json!({"many": "non"}), "s.many: 'non' is not known here, did you mean 'none'?"),
        (json!({"many": true}), "s.many: expected 'all', 'none', a whole number or a map, got true or false"),
        (json!({"many": -1}), "s.many: '-1' is out of range: it must be at least 0"),
        (json!({"many": {"most": "x"}}), "s.many.most: expected a whole number, got a string"),
        (json!({"batch": 5.5}), "s.batch: expected a whole number, got a number with a fraction"),
        (json!({"batch": 0}), "s.batch: '0' is out of range: it must be at least 1"),
        (json!({"batch": 101}), "s.batch: '101' is out of range: it must be at most 100"),
        (json!({"batch": "SECRET[a.b]"}), "s.batch: expected a whole number, got a string"),
        (json!({"labels": {"x": 70_000}}), "s.labels.x: '70000' is out of range: it must be at most 65535"),
        (json!({"tags": "a"}), "s.tags: expected a list, got a string"),
        (json!({"tags": ["a", 1]}), "s.tags.1: expected a string, got a whole number"),
        (json!({"name": ""}), "s.name: must not be empty"),
        (json!({"ratio": true}), "s.ratio: expected a number, got true or false"),
        (json!({"shape": "plian"}), "s.shape: 'plian' is not known here, did you mean 'plain'?"),
        (json!({"shape": 1}), "s.shape: expected 'plain' or a map, got a whole number"),
        (json!({"shape": {"round": {}}}), "s.shape.round: missing required option 'radius'"),
        (json!({"pair": [1]}), "s.pair: at least 2 must be given"),
        (json!({"pair": [1, 2]}), "s.pair.1: expected a string, got a whole number"),
        (json!({"tree": {"next": {"nxet": 1}}}), "s.tree.next: unknown option 'nxet', did you mean 'next'?"),
        (json!({"auth": 1}), "s.auth: expected a map, got a whole number"),
        (json!({"either": 1}), "s.either: expected true or false or a map, got a whole number"),
        (json!({"either": {"enabled": 1}}), "s.either.enabled: expected true or false, got a whole number"),
        (
            json!({"auth": {}}),
            "s.auth: missing required option 'azure_credential_kind': \
             one of 'managed_identity' and 'client_secret'",
        ),
        (
            json!({"auth": {"azure_credential_kind": "manged_identity"}}),
            "s.auth.azure_credential_kind: 'manged_identity' is not known here, \
             did you mean 'managed_identity'?",
        ),
        (
            json!({"auth": {"azure_credential_kind": "managed_identity", "clientid": "c"}}),
            "s.auth: unknown option 'clientid', did you mean 'client_id'?",
        ),
        (
            json!({"auth": {"azure_credential_kind": "managed_identity", "tenant_id": "c"}}),
            "s.auth: unknown option 'tenant_id'; the options are 'azure_credential_kind' and 'client_id'",
        ),
        (
            json!({"auth": {"azure_credential_kind": "client_secret", "client_secret": "c"}}),
            "s.auth: missing required option 'tenant_id'",
        ),
        (
            json!({"request": {"azure_credential_kind": "managed_identity", "speed": 1}}),
            "s.request: unknown option 'speed'; \
             the options are 'azure_credential_kind', 'client_id' and 'timeout_secs'",
        ),
    ] {
        let mut options = json!({"endpoint": "e"});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(problems(&options), [expected], "{options}");
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let found =
        problems(&json!({"batch": "x", "level": "x", "auth": {"azure_credential_kind": "client_secret"}}));
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn a_deprecated_option_is_a_warning() {
    let options = json!({"endpoint": "e", "old": true});
    let schema = schema_for!(Options).to_value();
    let findings = check(&schema, &options, "s", Redaction::new("old", &[]));
    assert!(findings.problems.is_empty());
    assert_eq!(findings.warnings, [Problem::new("s.old", "this option is deprecated")]);
}

#[test]
fn what_is_not_in_the_file_is_not_in_a_message() {
    let options = json!({
        "hunter2": 1, "endpoint": ["hunter2"], "level": "hunter2", "batch": 4711, "labels": {"hunter2": "hunter2"},
        "compression": "hunter2", "auth": {"azure_credential_kind": "hunter2"}, "either": {"hunter2": 1},
    });
    let schema = schema_for!(Options).to_value();
    let findings = check(&schema, &options, "s", Redaction::new("endpoint level batch labels", &[]));
    assert!(findings.problems.len() >= 8);
    let reported = format!("{findings:?}");
    assert!(!reported.contains("hunter2") && !reported.contains("4711"), "{reported}");
}
