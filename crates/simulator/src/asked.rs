//! A request as the handlers get it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::answers::{self, Objection};
use crate::faults::Service;
use crate::world::World;

/// One request, read whole; `P` is what its path names.
pub(crate) struct Asked<P = ()> {
    pub(crate) world: Arc<World>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) path: P,
    pub(crate) body: Bytes,
}

// === impl Asked ===

impl<P> Asked<P> {
    /// Answers with what `run` comes to, a refusal in the words of `service`.
    pub(crate) fn answer(
        &self,
        service: Service,
        run: impl FnOnce() -> Result<Response, Objection>,
    ) -> Response {
        run().unwrap_or_else(|objection| answers::refuse(&self.world, service, &self.headers, &objection))
    }

    /// The options behind the path, as they came.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}

impl<P: DeserializeOwned + Send> FromRequest<Arc<World>> for Asked<P> {
    type Rejection = Response;

    async fn from_request(request: Request, world: &Arc<World>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let path = Path::from_request_parts(&mut parts, world).await;
        let Path(path) = path.map_err(IntoResponse::into_response)?;
        let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
        let body = Bytes::from_request(Request::from_parts(parts, body), world).await;
        let body = body.map_err(IntoResponse::into_response)?;
        Ok(Self { world: Arc::clone(world), method, uri, headers, path, body })
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
