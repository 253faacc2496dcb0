//! The service `vector.Vector`: one push is one batch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::{error, info, warn};

use super::deliveries::{Deliveries, Key};
use crate::protocol::vector::vector_server::Vector;
use crate::protocol::vector::{
    HealthCheckRequest, HealthCheckResponse, PushEventsRequest, PushEventsResponse, ServingStatus,
};
use crate::protocol::{Decoded, decode};
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::Health;
use runtime::quarantine::{Keeper, Quarantine};
use runtime::retry::policy::Policies;
use runtime::telemetry::{ComponentLabels, Metric};

/// Vector gives a push up after a minute and sends it again: so it is answered before that, if need be with "not yet".
/// Source: <https://vector.dev/docs/reference/configuration/sinks/vector/#request.timeout_secs>
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(45);
/// How often at most it is said that something other than logs was sent.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// What batches that are on their way may have together.
pub(super) const MAX_BYTES_UNDER_WAY: usize = 64 * 1024 * 1024;

/// One sink's side of the service.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) sink: Arc<Sink>,
    pub(super) deliveries: Deliveries,
    /// In kilobytes: who finds none left is told to come again.
    pub(super) room: Arc<Semaphore>,
    pub(super) closing: CancellationToken,
}

/// Where batches go.
pub(super) struct Sink {
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) health: Health,
    pub(super) quarantine: Quarantine,
    pub(super) labels: ComponentLabels,
    pub(super) clock: Clock,
    pub(super) policies: Policies,
    /// When something other than logs was last told of.
    pub(super) said: Mutex<Option<Instant>>,
}

/// A push, taken apart.
#[derive(Default)]
struct Push {
    events: Vec<Event>,
    undecodable: Vec<(Bytes, String)>,
    not_logs: u64,
    flattened: u64,
}

// === impl Push ===

impl Push {
    fn decode(wires: &[Bytes]) -> Self {
        let mut push = Self::default();
        for (wire, decoded) in wires.iter().zip(decode(wires)) {
            match decoded {
                Ok(Decoded::Log { event, flattened }) => {
                    push.events.push(event);
                    push.flattened += flattened as u64;
                }
                Ok(Decoded::NotALog) => push.not_logs += 1,
                Err(error) => push.undecodable.push((wire.clone(), error.to_string())),
            }
        }
        push
    }
}

// === impl Sink ===

impl Sink {
    async fn take(&self, push: Push) -> BatchStatus {
        self.tell_of(&push);
        for (wire, error) in push.undecodable {
            self.keep(&Event::new(wire, None), &error).await;
        }
        if push.events.is_empty() {
            return BatchStatus::Delivered;
        }
        self.deliver.deliver(Batch::from(push.events)).await
    }

    fn tell_of(&self, push: &Push) {
        let component_id = self.labels.id.as_str();
        if push.flattened > 0 {
            self.labels.count(Metric::FlattenedValues, push.flattened);
            warn!(
                component_id,
                values = push.flattened,
                "Values nested more than 32 levels deep were turned into JSON text."
            );
        }
        if push.not_logs > 0 {
            self.labels.count_discarded(push.not_logs);
            let now = self.clock.monotonic();
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_none_or(|said| now.saturating_duration_since(said) >= SAID_EVERY) {
                *said = Some(now);
                error!(
                    component_id,
                    events = push.not_logs,
                    "Discarded metrics or traces: only logs can become rows. Put a metric_to_log transform before this \
                     sink, or take what emits them out of its inputs. (Said once a minute at most.)"
                );
            }
        }
    }

    /// Keeps what nobody can read, however long it takes.
    async fn keep(&self, event: &Event, error: &str) {
        let Self { quarantine, labels, clock, policies, .. } = self;
        let message = format!("Vector sent an event that cannot be decoded, kept as its bytes: {error}");
        let keeper = Keeper { quarantine, labels, clock, policies, stage: "receiving" };
        keeper.keep(event, "undecodable", message, "").await;
    }
}

// === impl Service ===

impl Service {
    /// Delivers a push, however long that takes.
    async fn deliver(&self, wires: Vec<Bytes>) -> Result<BatchStatus, Status> {
        let key = Key::of(&wires);
        let waiting = if let Some(waiting) = self.deliveries.join(key) {
            info!(
                component_id = self.sink.labels.id,
                events = wires.len(),
                "Vector has sent a batch again; it is answered from the first delivery."
            );
            waiting
        } else {
            let push = Push::decode(&wires);
            let bytes: usize = wires.iter().map(Bytes::len).sum();
            let kilobytes = (bytes.min(MAX_BYTES_UNDER_WAY) / 1024).max(1);
            let room =
                Arc::clone(&self.room).acquire_many_owned(u32::try_from(kilobytes).unwrap_or(u32::MAX));
            let room = room.await.map_err(|_| Status::unavailable("stopping"))?;
            let sink = Arc::clone(&self.sink);
            self.deliveries.begin(key, async move {
                let status = sink.take(push).await;
                drop(room);
                status
            })
        };
        drop(wires);
        Ok(waiting.outcome().await)
    }
}

#[async_trait]
impl Vector for Service {
    async fn push_events(
        &self,
        request: Request<PushEventsRequest>,
    ) -> Result<Response<PushEventsResponse>, Status> {
        if self.closing.is_cancelled() {
            return Err(Status::unavailable("vector-sentinel is stopping"));
        }
        let delivered = tokio::select! {
            delivered = self.deliver(request.into_inner().events) => delivered?,
            () = self.sink.clock.sleep(ANSWERED_WITHIN) => {
                let message = "not delivered yet, and not forgotten: send it again";
                return Err(Status::unavailable(message));
            }
        };
        match delivered {
            // What was rejected is in the quarantine. Any other answer would drop or stop what came with it.
            BatchStatus::Delivered | BatchStatus::Rejected => Ok(Response::new(PushEventsResponse {})),
            BatchStatus::Errored => Err(Status::unavailable("not delivered: send it again")),
        }
    }

    async fn health_check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status =
            if self.sink.health.is_working() { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }
}
