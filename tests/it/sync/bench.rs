//! A simulator, and the program that keeps its two sides in sync.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use simulator::{ArmQuota, Simulator, SimulatorConfig, Stats, Tenant, Workspace, WriteKind};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use crate::harness::{Bench, PATIENCE, program, real_vector, spawn};

/// A simulator, and pipelines that keep its two sides in sync.
pub(crate) struct SyncBench {
    pub(crate) bench: Bench,
}

/// The program, running.
pub(crate) struct Program {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
}

/// The text at a place, or none.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of an incident's comments, in Sentinel.
pub(crate) fn messages(incident: &Value) -> Vec<&str> {
    let comments = incident["comments"].as_array().unwrap().iter();
    comments.map(|comment| text(comment, "/properties/message")).collect()
}

/// The texts of an incident's comments, in Defender.
pub(crate) fn remarks(incident: &Value) -> Vec<&str> {
    let comments = incident["comments"].as_array().unwrap().iter();
    comments.map(|comment| text(comment, "/comment")).collect()
}

/// The incident's labels in Sentinel, in order.
pub(crate) fn labels(incident: &Value) -> Vec<&str> {
    let labels = incident["properties"]["labels"].as_array().unwrap().iter();
    let mut labels: Vec<_> = labels.map(|label| text(label, "/labelName")).collect();
    labels.sort_unstable();
    labels
}

fn merged(parts: &[&Value]) -> Value {
    let fields = parts.iter().flat_map(|part| part.as_object().unwrap().clone());
    Value::Object(fields.collect::<Map<_, _>>())
}

// === impl SyncBench ===

impl SyncBench {
    pub(crate) async fn start(mut config: SimulatorConfig) -> Self {
        config.workspace.quota = ArmQuota::unlimited();
        Self { bench: Bench::start(config).await }
    }

    /// One with so many incidents in Defender: active, nobody's, unclassified.
    pub(crate) async fn with_incidents(count: usize) -> Self {
        let sync = Self::start(SimulatorConfig::default()).await;
        sync.tenant().create(count);
        sync
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        &self.bench.simulator
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        self.bench.simulator.tenant()
    }

