//! Connections to Vector's `vector` source.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent Vector is asked whether it is still there, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// A channel to `address`, `host:port`, whose certificate must be for `name`. It connects when it is used, and again whenever
/// it has to.
///
/// The TLS is not tonic's: that insists on ALPN, which Vector does not speak unless told to.
pub fn channel(address: &str, name: &str, tls: Arc<ClientConfig>) -> Result<Channel, String> {
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| format!("'{name}' is no name that a certificate can be for: {error}"))?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| format!("cannot connect to Vector at {address}: {error}"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    let (address, connector) = (address.to_owned(), TlsConnector::from(tls));
    let connect = tower::service_fn(move |_| {
        let (address, name, connector) = (address.clone(), name.clone(), connector.clone());
        async move {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connect))
}
