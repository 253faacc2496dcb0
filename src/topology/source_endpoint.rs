//! Where Vector takes the events of one of our sources: Vector listens there, and we connect.

use super::link_error::LinkError;
use pipeline_file::{Link, connectable, host};
use vector_link::certificates::TlsIdentity;
use vector_link::client::VectorPeer;

/// The `http_server` source that stands for one of ours.
pub(super) struct SourceEndpoint {
    /// The source's id.
    pub(super) id: String,
    pub(super) link: Link,
    /// What we show there.
    pub(super) identity: TlsIdentity,
    pub(super) peer: VectorPeer,
}

// === impl SourceEndpoint ===

impl SourceEndpoint {
    /// Vector listens at `address` from now on.
    pub(super) fn open(&self, address: &str) -> Result<(), LinkError> {
        let address = &connectable(address);
        // The certificates that we make are for this machine, whatever its loopback address; others are for a name.
        let name = if self.link.tls.is_some() { host(address).unwrap_or(address) } else { "localhost" };
        Ok(self.peer.moved_to(address, name, &self.identity.client_tls()?)?)
    }
}
