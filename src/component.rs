//! What a component is: options that were checked, and what a run, a probe and a check want of them.
//!
//! A component is one folder below `sources` or `sinks`, and one line in `registry`.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use incident_model::field::Side;
use incident_model::options::SyncConfig;
use incident_model::owners::OwnersError;
use microsoft::connection::Connector;
use microsoft::error::ConnectError;
use microsoft::http::ProxyConfig;
use model::problem::Problem;
use runtime::delivery::Deliver;
use runtime::files::DataDir;
use runtime::health::Health;
use runtime::quarantine::{Quarantine, QuarantineError};
use runtime::store::Store;
use runtime::telemetry;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use pipeline_file::Kind;

/// A component whose options were checked. It holds nothing but options: what it needs of the world is passed in.
pub trait Component: Debug + Send + Sync {
    /// What tries once what a run does all the time, and writes nothing. Making it reads certificates and the like, opens nothing
    /// and asks nobody.
    fn probe(&self, connector: &Connector) -> Result<Probe<'_>, BuildError>;

    /// Whether it can be built, as far as can be told while others run: reads certificates and the like, opens nothing.
    fn check(&self, connector: &Connector) -> Result<(), BuildError> {
        self.probe(connector).map(drop)
    }

    /// Builds it. `id` is its name in the file, under which it keeps what it keeps.
    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError>;

    /// Builds the sink for what is in its quarantine to be delivered again, beside a pipeline that may be running: without the
    /// state. Nothing if what is there must not be delivered again, because it may be older than what is known by now.
    fn redeliver(
        &self,
        _id: &str,
        _data_dir: &DataDir,
        _connector: &Connector,
        _rng: fastrand::Rng,
    ) -> Option<Result<BuiltSink, BuildError>> {
        None
    }

    /// What sends a marked row to each of its tables, and looks for it there; nothing if it writes no rows. As with a probe, making
    /// it asks nobody.
    fn verify<'c>(
        &'c self,
        _connector: &'c Connector,
        _rng: fastrand::Rng,
        _options: &'c VerifyOptions,
    ) -> Option<Result<Verification<'c>, BuildError>> {
        None
    }

    /// What works, but perhaps not as its author thinks; `path` is where its options stand in the file.
    fn warnings(&self, _path: &str) -> Vec<Problem> {
        Vec::new()
    }

    /// Which direction of a sync it is, if it keeps incidents in sync.
    fn sync(&self) -> Option<SyncDirection<'_>> {
        None
    }

    /// Whether it emits what keeping incidents in sync has to report.
    fn reads_sync_events(&self) -> bool {
        false
    }
}

/// A type of component, as the registry wants it.
pub trait Registered: Component + Sized + 'static {
    /// Which end of a pipeline it is.
    const KIND: Kind;
    /// What stands after `type:`.
    const TYPE: &'static str;
    /// Whether it emits events about this program itself: a sink that consumes those must not add to them.
    const EMITS_OWN_EVENTS: bool = false;
    /// Its options as they stand in the file.
    type Config: JsonSchema + DeserializeOwned;

    /// Checks the options, and touches nothing.
    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>>;

    /// Who a component of this type is, in metrics and log lines.
    #[must_use]
    fn labels(id: &str) -> telemetry::ComponentLabels {
        telemetry::ComponentLabels { kind: Self::KIND.word(), component_type: Self::TYPE, id: id.to_owned() }
    }
}

/// What options are checked against.
#[derive(Debug)]
pub struct Validation<'v> {
    /// Where the options stand in the file: `sinks.sentinel`.
    pub path: String,
    /// The file's own proxy.
    pub proxy: &'v ProxyConfig,
    /// The components of the file that have quarantines.
    pub peers: &'v [Peer],
}

/// A component of ours in the same file that has a quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id in the file.
    pub id: String,
    /// `source` or `sink`.
    pub kind: &'static str,
    /// What stands after `type:`.
    pub component_type: String,
    /// Whether it consumes events about this program itself, through transforms too.
    pub consumes_own_events: bool,
}

/// One direction in which incidents are kept in sync.
#[derive(Clone, Copy, Debug)]
pub struct SyncDirection<'s> {
    /// The side that is written.
    pub target: Side,
    /// Under which name both directions of a pair keep what they have agreed on.
    pub ledger: &'s str,
    /// What both directions must have alike.
    pub shared: &'s SyncConfig,
}

/// Tries a component's ways into the world.
pub type Probe<'c> = BoxFuture<'c, Vec<Probed>>;

/// With what marked rows are looked for.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The id of the workspace, a GUID, that is asked. If it is not given, each rule says where its rows go.
    pub workspace_id: Option<String>,
    /// The URL of the query API; if it is not given, that of the sink's cloud.
    pub query_endpoint: Option<Url>,
    /// How long to wait for a row.
    pub timeout: Duration,
}

