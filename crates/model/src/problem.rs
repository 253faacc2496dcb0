//! What is wrong with a pipeline file, and where.

use std::fmt;

/// One thing to mend in a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line of a file that it is about, if that is known. Problems are sorted by it.
    pub place: Option<Box<Place>>,
    /// Where it is among the options: their names joined by dots, `sinks.sentinel.auth.azure_tenant_id`. Empty for the whole
    /// file, and while there are no options yet.
    pub path: String,
    /// The key of the entry at `path` that it is about, where that is no option: an unknown one, or the number of a list's item.
    pub entry: Option<String>,
    /// What is wrong and what to do, without the value of any secret.
    pub message: String,
}

/// A line of a file, and a column in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's path, as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// The line itself as its author wrote it, without the value of any secret. Empty if nothing of it can be shown.
    pub text: String,
}

// === impl Problem ===

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: None, path: path.into(), entry: None, message: message.into() }
    }

    /// The same about the entry of that key at its path.
    #[must_use]
    pub fn about(self, entry: impl Into<String>) -> Self {
        Self { entry: Some(entry.into()), ..self }
    }

    /// The same at a place in a file.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(Box::new(place)), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

// === impl Place ===

impl Place {
    /// The line itself behind its number, as a message has it below its own words. Nothing if it cannot be shown.
    #[must_use]
    pub fn excerpt(&self) -> Option<String> {
        (!self.text.trim().is_empty()).then(|| format!("{:>5} | {}", self.line, self.text))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
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

/// By place and path, each once: what one user reads in one go.
pub fn tidy(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}
