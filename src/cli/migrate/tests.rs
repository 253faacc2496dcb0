use std::collections::BTreeMap;

use serde_json::Value;

use super::sinks::{MEANINGS, Migration, migrate};
use crate::registry::catalogue;
use crate::sinks::sentinel_logs::layout::Table;
use crate::topology::plan;

/// The migration of a file of this name and text.
fn migrated(name: &str, text: &str) -> Option<Migration> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    migrate(&pipeline_file::read(&[path], &BTreeMap::new()).unwrap()).unwrap()
}

/// The new file's tree, once `environment` is put in, after it was found to be right.
fn checked(migration: &Migration, environment: &[(&str, &str)]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.yaml");
    std::fs::write(&path, &migration.pipeline).unwrap();
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = pipeline_file::read(&[path], &environment).unwrap();
    let graph = pipeline_file::component_graph(&file, &catalogue());
    if let Err(problems) = plan::check(&graph, &environment) {
        panic!("{problems:#?}\n{}", migration.pipeline);
    }
    serde_saphyr::from_str(&migration.pipeline).unwrap()
}

const TOML: &str = r#"
    [sources.in]
    type = "demo_logs"
    format = "json"

    # A comment.
    [sinks.azure]
    type = "azure_logs_ingestion"
    inputs = ["in"]
    endpoint = "https://dce.westeurope-1.ingest.monitor.azure.com"
    dcr_immutable_id = "dcr-0123456789abcdef0123456789abcdef"
    stream_name = "Custom-Old_CL"
    retry_strategy = { type = "all" }
    acknowledgements = false
    auth = { azure_tenant_id = "t", azure_client_id = "c", azure_client_secret = "SECRET[vault.azure]" }
    batch = { max_bytes = 10000000, timeout_secs = 5 }
    request = { retry_attempts = 5, timeout_secs = 30 }
    encoding = { except_fields = ["a"] }

    [sinks.other]
    type = "blackhole"
    inputs = ["in"]

    [secret.vault]
    type = "file"
    path = "/etc/secrets.json"
"#;

#[test]
fn a_sink_for_the_same_api_keeps_its_options() {
    let migration = migrated("vector.toml", TOML).unwrap();
    let tree = checked(&migration, &[]);
    let expected = serde_json::json!({
        "type": "sentinel_logs", "inputs": ["in"],
        "endpoint": "https://dce.westeurope-1.ingest.monitor.azure.com",
        "dcr_immutable_id": "dcr-0123456789abcdef0123456789abcdef", "stream_name": "Custom-Old_CL",
        "auth": {
            "azure_credential_kind": "client_secret_credential", "azure_tenant_id": "t", "azure_client_id": "c",
            "azure_client_secret": "SECRET[vault.azure]",
        },
        "batch": {"timeout_secs": 5}, "request": {"timeout_secs": 30}, "encoding": {"except_fields": ["a"]},
    });
    assert_eq!(tree["sinks"]["azure"], expected);
    assert_eq!(tree["sinks"]["other"]["type"], "blackhole");
    let changes: Vec<&str> = migration.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(
        changes,
        [
            "sinks.azure.type",
            "sinks.azure.auth.azure_credential_kind",
            "sinks.azure.retry_strategy",
            "sinks.azure.request.retry_attempts",
            "sinks.azure.acknowledgements",
            "sinks.azure.batch.max_bytes",
        ]
    );
    assert_eq!((migration.to_deploy.len(), migration.meanings.len()), (1, MEANINGS.len()));
}

const YAML: &str = r"
    sources:
      in: {type: demo_logs, format: json}
    sinks:
      old-azure:
        type: azure_monitor_logs
        inputs: [in]
        customer_id: 5ce893d9-2c32-4b6c-91a9-b0887c2de2d6
        shared_key: ${SHARED_KEY}
        log_type: ${PREFIX}_Firewall
        azure_resource_id: /subscriptions/s/resourceGroups/r/providers/p/t/n
        host: ods.opinsights.azure.us
        time_generated_key: .event.time
        encoding: {only_fields: [message]}
        request: {concurrency: 4}
