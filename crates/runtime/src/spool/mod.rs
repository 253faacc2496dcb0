//! Where data waits on disk for a destination that does not take it now: appended at the end, read in order, gone when it is
//! delivered.
//!
//! A spool is a directory with numbered segments. Only the last grows, up to 16 MiB; one whose records are all delivered is
//! removed. A record is on disk, synced, when [`Spool::append`] returns, and those who append at the same time wait for the disk
//! together. What was delivered beyond the oldest record that was not stands in the file `position`, which is not synced: after a
//! crash of the machine, records that were delivered may come again, and none is missing.
//!
//! The order of saves, which is the argument for that:
//!
//! 1. A segment is made, and its name synced, before a record in it counts as appended. That syncs what was removed before it, too.
//! 2. A record counts as delivered when its number is in `position`; only then is its segment removed.
//! 3. When no record is left, `position` goes before the last segment does: without it, a segment that a crash brings back is
//!    read from its beginning.

#[cfg(test)]
mod crash_tests;
mod position;
mod room;
mod segment;
mod state;
#[cfg(test)]
mod tests;

pub use room::SpoolRoom;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::{Notify, oneshot};

use self::room::SpoolShare;
use self::segment::HEAD_BYTES;
use self::state::State;
use crate::files::{FileKind, Listed};
use crate::off_thread::OffThread;

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "spool";
/// How large a segment gets before the next one is begun.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Records that wait on disk, in order. Cheap to clone; all clones are the same. Nothing is opened until it is needed.
#[derive(Clone, Debug)]
pub struct Spool {
    inner: Arc<Inner>,
    off_thread: OffThread,
}

#[derive(Debug)]
struct Inner {
    room: SpoolRoom,
    dir: PathBuf,
    segment_bytes: u64,
    /// Nothing until it is opened. Held while the disk is waited for.
    state: Mutex<Option<State>>,
    /// What is to be appended next, all at once.
    pending: Mutex<Vec<Pending>>,
    backlog: Mutex<Backlog>,
    share: SpoolShare,
    /// Told when there is a record to be read.
    readable: Notify,
}

/// A record that is to be appended.
#[derive(Debug)]
struct Pending {
    record: NewRecord,
    appended: oneshot::Sender<Result<RecordId, SpoolError>>,
}

/// What is appended.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// What comes back as it is.
    pub payload: Bytes,
    /// How many events are in it.
    pub events: u32,
    /// When it was put here.
    pub time: DateTime<Utc>,
    /// Whether whoever appends it goes on with it: then it is not read before it is released.
    pub taken: bool,
}

/// A record that was read. Whoever has it delivers or releases it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledRecord {
    /// Its number in this spool.
    pub id: RecordId,
    /// What was appended.
    pub payload: Vec<u8>,
    /// How many events are in it.
    pub events: u32,
}

/// The number of a record in its spool: the order in which they were appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(u64);

/// How much waits in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Bytes of its files.
    pub bytes: u64,
    /// Records that are not delivered.
    pub records: u64,
    /// Events in those.
    pub events: u64,
    /// When the oldest of those was put here.
    pub oldest: Option<DateTime<Utc>>,
}

/// Why a spool cannot be written or read.
#[derive(Clone, Debug, Error)]
pub enum SpoolError {
    /// The disk does not do it.
    #[error("the spool in {} cannot be used: {source}", path.display())]
    Io {
        /// The spool's directory.
        path: PathBuf,
        /// Why the disk does not.
        #[source]
        source: Arc<io::Error>,
    },
    /// There is no room for it.
    #[error("the share of the spool in {} is full", path.display())]
    Full {
        /// The spool's directory.
        path: PathBuf,
    },
    /// Somebody else has it open.
    #[error("the spool in {} is used by another process", path.display())]
    InUse {
        /// The spool's directory.
        path: PathBuf,
    },
    /// What is in a file is not what was written.
    #[error(
        "{events} events that waited in {} from byte {offset} on cannot be read: the disk has changed them. The file is kept as it \
         is, with another name at its end, .damaged", path.display()
    )]
    Damaged {
        /// The segment's file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// How many events are lost, as far as that can be told.
        events: u32,
    },
    /// The process is ending.
    #[error("the process is ending")]
    Interrupted,
}

/// The bytes of a file, if it is one in which records wait.
#[must_use]
pub fn segment_bytes(listed: &Listed) -> Option<u64> {
    let FileKind::File(bytes) = listed.kind else { return None };
    (listed.path.extension().is_some_and(|extension| extension == segment::EXTENSION)).then_some(bytes)
}

