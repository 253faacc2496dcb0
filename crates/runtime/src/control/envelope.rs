//! What is in the files.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What one kind of recipient can be asked to do: an enum, and what comes of it.
pub trait Command: Serialize + DeserializeOwned + Send + 'static {
    /// What comes of it.
    type Answer: Serialize + DeserializeOwned + Send + 'static;
}

/// Who serves a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The component with this id.
    Component(String),
    /// Whoever writes to one side of a ledger.
    Ledger {
        /// The ledger's name.
        name: String,
        /// The side that is written.
        target: String,
    },
}

/// A command, and where it is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<C, R = Recipient> {
    /// The name of its file, without the ending.
    pub id: String,
    /// Who is to serve it.
    pub to: R,
    /// What is asked.
    pub command: C,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered<A> {
    /// The command's id.
    pub id: String,
    /// When it was answered.
    pub answered_at: DateTime<Utc>,
    /// What came of it, as whoever serves says it.
    pub answer: A,
}
