use std::time::Duration;

/// What an answer, or its absence, means for the request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what was asked.
    Done,
    /// It may work later.
    Retry,
    /// It may work, but not before this long.
    RetryAfter(Duration),
    /// It is refused as a whole; parts of it may be accepted.
    Split,
    /// It will be refused until somebody changes the data, a permission or an option.
    GiveUp,
}
