//! Tells what is new, round after round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::feed::Feed;
use crate::component::Source;
use crate::sources::ReadError;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::retry::Verdict;
use runtime::retry::backoff::Backoff;
use runtime::retry::policy::RetryPolicy;
use runtime::store::Store;
use runtime::telemetry::{ComponentLabels, Metric};

/// The source, ready to run.
pub struct EventSource {
    pub(super) labels: ComponentLabels,
    pub(super) feeds: Vec<Box<dyn Feed>>,
    pub(super) store: Store,
    pub(super) poll_interval: Duration,
    pub(super) clock: Clock,
    pub(super) rng: fastrand::Rng,
}

/// How far each feed is told.
struct Cursors {
    /// Kind and id, the key in the state file.
    component: String,
    by_feed: BTreeMap<String, Value>,
    /// Whether the state file does not know yet how far they are.
    unsaved: bool,
}

// === impl EventSource ===

impl EventSource {
    async fn cursors(&self) -> Result<Cursors, ReadError> {
        let component = format!("sources.{}", self.labels.id);
        let by_feed = self.store.cursor(&component).await?.unwrap_or_default();
        Ok(Cursors { component, by_feed, unsaved: false })
    }

    /// Tells what is next of each feed; answers whether there may be more at once.
    async fn round(
        &self,
        cursors: &mut Cursors,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<bool, ReadError> {
        let (mut more, mut failed) = (false, None);
        for feed in &self.feeds {
            if shutdown.is_cancelled() {
                break;
            }
            // One that cannot be read does not keep the others from being told.
            match self.tell(feed.as_ref(), cursors, out).await {
                Ok(any_left) => more |= any_left,
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    /// Tells what is next of one feed.
    async fn tell(
        &self,
        feed: &dyn Feed,
        cursors: &mut Cursors,
        out: &dyn Deliver,
    ) -> Result<bool, ReadError> {
        // Before anything else is delivered, so that no more than one batch comes twice after a kill.
        self.save(cursors).await?;
        let told = feed.after(cursors.by_feed.get(feed.name())).await?;
        let count = told.events.len() as u64;
        if count > 0 {
            self.labels.count(Metric::ReceivedEvents, count);
            match out.deliver(told.events.into()).await {
                // What was rejected is in the quarantine of whoever did: it is dealt with.
                BatchStatus::Delivered | BatchStatus::Rejected => {}
                BatchStatus::Errored => {
                    return Err(ReadError::NotDelivered);
                }
            }
            self.labels.count(Metric::SentEvents, count);
            debug!(component_id = self.labels.id, feed = feed.name(), events = count, "Told of what is new.");
        }
        let before = cursors.by_feed.insert(feed.name().to_owned(), told.cursor.clone());
        cursors.unsaved |= before.as_ref() != Some(&told.cursor);
        self.save(cursors).await?;
        Ok(told.more)
    }

    async fn save(&self, cursors: &mut Cursors) -> Result<(), ReadError> {
        if cursors.unsaved {
            self.store.advance(&cursors.component, &cursors.by_feed, DateTime::UNIX_EPOCH).await?;
            cursors.unsaved = false;
        }
        Ok(())
    }

    fn report(&self, failure: &ReadError, wait: Duration) {
        self.labels.count_error(failure.error_type(), "receiving");
        error!(
            component_id = self.labels.id,
            error_type = failure.error_type(),
            wait_secs = wait.as_secs_f64(),
            "{}: events cannot be delivered, trying again, nothing is lost: {failure}",
            self.labels
        );
    }

    /// Waits; answers false if we are asked to stop meanwhile.
    async fn wait(&self, wait: Duration, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => false,
            () = self.clock.sleep(wait) => true,
        }
    }
}

#[async_trait]
impl Source for EventSource {
    async fn run(mut self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken) {
        let mut policy = RetryPolicy::forever(Backoff::new(self.rng.fork()));
        let mut known = None;
        let feeds: Vec<_> = self.feeds.iter().map(|feed| feed.name()).collect();
        info!(
            component_id = self.labels.id,
            feeds = feeds.join(", "),
            "{}: following quarantines and the sync.",
            self.labels
        );
        while !shutdown.is_cancelled() {
            let done = match &mut known {
                None => self.cursors().await.map(|cursors| {
                    known = Some(cursors);
                    true
                }),
                Some(cursors) => self.round(cursors, out.as_ref(), &shutdown).await,
            };
            let wait = match done {
                Ok(more) => {
                    policy.reset();
                    if more { Duration::ZERO } else { self.poll_interval }
                }
                Err(failure) => {
                    let wait = policy.wait(Verdict::Retry);
                    self.report(&failure, wait);
                    wait
                }
            };
            if !wait.is_zero() && !self.wait(wait, &shutdown).await {
                break;
            }
        }
        info!(component_id = self.labels.id, "{}: stopped.", self.labels);
    }
}
