//! The links between our components and Vector: addresses and certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::info;

use super::link_error::LinkError;
use super::redelivery::Redelivery;
use super::source_endpoint::SourceEndpoint;
use super::vector_process::{ANY_PORT, Configuration, Process};
use crate::component::Runtime;
use crate::topology::plan::{Plan, Planned};
use model::problem::Problem;
use pipeline_file::LINK_DIR;
use pipeline_file::{Kind, Link, PipelineFile};
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use runtime::quarantine::{Mode, Quarantine};
use runtime::telemetry::ComponentLabels;
use vector_link::binary::Binary;
use vector_link::certificates::{CertificateError, Certificates, TlsIdentity};
use vector_link::client::{Forward, ForwardOptions, VectorPeer};
use vector_link::server::{Listener, ListenerOptions};

/// Most bytes in the quarantine of a source, whose events Vector has refused.
const QUARANTINE_BYTES: u64 = 1024 * 1024 * 1024;
/// The directory in `data_dir` for the Vector that we run: made anew by every run.
const RUN_DIR: &str = "vector-run";

/// Whether there is a Vector beside us, and who runs it.
pub enum VectorMode {
    /// There is none: all components are ours.
    None,
    /// Somebody else runs it, on what `render` has printed.
    External,
    /// We run it.
    Managed(Box<ManagedVector>),
}

/// How we run Vector.
pub struct ManagedVector {
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

/// Our side of every link.
pub(super) struct VectorLinks {
    certificates: Certificates,
    /// Where Vector finds the certificates.
    dir: PathBuf,
    /// The address of each component, unless it is found when it is needed.
    addresses: BTreeMap<String, String>,
    /// What Vector gets, if we run it.
    configuration: Option<Configuration>,
}

/// A sink that listens for Vector.
pub(super) struct Listening {
    pub(super) listener: Listener,
    pub(super) socket: TcpListener,
    /// The same socket: while nobody serves it, Vector's connections wait.
    pub(super) kept: std::net::TcpListener,
}

/// The link of one source.
pub(super) struct SourceLink {
    pub(super) forward: Arc<dyn Deliver>,
    /// For what Vector has refused, when somebody asks to hand it on again.
    pub(super) again: Arc<dyn Deliver>,
    pub(super) redelivery: Redelivery,
}

// === impl VectorLinks ===

impl VectorLinks {
    /// Makes or reads certificates; nothing if there is no Vector. Answers its process, too, if it is ours.
    pub(super) fn prepare(
        plan: &Plan,
        mode: VectorMode,
        clock: &Clock,
        rng: &mut fastrand::Rng,
    ) -> Result<Option<(Self, Option<Process>)>, Vec<Problem>> {
        let told = |error: CertificateError| vec![Problem::new("data_dir", error.to_string())];
        let addresses = BTreeMap::new();
        match mode {
            VectorMode::None => Ok(None),
            VectorMode::External => {
                let dir = plan.data_dir.join(LINK_DIR);
                let certificates = Certificates::load_or_make(&dir, clock).map_err(told)?;
                Ok(Some((Self { certificates, dir, addresses, configuration: None }, None)))
            }
            VectorMode::Managed(vector) => {
                let dir = plan.data_dir.join(RUN_DIR);
                let certificates = Certificates::new(clock).map_err(told)?;
                certificates.write_vectors_part(&dir).map_err(told)?;
                let process = Process::new(*vector, dir.clone(), clock.clone(), rng.fork());
                let configuration = Some(process.configuration());
                Ok(Some((Self { certificates, dir, addresses, configuration }, Some(process))))
            }
        }
    }

    /// The components are those of `plan` from now on. Of a Vector that somebody else runs, that settles the addresses.
    pub(super) fn set_plan(&mut self, plan: &Plan) {
        if self.configuration.is_none() {
            self.addresses = plan.link_addresses();
        }
    }

    /// Where `component` and Vector meet, unless a free port is found for it.
    pub(super) fn address(&self, component: &Planned) -> Option<String> {
        component.link.address.as_ref().or_else(|| self.addresses.get(&component.id)).cloned()
    }

