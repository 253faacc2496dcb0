//! Incidents in sync, both ways: what somebody sees who works on either side.

use serde_json::{Value, json};
use vector_sentinel::simulator::{SimulatorConfig, WriteKind};
use vector_sentinel::topology::Ended;

use crate::harness::{Bench, PATIENCE};

/// A simulator, and pipelines that keep its two sides in sync.
pub(crate) struct SyncBench {
    pub(crate) bench: Bench,
}

impl SyncBench {
    pub(crate) async fn start(mut config: SimulatorConfig) -> Self {
        config.workspace.quota = vector_sentinel::simulator::ArmQuota::unlimited();
        Self { bench: Bench::start(config).await }
    }

    fn at(&self) -> Value {
        json!({
            "auth": self.bench.auth(),
            "endpoint": self.bench.simulator.url(),
            "tls": {"ca_file": self.bench.path("ca.pem")},
            "proxy": {"enabled": false},
            "request": {"rate_limit_num": 100_000},
        })
    }

    fn of_workspace(&self) -> Value {
        let workspace = &self.bench.config.workspace;
        json!({
            "subscription_id": workspace.subscription_id,
            "resource_group": workspace.resource_group,
            "workspace_name": workspace.name,
        })
    }

    /// The pipeline, with more options for `sync` on both sinks and `write` on each.
    pub(crate) fn pipeline(&self, sync: &Value, to_sentinel: &Value, to_defender: &Value) -> Value {
        let merged = |parts: &[&Value]| {
            let fields = parts.iter().flat_map(|part| part.as_object().unwrap().clone());
            Value::Object(fields.collect())
        };
        let poll = json!({"poll_interval_secs": 1});
        let source = |kind: &str| json!({"type": kind});
        let sink = |kind: &str, input: &str, write: &Value| json!({"type": kind, "inputs": [input], "sync": sync, "write": write});
        json!({
            "data_dir": self.bench.path("data"),
            "sources": {
                "defender": merged(&[&source("defender_incidents"), &poll, &self.at()]),
                "sentinel": merged(&[&source("sentinel_incidents"), &poll, &self.at(), &self.of_workspace()]),
            },
            "sinks": {
                "to_sentinel": merged(&[
                    &sink("sentinel_incidents", "defender", to_sentinel), &self.at(), &self.of_workspace(),
                ]),
                "to_defender": merged(&[&sink("defender_incidents", "sentinel", to_defender), &self.at()]),
            },
        })
    }

    /// Waits until `condition` holds of both sides' incidents.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&[Value], &[Value]) -> bool) {
        let simulator = &self.bench.simulator;
        let came = async {
            loop {
                let changed = simulator.changed();
                if condition(&simulator.tenant().state(), &simulator.workspace().state()) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, came).await;
        waited.unwrap_or_else(|_| {
            let (defender, sentinel) = (simulator.tenant().state(), simulator.workspace().state());
            panic!("{what} did not come to be: {defender:#?} {sentinel:#?} {:#?}", simulator.writes());
        });
    }
}

impl SyncBench {
    /// Waits until both sources have looked several times.
    pub(crate) async fn several_looks(&self) {
        let looks = self.bench.simulator.stats().graph_requests;
        self.bench.until(|stats| stats.graph_requests > looks + 4).await;
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_on_one_side_is_seen_on_the_other_and_causes_nothing_more() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = 1;
    let sync = SyncBench::start(config).await;
    let (tenant, workspace) = (sync.bench.simulator.tenant(), sync.bench.simulator.workspace());
    let running = sync.bench.run(&sync.pipeline(&json!({}), &json!({}), &json!({})));
    sync.until("the incident in Sentinel", |_, sentinel| sentinel.len() == 1).await;
    let id = text(&tenant.state()[0], "/id").to_owned();
    let name = text(&workspace.state()[0], "/name").to_owned();
    let owner = sync.bench.config.workspace.users[0].user_principal_name.clone();

    // Defender's analyst works.
    tenant
        .edit(&id, &json!({"status": "inProgress", "assignedTo": owner, "customTags": ["vip"]}), "ann")
        .unwrap();
    assert!(tenant.comment(&id, "looking into it", "ann"));
    sync.until("Defender's changes in Sentinel", |_, sentinel| {
        let incident = &sentinel[0];
        text(incident, "/properties/status") == "Active"
            && text(incident, "/properties/owner/userPrincipalName") == owner
            && text(incident, "/properties/labels/0/labelName") == "vip"
            && text(incident, "/comments/0/properties/message").contains("looking into it")
    })
    .await;

    // Sentinel's analyst closes it.
    workspace.comment(&name, "a false alarm", "ben").unwrap();
    workspace.close(&name, "FalsePositive", Some("IncorrectAlertLogic")).unwrap();
    sync.until("Sentinel's changes in Defender", |defender, _| {
        let incident = &defender[0];
        let comments = incident["comments"].as_array().unwrap();
        text(incident, "/status") == "resolved"
            && text(incident, "/classification") == "falsePositive"
            && text(incident, "/determination") == "notMalicious"
            && comments.len() == 2
            && text(&comments[1], "/comment").starts_with("ben, ")
            && text(&comments[1], "/comment").ends_with("in Sentinel:\na false alarm")
    })
    .await;

    // And opens it again, on the other side.
    tenant.reopen(&id, "ann").unwrap();
    sync.until("the incident open again", |_, sentinel| text(&sentinel[0], "/properties/status") != "Closed")
        .await;

    let writes = sync.bench.simulator.writes().len();
    sync.several_looks().await;
    let after = sync.bench.simulator.writes();
    assert_eq!(after.len(), writes, "a quiet system writes nothing: {after:#?}");
    let count = |kind| after.iter().filter(|write| write.kind == kind).count();
    assert_eq!((count(WriteKind::SentinelCreated), count(WriteKind::SentinelCommented)), (1, 1));
    assert_eq!(count(WriteKind::DefenderCommented), 1);
    assert_eq!(running.stop().await, Ended::Drained);
}
