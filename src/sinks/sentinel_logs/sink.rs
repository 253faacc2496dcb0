//! The stream: takes batches, packs them into requests, and answers when every row is in the table or the quarantine.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, warn};

use super::destination::{Destination, Destinations};
use super::encoder::{Encoder, RowNotes};
use super::packer::{Packed, Packer, Request};
use super::rows::Rows;
use microsoft::ServiceError;
use microsoft::error::Rejection;
use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::Health;
use runtime::quarantine::{Mode, Quarantine, Reason, Refused};
use runtime::retry::Verdict;
use runtime::retry::concurrency::Concurrency;
use runtime::retry::policy::Policies;
use runtime::telemetry::{ComponentLabels, Metric};

/// When so many single rows were refused and none accepted in between, it is in doubt whether they are poison.
const MAX_REFUSED_IN_A_ROW: u32 = 10;

/// How often it is logged that times cannot be read.
const UNREAD_TIMES_EVERY: Duration = Duration::from_hours(1);

/// Sink `sentinel_logs`, ready to take batches.
pub struct LogSink(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) labels: ComponentLabels,
    pub(super) health: Health,
    pub(super) destinations: Destinations,
    pub(super) encoder: Encoder,
    pub(super) max_bytes: usize,
    pub(super) gzip_level: Option<u32>,
    /// A slot for each request: a batch that needs more waits, and so does whoever offers it.
    pub(super) concurrency: Arc<Concurrency>,
    pub(super) quarantine: Quarantine,
    pub(super) clock: Clock,
    pub(super) policies: Policies,
    /// When it was last logged that times cannot be read.
    pub(super) unread_times_said: Mutex<Option<Instant>>,
}

/// Rows of a batch that go to one stream.
struct Group {
    destination: Arc<Destination>,
    /// By their index in the batch.
    rows: Vec<usize>,
}

/// A part of a request that was refused, not written again yet.
struct Part {
    /// By their index in the batch.
    rows: Vec<usize>,
    /// Whether it was refused before, and it is in doubt whether it is poison.
    in_doubt: bool,
}

#[async_trait]
impl Deliver for LogSink {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let inner = &self.0;
        let now = inner.clock.now();
        inner.labels.count(Metric::ReceivedEvents, batch.len() as u64);
        let (rows, rowless) = Rows::new(&inner.encoder, batch, now);
        let rows = Arc::new(rows);
        let (groups, unrouted) = inner.group(&rows);
        let mut rejected = !rowless.is_empty() || !unrouted.is_empty();
        inner.quarantine(&rows.events, rowless, None).await;
        inner.quarantine(&rows.events, rows.events_of(unrouted), None).await;
        // Dropping the set, when this future is dropped, ends its requests.
        let mut requests = JoinSet::new();
        for Group { destination, rows: chosen } in groups {
            let mut packer = inner.packer(&rows, chosen);
            while !packer.is_empty() {
                // The slot comes first: so no more rows are in memory than there are slots.
                let slot = inner.concurrency.slot().await;
                let Some(Packed { request, refused, notes }) = packer.next() else { break };
                inner.note(notes);
                rejected |= !refused.is_empty();
                inner.quarantine_rows(&destination, &rows, refused).await;
                if let Some(request) = request {
                    let (inner, rows) = (Arc::clone(inner), Arc::clone(&rows));
                    let destination = Arc::clone(&destination);
                    requests.spawn(async move {
                        let rejected = inner.ingest(&destination, &rows, request).await;
                        drop(slot);
                        rejected
                    });
                }
            }
        }
        while let Some(finished) = requests.join_next().await {
            match finished {
                Ok(any_rejected) => rejected |= any_rejected,
                // A request's task died. Whether its rows arrived isn't known: offer them again.
                Err(_) => return BatchStatus::Errored,
            }
        }
        if rejected { BatchStatus::Rejected } else { BatchStatus::Delivered }
    }
}

// === impl LogSink ===

impl LogSink {
    /// Labels of the component, in metrics and log lines.
    pub fn labels(&self) -> &ComponentLabels {
        &self.0.labels
    }

    /// Starts to compare the data collection rules with what is written, in the background: a rule that does not fit is
    /// reported in the log. Holds nothing up.
    pub fn start_rule_monitor(&self) {
        self.0.destinations.start_rule_monitor();
    }

    /// Health of the sink: whether the service has answered its last request.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Quarantine of the sink, for what can never be accepted.
    pub fn quarantine(&self) -> &Quarantine {
        &self.0.quarantine
    }
}

// === impl Inner ===

