//! Puts events into the quarantine.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::dir::QuarantineDir;
use super::line::{self, Reason};
use crate::files::DataDir;
use crate::files::File;
use crate::off_thread::OffThread;
use model::event::{Batch, Event};

/// When a file has so many bytes, the next one is begun. A single line may have more.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// So many bytes are written at a time, and on disk before the next are.
const WRITE_BYTES: usize = 8 * 1024 * 1024;

/// The quarantine of one component. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Quarantine {
    inner: Arc<Inner>,
    pub(super) off_thread: OffThread,
}

#[derive(Debug)]
struct Inner {
    place: QuarantineDir,
    max_bytes: u64,
    file_bytes: u64,
    writing: Mutex<()>,
    /// Whether the mode is [`Mode::Redelivery`].
    redelivery: AtomicBool,
    bytes: AtomicU64,
    stored: AtomicU64,
}

/// Where the events that a quarantine gets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are new here: each is stored while there is room for it.
    Intake,
    /// They come out of the quarantine, and are in it until they have been dealt with: each is stored whatever the limit.
    Redelivery,
}

/// An event of a batch that can never be accepted.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Which of the batch.
    pub event: usize,
    /// Why it was refused.
    pub reason: Reason,
    /// The stream that it was meant for, if that is known.
    pub stream: Option<String>,
}

/// What became of events that were to be kept.
#[derive(Debug)]
pub struct Kept {
    /// How many are on disk: the first ones.
    pub count: usize,
    /// Why the others are not.
    pub failure: Option<QuarantineError>,
}

/// Why the quarantine did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// It is full.
    #[error(
        "the quarantine {path} is full ({max_bytes} bytes): look into it with `vector-sentinel quarantine list`, then retry or \
         drop what is there, move files away, or raise quarantine.max_bytes"
    )]
    Full {
        /// The quarantine's directory.
        path: PathBuf,
        /// Its limit in bytes.
        max_bytes: u64,
    },
    /// The disk failed.
    #[error("cannot write the quarantine {path}: {source}")]
    Io {
        /// The quarantine's directory.
        path: PathBuf,
        /// Why that failed.
        source: std::io::Error,
    },
    /// The thread that waits for the disk ended without an answer.
    #[error("the quarantine was not answered: the process is ending")]
    Interrupted,
}

/// The file that grows, and what is to be appended to it.
struct Growing {
    number: u64,
    file: File,
    length: u64,
    pending: Vec<u8>,
    lines: usize,
}

// === impl Quarantine ===

impl Quarantine {
    /// The quarantine of `component` below `data_dir`; makes the directory.
    pub fn open(
        data_dir: impl Into<DataDir>,
        component: &str,
        max_bytes: u64,
    ) -> Result<Self, QuarantineError> {
        let DataDir { path, files, off_thread } = data_dir.into();
        let quarantine = Self::at(QuarantineDir::on(files, &path, component), max_bytes, FILE_BYTES)?;
        Ok(Self { off_thread, ..quarantine })
    }

    /// The same, with files of another size.
    pub(super) fn at(place: QuarantineDir, max_bytes: u64, file_bytes: u64) -> Result<Self, QuarantineError> {
        let io = |source| QuarantineError::Io { path: place.dir.clone(), source };
        place.make().map_err(io)?;
        let bytes = place.files().map_err(io)?.iter().map(|file| file.bytes).sum();
        let inner = Arc::new(Inner {
            place,
            max_bytes,
            file_bytes,
            writing: Mutex::new(()),
            redelivery: AtomicBool::new(false),
            bytes: AtomicU64::new(bytes),
            stored: AtomicU64::new(0),
        });
        Ok(Self { inner, off_thread: OffThread::default() })
    }

    /// The directory that events are kept in.
    pub fn path(&self) -> &Path {
        &self.inner.place.dir
    }

    /// How many bytes its files have, as of the last event that was kept.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }

    /// How many events this one, and not another process, has stored since it was opened.
    pub fn stored_count(&self) -> u64 {
        self.inner.stored.load(Ordering::Relaxed)
    }

    /// Says where the events come from that are stored from now on; [`Mode::Intake`] until it is called.
    pub fn set_mode(&self, mode: Mode) {
        self.inner.redelivery.store(mode == Mode::Redelivery, Ordering::Relaxed);
    }

    /// Where the events come from.
    pub fn mode(&self) -> Mode {
        if self.inner.redelivery.load(Ordering::Relaxed) { Mode::Redelivery } else { Mode::Intake }
    }

