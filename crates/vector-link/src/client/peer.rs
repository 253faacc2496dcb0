//! Where Vector listens, which changes when it is started anew.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;
use tonic::transport::Channel;

use super::connect::channel;
use crate::protocol::vector::vector_client::VectorClient;

/// The address of one `vector` source. Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub struct VectorPeer(watch::Sender<Option<Channel>>);

impl Default for VectorPeer {
    /// A Vector that does not run yet.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl VectorPeer {
    /// Vector listens at `address`, `host:port`, from now on, with a certificate for `name`. Nothing is connected yet.
    pub fn moved_to(&self, address: &str, name: &str, tls: Arc<ClientConfig>) -> Result<(), String> {
        self.0.send_replace(Some(channel(address, name, tls)?));
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
