//! What does not fit, and what to do.

use microsoft::data_collection_rules::NamedColumn;

/// Finding about a rule: one thing that does not fit what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks::sentinel_logs) struct Finding {
    /// What it is, in a word for metrics.
    pub(in crate::sinks::sentinel_logs) code: &'static str,
    pub(in crate::sinks::sentinel_logs) severity: Severity,
    /// What it is and what to do.
    pub(in crate::sinks::sentinel_logs) message: String,
}

/// Severity of a finding: what it costs if nobody mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sinks::sentinel_logs) enum Severity {
    /// No row arrives.
    Blocking,
    /// Something of every row is lost, or of those that have it.
    DataLoss,
    /// Nothing is lost for certain.
    Doubtful,
}

// === impl Finding ===

impl Finding {
    pub(super) const fn new(code: &'static str, severity: Severity, message: String) -> Self {
        Self { code, severity, message }
    }
}

/// How many columns a sentence names.
const MOST_NAMED: usize = 30;

/// Columns as a declaration has them, to be copied into it.
pub(super) fn declaration(columns: &[NamedColumn]) -> String {
    let column = |column: &NamedColumn| {
        format!("{{\"name\": \"{}\", \"type\": \"{}\"}}", column.name, column.column_type)
    };
    some(columns.iter().map(column).collect())
}

/// The first of them, and how many more there are.
fn some(mut all: Vec<String>) -> String {
    let left = all.len().saturating_sub(MOST_NAMED);
    all.truncate(MOST_NAMED);
    let more = if left == 0 { String::new() } else { format!(" and {left} more") };
    all.join(", ") + &more
}

/// Names in a sentence.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    some(names.into_iter().map(|name| format!("'{name}'")).collect())
}
