//! Fake Azure Monitor Logs Ingestion: takes rows, and loses what the real service loses.

// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::core::faults::Service;
use crate::core::limits::retry_after;
use crate::core::records::IngestionError;
use crate::core::request::{bearer, header_text};
use crate::core::responses::{self, ApiError};
use crate::core::store::lock;
use crate::entra::tokens::{Audience, Refusal};
use crate::ingestion::columns::{Losses, auxiliary_objection, drop_same_names, fit};
use crate::ingestion::{Columns, Dcr};
use crate::sim_state::SimState;

/// The size of one call, before and after compression.
// https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
const LARGEST_CALL: usize = 1_048_576;

/// Requests to one data collection rule.
// https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
pub(crate) const REQUESTS_PER_MINUTE: u32 = 12_000;

// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview#uri
const API_VERSION: &str = "2023-01-01";

/// More than this is neither read nor decompressed, whatever limits are enforced: nothing that a client
/// sends may fill the memory.
const CAP: usize = 64 * 1_048_576;

/// Where rows go.
#[derive(Clone, Copy)]
struct Stream<'w> {
    name: &'w str,
    columns: &'w Columns,
    /// Whether its table has the plan Auxiliary.
    auxiliary: bool,
}

/// A body as it came.
struct Wire {
    /// Empty if it was larger than the cap.
    bytes: Bytes,
    len: usize,
}

