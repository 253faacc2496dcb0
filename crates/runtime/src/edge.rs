//! The HTTPS edge: one request out, one answer in, whoever carries them.
//!
//! An [`Edge`] is a [`tower::Service`]. In production reqwest is behind it; a test may put a simulated service there, so
//! that no socket is opened. What can go wrong before there is an answer is an [`EdgeError`], made in one place a backend.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use thiserror::Error;

/// The body of an answer. It is read as it comes, and may end in an error.
pub type ResponseBody = UnsyncBoxBody<Bytes, EdgeError>;

/// A way to send requests. Cheap to clone.
pub type Edge =
    tower::util::BoxCloneSyncService<http::Request<Bytes>, http::Response<ResponseBody>, EdgeError>;

/// Why there is no (whole) answer. Each carries the causes as the system worded them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EdgeError {
    /// The host's name has no address.
    #[error("the name of the host cannot be resolved: {0}")]
    Dns(String),
    /// The host refuses the connection: nothing listens there, or a firewall answers for it.
    #[error("the connection is refused: {0}")]
    Refused(String),
    /// No connection came about within the time limit for connecting, or at all.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The proxy is not there, wants other credentials, or does not let this host through.
    #[error("cannot get through the proxy: {0}")]
    Proxy(String),
    /// The TLS handshake failed: a certificate that is not trusted, or a peer that speaks no TLS.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// The connection stands, but the answer was not complete within the time limit of the request.
    #[error("no answer within the time limit: {0}")]
    TimedOut(String),
    /// The connection broke before the answer was complete. What was asked may have been done.
    #[error("the connection broke before the answer was complete: {0}")]
    Lost(String),
    /// The answer is larger than is read. It may have been whole.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads a body to its end, at most `cap` bytes of it.
pub async fn collect(mut body: ResponseBody, cap: usize) -> Result<Bytes, EdgeError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if read.len() + data.len() > cap {
            return Err(EdgeError::TooLarge(cap));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_the_cap_and_no_further() {
        let body = || Full::new(Bytes::from_static(b"12345")).map_err(|never| match never {}).boxed_unsync();
        assert_eq!(collect(body(), 5).await.unwrap(), "12345");
        assert_eq!(collect(body(), 4).await, Err(EdgeError::TooLarge(4)));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error_and_not_a_short_answer() {
        let frames =
            [Ok(http_body::Frame::data(Bytes::from_static(b"12"))), Err(EdgeError::Lost("reset".to_owned()))];
        let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
        assert_eq!(collect(body, 100).await, Err(EdgeError::Lost("reset".to_owned())));
    }
}
