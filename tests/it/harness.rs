//! A simulator, a directory, and pipelines between them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{Fault, Revision, Simulator, SimulatorConfig, Stats};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vector_sentinel::component::{Registered, Validation};
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::plan;
use vector_sentinel::topology::{Ended, Topology, VectorMode};

/// A test that waits longer than this for anything has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// An answer in the place of the real one.
pub(crate) fn status(code: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status { code, retry_after: retry_after.map(str::to_owned), body: None }
}

/// A component of these options, whatever stands beside them in a pipeline file.
pub(crate) fn checked<C: Registered>(mut options: Value, proxy: &ProxyConfig) -> C {
    for name in ["type", "inputs"] {
        options.as_object_mut().unwrap().remove(name);
    }
    let config = serde_json::from_value(options).unwrap();
    let path = format!("{}.checked", C::KIND.section());
    C::validate(config, &Validation { path, proxy, peers: &[] }).unwrap()
}

/// Every way in which a request of a source can go wrong.
pub(crate) fn every_fault() -> [Fault; 8] {
    [
        Fault::Reset,
        Fault::ResetAfter,
        Fault::CutBody,
        Fault::ExpireToken,
        status(500, None),
        status(503, Some("0.1")),
        status(429, Some("0.128")),
        status(410, None),
    ]
}

/// A running simulator and a place for files.
pub(crate) struct Bench {
    pub(crate) simulator: Simulator,
    pub(crate) config: SimulatorConfig,
    pub(crate) dir: TempDir,
}

/// A pipeline that runs in this process.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Ended>,
}

// === impl Bench ===

impl Bench {
    pub(crate) async fn start(config: SimulatorConfig) -> Self {
        // Tests are about the pipeline, so the quota is not in the way unless a test wants it.
        let config = SimulatorConfig { graph_requests_per_minute: 100_000, ..config };
        Self::with_quota(config).await
    }

