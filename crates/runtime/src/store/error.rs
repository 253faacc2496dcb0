//! Why the state cannot be used.

use std::path::PathBuf;

use super::file::VERSION;

/// Why the state cannot be used. Of a call that writes it means that nobody knows whether it is written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "the state file {0} is in use by another process: stop that one first; two that run at once need two data_dirs"
    )]
    InUse(PathBuf),
    /// It cannot be made or opened.
    #[error("cannot open the state file {path}: {source}. Check that data_dir exists and can be written")]
    Open {
        /// The file's path.
        path: PathBuf,
        /// Why that failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody has removed it while it was open.
    #[error(
        "the state file {0} was removed or replaced while we run; put it back, or start again without it and have incidents delivered again"
    )]
    Removed(PathBuf),
    /// It was written by another version.
    #[error(
        "the state file {path} has layout {found} and this build reads layouts up to {VERSION}: use the version that wrote it"
    )]
    Version {
        /// The file's path.
        path: PathBuf,
        /// The number of its layout.
        found: u64,
    },
    /// Reading or writing failed.
    #[error("the state file failed: {0}. Check the disk's free space and health")]
    Database(#[from] Box<redb::Error>),
    /// A cursor does not have the form that its component expects.
    #[error(
        "the cursor of {component} cannot be read: {source}. `state reset` makes the component start anew"
    )]
    Cursor {
        /// The component whose cursor it is.
        component: String,
        /// Why that failed.
        source: serde_json::Error,
    },
    /// A document does not have the form that is expected.
    #[error("the document {name} in the state file cannot be read: {source}")]
    Document {
        /// Its collection and key.
        name: String,
        /// Why that failed.
        source: serde_json::Error,
    },
    /// The thread that waits for the disk ended without an answer.
    #[error("the state file was not answered: the process is ending")]
    Interrupted,
}

// === impl StoreError ===

impl StoreError {
    pub(super) fn document(kind: &str, key: &str, source: serde_json::Error) -> Self {
        Self::Document { name: format!("{kind}/{key}"), source }
    }
}
