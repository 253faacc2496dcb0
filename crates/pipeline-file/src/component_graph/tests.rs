use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use super::*;
use crate::redaction::Redaction;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Options {
    endpoint: Option<String>,
    poll_secs: Option<u64>,
}

fn schema() -> Value {
    schema_for!(Options).to_value()
}

const CATALOGUE: [ComponentType; 3] = [
    ComponentType { kind: Kind::Source, name: "defender_incidents", schema, emits_own_events: false },
    ComponentType { kind: Kind::Sink, name: "defender_incidents", schema, emits_own_events: false },
    ComponentType { kind: Kind::Sink, name: "sentinel_logs", schema, emits_own_events: false },
];

fn read(tree: &Value) -> Result<ComponentGraph, Vec<String>> {
    let raw = tree.to_string();
    let outcome = component_graph(tree, &CATALOGUE, Redaction::new(&raw, &[]), false);
    outcome.checked().map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// A good file, with `patch` laid over it.
fn file(patch: &Value) -> Value {
    let mut tree = json!({
        "sources": {"defender": {"type": "defender_incidents", "poll_secs": 5}},
        "sinks": {"sentinel": {"type": "sentinel_logs", "inputs": ["defender"]}},
    });
    merge(&mut tree, patch);
    tree
}

fn merge(tree: &mut Value, patch: &Value) {
    match (tree, patch) {
        (Value::Object(tree), Value::Object(patch)) => {
            for (key, patch) in patch {
                merge(tree.entry(key).or_insert(Value::Null), patch);
            }
        }
        (tree, patch) => *tree = patch.clone(),
    }
}

#[test]
fn a_good_file_gives_its_components_in_file_order() {
    let read = read(&json!({
        "data_dir": "/var/lib/x",
        "proxy": {"https": "http://proxy:3128", "no_proxy": ["*"]},
        "acknowledgements": {"enabled": true},
        "sources": {
            "z": {"type": "defender_incidents", "endpoint": "e"},
            "a": {"type": "defender_incidents"},
        },
        "sinks": {
            "s2": {"type": "sentinel_logs", "inputs": "z"},
            "s1": {"type": "defender_incidents", "inputs": ["?", "nope*"]},
        },
        "wildcard_matching": "relaxed",
    }))
    .unwrap();
    assert_eq!(read.data_dir, Some("/var/lib/x".into()));
    assert_eq!(read.proxy, Some(json!({"https": "http://proxy:3128", "no_proxy": ["*"]})));
    let ids = |components: &[ComponentSpec]| components.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(
        (ids(&read.sources), ids(&read.sinks)),
        (vec!["z".into(), "a".into()], vec!["s2".into(), "s1".into()])
    );
    assert_eq!(read.sources[0].options, json!({"endpoint": "e"}));
    assert_eq!(read.sources[0].component_type.name, "defender_incidents");
    assert_eq!(read.sinks[0].inputs, ["z"]);
    assert_eq!(read.sinks[0].options, json!({}));
    assert_eq!(read.sinks[1].inputs, ["z", "a"]);
    assert_eq!(read.warnings, []);
}

#[test]
fn each_errors_is_reported_in_its_own_words() {
    for (patch, expected) in [
        (json!({"sources": {"defender": {"type": null}}}), "sources.defender: missing required option 'type': one of 'defender_incidents'".to_owned()),
        (json!({"sources": {"defender": {"type": 1}}}), "sources.defender.type: expected a string, got a whole number".to_owned()),
        (json!({"sources": {"defender": {"type": "defender_incident"}}}), "sources.defender.type: unknown source type 'defender_incident', did you mean 'defender_incidents'?".to_owned()),
        (json!({"sources": {"defender": {"type": "syslgo"}}}), "sources.defender.type: unknown source type 'syslgo', did you mean 'syslog'?".to_owned()),
        (json!({"sources": {"defender": {"type": "zzz"}}}), "sources.defender.type: unknown source type 'zzz'; there are 'defender_incidents'".to_owned()),
        (json!({"sources": {"defender": {"type": "remap"}}}), "sources.defender.type: 'remap' is a transform, not a source".to_owned()),
        (json!({"sources": {"defender": {"type": "sentinel_logs"}}}), "sources.defender.type: 'sentinel_logs' is a sink, not a source; there are 'defender_incidents'".to_owned()),
        (json!({"sources": {"defender": {"pol_secs": 1}}}), "sources.defender: unknown option 'pol_secs', did you mean 'poll_secs'?".to_owned()),
        (json!({"sources": {"defender": {"inputs": ["x"]}}}), "sources.defender: unknown option 'inputs'; the options are 'endpoint', 'graph', 'poll_secs', 'type' and 'vector'".to_owned()),
        (json!({"sources": {"defender": 1}}), "sources.defender: expected a map, got a whole number".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": null}}}), "sinks.sentinel: missing required option 'inputs'".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defendr"]}}}), "sinks.sentinel.inputs: there is no source 'defendr', did you mean 'defender'?".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defender", "zzz"]}}}), "sinks.sentinel.inputs: there is no source 'zzz'; there are 'defender'".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defender", "x*"]}}}), "sinks.sentinel.inputs: 'x*' matches no source; there are 'defender'".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": "x*"}}}), "sinks.sentinel.inputs: 'x*' matches no source; there are 'defender'".to_owned()),
        (json!({"wildcard_matching": "relaxed", "sinks": {"sentinel": {"inputs": "x*"}}}), "sources.defender: no sink reads this source: its events would go nowhere; 'x*' of sinks.sentinel.inputs matches no source".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": null, "input": ["defender"]}}}), "sinks.sentinel: unknown option 'input', did you mean 'inputs'?".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defender", "d*"]}}}), "sinks.sentinel.inputs: 'defender' is named more than once".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defender", "sentinel"]}}}), "sinks.sentinel.inputs: 'sentinel' is a sink; inputs name sources and transforms".to_owned()),
        (json!({"sinks": {"sentinel": {"inputs": ["defender", 1]}}}), "sinks.sentinel.inputs.1: expected a string, got a whole number".to_owned()),
        (json!({"sources": {"more": {"type": "defender_incidents"}}}), "sources.more: no sink reads this source: its events would go nowhere".to_owned()),
        (json!({"sinks": {"defender": {"type": "sentinel_logs", "inputs": ["defender"]}}}), "sinks.defender: a source has the same id; ids must be different".to_owned()),
        (json!({"sinks": {"a.b": {"type": "sentinel_logs", "inputs": ["defender"]}}}), "sinks.a.b: an id is made of letters, digits, '_', '-' and blanks, at most 100 bytes of them".to_owned()),
        (json!({"transforms": {"high": {"type": "sentinel_logs"}}}), "transforms.high.type: 'sentinel_logs' is a sink, not a transform".to_owned()),
        (json!({"transforms": ["high"]}), "transforms: expected a map, got a list".to_owned()),
        (json!({"transforms": {"defender": {"type": "filter", "inputs": ["defender"]}}}), "transforms.defender: a source has the same id; ids must be different".to_owned()),
        (json!({"transforms": {"high": {"type": "filter", "inputs": ["defender"]}}, "sinks": {"sentinel": {"inputs": ["hihg"]}}}), "sinks.sentinel.inputs: there is no source or transform 'hihg', did you mean 'high'?".to_owned()),
        (json!({"enrichment_tables": {"sentinel": {"type": "file"}}, "sources": {"s": {"type": "syslog"}}}), "enrichment_tables.sentinel: a sink has the same id; ids must be different".to_owned()),
        (json!({"sinks": {"sentinel": {"acknowledgements": false}}}), "sinks.sentinel.acknowledgements: acknowledgements cannot be switched off: events are always acknowledged".to_owned()),
        (json!({"sinks": {"sentinel": {"healthcheck": "yes"}}}), "sinks.sentinel.healthcheck: expected true or false or a map, got a string".to_owned()),
        (json!({"sinks": {"sentinel": {"batch": {"timeout_secs": 0}}}}), "sinks.sentinel.batch.timeout_secs: '0' is out of range: it must be more than 0".to_owned()),
        (json!({"sinks": {"sentinel": {"batch": {"max_event": 0}}}}), "sinks.sentinel.batch: unknown option 'max_event', did you mean 'max_events'?".to_owned()),
        (json!({"sinks": {"sentinel": {"bufer": {}}}}), "sinks.sentinel: unknown option 'bufer', did you mean 'buffer'?".to_owned()),
        (json!({"sources": {"defender": {"vector": {"tls": {"ca_file": "x"}}}}}), "sources.defender.vector.tls: missing required option 'crt_file'
sources.defender.vector.tls: missing required option 'key_file'".to_owned()),
        (json!({"transfroms": {}}), "transfroms: unknown option, did you mean 'transforms'?".to_owned()),
        (json!({"acknowledgements": {"enabled": false}}), "acknowledgements.enabled: acknowledgements cannot be switched off: events are always acknowledged".to_owned()),
        (json!({"acknowledgements": false}), "acknowledgements: acknowledgements cannot be switched off: events are always acknowledged".to_owned()),
        (json!({"acknowledgements": {"on": true}}), "acknowledgements: unknown option 'on'; the options are 'enabled'".to_owned()),
        (json!({"proxy": {"htps": "x"}}), "proxy: unknown option 'htps', did you mean 'https'?".to_owned()),
        (json!({"data_dir": 5}), "data_dir: expected a string, got a whole number".to_owned()),
        (json!({"wildcard_matching": "lax"}), "wildcard_matching: 'lax' is not known here; it must be 'strict' or 'relaxed'".to_owned()),
        (json!({"sinks": {"sentinel": {"endpoint": "SECRET[v.k]"}}}), "sinks.sentinel.endpoint: secret backend 'v' is not declared under 'secret'".to_owned()),
    ] {
        assert_eq!(read(&file(&patch)).unwrap_err().join("\n"), expected, "{patch}");
    }
}