    pub(crate) fn workspace(&self) -> Workspace<'_> {
        self.bench.simulator.workspace()
    }

    /// The id of the only incident in Defender.
    pub(crate) fn id(&self) -> String {
        text(&self.tenant().state()[0], "/id").to_owned()
    }

    /// The name of the only incident in Sentinel.
    pub(crate) fn name(&self) -> String {
        text(&self.workspace().state()[0], "/name").to_owned()
    }

    /// Somebody whom the directory knows.
    pub(crate) fn analyst(&self, nth: usize) -> String {
        self.bench.config.workspace.users[nth].user_principal_name.clone()
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

    /// The pipeline with these options for `sync`.
    pub(crate) fn with_sync(&self, sync: &Value) -> Value {
        self.pipeline(sync, &json!({}), &json!({}))
    }

    /// The pipeline as simple as it can be.
    pub(crate) fn plain(&self) -> Value {
        self.with_sync(&json!({}))
    }

    /// Runs the program on a pipeline.
    pub(crate) fn run(&self, pipeline: &Value) -> Program {
        self.run_with(pipeline, &[])
    }

    /// Runs the program on a pipeline, with further arguments.
    pub(crate) fn run_with(&self, pipeline: &Value, arguments: &[&str]) -> Program {
        let file = self.bench.file(pipeline);
        let arguments = [&["run", "-c", file.to_str().unwrap()], arguments].concat();
        Program::of(spawn(&arguments))
    }

    /// Runs the program with the real Vector beside it.
    pub(crate) fn run_beside_vector(&self, pipeline: &Value) -> Option<Program> {
        let vector = real_vector()?;
        let file = self.bench.file(pipeline);
        let file = file.to_str().unwrap();
        Some(Program::of(spawn(&["run", "--vector-bin", vector.to_str().unwrap(), "-c", file])))
    }

    /// Runs the pipeline until both sides have every incident, and stops it.
    pub(crate) async fn brought_together(&self, pipeline: &Value) {
        let running = self.run(pipeline);
        self.until("all incidents in Sentinel", |defender, sentinel| sentinel.len() == defender.len()).await;
        self.quiet().await;
        running.stop().await;
    }

    /// Waits until `condition` holds of both sides' incidents.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&[Value], &[Value]) -> bool) {
        let simulator = &self.bench.simulator;
        let came =
            simulator.wait_until(|_| condition(&simulator.tenant().state(), &simulator.workspace().state()));
        let waited = tokio::time::timeout(PATIENCE, came).await;
        waited.unwrap_or_else(|_| {
            let (defender, sentinel) = (simulator.tenant().state(), simulator.workspace().state());
            panic!("{what} did not come to be: {defender:#?} {sentinel:#?} {:#?}", simulator.writes());
        });
    }

    /// Waits until both sources have looked several times: what was done before is taken in then.
    pub(crate) async fn several_looks(&self) {
        self.looks(3).await;
    }

    async fn looks(&self, times: u64) {
        let before = self.bench.simulator.stats();
        let both = |stats: &Stats| {
            stats.defender_lists >= before.defender_lists + times
                && stats.sentinel_lists >= before.sentinel_lists + times
        };
        self.bench.until(both).await;
    }

    /// Waits until what was done is written, and then nothing more, however often the sources look.
    pub(crate) async fn quiet(&self) {
        self.several_looks().await;
        for _ in 0..8 {
            let before = self.bench.simulator.writes().len();
            self.looks(2).await;
            if self.bench.simulator.writes().len() == before {
                return;
            }
        }
        panic!("it never comes to rest: {:#?}", self.bench.simulator.writes());
    }

    /// How many writes of a kind there were.
    pub(crate) fn count(&self, kind: WriteKind) -> usize {
        self.bench.simulator.writes().iter().filter(|write| write.kind == kind).count()
    }

    /// What `sync status --json` prints, and its exit code.
    pub(crate) async fn status(&self) -> (Vec<Value>, i32) {
        let (out, _, code) = self.cli(&["sync", "status", "--json"]).await;
        (out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), code)
    }

    /// Waits until `sync status` shows both directions, and is so.
    pub(crate) async fn until_status(&self, condition: impl Fn(&[Value], i32) -> bool) -> Vec<Value> {
        let asked = async {
            loop {
                let (status, code) = self.status().await;
                if status.len() == 2 && condition(&status, code) {
                    return status;
                }
                // The sources look every second, so this comes.
                self.bench.simulator.changed().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, asked).await;
        let Ok(status) = waited else { panic!("sync status is not so: {:#?}", self.status().await) };
        status
    }

    /// What a command of the program that takes `--data-dir` prints, on both streams, and its exit code.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> (String, String, i32) {
        let data_dir = self.bench.path("data");
        let output = program().args(arguments).arg("--data-dir").arg(data_dir).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }

    /// Lines of the quarantine of a sink.
    pub(crate) fn quarantine(&self, sink: &str) -> Vec<Value> {
        let file = self.bench.path(&format!("data/quarantine/{sink}/000001.ndjson"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything that the pipeline remembers is gone.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(self.bench.path("data")).unwrap();
    }

    /// A file of owners.
    pub(crate) fn owners(&self, text: &str) -> PathBuf {
        let path = self.bench.path("owners.yaml");
        std::fs::write(&path, text).unwrap();
        path
    }
}

// === impl Program ===

impl Program {
    fn of(mut child: Child) -> Self {
        let (said, lines) = watch::channel(Vec::new());
        for stream in [
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn AsyncRead + Send + Unpin>),
            child.stdout.take().map(|stream| Box::new(stream) as _),
        ] {
            let (mut read, said) = (BufReader::new(stream.unwrap()).lines(), said.clone());
            tokio::spawn(async move {
                while let Ok(Some(line)) = read.next_line().await {
                    said.send_modify(|lines: &mut Vec<String>| lines.push(line));
                }
            });
        }
        Self { child, lines }
    }

    /// The lines so far that have all these words.
    pub(crate) fn said(&self, words: &[&str]) -> Vec<String> {
        let lines = self.lines.borrow();
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
    }

    /// Waits until a line has all these words, and answers it.
    pub(crate) async fn says(&self, words: &[&str]) -> String {
        let mut lines = self.lines.clone();
        let is_it = |line: &String| words.iter().all(|word| line.contains(word));
        let came = lines.wait_for(|lines| lines.iter().any(is_it));
        let waited = tokio::time::timeout(PATIENCE, came).await.is_ok_and(|came| came.is_ok());
        assert!(waited, "never said {words:?}: {}", self.lines.borrow().join("\n"));
        self.said(words).remove(0)
    }

    /// Sends SIGTERM and waits; it ends in order. Answers what it said.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        let pid = self.child.id().unwrap().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it does not stop");
        // Until both streams are read to their ends.
        while self.lines.changed().await.is_ok() {}
        let lines = self.lines.borrow().clone();
        assert_eq!(ended.unwrap().code(), Some(0), "{}", lines.join("\n"));
        lines
    }
}
