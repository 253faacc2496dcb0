//! Hands on again what Vector has refused of a source, when `quarantine retry` asks for it: only we know the way into Vector.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::component::Source;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::control::{ControlError, Inbox, Recipient};
use runtime::delivery::{BatchStatus, Deliver};
use runtime::off_thread::ThreadEnded;
use runtime::quarantine::{
    At, Entries, Quarantine, Removal, RemovalError, Retried, RetryRequest, SourceAnswer, SourceCommand,
};

/// How often is looked whether somebody asks.
const POLL: Duration = Duration::from_secs(2);
/// How long is waited after a failure.
const PAUSE: Duration = Duration::from_secs(30);
/// What is handed on at a time, and may arrive twice after a kill.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;

/// One source's way back out of the quarantine.
pub(super) struct Redelivery {
    pub(super) id: String,
    pub(super) data_dir: PathBuf,
    /// Where what is refused again goes, and nothing else.
    pub(super) quarantine: Quarantine,
    pub(super) clock: Clock,
}

/// A request that is being served.
struct Serving {
    request: RetryRequest,
    removal: Removal,
    entries: Entries,
    retried: Retried,
    /// What is handed on next, and where it is kept.
    batch: Vec<Event>,
    places: Vec<At>,
}

/// Why what is in a quarantine was not handed on.
#[derive(Debug, Error)]
enum RedeliveryError {
    /// A command cannot be read.
    #[error("cannot read what was asked: {0}")]
    Command(#[source] ControlError),
    /// A command cannot be answered.
    #[error("cannot answer: {0}")]
    Answer(#[source] ControlError),
    /// A command was read, and is not served yet.
    #[error("{source}; trying again, until {} is removed", path.display())]
    Unserved {
        /// The file of the command.
        path: PathBuf,
        /// The reason for that.
        source: Box<Self>,
    },
    /// The answer of Vector says nothing of the future.
    #[error("Vector did not take a batch")]
    NotTaken,
    /// What was handed on cannot be removed.
    #[error(transparent)]
    Removal(#[from] RemovalError),
    /// The files cannot be read.
    #[error("cannot read the quarantine: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The process ends.
    #[error(transparent)]
    Ending(#[from] ThreadEnded),
}

// === impl Redelivery ===

impl Redelivery {
    /// Serves a command, if there is one and if we are not asked to stop meanwhile: then it is served after the next start.
    /// Served twice, it hands on what was not handed on before: what was, has left the quarantine, but for the last batch.
    async fn serve(
        &self,
        inbox: &Inbox<SourceCommand>,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<(), RedeliveryError> {
        let claimed = inbox.claim().await.map_err(RedeliveryError::Command)?;
        let Some(claimed) = claimed else { return Ok(()) };
        let SourceCommand::Retry(request) = claimed.envelope.command.clone();
        let retried = match self.hand_on(request, out, shutdown).await {
            Ok(Some(retried)) => retried,
            Ok(None) => return Ok(()),
            Err(error) => {
                return Err(RedeliveryError::Unserved {
                    path: claimed.path().clone(),
                    source: Box::new(error),
                });
            }
        };
        let Retried { delivered, refused, unreadable } = retried;
        info!(component_id = self.id, delivered, refused, unreadable, "That is done.");
        let answered = claimed.answer(SourceAnswer::Retried(retried)).await;
        answered.map_err(RedeliveryError::Answer)
    }

    /// Hands on what is asked for, and answers what came of it; nothing if we are asked to stop meanwhile.
    async fn hand_on(
        &self,
        request: RetryRequest,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<Option<Retried>, RedeliveryError> {
        let (data_dir, id) = (self.data_dir.clone(), self.id.clone());
        let mut serving = self.off_thread(move || Serving::begin(&data_dir, &id, request)).await?;
        info!(component_id = self.id, "Handing on again what is in the quarantine, as was asked.");
        loop {
            serving = self.off_thread(move || serving.next()).await?;
            let count = serving.batch.len() as u64;
            if count == 0 {
                break;
            }
            let before = self.quarantine.stored_count();
            let batch: Batch = std::mem::take(&mut serving.batch).into();
            let status = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(None),
                status = out.deliver(batch) => status,
            };
            if status == BatchStatus::Errored {
                return Err(RedeliveryError::NotTaken);
            }
            let refused = self.quarantine.stored_count() - before;
            serving.retried.refused += refused;
            serving.retried.delivered += count - refused;
        }
        self.off_thread(move || serving.finish()).await.map(Some)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RedeliveryError> + Send + 'static,
    ) -> Result<T, RedeliveryError> {
        self.clock.off_thread().run(work).await?
    }
}

// === impl Serving ===

impl Serving {
    fn begin(data_dir: &Path, id: &str, request: RetryRequest) -> Result<Self, RedeliveryError> {
        let removal = Removal::begin(data_dir, id)?;
        let entries = removal.contents().entries();
        let retried = Retried::default();
        Ok(Self { request, removal, entries, retried, batch: Vec::new(), places: Vec::new() })
    }

    /// Removes what was handed on, and reads what is next.
    fn next(mut self) -> Result<Self, RedeliveryError> {
        self.removal.remove(&std::mem::take(&mut self.places))?;
        let mut bytes = 0;
        while self.batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let entry = self.entries.next().transpose().map_err(RedeliveryError::Unreadable)?;
            let Some(entry) = entry else { break };
            if !self.request.takes(&entry) {
                continue;
            }
            match entry.event() {
                Some(event) => {
                    bytes += entry.bytes;
                    self.batch.push(event);
                    self.places.push(entry.at);
                }
                None => self.retried.unreadable += 1,
            }
        }
        Ok(self)
    }

    fn finish(self) -> Result<Retried, RedeliveryError> {
        self.removal.finish()?;
        Ok(self.retried)
    }
}

#[async_trait]
impl Source for Redelivery {
    async fn run(self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken) {
        let to = Recipient::Component(self.id.clone());
        let inbox = Inbox::new(&self.data_dir, to, self.clock.clone());
        while !shutdown.is_cancelled() {
            let mut wait = POLL;
            if let Err(error) = self.serve(&inbox, out.as_ref(), &shutdown).await {
                wait = PAUSE;
                error!(
                    component_id = self.id,
                    quarantine = %self.quarantine.path().display(),
                    "What is in the quarantine is not handed on as was asked: {error}"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.clock.sleep(wait) => {}
            }
        }
    }
}
