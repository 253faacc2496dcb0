//! How the room on disk is shared by the spools of one component.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::SpoolError;
use crate::files::{DataDir, File, Open};

/// The room that the spools of one component have together. Cheap to clone; all clones are the same.
///
/// A spool may take half of what the others leave; the only one there can be may take all. So one that fills up for days leaves
/// room for the next that needs some.
#[derive(Clone, Debug)]
pub struct SpoolRoom {
    /// Below it, each spool has a directory.
    dir: DataDir,
    /// Held as long as any of them may be open, where there are locks: one for all, because there may be a thousand.
    lock: Arc<Mutex<Option<File>>>,
    max_bytes: u64,
    is_shared: bool,
    shares: Arc<Mutex<Vec<Arc<AtomicU64>>>>,
}

/// What one spool has of the room.
#[derive(Debug)]
pub(super) struct SpoolShare {
    room: SpoolRoom,
    bytes: Arc<AtomicU64>,
}

// === impl SpoolRoom ===

impl SpoolRoom {
    /// Room for so many bytes in `dir`, of one spool, or of any number that share it.
    #[must_use]
    pub fn new(dir: DataDir, max_bytes: u64, is_shared: bool) -> Self {
        Self { dir, lock: Arc::default(), max_bytes, is_shared, shares: Arc::default() }
    }

    /// The directory that the spools are in.
    #[must_use]
    pub const fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The directory of the spool of this name.
    pub(super) fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path.join(name)
    }

    /// Sees to it that nobody else uses the spools.
    pub(super) fn lock(&self) -> Result<(), SpoolError> {
        let path = &self.dir.path;
        let io = |source: io::Error| SpoolError::Io { path: path.clone(), source: Arc::new(source) };
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            self.dir.files.create_dir(path).map_err(io)?;
            let file = self.dir.files.open(&path.join("lock"), Open::Append).map_err(io)?;
            // Some network file systems know no locks.
            if file.try_lock().is_ok_and(|locked| !locked) {
                return Err(SpoolError::InUse { path: path.clone() });
            }
            *lock = Some(file);
        }
        Ok(())
    }

    /// Bytes that there is room for.
    #[must_use]
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The share of one more spool.
    pub(super) fn share(&self) -> SpoolShare {
        let bytes = Arc::new(AtomicU64::new(0));
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&bytes));
        SpoolShare { room: self.clone(), bytes }
    }

    /// Bytes of all spools together.
    #[must_use]
    pub fn used(&self) -> u64 {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}

// === impl SpoolShare ===

impl SpoolShare {
    /// Notes how many bytes the spool's files have now.
    pub(super) fn set(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether so many bytes more, beside its `own`, are within the share.
    pub(super) fn fits(&self, own: u64, more: u64) -> bool {
        let others = self.room.used().saturating_sub(self.bytes.load(Ordering::Relaxed));
        let left = self.room.max_bytes.saturating_sub(others);
        own.saturating_add(more) <= if self.room.is_shared { left / 2 } else { left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fills_its_share_leaves_room_for_the_next() {
        let room = SpoolRoom::new("/nowhere".into(), 1_000, true);
        let (first, second, third) = (room.share(), room.share(), room.share());
        assert!(first.fits(0, 500) && !first.fits(0, 501));
        first.set(500);
        assert!(second.fits(0, 250) && !second.fits(0, 251) && !first.fits(500, 1));
        second.set(250);
        assert!(third.fits(0, 125) && !third.fits(0, 126));
        first.set(0);
        assert_eq!((room.used(), second.fits(250, 250), second.fits(250, 251)), (250, true, false));
    }

    #[test]
    fn the_only_spool_may_take_all() {
        let share = SpoolRoom::new("/nowhere".into(), 1_000, false).share();
        assert!(share.fits(400, 600) && !share.fits(400, 601));
    }
}