/// What came of the marked row of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The rule's immutable id and the stream, as metrics have them: `dcr-…/Custom-Mine_CL`. Empty if it is about several.
    pub destination: String,
    /// Whether it is in its table.
    pub arrival: Arrival,
    /// What the log of the rule says of the stream in the last hour, in sentences.
    pub errors: Vec<String>,
}

/// Whether a marked row is in its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is there.
    Arrived {
        /// The table that rows go to.
        table: String,
        /// The text that marks the row.
        marker: String,
        /// How long it took from sending it to finding it.
        after: Duration,
    },
    /// It is not, or nobody could tell; the text says why and what to do.
    Missing(String),
    /// None was sent, for a reason that says nothing about whether rows arrive.
    Untried(String),
}

/// Proves that rows arrive.
pub type Verification<'c> = BoxFuture<'c, Vec<Verified>>;

/// What one thing that was tried came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It works; the text says what was tried.
    Works(String),
    /// It works, but perhaps not as its author thinks.
    Doubtful(String),
    /// It was not tried, for a reason that says nothing about whether it would work.
    Untried(String),
    /// It does not work.
    Failed(String),
}

/// The process that components are built into.
pub struct Runtime {
    /// Opens the HTTPS edge, and has the one clock.
    pub connector: Connector,
    /// Where random numbers come from.
    pub rng: fastrand::Rng,
    /// The store that holds the components' state.
    pub store: Store,
    /// Where quarantines and the like are.
    pub data_dir: DataDir,
    /// Whether that is said to outlive the process and what it runs in: the file names it.
    pub data_dir_lasts: bool,
    /// Whether incidents are only planned, and not written.
    pub dry_run: bool,
    /// The sources that emit what keeping incidents in sync has to report.
    pub sync_event_readers: SyncEventReaders,
    shared: BTreeMap<TypeId, Box<dyn Any + Send>>,
}

/// The ids of the sources that emit what keeping incidents in sync has to report. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct SyncEventReaders(Arc<Mutex<Vec<String>>>);

/// A component, ready to run.
pub enum Built {
    /// Where events come from.
    Source(Box<dyn Source>),
    /// Where events go.
    Sink(BuiltSink),
}

/// A sink, ready to run.
pub struct BuiltSink {
    /// The way in for events.
    pub deliver: Arc<dyn Deliver>,
    /// Whether what is behind it works.
    pub health: Health,
    /// Where it keeps what can never be accepted.
    pub quarantine: Quarantine,
    /// Who it is, in metrics and log lines.
    pub labels: telemetry::ComponentLabels,
    /// What it does beside taking events, if anything, until it is asked to stop. Stopping it comes last.
    pub task: Option<Task>,
}

/// Why a component whose options are right cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no client of the service.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The quarantine cannot be opened.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// The file of owners cannot be used.
    #[error("sync.owners_file {}: {cause}", path.display())]
    Owners {
        /// The file's path.
        path: std::path::PathBuf,
        /// What is wrong with it.
        #[source]
        cause: OwnersFileError,
    },
}

/// What is wrong with a file of owners.
#[derive(Debug, Error)]
pub enum OwnersFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It is no list of people.
    #[error(transparent)]
    Parse(#[from] Box<serde_saphyr::Error>),
    /// The people in it do not fit together.
    #[error(transparent)]
    People(#[from] OwnersError),
}

/// What a sink does beside taking events. It ends when the token is cancelled, and not before.
pub type Task = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// A source that is ready to run.
#[async_trait]
pub trait Source: Send {
    /// Offers events to `out` until `shutdown` is cancelled; what is being delivered by then is still finished.
    async fn run(self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken);
}

// === impl SyncEventReaders ===

impl SyncEventReaders {
    /// The ids as they are now.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on they are these.
    pub fn set(&self, ids: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

// === impl Runtime ===

impl Runtime {
    /// A process that keeps its state in `store` and the rest in `data_dir`.
    #[must_use]
    pub fn new(connector: Connector, rng: fastrand::Rng, store: Store, data_dir: DataDir) -> Self {
        Self {
            connector,
            rng,
            store,
            data_dir,
            data_dir_lasts: false,
            dry_run: false,
            sync_event_readers: SyncEventReaders::default(),
            shared: BTreeMap::new(),
        }
    }

    /// What all components of this process share of one type: empty for whoever asks first.
    pub fn shared<T: Clone + Default + Send + 'static>(&mut self) -> T {
        let one = self.shared.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        one.downcast_ref::<T>().cloned().unwrap_or_default()
    }
}
