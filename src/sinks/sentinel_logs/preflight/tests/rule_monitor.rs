use std::time::Duration;

use serde_json::{Value, json};

use super::{ID, STREAM, flow, rule};
use crate::sinks::sentinel_logs::SentinelLogsConfig;
use crate::sinks::sentinel_logs::preflight::column_sampler::columns_of;
use crate::sinks::sentinel_logs::preflight::rule_monitor::RuleMonitor;
use microsoft::authorized::Authorized;
use microsoft::connection::Connector;
use microsoft::data_collection_rules::NamedColumn;
use microsoft::http::ProxyConfig;
use runtime::clock::Clock;
use runtime::telemetry::ComponentLabels;

fn labels() -> ComponentLabels {
    ComponentLabels { kind: "sink", component_type: "sentinel_logs", id: "s".to_owned() }
}

#[test]
fn columns_of_rows_are_those_with_a_value_and_have_the_type_that_suits_it() {
    let rows = br#"[{"n":1,"time":"2026-11-23T12:00:00Z","text":"x","empty":null},
                    {"n":2,"r":1.5,"flag":true,"list":[1],"object":{}}]"#;
    let found: Vec<_> =
        columns_of(rows).into_iter().map(|(name, found)| format!("{name} {}", found.in_stream())).collect();
    let expected = [
        "flag boolean",
        "list dynamic",
        "n long",
        "object dynamic",
        "r real",
        "text string",
        "time datetime",
    ];
    assert_eq!(found, expected);
}

/// Options of a sink whose services nobody can reach.
fn options() -> Value {
    // Nobody listens on this port.
    let nobody = "https://127.0.0.1:1";
    json!({
        "auth": {
            "azure_credential_kind": "client_secret_credential", "authority_host": nobody,
            "azure_tenant_id": "t", "azure_client_id": "c", "azure_client_secret": "s",
        },
        "endpoint": nobody, "management_endpoint": nobody, "dcr_immutable_id": ID, "stream_name": STREAM,
        "proxy": {"enabled": false},
    })
}

fn rule_monitor(clock: &Clock) -> RuleMonitor {
    let config: SentinelLogsConfig = serde_json::from_value(options()).unwrap();
    let validated = config.validate("sinks.s", &ProxyConfig::default()).unwrap();
    let authorized = Authorized::new(&validated.identity, &Connector::new(clock.clone())).unwrap();
    let preflight = validated.preflight(&authorized);
    RuleMonitor::new(preflight, labels(), clock.clone())
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_cannot_be_read_is_asked_for_for_an_hour_and_then_no_more() {
    let clock = Clock::system();
    let rule_monitor = rule_monitor(&clock);
    assert!(rule_monitor.watch(ID, STREAM, None).is_none(), "nothing is done before it begins");
    let began = clock.monotonic();
    rule_monitor.start();
    rule_monitor.watch(ID, STREAM, None).unwrap();
    rule_monitor.idle().await;
    let asked_for = clock.monotonic() - began;
    assert!((Duration::from_mins(63)..Duration::from_mins(75)).contains(&asked_for), "{asked_for:?}");
}

#[tokio::test(start_paused = true)]
async fn rows_are_looked_at_once_a_minute_and_a_column_is_reported_once() {
    let clock = Clock::system();
    let rule_monitor = rule_monitor(&clock);
    rule_monitor.start();
    let rows = rule_monitor.watch(ID, STREAM, None).unwrap();
    assert!(!rows.is_due(), "the rule has not been read yet");
    rows.set_declared(&rule(&[("n", "int")], &flow(None)));
    assert!(rows.is_due() && !rows.is_due());
    clock.sleep(Duration::from_secs(59)).await;
    assert!(!rows.is_due());
    clock.sleep(Duration::from_secs(2)).await;
    assert!(rows.is_due());

    let new = |json: &[u8]| rows.undeclared(&columns_of(json));
    let names =
        |columns: &[NamedColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let found = new(br#"[{"n":1,"a":1},{"b":1}]"#);
    assert_eq!(names(&found), ["a", "b"]);
    rows.report(&found);
    assert_eq!(names(&new(br#"[{"n":1,"a":1,"c":1}]"#)), ["c"]);
    rows.set_declared(&rule(&[("n", "int"), ("c", "int")], &flow(None)));
    assert_eq!(names(&new(br#"[{"n":1,"a":1,"c":1}]"#)), [""; 0]);
    // Names come from events: there may be any number of them.
    let many: Vec<_> = (0..2_000).map(|n| format!("\"x{n}\":1")).collect();
    let found = new(format!("[{{{}}}]", many.join(",")).as_bytes());
    assert_eq!(found.len(), 1_000 - 2);
}

#[test]
fn where_rules_are_read_must_be_an_https_url() {
    for wrong in ["http://management.azure.com", "https://management.azure.com/subscriptions", "management"] {
        let mut options = options();
        options["management_endpoint"] = json!(wrong);
        let config: SentinelLogsConfig = serde_json::from_value(options).unwrap();
        let problems = config.validate("sinks.s", &ProxyConfig::default()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].path, "sinks.s.management_endpoint");
    }
}
