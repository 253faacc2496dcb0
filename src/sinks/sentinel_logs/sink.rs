//! The sink: takes batches, and answers when each row is in its table, in the quarantine, or in the spool.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::destination::Destinations;
use super::encoder::{Encoder, RowNotes};
use super::lane::Lane;
use super::packer::Packer;
use super::rows::Rows;
use super::spool::SinkSpool;
use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::Health;
use runtime::quarantine::{Keeper, Quarantine, Reason, Refused};
use runtime::retry::policy::Policies;
use runtime::telemetry::{ComponentLabels, LogInterval, Metric};

/// How often it is logged that times cannot be read.
pub(super) const UNREAD_TIMES_EVERY: Duration = Duration::from_hours(1);

/// Sink `sentinel_logs`, ready to take batches. What it does in the background ends when it is dropped.
pub struct LogSink(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) labels: ComponentLabels,
    pub(super) health: Health,
    pub(super) destinations: Destinations,
    pub(super) encoder: Encoder,
    pub(super) max_bytes: usize,
    pub(super) gzip_level: Option<u32>,
    pub(super) spool: SinkSpool,
    pub(super) quarantine: Quarantine,
    pub(super) clock: Clock,
    pub(super) policies: Policies,
    pub(super) unread_times_logged: LogInterval,
    /// What goes on in the background, and the word for it to end.
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
}

/// Rows of a batch that go to one stream.
pub(super) struct Group {
    pub(super) lane: Arc<Lane>,
    /// By their index in the batch.
    pub(super) rows: Vec<usize>,
}

#[async_trait]
impl Deliver for LogSink {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let inner = &self.0;
        inner.labels.count(Metric::ReceivedEvents, batch.len() as u64);
        let (rows, rowless) = Rows::new(&inner.encoder, batch, inner.clock.now());
        let rows = Arc::new(rows);
        let (groups, unrouted) = inner.group(&rows, (0..rows.count()).collect());
        let rejected = !rowless.is_empty() || !unrouted.is_empty();
        inner.quarantine(&rows.events, rowless, None).await;
        inner.quarantine(&rows.events, rows.events_of(unrouted), None).await;
        let taken = join_all(groups.into_iter().map(|Group { lane, rows: chosen }| {
            let rows = Arc::clone(&rows);
            async move { lane.take(inner, &rows, chosen).await }
        }));
        // What cannot be told of one lane is offered again, with the rest.
        match taken.await.into_iter().collect::<Option<Vec<bool>>>() {
            None => BatchStatus::Errored,
            Some(lanes) if rejected || lanes.contains(&true) => BatchStatus::Rejected,
            Some(_) => BatchStatus::Delivered,
        }
    }
}

// === impl LogSink ===

impl LogSink {
    /// Labels of the component, in metrics and log lines.
    pub fn labels(&self) -> &ComponentLabels {
        &self.0.labels
    }

    /// Begins what goes on in the background: delivers what an earlier run has left in the spool, and compares the data collection
    /// rules with what is written. Holds nothing up.
    pub async fn start(&self) {
        let inner = &self.0;
        inner.destinations.start_rule_monitor();
        let (waiting, unknown) = match inner.destinations.waiting().await {
            Ok(found) => found,
            Err(failure) => {
                inner.labels.count_error("spool_failed", "sending");
                let (labels, dir) = (&inner.labels, inner.spool.room.dir().path.display());
                error!(
                    component_id = labels.id,
                    "{labels}: cannot see what waits in the spool in {dir}: {failure}"
                );
                return;
            }
        };
        for dir in unknown {
            inner.labels.count_error("spool_failed", "sending");
            error!(
                component_id = inner.labels.id,
                "{}: rows wait in {}, which is no place of a stream's, or of one stream too many: give the directory the name that it \
                 had, the rule's immutable id, a plus sign and the stream.",
                inner.labels,
                dir.display()
            );
        }
        for (lane, bytes) in waiting {
            info!(
                component_id = inner.labels.id,
                destination = %lane.name,
                bytes,
                "{}: events that an earlier run has left in the spool wait for {}, and are sent now.",
                inner.labels,
                lane.name
            );
            lane.start_draining(inner);
        }
    }

