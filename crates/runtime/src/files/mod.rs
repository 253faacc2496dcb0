//! The files: a port, with a real disk behind it or one in memory.
//!
//! What counts as written: the bytes of a file after [`OpenFile::sync_data`], its name after [`FileSystem::sync_dir`] of the directory
//! that it is in. A crash may take all the rest, in whole or in part.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Result, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::off_thread::OffThread;

#[cfg(test)]
mod contract;
mod disk;
mod memory;

pub use disk::{Disk, create_private_dir, write_private_file};
pub use memory::MemoryDisk;

/// Where files are. Cheap to clone.
pub type Files = Arc<dyn FileSystem>;
/// An open file.
pub type File = Box<dyn OpenFile>;

/// A place for files. Whatever it makes, only its owner can read.
pub trait FileSystem: Debug + Send + Sync {
    /// Makes a directory with all above it. Their names are on disk when it returns, if that can be had.
    fn create_dir(&self, dir: &Path) -> Result<()>;

    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> Result<File>;

    /// What is in a directory, in the order of the names.
    fn list(&self, dir: &Path) -> Result<Vec<Listed>>;

    /// What is at a path; nothing if there is nothing.
    fn look(&self, path: &Path) -> Result<Option<FileKind>>;

    /// Gives a file another name, in the place of what has that name.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Puts the names in a directory on disk.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Gives what is at `path` to the owner of `dir`, if we may. A command that an administrator runs must not leave files that
    /// the service cannot write; whoever may not give a file away is not an administrator.
    fn give_to_owner_of(&self, dir: &Path, path: &Path);
}

/// A file that is open. Its locks end with it.
pub trait OpenFile: Debug + Read + Seek + Send + Sync + Write {
    /// How many bytes it has.
    fn size(&self) -> Result<u64>;

    /// Cuts it, or fills it up with zeros.
    fn set_size(&mut self, size: u64) -> Result<()>;

    /// Puts what was written on disk.
    fn sync_data(&mut self) -> Result<()>;

    /// The same with all that there is to know of the file.
    fn sync_all(&mut self) -> Result<()> {
        self.sync_data()
    }

    /// Waits until nobody else has it locked, and locks it.
    fn lock(&self) -> Result<()>;

    /// The same together with others who lock it so.
    fn lock_shared(&self) -> Result<()>;

    /// Locks it if nobody else has it locked, and answers whether that was so.
    fn try_lock(&self) -> Result<bool>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read only.
    Read,
    /// To read, and to write at its end; made if it is not there.
    Append,
    /// To write over what is there.
    Overwrite,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file of so many bytes.
    File(u64),
    /// A directory, whatever is in it.
    Dir,
    /// Something else, such as a socket.
    Other,
}

/// One of those in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
}

/// Nothing in the place of an error that says that there is nothing.
pub fn if_there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// A directory for data, and what it is on. Cheap to clone. Made of a path, it is on the machine's own disk.
#[derive(Clone, Debug)]
pub struct DataDir {
    /// Where it is.
    pub path: PathBuf,
    /// The disk that it is on.
    pub files: Files,
    /// Where that disk is waited for.
    pub off_thread: OffThread,
}

// === impl DataDir ===

impl<P: Into<PathBuf>> From<P> for DataDir {
    fn from(path: P) -> Self {
        Self { path: path.into(), files: Arc::new(Disk), off_thread: OffThread::default() }
    }
}