impl Inner {
    /// Sorts rows by where they go; those that go nowhere come with the reason.
    fn group(&self, rows: &Rows) -> (Vec<Group>, Vec<(usize, Reason)>) {
        let all = 0..rows.count();
        match self.destinations.only() {
            Some(Ok(destination)) => return (vec![Group { destination, rows: all.collect() }], Vec::new()),
            Some(Err(reason)) => return (Vec::new(), all.map(|row| (row, reason.clone())).collect()),
            None => {}
        }
        let (mut groups, mut unrouted): (Vec<Group>, _) = (Vec::new(), Vec::new());
        for row in all {
            match self.destinations.of(rows.event(row).1, rows.table(row)) {
                Ok(destination) => {
                    let known = groups.iter_mut().find(|group| Arc::ptr_eq(&group.destination, &destination));
                    match known {
                        Some(group) => group.rows.push(row),
                        None => groups.push(Group { destination, rows: vec![row] }),
                    }
                }
                Err(reason) => unrouted.push((row, reason)),
            }
        }
        (groups, unrouted)
    }

    /// Sends a request, in ever smaller parts if the service refuses it as a whole, until each row is either in the
    /// table or in the quarantine. Answers whether any is in the quarantine.
    async fn ingest(&self, destination: &Destination, rows: &Rows, request: Request) -> bool {
        let mut rejected = false;
        let (mut next, mut in_doubt) = (Some(request), false);
        // The last one is sent next.
        let mut parts: VecDeque<Part> = VecDeque::new();
        loop {
            let Some(request) = next.take() else {
                let Some(part) = parts.pop_back() else { return rejected };
                in_doubt = part.in_doubt;
                // Since it was put off, another row may have been accepted: then there is no doubt any more.
                if in_doubt && destination.refused_in_a_row.load(Ordering::Relaxed) > 0 {
                    let backoff = &destination.poison_backoff;
                    let wait = backoff.lock().unwrap_or_else(PoisonError::into_inner).wait(Verdict::Retry);
                    self.clock.sleep(wait).await;
                }
                // Written again only now that the other is gone, so that no two parts are in memory.
                let mut packer = self.packer(rows, part.rows);
                if let Some(Packed { request, refused, .. }) = packer.next() {
                    rejected |= !refused.is_empty();
                    self.quarantine_rows(destination, rows, refused).await;
                    next = request;
                }
                if !packer.is_empty() {
                    parts.push_back(Part { rows: packer.into_left(), in_doubt });
                }
                continue;
            };
            match destination.service.send(&request).await {
                Ok(()) => self.note_sent(destination, &request),
                Err(refusal) if request.rows.len() > 1 => {
                    self.report_halving(&refusal, request.rows.len());
                    let (first, second) = request.rows.split_at(request.rows.len() / 2);
                    for half in [second, first] {
                        parts.push_back(Part { rows: half.to_vec(), in_doubt: false });
                    }
                }
                Err(refusal) if self.is_poison(destination, &refusal, in_doubt).await => {
                    rejected = true;
                    let (message, request_id) = (refusal.message(), refusal.request_id().map(str::to_owned));
                    let reason = Reason { code: "refused", message, request_id };
                    let refused = request.rows.iter().map(|row| (*row, reason.clone())).collect();
                    self.quarantine_rows(destination, rows, refused).await;
                }
                // The others first: one that is accepted tells that it is the row, and not an option.
                Err(_) => parts.push_front(Part { rows: request.rows.clone(), in_doubt: true }),
            }
        }
    }

