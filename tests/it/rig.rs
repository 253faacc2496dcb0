//! The program and a Vector beside it, with a pipeline of ours and stock components between simulated services:
//!
//! `defender_incidents` → `remap` → `sentinel_logs`, and a stock `file` source into the same sink.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::SimulatorConfig;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::fake_vector::{FakeVector, certificates_in, free_address};
use crate::harness::{Bench, PATIENCE, program};

/// Which Vector.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// The stock one, at this path, run by us.
    Real(PathBuf),
    /// The stock one, run by the test on what `render` prints; the program is run with `--no-vector`.
    Sidecar(PathBuf),
    /// One in this process; the program is run with `--no-vector`.
    Fake,
}

pub(crate) struct Rig {
    pub(crate) bench: Bench,
    peer: Peer,
    pub(crate) pipeline: Value,
    /// More of them for `run`.
    pub(crate) arguments: Vec<String>,
    lines: usize,
    plugin: Option<Child>,
    pub(crate) fake: FakeVector,
    running_fake: JoinSet<()>,
    sidecar: Option<Child>,
}

// === impl Rig ===

impl Rig {
    /// Nothing runs yet. `lines` stand in the file; `sink` has further options of the sink.
    pub(crate) async fn new(peer: &Peer, incidents: usize, lines: &[Vec<u8>], sink: Value) -> Self {
        let mut config = SimulatorConfig::default();
        config.incidents.initial = incidents;
        let bench = Bench::start(config).await;
        std::fs::write(bench.path("lines.log"), [lines.join(&b'\n'), vec![b'\n']].concat()).unwrap();
        let fake = FakeVector {
            certificates: bench.path("data/vector-link"),
            source: free_address(),
            sink: free_address(),
            path: "/sinks/sentinel".to_owned(),
            lines: bench.path("lines.log"),
            checkpoint: std::sync::Arc::default(),
        };
        let columns = bench.config.dcr.streams.values().next().unwrap().keys();
        let columns: Vec<_> = columns.filter(|column| *column != "TenantId").cloned().collect();
        let mut pipeline = json!({
            "data_dir": bench.path("data"),
            "sources": {
                "defender": bench.source(),
                "lines": {"type": "file", "include": [bench.path("lines.log")], "max_line_bytes": 10_000_000},
            },
            "transforms": {"enrich": {"type": "remap", "inputs": ["defender"], "source": ".enriched = true"}},
            "sinks": {"sentinel": bench.sink()},
        });
        let sentinel = &mut pipeline["sinks"]["sentinel"];
        sentinel["inputs"] = json!(["enrich", "lines"]);
        sentinel["columns"] = json!(columns);
        for (name, value) in sink.as_object().unwrap() {
            sentinel[name] = value.clone();
        }
        if !matches!(peer, Peer::Real(_)) {
            pipeline["sinks"]["sentinel"]["vector"] = json!({"address": fake.sink});
            pipeline["sources"]["defender"]["vector"] = json!({"address": fake.source});
        }
        std::fs::create_dir(bench.path("data")).unwrap();
        let (plugin, running_fake, sidecar) = (None, JoinSet::new(), None);
        Self {
            bench,
            peer: peer.clone(),
            pipeline,
            arguments: Vec::new(),
            lines: lines.len(),
            plugin,
            fake,
            running_fake,
            sidecar,
        }
    }

    pub(crate) async fn start(&mut self) {
        self.start_plugin();
        self.start_vector().await;
    }

    pub(crate) fn start_plugin(&mut self) {
        let mut command = program();
        command.args(["run", "-c"]).arg(self.bench.file(&self.pipeline)).args(&self.arguments);
        match &self.peer {
            Peer::Real(binary) => command.env("VECTOR_BIN", binary),
            Peer::Sidecar(_) | Peer::Fake => command.arg("--no-vector"),
        };
        self.plugin = Some(self.logged(&mut command).spawn().unwrap());
    }

