//! What a sink writes into a stream, as far as its options tell.

use crate::sinks::sentinel_logs::column::{EXTRA_COLUMNS, TRUNCATED_COLUMNS};
use crate::sinks::sentinel_logs::columns::ColumnsConfig;
use crate::sinks::sentinel_logs::layout::{ColumnType, Table};

/// The columns that rows for one stream may have.
#[derive(Clone, Debug)]
pub(in crate::sinks::sentinel_logs) struct WrittenColumns {
    pub(super) columns: Vec<WrittenColumn>,
    /// Whether rows have no others. If not, events' own fields make columns, too.
    pub(super) complete: bool,
    /// Whether the option `columns` says what they hold: a value that does not fit goes into `ExtraColumns`.
    pub(super) types_are_options: bool,
}

#[derive(Clone, Debug)]
pub(super) struct WrittenColumn {
    pub(super) name: String,
    /// What it holds, if that is known.
    pub(super) column_type: Option<ColumnType>,
    /// Whether the stream was meant to have it. One that rows have only now and then, and nobody was asked to declare, is not.
    pub(super) expected: bool,
}

// === impl WrittenColumns ===

impl WrittenColumns {
    /// What rows of these tables have.
    pub(super) fn of_tables(tables: &[&Table]) -> Self {
        let mut columns: Vec<WrittenColumn> = Vec::new();
        for column in tables.iter().flat_map(|table| table.declared()) {
            if !columns.iter().any(|known| known.name == column.name) {
                columns.push(WrittenColumn {
                    name: column.name.to_owned(),
                    column_type: Some(column.column_type),
                    expected: true,
                });
            }
        }
        Self { columns, complete: true, types_are_options: false }
    }

    /// What rows of events that stay as they are have; only `columns`, if these are given, and of their types, if these are.
    pub(super) fn raw(timestamp_field: &str, columns: Option<&ColumnsConfig>) -> Self {
        let known = [
            (timestamp_field, ColumnType::DateTime),
            (EXTRA_COLUMNS, ColumnType::Dynamic),
            (TRUNCATED_COLUMNS, ColumnType::Dynamic),
        ];
        let known_type = |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, found)| *found);
        let column = |name: &str, column_type, expected| WrittenColumn {
            name: name.to_owned(),
            column_type,
            expected,
        };
        let (columns, types_are_options) = match columns {
            None => {
                let columns = known.map(|(name, found)| column(name, Some(found), name == timestamp_field));
                return Self { columns: columns.into(), complete: false, types_are_options: false };
            }
            Some(ColumnsConfig::Names(names)) => {
                (names.iter().map(|name| column(name, known_type(name), true)).collect(), false)
            }
            Some(ColumnsConfig::Types(types)) => {
                (types.iter().map(|(name, found)| column(name, Some(*found), true)).collect(), true)
            }
        };
        Self { columns, complete: true, types_are_options }
    }

    /// Whether it is known what every column holds.
    pub(super) fn is_typed(&self) -> bool {
        self.complete && self.columns.iter().all(|column| column.column_type.is_some())
    }

    /// Whether rows may have a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        !self.complete || self.columns.iter().any(|column| column.name == name)
    }
}
