//! Why a source cannot read on.

use microsoft::ServiceError;
use runtime::retry::Verdict;
use runtime::store::StoreError;
use thiserror::Error;
use tracing::Level;

/// Why a source cannot read on. Nothing is lost: the same step may work later.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The service cannot be asked, or refuses.
    #[error("{}", .0.message())]
    Service(#[from] ServiceError),
    /// The service fails on the rest of one incident, and is all right otherwise.
    #[error("{}", .0.message())]
    IncompleteIncident(#[source] ServiceError),
    /// The service counts more incidents than it lists.
    #[error("{0} counts more incidents than it lists, and gives no link to the rest")]
    IncompleteListing(&'static str),
    /// The sinks have not accepted a batch.
    #[error("the sinks did not take a batch")]
    NotDelivered,
    /// The state file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The quarantine of another component cannot be read.
    #[error("cannot read the quarantine of {component}: {cause}")]
    Quarantine {
        /// Whose it is.
        component: String,
        /// Why that failed.
        #[source]
        cause: std::io::Error,
    },
}

// === impl ReadError ===

impl ReadError {
    /// What it means for the step.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Service(error) => error.verdict(),
            _ => Verdict::Retry,
        }
    }

    /// The metric's label `error_type`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Service(error) => error.error_type(),
            Self::IncompleteIncident(_) => "incident_incomplete",
            Self::IncompleteListing(_) => "answer_incomplete",
            Self::NotDelivered => "not_delivered",
            Self::Store(_) => "state_file",
            Self::Quarantine { .. } => "quarantine_unreadable",
        }
    }

    /// How loud a log line about it is.
    pub fn level(&self) -> Level {
        match self {
            Self::Service(error) => error.level(),
            _ => Level::ERROR,
        }
    }

    /// The service's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) | Self::IncompleteIncident(error) => error.request_id(),
            _ => None,
        }
    }

    /// Whether asking for less might help.
    pub fn is_heavy(&self) -> bool {
        matches!(self, Self::Service(error) if error.is_heavy())
    }
}
