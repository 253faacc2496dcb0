use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Pid;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Launch, Prepare, Supervisor, SupervisorCommand, SupervisorEnded, SupervisorState};
use crate::binary::Binary;
use runtime::clock::Clock;

mod leftover;
mod real_vector;
mod supervisor;

/// What a fake Vector does: notes what it is given and told, does what the file `first` says, and waits. What it starts
/// itself goes with its group, or soon by itself.
const SCRIPT: &str = r#"
[ "$1" = --version ] && { echo vector 0.57.0; exit; }
trap 'echo hangup >>log' HUP
trap 'echo terminate >>log; kill $!; exit 0' TERM
echo "start $*" >>log
. ./first
echo ready >>log
while :; do sleep 30 </dev/null >/dev/null 2>&1 & wait $!; done
"#;

/// Long enough for anything that happens at all, on any machine.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);

/// A fake Vector in a directory, and what supervises it.
struct Bench {
    dir: TempDir,
    commands: mpsc::Sender<SupervisorCommand>,
    state: watch::Receiver<SupervisorState>,
    /// When each start was prepared.
    prepared: mpsc::UnboundedReceiver<Instant>,
    run: JoinHandle<Result<SupervisorEnded, String>>,
}

struct Ready {
    prepared: mpsc::UnboundedSender<Instant>,
    clock: Clock,
}

#[async_trait]
impl Prepare for Ready {
    async fn prepare(&mut self) -> Result<(), String> {
        self.prepared.send(self.clock.monotonic()).map_err(|_| "nobody counts".to_owned())
    }
}

/// A directory with a fake Vector that begins with `first`.
fn fake(first: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/tests/fake_vector.sh");
    std::os::unix::fs::symlink(program, dir.path().join("vector")).unwrap();
    std::fs::write(dir.path().join("script"), SCRIPT).unwrap();
    std::fs::write(dir.path().join("first"), format!("{first}\n")).unwrap();
    std::fs::write(dir.path().join("log"), "").unwrap();
    dir
}

async fn launch(vector: &Path, config: PathBuf) -> Launch {
    let binary = Binary::find(Some(vector), &BTreeMap::new(), &Clock::system()).await.unwrap();
    let shutdown_limit = Duration::from_secs(20);
    Launch { binary, config, allow_env: false, json_logs: false, log: None, shutdown_limit }
}

fn supervise(dir: TempDir, launch: Launch) -> Bench {
    let clock = Clock::system();
    let (sender, prepared) = mpsc::unbounded_channel();
    let ready = Ready { prepared: sender, clock: clock.clone() };
    let supervisor = Supervisor::new(launch, Box::new(ready), clock, fastrand::Rng::with_seed(7));
    let (commands, inbox) = mpsc::channel(4);
    let state = supervisor.state();
    Bench { dir, commands, state, prepared, run: tokio::spawn(supervisor.run(inbox)) }
}

async fn run(dir: TempDir) -> Bench {
    let launch = launch(&dir.path().join("vector"), dir.path().join("vector.yaml")).await;
    supervise(dir, launch)
}

/// Waits until a file says something. The file of another process is no event, so it is looked at again and again.
async fn says(path: &Path, expected: &str) -> String {
    // The wall's time: tokio's may stand still.
    let clock = Clock::system();
    let began = clock.now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.contains(expected) {
            return text;
        }
        assert!(clock.now() - began < PATIENCE, "{expected} is not in {}: {text}", path.display());
        clock.sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a process that is not ours to wait for has ended. One whose status nobody collects has no command line.
async fn ends(pid: &str) {
    let clock = Clock::system();
    let began = clock.now();
    while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| !command.is_empty()) {
        assert!(clock.now() - began < PATIENCE, "{pid} still lives");
        clock.sleep(Duration::from_millis(5)).await;
    }
}

// === impl Bench ===

impl Bench {
    async fn logs(&self, expected: &str) -> String {
        says(&self.dir.path().join("log"), expected).await
    }

    async fn tell(&self, command: SupervisorCommand) {
        self.commands.send(command).await.unwrap();
    }

    async fn runs(&mut self) -> Pid {
        loop {
            if let SupervisorState::Running { pid } = *self.state.borrow_and_update() {
                return Pid::from_raw(pid).unwrap();
            }
            self.state.changed().await.unwrap();
        }
    }

    async fn ended(self) -> (Result<SupervisorEnded, String>, String) {
        let ended = self.run.await.unwrap();
        assert_eq!(*self.state.borrow(), SupervisorState::Stopped);
        (ended, std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default())
    }
}
