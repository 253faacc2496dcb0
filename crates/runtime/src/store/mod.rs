//! The state: so that a restart goes on where delivery ended.
//!
//! [`Backend`] is the port; [`FileBackend`], one embedded file in `data_dir`, is the one backend that there is. [`Store`] is what
//! components see of it: cursors, what was delivered and may be listed again, documents, and events that wait to be told.

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

pub use crate::files::{create_private_dir, write_private_file};
pub use backend::{Backend, Condition, Found, Put, Version};
pub use error::StoreError;
pub use file::{FILE_NAME, FileBackend};
pub use seen::StateEntry;

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
