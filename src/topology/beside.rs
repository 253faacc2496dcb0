//! Where our components and Vector meet: addresses and certificates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::ServerTlsConfig;
use tracing::info;

use super::door::Door;
use super::process::{ANY_PORT, Process};
use super::redelivery::Redelivery;
use crate::topology::plan::{Plan, Planned};
use model::problem::Problem;
use pipeline_file::LINK_DIR;
use pipeline_file::{Kind, Link, PipelineFile, Stub};
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use runtime::quarantine::{Mode, Quarantine};
use runtime::telemetry::ComponentLabels;
use vector_link::binary::Binary;
use vector_link::certificates::{Certificates, TlsIdentity};
use vector_link::client::{Forward, ForwardOptions, VectorPeer};

/// Most bytes in the quarantine of a source, whose events Vector has refused.
const QUARANTINE_BYTES: u64 = 1024 * 1024 * 1024;
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
    /// The binary that is run.
    pub binary: Binary,
    /// The pipeline file.
    pub file: PipelineFile,
    /// Whether Vector puts environment variables into its configuration.
    pub allow_env: bool,
    /// Whether its log lines are JSON.
    pub json_logs: bool,
    /// Its log level, if it is not to be its own choice.
    pub log: Option<String>,
    /// How long everything may take to stop.
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

/// The ways of one source into Vector.
pub(super) struct Ways {
    pub(super) forward: Arc<dyn Deliver>,
    /// For what Vector has refused, when somebody asks to hand it on again.
    pub(super) again: Arc<dyn Deliver>,
    pub(super) redelivery: Redelivery,
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
                (kept, certificates, plan.link_addresses(), None)
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
    pub(super) async fn listen(&mut self, sink: &Planned) -> Result<(TcpListener, ServerTlsConfig), String> {
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

    /// The ways of a source into Vector.
    pub(super) fn forward(
        &mut self,
        source: &Planned,
        data_dir: &Path,
        clock: &Clock,
        mut rng: fastrand::Rng,
    ) -> Result<Ways, String> {
        let side = self.side(&source.link)?;
        let door =
            Door { id: source.id.clone(), link: source.link.clone(), side, peer: VectorPeer::default() };
        if let Some(address) = self.points.get(&source.id) {
            info!(component_id = source.id, address, "Handing events to Vector.");
            door.open(address)?;
        }
        let mut way = || {
            let quarantine = Quarantine::open(data_dir, &source.id, QUARANTINE_BYTES);
            let options = ForwardOptions {
                peer: door.peer.clone(),
                labels: ComponentLabels {
                    kind: "source",
                    component_type: source.type_name,
                    id: source.id.clone(),
                },
                quarantine: quarantine
                    .map_err(|error| error.to_string())?
                    .with_off_thread(clock.off_thread()),
            };
            let quarantine = options.quarantine.clone();
            let forward: Arc<dyn Deliver> = Arc::new(Forward::new(options, clock.clone(), rng.fork()));
            Ok::<_, String>((forward, quarantine))
        };
        let (forward, _) = way()?;
        // What comes back has a way of its own: the source does not wait for it.
        let (again, quarantine) = way()?;
        quarantine.set_mode(Mode::Redelivery);
        self.doors.push(door);
        let (id, data_dir, clock) = (source.id.clone(), data_dir.to_owned(), clock.clone());
        Ok(Ways { forward, again, redelivery: Redelivery { id, data_dir, quarantine, clock } })
    }

    /// Vector's process, if it is ours.
    pub(super) fn into_process(self) -> Option<Process> {
        let (vector, clock, rng) = self.ours?;
        Some(Process::new(vector, self.dir, self.doors, self.stubs, clock, rng))
    }

    /// What we show at a link: what the file names, or what was made for it.
    fn side(&self, link: &Link) -> Result<TlsIdentity, String> {
        match &link.tls {
            Some(tls) => TlsIdentity::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file),
            None => Ok(self.certificates.ours().clone()),
        }
    }
}
