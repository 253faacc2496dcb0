use std::time::Duration;

/// What an answer that isn't a success, or the absence of one, means for the request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may work later.
    Retry,
    /// It may work, but not before this long.
    RetryAfter(Duration),
    /// It is refused as a whole; parts of it may be accepted.
    Split,
    /// It will be refused until somebody changes the data, a permission or an option.
    GiveUp,
}
