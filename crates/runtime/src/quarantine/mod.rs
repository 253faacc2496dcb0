//! Where data goes that can never be accepted: kept, with the reason, so that nothing is dropped.
//!
//! A component has a directory, `data_dir/quarantine/<id>`, with NDJSON files that are numbered in order: one line an event,
//! on disk before the event counts as dealt with. Only the last file grows, up to 64 MiB; the others are closed, and may be
//! taken away at any time. Nothing is ever removed to make room: a full quarantine takes nothing more, and the component then
//! waits, and says so, until somebody makes room.
//!
//! Two locks, both files in that directory: `lock` is held by whoever adds an event or closes a file, for that moment only;
//! `removing.lock` by a command that removes events, for as long as it works. Such a command first closes the file that grows,
//! and touches only files that are closed: so events can be added all the while, by this process or another.
//!
//! An event is removed in two steps. Its line is overwritten with blanks, which is as quick as adding one and leaves every
//! other line where it is; at the end, files are written anew without their blanks, or removed if nothing is left in them. A
//! command that is killed in between leaves blanks, which readers pass over.
//!
//! What only a process that runs can deliver again, it is asked for by way of its mailbox: see [`SourceCommand`].
//!
//! An event's id is the number of the file and the byte at which its line was first written, `3-18872`; it stays the same
//! when the file is written anew. Files of versions that had one file a component, `<id>.ndjson`, are read as number 0.

mod contents;
#[cfg(test)]
mod crash_tests;
mod dir;
mod following;
mod keep;
mod keeper;
mod line;
mod removal;
mod request;
#[cfg(test)]
mod tests;

pub use contents::{Contents, Entries, components};
pub use dir::DIR_NAME;
pub use following::{Limit, Position, Since};
pub use keep::{Kept, Mode, Quarantine, QuarantineError, Refused};
pub use keeper::Keeper;
pub use line::{At, Entry, Reason, UNREADABLE};
pub use removal::{Removal, RemovalError};
pub use request::{Retried, RetryRequest, SourceAnswer, SourceCommand};
