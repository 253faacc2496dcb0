//! `generate`, as typed.

use serde_json::Value;
use simulator::Dcr;

use crate::harness::program;

async fn generated(arguments: &str) -> String {
    let output = program().arg("generate").args(arguments.split(' ')).output().await.unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && stderr.is_empty(), "{arguments}: {stderr}");
    stdout.unwrap()
}

#[tokio::test]
async fn a_template_is_printed_and_nothing_else() {
    let template: Value =
        serde_json::from_str(&generated("dcr --layout defender --format arm").await).unwrap();
    assert_eq!(template["contentVersion"], "1.0.0.0");
    let bicep = generated("dcr --layout syslog").await;
    assert!(
        bicep.starts_with("// Tables, ") && bicep.contains("outputStream: 'Microsoft-Syslog'"),
        "{bicep}"
    );
    let terraform = generated("dcr --layout asim_alert --format terraform --dce").await;
    assert!(terraform.contains("resource \"azapi_resource\" \"endpoint\""), "{terraform}");
}

#[tokio::test]
async fn the_rule_of_raw_is_the_one_of_the_readme_and_the_simulator() {
    let template: Value = serde_json::from_str(&generated("dcr --layout raw --format arm").await).unwrap();
    let mut resources = template["resources"].as_array().unwrap().iter();
    let rule =
        resources.find(|resource| resource["type"] == "Microsoft.Insights/dataCollectionRules").unwrap();
    assert_eq!(Dcr::from_json(&rule.to_string()).unwrap(), Dcr::defender_incidents());
}

#[tokio::test]
async fn queries_and_a_workbook_are_printed() {
    let queries = generated("kql --layout defender").await;
    assert!(queries.contains("let DefenderIncidentsLatest = () {"), "{queries}");
    let workbook: Value = serde_json::from_str(&generated("workbook").await).unwrap();
    assert_eq!(workbook["version"], "Notebook/1.0");
}

#[tokio::test]
async fn a_layout_that_there_is_not_is_a_wrong_command_line() {
    for wrong in [
        "dcr",
        "dcr --layout asim",
        "kql --layout raw",
        "dcr --layout raw --format pulumi",
        "dcr --layout syslog --table-plan basic",
        "dcr --layout syslog -c pipeline.yaml",
        "dcr --layout syslog --sample events.ndjson",
    ] {
        let output = program().arg("generate").args(wrong.split(' ')).output().await.unwrap();
        assert_eq!(output.status.code(), Some(64), "{wrong}");
    }
}
