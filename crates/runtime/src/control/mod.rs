//! One mailbox for commands to the process that runs: many may ask, each is answered, nothing is lost.
//!
//! A command is a file of its own in `data_dir/control`, named after the time at which it was asked and a random number, so that
//! nobody overwrites anybody and names sort in the order of asking. What happens to it:
//!
//! | file | who makes it | what it says |
//! |---|---|---|
//! | `<id>.asked` | whoever asks: [`Mailbox::ask`] | an [`Envelope`]: to whom, what, when |
//! | `<id>.claimed` | whoever serves, by renaming: [`Inbox::claim`] | the same; the asker sees that it is heard |
//! | `<id>.answer` | whoever serves: [`Claimed::answer`] | an [`Answered`]: what came of it |
//! | `<id>.unreadable` | whoever comes across it first, by renaming | no command: set aside, logged once, for people to look at |
//!
//! The order of whoever serves is what makes it safe: it claims, performs, **persists the effect**, writes the answer, and removes
//! the claimed file, each of them on disk before the next. A command that was claimed when the process ended is claimed again
//! after the next start, before those that were asked later; unless its answer is there, then it is only removed. So a command is
//! served **at least once, and serving must be idempotent**. Whoever asks reads the answer and removes it; one that nobody reads
//! is removed after a day. What is asked of somebody who is not served here stays until somebody is.
//!
//! One process serves a `data_dir`, which the lock of the state file sees to, and each recipient has one [`Inbox`] there.

mod directory;
mod envelope;
mod inbox;
mod mailbox;
#[cfg(test)]
mod tests;

use crate::clock::Clock;
use std::path::PathBuf;

pub use envelope::{Answered, Command, Envelope, Recipient};
pub use inbox::{Claimed, Inbox};
pub use mailbox::{Asked, Mailbox, Progress};

/// Most files in the directory, whatever they are.
const MAX_FILES: usize = 10_000;
/// Most bytes of a command, and of an answer.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why something cannot be asked or answered.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Too many wait.
    #[error(
        "{path} has {MAX_FILES} files, and takes no more commands: start the pipeline, which serves them, or look at them and \
         remove what nobody needs"
    )]
    Full {
        /// The mailbox's directory.
        path: PathBuf,
    },
    /// A command is longer than any that is meant.
    #[error("the command has {bytes} bytes, and may have {MAX_BYTES}: ask for less at a time")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The disk failed, or we may not.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why that failed.
        source: std::io::Error,
    },
    /// A command or an answer does not have the form that is expected.
    #[error("{path} cannot be written or read as JSON: {source}")]
    Json {
        /// The file's path.
        path: PathBuf,
        /// Why that failed.
        source: serde_json::Error,
    },
    /// The thread that waits for the disk ended without an answer.
    #[error("the process is ending")]
    Interrupted,
}

/// Runs what waits for the disk on a thread that may wait.
async fn off_thread<T: Send + 'static>(
    clock: &Clock,
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    clock.off_thread().run(work).await.unwrap_or(Err(ControlError::Interrupted))
}
