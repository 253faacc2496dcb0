//! What is wrong with a pipeline file, and where.

use std::fmt;

/// One thing to tell the user. `path` is an option's place (`sinks.sentinel.auth`), or a place in the
/// text (`pipeline.yaml:3:7`) while there are no options yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is.
    pub path: String,
    /// What is wrong, and if possible what would be right.
    pub message: String,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// By path, each once: what one user reads in one go.
pub(super) fn tidy(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}
