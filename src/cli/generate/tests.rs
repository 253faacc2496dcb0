//! What is printed for a pipeline file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::pipeline::{Printed, Refusal, Wanted, print};
use crate::templates::Format;

const FILE: &str = r#"
sources:
  in: {type: syslog, address: "0.0.0.0:514", mode: tcp}
sinks:
  firewall:
    type: sentinel_logs
    inputs: [in]
    endpoint: ${ENDPOINT}
    dcr_immutable_id: ${DCR_ID}
    stream_name: Custom-Firewall_CL
    columns: {TimeGenerated: datetime, message: string, port: int, ExtraColumns: dynamic, TruncatedColumns: dynamic}
  host:
    type: sentinel_logs
    inputs: [in]
    auth: {azure_credential_kind: managed_identity}
    endpoint: TODO
    dcr_immutable_id: ${DCR_ID}
    layout: syslog
    syslog: {extra: column}
  cef:
    type: sentinel_logs
    inputs: [in]
    endpoint: TODO
    dcr_immutable_id: TODO
    layout: common_security_log
"#;

fn printed(
    file: &str,
    samples: &[(&str, &str)],
    sink: Option<&str>,
    format: Format,
) -> Result<Printed, Refusal> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipeline.yaml");
    std::fs::write(&path, file).unwrap();
    let samples: Vec<String> = samples
        .iter()
        .map(|(sink, text)| {
            let sample = dir.path().join(format!("{sink}.ndjson"));
            std::fs::write(&sample, text).unwrap();
            format!("{sink}={}", sample.display())
        })
        .collect();
    print(&[path], &BTreeMap::new(), &Wanted { samples: &samples, sink, format, endpoint: false })
}

/// The template in ARM, with the rules behind an endpoint or without.
fn printed_behind(file: &str, endpoint: bool) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipeline.yaml");
    std::fs::write(&path, file).unwrap();
    let wanted = Wanted { samples: &[], sink: None, format: Format::Arm, endpoint };
    serde_json::from_str(&print(&[path], &BTreeMap::new(), &wanted).unwrap().template).unwrap()
}

fn resources<'a>(template: &'a Value, resource_type: &str) -> Vec<&'a Value> {
    let resources = template["resources"].as_array().unwrap().iter();
    resources.filter(|resource| resource["type"] == resource_type).collect()
}