    fn logged<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null())
    }

    /// Starts Vector, unless the program does.
    pub(crate) async fn start_vector(&mut self) {
        match &self.peer {
            Peer::Real(_) => {}
            Peer::Sidecar(binary) => {
                certificates_in(&self.fake.certificates).await;
                let rendered =
                    program().arg("render").arg(self.bench.path("pipeline.json")).output().await.unwrap();
                assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
                std::fs::write(self.bench.path("vector.yaml"), rendered.stdout).unwrap();
                let mut command = Command::new(binary);
                command.arg("--config").arg(self.bench.path("vector.yaml")).kill_on_drop(true);
                self.sidecar = Some(self.logged(&mut command).spawn().unwrap());
            }
            Peer::Fake => {
                certificates_in(&self.fake.certificates).await;
                self.running_fake = self.fake.start().await;
            }
        }
    }

    pub(crate) async fn kill_plugin(&mut self) {
        self.plugin.as_mut().unwrap().kill().await.unwrap();
    }

    /// Kills Vector; the real one is started anew by the program, the fake must be by the test.
    pub(crate) async fn kill_vector(&mut self) {
        match &self.peer {
            Peer::Real(_) => {
                let pid = self.vector_pid().await;
                let killed = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
                assert!(killed.success());
                // Until the program has seen it, that is still the process that it names.
                let seen = async {
                    while self.vector_pid().await == pid {
                        Clock::system().sleep(Duration::from_millis(20)).await;
                    }
                };
                tokio::time::timeout(PATIENCE, seen).await.expect("nobody starts Vector again");
            }
            Peer::Sidecar(_) => self.sidecar.as_mut().unwrap().kill().await.unwrap(),
            Peer::Fake => self.running_fake.shutdown().await,
        }
    }

    /// The process of the real Vector, as soon as there is one.
    pub(crate) async fn vector_pid(&self) -> String {
        let noted = async {
            loop {
                let text = std::fs::read_to_string(self.bench.path("data/vector-run/vector.pid"));
                if let Ok(pid) = text
                    && !pid.is_empty()
                {
                    return pid;
                }
                Clock::system().sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, noted).await.expect("Vector does not start")
    }

    /// Sends SIGTERM and waits; answers the exit code.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        let pid = self.plugin.as_ref().unwrap().id().unwrap().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        self.ended().await
    }

    /// Waits until the program has ended; answers the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let plugin = self.plugin.as_mut().unwrap();
        let ended = tokio::time::timeout(PATIENCE, plugin.wait()).await.expect("it does not stop");
        ended.unwrap().code()
    }

    /// Writes the pipeline file anew and sends SIGHUP.
    pub(crate) fn reload(&self) {
        self.bench.file(&self.pipeline);
        let pid = self.plugin.as_ref().unwrap().id().unwrap().to_string();
        std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    }

    /// Waits until the log has these words.
    pub(crate) async fn says(&self, words: &str) {
        self.says_times(words, 1).await;
    }

    /// Waits until the log has these words so many times.
    pub(crate) async fn says_times(&self, words: &str, times: usize) {
        let said = async {
            while std::fs::read_to_string(self.log()).unwrap().matches(words).count() < times {
                Clock::system().sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, said).await;
        assert!(waited.is_ok(), "never said {words:?}: {}", std::fs::read_to_string(self.log()).unwrap());
    }

    /// How often each line has arrived.
    pub(crate) fn arrived(&self) -> BTreeMap<String, usize> {
        let mut arrived = BTreeMap::new();
        for row in self.bench.simulator.rows() {
            let Some(extra) = row.columns.get("ExtraColumns") else { continue };
            if let Some(message) = extra["message"].as_str() {
                *arrived.entry(message.to_owned()).or_default() += 1;
            } else {
                assert_eq!(extra["enriched"], true, "an incident goes through the transform");
            }
        }
        arrived
    }

    /// Waits until every line but so many, and every incident, is in the table.
    pub(crate) async fn all_arrived_but(&self, kept: usize, patience: Duration) {
        let expected = self.lines - kept + self.bench.simulator.tenant().len();
        let enough = self.bench.simulator.wait_until(|stats| stats.rows_ingested >= expected as u64);
        let all = async {
            enough.await;
            loop {
                let changed = self.bench.simulator.changed();
                if self.arrived().len() >= self.lines - kept && self.bench.simulator.missing().is_empty() {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            let log = std::fs::read_to_string(self.log()).unwrap();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            panic!(
                "{} of {} lines arrived; {:#?}\n{}",
                self.arrived().len(),
                self.lines,
                self.bench.simulator.stats(),
                tail.join("\n")
            );
        }
    }

    /// Asserts that every line and every incident is there, and answers how many rows came more than once.
    pub(crate) fn duplicates(&self) -> usize {
        let lines: usize = self.arrived().values().map(|times| times - 1).sum();
        let stats = self.bench.simulator.stats();
        lines + usize::try_from(stats.duplicate_rows).unwrap()
    }

    pub(crate) fn plugin_rss_kb(&self) -> u64 {
        rss_kb(&self.plugin.as_ref().unwrap().id().unwrap().to_string())
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.bench.path("run.log")
    }
}

impl Drop for Rig {
    /// A Vector whose supervisor was killed goes on, which is right, but not after a test.
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.bench.path("data/vector-run/vector.pid")).unwrap_or_default();
        if !pid.is_empty() {
            std::process::Command::new("kill").args(["-9", &pid]).status().ok();
        }
    }
}

/// What a process has in memory.
pub(crate) fn rss_kb(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// So many different lines.
pub(crate) fn lines(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("line {n} of a log that says nothing much").into_bytes()).collect()
}
