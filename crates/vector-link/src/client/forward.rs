//! Posts batches, again and again if need be, until Vector has answered for every event.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use tower::ServiceExt;
use tracing::{debug, error, info, warn};

use super::peer::VectorPeer;
use super::wire::line;
use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::edge::{EdgeError, collect};
use runtime::quarantine::{Keeper, Quarantine};
use runtime::retry::Verdict;
use runtime::retry::policy::{Policies, RetryPolicy};
use runtime::telemetry::{ComponentLabels, Metric};

/// What one push has at most, unless a single event has more.
const MAX_PUSH_BYTES: usize = 4 * 1024 * 1024;
/// A larger event is not sent: Vector 0.57.0 took a body of 60 MB, and broke the connection of one of 150 MB.
pub(super) const MAX_EVENT_BYTES: usize = 60_000_000;
/// Longest answer that is read: it is a sentence.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Vector answers when its sinks have the batch, however long that takes. After this it may have forgotten it.
const DEADLINE: Duration = Duration::from_hours(1);
/// How often it is said that Vector has not answered.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// How long Vector may be unreachable before that is worth a warning: it is not up in an instant.
const STARTING: Duration = Duration::from_secs(10);
/// Longest wait for a Vector that is not there.
const AWAY: Duration = Duration::from_secs(5);
/// After so many refusals an event is to blame, if others were taken in the meantime.
const REFUSALS: u32 = 3;
/// So long after the first refusal, what is still refused goes to the quarantine though nothing else is taken either.
const PATIENCE: Duration = Duration::from_hours(1);
/// How long is waited between refusals after that.
const SHORT: Duration = Duration::from_millis(500);
/// So many events are offered by themselves to see whether anything is taken: one alone may be to blame.
const PROBES: usize = 3;

/// What a way into Vector is for.
pub struct ForwardOptions {
    /// Where Vector listens.
    pub peer: VectorPeer,
    /// The source that batches come from.
    pub labels: ComponentLabels,
    /// Where events go that Vector never takes.
    pub quarantine: Quarantine,
}

/// Why a push was not taken.
#[derive(Debug, thiserror::Error)]
enum PushError {
    /// A sink has rejected something of it, or Vector cannot read it.
    #[error("{0}")]
    Refused(String),
    /// Vector was not reached, or broke off.
    #[error("{0}")]
    Unreached(#[from] EdgeError),
    /// A sink has failed, or Vector is stopping.
    #[error("{text} (HTTP {status})")]
    Failed { status: StatusCode, text: String },
    /// What answers is something else.
    #[error("HTTP {0}")]
    NotVector(StatusCode),
    /// There was no answer in an hour.
    #[error("no answer in an hour; offering it again, so that it may arrive twice")]
    Deadline,
}

/// The way from one source into Vector.
pub struct Forward {
    options: ForwardOptions,
    clock: Clock,
    policies: Policies,
}

/// Some events of a batch, pushed together.
struct Part {
    /// Which of the batch, and each as Vector reads it.
    events: Vec<(usize, Bytes)>,
    /// How often it was refused since anything was taken.
    refusals: u32,
    /// How many pushes had been taken when its events were first refused, together with others perhaps.
    taken_before: Option<u64>,
}

// === impl Part ===

impl Part {
    const fn new(events: Vec<(usize, Bytes)>) -> Self {
        Self { events, refusals: 0, taken_before: None }
    }

    /// A part of this part.
    const fn of(&self, events: Vec<(usize, Bytes)>) -> Self {
        Self { events, refusals: 0, taken_before: self.taken_before }
    }

    /// Cuts a batch into pushes.
    fn cut(events: Vec<(usize, Bytes)>) -> VecDeque<Self> {
        let mut parts = VecDeque::new();
        let mut part = Vec::new();
        let mut bytes = 0;
        for event in events {
            if !part.is_empty() && bytes + event.1.len() > MAX_PUSH_BYTES {
                parts.push_back(Self::new(std::mem::take(&mut part)));
                bytes = 0;
            }
            bytes += event.1.len();
            part.push(event);
        }
        if !part.is_empty() {
            parts.push_back(Self::new(part));
        }
        parts
    }
}

/// What is still to be pushed.
///
/// A push that is refused may have reached all sinks but one, so whatever is offered again comes twice to the others. So as
/// little as possible is: once something was refused, single events only, until one of them is taken.
#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// Parts of one event each, which were refused or are to tell whether anything is taken.
    singles: VecDeque<Part>,
    is_refused: bool,
}

