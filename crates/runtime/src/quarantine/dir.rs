//! The directory of one component's quarantine: its files, in order, and its locks.

use std::ffi::OsStr;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{Disk, File, FileKind, Files, Listed, Open, if_there};

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "quarantine";
/// How the names of files with events end.
pub(super) const EXTENSION: &str = "ndjson";

/// Where one component's events are.
#[derive(Clone, Debug)]
pub(super) struct QuarantineDir {
    pub(super) files: Files,
    pub(super) dir: PathBuf,
    /// The one file that there was in earlier versions.
    single: PathBuf,
}

/// A file with events.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

// === impl QuarantineDir ===

impl QuarantineDir {
    /// A directory on the machine's own disk.
    pub(super) fn new(data_dir: &Path, component: &str) -> Self {
        Self::on(Arc::new(Disk), data_dir, component)
    }

    pub(super) fn on(files: Files, data_dir: &Path, component: &str) -> Self {
        let above = data_dir.join(DIR_NAME);
        Self { files, dir: above.join(component), single: above.join(format!("{component}.{EXTENSION}")) }
    }

    pub(super) fn exists(&self) -> bool {
        let is = |path: &Path| self.files.look(path).ok().flatten();
        is(&self.dir) == Some(FileKind::Dir) || matches!(is(&self.single), Some(FileKind::File(_)))
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}.{EXTENSION}"))
    }

    /// The files that there are, in the order in which they were written.
    pub(super) fn files(&self) -> Result<Vec<Stored>> {
        let mut found = Vec::new();
        if let Ok(Some(FileKind::File(bytes))) = self.files.look(&self.single) {
            found.push(Stored { number: 0, path: self.single.clone(), bytes });
        }
        let listed = if_there(self.files.list(&self.dir))?.unwrap_or_default();
        found.extend(listed.into_iter().filter_map(|one| self.stored(one)));
        found.sort_unstable_by_key(|file| file.number);
        Ok(found)
    }

    /// The file that an entry of the directory is, if it is one of ours: a number has one spelling.
    fn stored(&self, Listed { path, kind }: Listed) -> Option<Stored> {
        let FileKind::File(bytes) = kind else { return None };
        let number = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
        let number = number.filter(|number| *number > 0 && path == self.path(*number))?;
        Some(Stored { number, path, bytes })
    }

    /// Makes the directory if it is not there.
    pub(super) fn make(&self) -> Result<()> {
        self.files.create_dir(&self.dir)?;
        if let Some(above) = self.dir.parent() {
            self.files.give_to_owner_of(above, &self.dir);
        }
        Ok(())
    }

    /// Opens a file in the directory, which its owner only can read, to append to; makes it if it is not there.
    pub(super) fn open(&self, path: &Path) -> Result<File> {
        let file = self.files.open(path, Open::Append)?;
        self.files.give_to_owner_of(&self.dir, path);
        Ok(file)
    }

    /// The lock of whoever adds or closes, not yet locked. Whoever locks it must be done in a moment.
    pub(super) fn lock(&self) -> Result<File> {
        self.open(&self.dir.join("lock"))
    }

    /// The same, only if it is there: looking must not make a file.
    pub(super) fn existing_lock(&self) -> Option<File> {
        self.files.open(&self.dir.join("lock"), Open::Read).ok()
    }

    /// The lock of whoever removes, not yet locked.
    pub(super) fn removing_lock(&self) -> Result<File> {
        self.open(&self.dir.join("removing.lock"))
    }

    /// Sees to it that no file that there is grows any more, and answers them. For whoever has the lock.
    pub(super) fn close(&self) -> Result<Vec<Stored>> {
        let mut files = self.files()?;
        match files.last() {
            Some(last) if last.number > 0 && last.bytes == 0 => drop(files.pop()),
            // What is written next goes into the last file: from here on that is this one.
            Some(last) if last.number > 0 => drop(self.open(&self.path(last.number + 1))?),
            _ => {}
        }
        Ok(files)
    }
}
