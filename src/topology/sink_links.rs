//! Where a sink is pushed to, by Vector and by other shippers.

use std::sync::Arc;

use futures::future::join_all;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tracing::info;

use super::link_error::LinkError;
use super::plan::Planned;
use super::task::StoppableTask;
use crate::component::{BuiltSink, Runtime};
use pipeline_file::{LISTEN_DIR, Listen, ListenCodec, ListenTls, sink_path};
use vector_link::certificates::{CertificateError, Certificates, OtherEnd, TlsIdentity};
use vector_link::server::{BearerToken, Codec, Listener, PushedSink, PushedSinks, Pushers};

/// Where a sink can be pushed to.
#[derive(Clone)]
pub(super) struct SinkEndpoint {
    sinks: PushedSinks,
    path: String,
}

/// One way to a sink from outside.
pub(super) struct SinkLink {
    pub(super) endpoint: SinkEndpoint,
    /// The socket of this sink, unless it is the shared one.
    pub(super) listener: Option<StoppableTask<()>>,
}

/// The ways to a sink from outside: as many as the file has.
#[derive(Default)]
pub(super) struct SinkLinks {
    /// From Vector, if there is one.
    pub(super) vector: Option<SinkLink>,
    /// From other shippers, with the options that it was opened with.
    pub(super) shippers: Option<(Listen, SinkLink)>,
}

/// Has a sink listen for shippers. Whatever comes is told to come again until the sink [takes it](SinkLinks::fill).
pub(super) async fn listen_for_shippers(
    sink: &Planned,
    options: &Listen,
    runtime: &mut Runtime,
) -> Result<SinkLink, LinkError> {
    let tls = if let Some(tls) = &options.tls {
        server_tls(tls)?
    } else {
        let dir = runtime.data_dir.path.join(LISTEN_DIR);
        let made = Certificates::load_or_make(&dir, OtherEnd::Shippers, &runtime.connector.clock)?;
        made.ours().server_tls()?
    };
    let codec = match options.codec {
        ListenCodec::Json => Codec::Json,
        ListenCodec::NativeJson => Codec::NativeJson,
    };
    let token = options.token.clone().map(BearerToken::new);
    // Who may push to this one may not push to others.
    let sinks = PushedSinks::new(runtime.connector.clock.clone(), runtime.rng.fork());
    let endpoint = SinkEndpoint::new(sinks, sink_path(&sink.id));
    endpoint.reserve();
    let pushers = Pushers::Shippers { codec, token };
    let (address, task) = listen(&options.address, &endpoint.sinks, tls, pushers).await?;
    let path = &endpoint.path;
    info!(component_id = sink.id, address, path, "Listening for shippers.");
    Ok(SinkLink { endpoint, listener: Some(task) })
}

/// What a listener shows and asks for, by the certificates that the file names.
pub(super) fn server_tls(tls: &ListenTls) -> Result<Arc<ServerConfig>, CertificateError> {
    match &tls.ca_file {
        Some(ca_file) => TlsIdentity::from_files(ca_file, &tls.crt_file, &tls.key_file)?.server_tls(),
        None => TlsIdentity::server_without_clients_certificates(&tls.crt_file, &tls.key_file),
    }
}

/// Serves `sinks` at `address`, and answers at which it is.
pub(super) async fn listen(
    address: &str,
    sinks: &PushedSinks,
    tls: Arc<ServerConfig>,
    pushers: Pushers,
) -> Result<(String, StoppableTask<()>), LinkError> {
    let cannot = |source| LinkError::Listen { address: address.to_owned(), source };
    let socket = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = socket.local_addr().map_err(cannot)?.to_string();
    let listener = Listener::new(sinks.clone(), tls, pushers);
    Ok((bound, StoppableTask::start(|stopped| listener.run(socket, stopped))))
}

// === impl SinkEndpoint ===

impl SinkEndpoint {
    /// There can be a sink at `path` of `sinks`.
    pub(super) const fn new(sinks: PushedSinks, path: String) -> Self {
        Self { sinks, path }
    }

    /// There will be a sink: whatever comes before is told to come again.
    pub(super) fn reserve(&self) {
        self.sinks.reserve(&self.path);
    }

    /// What is pushed goes to this sink from now on.
    fn fill(&self, built: &BuiltSink) {
        let pushed = PushedSink {
            deliver: Arc::clone(&built.deliver),
            health: built.health.clone(),
            quarantine: built.quarantine.clone(),
            labels: built.labels.clone(),
        };
        self.sinks.insert(&self.path, pushed);
    }

    /// Takes nothing new, and lets what was begun be decided until `limit` ends. Answers whether some was given up: it was not
    /// answered, and comes again.
    async fn vacate(&self, limit: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = self.sinks.take_out(&self.path) => return false,
            () = limit => {}
        }
        self.sinks.give_up(&self.path).await;
        true
    }

    /// There is no sink any more.
    fn remove(&self) {
        self.sinks.remove(&self.path);
    }
}

// === impl SinkLink ===

impl SinkLink {
    /// Takes nothing new, and ends when everything is answered and decided, or when `limit` ends. Nobody listens there then.
    pub(super) async fn stop_within(&mut self, limit: impl Future<Output = ()> + Clone) {
        if let Some(listener) = &mut self.listener {
            listener.stop_within(limit.clone()).await;
        }
        self.endpoint.vacate(limit).await;
    }
}

// === impl SinkLinks ===

impl SinkLinks {
    fn all(&mut self) -> impl Iterator<Item = &mut SinkLink> {
        self.vector.iter_mut().chain(self.shippers.iter_mut().map(|(_, link)| link))
    }

    /// What is pushed goes to this sink from now on.
    pub(super) fn fill(&mut self, built: &BuiltSink) {
        self.all().for_each(|link| link.endpoint.fill(built));
    }

    /// The tasks that serve the sink's own sockets.
    pub(super) fn listeners(&mut self) -> impl Iterator<Item = &mut StoppableTask<()>> {
        self.all().filter_map(|link| link.listener.as_mut())
    }

    /// Takes nothing new, and lets what was begun be decided until `limit` ends. Answers whether some was given up: it was not
    /// answered, and comes again.
    pub(super) async fn vacate(&mut self, limit: impl Future<Output = ()> + Clone) -> bool {
        let vacated = self.all().map(|link| link.endpoint.vacate(limit.clone()));
        join_all(vacated).await.contains(&true)
    }

    /// Takes nothing new, and ends when everything is answered and decided, or when `limit` ends. Nobody listens there then.
    pub(super) async fn stop_within(&mut self, limit: impl Future<Output = ()> + Clone) {
        join_all(self.all().map(|link| link.stop_within(limit.clone()))).await;
    }

    /// Closes what is open, and forgets that there was a sink.
    pub(super) async fn remove(&mut self) {
        self.stop_within(std::future::ready(())).await;
        self.all().for_each(|link| link.endpoint.remove());
    }
}
