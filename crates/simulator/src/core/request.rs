//! A request as the handlers get it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::core::faults::Service;
use crate::core::responses::{self, ApiError};
use crate::sim_state::SimState;

/// One request, read whole; `P` is what its path names.
pub(crate) struct ApiRequest<P = ()> {
    pub(crate) state: Arc<SimState>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) path: P,
    pub(crate) body: Bytes,
}

// === impl ApiRequest ===

impl<P> ApiRequest<P> {
    /// Answers with what `run` comes to, a refusal in the words of `service`.
    pub(crate) fn answer(
        &self,
        service: Service,
        run: impl FnOnce() -> Result<Response, ApiError>,
    ) -> Response {
        run().unwrap_or_else(|error| responses::refuse(&self.state, service, &self.headers, &error))
    }

    /// The options behind the path, as they came.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}

impl<P: DeserializeOwned + Send> FromRequest<Arc<SimState>> for ApiRequest<P> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<SimState>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let path = Path::from_request_parts(&mut parts, state).await;
        let Path(path) = path.map_err(IntoResponse::into_response)?;
        let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        Ok(Self { state: Arc::clone(state), method, uri, headers, path, body })
    }
}

/// The text of a header, if there is one.
pub(crate) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header_text(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