// === impl Queue ===

impl Queue {
    fn next(&mut self) -> Option<Part> {
        if !self.is_refused {
            return self.parts.pop_front().or_else(|| self.singles.pop_front());
        }
        if self.singles.len() < PROBES
            && let Some(mut part) = self.parts.pop_front()
        {
            let rest = part.events.split_off(1);
            if !rest.is_empty() {
                let rest = part.of(rest);
                self.parts.push_front(rest);
            }
            return Some(part);
        }
        self.singles.pop_front()
    }

    /// Takes a part back that was refused.
    fn take_back(&mut self, part: Part) {
        self.is_refused = true;
        if part.events.len() == 1 {
            self.singles.push_back(part);
        } else {
            let (first, second) = part.events.split_at(part.events.len() / 2);
            for half in [second, first] {
                self.parts.push_front(part.of(half.to_vec()));
            }
        }
    }

    /// Something was taken: so it is not everything that is refused.
    fn note_taken(&mut self) {
        self.is_refused = false;
        for part in &mut self.singles {
            part.refusals = 0;
        }
    }
}

#[async_trait]
impl Deliver for Forward {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let (events, mut rejected) = self.encode(&batch).await;
        let mut queue = Queue { parts: Part::cut(events), ..Queue::default() };
        let mut policy = self.policies.forever();
        let (mut taken, mut first_refusal) = (0, None);
        while let Some(mut part) = queue.next() {
            let Err(refusal) = self.push(&part, &mut policy).await else {
                taken += 1;
                first_refusal = None;
                queue.note_taken();
                continue;
            };
            let taken_before = *part.taken_before.get_or_insert(taken);
            part.refusals += 1;
            let now = self.clock.monotonic();
            let is_late = now - *first_refusal.get_or_insert(now) >= PATIENCE;
            let is_to_blame = part.refusals >= REFUSALS && taken > taken_before;
            match part.events.as_slice() {
                [(event, _)] if is_to_blame || (is_late && part.refusals >= REFUSALS) => {
                    let message = format!("Vector refuses it: {refusal}");
                    self.keep(&batch, *event, "refused", message).await;
                    rejected = true;
                    queue.is_refused = true;
                }
                _ => {
                    // Whoever has waited for an hour is not made to wait for each of many events.
                    let wait = if is_late { SHORT } else { policy.wait(Verdict::Retry) };
                    self.report_refusal(&refusal, &part, wait);
                    queue.take_back(part);
                    self.clock.sleep(wait).await;
                }
            }
        }
        if rejected { BatchStatus::Rejected } else { BatchStatus::Delivered }
    }
}

// === impl Forward ===

impl Forward {
    /// The way from a source to where `options.peer` says.
    #[must_use]
    pub const fn new(options: ForwardOptions, clock: Clock, rng: fastrand::Rng) -> Self {
        Self { options, clock, policies: Policies::new(rng) }
    }

    /// The events as Vector reads them, and whether any is one that it would not.
    async fn encode(&self, batch: &Batch) -> (Vec<(usize, Bytes)>, bool) {
        let labels = &self.options.labels;
        let (mut events, mut rejected) = (Vec::with_capacity(batch.len()), false);
        for (index, event) in batch.iter().enumerate() {
            let (code, message) = match line(event, labels.component_type) {
                Ok(line) if line.len() <= MAX_EVENT_BYTES => {
                    events.push((index, line));
                    continue;
                }
                Ok(line) => {
                    let message =
                        format!("it has {} bytes, and none over {MAX_EVENT_BYTES} is sent", line.len());
                    ("too_large", message)
                }
                Err(error) => ("unsendable", error.to_string()),
            };
            self.keep(batch, index, code, message).await;
            rejected = true;
        }
        (events, rejected)
    }