// === impl Spool ===

impl Spool {
    /// The spool of that name, which need not be there.
    pub fn new(room: &SpoolRoom, name: &str) -> Self {
        Self::with_segments(room, name, SEGMENT_BYTES)
    }

    fn with_segments(room: &SpoolRoom, name: &str, segment_bytes: u64) -> Self {
        let inner = Inner {
            room: room.clone(),
            dir: room.dir_of(name),
            segment_bytes,
            state: Mutex::default(),
            pending: Mutex::default(),
            backlog: Mutex::default(),
            share: room.share(),
            readable: Notify::new(),
        };
        Self { inner: Arc::new(inner), off_thread: room.dir().off_thread }
    }

    /// Appends a record. It is on disk when this returns its number; dropped before, it is on disk or not.
    pub async fn append(&self, record: NewRecord) -> Result<RecordId, SpoolError> {
        let (appended, answer) = oneshot::channel();
        self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner).push(Pending { record, appended });
        // Whoever has the disk first appends for all who wait by then.
        self.on_disk(Inner::append_pending).await?;
        answer.await.unwrap_or(Err(SpoolError::Interrupted))
    }

    /// The oldest record that nobody has; nothing if there is none now. One that is damaged is an error, once.
    pub async fn take(&self) -> Result<Option<SpooledRecord>, SpoolError> {
        self.on_disk(Inner::take).await?
    }

    /// Gives a record back, to be read again.
    pub async fn release(&self, id: RecordId) -> Result<(), SpoolError> {
        self.on_disk(move |inner| inner.release(id)).await?
    }

    /// Removes a record that was delivered.
    pub async fn remove(&self, id: RecordId) -> Result<(), SpoolError> {
        self.on_disk(move |inner| inner.remove(id)).await?
    }

    /// Says how many bytes its files have, before it is opened.
    pub fn set_bytes(&self, bytes: u64) {
        self.inner.share.set(bytes);
    }

    /// How much waits in it, as of the last time that it was written or read.
    pub fn backlog(&self) -> Backlog {
        *self.inner.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be a record that nobody has, since the last time that this returned.
    pub async fn readable(&self) {
        self.inner.readable.notified().await;
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, SpoolError> {
        let inner = Arc::clone(&self.inner);
        self.off_thread.run(move || work(&inner)).await.map_err(|_| SpoolError::Interrupted)
    }
}

// === impl Inner ===

impl Inner {
    /// Does something with what is open; opens it if need be.
    fn with_state<T>(&self, work: impl FnOnce(&mut State) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match &mut *state {
            Some(opened) => opened,
            none => {
                self.room.lock()?;
                none.insert(State::open(&self.room.dir().files, &self.dir, self.segment_bytes)?)
            }
        };
        let done = work(opened);
        let backlog = opened.backlog();
        self.share.set(backlog.bytes);
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) = backlog;
        done
    }

    fn append_pending(&self) {
        let mut batch = Vec::new();
        let appended = self.with_state(|state| {
            // Only now: who came while the disk was waited for is among them.
            batch = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
            let records: Vec<_> = batch.iter().map(|pending| &pending.record).collect();
            let bytes = records.iter().map(|record| (record.payload.len() + HEAD_BYTES) as u64).sum();
            match records.is_empty() {
                true => Ok(Vec::new()),
                false if !self.share.fits(state.backlog().bytes, bytes) => {
                    Err(SpoolError::Full { path: self.dir.clone() })
                }
                false => state.append(&records),
            }
        });
        if appended.is_err() && batch.is_empty() {
            batch = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let readable = appended.is_ok() && batch.iter().any(|pending| !pending.record.taken);
        for (index, pending) in batch.into_iter().enumerate() {
            let answer = match &appended {
                Ok(ids) => ids.get(index).copied().ok_or(SpoolError::Interrupted),
                Err(error) => Err(error.clone()),
            };
            // Whoever does not wait any more finds it in the spool.
            pending.appended.send(answer).ok();
        }
        if readable {
            self.readable.notify_one();
        }
    }

    fn take(&self) -> Result<Option<SpooledRecord>, SpoolError> {
        self.with_state(State::take)
    }

    fn release(&self, id: RecordId) -> Result<(), SpoolError> {
        self.with_state(|state| {
            state.release(id);
            Ok(())
        })?;
        self.readable.notify_one();
        Ok(())
    }

    fn remove(&self, id: RecordId) -> Result<(), SpoolError> {
        self.with_state(|state| state.remove(id))
    }
}
