//! The sinks that Vector pushes to, by the path of their URL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::deliveries::{BatchDigest, Deliveries, Waiting};
use super::lines::{Decoded, Line, decode};
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::Health;
use runtime::quarantine::{Keeper, Quarantine};
use runtime::retry::policy::Policies;
use runtime::telemetry::ComponentLabels;

/// How often at most it is said that something other than logs was sent, or that a sink is missing.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// What batches that are on their way may have together.
pub(super) const MAX_BYTES_UNDER_WAY: usize = 64 * 1024 * 1024;

/// A sink that can be pushed to.
pub struct PushedSink {
    /// Where batches go.
    pub deliver: Arc<dyn Deliver>,
    /// Whether that works.
    pub health: Health,
    /// Where it keeps what can never be accepted.
    pub quarantine: Quarantine,
    /// Who it is, in metrics and log lines.
    pub labels: ComponentLabels,
}

/// All sinks that can be pushed to. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct PushedSinks(Arc<Shared>);

struct Shared {
    by_path: Mutex<BTreeMap<String, Entry>>,
    clock: Clock,
    rng: Mutex<fastrand::Rng>,
    /// When it was last said that a sink is missing.
    said: Mutex<Option<Instant>>,
}

#[derive(Clone)]
pub(super) struct Entry {
    /// Nothing while it is being started or replaced.
    pub(super) sink: Option<Arc<Sink>>,
    /// They outlive a sink that is replaced: what was delivered is not delivered again.
    deliveries: Deliveries,
    /// In kilobytes: who finds none left is told to come again. A sink that hangs takes none of the others'.
    pub(super) room: Arc<Semaphore>,
}

/// One sink's side.
pub(super) struct Sink {
    pub(super) pushed: PushedSink,
    clock: Clock,
    policies: Policies,
    /// When something other than logs was last told of.
    said: Mutex<Option<Instant>>,
}

/// Some lines of a push, read.
#[derive(Default)]
pub(super) struct Push {
    events: Vec<Event>,
    unreadable: Vec<Unreadable>,
    not_logs: u64,
    bytes: usize,
}

/// A line that is no event.
struct Unreadable {
    text: Bytes,
    code: &'static str,
    message: String,
}

// === impl PushedSinks ===

impl PushedSinks {
    /// No sinks yet.
    pub fn new(clock: Clock, rng: fastrand::Rng) -> Self {
        Self(Arc::new(Shared {
            by_path: Mutex::default(),
            clock,
            rng: Mutex::new(rng),
            said: Mutex::default(),
        }))
    }

    /// There will be a sink at `path`: what is pushed there before has to come again.
    pub fn reserve(&self, path: &str) {
        let room = || Arc::new(Semaphore::new(MAX_BYTES_UNDER_WAY / 1024));
        let made = || Entry { sink: None, deliveries: Deliveries::new(self.0.clock.clone()), room: room() };
        self.by_path().entry(path.to_owned()).or_insert_with(made);
    }

    /// From now on `sink` is pushed to at `path`: a new one, or in the place of the one that was there.
    pub fn insert(&self, path: &str, sink: PushedSink) {
        let rng = self.0.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let (clock, policies) = (self.0.clock.clone(), Policies::new(rng));
        let sink = Arc::new(Sink { pushed: sink, clock, policies, said: Mutex::default() });
        self.reserve(path);
        if let Some(entry) = self.by_path().get_mut(path) {
            entry.sink = Some(sink);
        }
    }

    /// What is pushed to `path` from now on has to come again: the sink there is being replaced, or goes. Returns when it has
    /// decided everything that it was given. Dropped before, [`Self::give_up`] ends the rest.
    pub async fn take_out(&self, path: &str) {
        let deliveries = self.by_path().get_mut(path).map(|entry| {
            entry.sink = None;
            entry.deliveries.clone()
        });
        if let Some(deliveries) = deliveries {
            deliveries.decided().await;
        }
    }

    /// Gives up what is still on its way to `path`. It was not answered, so that it comes again.
    pub async fn give_up(&self, path: &str) {
        let deliveries = self.by_path().get(path).map(|entry| entry.deliveries.clone());
        if let Some(deliveries) = deliveries {
            deliveries.give_up().await;
        }
    }

    /// There is no sink at `path` any more.
    pub fn remove(&self, path: &str) {
        self.by_path().remove(path);
    }

