//! The simulator as a service: the answers of its sockets without a socket, so that a runtime without I/O can have them.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use futures::future::BoxFuture;
use hyper::body::Body as _;
use thiserror::Error;
use tower::{Service, ServiceExt as _};

use crate::core::cutter::ConnectionCutter;
use crate::sim_state::SimState;

/// Answers requests as the simulator's sockets do: the same routes, the same faults, the same clock. Cheap to clone.
///
/// A request that was begun is brought to its end even if its caller goes away, as on a server; its task ends with the
/// runtime.
#[derive(Clone)]
pub struct InProcess {
    state: Arc<SimState>,
    router: Router,
    limit: Option<Duration>,
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TransportError {
    /// Nobody listens at that host, or the simulator was stopped: the request was not processed.
    #[error("connection refused")]
    Refused,
    /// The connection was reset before an answer; whether the request was processed cannot be told.
    #[error("connection reset")]
    Reset,
    /// The connection was closed before an answer; whether the request was processed cannot be told.
    #[error("connection closed before an answer")]
    Closed,
    /// The caller's limit was over before an answer; the request may yet be processed.
    #[error("timed out")]
    TimedOut,
}

// === impl InProcess ===

impl InProcess {
    pub(crate) fn new(state: Arc<SimState>, router: Router) -> Self {
        Self { state, router, limit: None }
    }

    /// The same, for a caller who waits for an answer no longer than `limit`.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    async fn send(self, mut request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let authority = authority_of(&request).or_else(|| self.state.authority());
        let authority = authority.filter(|authority| self.state.is_at(authority));
        let authority = authority.filter(|_| !self.state.stopped.is_cancelled());
        let authority = authority.ok_or(TransportError::Refused)?;
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            request.headers_mut().entry(header::HOST).or_insert(host);
        }
        // On the wire a request names no more than this.
        if let Some(Ok(uri)) = request.uri().path_and_query().map(|path| Uri::try_from(path.as_str())) {
            *request.uri_mut() = uri;
        }
        let clock = self.state.clock.clone();
        let answer = tokio::spawn(answer(self.state, self.router, request));
        let too_late = async {
            match self.limit {
                Some(limit) => clock.sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // A handler that panics takes its connection with it.
            answer = answer => answer.unwrap_or(Err(TransportError::Closed)),
            () = too_late => Err(TransportError::TimedOut),
        }
    }
}

impl Service<Request<Bytes>> for InProcess {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Response<Body>, TransportError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// Where a request is addressed to, if it says so.
fn authority_of(request: &Request<Bytes>) -> Option<Authority> {
    let host = || request.headers().get(header::HOST)?.to_str().ok()?.parse().ok();
    request.uri().authority().cloned().or_else(host)
}

/// Answers as one connection of a socket does, unless a fault ends it.
async fn answer(
    state: Arc<SimState>,
    router: Router,
    request: Request<Bytes>,
) -> Result<Response<Body>, TransportError> {
    let cutter = ConnectionCutter::default();
    let mut request = request.map(Body::from);
    request.extensions_mut().insert(cutter.clone());
    tokio::select! {
        biased;
        answer = router.oneshot(request) => answer.map(measured).map_err(|never| match never {}),
        () = cutter.cut() => {
            Err(if cutter.is_reset() { TransportError::Reset } else { TransportError::Closed })
        }
        () = state.stopped.cancelled() => Err(TransportError::Closed),
    }
}

/// Says how long the body is, as a server does.
// https://www.rfc-editor.org/rfc/rfc9110#section-8.6
fn measured(mut answer: Response<Body>) -> Response<Body> {
    let length = answer.body().size_hint().exact();
    if answer.status() == StatusCode::NO_CONTENT {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
    } else if let Some(length) = length {
        answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    answer
}
