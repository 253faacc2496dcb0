//! The Vector that we run: its configuration, and its process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::beside::OurVector;
use super::door::Door;
use crate::registry::catalogue;
use model::problem::words;
use pipeline_file::{Kind, PipelineFile, Stub, render};
use runtime::clock::Clock;
use runtime::store::{create_private_dir, write_private_file};
use vector_link::child::{Launch, Prepare, Supervisor, SupervisorCommand, SupervisorEnded, SupervisorState};

/// Vector's configuration, in the directory of its run.
const CONFIGURATION: &str = "vector.yaml";
/// Some port of this machine that is free.
pub(super) const ANY_PORT: &str = "127.0.0.1:0";

/// Vector's process, ready to start.
pub(super) struct Process {
    supervisor: Supervisor,
    receiver: mpsc::Receiver<SupervisorCommand>,
    reload: Reload,
    /// How long everything may take to stop.
    limit: Duration,
}

/// Lets a running Vector read its configuration anew.
#[derive(Clone)]
pub struct Reload {
    configuration: Configuration,
    commands: mpsc::Sender<SupervisorCommand>,
}

/// Writes Vector's configuration before each start: another process may have taken a port in the meantime. Cheap to clone.
#[derive(Clone)]
struct Configuration(Arc<Mutex<Written>>);

struct Written {
    file: PipelineFile,
    dir: PathBuf,
    doors: Vec<Door>,
    stubs: BTreeMap<String, Stub>,
}

// === impl Process ===

impl Process {
    /// Vector in `dir`, with `doors` for our sources and the `stubs` of our sinks.
    pub(super) fn new(
        vector: OurVector,
        dir: PathBuf,
        doors: Vec<Door>,
        stubs: BTreeMap<String, Stub>,
        clock: Clock,
        rng: fastrand::Rng,
    ) -> Self {
        let launch = Launch {
            binary: vector.binary,
            config: dir.join(CONFIGURATION),
            allow_env: vector.allow_env,
            json_logs: vector.json_logs,
            log: vector.log,
            // Our sources had a third of the time before, and our sinks have what is left after.
            shutdown_limit: vector.shutdown_limit / 2,
        };
        let written = Written { file: vector.file, dir, doors, stubs };
        let configuration = Configuration(Arc::new(Mutex::new(written)));
        let (commands, receiver) = mpsc::channel(8);
        let supervisor = Supervisor::new(launch, Box::new(configuration.clone()), clock, rng);
        let reload = Reload { configuration, commands };
        Self { supervisor, receiver, reload, limit: vector.shutdown_limit }
    }

    pub(super) fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// How Vector is.
    pub(super) fn state(&self) -> watch::Receiver<SupervisorState> {
        self.supervisor.state()
    }

    /// How long our sources may take to finish, so that Vector has its time after them.
    pub(super) fn sources_limit(&self) -> Duration {
        self.limit / 3
    }

    pub(super) fn start(
        self,
    ) -> (JoinHandle<Result<SupervisorEnded, String>>, mpsc::Sender<SupervisorCommand>) {
        let (mut state, configuration) = (self.supervisor.state(), self.reload.configuration);
        // Ends with the supervisor.
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                let is_down = *state.borrow_and_update() == SupervisorState::Waiting;
                for door in configuration.locked().doors.iter().filter(|_| is_down) {
                    door.peer.gone();
                }
            }
        });
        (tokio::spawn(self.supervisor.run(self.receiver)), self.reload.commands)
    }
}

// === impl Reload ===

impl Reload {
    /// Gives Vector what `file` says now. Our own components in it must be the same as before. On an error nothing has changed.
    pub async fn with(&self, file: PipelineFile) -> Result<(), String> {
        {
            let mut written = self.configuration.locked();
            written.write(&file)?;
            written.file = file;
        }
        self.commands.send(SupervisorCommand::Reload).await.map_err(|_| "Vector is stopping".to_owned())
    }
}

// === impl Configuration ===

impl Configuration {
    fn locked(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Prepare for Configuration {
    async fn prepare(&mut self) -> Result<(), String> {
        let mut written = self.locked();
        written.choose_ports()?;
        written.write(&written.file)
    }
}

// === impl Written ===

impl Written {
    /// Writes what Vector gets of `file`.
    fn write(&self, file: &PipelineFile) -> Result<(), String> {
        let text = render(file, &catalogue(), &self.stubs)
            .map_err(|problems| format!("cannot write Vector's configuration: {}", words(&problems, "; ")))?;
        create_private_dir(&self.dir)
            .and_then(|()| write_private_file(&self.dir, CONFIGURATION, &text))
            .map_err(|error| {
                format!("cannot write Vector's configuration into {}: {error}", self.dir.display())
            })
    }

    /// Finds a port for each of our sources where Vector can listen, and tells both sides.
    fn choose_ports(&mut self) -> Result<(), String> {
        let mut held = Vec::new();
        for door in &self.doors {
            let address = if let Some(address) = &door.link.address {
                address.clone()
            } else {
                let cannot = |error| format!("cannot find a free port on 127.0.0.1: {error}");
                let socket = std::net::TcpListener::bind(ANY_PORT).map_err(cannot)?;
                let address = socket.local_addr().map_err(cannot)?.to_string();
                // Held until all are found, so that no two get the same.
                held.push(socket);
                address
            };
            self.stubs.insert(door.id.clone(), door.link.stub(Kind::Source, &address, &self.dir));
            door.open(&address)?;
        }
        Ok(())
    }
}