    /// Keeps an event with its reason. It is on disk when this returns.
    pub async fn keep(
        &self,
        event: &Event,
        reason: &Reason,
        now: DateTime<Utc>,
    ) -> Result<(), QuarantineError> {
        let refused = Refused { event: 0, reason: reason.clone(), stream: None };
        self.keep_all(&Batch::from([event.clone()]), &[refused], now).await.failure.map_or(Ok(()), Err)
    }

    /// Keeps events of a batch, each with its reason, in this order. Waits for the disk once for many of them.
    pub async fn keep_all(&self, batch: &Batch, refused: &[Refused], now: DateTime<Utc>) -> Kept {
        let (inner, batch, refused) = (Arc::clone(&self.inner), Arc::clone(batch), refused.to_vec());
        let kept = self.off_thread.run(move || {
            let mut count = 0;
            let failure = inner.append(&batch, &refused, now, &mut count).err();
            inner.stored.fetch_add(count as u64, Ordering::Relaxed);
            Kept { count, failure }
        });
        kept.await.unwrap_or(Kept { count: 0, failure: Some(QuarantineError::Interrupted) })
    }
}

// === impl Inner ===

impl Inner {
    /// Appends a line for each event, and counts in `kept` those that are on disk.
    fn append(
        &self,
        batch: &[Event],
        refused: &[Refused],
        now: DateTime<Utc>,
        kept: &mut usize,
    ) -> Result<(), QuarantineError> {
        let io = |source| QuarantineError::Io { path: self.place.dir.clone(), source };
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.make().map_err(io)?;
        let lock = self.place.lock().map_err(io)?;
        // Some network file systems know no locks: there no command removes anything, and only one process adds.
        lock.lock().ok();
        // What there is, is looked at each time: files may be taken away while we run.
        let files = self.place.files().map_err(io)?;
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        let last = files.last().map_or(0, |file| file.number);
        let mut growing = Growing::open(&self.place, last.max(1)).map_err(io)?;
        let mut full = false;
        for Refused { event, reason, stream } in refused {
            let write = |growing: &Growing| {
                let id = format!("{}-{}", growing.number, growing.end());
                line::write(&id, &batch[*event], reason, stream.as_deref(), now)
                    .map_err(|error| io(error.into()))
            };
            let mut line = write(&growing)?;
            // What alone is more than the limit is kept all the same: there would never be room for it.
            let too_much = total > 0 && total + line.len() as u64 > self.max_bytes;
            full = too_much && !self.redelivery.load(Ordering::Relaxed);
            if full {
                break;
            }
            if growing.end() > 0 && growing.end() + line.len() as u64 > self.file_bytes {
                *kept += growing.write().map_err(io)?;
                growing = Growing::open(&self.place, growing.number + 1).map_err(io)?;
                line = write(&growing)?;
            }
            total += line.len() as u64;
            growing.add(&line);
            if growing.pending.len() >= WRITE_BYTES {
                *kept += growing.write().map_err(io)?;
            }
        }
        *kept += growing.write().map_err(io)?;
        self.bytes.store(total, Ordering::Relaxed);
        if full {
            return Err(QuarantineError::Full { path: self.place.dir.clone(), max_bytes: self.max_bytes });
        }
        Ok(())
    }
}

// === impl Growing ===

impl Growing {
    fn open(place: &QuarantineDir, number: u64) -> std::io::Result<Self> {
        let mut file = place.open(&place.path(number))?;
        let length = end_last_line(&mut file)?;
        if length == 0 {
            // The file may be new: so that its name is on disk too. Should that fail, its lines are still written.
            place.files.sync_dir(&place.dir).ok();
        }
        Ok(Self { number, file, length, pending: Vec::new(), lines: 0 })
    }

    /// Where the next line goes.
    const fn end(&self) -> u64 {
        self.length + self.pending.len() as u64
    }

    fn add(&mut self, line: &[u8]) {
        self.pending.extend_from_slice(line);
        self.lines += 1;
    }

    /// Puts on disk what was added, and answers how many lines that were.
    fn write(&mut self) -> std::io::Result<usize> {
        if self.lines == 0 {
            return Ok(0);
        }
        if let Err(error) = self.file.write_all(&self.pending).and_then(|()| self.file.sync_data()) {
            // Half a line must not stay for the next one to grow on.
            self.file.set_size(self.length)?;
            return Err(error);
        }
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(std::mem::take(&mut self.lines))
    }
}

/// Ends a line that a crash cut off, and answers the file's length.
fn end_last_line(file: &mut File) -> std::io::Result<u64> {
    let length = file.size()?;
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            return Ok(length + 1);
        }
    }
    Ok(length)
}
