//! The state: so that a restart goes on where delivery ended.
//!
//! [`Backend`] is the port; [`FileBackend`], one embedded file in `data_dir`, is the one backend that there is. [`Store`] is what
//! components see of it: cursors, what was delivered and may be listed again, documents, and events that wait to be told.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::off_thread::OffThread;

mod backend;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod disk;
mod documents;
mod error;
mod file;
mod layout_1;
mod seen;
#[cfg(test)]
mod tests;
mod told;

pub use backend::{Backend, Condition, Found, Put, Version};
pub use error::StoreError;
pub use file::{FILE_NAME, FileBackend};
pub use seen::Entry;

/// The state. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    backend: Box<dyn Backend>,
    remembered: Mutex<seen::AllRemembered>,
}

// === impl Store ===

impl Store {
    /// Opens the state file in `data_dir`, and makes the directory and the file if they are not there.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(data_dir, OffThread::default())
    }

    /// The same, which waits for the disk where `off_thread` says.
    pub fn open_with(data_dir: &Path, off_thread: OffThread) -> Result<Self, StoreError> {
        FileBackend::open(data_dir, off_thread).map(Self::new)
    }

    /// The state in `backend`. Nobody else may write to it meanwhile.
    #[must_use]
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self(Arc::new(Inner { backend: Box::new(backend), remembered: Mutex::default() }))
    }

    fn backend(&self) -> &dyn Backend {
        self.0.backend.as_ref()
    }

    fn all_remembered(&self) -> &Mutex<seen::AllRemembered> {
        &self.0.remembered
    }
}

/// Makes `dir` with all above it; what is made can be entered by its owner only.
pub fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a file that only its owner can read; whoever reads `name` gets the old file or the new one, never a part.
pub fn write_private_file(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(temporary, dir.join(name))
}
