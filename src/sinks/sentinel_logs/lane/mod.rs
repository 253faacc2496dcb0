//! A lane: one stream of one rule, which fails by itself. It has its own requests in flight, backoff, health and counters, and its
//! rows wait in a spool of its own, so that nobody else's rows wait with them.
//!
//! Rows come by [`Lane::take`] and are decided in one of three ways: the service has accepted them, they are in the quarantine, or
//! they are in the spool, synced. While the lane is well, a request is made of them at once, and only if its answer is late, or it
//! fails, its rows go to the spool. While it is not well they go there at once; one request at a time asks whether it is well again,
//! with growing waits in between ([`drain`]).
//!
//! The order of saves: rows are in the spool before they count as taken; a record goes when all its rows are decided; if only some
//! are, a new record with the rest is written before it goes.

mod drain;
mod record;
mod sending;
mod standing;
mod work;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Level, error, info, warn};

use self::sending::Sending;
use self::standing::{Standing, Standings};
use self::work::Work;
use super::packer::{Packed, Request};
use super::preflight::ColumnSampler;
use super::rows::Rows;
use super::service::Service;
use super::sink::Inner;
use super::spool::WhenFull;
use microsoft::ServiceError;
use microsoft::error::Rejection;
use runtime::health::Part;
use runtime::quarantine::Reason;
use runtime::retry::Verdict;
use runtime::retry::concurrency::RequestSlot;
use runtime::retry::policy::RetryPolicy;
use runtime::spool::{NewRecord, RecordId, Spool, SpoolError};
use runtime::telemetry::{LogInterval, Metric};

/// How often something is logged of a lane that would come again and again.
const LOG_EVERY: Duration = Duration::from_mins(1);
/// How long until it is tried again to put rows into a spool that is full.
const FULL_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How large the events of a record are together; one that is larger has a record for itself.
const RECORD_BYTES: usize = 1_000_000;

/// One stream of one rule.
pub(super) struct Lane {
    /// The rule's immutable id and the stream: `dcr-…/Custom-T_CL`.
    pub(super) name: Arc<str>,
    pub(super) stream: String,
    pub(super) service: Service,
    /// Looks for columns that vanish, if the rows are not known beforehand.
    sampler: Option<Arc<ColumnSampler>>,
    /// Whether the service has accepted anything since we started.
    accepted: AtomicBool,
    /// How many single rows were refused since anything was accepted.
    refused_in_a_row: AtomicU32,
    /// How long to wait while it is in doubt whether rows are poison or an option is wrong.
    poison_backoff: Mutex<RetryPolicy>,
    standings: Standings,
    pub(super) spool: Spool,
    /// Whether somebody delivers what is in the spool.
    is_drained: AtomicBool,
    doubts_logged: LogInterval,
    halving_logged: LogInterval,
    failing_logged: LogInterval,
    /// Whether the log says that it takes nothing.
    is_said_to_fail: AtomicBool,
    late_logged: LogInterval,
    spool_logged: LogInterval,
    full_logged: LogInterval,
}

/// What a lane consists of that is not its own making.
pub(super) struct LaneParts {
    pub(super) name: Arc<str>,
    pub(super) stream: String,
    pub(super) service: Service,
    pub(super) sampler: Option<Arc<ColumnSampler>>,
    pub(super) backoff: RetryPolicy,
    pub(super) poison_backoff: RetryPolicy,
    pub(super) spool: Spool,
}

/// What became of rows that cannot be sent now.
enum Kept {
    /// They are in the spool; the number of the record.
    Spooled(RecordId),
    /// There is no room for them, and they are in the quarantine.
    Quarantined,
    /// They are where they were.
    Not,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(parts: LaneParts) -> Self {
        let LaneParts { name, stream, service, sampler, backoff, poison_backoff, spool } = parts;
        Self {
            name,
            stream,
            service,
            sampler,
            accepted: AtomicBool::new(false),
            refused_in_a_row: AtomicU32::new(0),
            poison_backoff: Mutex::new(poison_backoff),
            standings: Standings::new(backoff),
            spool,
            is_drained: AtomicBool::new(false),
            doubts_logged: LogInterval::new(LOG_EVERY),
            halving_logged: LogInterval::new(LOG_EVERY),
            failing_logged: LogInterval::new(LOG_EVERY),
            is_said_to_fail: AtomicBool::new(false),
            late_logged: LogInterval::new(LOG_EVERY),
            spool_logged: LogInterval::new(LOG_EVERY),
            full_logged: LogInterval::new(LOG_EVERY),
        }
    }