#[test]
fn every_sink_of_a_file_is_in_it_with_a_rule_for_each_id() {
    let template = printed(FILE, &[], None, Format::Arm).unwrap();
    assert!(template.open.is_empty(), "{:?}", template.open);
    let template: Value = serde_json::from_str(&template.template).unwrap();
    let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
    let streams = |rule: &Value| {
        let flows = rule["properties"]["dataFlows"].as_array().unwrap().iter();
        flows.map(|flow| format!("{} {}", flow["streams"][0], flow["outputStream"])).collect::<Vec<_>>()
    };
    assert_eq!(rules.len(), 2);
    assert_eq!(
        streams(rules[0]),
        [r#""Custom-Firewall_CL" "Custom-Firewall_CL""#, r#""Custom-Syslog" "Microsoft-Syslog""#]
    );
    assert_eq!(streams(rules[1]), [r#""Custom-CommonSecurityLog" "Microsoft-CommonSecurityLog""#]);
    assert_eq!(rules[1]["name"], "[parameters('ruleName2')]");
    let assignments = resources(&template, "Microsoft.Authorization/roleAssignments");
    assert_eq!(assignments.len(), 2);
    assert_ne!(assignments[0]["scope"], assignments[1]["scope"]);
    let outputs: Vec<_> = template["outputs"].as_object().unwrap().keys().collect();
    assert_eq!(outputs, ["ingestionEndpoint", "dcrImmutableId", "ingestionEndpoint2", "dcrImmutableId2"]);
    assert_eq!(template["parameters"]["ruleName"]["defaultValue"], "vector-sentinel-firewall");
    // The user's own table, and the column that Microsoft's gets.
    let tables = resources(&template, "Microsoft.OperationalInsights/workspaces/tables");
    let [own, syslog] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(own["properties"]["schema"]["columns"][2]["name"], "port");
    let added = syslog["properties"]["schema"]["columns"].as_array().unwrap();
    assert_eq!((added.len(), &added[0]["name"]), (1, &json!("ExtraFields_CF")));
    assert_eq!(rules[0]["dependsOn"].as_array().unwrap().len(), 2);
}

#[test]
fn the_head_says_how_to_deploy_it_and_what_belongs_where() {
    for (format, comment, words) in [
        (Format::Bicep, "// ", "-f rule.bicep"),
        (Format::Terraform, "# ", "terraform apply"),
        (Format::Arm, "", "-f rule.json"),
    ] {
        let text = printed(FILE, &[], None, format).unwrap().template;
        let outputs = match format {
            Format::Terraform => [
                "endpoint is the output ingestion_endpoint, dcr_immutable_id is the output dcr_immutable_id.",
                "output ingestion_endpoint_2",
            ],
            _ => [
                "endpoint is the output ingestionEndpoint, dcr_immutable_id is the output dcrImmutableId.",
                "output ingestionEndpoint2",
            ],
        };
        assert!(text.starts_with(comment), "{text}");
        for words in [
            words,
            outputs[0],
            outputs[1],
            "sinks.host: ",
            "CommonSecurityLog is there once Microsoft Sentinel is enabled",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    // Who does not say yet who it is may be the same.
    let all = printed(FILE, &[], None, Format::Bicep).unwrap().template;
    assert!(!all.contains("identities"), "{all}");
    let other = "layout: common_security_log\n    auth: {azure_credential_kind: azure_cli}";
    let two = FILE.replace("layout: common_security_log", other);
    let two = printed(&two, &[], None, Format::Bicep).unwrap().template;
    assert!(two.contains("The sinks write as 2 identities"), "{two}");
    let one = printed(FILE, &[], Some("cef"), Format::Bicep).unwrap().template;
    assert!(one.contains("Custom-CommonSecurityLog") && !one.contains("Custom-Syslog"), "{one}");
}

#[test]
fn each_rule_has_a_name_that_azure_takes_and_no_other_has() {
    let long = "a".repeat(40);
    let ids = (1..=6).map(|number| format!("{long}_{number}"));
    let sink = |id| (id, json!({"type": "sentinel_logs", "inputs": ["in"], "layout": "syslog"}));
    let mut sinks: serde_json::Map<_, _> =
        ids.chain(["b-2".to_owned(), "b".to_owned(), "B".to_owned()]).map(sink).collect();
    // Each writes to a rule of its own.
    for (id, options) in &mut sinks {
        options["dcr_immutable_id"] =
            id.to_uppercase().replace('B', if id == "B" { "C" } else { "B" }).into();
    }
    let file =
        json!({"sources": {"in": {"type": "demo_logs", "format": "json"}}, "sinks": sinks}).to_string();
    for endpoint in [false, true] {
        let template = printed_behind(&file, endpoint);
        let parameters = template["parameters"].as_object().unwrap().iter();
        let names: Vec<_> = parameters
            .filter(|(parameter, _)| parameter.starts_with("ruleName"))
            .map(|(_, parameter)| parameter["defaultValue"].as_str().unwrap())
            .collect();
        assert_eq!((names.len(), BTreeSet::from_iter(&names).len()), (9, 9), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 64), "{names:?}");
        let is_there = |name: &str| names.contains(&name);
        assert!(
            is_there(&format!("vector-sentinel-{long}-2")) && is_there(&format!("vector-sentinel-{long}-6"))
        );
        let behind = &template["parameters"]["endpointName"]["defaultValue"];
        assert_eq!(behind.as_str().map(str::len), endpoint.then_some(44));
    }
}

#[test]
fn columns_that_the_file_does_not_say_are_learned_or_asked_for() {
    let file = FILE.replace("    columns: {TimeGenerated: datetime, message: string, port: int, ExtraColumns: dynamic, TruncatedColumns: dynamic}\n", "");
    let without = printed(&file, &[], Some("firewall"), Format::Bicep).unwrap();
    assert!(
        without.open[0].starts_with("sinks.firewall: the columns of 'Custom-Firewall_CL' are not known"),
        "{:?}",
        without.open
    );
    let with = printed(&file, &[("firewall", "{\"port\": 5}\n")], Some("firewall"), Format::Bicep).unwrap();
    assert!(with.open.is_empty());
    let columns = "sinks.firewall: so that nothing vanishes, set columns: {TimeGenerated: datetime, port: long, ExtraColumns: dynamic, TruncatedColumns: dynamic}";
    assert!(with.template.contains(columns), "{}", with.template);
}

#[test]
fn a_table_of_several_rules_has_the_columns_of_all() {
    let sink = |rule: &str, table: &str, columns: Value| {
        json!({"type": "sentinel_logs", "inputs": ["in"], "dcr_immutable_id": rule, "stream_name": format!("Custom-{table}"),
            "columns": columns})
    };
    let sinks = json!({
        "a": sink("A", "Fw_CL", json!({"one": "string", "same": "int"})),
        "b": sink("B", "fw_CL", json!({"two": "long", "same": "string", "ONE": "string"})),
    });
    let file = json!({"sources": {"in": {"type": "demo_logs"}}, "sinks": sinks}).to_string();
    let printed = printed(&file, &[], None, Format::Arm).unwrap();
    let template: Value = serde_json::from_str(&printed.template).unwrap();
    let tables = resources(&template, "Microsoft.OperationalInsights/workspaces/tables");
    let [table] = tables.as_slice() else { panic!("{tables:?}") };
    let columns = table["properties"]["schema"]["columns"].as_array().unwrap().iter();
    let columns: Vec<_> = columns.map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["TimeGenerated", "one", "same", "two", "ExtraColumns", "TruncatedColumns"]);
    let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
    assert_eq!(rules[0]["dependsOn"], rules[1]["dependsOn"]);
    assert_eq!(rules[1]["properties"]["dataFlows"][0]["outputStream"], "Custom-Fw_CL");
    let head = template["metadata"]["comments"].to_string();
    for words in [
        "same: int here, and the stream Custom-fw_CL declares same: string",
        "one: string here, and the stream",
    ] {
        assert!(head.contains(words), "{words}: {head}");
    }
}

#[test]
fn no_name_of_a_sample_becomes_code() {
    let file = FILE.replace("Custom-Firewall_CL", "Custom-{{ team }}_CL").replace(
        "    columns: {TimeGenerated: datetime, message: string, port: int, ExtraColumns: dynamic, TruncatedColumns: dynamic}\n",
        "",
    );
    let events = [
        json!({"team": "x\nresource evil1\r", "port": 1}),
        json!({"team": "Fw", "x y\nparam evil2 string = 42\n//": 1, "z\u{2028}evil3\u{2029}\u{85}": 2}),
    ];
    let events = events.map(|event| event.to_string()).join("\n");
    for (format, comment) in [(Format::Bicep, "//"), (Format::Terraform, "#")] {
        let Printed { template, open } = printed(&file, &[("firewall", &events)], None, format).unwrap();
        let is_end = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let lines: Vec<_> = template.split(is_end).filter(|line| line.contains("evil")).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.starts_with(comment)), "{lines:#?}");
        for name in ["evil1", "evil2", "evil3"] {
            assert!(lines.iter().any(|line| line.contains(name)), "{name}: {lines:#?}");
        }
        assert!(!open.concat().contains(is_end), "{open:?}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_reported_unless_the_deployment_mends_it() {
    let wrong = FILE.replace("layout: common_security_log", "layout: cef\n    batch: {max_bytes: x}");
    let Err(Refusal::File(problems)) = printed(&wrong, &[], None, Format::Bicep) else { panic!() };
    let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(paths), ["sinks.cef.batch.max_bytes", "sinks.cef.layout"].into());
    let none = "sources:\n  in: {type: demo_logs}\nsinks:\n  out: {type: console, inputs: [in]}\n";
    assert!(matches!(printed(none, &[], None, Format::Bicep), Err(Refusal::NoSink)));
    assert!(matches!(printed(FILE, &[], Some("x"), Format::Bicep), Err(Refusal::UnknownSink(_))));
    assert!(matches!(printed(FILE, &[("cef", "[1]")], None, Format::Bicep), Err(Refusal::NoSample { .. })));
}
