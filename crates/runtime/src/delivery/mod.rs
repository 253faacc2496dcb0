//! Delivery is a return value: the acknowledgement of a batch is what [`Deliver::deliver`] answers.

mod fan_out;
mod sink_slot;

pub use fan_out::FanOut;
pub use sink_slot::{Leaving, SinkSlot};

use async_trait::async_trait;
use model::event::Batch;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatus {
    /// Every event is where it should be, for good.
    Delivered,
    /// Not (all of it) accepted; nothing is said of the future: offer it again.
    Errored,
    /// Some of it can never be accepted. That part is in the quarantine and the rest is delivered: do not offer again.
    Rejected,
}

/// Whoever takes batches: a sink, or the way to one.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Takes a batch and answers when its fate is known. Dropping the future gives the batch up undecided.
    async fn deliver(&self, batch: Batch) -> BatchStatus;
}