    /// Takes rows of a batch, by their index, and returns when each is delivered, in the quarantine or in the spool: whether any is
    /// in the quarantine. Nothing if that cannot be told. Dropped before, the rest is given up.
    pub(super) async fn take(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Arc<Rows>,
        chosen: Vec<usize>,
    ) -> Option<bool> {
        let (mut any_rejected, mut left, mut sent) = (false, chosen, Vec::new());
        let abandoned = CancellationToken::new();
        let _when_dropped = abandoned.clone().drop_guard();
        while !left.is_empty() {
            let mut packer = inner.packer(rows, left);
            self.look_at_rule(inner);
            while !packer.is_empty() && !self.must_spool(inner) {
                // The slot comes first: so no more rows are in memory than there are slots.
                let Some(slot) = self.slot(inner).await else { break };
                let Some(Packed { request, refused, notes }) = packer.next() else { break };
                inner.note(notes);
                any_rejected |= !refused.is_empty();
                inner.quarantine_rows(&self.stream, rows, refused).await;
                let Some(request) = request else { continue };
                let (settled, is_settled) = oneshot::channel();
                let sending = Sending {
                    lane: Arc::clone(self),
                    inner: Arc::clone(inner),
                    work: Work::of_request(Arc::clone(rows), request),
                    settled: Some(settled),
                    abandoned: abandoned.clone(),
                    patient_until: None,
                    record: None,
                    _slot: slot,
                };
                tokio::spawn(inner.tasks.track_future(sending.run()));
                sent.push(is_settled);
            }
            left = packer.into_left();
            if !left.is_empty() {
                let rejected;
                (left, rejected) = self.put_aside(inner, rows, left).await;
                any_rejected |= rejected;
            }
        }
        for is_settled in sent {
            // Its task died. Whether its rows arrived isn't known.
            any_rejected |= is_settled.await.ok()?.any_rejected;
        }
        Some(any_rejected)
    }

    /// A slot for a request; nothing if rows have to go to the spool before there is one.
    async fn slot(&self, inner: &Inner) -> Option<RequestSlot> {
        // Who waits behind requests that are answered, however slowly, is held back as it should be.
        tokio::select! {
            biased;
            slot = self.service.concurrency.slot() => Some(slot),
            () = self.standings.until(|_| self.must_spool(inner)) => None,
        }
    }

    /// Whether rows go to the spool at once.
    fn must_spool(&self, inner: &Inner) -> bool {
        // If nothing waits, nobody else asks whether it is well again.
        let is_asked_for = self.spool.backlog().records > 0;
        inner.spool.is_enabled
            && match self.standings.get() {
                Standing::Well => false,
                // With a single stream nobody else waits.
                Standing::Late => is_asked_for && inner.spool.after_silence.is_some(),
                Standing::Failing { retry_at, .. } => is_asked_for || retry_at > inner.clock.monotonic(),
            }
    }

    /// Puts rows aside as long as they cannot be sent. Answers those that may be sent, by their index, and whether any row is in the
    /// quarantine.
    async fn put_aside(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Rows,
        mut left: Vec<usize>,
    ) -> (Vec<usize>, bool) {
        let mut any_rejected = false;
        while !left.is_empty() && self.must_spool(inner) {
            let count = rows.count_within(&left, RECORD_BYTES);
            let record = new_record(inner, record::encode(rows, &left[..count], false), false);
            while self.must_spool(inner) {
                match self.keep_record(inner, rows, &left[..count], record.clone()).await {
                    Kept::Not => inner.clock.sleep(FULL_AGAIN_AFTER).await,
                    kept => {
                        any_rejected |= matches!(kept, Kept::Quarantined);
                        left.drain(..count);
                        break;
                    }
                }
            }
        }
        (left, any_rejected)
    }

    /// Puts rows into the spool, or where `when_full` says. With `taken` whoever asks goes on with them.
    async fn keep(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Rows,
        chosen: &[usize],
        noted: bool,
        taken: bool,
    ) -> Kept {
        let record = new_record(inner, record::encode(rows, chosen, noted), taken);
        self.keep_record(inner, rows, chosen, record).await
    }

