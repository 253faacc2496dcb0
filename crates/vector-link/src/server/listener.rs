//! One socket for one sink.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tracing::error;

use super::deliveries::Deliveries;
use super::service::{ANSWERED_WITHIN, MAX_BYTES_UNDER_WAY, Service, Sink};
use crate::protocol::MAX_REQUEST_BYTES;
use crate::protocol::vector::vector_server::VectorServer;
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use runtime::health::Health;
use runtime::quarantine::Quarantine;
use runtime::retry::policy::Policies;
use runtime::telemetry::ComponentLabels;

/// Pushes that one connection may have open, each of which is in memory before it is looked at. What `render` writes lets
/// Vector have fewer, so that none waits for its turn here without our counting the time.
const MAX_PUSHES: usize = 16;
/// How often a silent peer is asked whether it is still there, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// What a listener is for.
pub struct ListenerOptions {
    /// The sink that batches go to.
    pub deliver: Arc<dyn Deliver>,
    /// Whether that sink works.
    pub health: Health,
    /// Where that sink keeps what can never be accepted.
    pub quarantine: Quarantine,
    /// The labels of that sink.
    pub labels: ComponentLabels,
}

/// Takes what Vector pushes to one sink.
pub struct Listener {
    service: Service,
    tls: ServerTlsConfig,
}

// === impl Listener ===

impl Listener {
    /// A listener that is not listening yet. Whoever has no certificate that `tls` wants is turned away.
    #[must_use]
    pub fn new(options: ListenerOptions, tls: ServerTlsConfig, clock: Clock, rng: fastrand::Rng) -> Self {
        let ListenerOptions { deliver, health, quarantine, labels } = options;
        let deliveries = Deliveries::new(clock.clone());
        let policies = Policies::new(rng);
        let sink =
            Arc::new(Sink { deliver, health, quarantine, labels, clock, policies, said: Mutex::default() });
        let room = Arc::new(Semaphore::new(MAX_BYTES_UNDER_WAY / 1024));
        Self { service: Service { sink, deliveries, room, closing: CancellationToken::new() }, tls }
    }

    /// Serves until `shutdown` is cancelled. Then answers what is waited for, and ends when everything that was begun is
    /// delivered. Answers whether it did so, or broke.
    pub async fn run(self, socket: TcpListener, shutdown: CancellationToken) -> Result<(), String> {
        let Self { service, tls } = self;
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let health = service.sink.health.clone();
        let report_health = async move {
            loop {
                let changed = health.changed();
                let status = if health.is_working() {
                    tonic_health::ServingStatus::Serving
                } else {
                    tonic_health::ServingStatus::NotServing
                };
                reporter.set_service_status("vector.Vector", status).await;
                reporter.set_service_status("", status).await;
                changed.await;
            }
        };
        let (closing, deliveries) = (service.closing.clone(), service.deliveries.clone());
        // Whoever drops this future gives up what was begun.
        let _end = deliveries.end_with();
        let id = service.sink.labels.id.clone();
        let clock = service.sink.clock.clone();
        let vector = VectorServer::new(service)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(MAX_REQUEST_BYTES);
        let stopping = shutdown.clone();
        let overdue = async move {
            stopping.cancelled().await;
            clock.sleep(ANSWERED_WITHIN + KEEPALIVE).await;
        };
        let served = Server::builder()
            .tls_config(tls)
            .map_err(|error| format!("cannot use the certificates for sinks.{id}: {error}"))?
            .concurrency_limit_per_connection(MAX_PUSHES)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_service(health_service)
            .add_service(vector)
            .serve_with_incoming_shutdown(TcpIncoming::from(socket), async move {
                shutdown.cancelled().await;
                closing.cancel();
            });
        let served = tokio::select! {
            served = served => served,
            () = report_health => Ok(()),
            // Everything is answered by now; somebody watches our health, and would do so for ever.
            () = overdue => Ok(()),
        };
        if let Err(error) = &served {
            error!(component_id = id, "The listener for Vector broke: {error}");
        }
        deliveries.finished().await;
        served.map_err(|error| format!("the listener of sinks.{id} broke: {error}"))
    }
}
