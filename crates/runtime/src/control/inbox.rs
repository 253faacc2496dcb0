//! The side of whoever serves.

use std::collections::{BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::Instant;
use tracing::error;

use super::directory::{Directory, Stage, Unread};
use super::envelope::{Answered, Command, Envelope, Recipient};
use super::{ControlError, off_thread};
use crate::clock::Clock;

/// How long an answer is kept that nobody reads, and what somebody began to write and did not end.
const KEPT: TimeDelta = TimeDelta::days(1);
/// How often is looked for such.
const TIDY: Duration = Duration::from_hours(1);

/// What is asked of one recipient: in order of asking, one after the other.
#[derive(Debug)]
pub struct Inbox<C> {
    directory: Directory,
    to: Recipient,
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
    command: PhantomData<fn() -> C>,
}

/// What the inbox knows of the directory.
#[derive(Debug, Default)]
struct Seen {
    /// What was there when it was read last and is not dealt with yet.
    listed: VecDeque<(String, Stage)>,
    /// Those that are for others.
    others: BTreeSet<String>,
    tidied: Option<Instant>,
}

/// A command that is being served. If it is dropped without an answer, the next claim has it again.
#[derive(Debug)]
pub struct Claimed<C> {
    /// What is asked, and when.
    pub envelope: Envelope<C>,
    directory: Directory,
    clock: Clock,
}

// === impl Inbox ===

impl<C: Command> Inbox<C> {
    /// What is asked of `to` with this `data_dir`. There may be one inbox of a recipient at a time.
    pub fn new(data_dir: &Path, to: Recipient, clock: Clock) -> Self {
        let directory = Directory::new(data_dir);
        Self { directory, to, clock, seen: Arc::default(), command: PhantomData }
    }

    /// Claims the oldest command that is not answered: one that was claimed before, or one that was asked.
    pub async fn claim(&self) -> Result<Option<Claimed<C>>, ControlError> {
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        let (to, seen) = (self.to.clone(), Arc::clone(&self.seen));
        off_thread(&self.clock, move || {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let envelope = seen.next(&directory, &to)?;
            if envelope.is_none() {
                seen.tidy(&directory, &clock)?;
            }
            Ok(envelope.map(|envelope| Claimed { envelope, directory, clock }))
        })
        .await
    }
}

// === impl Seen ===

impl Seen {
    fn next<C: Command>(
        &mut self,
        directory: &Directory,
        to: &Recipient,
    ) -> Result<Option<Envelope<C>>, ControlError> {
        if let Some(envelope) = self.next_listed(directory, to)? {
            return Ok(Some(envelope));
        }
        self.list(directory)?;
        self.next_listed(directory, to)
    }

    fn list(&mut self, directory: &Directory) -> Result<(), ControlError> {
        let all = directory.ids(&[Stage::Claimed, Stage::Asked])?;
        let mut others = std::mem::take(&mut self.others);
        for (id, stage) in all {
            if let Some(other) = others.take(&id) {
                self.others.insert(other);
            } else {
                self.listed.push_back((id, stage));
            }
        }
        Ok(())
    }

    fn next_listed<C: Command>(
        &mut self,
        directory: &Directory,
        to: &Recipient,
    ) -> Result<Option<Envelope<C>>, ControlError> {
        let own = serde_json::to_value(to).unwrap_or_default();
        while let Some((id, stage)) = self.listed.front_mut() {
            // A recipient of another version is somebody else, and no mistake.
            match directory.read::<Envelope<Value, Value>>(id, *stage) {
                Ok(envelope) if envelope.to != own => drop(self.others.insert(id.clone())),
                Ok(_) if *stage == Stage::Claimed && directory.has(id, Stage::Answer) => {
                    directory.remove(id, Stage::Claimed)?;
                }
                Ok(envelope) => match opened(id, envelope, to) {
                    Ok(envelope) => {
                        let is_there =
                            *stage == Stage::Claimed || directory.advance(id, *stage, Stage::Claimed)?;
                        if is_there {
                            // It stays first until it is removed, which is when it is answered.
                            *stage = Stage::Claimed;
                            return Ok(Some(envelope));
                        }
                    }
                    Err(why) => set_aside(directory, id, *stage, &why.to_string())?,
                },
                Err(Unread::Unreadable(why)) => set_aside(directory, id, *stage, &why)?,
                Err(Unread::Gone) => {}
                Err(Unread::Failed(error)) => return Err(error),
            }
            self.listed.pop_front();
        }
        Ok(None)
    }

    /// Removes what nobody comes for any more.
    fn tidy(&mut self, directory: &Directory, clock: &Clock) -> Result<(), ControlError> {
        let (now, today) = (clock.monotonic(), clock.now());
        if self.tidied.is_some_and(|last| now - last < TIDY) {
            return Ok(());
        }
        self.tidied = Some(now);
        let is_old = |time: Option<DateTime<Utc>>| time.is_some_and(|time| today - time >= KEPT);
        for (id, stage) in directory.ids(&[Stage::Answer])? {
            let answer = directory.read::<Answered<Value>>(&id, stage);
            // What is no answer is as old as what was asked.
            if is_old(answer.map_or_else(|_| time_of(&id), |answer| Some(answer.answered_at))) {
                directory.remove(&id, stage)?;
            }
        }
        for name in directory.begun()? {
            if is_old(time_of(&name)) {
                directory.remove_begun(&name)?;
            }
        }
        Ok(())
    }
}

/// Why what is in an envelope cannot be served.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error("its id is {0} and its name another")]
    OtherId(String),
    #[error(transparent)]
    Command(#[from] serde_json::Error),
}

/// An envelope whose recipient is known; the error says what is wrong with it.
fn opened<C: Command>(
    id: &str,
    envelope: Envelope<Value, Value>,
    to: &Recipient,
) -> Result<Envelope<C>, Unopened> {
    if envelope.id != id {
        return Err(Unopened::OtherId(envelope.id));
    }
    let command = serde_json::from_value(envelope.command)?;
    Ok(Envelope { id: envelope.id, to: to.clone(), command, asked_at: envelope.asked_at })
}

fn set_aside(directory: &Directory, id: &str, stage: Stage, why: &str) -> Result<(), ControlError> {
    if directory.advance(id, stage, Stage::Unreadable)? {
        let path = directory.file(id, Stage::Unreadable);
        error!(
            path = %path.display(),
            "A command in {} cannot be read and is set aside, not served; look at it, ask again and remove it: {why}",
            directory.path().display()
        );
    }
    Ok(())
}

/// When the command was asked that a file belongs to, by its name.
fn time_of(name: &str) -> Option<DateTime<Utc>> {
    let (nanos, _) = name.split_once('-')?;
    Some(DateTime::from_timestamp_nanos(nanos.parse().ok()?))
}

// === impl Claimed ===

impl<C: Command> Claimed<C> {
    /// Answers, and is done with it. Only after what the command has changed is on disk: see the module's order.
    pub async fn answer(self, answer: C::Answer) -> Result<(), ControlError> {
        let Self { envelope: Envelope { id, .. }, directory, clock } = self;
        let answered_at = clock.now();
        off_thread(&clock, move || {
            directory.answer(&id, &Answered { id: id.clone(), answered_at, answer })?;
            directory.remove(&id, Stage::Claimed)
        })
        .await
    }

    /// Where the command is until it is answered.
    pub fn path(&self) -> PathBuf {
        self.directory.file(&self.envelope.id, Stage::Claimed)
    }
}