#[test]
fn a_file_needs_a_source_and_a_sink() {
    let nothing = ["sinks: there is no sink", "sources: there is no source"];
    for tree in [json!({}), json!({"sources": {}, "sinks": null})] {
        assert_eq!(read(&tree).unwrap_err(), nothing);
    }
    assert_eq!(
        read(&json!({"sources": [], "sinks": "x"})).unwrap_err(),
        ["sinks: expected a map, got a string", "sources: expected a map, got a list"]
    );
}

#[test]
fn options_that_only_vector_heeds_are_warnings() {
    let read = read(&file(&json!({"api": {"enabled": true}, "timezone": "local", "tests": null}))).unwrap();
    let reported: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        reported,
        [
            "api: has no effect here: only Vector itself heeds it",
            "timezone: has no effect here: only Vector itself heeds it"
        ]
    );
}

#[test]
fn everything_wrong_is_reported_at_once_by_path() {
    let problems = read(&file(&json!({
        "colour": 1,
        "sources": {"defender": {"poll_secs": "x"}, "b": {"type": "syslgo"}},
        "sinks": {"sentinel": {"endpiont": "x", "inputs": ["defnder"]}},
        "secret": {"v": {"type": "tset"}},
    })))
    .unwrap_err();
    let paths: Vec<&str> = problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
    assert_eq!(
        paths,
        [
            "colour",
            "secret.v.type",
            "sinks.sentinel",
            "sinks.sentinel.inputs",
            "sources.b",
            "sources.b.type",
            "sources.defender.poll_secs",
        ]
    );
}

