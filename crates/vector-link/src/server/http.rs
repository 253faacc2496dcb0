//! What a request of Vector's comes to: `POST /sinks/<id>` pushes lines to a sink, `GET` of the same asks whether it works.
//!
//! There are two answers. 200: everything is delivered, or in the quarantine. 503: not yet, send it again, whatever the reason;
//! because Vector repeats a 503 and drops the batch on most others.
//! Source: <https://vector.dev/docs/reference/configuration/sinks/http/#retry-policy>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::deliveries::BatchDigest;
use super::lines::{Lines, MAX_LINE_BYTES};
use super::sinks::{MAX_BYTES_UNDER_WAY, Push, PushedSinks, Sink};
use runtime::delivery::BatchStatus;

/// Vector gives a request up after a minute and sends it again: so it is answered before that, if need be with "not yet".
/// Source: <https://vector.dev/docs/reference/configuration/sinks/http/#request.timeout_secs>
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(45);
/// What is delivered at a time of a body that has more. What Vector sends has less, unless a single event has more.
const PART_BYTES: usize = 64 * 1024 * 1024;
/// What a body is taken to have that does not say.
const UNKNOWN_BYTES: usize = 1_000_000;

/// Answers requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) sinks: PushedSinks,
    /// Cancelled when nothing new is taken any more.
    pub(super) closing: CancellationToken,
}

/// Why a push has to come again.
#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error("vector-sentinel is stopping: send it again")]
    Stopping,
    #[error("no sink of this name runs here: has the pipeline file changed? Then render Vector's file again")]
    NoSink,
    #[error("this sink is being started or replaced: send it again")]
    Replaced,
    #[error("not delivered: send it again")]
    Errored,
    #[error("not delivered yet, and not forgotten: send it again")]
    Late,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("only POST and GET are known here")]
    Method,
    #[error("the sink does not work: {0}")]
    NotHealthy(String),
}

// === impl Service ===

impl Service {
    /// The answer to a request, in less time than Vector waits for it.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::fmt::Display,
    {
        let path = request.uri().path().to_owned();
        let answered = match *request.method() {
            Method::POST => tokio::select! {
                answered = self.take(&path, request) => answered,
                () = self.sinks.clock().sleep(ANSWERED_WITHIN) => Err(NotYet::Late),
            },
            Method::GET | Method::HEAD => self.health(&path),
            _ => Err(NotYet::Method),
        };
        let (status, text) = match answered {
            Ok(()) => (StatusCode::OK, String::new()),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    fn health(&self, path: &str) -> Result<(), NotYet> {
        let sink = self.sinks.get(path).ok_or(NotYet::NoSink)?.sink.ok_or(NotYet::Replaced)?;
        match sink.pushed.health.troubles().into_iter().next() {
            None => Ok(()),
            Some((_, trouble)) => Err(NotYet::NotHealthy(trouble.why)),
        }
    }

    /// Delivers the lines of a body.
    async fn take<B>(&self, path: &str, request: Request<B>) -> Result<(), NotYet>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::fmt::Display,
    {
        if self.closing.is_cancelled() {
            return Err(NotYet::Stopping);
        }
        let Some(entry) = self.sinks.get(path) else {
            self.sinks.report_missing(path);
            return Err(NotYet::NoSink);
        };
        let sink = entry.sink.ok_or(NotYet::Replaced)?;
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let kilobytes = (length.unwrap_or(UNKNOWN_BYTES).min(MAX_BYTES_UNDER_WAY) / 1024).max(1);
        let kilobytes = u32::try_from(kilobytes).unwrap_or(u32::MAX);
        // Before the body is read: what waits for its turn stays with Vector.
        let room = entry.room.acquire_many_owned(kilobytes).await.map_err(|_| NotYet::Stopping)?;
        let (mut body, mut lines) = (request.into_body(), Lines::new(MAX_LINE_BYTES));
        let (mut digest, mut push, mut room) = (Context::new(&SHA256), Push::default(), Some(room));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| NotYet::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            digest.update(&data);
            lines.push(&data);
            while let Some(line) = lines.next() {
                push.add(line);
            }
            if push.bytes() >= PART_BYTES {
                let part = std::mem::take(&mut push);
                self.deliver(path, &sink, BatchDigest::of(&digest), (part, room.take())).await?;
            }
        }
        if let Some(line) = lines.rest() {
            push.add(line);
        }
        if push.is_empty() {
            return Ok(());
        }
        self.deliver(path, &sink, BatchDigest::of(&digest), (push, room)).await
    }

    /// Delivers a part of a body, and waits until that is decided.
    async fn deliver(
        &self,
        path: &str,
        sink: &Arc<Sink>,
        digest: BatchDigest,
        part: (Push, Option<OwnedSemaphorePermit>),
    ) -> Result<(), NotYet> {
        let waiting = self.sinks.begin(path, sink, digest, part).ok_or(NotYet::Replaced)?;
        match waiting.outcome().await {
            // What was rejected is in the quarantine. Any other answer would drop or stop what came with it.
            BatchStatus::Delivered | BatchStatus::Rejected => Ok(()),
            BatchStatus::Errored => Err(NotYet::Errored),
        }
    }
}
