//! What a request comes to: `POST /sinks/<id>` pushes events to a sink, `GET` of the same asks whether it works.
//!
//! There are two answers. 200: everything is delivered, or in the quarantine. 503: not yet, send it again, whatever the reason;
//! because Vector repeats a 503 and drops the batch on most others, and so do other shippers. A listener that wants a bearer
//! token has one more, for a request without the right one: 401.
//! Source: <https://vector.dev/docs/reference/configuration/sinks/http/#retry-policy>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::content_encoding::{ContentEncoding, UnknownEncoding};
use super::deliveries::Waiting;
use super::lines::{Lines, MAX_LINE_BYTES};
use super::pushers::Pushers;
use super::sinks::{Entry, Push, PushedSinks, Room, Sink};
use runtime::delivery::BatchStatus;

/// Vector gives a request up after a minute and sends it again: so it is answered before that, if need be with "not yet".
/// Source: <https://vector.dev/docs/reference/configuration/sinks/http/#request.timeout_secs>
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(45);
/// What is delivered at a time of a body that has more. What Vector sends has less, unless a single event has more.
const PART_BYTES: usize = 16 * 1024 * 1024;
/// What a body is taken to have at first that does not say.
const UNKNOWN_BYTES: usize = 1_000_000;

/// Answers requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) sinks: PushedSinks,
    pub(super) pushers: Arc<Pushers>,
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
    #[error("this is not the path of a sink that listens here: that is /sinks/ and the sink's id")]
    NoPath,
    #[error("this sink is being started or replaced: send it again")]
    Replaced,
    #[error("not delivered: send it again")]
    Errored,
    #[error("not delivered yet: send it again")]
    Late,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("only POST and GET are known here")]
    Method,
    #[error("the sink does not work: {0}")]
    NotHealthy(String),
    #[error("too much is on its way to this sink: send it again")]
    Full,
    #[error("the body cannot be read: {0}")]
    Encoding(#[from] UnknownEncoding),
    #[error("the body cannot be read: it is no gzip, or not all of it: {0}")]
    Gzip(std::io::Error),
    #[error("the header Authorization: Bearer with the right token is missing")]
    Unauthorized,
}

// === impl NotYet ===

impl NotYet {
    /// What is said once a minute by itself.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Encoding(_) | Self::Gzip(_) => "encoding",
            Self::Full => "full",
            _ => "other",
        }
    }
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
            _ if !self.pushers.admit(request.headers()) => Err(NotYet::Unauthorized),
            Method::POST => tokio::select! {
                answered = self.take(&path, request) => answered,
                () = self.sinks.clock().sleep(ANSWERED_WITHIN) => Err(NotYet::Late),
            },
            Method::GET | Method::HEAD => self.health(&path),
            _ => Err(NotYet::Method),
        };
        if let Err(error) = &answered {
            self.report(&path, error);
        }
        let (status, text) = match answered {
            Ok(()) => (StatusCode::OK, String::new()),
            Err(NotYet::Unauthorized) => (StatusCode::UNAUTHORIZED, format!("{}\n", NotYet::Unauthorized)),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Ok(response)
    }

    /// Says, once a minute at most, what nothing but a change of somebody's configuration helps against.
    fn report(&self, path: &str, error: &NotYet) {
        match error {
            NotYet::NoSink => self.sinks.say_sometimes("no_sink", || {
                warn!(
                    path,
                    "Vector pushes to a sink that does not run here, and is told to come again: has the pipeline file changed? \
                     Then render Vector's file again. (Said once a minute at most.)"
                );
            }),
            NotYet::NoPath
            | NotYet::Encoding(_)
            | NotYet::Gzip(_)
            | NotYet::Unauthorized
            | NotYet::Full => {
                self.sinks.say_sometimes(error.kind(), || {
                    warn!(path, "A shipper's request is refused: {error}. (Said once a minute at most.)");
                });
            }
            _ => {}
        }
    }

    fn entry(&self, path: &str) -> Result<Entry, NotYet> {
        self.sinks.get(path).ok_or_else(|| match *self.pushers {
            Pushers::Vector { .. } => NotYet::NoSink,
            Pushers::Shippers { .. } => NotYet::NoPath,
        })
    }

    fn health(&self, path: &str) -> Result<(), NotYet> {
        let sink = self.entry(path)?.sink.ok_or(NotYet::Replaced)?;
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
        let entry = self.entry(path)?;
        let sink = Arc::clone(entry.sink.as_ref().ok_or(NotYet::Replaced)?);
        let mut encoding = ContentEncoding::of(request.headers())?;
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // Before the body is read: what waits for its turn stays with who sends it.
        let wait = async |bytes| Room::wait(&entry, bytes).await.ok_or(NotYet::Stopping);
        // No more than a usual body has is taken on somebody's word.
        let mut room = wait(length.unwrap_or(UNKNOWN_BYTES).min(UNKNOWN_BYTES)).await?;
        let (codec, mut body) = (self.pushers.codec(), request.into_body());
        let (mut lines, mut push) = (Lines::new(codec, MAX_LINE_BYTES), Push::new(codec));
        lines.reserve(length.unwrap_or_default());
        let mut parts: Vec<Waiting> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| NotYet::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            for data in data.chunks(encoding.step()) {
                encoding.unpack(data, &mut lines).map_err(NotYet::Gzip)?;
                while let Some(line) = lines.next() {
                    push.add(line, lines.word());
                    // By the lines, so that it has the same parts when it comes again.
                    if push.bytes() >= PART_BYTES {
                        if !room.grow_to(push.bytes()) {
                            return Err(NotYet::Full);
                        }
                        let part = (std::mem::replace(&mut push, Push::new(codec)), room);
                        let mut waiting = self.deliver(path, &sink, part).await?;
                        waiting.shrink();
                        parts.push(waiting);
                        room = wait(UNKNOWN_BYTES).await?;
                    }
                }
                if !room.grow_to(push.bytes() + lines.pending_bytes()) {
                    return Err(NotYet::Full);
                }
                tokio::task::consume_budget().await;
            }
        }
        encoding.finish(&mut lines).map_err(NotYet::Gzip)?;
        while let Some(line) = lines.next().or_else(|| lines.rest()) {
            push.add(line, lines.word());
        }
        if !push.is_empty() {
            parts.push(self.deliver(path, &sink, (push, room)).await?);
        }
        parts.into_iter().for_each(Waiting::answered);
        Ok(())
    }

    /// Delivers a part of a body, and waits until that is decided. If the rest of the body comes to nothing, all of it comes
    /// again, and this part is known then.
    async fn deliver(&self, path: &str, sink: &Arc<Sink>, part: (Push, Room)) -> Result<Waiting, NotYet> {
        let mut waiting = self.sinks.begin(path, sink, part).ok_or(NotYet::Replaced)?;
        match waiting.outcome().await {
            // What was rejected is in the quarantine. Any other answer would drop or stop what came with it.
            BatchStatus::Delivered | BatchStatus::Rejected => Ok(waiting),
            BatchStatus::Errored => {
                waiting.answered();
                Err(NotYet::Errored)
            }
        }
    }
}