/// A good file beside Vector, with `patch` laid over it.
fn beside(patch: &Value) -> Value {
    let mut tree = file(&json!({
        "sources": {"logs": {"type": "syslog"}},
        "transforms": {"high": {"type": "route", "inputs": ["defender"]}, "low": {"type": "filter", "inputs": "logs"}},
        "sinks": {
            "lake": {"type": "aws_s3", "inputs": ["high.*"]},
            "queue": {"type": "kafka", "inputs": ["defender", "low"]},
            "screen": {"type": "console", "inputs": ["low"]},
        },
    }));
    merge(&mut tree, patch);
    tree
}

#[test]
fn stock_components_pass_and_only_sinks_that_our_events_reach_are_to_acknowledge() {
    let graph = read(&beside(&json!({"timezone": "local"}))).unwrap();
    assert!(graph.beside_vector);
    assert_eq!(graph.sources.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["defender"]);
    assert_eq!(graph.sinks_without_ack_setting, ["lake", "queue"]);
    assert_eq!(graph.warnings, []);
    // Where the file says so itself, nothing is reported.
    let graph = read(&beside(&json!({"acknowledgements": true}))).unwrap();
    assert_eq!((graph.sinks_without_ack_setting, graph.warnings), (vec![], vec![]));
}

#[test]
fn acknowledgements_that_are_switched_off_are_left_and_reported() {
    let lost = |id: &str| {
        format!(
            "sinks.{id}: acknowledgements are switched off here: what this sink loses of 'defender' is lost"
        )
    };
    for (patch, silent, reported) in [
        (
            json!({"sinks": {"lake": {"acknowledgements": {"enabled": false}}}}),
            vec!["queue"],
            vec![lost("lake")],
        ),
        (json!({"sinks": {"screen": {"acknowledgements": false}}}), vec!["lake", "queue"], vec![]),
        (json!({"acknowledgements": {"enabled": false}}), vec![], vec![lost("lake"), lost("queue")]),
        (
            json!({"acknowledgements": false, "sinks": {"lake": {"acknowledgements": true}}}),
            vec![],
            vec![lost("queue")],
        ),
    ] {
        let graph = read(&beside(&patch)).unwrap();
        assert_eq!(graph.sinks_without_ack_setting, silent, "{patch}");
        assert_eq!(graph.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), reported, "{patch}");
    }
}