    fn packer<'a>(&self, rows: &'a Rows, chosen: Vec<usize>) -> Packer<'a> {
        Packer::new(rows, chosen, self.max_bytes, self.gzip_level)
    }

    /// Whether a row that was refused alone is poison: refused for what is in it, and not for an option, the rule or the
    /// table, which would have every row refused. If that is in doubt, reports it: the row is tried again later.
    async fn is_poison(&self, destination: &Destination, refusal: &ServiceError, in_doubt: bool) -> bool {
        // Back where it came from, it waits as well as here.
        if self.quarantine.mode() == Mode::Redelivery {
            return true;
        }
        let in_a_row = destination.refused_in_a_row.fetch_add(1, Ordering::Relaxed);
        let probe = if destination.accepted.load(Ordering::Relaxed) {
            Ok(())
        } else {
            destination.service.client.probe().await
        };
        // A row's size is nobody else's fault.
        let few = in_a_row < MAX_REFUSED_IN_A_ROW || refusal.rejection() == Some(Rejection::TooLarge);
        if probe.is_ok() && (few || in_doubt) {
            return true;
        }
        let empty_call = probe.map_or_else(|error| error.message(), |()| "accepted".to_owned());
        error!(
            component_id = self.labels.id,
            error_type = refusal.error_type(),
            request_id = refusal.request_id(),
            refused_in_a_row = in_a_row + 1,
            empty_call,
            "{}: rows are refused and none accepted, so perhaps an option, the rule or the table is wrong and the rows are \
             good: check endpoint, dcr_immutable_id, stream_name and the types of the columns. Rows that go on being \
             refused go to the quarantine, slowly, if anything at all is accepted: {}",
            self.labels,
            refusal.message()
        );
        false
    }

    fn report_halving(&self, refusal: &ServiceError, rows: usize) {
        warn!(
            component_id = self.labels.id,
            error_type = refusal.error_type(),
            request_id = refusal.request_id(),
            rows,
            "{}: a call was refused; sending it in two halves: {}",
            self.labels,
            refusal.message()
        );
    }

    /// Keeps the events of rows in the quarantine that their stream does not take.
    async fn quarantine_rows(&self, destination: &Destination, rows: &Rows, refused: Vec<(usize, Reason)>) {
        self.quarantine(&rows.events, rows.events_of(refused), Some(&destination.stream)).await;
    }

    /// Keeps events in the quarantine, however long it takes to get them there.
    async fn quarantine(&self, batch: &Batch, refused: Vec<(usize, Reason)>, stream: Option<&str>) {
        let labels = &self.labels;
        let mut rest: Vec<_> = refused
            .into_iter()
            .map(|(event, reason)| Refused { event, reason, stream: stream.map(ToOwned::to_owned) })
            .collect();
        let mut policy = self.policies.forever();
        while !rest.is_empty() {
            let kept = self.quarantine.keep_all(batch, &rest, self.clock.now()).await;
            for Refused { reason, .. } in rest.drain(..kept.count) {
                self.report_quarantined(&reason, stream);
            }
            labels.gauge(Metric::QuarantineBytes, self.quarantine.bytes());
            let Some(failure) = kept.failure else { return };
            let wait = policy.wait(Verdict::Retry);
            labels.count_error("quarantine_failed", "sending");
            error!(
                component_id = labels.id,
                error_type = "quarantine_failed",
                "{}: waiting, so that nothing is lost: {failure}",
                labels
            );
            self.clock.sleep(wait).await;
        }
    }

    fn report_quarantined(&self, reason: &Reason, stream: Option<&str>) {
        let labels = &self.labels;
        labels.count_quarantined(reason.code, 1);
        labels.count_error(reason.code, "sending");
        error!(
            component_id = labels.id,
            error_type = reason.code,
            request_id = reason.request_id,
            stream,
            quarantine = %self.quarantine.path().display(),
            "{}: an event can never be accepted and is in the quarantine: {}", labels,
            reason.message
        );
    }

    fn note_sent(&self, destination: &Destination, request: &Request) {
        destination.accepted.store(true, Ordering::Relaxed);
        if let Some(sampler) = &destination.sampler {
            sampler.sample(request);
        }
        destination.refused_in_a_row.store(0, Ordering::Relaxed);
        destination.poison_backoff.lock().unwrap_or_else(PoisonError::into_inner).reset();
        let labels = &self.labels;
        labels.count(Metric::SentEvents, request.rows.len() as u64);
        labels.count(Metric::SentEventBytes, request.json_bytes as u64);
    }

    /// Counts what there is to say of rows, and logs it.
    fn note(&self, notes: RowNotes) {
        let labels = &self.labels;
        let fields = notes.truncated_fields;
        if fields > 0 {
            labels.count(Metric::TruncatedFields, fields);
            warn!(
                component_id = labels.id,
                fields,
                "{}: fields over 64 KB were cut, as the service would have; see the column TruncatedColumns.",
                labels
            );
        }
        let rows = notes.unread_times;
        if rows > 0 {
            labels.count(Metric::UnreadTimes, rows);
            let now = self.clock.monotonic();
            let mut said = self.unread_times_said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_none_or(|at| now.saturating_duration_since(at) >= UNREAD_TIMES_EVERY) {
                *said = Some(now);
                warn!(
                    component_id = labels.id,
                    rows,
                    "{}: the time of events cannot be read, so their rows have the time of arrival, and what they say is kept in \
                     its field. Write a time that can be read into the field of timestamp_field, in a remap. This is logged once an \
                     hour; component_unread_times_total counts all.",
                    labels
                );
            }
        }
    }
}
