//! The sinks that can be pushed to, by the path of their URL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{error, info};

use super::deliveries::{BatchDigest, Deliveries, Waiting};
use super::lines::{Codec, Decoded, Line};
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::Health;
use runtime::quarantine::{Keeper, Quarantine, Reason, Refused};
use runtime::retry::policy::Policies;
use runtime::telemetry::{ComponentLabels, LogInterval};

/// What an event takes beside its text, and what is built of it on its way.
const EVENT_BYTES: usize = 2 * size_of::<Event>();
/// What a line that is no event takes beside its text: what it is, and why.
const UNREADABLE_BYTES: usize = 512;
/// How often at most it is said that something other than logs was sent, or that a sink is missing.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// What batches that are on their way may have together.
const MAX_BYTES_UNDER_WAY: usize = 64 * 1024 * 1024;

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
    /// When it was last said that a request cannot come to anything, by the kind of reason.
    said: Mutex<BTreeMap<&'static str, LogInterval>>,
}

#[derive(Clone)]
pub(super) struct Entry {
    /// Nothing while it is being started or replaced.
    pub(super) sink: Option<Arc<Sink>>,
    /// They outlive a sink that is replaced: what was delivered is not delivered again.
    deliveries: Deliveries,
    /// In kilobytes: who finds none left is told to come again. A sink that hangs takes none of the others'.
    room: Arc<Semaphore>,
}

/// The part of a sink's room that a push has.
pub(super) struct Room {
    of: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
}

/// One sink's side.
pub(super) struct Sink {
    pub(super) pushed: PushedSink,
    clock: Clock,
    policies: Policies,
    /// When something other than logs was last told of.
    said: LogInterval,
}

/// Some lines of a push, read.
pub(super) struct Push {
    codec: Codec,
    events: Vec<Event>,
    unreadable: Vec<Unreadable>,
    not_logs: u64,
    bytes: usize,
}

