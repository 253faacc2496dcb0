//! Where our components and Vector meet: addresses, certificates, Vector's configuration and its process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::transport::ServerTlsConfig;
use tracing::info;

use crate::clock::Clock;
use crate::delivery::Deliver;
use crate::model::problem::Problem;
use crate::pipeline::plan::{LINK_DIR, Plan, PlannedSink, PlannedSource, catalogue};
use crate::pipeline::{File, Kind, Link, Stub, connectable, render};
use crate::quarantine::Quarantine;
use crate::store::{create_private_dir, write_private_file};
use crate::telemetry::Component;
use crate::vector::binary::Binary;
use crate::vector::certificates::{Certificates, Side};
use crate::vector::child::{Command, Ended, Launch, Prepare, State, Supervisor};
use crate::vector::client::{Forward, Options, Peer};

/// Most bytes in the quarantine of a source, whose events Vector has refused.
const QUARANTINE_BYTES: u64 = 1024 * 1024 * 1024;
/// Vector's configuration in there.
const CONFIGURATION: &str = "vector.yaml";
/// Some port of this machine that is free.
const ANY_PORT: &str = "127.0.0.1:0";
/// The directory in `data_dir` for the Vector that we run: made anew by every run.
const RUN_DIR: &str = "vector-run";

/// What a pipeline runs beside.
pub enum Beside {
    /// Nothing: all of it is ours.
    Nothing,
    /// A Vector that somebody else runs, on what `render` has printed.
    TheirVector,
    /// A Vector that we run.
    OurVector(Box<OurVector>),
}

/// How we run Vector.
pub struct OurVector {
    /// Which one.
    pub binary: Binary,
    /// The pipeline file.
    pub file: File,
    /// Whether Vector puts environment variables into its configuration.
    pub allow_env: bool,
    /// Whether its log lines are JSON.
    pub json_logs: bool,
    /// Its log level, if it is not to be its own choice.
    pub log: Option<String>,
    /// How long it may take to deliver what it holds when it stops.
    pub shutdown_limit: Duration,
}

/// Our side of every meeting with Vector, while a topology is built.
pub(super) struct Meeting {
    certificates: Certificates,
    /// Where Vector finds the certificates.
    dir: PathBuf,
    /// Where each component meets Vector, if that is settled.
    points: BTreeMap<String, String>,
    /// Where our sinks listen now.
    stubs: BTreeMap<String, Stub>,
    doors: Vec<Door>,
    ours: Option<(OurVector, Clock, fastrand::Rng)>,
}

/// Where one of our sources meets Vector, which listens there.
struct Door {
    id: String,
    link: Link,
    side: Side,
    peer: Peer,
}

/// Vector's process, ready to start.
pub(super) struct Process {
    supervisor: Supervisor,
    receiver: mpsc::Receiver<Command>,
    reload: Reload,
}

/// Lets a running Vector read its configuration anew.
#[derive(Clone)]
pub struct Reload {
    configuration: Configuration,
    commands: mpsc::Sender<Command>,
}

/// Writes Vector's configuration before each start: another process may have taken a port in the meantime. Cheap to clone.
#[derive(Clone)]
struct Configuration(Arc<Mutex<Written>>);

struct Written {
    file: File,
    dir: PathBuf,
    doors: Vec<Door>,
    stubs: BTreeMap<String, Stub>,
}

// === impl Meeting ===

impl Meeting {
    /// Makes or reads certificates; nothing if there is no Vector.
    pub(super) fn prepare(
        plan: &Plan,
        beside: Beside,
        clock: &Clock,
        rng: &mut fastrand::Rng,
    ) -> Result<Option<Self>, Vec<Problem>> {
        let told = |error: String| vec![Problem::new("data_dir", error)];
        let kept = plan.data_dir.join(LINK_DIR);
        let (dir, certificates, points, ours) = match beside {
            Beside::Nothing => return Ok(None),
            Beside::TheirVector => {
                let certificates = Certificates::load_or_make(&kept, clock).map_err(told)?;
                (kept, certificates, plan.meeting_points(), None)
            }
            Beside::OurVector(ours) => {
                let dir = plan.data_dir.join(RUN_DIR);
                let certificates = Certificates::new(clock).map_err(told)?;
                certificates.write_vectors_part(&dir).map_err(told)?;
                (dir, certificates, BTreeMap::new(), Some((*ours, clock.clone(), rng.fork())))
            }
        };
        Ok(Some(Self { certificates, dir, points, stubs: BTreeMap::new(), doors: Vec::new(), ours }))
    }

