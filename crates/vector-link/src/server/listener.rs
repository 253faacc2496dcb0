//! A socket that is pushed to.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::http::{ANSWERED_WITHIN, Service};
use super::pushers::Pushers;
use super::sinks::PushedSinks;
use runtime::clock::Clock;

/// Most connections at a time. Vector has as many as it has requests in flight, a few for each sink.
const MAX_CONNECTIONS: usize = 512;
/// How long a handshake may take, and the first request after it.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request: longer than Vector keeps one that it does not use, 90 s.
/// Source: <https://docs.rs/hyper/0.14/hyper/client/struct.Builder.html#method.pool_idle_timeout>
const IDLE_WITHIN: Duration = Duration::from_mins(2);
/// How long is waited after no connection could be accepted, because there are too many open files for example.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// What hyper says of a client that speaks gRPC.
const HTTP2: &str = "HTTP2 preface";

/// A socket that Vector or another shipper pushes to.
pub struct Listener {
    sinks: PushedSinks,
    tls: Arc<ServerConfig>,
    pushers: Pushers,
}

/// What the connections of one socket have in common.
#[derive(Clone)]
struct Connections {
    acceptor: TlsAcceptor,
    service: Service,
    tasks: TaskTracker,
    clock: Clock,
}

// === impl Listener ===

impl Listener {
    /// A listener that is not listening yet. Whoever has no certificate that `tls` wants is turned away.
    #[must_use]
    pub const fn new(sinks: PushedSinks, tls: Arc<ServerConfig>, pushers: Pushers) -> Self {
        Self { sinks, tls, pushers }
    }

    /// Serves until `shutdown` is cancelled. Then answers what is waited for, and ends.
    pub async fn run(self, socket: TcpListener, shutdown: CancellationToken) {
        let clock = self.sinks.clock().clone();
        let connections = Connections {
            acceptor: TlsAcceptor::from(self.tls),
            service: Service {
                sinks: self.sinks,
                pushers: Arc::new(self.pushers),
                closing: shutdown.clone(),
            },
            tasks: TaskTracker::new(),
            clock: clock.clone(),
        };
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // Those who wait here wait in the socket's own queue.
        while let Some(Ok(permit)) = shutdown.run_until_cancelled(Arc::clone(&free).acquire_owned()).await {
            match shutdown.run_until_cancelled(socket.accept()).await {
                None => break,
                Some(Ok((stream, _))) => {
                    let serve = connections.clone().serve(stream, shutdown.clone());
                    connections.tasks.spawn(async move {
                        serve.await;
                        drop(permit);
                    });
                }
                Some(Err(error)) => {
                    warn!("Cannot accept a connection to a sink, trying again: {error}");
                    clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(socket);
        connections.tasks.close();
        tokio::select! {
            () = connections.tasks.wait() => {}
            // Everything is answered by then.
            () = clock.sleep(ANSWERED_WITHIN + HEAD_WITHIN) => {}
        }
    }
}

// === impl Connections ===

impl Connections {
    async fn serve(self, stream: TcpStream, shutdown: CancellationToken) {
        // Answers are small, and waited for.
        stream.set_nodelay(true).ok();
        let stream = tokio::select! {
            accepted = self.acceptor.accept(stream) => match accepted {
                Ok(stream) => stream,
                Err(error) => return debug!("A connection to a sink was refused: {error}"),
            },
            () = self.clock.sleep(HEAD_WITHIN) => return debug!("A connection to a sink did not finish its handshake."),
        };
        let service = self.service;
        let pushers = Arc::clone(&service.pushers);
        let first = CancellationToken::new();
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(IDLE_WITHIN).serve_connection(
                TokioIo::new(stream),
                service_fn(|request| {
                    first.cancel();
                    service.answer(request)
                }),
            );
        tokio::pin!(connection);
        let nobody_asks = async {
            tokio::select! {
                () = first.cancelled() => std::future::pending().await,
                () = self.clock.sleep(HEAD_WITHIN) => {}
            }
        };
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = nobody_asks => return debug!("A connection to a sink asked for nothing."),
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        match (served, &*pushers) {
            (Err(error), Pushers::Vector { formerly_of: Some(id) })
                if error.is_parse() && error.to_string().contains(HTTP2) =>
            {
                error!(
                    component_id = id,
                    "Vector speaks gRPC to sinks.{id}: its file was rendered by an earlier version. Render it again, and have \
                     Vector read it; until then Vector keeps what it has for this sink, and tries again."
                );
            }
            // Whoever pushes sends again what was not answered.
            (Err(error), _) => debug!("A connection to a sink broke: {error}"),
            (Ok(()), _) => {}
        }
    }
}
