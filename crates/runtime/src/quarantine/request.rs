//! What a process that runs can be asked to deliver again: events of a source, which only it can hand on.

use serde::{Deserialize, Serialize};

use super::line::Entry;
use crate::control::Command;

/// What a source that runs beside Vector can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceCommand {
    /// To hand on again what is in its quarantine. Served twice, it finds what was not delivered the first time.
    Retry(RetryRequest),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceAnswer {
    /// The answer to [`SourceCommand::Retry`].
    Retried(Retried),
}

/// Which events are to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRequest {
    /// Those with these ids.
    pub ids: Vec<String>,
    /// Those that are there for this reason.
    pub reason: Option<String>,
    /// Whether all are meant.
    pub all: bool,
}

/// How many events were delivered again. After a crash, those before it are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// How many events were delivered.
    pub delivered: u64,
    /// How many were refused again, and stay.
    pub refused: u64,
    /// How many cannot be made into events, and stay.
    pub unreadable: u64,
}

impl Command for SourceCommand {
    type Answer = SourceAnswer;
}

// === impl RetryRequest ===

impl RetryRequest {
    /// Whether it is about an event.
    pub fn takes(&self, entry: &Entry) -> bool {
        self.all
            || self.reason.as_ref().is_some_and(|reason| *reason == entry.code)
            || self.ids.contains(&entry.id)
    }
}