    /// Stops what goes on in the background, and returns when it has.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        for lane in self.0.destinations.lanes() {
            // Nobody looks any more: an alert must not go on.
            lane.show_well(&self.0);
            let events = lane.spool.backlog().events;
            if events > 0 {
                let labels = &self.0.labels;
                warn!(
                    component_id = labels.id,
                    destination = %lane.name,
                    events,
                    "{labels}: stops while events wait in the spool for {}; the next start sends them.",
                    lane.name
                );
            }
        }
    }

    /// Health of the sink: whether each of its streams has taken the last request.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Quarantine of the sink, for what can never be accepted.
    pub fn quarantine(&self) -> &Quarantine {
        &self.0.quarantine
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.0.stopping.cancel();
    }
}

// === impl Inner ===

impl Inner {
    /// Sorts rows by where they go; those that go nowhere come with the reason.
    pub(super) fn group(&self, rows: &Rows, chosen: Vec<usize>) -> (Vec<Group>, Vec<(usize, Reason)>) {
        match self.destinations.only() {
            Some(Ok(lane)) => return (vec![Group { lane, rows: chosen }], Vec::new()),
            Some(Err(reason)) => {
                return (Vec::new(), chosen.into_iter().map(|row| (row, reason.clone())).collect());
            }
            None => {}
        }
        let (mut groups, mut unrouted): (Vec<Group>, _) = (Vec::new(), Vec::new());
        for row in chosen {
            match self.destinations.of(rows.event(row).1, rows.table(row)) {
                Ok(lane) => match groups.iter_mut().find(|group| Arc::ptr_eq(&group.lane, &lane)) {
                    Some(group) => group.rows.push(row),
                    None => groups.push(Group { lane, rows: vec![row] }),
                },
                Err(reason) => unrouted.push((row, reason)),
            }
        }
        (groups, unrouted)
    }

    pub(super) fn packer<'a>(&self, rows: &'a Rows, chosen: Vec<usize>) -> Packer<'a> {
        Packer::new(rows, chosen, self.max_bytes, self.gzip_level)
    }

    /// Keeps the events of rows in the quarantine that their stream does not take.
    pub(super) async fn quarantine_rows(&self, stream: &str, rows: &Rows, refused: Vec<(usize, Reason)>) {
        self.quarantine(&rows.events, rows.events_of(refused), Some(stream)).await;
    }

    /// Keeps events in the quarantine, however long it takes to get them there.
    pub(super) async fn quarantine(
        &self,
        batch: &Batch,
        refused: Vec<(usize, Reason)>,
        stream: Option<&str>,
    ) {
        self.quarantine_for(batch, refused, stream, None).await;
    }

    /// The same for a reason that may come with every batch: `interval` says how often it is logged.
    pub(super) async fn quarantine_for(
        &self,
        batch: &Batch,
        refused: Vec<(usize, Reason)>,
        stream: Option<&str>,
        interval: Option<&LogInterval>,
    ) {
        if refused.is_empty() {
            return;
        }
        let Self { quarantine, labels, clock, policies, .. } = self;
        let stream = stream.map(ToOwned::to_owned);
        let refused =
            refused.into_iter().map(|(event, reason)| Refused { event, reason, stream: stream.clone() });
        let keeper = Keeper { quarantine, labels, clock, policies, stage: "sending" };
        let said = "an event is in the quarantine: ";
        keeper.keep_all(batch, refused.collect(), said, interval).await;
    }

    /// Counts what there is to say of rows, and logs it.
    pub(super) fn note(&self, notes: RowNotes) {
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
            if self.unread_times_logged.due(&self.clock).is_some() {
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
