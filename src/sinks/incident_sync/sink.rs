//! Takes events: each is on disk before it counts as delivered.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::error;

use super::pass::Direction;
use incident_model::field::Side;
use incident_model::snapshot::Snapshot;
use incident_model::unreadable::UnreadableIncident;
use incident_model::{defender, sentinel};
use model::event::Batch;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::{Health, Part};
use runtime::quarantine::Quarantine;
use runtime::telemetry::{ComponentLabels, Metric};

/// A sink that takes incidents of one side, to be written to the other.
pub struct IncidentSink {
    direction: Arc<Direction>,
}

// === impl IncidentSink ===

impl IncidentSink {
    /// The sink of a direction.
    pub const fn new(direction: Arc<Direction>) -> Self {
        Self { direction }
    }

    /// Who it is, in metrics and log lines.
    pub fn labels(&self) -> &ComponentLabels {
        &self.direction.teller.labels
    }

    /// The direction's health: whether what it was given last is on disk, and whether it can write.
    pub fn health(&self) -> &Health {
        &self.direction.health
    }

    /// Where it keeps what can never be written.
    pub fn quarantine(&self) -> &Quarantine {
        &self.direction.quarantine
    }

    fn read(&self, json: &[u8]) -> Result<Snapshot, UnreadableIncident> {
        match self.direction.origin() {
            Side::Defender => defender::read(json),
            Side::Sentinel => sentinel::read(json),
        }
    }
}

#[async_trait]
impl Deliver for IncidentSink {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let direction = &self.direction;
        let labels = self.labels();
        labels.count(Metric::ReceivedEvents, batch.len() as u64);
        let mut snapshots = Vec::with_capacity(batch.len());
        let mut refused = Vec::new();
        for event in batch.iter() {
            match self.read(&event.to_json()) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(error) => refused.push((event, error.to_string())),
            }
        }
        let taken = snapshots.len() as u64;
        match direction.ledger.take(direction.origin(), snapshots).await {
            Ok(()) => {
                self.health().works(&Part::State);
                labels.count(Metric::SentEvents, taken);
            }
            Err(failure) => {
                self.health().fails(Part::State, direction.clock.now(), "state_file", failure.to_string());
                labels.count_error("state_file", "receiving");
                error!(
                    component_id = labels.id,
                    error_type = "state_file",
                    "{}: incidents cannot be stored, so they are offered again: {failure}",
                    labels
                );
                return BatchStatus::Errored;
            }
        }
        // Only now, or what is offered again because of the others would be kept again.
        let status = if refused.is_empty() { BatchStatus::Delivered } else { BatchStatus::Rejected };
        for (event, message) in refused {
            direction.keeper("receiving").keep(event, "not_an_incident", message, "").await;
        }
        status
    }
}