/// Answers `POST /dataCollectionRules/{id}/streams/{stream}`
pub(crate) async fn ingest(
    State(state): State<Arc<SimState>>,
    Path((rule, stream)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Response {
    // The body is read whatever becomes of the request, so that the answer reaches a client that is
    // still sending.
    let refusal = match read(body).await {
        Ok(wire) => {
            let admitted = admit(&state, &headers, &rule, &stream, &uri);
            match admitted.and_then(|stream| take(&state, &headers, stream, &wire)) {
                Ok(()) => return responses::ingested(&state),
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    // What has no rule or stream is in no rule's log.
    if refusal.status != StatusCode::NOT_FOUND {
        note(&state, &headers, &stream, "Ingestion", &refusal.message);
    }
    responses::refuse(&state, Service::LogsIngestion, &headers, &refusal)
}

/// Lets a request in that has the right token and address.
fn admit<'w>(
    state: &'w SimState,
    headers: &HeaderMap,
    rule: &str,
    stream: &str,
    uri: &Uri,
) -> Result<Stream<'w>, ApiError> {
    state.tokens.check(bearer(headers), Audience::Monitor, state.clock.now()).map_err(
        |refusal| match refusal {
            Refusal::WrongAudience => ApiError::new(
                StatusCode::FORBIDDEN,
                "OperationFailed",
                format!(
                    "The authentication token provided does not have access to ingest data for \
                    the data collection rule with immutable Id '{rule}'"
                ),
            ),
            Refusal::Missing | Refusal::Unknown | Refusal::Expired => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "InvalidToken",
                "The authentication token is missing, invalid or expired.",
            ),
        },
    )?;
    let host = text(headers, header::HOST).parse::<Authority>().ok();
    let host = host.as_ref().map(Authority::host).unwrap_or_default();
    let is_here = |found: &&Dcr| found.host.as_ref().is_none_or(|only| only == host);
    let found = state.config.rules().find(|found| found.immutable_id == rule).filter(is_here);
    let Some(found) = found else {
        let message = format!("Data collection rule with immutable Id '{rule}' not found.");
        return Err(ApiError::not_found("NotFound", message));
    };
    let Some((name, columns)) = found.streams.get_key_value(stream) else {
        let message = format!("Stream '{stream}' is not declared by data collection rule '{rule}'.");
        return Err(ApiError::not_found("NotFound", message));
    };
    let mut options = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    if !options.any(|(name, value)| name == "api-version" && value == API_VERSION) {
        return Err(bad_request("UnsupportedApiVersion", "The api-version is missing or not supported."));
    }
    let taken = lock(&state.ingestion_quota).take(state.clock.ticks());
    taken.map_err(|wait| ApiError::too_many_requests(retry_after(wait)))?;
    Ok(Stream { name, columns, auxiliary: found.auxiliary.contains(name) })
}

/// Takes the rows of an admitted request.
fn take(state: &SimState, headers: &HeaderMap, stream: Stream<'_>, wire: &Wire) -> Result<(), ApiError> {
    let content_type = text(headers, header::CONTENT_TYPE).split(';').next().unwrap_or_default();
    if !content_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(unsupported("Content-Type", content_type));
    }
    state.records.count(|stats| stats.largest_wire = stats.largest_wire.max(wire.len as u64));
    if wire.len > LARGEST_CALL {
        return Err(too_large(wire.len));
    }
    let json = match text(headers, header::CONTENT_ENCODING) {
        "" | "identity" => wire.bytes.clone(),
        "gzip" => unzip(&wire.bytes)?,
        other => return Err(unsupported("Content-Encoding", other)),
    };
    state.records.count(|stats| stats.largest_json = stats.largest_json.max(json.len() as u64));
    let largest = if state.config.wire_size_only { CAP } else { LARGEST_CALL };
    if json.len() > largest {
        return Err(too_large(json.len()));
    }
    let rows = rows(&json)?;
    if rows.is_none() {
        state.records.count(|stats| stats.bare_objects += 1);
    }
    if let Some(mut rows) = rows {
        let mut losses = Losses::default();
        if stream.auxiliary {
            if let Some(objection) = rows.iter().find_map(|row| auxiliary_objection(row, stream.columns)) {
                return Err(bad_request("InvalidRow", &objection));
            }
            for row in &mut rows {
                drop_same_names(row, &mut losses);
            }
        }
        if let Some(message) = state.config.log_analytics.failing_transforms.get(stream.name) {
            note(state, headers, stream.name, "Transformation", message);
            return Ok(());
        }
        let kept = rows.into_iter().map(|row| fit(row, stream.columns, &mut losses)).collect();
        state.records.ingest(state.clock.now(), stream.name, kept, losses);
    }
    state.records.count(|stats| {
        stats.ingestion_bytes_wire += wire.len as u64;
        stats.ingestion_bytes_json += json.len() as u64;
    });
    Ok(())
}

/// Puts an error into the log of the rule.
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/dcrlogerrors
fn note(state: &SimState, headers: &HeaderMap, stream: &str, operation: &'static str, message: &str) {
    let id = header::HeaderName::from_static("x-ms-client-request-id");
    state.records.note_error(IngestionError {
        at: state.clock.now(),
        client_request_id: text(headers, id).to_owned(),
        stream: stream.to_owned(),
        operation,
        message: message.to_owned(),
    });
}

/// The rows of a body; none if it is one bare object, which has been seen to get 204 and vanish.
fn rows(json: &[u8]) -> Result<Option<Vec<Map<String, Value>>>, ApiError> {
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| bad_request("InvalidJson", &format!("The body is not valid JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(None),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(row) => Ok(row),
                _ => Err(bad_request("InvalidRow", "Every element of the array must be an object.")),
            })
            .collect::<Result<_, _>>()
            .map(Some),
        _ => Err(bad_request("InvalidJson", "The body must be an array of objects.")),
    }
}

async fn read(body: Body) -> Result<Wire, ApiError> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut len) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|_| bad_request("ReadyBody_ClientConnectionAbort", "The body ended too early."))?;
        len += chunk.len();
        if len > CAP {
            return Err(too_large(len));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Wire { bytes: bytes.freeze(), len })
}

fn unzip(bytes: &[u8]) -> Result<Bytes, ApiError> {
    #[expect(clippy::disallowed_types, reason = "capped by take, one byte above what is allowed")]
    let mut decoder = flate2::read::GzDecoder::new(bytes).take(CAP as u64 + 1);
    let mut json = Vec::new();
    decoder
        .read_to_end(&mut json)
        .map_err(|error| bad_request("InvalidGzip", &format!("The body is not valid gzip: {error}")))?;
    Ok(json.into())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    header_text(headers, name).unwrap_or_default()
}

fn bad_request(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

fn unsupported(header: &str, value: &str) -> ApiError {
    let message = format!("{header} '{value}' is not supported.");
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
}

fn too_large(len: usize) -> ApiError {
    let message = format!("The call has {len} bytes; at most {LARGEST_CALL} are allowed.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "ContentLengthLimitExceeded", message)
}