    /// Has a sink listen as `options` say: on the socket that was `kept` for it, if any.
    pub(super) async fn listen(
        &self,
        sink: &Planned,
        options: ListenerOptions,
        kept: Option<&std::net::TcpListener>,
        runtime: &mut Runtime,
    ) -> Result<Listening, LinkError> {
        let address = self.address(sink);
        let address = address.as_deref().unwrap_or(ANY_PORT);
        let cannot = |source| LinkError::Listen { address: address.to_owned(), source };
        let kept = match kept {
            Some(kept) => kept.try_clone().map_err(cannot)?,
            None => TcpListener::bind(address).await.and_then(TcpListener::into_std).map_err(cannot)?,
        };
        let socket = kept.try_clone().and_then(TcpListener::from_std).map_err(cannot)?;
        let bound = socket.local_addr().map_err(cannot)?;
        let identity = self.identity(&sink.link)?;
        if let Some(configuration) = &self.configuration {
            // A name is kept, because certificates may be for it.
            let shown = if address == ANY_PORT { bound.to_string() } else { address.to_owned() };
            configuration.set_stub(&sink.id, sink.link.stub(Kind::Sink, &shown, &self.dir));
        } else {
            info!(component_id = sink.id, address = %bound, "Listening for Vector.");
        }
        let clock = runtime.connector.clock.clone();
        let listener = Listener::new(options, identity.server_tls(), clock, runtime.rng.fork());
        Ok(Listening { listener, socket, kept })
    }

    /// The link of a source to Vector.
    pub(super) fn forward(&self, source: &Planned, runtime: &mut Runtime) -> Result<SourceLink, LinkError> {
        let endpoint = SourceEndpoint {
            id: source.id.clone(),
            link: source.link.clone(),
            identity: self.identity(&source.link)?,
            peer: VectorPeer::default(),
        };
        let clock = runtime.connector.clock.clone();
        let mut forward = || {
            let quarantine = Quarantine::open(runtime.data_dir.clone(), &source.id, QUARANTINE_BYTES)?;
            let options = ForwardOptions {
                peer: endpoint.peer.clone(),
                labels: ComponentLabels {
                    kind: Kind::Source.word(),
                    component_type: source.type_name,
                    id: source.id.clone(),
                },
                quarantine: quarantine.clone(),
            };
            let forward = Forward::new(options, clock.clone(), runtime.rng.fork());
            Ok::<_, LinkError>((Arc::new(forward), quarantine))
        };
        let (first, _) = forward()?;
        // What comes back has a way of its own: the source does not wait for it.
        let (again, quarantine) = forward()?;
        quarantine.set_mode(Mode::Redelivery);
        if let Some(configuration) = &self.configuration {
            configuration.add_endpoint(endpoint)?;
        } else if let Some(address) = self.address(source) {
            info!(component_id = source.id, address, "Handing events to Vector.");
            endpoint.open(&address)?;
        }
        let (id, data_dir) = (source.id.clone(), runtime.data_dir.path.clone());
        let redelivery = Redelivery { id, data_dir, quarantine, clock };
        Ok(SourceLink { forward: first, again, redelivery })
    }

    /// A component is not linked any more.
    pub(super) fn remove(&self, id: &str) {
        if let Some(configuration) = &self.configuration {
            configuration.remove(id);
        }
    }

    /// Writes what Vector gets of `file`, or of what it had before. Answers whether there is a Vector of ours to read it.
    pub(super) fn write(&self, file: Option<PipelineFile>) -> Result<bool, LinkError> {
        self.configuration
            .as_ref()
            .map_or(Ok(false), |configuration| configuration.replace(file).map(|()| true))
    }

    /// What we show at a link: what the file names, or what was made for it.
    fn identity(&self, link: &Link) -> Result<TlsIdentity, CertificateError> {
        match &link.tls {
            Some(tls) => TlsIdentity::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file),
            None => Ok(self.certificates.ours().clone()),
        }
    }
}