    /// Pushes a part until Vector has taken or refused it. The error is why it is refused.
    async fn push(&self, part: &Part, policy: &mut RetryPolicy) -> Result<(), String> {
        let labels = &self.options.labels;
        let mut body = BytesMut::with_capacity(part.events.iter().map(|(_, line)| line.len()).sum());
        part.events.iter().for_each(|(_, line)| body.extend_from_slice(line));
        let body = body.freeze();
        let began = self.clock.monotonic();
        let mut failed = false;
        loop {
            let error = match self.attempt(&body, part.events.len()).await {
                Ok(()) => {
                    if failed {
                        info!(component_id = labels.id, "{labels}: Vector takes events again.");
                    }
                    policy.reset();
                    return Ok(());
                }
                // Vector's own sinks reject for a failed login, too: it does not mean that the event is bad.
                Err(PushError::Refused(text)) => return Err(text),
                Err(error) => error,
            };
            let mut wait = policy.wait(Verdict::Retry);
            let is_away = matches!(error, PushError::Unreached(_));
            if is_away {
                // Nobody is burdened by a look whether it is there again.
                wait = wait.min(AWAY);
            }
            if is_away && self.clock.monotonic() - began < STARTING {
                debug!(component_id = labels.id, "{labels}: Vector does not answer yet: {error}");
            } else {
                failed = true;
                self.report(&error, wait);
            }
            self.clock.sleep(wait).await;
        }
    }

    /// Pushes once, and waits for the answer.
    async fn attempt(&self, body: &Bytes, events: usize) -> Result<(), PushError> {
        let labels = &self.options.labels;
        let edge = self.options.peer.edge().await;
        labels.count(Metric::Requests, 1);
        let answer = async {
            let mut request = Request::new(body.clone());
            *request.method_mut() = Method::POST;
            let ndjson = http::HeaderValue::from_static("application/x-ndjson");
            request.headers_mut().insert(CONTENT_TYPE, ndjson);
            let (parts, body) = edge.oneshot(request).await?.into_parts();
            // What an answer says is for people: one that breaks off says less.
            let text = collect(body, MAX_ANSWER_BYTES).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            match parts.status {
                StatusCode::OK => Ok(()),
                StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(PushError::Refused(text)),
                status if status.is_server_error() => Err(PushError::Failed { status, text }),
                status => Err(PushError::NotVector(status)),
            }
        };
        tokio::pin!(answer);
        let began = self.clock.monotonic();
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = self.clock.sleep(SAID_EVERY) => {}
            }
            let waited = self.clock.monotonic() - began;
            if waited >= DEADLINE {
                return Err(PushError::Deadline);
            }
            warn!(
                component_id = labels.id,
                events,
                minutes = waited.as_secs() / 60,
                "{labels}: Vector has not answered yet: it does so when all sinks that it hands these events to have them. See \
                 which of them is failing, in its log lines."
            );
        }
    }

    async fn keep(&self, batch: &Batch, event: usize, code: &'static str, message: String) {
        let ForwardOptions { labels, quarantine, .. } = &self.options;
        let (clock, policies) = (&self.clock, &self.policies);
        let said = "An event does not go into Vector and is in the quarantine: ";
        let keeper = Keeper { quarantine, labels, clock, policies, stage: "sending" };
        keeper.keep(&batch[event], code, message, said).await;
    }

    fn report(&self, error: &PushError, wait: Duration) {
        let labels = &self.options.labels;
        let (error_type, advice) = match error {
            PushError::Unreached(_) => {
                ("vector_unavailable", "is Vector running, and does it listen where it should?")
            }
            PushError::Failed { .. } => {
                ("vector_internal", "a sink of Vector's has failed: its log lines say which")
            }
            PushError::NotVector(_) => {
                ("not_vector", "what answers there is not Vector's `http_server` source")
            }
            PushError::Deadline => ("deadline", "a sink of Vector's hangs: its log lines may say which"),
            PushError::Refused(_) => ("vector_failed", "Vector's log lines may say more"),
        };
        labels.count_error(error_type, "sending");
        error!(
            component_id = labels.id,
            error_type,
            wait_secs = wait.as_secs_f64(),
            "{labels}: Vector has not taken events; nothing is lost, trying again; {advice}: {error}"
        );
    }

    fn report_refusal(&self, refusal: &str, part: &Part, wait: Duration) {
        let labels = &self.options.labels;
        labels.count_error("refused", "sending");
        error!(
            component_id = labels.id,
            error_type = "refused",
            events = part.events.len(),
            refusals = part.refusals,
            wait_secs = wait.as_secs_f64(),
            "{labels}: a sink of Vector's has rejected events, for a failed login perhaps: its log lines say why. Offering them \
             again; one that is refused while others are taken goes to the quarantine: {refusal}"
        );
    }
}
