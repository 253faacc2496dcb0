//! Hands on again what Vector has refused of a source, when `quarantine retry` asks for it: only we know the way into Vector.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::component::Source;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::quarantine::{Answer, At, Entries, Quarantine, Removal, Request};

/// How often is looked whether somebody asks.
const POLL: Duration = Duration::from_secs(2);
/// How long is waited after a failure.
const PAUSE: Duration = Duration::from_secs(30);
/// What is handed on at a time, and may arrive twice after a kill.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;

/// One source's way back out of the quarantine.
pub(super) struct Returning {
    pub(super) id: String,
    pub(super) data_dir: PathBuf,
    /// Where what is refused again goes, and nothing else.
    pub(super) quarantine: Quarantine,
    pub(super) clock: Clock,
}

/// A request that is being served.
struct Serving {
    request: Request,
    removal: Removal,
    entries: Entries,
    answer: Answer,
    /// What is handed on next, and where it is kept.
    batch: Vec<Event>,
    places: Vec<At>,
}

// === impl Returning ===

impl Returning {
    /// Serves a request, if there is one and if we are not asked to stop meanwhile: then it is served after the next start.
    async fn serve(&self, out: &dyn Deliver, shutdown: &CancellationToken) -> Result<(), String> {
        let (data_dir, id) = (self.data_dir.clone(), self.id.clone());
        let begun = off_thread(move || Serving::begin(&data_dir, &id)).await?;
        let Some(mut serving) = begun else { return Ok(()) };
        info!(component_id = self.id, "Handing on again what is in the quarantine, as was asked.");
        loop {
            serving = off_thread(move || serving.next()).await?;
            let count = serving.batch.len() as u64;
            if count == 0 {
                break;
            }
            let before = self.quarantine.kept();
            let batch: Batch = std::mem::take(&mut serving.batch).into();
            let status = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                status = out.deliver(batch) => status,
            };
            if status == BatchStatus::Errored {
                return Err("Vector did not take a batch".to_owned());
            }
            let refused = self.quarantine.kept() - before;
            serving.answer.refused += refused;
            serving.answer.delivered += count - refused;
        }
        let Answer { delivered, refused, unreadable } = serving.answer;
        info!(component_id = self.id, delivered, refused, unreadable, "That is done.");
        let (data_dir, id) = (self.data_dir.clone(), self.id.clone());
        off_thread(move || serving.finish(&data_dir, &id)).await
    }
}

// === impl Serving ===

impl Serving {
    fn begin(data_dir: &std::path::Path, id: &str) -> Result<Option<Self>, String> {
        let request = Request::hear(data_dir, id);
        let Some(request) = request.map_err(|error| format!("cannot read what was asked: {error}"))? else {
            return Ok(None);
        };
        let removal = Removal::begin(data_dir, id).map_err(|error| error.to_string())?;
        let entries = removal.contents().entries();
        let answer = Answer::default();
        Ok(Some(Self { request, removal, entries, answer, batch: Vec::new(), places: Vec::new() }))
    }

    /// Removes what was handed on, and reads what is next.
    fn next(mut self) -> Result<Self, String> {
        self.removal.remove(&std::mem::take(&mut self.places)).map_err(|error| error.to_string())?;
        let mut bytes = 0;
        while self.batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let entry = self.entries.next().transpose();
            let Some(entry) = entry.map_err(|error| format!("cannot read the quarantine: {error}"))? else {
                break;
            };
            if !self.request.takes(&entry) {
                continue;
            }
            match entry.event() {
                Some(event) => {
                    bytes += entry.bytes;
                    self.batch.push(event);
                    self.places.push(entry.at);
                }
                None => self.answer.unreadable += 1,
            }
        }
        Ok(self)
    }

    fn finish(self, data_dir: &std::path::Path, id: &str) -> Result<(), String> {
        self.removal.finish().map_err(|error| error.to_string())?;
        self.answer.give(data_dir, id).map_err(|error| format!("cannot answer: {error}"))
    }
}

/// Runs what waits for the disk on a thread that may wait.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("the process is ending".to_owned()))
}

#[async_trait]
impl Source for Returning {
    async fn run(self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let mut wait = POLL;
            if let Err(error) = self.serve(out.as_ref(), &shutdown).await {
                wait = PAUSE;
                error!(
                    component_id = self.id,
                    quarantine = %self.quarantine.path().display(),
                    "What is in the quarantine is not handed on as was asked; trying again, until retrying.json is removed \
                     there: {error}"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.clock.sleep(wait) => {}
            }
        }
    }
}
