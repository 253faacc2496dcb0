//! What a table looks like: the one description that rows are written by and rules are printed from.

use crate::sinks::sentinel_logs::column::{Column, EXTRA_COLUMNS, TRUNCATED_COLUMNS};
pub use crate::sinks::sentinel_logs::column_type::ColumnType;
pub(super) use crate::sinks::sentinel_logs::column_type::is_time;

/// Table that rows go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name of the table in the workspace, with `_CL` if it is a custom one.
    pub name: &'static str,
    /// Owner of the table: it is ours or Microsoft's.
    pub kind: TableKind,
    /// Columns that rows may have, without the two that the encoder adds.
    pub columns: &'static [TableColumn],
}

/// Owner of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Custom table of ours: it has to be created first.
    Custom,
    /// Built-in table of Microsoft's: it is there, and has no column for what the encoder notes about a row.
    BuiltIn {
        /// Text column that the rule puts such notes in front of.
        notes: &'static str,
    },
}

/// Column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Name of the column, which needs no escaping in JSON.
    pub name: &'static str,
    /// Type of its values.
    pub column_type: ColumnType,
    /// Source of its values, as a sentence for the templates.
    pub description: &'static str,
    pub(super) from: ColumnSource,
}

/// Place that the values of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnSource {
    /// Whoever writes the row.
    Writer,
    /// Field of the row's object that moves into the column.
    Field(&'static str),
    /// Fields of the alert, separated by commas, of which the first that is there and fits is copied.
    Alert(&'static str),
    /// The same for paths in the piece of evidence.
    Evidence(&'static str),
}

/// Column of fields that no column is declared for, which the encoder may add to any row. Custom tables have them; in front of a built-in table the rule puts them
/// elsewhere.
pub(super) const EXTRA: TableColumn =
    column(EXTRA_COLUMNS, ColumnType::Dynamic, "Fields that no column is declared for, under their names.");
/// Column of what was cut, which the encoder may add to any row.
pub(super) const TRUNCATED: TableColumn = column(
    TRUNCATED_COLUMNS,
    ColumnType::Dynamic,
    "Columns that were cut at 64 KB, how many bytes they had, and how many elements of a list are missing.",
);

/// Tables of Microsoft's that this API writes and that come with Sentinel, or the beginnings of their names. Others, `Syslog` among
/// them, every workspace has.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/commonsecuritylog> and the like, under Solutions
const OF_SENTINEL: [&str; 8] =
    ["CommonSecurityLog", "SecurityEvent", "WindowsEvent", "Anomalies", "ASim", "ThreatIntel", "AWS", "GCP"];

/// Whether a table of Microsoft's of this name is there only once Sentinel is enabled on the workspace.
pub(in crate::sinks::sentinel_logs) fn needs_sentinel(name: &str) -> bool {
    !name.ends_with("_CL") && OF_SENTINEL.iter().any(|known| name.starts_with(known))
}

/// A column; for the tables of this folder.
pub(super) const fn column(
    name: &'static str,
    column_type: ColumnType,
    description: &'static str,
) -> TableColumn {
    TableColumn { name, column_type, description, from: ColumnSource::Writer }
}

/// Why there is no such table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be a custom table's name.
    #[error(
        "'{0}' cannot be a custom table's name: letters, digits and _, a letter first, at most 45, and _CL behind that"
    )]
    Name(String),
    /// It cannot be a column's name.
    #[error("'{0}' cannot be a column's name; a reserved name has one underscore more, as id_")]
    Column(String),
}

// === impl TableColumn ===

impl TableColumn {
    pub(super) const fn field(self, name: &'static str) -> Self {
        Self { from: ColumnSource::Field(name), ..self }
    }

    pub(super) const fn alert(self, names: &'static str) -> Self {
        Self { from: ColumnSource::Alert(names), ..self }
    }

    pub(super) const fn evidence(self, paths: &'static str) -> Self {
        Self { from: ColumnSource::Evidence(paths), ..self }
    }
}

// === impl Table ===

impl Table {
    /// Whether a custom table can have this name.
    pub fn is_custom_name(name: &str) -> bool {
        name.strip_suffix("_CL").is_some_and(|name| Column::of(name) == Column::Plain(name))
    }

    /// A custom table with the column `TimeGenerated` and these, of names and types; or what is wrong with a name. It stays in
    /// memory for good: for a program that prints it and ends.
    pub fn custom(name: String, columns: Vec<(String, ColumnType)>) -> Result<Self, TableError> {
        if !Self::is_custom_name(&name) {
            return Err(TableError::Name(name));
        }
        let mut all = vec![column("TimeGenerated", ColumnType::DateTime, "The event's time.")];
        for (name, column_type) in columns {
            if !Column::is_declarable(&name) {
                return Err(TableError::Column(name));
            }
            if [EXTRA.name, TRUNCATED.name].contains(&name.as_str())
                || all.iter().any(|one| one.name.eq_ignore_ascii_case(&name))
            {
                continue;
            }
            all.push(column(name.leak(), column_type, "A field of the event."));
        }
        Ok(Self { name: name.leak(), kind: TableKind::Custom, columns: all.leak() })
    }

    /// Stream that rows of this table are sent to. One that is sent to directly has to be declared, and so begins
    /// with `Custom-` even in front of a table of Microsoft's.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations>
    pub fn stream(&self) -> String {
        format!("Custom-{}", self.name)
    }

    /// Stream that the rule writes into the table.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#data-flows>
    pub fn output_stream(&self) -> String {
        match self.kind {
            TableKind::Custom => format!("Custom-{}", self.name),
            TableKind::BuiltIn { .. } => format!("Microsoft-{}", self.name),
        }
    }

    /// Columns that its stream declares: those of rows, and those that the encoder may add.
    pub fn declared(&self) -> impl Iterator<Item = TableColumn> + use<> {
        self.columns.iter().copied().chain([EXTRA, TRUNCATED])
    }

    /// Columns that one of Microsoft's tables lacks, so that they have to be added to it: their names end in `_CF`.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table#add-or-delete-a-custom-column>
    pub fn added_columns(&self) -> impl Iterator<Item = TableColumn> + use<> {
        let is_built_in = matches!(self.kind, TableKind::BuiltIn { .. });
        self.columns.iter().copied().filter(move |column| is_built_in && column.name.ends_with("_CF"))
    }

    /// Whether the table is there only once Microsoft Sentinel is enabled on the workspace.
    pub fn needs_sentinel(&self) -> bool {
        matches!(self.kind, TableKind::BuiltIn { .. }) && needs_sentinel(self.name)
    }

    /// What a column holds, if there is one of that name.
    pub(super) fn column_type(&self, name: &str) -> Option<ColumnType> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.column_type)
    }
}
