//! Where Vector listens, which changes when it is started anew.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::watch;

use super::connect::{AddressError, edge};
use runtime::edge::Edge;

/// The address of one `http_server` source. Cheap to clone; all clones know the same.
#[derive(Clone)]
pub struct VectorPeer(watch::Sender<Option<Edge>>);

impl Default for VectorPeer {
    /// A Vector that does not run yet.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl VectorPeer {
    /// Vector listens at `address`, `host:port`, from now on, with a certificate for `name`. Nothing is connected yet.
    pub fn moved_to(&self, address: &str, name: &str, tls: &Arc<ClientConfig>) -> Result<(), AddressError> {
        self.reached_by(edge(address, name, tls)?);
        Ok(())
    }

    /// Vector is reached by `edge` from now on.
    pub fn reached_by(&self, edge: Edge) {
        self.0.send_replace(Some(edge));
    }

    /// Vector does not run: wait until it does.
    pub fn gone(&self) {
        self.0.send_replace(None);
    }

    /// The way to it, as soon as it is known.
    pub(super) async fn edge(&self) -> Edge {
        let mut known = self.0.subscribe();
        match known.wait_for(Option::is_some).await.map(|edge| (*edge).clone()) {
            Ok(Some(edge)) => edge,
            // The sender lives as long as this does.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}
