//! The directory of one component's quarantine: its files, in order, and its locks.

use std::ffi::OsStr;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use crate::store::create_private_dir;

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "quarantine";
/// How the names of files with events end.
pub(super) const EXTENSION: &str = "ndjson";

/// Where one component's events are.
#[derive(Clone, Debug)]
pub(super) struct Place {
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

// === impl Place ===

impl Place {
    pub(super) fn new(data_dir: &Path, component: &str) -> Self {
        let above = data_dir.join(DIR_NAME);
        Self { dir: above.join(component), single: above.join(format!("{component}.{EXTENSION}")) }
    }

    pub(super) fn exists(&self) -> bool {
        self.dir.is_dir() || self.single.is_file()
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}.{EXTENSION}"))
    }

    /// The files that there are, in the order in which they were written.
    pub(super) fn files(&self) -> Result<Vec<Stored>> {
        let mut found = Vec::new();
        let single = std::fs::metadata(&self.single).ok().filter(std::fs::Metadata::is_file);
        if let Some(single) = single {
            found.push(Stored { number: 0, path: self.single.clone(), bytes: single.len() });
        }
        match std::fs::read_dir(&self.dir) {
            Ok(entries) => {
                for entry in entries {
                    found.extend(self.stored(&entry?)?);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        found.sort_unstable_by_key(|file| file.number);
        Ok(found)
    }

    /// The file that an entry of the directory is, if it is one of ours: a number has one spelling.
    fn stored(&self, entry: &DirEntry) -> Result<Option<Stored>> {
        let path = entry.path();
        let number = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
        let Some(number) = number.filter(|number| *number > 0 && path == self.path(*number)) else {
            return Ok(None);
        };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(Stored { number, path, bytes: metadata.len() })),
            Ok(_) => Ok(None),
            // Somebody has just taken it away.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory if it is not there.
    pub(super) fn make(&self) -> Result<()> {
        create_private_dir(&self.dir)?;
        if let Some(above) = self.dir.parent() {
            give_to_owner_of(above, &self.dir);
        }
        Ok(())
    }

    /// Opens a file in the directory, which its owner only can read, to append to; makes it if it is not there.
    pub(super) fn open(&self, path: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        give_to_owner_of(&self.dir, path);
        Ok(file)
    }

    /// The lock of whoever adds or closes, not yet locked. Whoever locks it must be done in a moment.
    pub(super) fn lock(&self) -> Result<File> {
        self.open(&self.dir.join("lock"))
    }

    /// The same, only if it is there: looking must not make a file.
    pub(super) fn existing_lock(&self) -> Option<File> {
        File::open(self.dir.join("lock")).ok()
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

/// A command that an administrator runs must not leave files that the service cannot write. Whoever may not give a file away
/// is not an administrator.
#[cfg(unix)]
pub(crate) fn give_to_owner_of(dir: &Path, path: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    if let (Ok(dir), Ok(made)) = (std::fs::metadata(dir), std::fs::metadata(path))
        && dir.uid() != made.uid()
    {
        chown(path, Some(dir.uid()), Some(dir.gid())).ok();
    }
}

#[cfg(not(unix))]
pub(crate) fn give_to_owner_of(_: &Path, _: &Path) {}
