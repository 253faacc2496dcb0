//! Delivers what waits in a lane's spool: one request at a time while the lane fails, as many as it takes when it is well.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::super::sink::Inner;
use super::Lane;
use super::record::{self, Spooled};
use super::sending::Sending;
use super::standing::Standing;
use super::work::Work;
use model::event::{Batch, Event};
use runtime::health::Part;
use runtime::quarantine::Reason;
use runtime::spool::{SpoolError, SpooledRecord};

/// How long until a spool that cannot be read is read again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

impl Lane {
    /// Begins to deliver what is in the spool, if nobody does. It goes on until the sink stops.
    pub(in super::super) fn start_draining(self: &Arc<Self>, inner: &Arc<Inner>) {
        if self.is_drained.swap(true, Ordering::Relaxed) {
            return;
        }
        let (lane, stopped) = (Arc::clone(self), Arc::clone(inner));
        tokio::spawn(inner.tasks.track_future(async move {
            let stopping = stopped.stopping.clone();
            let mut sent = JoinSet::new();
            stopping.run_until_cancelled(lane.drain(&stopped, &mut sent)).await;
            // They end by themselves, soon: what they have not delivered stays where it is.
            while sent.join_next().await.is_some() {}
        }));
    }

    async fn drain(self: &Arc<Self>, inner: &Arc<Inner>, sent: &mut JoinSet<()>) {
        loop {
            self.until_asked_again(inner).await;
            let record = match self.spool.take().await {
                Ok(Some(record)) => {
                    self.show_spool(inner);
                    inner.health.works(&Part::Spool);
                    record
                }
                Ok(None) => {
                    self.show_spool(inner);
                    self.spool.readable().await;
                    continue;
                }
                // It is passed over.
                Err(SpoolError::Damaged { path, offset, events }) => {
                    inner.labels.count_discarded(u64::from(events));
                    self.report_unreadable(inner, &SpoolError::Damaged { path, offset, events });
                    continue;
                }
                Err(failure) => {
                    if self.spool_logged.due(&inner.clock).is_some() {
                        self.report_unreadable(inner, &failure);
                    }
                    inner.health.fails(Part::Spool, inner.clock.now(), "spool_failed", failure.to_string());
                    inner.clock.sleep(AGAIN_AFTER).await;
                    continue;
                }
            };
            let id = record.id;
            let Some((work, rows_in_record)) = self.work_of(inner, record).await else { continue };
            // The slot comes last: who waits for another lane's must not hold one.
            let slot = self.service.concurrency.slot().await;
            let is_well = self.standings.get() == Standing::Well;
            let sending = Sending {
                lane: Arc::clone(self),
                inner: Arc::clone(inner),
                work,
                settled: None,
                abandoned: CancellationToken::new(),
                patient_until: None,
                record: Some((id, rows_in_record)),
                _slot: slot,
            };
            sent.spawn(sending.run());
            // While it is not well, one asks for all.
            while !is_well && sent.join_next().await.is_some() {}
            while sent.try_join_next().is_some() {}
        }
    }

    /// Waits until the time has come to ask a lane that fails.
    async fn until_asked_again(&self, inner: &Inner) {
        while let Standing::Failing { retry_at, .. } = self.standings.get() {
            let left = retry_at.saturating_duration_since(inner.clock.monotonic());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = self.standings.until(|standing| standing == Standing::Well) => {}
                () = inner.clock.sleep(left) => {}
            }
        }
    }

    /// What is to be sent of a record, and how many rows are in it; nothing if it is dealt with. What is not for this lane any more
    /// goes to the one that it is for.
    async fn work_of(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        SpooledRecord { id, payload, .. }: SpooledRecord,
    ) -> Option<(Work, usize)> {
        let spooled = match record::decode(&payload, &inner.encoder, inner.clock.now()) {
            Ok(spooled) => spooled,
            Err(failure) => {
                let message = format!("a record of the spool, kept as it is: {failure}");
                let reason = Reason { code: "undecodable", message, request_id: None };
                let event = Batch::from([Event::new(payload.into(), None)]);
                inner.quarantine(&event, vec![(0, reason)], Some(&self.stream)).await;
                self.forget(inner, id).await;
                return None;
            }
        };
        let Spooled { rows, chosen, rowless, noted } = spooled;
        let (mut is_whole, total) = (rowless.is_empty(), chosen.len());
        inner.quarantine(&rows.events, rowless, Some(&self.stream)).await;
        let (groups, unrouted) = inner.group(&rows, chosen);
        inner.quarantine(&rows.events, rows.events_of(unrouted), Some(&self.stream)).await;
        let mut own = Vec::new();
        for group in groups {
            if Arc::ptr_eq(&group.lane, self) {
                own = group.rows;
            } else if Box::pin(group.lane.take(inner, &rows, group.rows)).await.is_none() {
                // Its task died: the record is sent again.
                if let Err(failure) = self.spool.release(id).await {
                    self.report_unreadable(inner, &failure);
                }
                return None;
            }
        }
        is_whole &= own.len() == total;
        // Of a record of which something went elsewhere, what is left is not what is in the spool.
        let rows_in_record = if is_whole { total } else { usize::MAX };
        Some((Work::of_rows(rows, own, noted), rows_in_record))
    }

    fn report_unreadable(&self, inner: &Inner, failure: &SpoolError) {
        let labels = &inner.labels;
        labels.count_error("spool_failed", "sending");
        error!(
            component_id = labels.id,
            destination = %self.name,
            error_type = "spool_failed",
            "{labels}: what waits for {} cannot be read: {failure}",
            self.name
        );
    }
}
