//! `sentinel_incidents`, the source, as a user sees it through the rows that arrive.

use std::time::Duration;

use runtime::clock::Clock;
use serde_json::json;
use simulator::{ArmQuota, Fault, Service, SimulatorConfig, WorkspaceRole};
use vector_sentinel::topology::Ended;

use crate::cli::ran;
use crate::fake_vector::{FakeVector, certificates_in, free_address};
use crate::harness::{every_fault, spawn, status};
use crate::workspace::Workplace;

const ANALYST: &str = "somebody@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_over_many_pages_delivers_every_incident_exactly_once() {
    let place = Workplace::with_incidents(1_300).await;
    place.runs_through(&place.pipeline()).await;
    assert_eq!(place.rows().len(), 1_300);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_followed_whether_they_come_escaped_or_not() {
    for escapes_next_link in [false, true] {
        let mut config = SimulatorConfig::default();
        config.workspace.initial = 130;
        config.workspace.escapes_next_link = escapes_next_link;
        let place = Workplace::start(config).await;
        let mut pipeline = place.pipeline();
        pipeline["sources"]["incidents"]["page_size"] = 50.into();
        place.runs_through(&pipeline).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_whatever_kind_arrives_with_the_comments_there_are() {
    let place = Workplace::with_incidents(6).await;
    let names = place.names();
    let workspace = || place.bench.simulator.workspace();
    let running = place.bench.run(&place.pipeline());
    place.caught_up().await;
    let comment = workspace().comment(&names[0], "größer \"quoted\" \u{1F600}", ANALYST).unwrap();
    workspace().edit(&names[1], &json!({"severity": "High", "title": "renamed"})).unwrap();
    workspace().close(&names[2], "TruePositive", Some("SuspiciousActivity")).unwrap();
    place.caught_up().await;
    assert_eq!(place.row(&names[0])["comments"][0]["properties"]["message"], "größer \"quoted\" \u{1F600}");
    assert_eq!(place.row(&names[1])["comments"], json!([]));
    assert!(workspace().edit_comment(&names[0], &comment, "better"));
    workspace().reopen(&names[2]).unwrap();
    let created = workspace().create(3);
    // More comments than fit a page.
    for n in 0..70 {
        workspace().comment(&created[0], &n.to_string(), ANALYST).unwrap();
    }
    place.caught_up().await;
    assert_eq!(place.row(&created[0])["comments"].as_array().unwrap().len(), 70);
    assert!(workspace().delete_comment(&names[0], &comment));
    place.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    place.assert_exactly_once();
    assert!(place.row(&names[0])["TimeGenerated"].as_str().unwrap().starts_with("20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_asked_for_only_where_there_are_some_that_are_new() {
    let place = Workplace::with_incidents(40).await;
    for name in place.names().iter().take(3) {
        place.bench.simulator.workspace().comment(name, "a word", ANALYST).unwrap();
    }
    let running = place.bench.run(&place.pipeline());
    place.caught_up().await;
    let before = place.bench.simulator.stats().security_insights_requests;
    // The service's time, a page, and three incidents' comments; perhaps one more look.
    assert!((5..=6).contains(&before), "{before}");
    place.bench.until(|stats| stats.security_insights_requests >= before + 3).await;
    assert_eq!(running.stop().await, Ended::Drained);
    place.assert_exactly_once();
}

/// Every way in which one request can go wrong, at every request of a first run of three pages, comments among them.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_whichever_request_every_incident_arrives_exactly_once() {
    let mut runs = tokio::task::JoinSet::new();
    for fault in every_fault() {
        for at in 0..6 {
            let fault = fault.clone();
            runs.spawn(async move {
                let place = Workplace::with_incidents(130).await;
                let names = place.names();
                for name in [&names[10], &names[120]] {
                    place.bench.simulator.workspace().comment(name, "a word", ANALYST).unwrap();
                }
                let mut script = vec![Fault::Pass; at];
                script.push(fault);
                place.bench.simulator.faults().script(Service::SecurityInsights, script);
                let mut pipeline = place.pipeline();
                pipeline["sources"]["incidents"]["page_size"] = 50.into();
                place.runs_through(&pipeline).await;
                assert_eq!(place.bench.simulator.stats().faults_fired, 1);
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_whose_comments_cannot_be_read_comes_without_and_with_them_when_it_changes() {
    let place = Workplace::with_incidents(5).await;
    let names = place.names();
    place.bench.simulator.workspace().comment(&names[2], "a word", ANALYST).unwrap();
    // Every listing works, and every request for comments fails.
    let mut script = vec![Fault::Pass];
    for _ in 0..6 {
        script.extend([Fault::Pass, status(500, None)]);
    }
    place.bench.simulator.faults().script(Service::SecurityInsights, script);
    let running = place.bench.run(&place.pipeline());
    place.bench.until(|stats| stats.rows_ingested >= 4).await;
    assert_eq!(place.bench.simulator.stats().faults_fired, 1, "the others did not wait for more tries");
    place.caught_up().await;
    assert_eq!(place.row(&names[2])["comments"], json!(null), "no list of comments is not an empty one");
    assert_eq!(place.row(&names[1])["comments"], json!([]));
    place.bench.simulator.workspace().comment(&names[2], "another", ANALYST).unwrap();
    place.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    place.assert_exactly_once();
    assert_eq!(place.row(&names[2])["comments"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_resource_manager_asks_to_wait_for_is_waited_for() {
    let mut config = SimulatorConfig::default();
    config.workspace.initial = 90;
    config.workspace.quota = ArmQuota { reads: (3, 1), ..ArmQuota::default() };
    let place = Workplace::start(config).await;
    let mut pipeline = place.pipeline();
    pipeline["sources"]["incidents"]["page_size"] = 30.into();
    place.runs_through(&pipeline).await;
    let stats = place.bench.simulator.stats();
    assert!(stats.security_insights_throttled >= 1, "{stats:?}");
    // Each was told once to wait, and came back when there was room.
    assert!(stats.security_insights_throttled * 2 <= stats.security_insights_requests, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_requests_is_kept_without_being_told() {
    let place = Workplace::with_incidents(100).await;
    let mut pipeline = place.pipeline();
    pipeline["sources"]["incidents"]["request"]["rate_limit_num"] = 8.into();
    pipeline["sources"]["incidents"]["page_size"] = 1_000.into();
    let running = place.bench.run(&pipeline);
    place.caught_up().await;
    place.bench.until(|stats| stats.security_insights_requests >= 8).await;
    // There would be a look every second.
    Clock::system().sleep(Duration::from_secs(3)).await;
    assert_eq!(running.stop().await, Ended::Drained);
    assert_eq!(place.bench.simulator.stats().security_insights_requests, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_that_go_through_vector_arrive_as_microsoft_sent_them() {
    let place = Workplace::with_incidents(60).await;
    for name in place.names().iter().step_by(7) {
        place.bench.simulator.workspace().comment(name, "a word", ANALYST).unwrap();
    }
    let fake = FakeVector {
        certificates: place.bench.path("data/vector-link"),
        source: free_address(),
        sink: free_address(),
        path: "/sinks/sentinel".to_owned(),
        lines: place.bench.path("lines.log"),
        checkpoint: std::sync::Arc::default(),
    };
    std::fs::write(&fake.lines, "").unwrap();
    let mut pipeline = place.pipeline();
    pipeline["sources"]["incidents"]["vector"] = json!({"address": fake.source});
    pipeline["sources"]["lines"] = json!({"type": "file", "include": [fake.lines]});
    let sink = &mut pipeline["sinks"]["sentinel"];
    sink["vector"] = json!({"address": fake.sink});
    sink["inputs"] = json!(["incidents", "lines"]);
    let columns = place.bench.config.dcr.streams.values().next().unwrap().keys();
    sink["columns"] = json!(columns.filter(|column| *column != "TenantId").collect::<Vec<_>>());
    let file = place.bench.file(&pipeline);
    let mut child = spawn(&["run", "--no-vector", "-c", file.to_str().unwrap()]);
    certificates_in(&fake.certificates).await;
    let running = fake.start().await;
    place.caught_up().await;
    place.bench.simulator.workspace().edit(&place.names()[0], &json!({"status": "Active"})).unwrap();
    place.caught_up().await;
    child.kill().await.unwrap();
    drop(running);
    place.assert_exactly_once();
    assert_eq!(place.rows().len(), 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_reads_or_says_which_role_or_workspace_is_missing() {
    const WORKSPACE: &str = "soc-workspace";
    for (role, workspace, code, words) in [
        (WorkspaceRole::Reader, WORKSPACE, 0, ["sources.incidents: ", "reading works"]),
        (WorkspaceRole::None, WORKSPACE, 1, ["FAILED sources.incidents", "Microsoft Sentinel Reader"]),
        (WorkspaceRole::Reader, "another-workspace", 1, ["FAILED sources.incidents", "workspace_name"]),
    ] {
        let mut config = SimulatorConfig::default();
        config.workspace.initial = 1;
        config.roles.incidents = role;
        let place = Workplace::start(config).await;
        let mut pipeline = place.pipeline();
        pipeline["sources"]["incidents"]["workspace_name"] = workspace.into();
        let file = place.bench.file(&pipeline);
        let (found, stdout, stderr) = ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await;
        let printed = if code == 0 { stdout } else { stderr };
        assert!(found == code && words.iter().all(|word| printed.contains(word)), "{found}: {printed}");
    }
}
