//! Keeps incidents in sync: what the sinks `sentinel_incidents` and `defender_incidents` share.
//!
//! | file | what it is for |
//! |---|---|
//! | `options` | what both sinks have in a pipeline file |
//! | `ledger` | what is known of every incident, in the state file, and which of them are waiting |
//! | `sink` | takes events: each is on disk before it counts as delivered |
//! | `worker` | takes one waiting incident after the other, again and again until it is written |
//! | `pass` | one pass over one incident: reads the other side, merges, writes |
//! | `link` | the part of a pass that finds the other side's incident, or creates it |
//! | `gate` | the part of a pass that says whether anything may be written |
//! | `comments` | the part of a pass that copies comments |
//! | `target` | what a pass needs of the service that it writes to |
//! | `brake` | stops everything if too many incidents would change |
//! | `tell` | what is said of it: log lines, and events for the pipeline |
//! | `commands` | what somebody asks while it runs: `sync retry`, `sync resume` |
//! | `status` | what `sync status` shows |
//! | `assemble` | puts the parts of one direction together |
//!
//! An event's way: the sink reads it, notes it as an offer in the ledger and answers. The worker takes the newest offer of
//! an incident, reads the incident on the side that it writes to, and merges the two with what both had agreed on last. What
//! has to be written is written, and what both sides have then is the new agreement. An offer stays until all of that is
//! done: so a write that fails is tried again, with what is newest then.

mod assemble;
mod brake;
mod commands;
mod comments;
mod error;
mod failing;
mod gate;
mod ledger;
mod link;
mod options;
mod pass;
mod queue;
mod sink;
pub mod status;
mod target;
mod tell;
#[cfg(test)]
mod tests;
mod worker;

pub use assemble::{Ledgers, assemble, probed};
pub use brake::SafetyConfig;
pub use commands::{SyncAnswer, SyncCommand, recipient};
pub use ledger::Ledger;
pub use options::{IncidentSyncConfig, SyncOptions, WriteConfig};
pub use pass::Direction;
pub use sink::IncidentSink;
pub use target::{Current, Located, Target, Wrote};
pub use worker::Worker;
