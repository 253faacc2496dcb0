//! Sources: where events come from. Each has a `config` and what it reads; the poller of incidents is one for all.

pub mod defender_incidents;
mod error;
pub mod incidents;
pub mod sentinel_incidents;
pub mod vector_sentinel_events;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use runtime::delivery::Deliver;

pub use error::ReadError;

/// A source that is ready to run.
#[async_trait]
pub trait Source: Send {
    /// Offers events to `out` until `shutdown` is cancelled; what is being delivered by then is still finished.
    async fn run(self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken);
}
