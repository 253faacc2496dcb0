//! What somebody asks of one direction while it runs: `sync retry` and `sync resume`.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::pass::Direction;
use incident_model::field::Side;
use runtime::control::{Command, ControlError, Inbox, Recipient};
use runtime::store::StoreError;

/// How many commands are served before other things are looked at.
const AT_ONCE: usize = 100;
/// How long after a failure commands wait.
const PAUSE: Duration = Duration::from_secs(10);

/// What a direction can be asked. It may be performed again by the next process if this one ends before it has answered: an
/// incident is looked at once more, and what was halted in between goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncCommand {
    /// To try incidents again that were given up, by the names that `sync status` and the quarantine give them.
    Retry {
        /// The names of these incidents.
        incidents: Vec<String>,
    },
    /// To go on writing.
    Resume,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncAnswer {
    /// The answer to [`SyncCommand::Retry`].
    Retried {
        /// The incidents that are tried again.
        tried: Vec<String>,
        /// Those of which nothing is known.
        unknown: Vec<String>,
    },
    /// The answer to [`SyncCommand::Resume`].
    Resumed {
        /// Whether nothing was written before.
        was_halted: bool,
    },
}

/// Serves what is asked of a direction.
pub(super) struct CommandServer {
    direction: Arc<Direction>,
    inbox: Inbox<SyncCommand>,
    /// Until when nothing is served after a failure.
    paused: Mutex<Option<Instant>>,
    /// What was performed last: if it cannot be answered, it is not performed again, or a halt that came meanwhile would be lifted.
    performed: Mutex<Option<(String, SyncAnswer)>>,
}

/// Why a command cannot be served yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mailbox failed.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Whoever writes to a side of a ledger.
pub fn recipient(ledger: &str, target: Side) -> Recipient {
    Recipient::Ledger { name: ledger.to_owned(), target: target.to_string().to_lowercase() }
}

impl Command for SyncCommand {
    type Answer = SyncAnswer;
}

// === impl CommandServer ===

impl CommandServer {
    pub(super) fn new(direction: Arc<Direction>, data_dir: &Path) -> Self {
        let to = recipient(&direction.options.ledger, direction.target.side());
        let inbox = Inbox::new(data_dir, to, direction.clock.clone());
        Self { direction, inbox, paused: Mutex::default(), performed: Mutex::default() }
    }

    /// Serves what was asked: what a command changes is in the state file before it is answered. After a failure it is
    /// claimed still, and served first the next time.
    pub(super) async fn serve(&self) -> Result<(), CommandError> {
        let now = self.direction.clock.monotonic();
        if self.paused.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until) {
            return Ok(());
        }
        let served = self.serve_some().await;
        let paused = served.is_err().then(|| self.direction.clock.monotonic() + PAUSE);
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = paused;
        served
    }

    async fn serve_some(&self) -> Result<(), CommandError> {
        for _ in 0..AT_ONCE {
            let Some(claimed) = self.inbox.claim().await? else { break };
            let id = claimed.envelope.id.clone();
            let kept = self.performed().take_if(|(performed, _)| *performed == id);
            let answer = match (kept, &claimed.envelope.command) {
                (Some((_, answer)), _) => answer,
                (None, SyncCommand::Retry { incidents }) => self.retry(incidents).await?,
                (None, SyncCommand::Resume) => self.resume().await?,
            };
            *self.performed() = Some((id, answer.clone()));
            claimed.answer(answer).await?;
        }
        Ok(())
    }

    fn performed(&self) -> MutexGuard<'_, Option<(String, SyncAnswer)>> {
        self.performed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn resume(&self) -> Result<SyncAnswer, StoreError> {
        let direction = &self.direction;
        let (side, ledger) = (direction.target.side(), &direction.ledger);
        let was_halted = ledger.set_halt(side, None).await?;
        direction.brake.reset();
        info!(
            component_id = direction.teller.labels.id,
            "{}: writing to {side} goes on.", direction.teller.labels
        );
        ledger.queue(direction.origin()).release();
        Ok(SyncAnswer::Resumed { was_halted })
    }

    async fn retry(&self, incidents: &[String]) -> Result<SyncAnswer, StoreError> {
        let labels = &self.direction.teller.labels;
        let (mut tried, mut unknown) = (Vec::new(), Vec::new());
        for incident in incidents {
            let is_known = match self.try_again(incident).await {
                // One that cannot be read would keep every later command from being served.
                Err(error @ StoreError::Document { .. }) => {
                    error!(
                        component_id = labels.id,
                        incident, "{labels}: incident {incident} cannot be read: {error}"
                    );
                    false
                }
                other => other?,
            };
            if is_known {
                info!(
                    component_id = labels.id,
                    incident, "{labels}: trying incident {incident} again, as asked."
                );
                tried.push(incident.clone());
            } else {
                warn!(
                    component_id = labels.id,
                    incident, "{labels}: incident {incident}, which is to be tried again, is not known."
                );
                unknown.push(incident.clone());
            }
        }
        Ok(SyncAnswer::Retried { tried, unknown })
    }

    /// Takes up an incident again that was given up, with all that was refused of it. Answers whether it is known.
    async fn try_again(&self, incident: &str) -> Result<bool, StoreError> {
        let (origin, ledger) = (self.direction.origin(), &self.direction.ledger);
        let key = match origin {
            Side::Defender => Some(incident.to_owned()),
            Side::Sentinel => ledger.record_of(incident).await?,
        };
        if let Some(key) = key {
            let _working = ledger.lock(&key).await;
            if let Some(mut record) = ledger.record(&key).await?
                && !record.refused.is_empty()
            {
                record.refused.clear();
                ledger.save(&key, &record, Vec::new()).await?;
            }
        }
        ledger.wake(origin, incident).await
    }
}
