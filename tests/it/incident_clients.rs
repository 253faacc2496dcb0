//! The clients that write incidents, against the services' own rules.

use bytes::Bytes;
use microsoft::connection::Connector;
use microsoft::graph::GraphIncidents;
use microsoft::http::ProxyConfig;
use microsoft::security_insights::{SecurityInsights, Written};
use runtime::clock::Clock;
use runtime::retry::Verdict;
use serde_json::{Value, json};
use simulator::{SimulatorConfig, WorkspaceRole};
use vector_sentinel::sources::defender_incidents::DefenderIncidents;
use vector_sentinel::sources::sentinel_incidents::SentinelIncidents;

use crate::harness::{Bench, checked};
use crate::workspace::Workplace;

const MISSING: &str = "00000000-0000-0000-0000-000000000000";

fn sentinel(place: &Workplace, workspace_name: &str) -> SecurityInsights {
    let mut options = place.pipeline()["sources"]["incidents"].clone();
    options["workspace_name"] = workspace_name.into();
    let source: SentinelIncidents = checked(options, &ProxyConfig::default());
    source.client(&Connector::new(Clock::system())).unwrap()
}

fn graph(bench: &Bench) -> GraphIncidents {
    let source: DefenderIncidents = checked(bench.source(), &ProxyConfig::default());
    source.client(&Connector::new(Clock::system())).unwrap()
}

fn read(json: &Bytes) -> Value {
    serde_json::from_slice(json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_incident_is_created_and_replaced_and_not_over_what_somebody_else_wrote() {
    let place = Workplace::with_incidents(1).await;
    let client = sentinel(&place, &place.bench.config.workspace.name);
    let name = &place.names()[0];
    let before = read(&client.incident(name).await.unwrap().unwrap());
    assert_eq!(client.incident(MISSING).await.unwrap(), None);

    let mut changed = before.clone();
    changed["properties"]["status"] = "Active".into();
    let body = Bytes::from(changed.to_string());
    let Written::Done(after) = client.put_incident(name, body.clone()).await.unwrap() else {
        panic!("stale")
    };
    assert_eq!(read(&after)["properties"]["status"], "Active");
    assert_eq!(client.put_incident(name, body).await.unwrap(), Written::Stale);

    let new = json!({"properties": {"title": "t", "severity": "Low", "status": "New"}}).to_string();
    let created = client.put_incident(MISSING, new.into()).await.unwrap();
    assert!(matches!(created, Written::Done(_)));
    assert_eq!(place.names().len(), 2);
    let refused =
        client.put_incident(MISSING, json!({"properties": {"title": "t"}}).to_string().into()).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.verdict(), refused.error_type()), (Verdict::GiveUp, "bad_request"));
    assert!(refused.message().contains("the service says: BadRequest"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_is_written_twice_is_there_once() {
    let place = Workplace::with_incidents(1).await;
    let client = sentinel(&place, &place.bench.config.workspace.name);
    let name = &place.names()[0];
    for _ in 0..2 {
        let written = client.put_comment(name, MISSING, "a word").await.unwrap();
        assert_eq!(read(&written)["properties"]["message"], "a word");
    }
    let comments = client.comments(name).await.unwrap();
    assert_eq!(comments.len(), 1);
    assert_eq!(read(&comments[0])["name"], MISSING);
    let missing = client.put_comment(MISSING, MISSING, "a word").await.unwrap_err();
    assert_eq!((missing.verdict(), missing.error_type()), (Verdict::GiveUp, "not_found"));
    assert_eq!(client.comments(MISSING).await.unwrap_err().error_type(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_not_there_is_not_taken_for_a_missing_incident() {
    let place = Workplace::with_incidents(1).await;
    let failure = sentinel(&place, "another-workspace").incident(MISSING).await.unwrap_err();
    assert_eq!(failure.verdict(), Verdict::Retry);
    assert!(failure.message().contains("workspace_name"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_which_role_writes() {
    let mut config = SimulatorConfig::default();
    config.workspace.initial = 1;
    config.roles.incidents = WorkspaceRole::Reader;
    let place = Workplace::start(config).await;
    let client = sentinel(&place, &place.bench.config.workspace.name);
    let failure = client.put_comment(&place.names()[0], MISSING, "a word").await.unwrap_err();
    assert_eq!(failure.verdict(), Verdict::Retry);
    assert!(failure.message().contains("Microsoft Sentinel Responder"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defender_incident_is_changed_and_commented() {
    let bench = Bench::with_incidents(1).await;
    let client = graph(&bench);
    let id = bench.simulator.tenant().current()[0].id.clone();
    assert_eq!(read(&client.incident(&id).await.unwrap().unwrap())["id"], id.as_str());
    assert_eq!(client.incident("999999").await.unwrap(), None);
    let patched = client.patch_incident(&id, json!({"status": "resolved"}).to_string().into()).await.unwrap();
    assert_eq!(read(&patched)["status"], "resolved");
    for n in 1..=2 {
        let comments = client.post_comment(&id, "größer").await.unwrap();
        assert_eq!(comments.len(), n);
        assert_eq!(read(&comments[n - 1])["comment"], "größer");
    }
    let refused = client.patch_incident(&id, json!({"status": "gone"}).to_string().into()).await.unwrap_err();
    assert_eq!(refused.verdict(), Verdict::GiveUp);
    assert!(refused.message().contains("the service says"), "{refused}");
    let missing = client.patch_incident("999999", json!({"status": "resolved"}).to_string().into()).await;
    assert_eq!(missing.unwrap_err().error_type(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_only_reads_is_told_which_permission_writes() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = 1;
    config.graph_permissions = vec!["SecurityIncident.Read.All".to_owned()];
    let bench = Bench::start(config).await;
    let id = bench.simulator.tenant().current()[0].id.clone();
    let failure = graph(&bench).post_comment(&id, "a word").await.unwrap_err();
    assert_eq!(failure.verdict(), Verdict::Retry);
    assert!(failure.message().contains("SecurityIncident.ReadWrite.All"), "{failure}");
}
