//! What a table looks like: the one description that rows are written by and rules are printed from.

use crate::sinks::sentinel_logs::column::{EXTRA_COLUMNS, TRUNCATED_COLUMNS};
pub use crate::sinks::sentinel_logs::column_type::ColumnType;
pub(super) use crate::sinks::sentinel_logs::column_type::is_time;

/// A table that rows go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in the workspace.
    pub name: &'static str,
    /// Whose it is.
    pub kind: TableKind,
    /// The columns that rows may have.
    pub columns: &'static [TableColumn],
}

/// Whose table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Ours: it has to be made first.
    Custom,
    /// Microsoft's: it is there, and has no column for what the encoder notes about a row.
    BuiltIn {
        /// The text column that the rule puts such notes in front of.
        notes: &'static str,
    },
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// Where its values come from.
    pub description: &'static str,
}

/// Columns that the encoder may add to any row. Custom tables have them; in front of a built-in table the rule puts them
/// elsewhere.
pub(super) const EXTRA: TableColumn =
    column(EXTRA_COLUMNS, ColumnType::Dynamic, "Fields that no column is declared for, under their names.");
/// The other one.
pub(super) const TRUNCATED: TableColumn = column(
    TRUNCATED_COLUMNS,
    ColumnType::Dynamic,
    "Columns that were cut at 64 KB, and how many bytes they had.",
);

/// A column; for the tables of this folder.
pub(super) const fn column(
    name: &'static str,
    column_type: ColumnType,
    description: &'static str,
) -> TableColumn {
    TableColumn { name, column_type, description }
}

// === impl Table ===

impl Table {
    /// The stream that rows of this table are sent to. One that is sent to directly has to be declared, and so begins
    /// with `Custom-` even in front of a table of Microsoft's.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations>
    #[must_use]
    pub fn stream(&self) -> String {
        format!("Custom-{}", self.name)
    }

    /// The stream that the rule writes into the table.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#data-flows>
    #[must_use]
    pub fn output_stream(&self) -> String {
        match self.kind {
            TableKind::Custom => format!("Custom-{}", self.name),
            TableKind::BuiltIn { .. } => format!("Microsoft-{}", self.name),
        }
    }

    /// What its stream declares: the columns of rows, and those that the encoder may add.
    pub fn declared(&self) -> impl Iterator<Item = TableColumn> + use<> {
        self.columns.iter().copied().chain([EXTRA, TRUNCATED])
    }

    /// What a column holds, if there is one of that name.
    pub(super) fn column_type(&self, name: &str) -> Option<ColumnType> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.column_type)
    }
}