    /// Opens the socket of a sink.
    pub(super) async fn listen(
        &mut self,
        sink: &PlannedSink,
    ) -> Result<(TcpListener, ServerTlsConfig), String> {
        let address = sink.link.address.as_ref().or_else(|| self.points.get(&sink.id));
        let address = address.map_or(ANY_PORT, String::as_str);
        let cannot = |error: std::io::Error| format!("cannot listen for Vector on {address}: {error}");
        let socket = TcpListener::bind(address).await.map_err(cannot)?;
        let bound = socket.local_addr().map_err(cannot)?;
        // A name is kept, because certificates may be for it.
        let shown = if address == ANY_PORT { bound.to_string() } else { address.to_owned() };
        let side = self.side(&sink.link)?;
        if self.ours.is_none() {
            info!(component_id = sink.id, address = %bound, "Listening for Vector.");
        }
        self.stubs.insert(sink.id.clone(), sink.link.stub(Kind::Sink, &shown, &self.dir));
        Ok((socket, side.server_tls()))
    }

    /// The way of a source into Vector.
    pub(super) fn forward(
        &mut self,
        source: &PlannedSource,
        data_dir: &Path,
        clock: &Clock,
        rng: fastrand::Rng,
    ) -> Result<Arc<dyn Deliver>, String> {
        let side = self.side(&source.link)?;
        let door = Door { id: source.id.clone(), link: source.link.clone(), side, peer: Peer::default() };
        if let Some(address) = self.points.get(&source.id) {
            info!(component_id = source.id, address, "Handing events to Vector.");
            door.open(address)?;
        }
        let options = Options {
            peer: door.peer.clone(),
            labels: Component {
                kind: "source",
                component_type: source.plan.type_name(),
                id: source.id.clone(),
            },
            quarantine: Quarantine::open(data_dir, &source.id, QUARANTINE_BYTES)
                .map_err(|error| error.to_string())?,
        };
        self.doors.push(door);
        Ok(Arc::new(Forward::new(options, clock.clone(), rng)))
    }

    /// Vector's process, if it is ours.
    pub(super) fn into_process(self) -> Option<Process> {
        let (ours, clock, rng) = self.ours?;
        let launch = Launch {
            binary: ours.binary,
            config: self.dir.join(CONFIGURATION),
            allow_env: ours.allow_env,
            json_logs: ours.json_logs,
            log: ours.log,
            shutdown_limit: ours.shutdown_limit,
        };
        let written = Written { file: ours.file, dir: self.dir, doors: self.doors, stubs: self.stubs };
        let configuration = Configuration(Arc::new(Mutex::new(written)));
        let (commands, receiver) = mpsc::channel(8);
        let supervisor = Supervisor::new(launch, Box::new(configuration.clone()), clock, rng);
        Some(Process { supervisor, receiver, reload: Reload { configuration, commands } })
    }

    /// What we show at a link: what the file names, or what was made for it.
    fn side(&self, link: &Link) -> Result<Side, String> {
        match &link.tls {
            Some(tls) => Side::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file),
            None => Ok(self.certificates.ours().clone()),
        }
    }
}

// === impl Door ===

impl Door {
    /// Vector listens at `address` from now on.
    fn open(&self, address: &str) -> Result<(), String> {
        let address = &connectable(address);
        // The certificates that we make are for this machine, whatever its loopback address; others are for a name.
        let name = if self.link.tls.is_some() { host(address) } else { "localhost" };
        self.peer.moved_to(address, name, self.side.client_tls()?)
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

// === impl Process ===

impl Process {
    pub(super) fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// How Vector is.
    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.supervisor.state()
    }

    pub(super) fn start(self) -> (JoinHandle<Result<Ended, String>>, mpsc::Sender<Command>) {
        (tokio::spawn(self.supervisor.run(self.receiver)), self.reload.commands)
    }
}

// === impl Reload ===

impl Reload {
    /// Gives Vector what `file` says now. Our own components in it must be the same as before.
    pub async fn with(&self, file: File) -> Result<(), String> {
        self.configuration.locked().file = file;
        self.configuration.locked().write(false)?;
        self.commands.send(Command::Reload).await.map_err(|_| "Vector is stopping".to_owned())
    }
}

// === impl Configuration ===

impl Configuration {
    fn locked(&self) -> std::sync::MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Prepare for Configuration {
    async fn prepare(&mut self) -> Result<(), String> {
        self.locked().write(true)
    }
}

// === impl Written ===

impl Written {
    /// Writes Vector's configuration; on a `fresh` start, with ports that are free now.
    fn write(&mut self, fresh: bool) -> Result<(), String> {
        if fresh {
            self.choose_ports()?;
        }
        let text = render(&self.file, &catalogue(), &self.stubs).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("cannot write Vector's configuration: {}", problems.join("; "))
        })?;
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