";

#[test]
fn a_sink_for_the_old_api_is_told_what_each_option_becomes() {
    let migration = migrated("vector.yaml", YAML).unwrap();
    let variables = [
        ("OLD_AZURE_ENDPOINT", "https://rule.ingest.monitor.azure.us"),
        ("OLD_AZURE_DCR_IMMUTABLE_ID", "dcr-0123456789abcdef0123456789abcdef"),
        ("PREFIX", "Net"),
    ];
    let tree = checked(&migration, &variables);
    let sink = &tree["sinks"]["old-azure"];
    assert_eq!(sink["stream_name"], "Custom-${PREFIX}_FirewallV2_CL");
    assert_eq!((&sink["cloud"], &sink["inputs"]), (&"usgov".into(), &serde_json::json!(["in"])));
    for gone in ["customer_id", "shared_key", "log_type", "azure_resource_id", "host", "time_generated_key"] {
        assert_eq!(sink[gone], Value::Null);
        let said = migration.changes.iter().any(|change| change.path == format!("sinks.old-azure.{gone}"));
        assert!(said, "{gone}: {:#?}", migration.changes);
    }
    let said = format!("{:?}", migration.to_deploy);
    assert!(said.contains("--table ${PREFIX}_FirewallV2_CL --column message:string"), "{said}");
    assert!(!said.to_lowercase().contains("zq"), "{said}");
}

#[test]
fn whatever_the_sinks_are_called_the_new_file_is_right_and_each_has_a_rule_of_its_own() {
    let long = "A".repeat(80);
    let text = format!(
        "sources: {{in: {{type: demo_logs, format: json}}}}\ntransforms:\nsinks:\n  a-b: {{type: '${{OLD}}', inputs: [in], \
         customer_id: c, shared_key: s, log_type: {long}}}\n  a_b: {{type: azure_monitor_logs, inputs: [in], customer_id: c, \
         shared_key: s, log_type: 9_x, time_generated_key: ''}}\n  1x: {{type: azure_monitor_logs, inputs: [in], customer_id: c, \
         shared_key: s, log_type: T, host: '${{OLD_HOST}}'}}\n"
    );
    let environment = [("OLD", "azure_monitor_logs"), ("OLD_HOST", "ods.opinsights.azure.cn")];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vector.yaml");
    std::fs::write(&path, text).unwrap();
    let variables = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let migration = migrate(&pipeline_file::read(&[path], &variables).unwrap()).unwrap().unwrap();
    let values = ["A_B", "A_B_2", "_1X"].map(|name| {
        [
            (format!("{name}_ENDPOINT"), "https://rule.example.com"),
            (format!("{name}_DCR_IMMUTABLE_ID"), "dcr-0123456789abcdef0123456789abcdef"),
        ]
    });
    let values: Vec<(&str, &str)> =
        values.iter().flatten().map(|(name, value)| (name.as_str(), *value)).collect();
    let tree = checked(&migration, &values);
    let endpoints: Vec<&Value> =
        ["a-b", "a_b", "1x"].iter().map(|id| &tree["sinks"][id]["endpoint"]).collect();
    assert!(endpoints[0] != endpoints[1] && endpoints[1] != endpoints[2], "{endpoints:?}");
    assert_eq!(
        (&tree["sinks"]["1x"]["cloud"], &tree["sinks"]["a-b"]["type"]),
        (&"china".into(), &"sentinel_logs".into())
    );
    for command in migration.to_deploy.iter().filter(|step| step.contains("generate dcr")) {
        let (_, table) = command.split_once("--table ").unwrap();
        assert!(Table::is_custom_name(table.split(' ').next().unwrap()), "{command}");
    }
}

#[test]
fn a_file_without_such_sinks_is_left_alone() {
    assert!(migrated("vector.yaml", "sinks: {a: {type: console, inputs: []}}").is_none());
}
