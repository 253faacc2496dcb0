//! Takes events out of the quarantine, while others may be put into it.

use std::io::{BufWriter, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::contents::{Contents, Entries};
use super::dir::{QuarantineDir, Stored};
use super::line::At;
use crate::files::{File, FileSystem, Open, if_there};

/// What a file is called while it is written anew.
const REWRITTEN: &str = "rewritten.new";

/// The right to remove events from one component's quarantine, which one process has at a time: those that were there when it
/// was begun. Ends when it is dropped.
#[derive(Debug)]
pub struct Removal {
    place: QuarantineDir,
    contents: Contents,
    _sole: File,
}

/// Why nothing can be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// Another command is at it.
    #[error("another command is removing or retrying events of {0}: wait until it has ended")]
    Busy(PathBuf),
    /// There are no locks here, so that an event could be lost that is put here at the same time.
    #[error(
        "{path} cannot be locked ({source}), and without that nothing is removed: move files away by hand"
    )]
    NoLocks {
        /// The quarantine's directory.
        path: PathBuf,
        /// Why that failed.
        source: std::io::Error,
    },
    /// The disk failed, or we may not.
    #[error("cannot remove events from {path}: {source}")]
    Io {
        /// The quarantine's directory.
        path: PathBuf,
        /// Why that failed.
        source: std::io::Error,
    },
}

// === impl Removal ===

impl Removal {
    /// Begins to remove events of a component that has a quarantine.
    pub fn begin(data_dir: &Path, component: &str) -> std::result::Result<Self, RemovalError> {
        Self::at(QuarantineDir::new(data_dir, component))
    }

    pub(super) fn at(place: QuarantineDir) -> std::result::Result<Self, RemovalError> {
        let path = || place.dir.clone();
        let io = |source| RemovalError::Io { path: path(), source };
        let no_locks = |source| RemovalError::NoLocks { path: path(), source };
        place.make().map_err(io)?;
        let sole = place.removing_lock().map_err(io)?;
        if !sole.try_lock().map_err(no_locks)? {
            return Err(RemovalError::Busy(path()));
        }
        // Of a command that was killed while it wrote a file anew.
        place.files.remove(&place.dir.join(REWRITTEN)).ok();
        let lock = place.lock().map_err(io)?;
        lock.lock().map_err(no_locks)?;
        let contents = Contents::new(&place, place.close().map_err(io)?);
        Ok(Self { place, contents, _sole: sole })
    }

    /// What can be removed: everything that was there at the beginning.
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Removes events, for good. They are gone when this returns; their room is free after [`Self::finish`].
    pub fn remove(&self, lines: &[At]) -> std::result::Result<(), RemovalError> {
        let mut lines = lines.to_vec();
        lines.sort_unstable();
        for lines in lines.chunk_by(|a, b| a.file == b.file) {
            let file = self
                .contents
                .files()
                .iter()
                .find(|file| Some(file.number) == lines.first().map(|at| at.file));
            file.map_or(Ok(()), |file| blank(self.contents.disk(), file, lines))
                .map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Frees the room of what was removed, also by a command that was killed.
    pub fn finish(self) -> std::result::Result<(), RemovalError> {
        // On a full disk no file can be written anew, but those can be removed in which nothing is left.
        let tidied: Vec<_> = self.contents.files().iter().map(|file| self.tidy(file)).collect();
        tidied.into_iter().collect::<Result<()>>().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> RemovalError {
        RemovalError::Io { path: self.place.dir.clone(), source }
    }

    /// Writes a file anew without blanks, or removes it if there is nothing else in it.
    fn tidy(&self, stored: &Stored) -> Result<()> {
        let (mut used, mut any) = (0, false);
        for entry in Entries::of_file(&self.place, stored) {
            used += entry?.at.length + 1;
            any = true;
        }
        if any && used >= stored.bytes {
            return Ok(());
        }
        let new = self.place.dir.join(REWRITTEN);
        if any {
            let mut file = self.place.open(&new)?;
            file.set_size(0)?;
            let mut out = BufWriter::new(file);
            for entry in Entries::of_file(&self.place, stored) {
                out.write_all(&entry?.to_line()?)?;
            }
            out.into_inner()?.sync_all()?;
        }
        // Whoever adds has moved on to a later file, but a file may be taken away by hand: then it does not come back.
        let files = &self.place.files;
        if files.look(&stored.path)?.is_none() {
            return Ok(());
        }
        let done = if any { files.rename(&new, &stored.path) } else { files.remove(&stored.path) };
        if_there(done).map(Option::unwrap_or_default)
    }
}

/// Overwrites lines of a file with blanks.
fn blank(disk: &dyn FileSystem, file: &Stored, lines: &[At]) -> Result<()> {
    // Somebody may have taken it away, and its events with it.
    let Some(mut file) = if_there(disk.open(&file.path, Open::Overwrite))? else { return Ok(()) };
    for at in lines {
        file.seek(SeekFrom::Start(at.offset))?;
        std::io::copy(&mut std::io::repeat(b' ').take(at.length), &mut file)?;
    }
    file.sync_data()
}
