//! The layer in front of every service: requests are counted, and faults happen to them.

use std::future::pending;
use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use futures::stream;

use crate::core::cutter::ConnectionCutter;
use crate::core::faults::{Fault, Service};
use crate::core::operation::Operation;
use crate::core::records::Served;
use crate::core::request::bearer;
use crate::core::responses;
use crate::sim_state::SimState;

/// The largest body that is read only to be thrown away.
const LARGEST_IGNORED: usize = 64 * 1_048_576;

/// Counts the request and lets it through, or applies a fault to it.
pub(crate) async fn handle(
    State((state, service)): State<(Arc<SimState>, Service)>,
    Extension(cutter): Extension<ConnectionCutter>,
    request: Request,
    next: Next,
) -> Response {
    state.catch_up();
    state.records.count(|stats| match service {
        Service::Entra => {}
        Service::Graph => stats.graph_requests += 1,
        Service::LogsIngestion => stats.ingestion_requests += 1,
        Service::SecurityInsights => stats.security_insights_requests += 1,
        Service::ResourceManager => stats.resource_manager_requests += 1,
        Service::LogAnalytics => stats.log_analytics_requests += 1,
    });
    let _under_way = (service == Service::LogsIngestion).then(|| InFlight::new(Arc::clone(&state)));
    let operation = Operation::of(request.method(), request.uri().path());
    state.records.count(|stats| match operation {
        Some(Operation::DefenderList) => stats.defender_lists += 1,
        Some(Operation::SentinelList) => stats.sentinel_lists += 1,
        _ => {}
    });
    let fault = state.faults.next(service, operation, request.uri().path());
    if fault != Fault::Pass {
        state.records.count(|stats| stats.faults_fired += 1);
    }
    let mut answer = apply_fault(&state, service, fault, &cutter, request, next).await;
    if let Some(Served(revisions)) = answer.extensions_mut().remove() {
        state.records.serve(revisions);
    }
    if service == Service::LogsIngestion {
        let status = answer.status().as_u16();
        state.records.count(|stats| *stats.ingestion_by_status.entry(status).or_default() += 1);
    }
    answer
}

/// A request that is being answered, or until the client has gone.
struct InFlight(Arc<SimState>);

impl InFlight {
    fn new(state: Arc<SimState>) -> Self {
        state.records.count(|stats| {
            stats.ingestion_at_once += 1;
            stats.ingestion_most_at_once = stats.ingestion_most_at_once.max(stats.ingestion_at_once);
        });
        Self(state)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.records.count(|stats| stats.ingestion_at_once -= 1);
    }
}

async fn apply_fault(
    state: &SimState,
    service: Service,
    fault: Fault,
    cutter: &ConnectionCutter,
    request: Request,
    next: Next,
) -> Response {
    match fault {
        Fault::Pass => next.run(request).await,
        Fault::Delay(duration) => {
            state.clock.sleep(duration).await;
            next.run(request).await
        }
        Fault::Status { code, retry_after, body } => {
            let (parts, unread) = request.into_parts();
            // A client that is still sending would not see the answer. What cannot be read is of no use
            // to anybody here.
            drop(to_bytes(unread, LARGEST_IGNORED).await);
            scripted(state, service, &parts.headers, code, retry_after.as_deref(), body)
        }
        Fault::Reset => {
            cutter.reset();
            pending().await
        }
        Fault::ResetAfter => {
            drop(next.run(request).await);
            cutter.reset();
            pending().await
        }
        Fault::CutBody => cut(next.run(request).await, cutter).await,
        Fault::RefuseToken { code, description } if service == Service::Entra => {
            state.records.count(|stats| stats.tokens_refused += 1);
            let description = description.as_deref().unwrap_or("The token request was refused.");
            let text = format!("{code}: {description}");
            responses::error(state, service, request.headers(), StatusCode::UNAUTHORIZED, "", &text)
        }
        Fault::RefuseToken { .. } | Fault::ExpireToken => {
            match bearer(request.headers()) {
                Some(token) => state.tokens.expire(token),
                None if service == Service::Entra => state.tokens.expire_all(),
                None => {}
            }
            next.run(request).await
        }
    }
}

fn scripted(
    state: &SimState,
    service: Service,
    headers: &HeaderMap,
    code: u16,
    retry_after: Option<&str>,
    body: Option<String>,
) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if service == Service::Entra && !status.is_success() {
        state.records.count(|stats| stats.tokens_refused += 1);
    }
    let mut answer = responses::error(state, service, headers, status, "", "Scripted by a fault.");
    if let Some(body) = body {
        answer.headers_mut().remove(header::CONTENT_ENCODING);
        *answer.body_mut() = Body::from(body);
    }
    if let Some(value) = retry_after {
        responses::put(answer.headers_mut(), header::RETRY_AFTER, value);
    }
    answer
}

/// Promises the whole body and sends half of it.
async fn cut(answer: Response, cutter: &ConnectionCutter) -> Response {
    let (mut parts, body) = answer.into_parts();
    // Half an answer serves nothing: by the next one, an incident may have moved on.
    parts.extensions.remove::<Served>();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if whole.is_empty() {
        cutter.close();
        return pending().await;
    }
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let rest = stream::once(async {
        // Once around, so that the first half is on its way before the connection goes.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Response::from_parts(parts, Body::from_stream(stream::iter([Ok(half)]).chain(rest)))
}