    async fn keep_record(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Rows,
        chosen: &[usize],
        record: NewRecord,
    ) -> Kept {
        self.start_draining(inner);
        let events = u64::from(record.events);
        let failure = match self.spool.append(record).await {
            Ok(id) => {
                inner.health.works(&Part::Spool);
                inner.labels.count(Metric::SpooledEvents, events);
                self.show_spool(inner);
                return Kept::Spooled(id);
            }
            Err(failure) => failure,
        };
        let is_broken = !matches!(failure, SpoolError::Full { .. });
        if is_broken {
            inner.health.fails(Part::Spool, inner.clock.now(), "spool_failed", failure.to_string());
        }
        if inner.spool.when_full == WhenFull::Quarantine {
            self.quarantine_full(inner, rows, chosen, &failure).await;
            return Kept::Quarantined;
        }
        if let Some(left_out) = self.spool_logged.due(&inner.clock) {
            inner.labels.count_error("spool_failed", "sending");
            error!(
                component_id = inner.labels.id,
                destination = %self.name,
                error_type = "spool_failed",
                left_out,
                "{}: batches with rows for {} wait, so that nothing is lost: it takes nothing, and {failure} (spool.max_bytes is {})",
                inner.labels,
                self.name,
                inner.spool.room.max_bytes()
            );
        }
        Kept::Not
    }

    /// Keeps the events of rows in the quarantine that the spool does not take.
    async fn quarantine_full(&self, inner: &Inner, rows: &Rows, chosen: &[usize], failure: &SpoolError) {
        let message = format!(
            "{} takes nothing, and {failure} (spool.max_bytes is {} for all streams): once it takes rows again, deliver what is here \
             with `quarantine retry`, which sends all rows of an event",
            self.name,
            inner.spool.room.max_bytes()
        );
        let reason = Reason { code: "spool_full", message, request_id: None };
        let refused = chosen.iter().map(|row| (*row, reason.clone())).collect();
        let refused = rows.events_of(refused);
        inner.quarantine_for(&rows.events, refused, Some(&self.stream), Some(&self.full_logged)).await;
    }

    /// Removes a record whose rows are decided.
    async fn forget(&self, inner: &Inner, id: RecordId) {
        if let Err(failure) = self.spool.remove(id).await {
            let labels = &inner.labels;
            labels.count_error("spool_failed", "sending");
            if let Some(left_out) = self.spool_logged.due(&inner.clock) {
                error!(
                    component_id = labels.id,
                    destination = %self.name,
                    error_type = "spool_failed",
                    left_out,
                    "{labels}: rows were delivered to {}, and may be delivered again after a restart: {failure}",
                    self.name
                );
            }
        }
        self.show_spool(inner);
    }

    /// Shows how much waits.
    fn show_spool(&self, inner: &Inner) {
        let backlog = self.spool.backlog();
        inner.labels.gauge_for(Metric::SpoolBytes, &self.name, backlog.bytes);
        inner.labels.gauge_for(Metric::SpoolEvents, &self.name, backlog.events);
    }

    /// Shows that it takes rows, or that nobody looks any more.
    pub(super) fn show_well(&self, inner: &Inner) {
        inner.labels.gauge_for(Metric::DestinationFailing, &self.name, 0);
    }

    /// Notes that the service has answered.
    fn works(&self, inner: &Inner) {
        let Some(since) = self.standings.works() else { return };
        inner.health.works(&Part::Destination(Arc::clone(&self.name)));
        self.show_well(inner);
        if self.is_said_to_fail.swap(false, Ordering::Relaxed) {
            info!(
                component_id = inner.labels.id,
                destination = %self.name,
                %since,
                waiting = self.spool.backlog().events,
                "{}: ingesting into {} works again; what waits in the spool is sent now.",
                inner.labels,
                self.name
            );
        }
    }

    /// Notes that the answer to a request is late.
    fn is_late(&self, inner: &Inner) {
        if !self.standings.is_late() {
            return;
        }
        let Some(left_out) = self.late_logged.due(&inner.clock) else { return };
        warn!(
            component_id = inner.labels.id,
            destination = %self.name,
            left_out,
            "{}: {} has not answered within spool.after_secs ({} s): its rows go to the spool until it does.",
            inner.labels,
            self.name,
            inner.spool.after_silence.unwrap_or_default().as_secs()
        );
    }

    /// Notes that an answer is not waited for any more, as if the request had failed.
    fn gives_up(&self, inner: &Inner) {
        self.standings.fails(Verdict::Retry, inner.clock.monotonic(), inner.clock.now());
        let why = format!(
            "{}: no answer within spool.after_secs, and no room in the spool to wait longer",
            self.name
        );
        self.show_failing(inner, "timed_out", why);
    }

