//! The side of whoever asks.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::directory::{Directory, Stage, Unread};
use super::envelope::{Answered, Command, Envelope, Recipient};
use super::{ControlError, MAX_BYTES, MAX_FILES, off_thread};
use crate::clock::Clock;

/// How often is looked how far a command is.
const LOOK: Duration = Duration::from_millis(200);

/// Where commands to the process that runs are left.
#[derive(Debug)]
pub struct Mailbox {
    directory: Directory,
    clock: Clock,
    rng: fastrand::Rng,
}

/// A command that was asked.
#[derive(Debug)]
pub struct Asked<C> {
    id: String,
    directory: Directory,
    clock: Clock,
    command: PhantomData<fn() -> C>,
}

/// How far a command is.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<A> {
    /// Nobody has heard it yet: it stays until somebody serves it.
    Asked,
    /// Somebody is at it, or was when the process ended, and will be again after the next start.
    Claimed,
    /// It is done, and this came of it.
    Answered(A),
    /// Whoever serves could not read it, and has set it aside here.
    Unreadable(PathBuf),
    /// Somebody has removed it.
    Removed,
}

// === impl Mailbox ===

impl Mailbox {
    /// The mailbox of the process that runs with this `data_dir`, or will. `rng` makes names unique.
    pub fn new(data_dir: &Path, clock: Clock, rng: fastrand::Rng) -> Self {
        Self { directory: Directory::new(data_dir), clock, rng }
    }

    /// Asks for something. On disk when it returns, and then served, whatever becomes of whoever asks.
    pub fn ask<C: Command>(&mut self, to: Recipient, command: C) -> Result<Asked<C>, ControlError> {
        let directory = self.directory.clone();
        directory.make()?;
        if directory.count()? >= MAX_FILES {
            return Err(ControlError::Full { path: directory.path().to_owned() });
        }
        let asked_at = self.clock.now();
        let mut envelope = Envelope { id: String::new(), to, command, asked_at };
        loop {
            envelope.id = new_id(asked_at, &mut self.rng);
            let text = text(&directory, &envelope)?;
            if directory.ask(&envelope.id, &text)? {
                break;
            }
        }
        let id = envelope.id;
        Ok(Asked { id, directory, clock: self.clock.clone(), command: PhantomData })
    }

    /// Whether something was asked of somebody that is not answered yet.
    pub fn is_waiting(&self, to: &Recipient) -> Result<bool, ControlError> {
        for (id, stage) in self.directory.ids(&[Stage::Asked, Stage::Claimed])? {
            let read = match self.directory.read::<Envelope<Value>>(&id, stage) {
                // Claimed since.
                Err(Unread::Gone) => self.directory.read(&id, Stage::Claimed),
                read => read,
            };
            match read {
                Ok(envelope) if envelope.to == *to => return Ok(true),
                Err(Unread::Failed(error)) => return Err(error),
                _ => {}
            }
        }
        Ok(false)
    }
}

fn text<C: Command>(directory: &Directory, envelope: &Envelope<C>) -> Result<Vec<u8>, ControlError> {
    let path = directory.file(&envelope.id, Stage::Asked);
    let text = serde_json::to_vec(envelope).map_err(|source| ControlError::Json { path, source })?;
    let bytes = text.len();
    if bytes as u64 > MAX_BYTES { Err(ControlError::TooLarge { bytes }) } else { Ok(text) }
}

/// Twenty digits, which sort as times do, and sixteen that nobody else has.
fn new_id(asked_at: DateTime<Utc>, rng: &mut fastrand::Rng) -> String {
    let nanos = asked_at.timestamp_nanos_opt().unwrap_or_default().max(0);
    format!("{nanos:020}-{:016x}", rng.u64(..))
}

// === impl Asked ===

impl<C: Command> Asked<C> {
    /// How far it is. An answer is had once: it is removed with this.
    pub fn progress(&self) -> Result<Progress<C::Answer>, ControlError> {
        progress::<C>(&self.directory, &self.id)
    }

    /// Waits for the answer: `heard_within` until somebody has heard it, and then `answered_within`, if that is bounded. On
    /// a timeout, it answers how far it is.
    pub async fn wait(
        &self,
        heard_within: Duration,
        answered_within: Option<Duration>,
    ) -> Result<Progress<C::Answer>, ControlError> {
        let began = self.clock.monotonic();
        let mut heard = None;
        loop {
            let (directory, id) = (self.directory.clone(), self.id.clone());
            let progress = off_thread(&self.clock, move || progress::<C>(&directory, &id)).await?;
            let now = self.clock.monotonic();
            let is_over = match progress {
                Progress::Asked => now - began >= heard_within,
                Progress::Claimed => {
                    let heard = *heard.get_or_insert(now);
                    answered_within.is_some_and(|within| now - heard >= within)
                }
                Progress::Answered(_) | Progress::Unreadable(_) | Progress::Removed => true,
            };
            if is_over {
                return Ok(progress);
            }
            self.clock.sleep(LOOK).await;
        }
    }
}

fn progress<C: Command>(directory: &Directory, id: &str) -> Result<Progress<C::Answer>, ControlError> {
    // In the order in which a command goes, so that none slips by. A crash may leave an answer beside what was claimed.
    for stage in [Stage::Answer, Stage::Asked, Stage::Claimed, Stage::Answer, Stage::Unreadable] {
        if !directory.has(id, stage) {
            continue;
        }
        return match stage {
            Stage::Asked => Ok(Progress::Asked),
            Stage::Claimed => Ok(Progress::Claimed),
            Stage::Unreadable => Ok(Progress::Unreadable(directory.file(id, stage))),
            Stage::Answer => match directory.read::<Answered<C::Answer>>(id, stage) {
                Ok(answer) => {
                    directory.remove(id, stage)?;
                    Ok(Progress::Answered(answer.answer))
                }
                Err(Unread::Gone) => Ok(Progress::Removed),
                Err(Unread::Unreadable(_)) => Ok(Progress::Unreadable(directory.file(id, stage))),
                Err(Unread::Failed(error)) => Err(error),
            },
        };
    }
    Ok(Progress::Removed)
}