#[test]
fn a_source_of_ours_may_be_read_by_stock_components_alone() {
    let unread = "sources.defender: no sink reads this source: its events would go nowhere";
    let elsewhere = json!({"sinks": {"sentinel": {"inputs": ["logs"]}}});
    assert!(read(&beside(&elsewhere)).is_ok());
    let mut tree = beside(&elsewhere);
    merge(
        &mut tree,
        &json!({"sinks": {"queue": {"inputs": ["low"]}}, "transforms": {"high": {"inputs": ["logs"]}}}),
    );
    assert_eq!(read(&tree).unwrap_err(), [unread]);
    let mistyped = beside(&json!({"sinks": {"screen": {"inputs": ["hihg"]}}}));
    let expected = "sinks.screen.inputs: there is no source or transform 'hihg', did you mean 'high'?";
    assert_eq!(read(&mistyped).unwrap_err(), [expected]);
    // Which ports a stock source has, and what a variable comes to, Vector reports.
    for known_to_vector in ["logs.traces", "${READER}"] {
        assert!(read(&beside(&json!({"sinks": {"screen": {"inputs": [known_to_vector]}}}))).is_ok());
    }
}

#[test]
fn a_file_with_nothing_of_ours_is_for_vector_alone() {
    let tree = json!({
        "sources": {"logs": {"type": "syslog"}},
        "sinks": {"screen": {"type": "console", "inputs": ["logs"]}},
    });
    assert_eq!(read(&tree).unwrap_err(), ["there is nothing here for vector-sentinel: run vector itself"]);
}

#[test]
fn options_for_the_way_through_vector_do_nothing_without_it() {
    let patch = json!({
        "sources": {"defender": {"graph": {}}},
        "sinks": {"sentinel": {"buffer": {"type": "disk"}, "batch": {"max_events": 5, "timeout_secs": 0.5},
            "acknowledgements": {"enabled": true}, "healthcheck": false}},
    });
    let graph = read(&file(&patch)).unwrap();
    let reported: Vec<_> = graph.warnings.iter().map(|warning| warning.path.as_str()).collect();
    let options =
        ["sinks.sentinel.batch.max_events", "sinks.sentinel.batch.timeout_secs", "sinks.sentinel.buffer"];
    assert_eq!(reported, [&options[..], &["sinks.sentinel.healthcheck", "sources.defender.graph"]].concat());
    assert!(graph.warnings.iter().all(|warning| warning.message == "has no effect without Vector"));
    // None of them is the component's own.
    assert_eq!(graph.sinks[0].options, json!({}));
    assert_eq!(read(&beside(&patch)).unwrap().warnings, []);
}

#[test]
fn a_buffer_that_drops_is_warned_of() {
    let drops = json!({"type": "memory", "when_full": "drop_newest"});
    let warned = |buffer: Value| {
        let graph = read(&beside(&json!({"sinks": {"sentinel": {"buffer": buffer}}}))).unwrap();
        graph.warnings.into_iter().map(|warning| warning.path).collect::<Vec<_>>()
    };
    let path = "sinks.sentinel.buffer.when_full";
    assert_eq!(warned(drops.clone()), [path]);
    assert_eq!(warned(json!([{"type": "memory", "when_full": "overflow"}, drops])), [path]);
    assert_eq!(warned(json!({"type": "memory", "when_full": "block"})), [""; 0]);
}

