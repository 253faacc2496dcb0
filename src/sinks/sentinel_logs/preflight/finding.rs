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

/// Columns as a declaration has them, to be copied into it.
pub(super) fn declaration(columns: &[NamedColumn]) -> String {
    let columns = columns
        .iter()
        .map(|column| format!("{{\"name\": \"{}\", \"type\": \"{}\"}}", column.name, column.column_type));
    columns.collect::<Vec<_>>().join(", ")
}

/// Names in a sentence.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