/// What a push comes to, to be delivered. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pushed {
    events: Batch,
    unreadable: Arc<[Unreadable]>,
    not_logs: u64,
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
        let sink = Arc::new(Sink { pushed: sink, clock, policies, said: LogInterval::new(SAID_EVERY) });
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

    /// Waits for the delivery of the very same events, if there is one that nobody waits for; else begins one to `sink`. Nothing
    /// if that is not the sink at `path` any more.
    pub(super) fn begin(&self, path: &str, sink: &Arc<Sink>, (push, room): (Push, Room)) -> Option<Waiting> {
        let pushed = push.finish();
        // Held until it has begun, so that who takes a sink out waits for everything that was begun.
        let by_path = self.by_path();
        let entry = by_path.get(path)?;
        entry.sink.as_ref().filter(|current| Arc::ptr_eq(current, sink))?;
        if let Some(waiting) = entry.deliveries.join(&pushed) {
            let labels = &sink.pushed.labels;
            info!(
                component_id = labels.id,
                "{labels}: a batch was sent again; it is answered from the first delivery."
            );
            return Some(waiting);
        }
        let sink = Arc::clone(sink);
        Some(entry.deliveries.begin(pushed.clone(), async move {
            let status = sink.take(pushed).await;
            drop(room);
            status
        }))
    }

    /// Has something of that kind said, once a minute at most.
    pub(super) fn say_sometimes(&self, kind: &'static str, say: impl FnOnce()) {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.entry(kind).or_insert_with(|| LogInterval::new(SAID_EVERY)).due(&self.0.clock).is_some() {
            say();
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn by_path(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Room ===

impl Room {
    /// Waits until there is room for so many bytes; nothing if there will be none.
    pub(super) async fn wait(entry: &Entry, bytes: usize) -> Option<Self> {
        let of = Arc::clone(&entry.room);
        let permit = Arc::clone(&of).acquire_many_owned(kilobytes(bytes)).await.ok()?;
        Some(Self { of, permit })
    }

    /// Takes more, if so many bytes do not fit. Answers whether there was more: it is not waited for, because those who wait for
    /// each other would wait for ever.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let held = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        let more = kilobytes(bytes).saturating_sub(held);
        if more == 0 {
            return true;
        }
        let more = Arc::clone(&self.of).try_acquire_many_owned(more);
        more.map(|more| self.permit.merge(more)).is_ok()
    }
}

/// What so many bytes take of a sink's room: of one push no more than three quarters, or a huge event would have to find nobody
/// else there.
fn kilobytes(bytes: usize) -> u32 {
    let kilobytes = (bytes.min(MAX_BYTES_UNDER_WAY / 4 * 3) / 1024).max(1);
    u32::try_from(kilobytes).unwrap_or(u32::MAX)
}

// === impl Push ===

impl Push {
    /// Nothing yet of a body in that codec.
    pub(super) const fn new(codec: Codec) -> Self {
        Self { codec, events: Vec::new(), unreadable: Vec::new(), not_logs: 0, bytes: 0 }
    }

    /// Takes one more line, which is called `word`.
    pub(super) fn add(&mut self, line: Line, word: &str) {
        let codec = self.codec;
        let (text, code, message) = match line {
            Line::Whole(line) | Line::Stray(line) if line.iter().all(u8::is_ascii_whitespace) => return,
            Line::Whole(line) => {
                self.bytes += line.len() + EVENT_BYTES;
                match codec.decode(&line) {
                    Ok(Decoded::Log(event)) => return self.events.push(event),
                    Ok(Decoded::NotALog) => {
                        self.not_logs += 1;
                        return;
                    }
                    Err(error) => {
                        let message = format!(
                            "{word} that cannot be read as {}, kept as it came: {error}",
                            codec.name()
                        );
                        (line, "undecodable", message)
                    }
                }
            }
            Line::Stray(text) => {
                self.bytes += text.len();
                let message = "what stands behind the end of a JSON array, kept as it came".to_owned();
                (text, "undecodable", message)
            }
            Line::TooLong { head, bytes } => {
                self.bytes += head.len();
                let message = format!(
                    "{word} of {bytes} bytes, and none over 100 MiB is read: only its beginning is kept"
                );
                (head, "too_large", message)
            }
        };
        self.bytes += UNREADABLE_BYTES;
        self.unreadable.push(Unreadable { text, code, message });
    }

    fn finish(self) -> Pushed {
        let Self { events, unreadable, not_logs, .. } = self;
        Pushed { events: events.into(), unreadable: unreadable.into(), not_logs }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.unreadable.is_empty() && self.not_logs == 0
    }
}

// === impl Pushed ===

impl Pushed {
    /// Tells it from what has other events, or the same in another order.
    pub(super) fn digest(&self) -> BatchDigest {
        let mut context = Context::new(&SHA256);
        let mut add = |text: &[u8]| {
            context.update(&text.len().to_le_bytes());
            context.update(text);
        };
        self.events.iter().for_each(|event| add(&event.to_json()));
        self.unreadable.iter().for_each(|line| add(&line.text));
        for count in [self.events.len() as u64, self.not_logs] {
            add(&count.to_le_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        BatchDigest(digest)
    }
}

// === impl Sink ===

impl Sink {
    /// Delivers a push, however long that takes.
    pub(super) async fn take(&self, pushed: Pushed) -> BatchStatus {
        self.tell_of(pushed.not_logs);
        self.keep(&pushed.unreadable).await;
        if pushed.events.is_empty() {
            return BatchStatus::Delivered;
        }
        self.pushed.deliver.deliver(pushed.events).await
    }

    fn tell_of(&self, not_logs: u64) {
        if not_logs == 0 {
            return;
        }
        let labels = &self.pushed.labels;
        labels.count_discarded(not_logs);
        if self.said.due(&self.clock).is_some() {
            error!(
                component_id = labels.id,
                events = not_logs,
                "{labels}: discarded metrics or traces: only logs can become rows. Put a metric_to_log transform before this \
                 sink, or take what emits them out of its inputs. (Said once a minute at most.)"
            );
        }
    }

    /// Keeps what nobody can read, all at once, however long it takes.
    async fn keep(&self, unreadable: &[Unreadable]) {
        if unreadable.is_empty() {
            return;
        }
        let Self { clock, policies, .. } = self;
        let PushedSink { quarantine, labels, .. } = &self.pushed;
        let texts: Batch = unreadable.iter().map(|line| Event::new(line.text.clone(), None)).collect();
        let refused = unreadable.iter().enumerate().map(|(event, Unreadable { code, message, .. })| {
            let reason = Reason { code, message: message.clone(), request_id: None };
            Refused { event, reason, stream: None }
        });
        let keeper = Keeper { quarantine, labels, clock, policies, stage: "receiving" };
        keeper.keep_all(&texts, refused.collect(), "", None).await;
    }
}
