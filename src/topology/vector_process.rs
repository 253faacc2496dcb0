//! The Vector that we run: its configuration, and its process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::link_error::LinkError;
use super::source_endpoint::SourceEndpoint;
use super::vector_links::ManagedVector;
use crate::registry::catalogue;
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
    configuration: Configuration,
    /// How long everything may take to stop.
    limit: Duration,
}

/// What a running Vector is told, and how it is.
pub(super) struct Supervised {
    pub(super) task: JoinHandle<Result<SupervisorEnded, String>>,
    pub(super) commands: mpsc::Sender<SupervisorCommand>,
    pub(super) state: watch::Receiver<SupervisorState>,
    /// How long our sources may take to finish, so that Vector has its time after them.
    pub(super) sources_limit: Duration,
}

/// What Vector gets. It is written before each start, because another process may have taken a port in the meantime.
/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Configuration(Arc<Mutex<Written>>);

struct Written {
    file: PipelineFile,
    /// What was written last.
    text: String,
    dir: PathBuf,
    endpoints: Vec<SourceEndpoint>,
    stubs: BTreeMap<String, Stub>,
}

// === impl Process ===

impl Process {
    /// Vector in `dir`.
    pub(super) fn new(vector: ManagedVector, dir: PathBuf, clock: Clock, rng: fastrand::Rng) -> Self {
        let launch = Launch {
            binary: vector.binary,
            config: dir.join(CONFIGURATION),
            allow_env: vector.allow_env,
            json_logs: vector.json_logs,
            log: vector.log,
            // Our sources had a third of the time before, and our sinks have what is left after.
            shutdown_limit: vector.shutdown_limit / 2,
        };
        let written = Written {
            file: vector.file,
            text: String::new(),
            dir,
            endpoints: Vec::new(),
            stubs: BTreeMap::new(),
        };
        let configuration = Configuration(Arc::new(Mutex::new(written)));
        let supervisor = Supervisor::new(launch, Box::new(configuration.clone()), clock, rng);
        Self { supervisor, configuration, limit: vector.shutdown_limit }
    }

    pub(super) fn configuration(&self) -> Configuration {
        self.configuration.clone()
    }

    pub(super) fn start(self) -> Supervised {
        let Self { supervisor, configuration, limit } = self;
        let (state, mut watched) = (supervisor.state(), supervisor.state());
        // Ends with the supervisor.
        tokio::spawn(async move {
            while watched.changed().await.is_ok() {
                let is_down = *watched.borrow_and_update() == SupervisorState::Waiting;
                for endpoint in configuration.locked().endpoints.iter().filter(|_| is_down) {
                    endpoint.peer.gone();
                }
            }
        });
        let (commands, receiver) = mpsc::channel(8);
        let task = tokio::spawn(supervisor.run(receiver));
        Supervised { task, commands, state, sources_limit: limit / 3 }
    }
}

// === impl Configuration ===

impl Configuration {
    /// Vector gets `stub` in the place of a component.
    pub(super) fn set_stub(&self, id: &str, stub: Stub) {
        self.locked().stubs.insert(id.to_owned(), stub);
    }

    /// Vector listens for a source: where it does already, if it has the same link; else a port is found when this is written.
    pub(super) fn add_endpoint(&self, endpoint: SourceEndpoint) -> Result<(), LinkError> {
        let mut written = self.locked();
        let before = written.endpoints.iter().position(|before| before.id == endpoint.id);
        let before = before.map(|at| written.endpoints.remove(at));
        match written.stubs.get(&endpoint.id) {
            Some(stub) if before.is_some_and(|before| before.link == endpoint.link) => {
                endpoint.open(&stub.address)?;
            }
            _ => drop(written.stubs.remove(&endpoint.id)),
        }
        written.endpoints.push(endpoint);
        Ok(())
    }

    /// A component is not there any more.
    pub(super) fn remove(&self, id: &str) {
        let mut written = self.locked();
        written.endpoints.retain(|endpoint| endpoint.id != id);
        written.stubs.remove(id);
    }

    /// Writes what Vector gets of `file`, or of the file that it had before, while it runs: known ports stay. Answers whether
    /// that is something else than before. On an error the file is the one that it was.
    pub(super) fn replace(&self, file: Option<PipelineFile>) -> Result<bool, LinkError> {
        let mut written = self.locked();
        written.find_ports(|stubs, id| !stubs.contains_key(id))?;
        let before = std::mem::take(&mut written.text);
        if let Some(file) = file {
            written.text = written.write(&file)?;
            written.file = file;
        } else {
            written.text = written.write(&written.file)?;
        }
        Ok(written.text != before)
    }

    fn locked(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Prepare for Configuration {
    async fn prepare(&mut self) -> Result<(), String> {
        let mut written = self.locked();
        let prepared = written.find_ports(|_, _| true).and_then(|()| written.write(&written.file));
        written.text = prepared.map_err(|error| error.to_string())?;
        Ok(())
    }
}

// === impl Written ===

impl Written {
    /// Writes what Vector gets of `file`, and answers that.
    fn write(&self, file: &PipelineFile) -> Result<String, LinkError> {
        let text = render(file, &catalogue(), &self.stubs).map_err(LinkError::Render)?;
        create_private_dir(&self.dir)
            .and_then(|()| write_private_file(&self.dir, CONFIGURATION, &text))
            .map_err(|source| LinkError::Write { dir: self.dir.clone(), source })?;
        Ok(text)
    }

    /// Finds a port for each of the sources that `wanted` chooses where Vector can listen, and tells both sides.
    fn find_ports(
        &mut self,
        wanted: impl Fn(&BTreeMap<String, Stub>, &str) -> bool,
    ) -> Result<(), LinkError> {
        let mut held = Vec::new();
        for endpoint in &self.endpoints {
            if !wanted(&self.stubs, &endpoint.id) {
                continue;
            }
            let address = if let Some(address) = &endpoint.link.address {
                address.clone()
            } else {
                let socket = std::net::TcpListener::bind(ANY_PORT).map_err(LinkError::NoPort)?;
                let address = socket.local_addr().map_err(LinkError::NoPort)?.to_string();
                // Held until all are found, so that no two get the same.
                held.push(socket);
                address
            };
            self.stubs.insert(endpoint.id.clone(), endpoint.link.stub(Kind::Source, &address, &self.dir));
            endpoint.open(&address)?;
        }
        Ok(())
    }
}