    /// Looks whether its rule has asked to be left alone, for all of its streams.
    fn look_at_rule(&self, inner: &Inner) {
        let Some(left) = self.service.rule.paused_for() else { return };
        let now = inner.clock.now();
        if inner.spool.is_enabled && self.standings.is_paused(inner.clock.monotonic() + left, now) {
            let why =
                format!("{}: its rule has asked to be left alone (429), with all of its streams", self.name);
            self.show_failing(inner, "throttled", why.clone());
            if let Some(left_out) = self.failing_logged.due(&inner.clock) {
                self.is_said_to_fail.store(true, Ordering::Relaxed);
                let wait_secs = left.as_secs_f64();
                warn!(
                    component_id = inner.labels.id, destination = %self.name, wait_secs, left_out,
                    "{}: {why}: sending again in {wait_secs:.1} s, and its rows wait on disk until then", inner.labels
                );
            }
        }
    }

    fn show_failing(&self, inner: &Inner, error_type: &'static str, why: String) {
        inner.health.fails(Part::Destination(Arc::clone(&self.name)), inner.clock.now(), error_type, why);
        inner.labels.gauge_for(Metric::DestinationFailing, &self.name, 1);
    }

    /// Notes that a request failed, and answers how long to wait before the next: as long as the lane is left alone or, without a
    /// spool, where each request waits by itself, `own`.
    fn fails(&self, inner: &Inner, failure: &ServiceError, own: Option<Duration>) -> Duration {
        let verdict = failure.verdict();
        let (wait, is_new) = self.standings.fails(verdict, inner.clock.monotonic(), inner.clock.now());
        inner.labels.count_error(failure.error_type(), "sending");
        inner.labels.count_for(Metric::DestinationErrors, &self.name, 1);
        let wait = own.unwrap_or(wait);
        // Limits are the rule's: https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
        let is_throttled = failure.rejection() == Some(Rejection::Throttled);
        if is_throttled && matches!(verdict, Verdict::RetryAfter(_)) && (is_new || own.is_some()) {
            self.service.rule.pause_for(wait);
        }
        if is_new {
            self.show_failing(inner, failure.error_type(), format!("{}: {}", self.name, failure.message()));
            self.report(inner, failure, wait);
        }
        wait
    }

    fn report(&self, inner: &Inner, failure: &ServiceError, wait: Duration) {
        let Some(left_out) = self.failing_logged.due(&inner.clock) else { return };
        self.is_said_to_fail.store(true, Ordering::Relaxed);
        let (labels, component_id, destination) = (&inner.labels, &inner.labels.id, &self.name);
        let (error_type, request_id) = (failure.error_type(), failure.request_id());
        let (wait_secs, message) = (wait.as_secs_f64(), failure.message());
        let others = if inner.spool.is_enabled {
            "its rows wait, on disk if that takes longer than spool.after_secs, and no other stream waits with them"
        } else {
            "the batches that have rows for it wait"
        };
        // Being told to wait is part of normal work.
        if failure.level() == Level::WARN {
            warn!(
                component_id, %destination, error_type, request_id, wait_secs, left_out,
                "{labels}: {destination}: asked to wait, sending again in {wait_secs:.1} s; {others}: {message}"
            );
        } else {
            error!(
                component_id, %destination, error_type, request_id, wait_secs, left_out,
                "{labels}: cannot ingest into {destination}, trying again in {wait_secs:.1} s; {others}, nothing is lost: {message}"
            );
        }
    }

    fn note_sent(&self, inner: &Inner, request: &Request) {
        self.works(inner);
        self.accepted.store(true, Ordering::Relaxed);
        if let Some(sampler) = &self.sampler {
            sampler.sample(request);
        }
        self.refused_in_a_row.store(0, Ordering::Relaxed);
        self.poison_backoff.lock().unwrap_or_else(PoisonError::into_inner).reset();
        let (labels, rows) = (&inner.labels, request.rows.len() as u64);
        labels.count(Metric::SentEvents, rows);
        labels.count_for(Metric::DestinationSentEvents, &self.name, rows);
        labels.count(Metric::SentEventBytes, request.json_bytes as u64);
    }
}

fn new_record(inner: &Inner, (payload, events): (Bytes, u32), taken: bool) -> NewRecord {
    NewRecord { payload, events, time: inner.clock.now(), taken }
}
