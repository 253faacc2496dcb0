//! What is wrong with a pipeline file, and where.

use std::fmt;

/// One thing to mend in a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is: option names joined by dots, `sinks.sentinel.auth.azure_tenant_id`, or a place in the text,
    /// `pipeline.yaml:3:7`, while there are no options yet. Empty for the whole file.
    pub path: String,
    /// What is wrong and what to do, without the value of any secret.
    pub message: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Reports every option whose value is out of its range. Each is the option, its value, and the least and most it may be.
pub fn check_ranges(path: &str, options: &[(&str, u64, u64, u64)], problems: &mut Vec<Problem>) {
    for (option, value, min, max) in options {
        if value < min || value > max {
            problems.push(Problem::new(format!("{path}.{option}"), format!("must be from {min} to {max}")));
        }
    }
}

/// The problems as a message has them, with `between` in between.
pub fn words(problems: &[Problem], between: &str) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// By path, each once: what one user reads in one go.
pub fn tidy(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}
