//! What is wrong in a pipeline file is told before anything is written.

use serde_json::{Value, json};
use simulator::{SimulatorConfig, WorkspaceRole};

use super::bench::SyncBench;
use crate::harness::program;

async fn validate(sync: &SyncBench, pipeline: &Value, arguments: &[&str]) -> (String, Option<i32>) {
    let file = sync.bench.file(pipeline);
    let output = program().arg("validate").args(arguments).arg("-c").arg(file).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code())
}

#[tokio::test]
async fn every_wrong_option_is_told_at_once_with_its_path() {
    let sync = SyncBench::with_incidents(0).await;
    let wrong_sync = json!({"ledger": "a/b", "fields": ["status"], "conflicts": {"owner": "newest"}});
    let wrong_write = json!({"safety": {"max_incidents": 0, "window_secs": 100_000}});
    let mut pipeline = sync.pipeline(&wrong_sync, &wrong_write, &json!({}));
    pipeline["sinks"]["to_sentinel"]["workspace_name"] = json!("-");
    pipeline["sinks"]["to_sentinel"]["subscription_id"] = json!("mine");
    pipeline["sinks"]["to_defender"]["request"]["rate_limit_num"] = json!(0);
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert_eq!(code, Some(78), "{said}");
    for path in [
        "sinks.to_sentinel.sync.ledger",
        "sinks.to_sentinel.sync.conflicts.owner",
        "sinks.to_sentinel.write.safety.max_incidents",
        "sinks.to_sentinel.write.safety.window_secs",
        "sinks.to_sentinel.workspace_name",
        "sinks.to_sentinel.subscription_id",
        "sinks.to_defender.sync.ledger",
        "sinks.to_defender.request.rate_limit_num",
    ] {
        assert_eq!(said.matches(&format!("{path}: ")).count(), 1, "{path}: {said}");
    }
}

#[tokio::test]
async fn words_that_do_not_exist_are_told_with_those_that_do() {
    let sync = SyncBench::with_incidents(0).await;
    for (option, value, word) in [
        ("fields", json!(["state"]), "status"),
        ("conflicts", json!({"status": "oldest"}), "newest"),
        ("native_connector", json!("ignore"), "complement"),
        ("feilds", json!([]), "fields"),
    ] {
        let (said, code) = validate(&sync, &sync.with_sync(&json!({option: value})), &[]).await;
        assert!(
            code == Some(78) && said.contains("sinks.to_sentinel.sync") && said.contains(word),
            "{option}: {said}"
        );
    }
}

#[tokio::test]
async fn two_directions_of_one_ledger_must_mean_the_same_and_nobody_else_may_have_it() {
    let sync = SyncBench::with_incidents(0).await;
    let mut pipeline = sync.plain();
    pipeline["sinks"]["to_defender"]["sync"] = json!({"fields": ["status"]});
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("sinks.to_defender.sync: differs from sinks.to_sentinel.sync"), "{said}");

    let mut pipeline = sync.plain();
    pipeline["sinks"]["again"] = pipeline["sinks"]["to_sentinel"].clone();
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert!(
        code == Some(78) && said.contains("has this ledger already: give one of them a name of its own"),
        "{said}"
    );
    pipeline["sinks"]["again"]["sync"] = json!({"ledger": "second"});
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_direction_the_wrong_way_round_is_told() {
    let sync = SyncBench::with_incidents(0).await;
    let mut pipeline = sync.plain();
    pipeline["sinks"]["to_sentinel"]["inputs"] = json!(["sentinel", "defender"]);
    pipeline["sinks"]["to_defender"]["inputs"] = json!(["d*"]);
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert_eq!(code, Some(78), "{said}");
    for path in ["sinks.to_sentinel.inputs: sentinel has", "sinks.to_defender.inputs: defender has"] {
        assert_eq!(said.matches(path).count(), 1, "{path}: {said}");
    }
}

#[tokio::test]
async fn a_probe_asks_both_services_and_writes_nothing() {
    let sync = SyncBench::with_incidents(1).await;
    let (said, code) = validate(&sync, &sync.plain(), &["--probe"]).await;
    assert_eq!(code, Some(0), "{said}");
    for path in [
        "sources.defender: reading works",
        "sources.sentinel: ",
        "sinks.to_sentinel: ",
        "sinks.to_defender: ",
    ] {
        assert!(said.contains(path), "{path}: {said}");
    }
    assert_eq!(sync.simulator().writes(), []);

    let mut config = SimulatorConfig::default();
    config.roles.incidents = WorkspaceRole::None;
    let sync = SyncBench::start(config).await;
    let mut pipeline = sync.plain();
    pipeline["sinks"]["to_sentinel"]["sync"] = json!({"owners_file": sync.bench.path("nowhere.yaml")});
    pipeline["sinks"]["to_defender"]["sync"] = pipeline["sinks"]["to_sentinel"]["sync"].clone();
    let (said, code) = validate(&sync, &pipeline, &["--probe"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED sources.sentinel") && said.contains("Microsoft Sentinel Reader"), "{said}");
    for sink in ["to_sentinel", "to_defender"] {
        assert!(said.contains(&format!("FAILED sinks.{sink}: sync.owners_file")), "{said}");
    }
}

#[tokio::test]
async fn two_directions_that_do_not_know_of_each_other_are_told() {
    let sync = SyncBench::with_incidents(0).await;
    let mut pipeline = sync.plain();
    pipeline["sinks"]["to_defender"]["sync"] = json!({"ledger": "other"});
    let (said, code) = validate(&sync, &pipeline, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let told = ": sinks.to_defender.sync.ledger: no sentinel_incidents sink has the ledger other";
    assert!(said.contains(told) && said.contains("(default is there)"), "{said}");
    let (said, _) = validate(&sync, &sync.plain(), &[]).await;
    assert!(!said.contains("warning"), "{said}");
}
