//! Where the polling loop is, and why a step did not end.

use chrono::{DateTime, Utc};
use url::Url;

use crate::sources::ReadError;
use model::watermark::{Drain, Slice};

/// What comes next.
#[derive(Clone, Debug)]
pub enum State {
    /// Begin a sweep over everything since the watermark.
    Sweep,
    /// Ask for the first page of a slice of time.
    Slice {
        /// The service's time when the sweep began; unknown until its first answer.
        began: Option<DateTime<Utc>>,
        /// The slice of time.
        slice: Slice,
    },
    /// Ask for a further page of it.
    Page {
        /// The service's time when the sweep began.
        began: DateTime<Utc>,
        /// The slice of time.
        slice: Slice,
        /// What was seen of it.
        drain: Drain,
        /// Where the page is.
        url: Url,
    },
    /// The service fails on the slice however small the pages: find the incidents that it fails on.
    Isolate {
        /// The service's time when the sweep began; unknown until its first answer.
        began: Option<DateTime<Utc>>,
        /// The slice of time.
        slice: Slice,
    },
}

/// Why a step did not end.
#[derive(Debug)]
pub enum Interrupt {
    /// We are asked to stop.
    Shutdown,
    /// Something failed; the same step may work later.
    Failed(ReadError),
}

impl<E: Into<ReadError>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

// === impl State ===

impl State {
    /// The slice that it is about.
    pub(super) const fn slice(&self) -> Option<Slice> {
        match self {
            Self::Sweep => None,
            Self::Slice { slice, .. } | Self::Isolate { slice, .. } | Self::Page { slice, .. } => {
                Some(*slice)
            }
        }
    }

    /// The same slice from its first page; a sweep that has not begun stays as it is.
    pub(super) fn slice_again(&self) -> Self {
        match self {
            Self::Sweep => Self::Sweep,
            Self::Slice { began, slice } | Self::Isolate { began, slice } => {
                Self::Slice { began: *began, slice: *slice }
            }
            Self::Page { began, slice, .. } => Self::Slice { began: Some(*began), slice: *slice },
        }
    }
}
