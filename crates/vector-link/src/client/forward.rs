//! Pushes batches, again and again if need be, until Vector has answered for every event.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};
use tracing::{debug, error, info, warn};

use super::peer::VectorPeer;
use crate::protocol::vector::PushEventsRequest;
use crate::protocol::{MAX_REQUEST_BYTES, encode};
use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::quarantine::{Keeper, Quarantine};
use runtime::retry::Verdict;
use runtime::retry::policy::{Policies, RetryPolicy};
use runtime::telemetry::{ComponentLabels, Metric};

/// What one push has at most, unless a single event has more.
const MAX_PUSH_BYTES: usize = 4 * 1024 * 1024;
/// What stands around the only event of a push.
const FRAME_BYTES: usize = 16;
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
                    let message = format!("Vector refuses it: {}", refusal.message());
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

    /// The events as Vector reads them, and whether any is too large for that.
    async fn encode(&self, batch: &Batch) -> (Vec<(usize, Bytes)>, bool) {
        let labels = &self.options.labels;
        let (mut events, mut flattened, mut rejected) = (Vec::with_capacity(batch.len()), 0, false);
        for (index, event) in batch.iter().enumerate() {
            let encoded = encode(event, labels.component_type);
            flattened += encoded.flattened as u64;
            let wire = Bytes::from(encoded.wrapper.encode_to_vec());
            if wire.len() + FRAME_BYTES > MAX_REQUEST_BYTES {
                let message = format!("it has {} bytes, and Vector takes 100 MiB at a time", wire.len());
                self.keep(batch, index, "too_large", message).await;
                rejected = true;
            } else {
                events.push((index, wire));
            }
        }
        if flattened > 0 {
            labels.count(Metric::FlattenedValues, flattened);
            warn!(
                component_id = labels.id,
                values = flattened,
                "Values nested more than 32 levels deep, which Vector does not read, were turned into JSON text."
            );
        }
        (events, rejected)
    }

    /// Pushes a part until Vector has taken or refused it.
    async fn push(&self, part: &Part, policy: &mut RetryPolicy) -> Result<(), Status> {
        let labels = &self.options.labels;
        let began = self.clock.monotonic();
        let mut failed = false;
        loop {
            let request =
                PushEventsRequest { events: part.events.iter().map(|(_, wire)| wire.clone()).collect() };
            let status = match self.attempt(request).await {
                Ok(()) => {
                    if failed {
                        info!(component_id = labels.id, "Vector takes events again.");
                    }
                    policy.reset();
                    return Ok(());
                }
                // Vector's own sinks answer DATA_LOSS for a failed login, too: it does not mean that the event is bad.
                Err(status)
                    if matches!(status.code(), Code::DataLoss | Code::InvalidArgument | Code::OutOfRange) =>
                {
                    return Err(status);
                }
                Err(status) => status,
            };
            let mut wait = policy.wait(Verdict::Retry);
            if status.code() == Code::Unavailable {
                // Nobody is burdened by a look whether it is there again.
                wait = wait.min(AWAY);
            }
            let starting = self.clock.monotonic() - began < STARTING;
            if status.code() == Code::Unavailable && starting {
                debug!(component_id = labels.id, "Vector does not answer yet: {}", status.message());
            } else {
                failed = true;
                self.report(&status, wait);
            }
            self.clock.sleep(wait).await;
        }
    }

    /// Pushes once, and waits for the answer.
    async fn attempt(&self, request: PushEventsRequest) -> Result<(), Status> {
        let labels = &self.options.labels;
        let events = request.events.len();
        let mut service = self.options.peer.service().await;
        labels.count(Metric::Requests, 1);
        let answer = service.push_events(request);
        tokio::pin!(answer);
        let began = self.clock.monotonic();
        loop {
            tokio::select! {
                answer = &mut answer => return answer.map(drop),
                () = self.clock.sleep(SAID_EVERY) => {}
            }
            let waited = self.clock.monotonic() - began;
            if waited >= DEADLINE {
                let message = "no answer in an hour; offering it again, so that it may arrive twice";
                return Err(Status::deadline_exceeded(message));
            }
            warn!(
                component_id = labels.id,
                events,
                minutes = waited.as_secs() / 60,
                "Vector has not answered yet: it does so when all sinks that it hands these events to have them. See \
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

    fn report(&self, status: &Status, wait: Duration) {
        let labels = &self.options.labels;
        let (error_type, advice) = match status.code() {
            Code::Unavailable => {
                ("vector_unavailable", "is Vector running, and does it listen where it should?")
            }
            Code::Internal => ("vector_internal", "a sink of Vector's has failed: its log lines say which"),
            Code::Unimplemented => ("not_vector", "what answers there is not Vector's `vector` source"),
            Code::DeadlineExceeded => ("deadline", "a sink of Vector's hangs: its log lines may say which"),
            _ => ("vector_failed", "Vector's log lines may say more"),
        };
        labels.count_error(error_type, "sending");
        error!(
            component_id = labels.id,
            error_type,
            code = ?status.code(),
            wait_secs = wait.as_secs_f64(),
            "Vector has not taken events; nothing is lost, trying again; {advice}: {}",
            status.message()
        );
    }

    fn report_refusal(&self, status: &Status, part: &Part, wait: Duration) {
        let labels = &self.options.labels;
        labels.count_error("refused", "sending");
        error!(
            component_id = labels.id,
            error_type = "refused",
            code = ?status.code(),
            events = part.events.len(),
            refusals = part.refusals,
            wait_secs = wait.as_secs_f64(),
            "A sink of Vector's has rejected events, for a failed login perhaps: its log lines say why. Offering them \
             again; one that is refused while others are taken goes to the quarantine: {}",
            status.message()
        );
    }
}
