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
use runtime::health::Part;
use runtime::quarantine::Reason;
use runtime::retry::Verdict;
use runtime::retry::concurrency::RequestSlot;
use runtime::retry::policy::RetryPolicy;
use runtime::spool::{NewRecord, RecordId, Spool, SpoolError, SpoolShare};
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
    spool: Spool,
    share: SpoolShare,
    /// Whether somebody delivers what is in the spool.
    is_drained: AtomicBool,
    doubts_logged: LogInterval,
    halving_logged: LogInterval,
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
    pub(super) share: SpoolShare,
}

/// What became of rows that are to go to the spool.
enum Spooling {
    /// They are in it; the number of the record.
    Done(RecordId),
    /// There is no room for them.
    Full,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(parts: LaneParts) -> Self {
        let LaneParts { name, stream, service, sampler, backoff, poison_backoff, spool, share } = parts;
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
            share,
            is_drained: AtomicBool::new(false),
            doubts_logged: LogInterval::new(LOG_EVERY),
            halving_logged: LogInterval::new(LOG_EVERY),
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

    /// A slot for a request; nothing if the lane is not well, so that rows go to the spool.
    async fn slot(&self, inner: &Inner) -> Option<RequestSlot> {
        let slot = self.service.concurrency.slot();
        if !inner.spool.is_enabled {
            return Some(slot.await);
        }
        // Who waits behind requests that are answered, however slowly, is held back as it should be.
        tokio::select! {
            biased;
            slot = slot => Some(slot),
            () = self.standings.until_unwell() => None,
        }
    }

    /// Whether rows go to the spool at once.
    fn must_spool(&self, inner: &Inner) -> bool {
        if !inner.spool.is_enabled {
            return false;
        }
        match self.standings.get() {
            Standing::Well => self.service.rule.is_paused(),
            // Nobody would wait with these.
            Standing::Late => inner.spool.after_silence.is_some(),
            // If nothing waits, nobody else asks whether it is well again.
            Standing::Failing { retry_at, .. } => {
                retry_at > inner.clock.monotonic() || self.spool.backlog().records > 0
            }
        }
    }

    /// Puts rows into the spool; those for which there is no room go where `when_full` says. Answers those that may be sent
    /// instead, by their index, and whether any row is in the quarantine.
    async fn put_aside(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Rows,
        mut left: Vec<usize>,
    ) -> (Vec<usize>, bool) {
        let mut any_rejected = false;
        while !left.is_empty() && self.must_spool(inner) {
            let count = rows.count_within(&left, RECORD_BYTES);
            let encoded = record::encode(rows, &left[..count], false, inner.options_digest);
            let record = new_record(inner, encoded, false);
            while self.must_spool(inner) {
                match self.append(inner, record.clone()).await {
                    Ok(Spooling::Done(_)) => drop(left.drain(..count)),
                    Ok(Spooling::Full) if inner.spool.when_full == WhenFull::Quarantine => {
                        any_rejected = true;
                        self.quarantine_full(inner, rows, left.drain(..count).collect()).await;
                    }
                    full_or_failed => {
                        self.report_waiting(inner, full_or_failed.err());
                        // Until something was delivered, or all may be sent.
                        inner.clock.sleep(FULL_AGAIN_AFTER).await;
                        continue;
                    }
                }
                break;
            }
        }
        (left, any_rejected)
    }

    /// Writes rows into the spool, if there is room.
    async fn write(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        rows: &Rows,
        chosen: &[usize],
        noted: bool,
        taken: bool,
    ) -> Result<Spooling, SpoolError> {
        let encoded = record::encode(rows, chosen, noted, inner.options_digest);
        self.append(inner, new_record(inner, encoded, taken)).await
    }

    async fn append(self: &Arc<Self>, inner: &Arc<Inner>, record: NewRecord) -> Result<Spooling, SpoolError> {
        if !self.share.fits(record.payload.len() as u64) {
            return Ok(Spooling::Full);
        }
        self.start_draining(inner);
        let events = u64::from(record.events);
        let id = self.spool.append(record).await?;
        inner.labels.count(Metric::SpooledEvents, events);
        self.show_spool(inner);
        Ok(Spooling::Done(id))
    }

    /// Keeps the events of rows in the quarantine for which the spool has no room.
    async fn quarantine_full(&self, inner: &Inner, rows: &Rows, chosen: Vec<usize>) {
        let message = format!(
            "{} takes nothing, and its share of the spool is full (spool.max_bytes, {} bytes for all streams): once it takes rows \
             again, deliver what is here with `quarantine retry`",
            self.name,
            inner.spool.room.max_bytes()
        );
        let reason = Reason { code: "spool_full", message, request_id: None };
        let refused = chosen.into_iter().map(|row| (row, reason.clone())).collect();
        inner.quarantine_rows(&self.stream, rows, refused).await;
    }

    fn report_waiting(&self, inner: &Inner, failure: Option<SpoolError>) {
        let Some(left_out) = self.full_logged.due(&inner.clock) else { return };
        let why = failure.map_or_else(
            || {
                format!(
                    "its share of the spool is full (spool.max_bytes, {} bytes)",
                    inner.spool.room.max_bytes()
                )
            },
            |failure| failure.to_string(),
        );
        inner.labels.count_error("spool_failed", "sending");
        error!(
            component_id = inner.labels.id,
            destination = %self.name,
            error_type = "spool_failed",
            left_out,
            "{}: batches with rows for {} wait, so that nothing is lost: it takes nothing, and {why}",
            inner.labels,
            self.name
        );
    }

    /// Removes a record whose rows are decided.
    async fn forget(&self, inner: &Inner, id: RecordId) {
        if let Err(failure) = self.spool.remove(id).await {
            let labels = &inner.labels;
            labels.count_error("spool_failed", "sending");
            error!(
                component_id = labels.id,
                destination = %self.name,
                error_type = "spool_failed",
                "{labels}: rows were delivered to {}, and may be delivered again after a restart: {failure}",
                self.name
            );
        }
        self.show_spool(inner);
    }

    /// Shows how much waits.
    fn show_spool(&self, inner: &Inner) {
        let backlog = self.spool.backlog();
        self.share.set(backlog.bytes);
        inner.labels.gauge_for(Metric::SpoolBytes, &self.name, backlog.bytes);
        inner.labels.gauge_for(Metric::SpoolEvents, &self.name, backlog.events);
    }

    /// Notes that the service has answered.
    fn works(&self, inner: &Inner) {
        let Some(since) = self.standings.works() else { return };
        inner.health.works(&Part::Destination(Arc::clone(&self.name)));
        inner.labels.gauge_for(Metric::DestinationFailing, &self.name, 0);
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

    /// Notes that a request failed, and answers how long the lane is left alone.
    fn fails(&self, inner: &Inner, failure: &ServiceError) -> Duration {
        let (now, verdict) = (inner.clock.now(), failure.verdict());
        let (wait, is_new) = self.standings.fails(verdict, inner.clock.monotonic(), now);
        inner.labels.count_error(failure.error_type(), "sending");
        inner.labels.count_for(Metric::DestinationErrors, &self.name, 1);
        if !is_new {
            return wait;
        }
        if matches!(verdict, Verdict::RetryAfter(_)) {
            self.service.rule.pause_for(wait);
        }
        inner.health.fails(
            Part::Destination(Arc::clone(&self.name)),
            now,
            failure.error_type(),
            format!("{}: {}", self.name, failure.message()),
        );
        inner.labels.gauge_for(Metric::DestinationFailing, &self.name, 1);
        self.report(inner, failure, wait);
        wait
    }

    fn report(&self, inner: &Inner, failure: &ServiceError, wait: Duration) {
        let (labels, component_id, destination) = (&inner.labels, &inner.labels.id, &self.name);
        let (error_type, request_id) = (failure.error_type(), failure.request_id());
        let (wait_secs, message) = (wait.as_secs_f64(), failure.message());
        // Being told to wait is part of normal work.
        if failure.level() == Level::WARN {
            warn!(
                component_id, %destination, error_type, request_id, wait_secs,
                "{labels}: {destination}: asked to wait, sending again in {wait_secs:.1} s: {message}"
            );
        } else {
            let others = if inner.spool.is_enabled {
                "its rows wait on disk and no other stream waits with them"
            } else {
                "the batches that have rows for it wait"
            };
            error!(
                component_id, %destination, error_type, request_id, wait_secs,
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