    pub(super) fn get(&self, path: &str) -> Option<Entry> {
        self.by_path().get(path).cloned()
    }

    /// Waits for the delivery of the very same bytes, if there is one that nobody waits for; else begins one to `sink`. Nothing
    /// if that is not the sink at `path` any more.
    pub(super) fn begin(
        &self,
        path: &str,
        sink: &Arc<Sink>,
        digest: BatchDigest,
        (push, room): (Push, Option<OwnedSemaphorePermit>),
    ) -> Option<Waiting> {
        // Held until it has begun, so that who takes a sink out waits for everything that was begun.
        let by_path = self.by_path();
        let entry = by_path.get(path)?;
        entry.sink.as_ref().filter(|current| Arc::ptr_eq(current, sink))?;
        if let Some(waiting) = entry.deliveries.join(digest) {
            let labels = &sink.pushed.labels;
            info!(
                component_id = labels.id,
                "{labels}: Vector has sent a batch again; it is answered from the first delivery."
            );
            return Some(waiting);
        }
        let sink = Arc::clone(sink);
        Some(entry.deliveries.begin(digest, async move {
            let status = sink.take(push).await;
            drop(room);
            status
        }))
    }

    /// Says, once a minute at most, that Vector pushes to a sink that is not there.
    pub(super) fn report_missing(&self, path: &str) {
        if is_due(&self.0.said, self.0.clock.monotonic()) {
            warn!(
                path,
                "Vector pushes to a sink that does not run here, and is told to come again: has the pipeline file changed? Then \
                 render Vector's file again. (Said once a minute at most.)"
            );
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn by_path(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something may be said now that was last said at `said`, and notes that it is.
fn is_due(said: &Mutex<Option<Instant>>, now: Instant) -> bool {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let is_due = said.is_none_or(|said| now.saturating_duration_since(said) >= SAID_EVERY);
    if is_due {
        *said = Some(now);
    }
    is_due
}

// === impl Push ===

impl Push {
    /// Takes one more line.
    pub(super) fn add(&mut self, line: Line) {
        let (text, code, message) = match line {
            Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => return,
            Line::Whole(line) => {
                self.bytes += line.len();
                match decode(&line) {
                    Ok(Decoded::Log(event)) => return self.events.push(event),
                    Ok(Decoded::NotALog) => {
                        self.not_logs += 1;
                        return;
                    }
                    Err(error) => {
                        let message =
                            format!("a line that cannot be read as native_json, kept as it came: {error}");
                        (line, "undecodable", message)
                    }
                }
            }
            Line::TooLong { head, bytes } => {
                self.bytes += head.len();
                let message = format!(
                    "a line of {bytes} bytes, and none over 100 MiB is read: only its beginning is kept"
                );
                (head, "too_large", message)
            }
        };
        self.unreadable.push(Unreadable { text, code, message });
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.unreadable.is_empty() && self.not_logs == 0
    }
}

// === impl Sink ===

impl Sink {
    /// Delivers a push, however long that takes.
    pub(super) async fn take(&self, push: Push) -> BatchStatus {
        self.tell_of(push.not_logs);
        for unreadable in push.unreadable {
            self.keep(unreadable).await;
        }
        if push.events.is_empty() {
            return BatchStatus::Delivered;
        }
        self.pushed.deliver.deliver(Batch::from(push.events)).await
    }

    fn tell_of(&self, not_logs: u64) {
        if not_logs == 0 {
            return;
        }
        let labels = &self.pushed.labels;
        labels.count_discarded(not_logs);
        if is_due(&self.said, self.clock.monotonic()) {
            error!(
                component_id = labels.id,
                events = not_logs,
                "{labels}: discarded metrics or traces: only logs can become rows. Put a metric_to_log transform before this \
                 sink, or take what emits them out of its inputs. (Said once a minute at most.)"
            );
        }
    }

    /// Keeps what nobody can read, however long it takes.
    async fn keep(&self, unreadable: Unreadable) {
        let Self { pushed: PushedSink { quarantine, labels, .. }, clock, policies, .. } = self;
        let keeper = Keeper { quarantine, labels, clock, policies, stage: "receiving" };
        let Unreadable { text, code, message } = unreadable;
        keeper.keep(&Event::new(text, None), code, message, "").await;
    }
}
