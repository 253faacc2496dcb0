//! A workspace with Microsoft Sentinel, and pipelines from its incidents into a table.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simulator::{ArmQuota, Dcr, SimulatorConfig};
use vector_sentinel::topology::Ended;

use crate::harness::{Bench, PATIENCE};

/// A bench whose table takes Sentinel's incidents.
pub(crate) struct Workplace {
    pub(crate) bench: Bench,
}

// === impl Workplace ===

impl Workplace {
    pub(crate) async fn start(mut config: SimulatorConfig) -> Self {
        let columns = [
            ("TimeGenerated", "datetime"),
            ("id_", "string"),
            ("name", "string"),
            ("etag", "string"),
            ("type_", "string"),
            ("properties", "dynamic"),
            ("comments", "dynamic"),
            ("ExtraColumns", "dynamic"),
            ("TruncatedColumns", "dynamic"),
        ]
        .map(|(name, kind)| json!({"name": name, "type": kind}));
        let rule = json!({
            "immutableId": "dcr-00000000000000000000000000000003",
            "streamDeclarations": {"Custom-SentinelIncidents_CL": {"columns": columns}},
        });
        config.dcr = Dcr::from_json(&rule.to_string()).unwrap();
        Self { bench: Bench::start(config).await }
    }

    /// With so many incidents, and nobody who counts requests.
    pub(crate) async fn with_incidents(initial: usize) -> Self {
        let mut config = SimulatorConfig::default();
        config.workspace.initial = initial;
        config.workspace.quota = ArmQuota::unlimited();
        Self::start(config).await
    }

    pub(crate) fn pipeline(&self) -> Value {
        let workspace = &self.bench.config.workspace;
        let mut sink = self.bench.sink();
        sink["inputs"] = json!(["incidents"]);
        json!({
            "data_dir": self.bench.path("data"),
            "sources": {"incidents": {
                "type": "sentinel_incidents",
                "auth": self.bench.auth(),
                "subscription_id": workspace.subscription_id,
                "resource_group": workspace.resource_group,
                "workspace_name": workspace.name,
                "endpoint": self.bench.simulator.url(),
                "tls": {"ca_file": self.bench.path("ca.pem")},
                "proxy": {"enabled": false},
                "poll_interval_secs": 1,
                "request": {"rate_limit_num": 100_000},
            }},
            "sinks": {"sentinel": sink},
        })
    }

    /// The names of all incidents, by their numbers.
    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.bench.simulator.workspace().state();
        state.iter().map(|incident| incident["name"].as_str().unwrap().to_owned()).collect()
    }

    /// How often each state of an incident is in the table.
    pub(crate) fn rows(&self) -> BTreeMap<(String, String), usize> {
        let mut rows = BTreeMap::new();
        for row in self.bench.simulator.rows() {
            *rows.entry(revision(&Value::from(row.columns))).or_default() += 1;
        }
        rows
    }

    /// The latest row of an incident.
    pub(crate) fn row(&self, name: &str) -> Value {
        self.latest().remove(name).unwrap()
    }

    /// The latest row of each incident.
    fn latest(&self) -> BTreeMap<String, Value> {
        let mut rows: Vec<_> =
            self.bench.simulator.rows().into_iter().map(|row| Value::from(row.columns)).collect();
        rows.sort_by_cached_key(revision);
        rows.into_iter().map(|row| (revision(&row).0, row)).collect()
    }

    /// Waits until the state that each incident is in now is ingested.
    pub(crate) async fn caught_up(&self) {
        let arrived = async {
            loop {
                let changed = self.bench.simulator.changed();
                let rows = self.rows();
                let state = self.bench.simulator.workspace().state();
                if state.iter().all(|incident| rows.contains_key(&revision(incident))) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, arrived).await;
        waited.unwrap_or_else(|_| panic!("not everything arrived: {:#?}", self.bench.simulator.stats()));
    }

    /// Runs a pipeline until all has arrived, and asserts that it did exactly once.
    pub(crate) async fn runs_through(&self, pipeline: &Value) {
        let running = self.bench.run(pipeline);
        self.caught_up().await;
        assert_eq!(running.stop().await, Ended::Drained);
        self.assert_exactly_once();
    }

    /// Asserts that no state is in the table twice, that the latest of each is there as Microsoft has it, with its comments,
    /// and that no column vanished.
    pub(crate) fn assert_exactly_once(&self) {
        let twice: Vec<_> = self.rows().into_iter().filter(|(_, times)| *times != 1).collect();
        assert_eq!(twice, [], "states that arrived more than once");
        let latest = self.latest();
        for incident in self.bench.simulator.workspace().state() {
            let row = &latest[incident["name"].as_str().unwrap()];
            for (column, member) in [
                ("id_", "id"),
                ("etag", "etag"),
                ("type_", "type"),
                ("properties", "properties"),
                ("comments", "comments"),
            ] {
                assert_eq!(row[column], incident[member], "{column}");
            }
        }
        assert_eq!(self.bench.simulator.stats().columns_vanished, BTreeMap::new());
    }
}

fn revision(incident: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&incident["name"]), text(&incident["properties"]["lastModifiedTimeUtc"]))
}
