//! Where Vector listens, which changes when it is started anew.

use std::time::Duration;

use tokio::sync::watch;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use crate::vector::protocol::vector::vector_client::VectorClient;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent Vector is asked whether it is still there, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The address of one `vector` source. Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub struct Peer(watch::Sender<Option<Channel>>);

impl Default for Peer {
    /// A Vector that does not run yet.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Peer {
    /// Vector listens at `address`, `host:port`, from now on. Nothing is connected yet.
    pub fn moved_to(&self, address: &str, tls: ClientTlsConfig) -> Result<(), String> {
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(|error| format!("cannot connect to Vector at {address}: {error}"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        self.0.send_replace(Some(endpoint.connect_lazy()));
        Ok(())
    }

    /// Vector does not run: wait until it does.
    pub fn gone(&self) {
        self.0.send_replace(None);
    }

    /// Its service, as soon as it is known where it is.
    pub(super) async fn service(&self) -> VectorClient<Channel> {
        let mut known = self.0.subscribe();
        match known.wait_for(Option::is_some).await.map(|channel| (*channel).clone()) {
            Ok(Some(channel)) => VectorClient::new(channel),
            // The sender lives as long as this does.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    #[cfg(test)]
    pub(super) fn at(&self, channel: Channel) {
        self.0.send_replace(Some(channel));
    }
}
