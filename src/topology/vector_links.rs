//! The links between our components and Vector: addresses and certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::link_error::LinkError;
use super::redelivery::Redelivery;
use super::sink_links::{SinkEndpoint, SinkLink, listen};
use super::source_endpoint::SourceEndpoint;
use super::task::StoppableTask;
use super::vector_process::{ANY_PORT, Configuration, Process};
use crate::component::Runtime;
use crate::topology::plan::{Plan, Planned};
use model::problem::Problem;
use pipeline_file::LINK_DIR;
use pipeline_file::{Kind, Link, PipelineFile, sink_path};
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use runtime::quarantine::{Mode, Quarantine};
use runtime::telemetry::ComponentLabels;
use vector_link::binary::Binary;
use vector_link::certificates::{CertificateError, Certificates, OtherEnd, TlsIdentity};
use vector_link::client::{Forward, ForwardOptions, VectorPeer};
use vector_link::server::{PushedSinks, Pushers};

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
    /// The sinks that Vector pushes to with the certificates that we make.
    sinks: PushedSinks,
    /// Where it does, if we run it.
    shared: Option<SharedListener>,
    certificates: Certificates,
    /// Where Vector finds the certificates.
    dir: PathBuf,
    /// The address of each component, unless it is found when it is needed.
    addresses: BTreeMap<String, String>,
    /// What Vector gets, if we run it.
    configuration: Option<Configuration>,
}

/// The socket that a Vector of ours pushes to, for all sinks whose link the file says nothing of.
struct SharedListener {
    address: String,
    task: StoppableTask<()>,
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
    pub(super) async fn prepare(
        plan: &Plan,
        mode: VectorMode,
        clock: &Clock,
        rng: &mut fastrand::Rng,
    ) -> Result<Option<(Self, Option<Process>)>, Vec<Problem>> {
        let told = |error: LinkError| vec![Problem::new("data_dir", error.to_string())];
        let certified = |error: CertificateError| told(error.into());
        let sinks = PushedSinks::new(clock.clone(), rng.fork());
        let addresses = BTreeMap::new();
        match mode {
            VectorMode::None => Ok(None),
            VectorMode::External => {
                let dir = plan.data_dir.join(LINK_DIR);
                let certificates =
                    Certificates::load_or_make(&dir, OtherEnd::Vector, clock).map_err(certified)?;
                let links = Self { sinks, shared: None, certificates, dir, addresses, configuration: None };
                Ok(Some((links, None)))
            }
            VectorMode::Managed(vector) => {
                let dir = plan.data_dir.join(RUN_DIR);
                let certificates = Certificates::new(clock).map_err(certified)?;
                certificates.write_vectors_part(&dir).map_err(certified)?;
                let process = Process::new(*vector, dir.clone(), clock.clone(), rng.fork());
                let configuration = Some(process.configuration());
                let tls = certificates.ours().server_tls().map_err(certified)?;
                let pushers = Pushers::Vector { formerly_of: None };
                let (address, task) = listen(ANY_PORT, &sinks, tls, pushers).await.map_err(told)?;
                let shared = Some(SharedListener { address, task });
                let links = Self { sinks, shared, certificates, dir, addresses, configuration };
                Ok(Some((links, Some(process))))
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

    /// Has a sink listen: by the link that was `kept` for it, if any. Whatever comes is told to come again until the sink
    /// [takes it](SinkEndpoint::fill).
    pub(super) async fn listen(
        &self,
        sink: &Planned,
        kept: Option<SinkLink>,
        runtime: &mut Runtime,
    ) -> Result<SinkLink, LinkError> {
        let path = sink_path(&sink.id);
        let (link, shown) = match (kept, self.shared.as_ref().filter(|_| sink.link == Link::default())) {
            (_, Some(shared)) => {
                let endpoint = SinkEndpoint::new(self.sinks.clone(), path);
                (SinkLink { endpoint, listener: None }, Some(shared.address.clone()))
            }
            // Vector's configuration has it already.
            (Some(kept), None) => (kept, None),
            (None, None) => {
                let identity = self.identity(&sink.link)?;
                // Who trusts an authority of his own for a sink does not let ours push to it.
                let sinks = match sink.link.tls {
                    Some(_) => PushedSinks::new(runtime.connector.clock.clone(), runtime.rng.fork()),
                    None => self.sinks.clone(),
                };
                let address = self.address(sink);
                let wanted = address.as_deref().unwrap_or(ANY_PORT);
                let formerly_of = self.configuration.is_none().then(|| sink.id.clone());
                let pushers = Pushers::Vector { formerly_of };
                let (bound, task) = listen(wanted, &sinks, identity.server_tls()?, pushers).await?;
                if self.configuration.is_none() {
                    info!(component_id = sink.id, address = bound, "Listening for Vector.");
                }
                let link = SinkLink { endpoint: SinkEndpoint::new(sinks, path), listener: Some(task) };
                // A name is kept, because certificates may be for it.
                (link, Some(address.unwrap_or(bound)))
            }
        };
        link.endpoint.reserve();
        if let (Some(configuration), Some(shown)) = (&self.configuration, shown) {
            configuration.set_stub(&sink.id, sink.link.stub(Kind::Sink, &shown, &self.dir));
        }
        Ok(link)
    }

    /// Takes nothing new at the shared socket, and ends when everything there is answered.
    pub(super) async fn stop_listening(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.task.stop();
            shared.task.ended().await;
        }
    }

    /// Ends the shared socket where it is.
    pub(super) async fn abort_listening(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.task.abort().await;
        }
    }

    /// Waits until the shared socket ends by itself, which it never should.
    pub(super) async fn broke(&mut self) {
        match &mut self.shared {
            Some(shared) => drop(shared.task.ended().await),
            None => std::future::pending().await,
        }
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

    /// Writes what Vector gets of `file`, or of what it had before. Answers whether a Vector of ours has something new to read.
    pub(super) fn write(&self, file: Option<PipelineFile>) -> Result<bool, LinkError> {
        self.configuration.as_ref().map_or(Ok(false), |configuration| configuration.replace(file))
    }

    /// What we show at a link: what the file names, or what was made for it.
    fn identity(&self, link: &Link) -> Result<TlsIdentity, CertificateError> {
        match &link.tls {
            Some(tls) => TlsIdentity::from_files(&tls.ca_file, &tls.crt_file, &tls.key_file),
            None => Ok(self.certificates.ours().clone()),
        }
    }
}