    pub(crate) async fn with_quota(config: SimulatorConfig) -> Self {
        let simulator = Simulator::start(config.clone(), Clock::system()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), simulator.ca_pem()).unwrap();
        Self { simulator, config, dir }
    }

    pub(crate) async fn with_incidents(initial: usize) -> Self {
        let mut config = SimulatorConfig::default();
        config.incidents.initial = initial;
        Self::start(config).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn auth(&self) -> Value {
        json!({
            "azure_credential_kind": "client_secret_credential",
            "azure_tenant_id": self.config.tenant_id,
            "azure_client_id": self.config.client_id,
            "azure_client_secret": self.config.client_secret,
            "authority_host": self.simulator.url(),
        })
    }

    pub(crate) fn source(&self) -> Value {
        json!({
            "type": "defender_incidents",
            "auth": self.auth(),
            "endpoint": self.simulator.url(),
            "tls": {"ca_file": self.path("ca.pem")},
            "proxy": {"enabled": false},
            "poll_interval_secs": 1,
            "request": {"rate_limit_num": 100_000},
        })
    }

    pub(crate) fn sink(&self) -> Value {
        json!({
            "type": "sentinel_logs",
            "inputs": ["defender"],
            "auth": self.auth(),
            "endpoint": self.simulator.url(),
            "management_endpoint": self.simulator.url(),
            "dcr_immutable_id": self.config.dcr.immutable_id,
            "stream_name": self.config.dcr.streams.keys().next().unwrap(),
            "tls": {"ca_file": self.path("ca.pem")},
            "proxy": {"enabled": false},
        })
    }

    pub(crate) fn pipeline(&self) -> Value {
        json!({
            "data_dir": self.path("data"),
            "sources": {"defender": self.source()},
            "sinks": {"sentinel": self.sink()},
        })
    }

    /// Writes a pipeline file and answers its path.
    pub(crate) fn file(&self, pipeline: &Value) -> PathBuf {
        let path = self.path("pipeline.json");
        std::fs::write(&path, pipeline.to_string()).unwrap();
        path
    }

    /// Runs a pipeline in this process.
    pub(crate) fn run(&self, pipeline: &Value) -> Running {
        self.run_at(pipeline, Clock::system())
    }

    /// Runs a pipeline in this process until all has arrived, and asserts that it did exactly once.
    pub(crate) async fn runs_through(&self, pipeline: &Value) {
        let running = self.run(pipeline);
        self.caught_up().await;
        assert_eq!(running.stop().await, Ended::Drained);
        self.assert_exactly_once();
    }

    /// Runs a pipeline in this process, on a machine with another clock.
    pub(crate) fn run_at(&self, pipeline: &Value, clock: Clock) -> Running {
        let environment = BTreeMap::new();
        let file = pipeline_file::read(&[self.file(pipeline)], &environment).unwrap();
        let graph = pipeline_file::component_graph(&file, &catalogue());
        let plan = plan::plan(&graph, &environment).unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let task = tokio::spawn(async move {
            let (connector, mut rng) = (Connector::new(clock.clone()), fastrand::Rng::with_seed(1));
            let topology =
                Topology::build(&plan, VectorMode::None, &connector, &mut rng, false).await.unwrap();
            topology.run(stopped, async { clock.sleep(PATIENCE).await }).await
        });
        Running { stop, task }
    }

    /// Waits until the state that each incident is in now is ingested.
    pub(crate) async fn caught_up(&self) {
        let arrived = async {
            loop {
                let changed = self.simulator.changed();
                let rows = self.rows();
                if self.simulator.tenant().current().iter().all(|revision| rows.contains_key(revision)) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, arrived).await;
        waited.unwrap_or_else(|_| panic!("not everything arrived: {:#?}", self.simulator.stats()));
    }

    /// Waits until the simulator's counters fulfil `condition`.
    pub(crate) async fn until(&self, condition: impl Fn(&Stats) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.simulator.wait_until(condition)).await;
        waited.unwrap_or_else(|_| panic!("it did not come to be: {:#?}", self.simulator.stats()));
    }

    /// How often each revision is in the table.
    pub(crate) fn rows(&self) -> BTreeMap<Revision, usize> {
        let mut rows = BTreeMap::new();
        for row in self.simulator.rows() {
            let text = |name: &str| row.columns[name].as_str().unwrap().to_owned();
            let revision = Revision { id: text("id_"), last_update: text("lastUpdateDateTime") };
            *rows.entry(revision).or_default() += 1;
        }
        rows
    }

    /// Asserts that every revision that was served is in the table exactly once, and lost no column.
    pub(crate) fn assert_exactly_once(&self) {
        assert_eq!(self.simulator.missing(), [], "revisions that were served and did not arrive");
        let twice: Vec<_> = self.rows().into_iter().filter(|(_, times)| *times != 1).collect();
        assert_eq!(twice, [], "revisions that arrived more than once");
        assert_eq!(self.simulator.stats().columns_vanished, BTreeMap::new());
    }

    /// Lines of the quarantine of `sentinel`.
    pub(crate) fn quarantine(&self) -> Vec<Value> {
        let Ok(files) = std::fs::read_dir(self.path("data/quarantine/sentinel")) else { return Vec::new() };
        let files = files.map(|file| file.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|e| e == "ndjson")).collect();
        files.sort();
        let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        // A line is there when its end is.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

// === impl Running ===

impl Running {
    /// Stops the pipeline as a signal would, and waits for it.
    pub(crate) async fn stop(self) -> Ended {
        drop(self.stop);
        tokio::time::timeout(PATIENCE, self.task).await.expect("the pipeline does not stop").unwrap()
    }
}

/// The program itself, without this process' environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vector-sentinel"));
    command.env_clear().kill_on_drop(true);
    command
}

/// The program itself, started.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    program().args(arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Says that something was not tested: past the test runner, which hides what tests print that pass.
pub(crate) fn skipped(why: &str) {
    let line = format!("\nSKIPPED: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A stock Vector, if there is one: the file that `VECTOR_BIN` names, or `vector` of the `PATH`.
pub(crate) fn real_vector() -> Option<PathBuf> {
    let named = std::env::var_os("VECTOR_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).map(|dir| dir.join("vector")).find(|file| file.is_file());
    let found = named.or_else(on_path);
    if found.is_none() {
        skipped("there is no Vector: set VECTOR_BIN, or put it on the PATH");
    }
    found
}
