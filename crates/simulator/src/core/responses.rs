//! Responses as each service words them.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::core::faults::Service;
use crate::sim_state::SimState;

// https://learn.microsoft.com/graph/best-practices-concept#getting-help
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

// https://learn.microsoft.com/graph/errors#http-status-codes
const GRAPH_CONTENT_TYPE: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// Why a service refuses a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The header `Retry-After`, if it has one.
    pub(crate) retry_after: Option<String>,
}

// === impl ApiError ===

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn too_many_requests(retry_after: String) -> Self {
        let retry_after = Some(retry_after);
        Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "") }
    }
}

/// An error in the words of `service`.
pub(crate) fn refuse(
    state: &SimState,
    service: Service,
    request: &HeaderMap,
    refusal: &ApiError,
) -> Response {
    let ApiError { status, code, message, retry_after } = refusal;
    let mut answer = error(state, service, request, *status, code, message);
    if let Some(wait) = retry_after {
        put(answer.headers_mut(), header::RETRY_AFTER, wait);
    }
    answer
}

/// An error in the words of `service`; an empty `code` becomes what the status commonly has.
pub(crate) fn error(
    state: &SimState,
    service: Service,
    request: &HeaderMap,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    let code = if code.is_empty() { usual_code(service, status) } else { code };
    // Graph says nothing more about an error it does not know.
    let message = if code == "UnknownError" { "" } else { message };
    match service {
        Service::Entra => entra(state, status, code, message),
        Service::Graph => graph_error(state, request, status, code, message),
        Service::LogsIngestion => ingestion_error(state, status, code, message),
        Service::SecurityInsights | Service::ResourceManager | Service::LogAnalytics => {
            arm(state, status, &json!({"error": {"code": code, "message": message}}))
        }
    }
}

fn usual_code(service: Service, status: StatusCode) -> &'static str {
    match (service, status.as_u16()) {
        (Service::Entra, 401) => "invalid_client",
        (Service::Entra, 400..500) => "invalid_request",
        (Service::Entra, _) => "temporarily_unavailable",
        (Service::Graph, 401) => "InvalidAuthenticationToken",
        (_, 400) => "BadRequest",
        (_, 401) => "Unauthorized",
        (_, 403) => "Forbidden",
        (_, 404) => "NotFound",
        (_, 409) => "Conflict",
        (_, 412) => "PreconditionFailed",
        (_, 413) => "ContentLengthLimitExceeded",
        (_, 429) => "TooManyRequests",
        (_, 503) => "ServiceUnavailable",
        _ => "UnknownError",
    }
}

/// JSON of Graph, compressed if the client takes gzip.
pub(crate) fn graph(state: &SimState, request: &HeaderMap, status: StatusCode, body: String) -> Response {
    graph_named(request, status, body, &state.request_id())
}

// https://learn.microsoft.com/graph/errors#json-representation
// https://learn.microsoft.com/graph/throttling#sample-response
fn graph_error(
    state: &SimState,
    request: &HeaderMap,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    let request_id = state.request_id();
    let date = state.clock.now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let body = if status == StatusCode::TOO_MANY_REQUESTS {
        json!({"error": {
            "code": code,
            "innerError": {
                "code": "429",
                "date": date,
                "message": "Please retry after",
                "request-id": request_id,
                "status": "429",
            },
            "message": "Please retry again later.",
        }})
    } else {
        let client_request_id = request.get(CLIENT_REQUEST_ID).and_then(|value| value.to_str().ok());
        json!({"error": {
            "code": code,
            "message": message,
            "innerError": {
                "date": date,
                "request-id": request_id,
                "client-request-id": client_request_id.unwrap_or(&request_id),
            },
        }})
    };
    graph_named(request, status, body.to_string(), &request_id)
}

fn graph_named(request: &HeaderMap, status: StatusCode, body: String, request_id: &str) -> Response {
    let takes_gzip = request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|coding| coding.trim().starts_with("gzip")));
    let zipped = if takes_gzip { zip(&body) } else { None };
    let is_zipped = zipped.is_some();
    let mut answer = answer(status, GRAPH_CONTENT_TYPE, zipped.unwrap_or_else(|| body.into_bytes()));
    let headers = answer.headers_mut();
    if is_zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    put(headers, REQUEST_ID, request_id);
    let echoed = request.get(CLIENT_REQUEST_ID).cloned();
    if let Some(echoed) = echoed.or_else(|| HeaderValue::from_str(request_id).ok()) {
        headers.insert(CLIENT_REQUEST_ID, echoed);
    }
    answer
}

/// Logs Ingestion says nothing when all is well.
pub(crate) fn ingested(state: &SimState) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    put(answer.headers_mut(), HeaderName::from_static("x-ms-request-id"), &state.request_id());
    answer
}

// https://learn.microsoft.com/rest/api/monitor/data-collection/upload
fn ingestion_error(state: &SimState, status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {
        "code": code, "message": message, "target": null, "details": [], "innererror": {},
    }});
    let mut answer = answer(status, "application/json; charset=utf-8", body.to_string().into_bytes());
    put(answer.headers_mut(), HeaderName::from_static("x-ms-error-code"), code);
    put(answer.headers_mut(), HeaderName::from_static("x-ms-request-id"), &state.request_id());
    answer
}

/// JSON of Azure Resource Manager; null is no body.
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#remaining-requests
pub(crate) fn arm(state: &SimState, status: StatusCode, body: &Value) -> Response {
    let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let mut answer = answer(status, "application/json; charset=utf-8", text);
    let headers = answer.headers_mut();
    if body.is_null() {
        headers.remove(header::CONTENT_TYPE);
    }
    put(headers, HeaderName::from_static("x-ms-request-id"), &state.request_id());
    put(headers, HeaderName::from_static("x-ms-correlation-request-id"), &state.request_id());
    answer
}

/// An error of Entra ID; the number of the AADSTS code is read from the front of `description`.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response-1
fn entra(state: &SimState, status: StatusCode, error: &str, description: &str) -> Response {
    let (trace_id, correlation_id) = (state.request_id(), state.request_id());
    let at = state.clock.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
    let number = description
        .strip_prefix("AADSTS")
        .and_then(|rest| rest.split(':').next())
        .and_then(|digits| digits.parse::<u64>().ok());
    let body = json!({
        "error": error,
        "error_description": format!(
            "{description} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {at}"
        ),
        "error_codes": number.into_iter().collect::<Vec<_>>(),
        "timestamp": at,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
    });
    entra_json(status, &body)
}

/// JSON that nobody may keep.
pub(crate) fn entra_json(status: StatusCode, body: &Value) -> Response {
    let mut answer = answer(status, "application/json; charset=utf-8", body.to_string().into_bytes());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    answer
}

/// Adds a header; a value that HTTP cannot carry is left out.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Dates an answer by the simulator's clock.
pub(crate) async fn dated(State(state): State<Arc<SimState>>, mut answer: Response) -> Response {
    let date = state.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    put(answer.headers_mut(), header::DATE, &date);
    answer
}

fn zip(body: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    encoder.write_all(body.as_bytes()).ok()?;
    encoder.finish().ok()
}
