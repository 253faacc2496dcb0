//! Why an incident could not be reconciled this time.

use microsoft::ServiceError;
use runtime::retry::Verdict;
use runtime::store::StoreError;
use thiserror::Error;

/// Why a pass ended early. All that it has done is in the ledger.
#[derive(Debug, Error)]
pub(super) enum PassError {
    /// The service cannot be asked, or refuses.
    #[error("{}", .0.message())]
    Service(#[from] ServiceError),
    /// The state file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Each time that it was to be written somebody else had changed it.
    #[error("the incident is changed by somebody else each time before it can be written")]
    Contested,
}

// === impl PassError ===

impl PassError {
    /// What it means for the pass.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Service(error) => error.verdict(),
            Self::Store(_) | Self::Contested => Verdict::Retry,
        }
    }

    /// The metric's label `error_type`.
    pub(super) fn error_type(&self) -> &'static str {
        match self {
            Self::Service(error) => error.error_type(),
            Self::Store(_) => "state_file",
            Self::Contested => "stale",
        }
    }

    /// What happened, with the service's id of the request.
    pub(super) fn with_request_id(&self) -> String {
        match self {
            Self::Service(error) => error.to_string(),
            Self::Store(_) | Self::Contested => self.to_string(),
        }
    }

    /// The service's id of the request.
    pub(super) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Service(error) => error.request_id(),
            Self::Store(_) | Self::Contested => None,
        }
    }
}
