//! Starts and stops the simulator: one TLS listener on loopback for all fakes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::DropGuard;

use crate::config::SimulatorConfig;
use crate::core::clock::SimClock;
use crate::core::cutter::ConnectionCutter;
use crate::core::faults::{Faults, Service};
use crate::core::stats::{Revision, Row, Stats, Write};
use crate::core::{fault_layer, responses};
use crate::graph::tenant::Tenant;
use crate::in_process::InProcess;
use crate::ingestion::{Dcr, DcrError};
use crate::sentinel::Workspace;
use crate::sim_state::SimState;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::{arm, entra, graph, ingestion, log_analytics, sentinel};
use runtime::clock::Clock;

/// How often the tenant's own changes are caught up with, if they come faster than that.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// The address of a simulator without a socket.
// https://www.rfc-editor.org/rfc/rfc2606#section-2
const IN_PROCESS_URL: &str = "https://simulator.test";

/// A running simulator. Dropping it stops it, too.
pub struct Simulator {
    pub(crate) state: Arc<SimState>,
    ca_pem: String,
    /// The listener, with all its connections, and what lets the tenant live.
    tasks: JoinSet<()>,
    /// Tells the services that it is over.
    _stops: DropGuard,
}

/// Why a simulator does not start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// Fake services are for this machine only.
    #[error("the simulator listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// A living tenant needs a rate that is a number and not negative.
    #[error("changes_per_minute must not be negative, but is {0}")]
    Rate(f64),
    /// The rule declares what no table could have.
    #[error("cannot use the data collection rule")]
    Dcr(#[from] DcrError),
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it wanted to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate could not be used.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

// === impl Simulator ===

impl Simulator {
    /// Starts listening at `config.listen`, and lets the tenant live.
    pub async fn start(config: SimulatorConfig, clock: Clock) -> Result<Self, SimulatorError> {
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(SimulatorError::NotLoopback(address));
        }
        check(&config)?;
        let tls = Tls::generate()?;
        let bound = TcpListener::bind(address).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = bound.map_err(|source| SimulatorError::Listen { address, source })?;
        let mut started =
            Self::of(SimState::new(config, format!("https://{address}"), SimClock::new(clock)), tls.ca_pem);
        started.tasks.spawn(accept(listener, tls.acceptor, router(&started.state)));
        if let Some(pause) = started.state.pause {
            started.tasks.spawn(live(Arc::clone(&started.state), pause));
        }
        Ok(started)
    }

    /// Starts without a socket: only [`Self::service`] answers, at the host `simulator.test`. Nothing runs by itself, so
    /// that no runtime is needed: a living tenant catches up when somebody looks.
    pub fn in_process(config: SimulatorConfig, clock: Clock) -> Result<Self, SimulatorError> {
        check(&config)?;
        Ok(Self::of(SimState::new(config, IN_PROCESS_URL.to_owned(), SimClock::new(clock)), String::new()))
    }

    fn of(state: SimState, ca_pem: String) -> Self {
        let stops = state.stopped.clone().drop_guard();
        Self { state: Arc::new(state), ca_pem, tasks: JoinSet::new(), _stops: stops }
    }

    /// Answers requests as the sockets do, without one.
    pub fn service(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.state), router(&self.state))
    }

    /// Goes on by `clock`, which must not read less than the one before: that of the next runtime, if a client's runs have
    /// one each. Incidents, tokens, quotas and faults stay as they are.
    pub fn follow(&self, clock: Clock) {
        self.state.clock.follow(clock);
    }

    /// The origin of everything: login, Graph, Azure Resource Manager and ingestion, whose paths do not collide.
    pub fn url(&self) -> String {
        self.state.url.clone()
    }

    /// The certificate authority that clients must trust, as PEM. Empty without a socket.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Defender's incidents, for tests to read and to change.
    pub fn tenant(&self) -> &Tenant {
        self.state.catch_up();
        &self.state.tenant
    }

    /// Sentinel's incidents, for tests to read and to change.
    pub fn workspace(&self) -> Workspace<'_> {
        self.state.catch_up();
        Workspace::of(&self.state)
    }

    /// The faults that requests meet.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Ingested rows in order of arrival, without what vanished. Empty if rows are not kept.
    pub fn rows(&self) -> Vec<Row> {
        self.state.records.rows()
    }

    /// Every revision that was in an answer that was sent whole.
    pub fn served(&self) -> Vec<Revision> {
        self.state.records.served()
    }

    /// Revisions that were in an answer and are not among the ingested rows.
    pub fn missing(&self) -> Vec<Revision> {
        self.state.records.missing()
    }

    /// What clients wrote to incidents, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.state.records.writes()
    }

    /// Waits for the next change of the counters.
    pub async fn changed(&self) {
        // The sender lives as long as `self`, so there is no error to see.
        self.state.records.subscribe().changed().await.ok();
    }

    /// Waits until the counters are as the caller wants them.
    pub async fn wait_until(&self, condition: impl Fn(&Stats) -> bool) {
        let mut changes = self.state.records.subscribe();
        while !condition(&self.stats()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stops listening and cuts all connections.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("url", &self.state.url).finish_non_exhaustive()
    }
}

/// Whether there can be such a simulator.
fn check(config: &SimulatorConfig) -> Result<(), SimulatorError> {
    let rate = config.incidents.changes_per_minute;
    if !(rate.is_finite() && rate >= 0.0) {
        return Err(SimulatorError::Rate(rate));
    }
    config.rules().try_for_each(Dcr::check)?;
    Ok(())
}

fn router(state: &Arc<SimState>) -> Router {
    let faults = |service| from_fn_with_state((Arc::clone(state), service), fault_layer::handle);
    let entra = entra::routes().route_layer(faults(Service::Entra));
    let graph = graph::routes().route_layer(faults(Service::Graph));
    let ingestion = ingestion::routes().route_layer(faults(Service::LogsIngestion));
    // One host for the resources of all services: incidents are Sentinel's, all else is Azure's own.
    let sentinel = sentinel::routes().route_layer(faults(Service::SecurityInsights));
    let resource_manager = arm::routes().route_layer(faults(Service::ResourceManager));
    let queries = log_analytics::routes().route_layer(faults(Service::LogAnalytics));
    let services = [graph, ingestion, sentinel, resource_manager, queries];
    let dated = map_response_with_state(Arc::clone(state), responses::dated);
    services.into_iter().fold(entra, Router::merge).layer(dated).with_state(Arc::clone(state))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                // An error here is about a connection that went before it was accepted.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, acceptor.clone(), router.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, router: Router) {
    // Without it answers may be late, nothing else.
    stream.set_nodelay(true).ok();
    let cutter = ConnectionCutter::default();
    // A client that does not trust the certificate goes away here.
    let Ok(tls) = acceptor.accept(Socket::new(stream, cutter.clone())).await else { return };
    let router = TowerToHyperService::new(router);
    let carried = cutter.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(carried.clone());
        router.call(request.map(Body::new))
    });
    tokio::select! {
        biased;
        () = cutter.cut() => {}
        // How a connection ended is for its client to tell.
        _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service) => {}
    }
}

/// Keeps the tenant alive.
async fn live(state: Arc<SimState>, pause: Duration) {
    loop {
        state.clock.sleep(pause.max(SHORTEST_PAUSE)).await;
        state.catch_up();
    }
}
