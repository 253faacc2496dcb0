//! Writes that clients made, in order: what a test of a loop counts.

use std::sync::Mutex;

use chrono::{DateTime, Utc};

use super::lock::lock;
use runtime::clock::Clock;

/// One write that was done, whether its answer arrived or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: WriteKind,
    /// The id of the Defender incident, or the name of the Sentinel incident.
    pub incident: String,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteKind {
    /// A Defender incident's properties changed.
    DefenderUpdated,
    /// A Defender incident gained a comment.
    DefenderCommented,
    /// A Defender incident became part of another one.
    DefenderMerged,
    /// A Sentinel incident came to be.
    SentinelCreated,
    /// A Sentinel incident was replaced.
    SentinelUpdated,
    /// A Sentinel incident went.
    SentinelDeleted,
    /// A Sentinel incident gained a comment.
    SentinelCommented,
    /// A comment of a Sentinel incident was replaced.
    SentinelCommentUpdated,
    /// A comment of a Sentinel incident went.
    SentinelCommentDeleted,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Journal {
    clock: Clock,
    writes: Mutex<Vec<Write>>,
}

// === impl Journal ===

impl Journal {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, writes: Mutex::default() }
    }

    pub(super) fn note(&self, kind: WriteKind, incident: &str) {
        let write = Write { at: self.clock.now(), kind, incident: incident.to_owned() };
        lock(&self.writes).push(write);
    }

    pub(super) fn writes(&self) -> Vec<Write> {
        lock(&self.writes).clone()
    }
}