#[test]
fn only_our_components_need_backends_that_can_be_asked_here() {
    let cloud = json!({"type": "aws_secrets_manager", "region": "x"});
    let stock = json!({"secret": {"v": cloud}, "sinks": {"queue": {"password": "SECRET[v.k] SECRET[w.k]"}}});
    assert!(read(&beside(&stock)).is_ok());
    let ours = json!({"secret": {"v": cloud}, "sinks": {"sentinel": {"endpoint": "SECRET[v.k]"}}});
    let expected = "sinks.sentinel.endpoint: secret backend 'v' works only in Vector itself; here there are 'directory', \
                    'exec' and 'file'";
    assert_eq!(read(&beside(&ours)).unwrap_err(), [expected]);
}

#[test]
fn a_sink_that_others_post_to_needs_no_inputs_and_no_source() {
    let listen = json!({"address": "127.0.0.1:6200"});
    let alone = json!({"sinks": {"sentinel": {"type": "sentinel_logs", "inputs": [], "listen": listen}}});
    let graph = read(&alone).unwrap();
    assert!(graph.sources.is_empty() && !graph.beside_vector && graph.has_listeners());
    let [sink] = graph.sinks.as_slice() else { panic!("{graph:?}") };
    assert_eq!((sink.has_inputs, &sink.inputs, &sink.options), (false, &Vec::new(), &json!({})));
    assert_eq!(sink.listen.as_ref().unwrap().address, "127.0.0.1:6200");
    assert_eq!(graph.warnings, []);
    // What comes from sources of ours, and what is posted.
    let both = read(&file(&json!({"sinks": {"sentinel": {"listen": listen}}}))).unwrap();
    assert_eq!((both.sinks[0].has_inputs, both.sinks[0].inputs.len()), (true, 1));
    // Beside Vector, nothing of it reaches this one.
    let other = json!({"type": "sentinel_logs", "inputs": [], "listen": listen, "buffer": {}});
    let graph = read(&beside(&json!({"sinks": {"other": other}}))).unwrap();
    let warnings: Vec<_> = graph.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["sinks.other.buffer: has no effect without inputs"]);
}

#[test]
fn a_listener_that_cannot_be_says_what_to_write() {
    let sink = |options: Value| {
        let mut tree = file(&json!({"sinks": {"sentinel": options}}));
        tree["sinks"]["other"] = json!({"type": "sentinel_logs", "inputs": ["defender"]});
        read(&tree).unwrap_err()
    };
    let listen = json!({"address": "127.0.0.1:6200"});
    let short = json!({"address": "127.0.0.1:6200", "auth": {"strategy": "bearer", "token": "short"}});
    for (options, expected) in [
        (
            json!({"inputs": []}),
            "sinks.sentinel.inputs: must name at least one source; a sink that other shippers post to needs a listener, such \
             as listen: {address: 127.0.0.1:6200}",
        ),
        (
            json!({"inputs": null, "listen": listen}),
            "sinks.sentinel: missing required option 'inputs': write inputs: [] if it takes only what is posted to it",
        ),
        (
            json!({"listen": listen, "vector": {"address": "localhost:6200"}}),
            "sinks.sentinel.listen.address: sinks.sentinel has the same address; each component needs its own",
        ),
        (json!({"listen": {}}), "sinks.sentinel.listen: missing required option 'address'"),
        (
            json!({"listen": {"address": "127.0.0.1:6200", "codec": "json"}}),
            "sinks.sentinel.listen: unknown option 'codec'; the options are 'address', 'auth', 'decoding' and 'tls'",
        ),
        (
            json!({"listen": short}),
            "sinks.sentinel.listen.auth.token: must be at least 16 characters of ASCII, and no blanks",
        ),
    ] {
        assert_eq!(sink(options.clone()), [expected], "{options}");
    }
    let source = file(&json!({"sources": {"defender": {"listen": listen}}}));
    assert!(read(&source).unwrap_err()[0].starts_with("sources.defender: unknown option 'listen'"));
}

#[test]
fn a_token_that_is_a_secret_is_not_judged_before_it_is_known() {
    let auth = json!({"strategy": "bearer", "token": "SECRET[v.t]"});
    let tree = json!({
        "secret": {"v": {"type": "file", "path": "/secrets.json"}},
        "sinks": {"sentinel": {"type": "sentinel_logs", "inputs": [],
            "listen": {"address": "127.0.0.1:6200", "auth": auth}}},
    });
    let graph = read(&tree).unwrap();
    assert!(graph.is_open("sinks.sentinel.listen.auth.token"));
}
