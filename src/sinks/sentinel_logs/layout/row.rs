//! Writes the row of one table, and keeps to the columns that the table has.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::fields::{Fields, write_text};
use super::table::{ColumnType, Table};
use model::event::Event;

/// A row of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The table's name.
    pub table: &'static str,
    /// A JSON object whose fields are columns of the table.
    pub event: Event,
}

/// Writes one row. A value that its column cannot take is not written: it stays with whoever offers it.
pub(super) struct RowWriter {
    table: &'static Table,
    json: Vec<u8>,
}

// === impl RowWriter ===

impl RowWriter {
    pub(super) fn new(table: &'static Table) -> Self {
        Self { table, json: vec![b'{'] }
    }

    /// Writes a column as it is, if it can take the value; answers whether it could.
    pub(super) fn copy(&mut self, column: &str, value: &RawValue) -> bool {
        let takes = self.column_type(column).is_some_and(|column_type| column_type.takes(value.get()));
        if takes {
            self.begin(column);
            self.json.extend_from_slice(value.get().as_bytes());
        }
        takes
    }

    /// Moves a field into a column, if the column can take it. What it cannot take stays in `fields`, and so does null,
    /// which a column has anyway if nobody says otherwise.
    pub(super) fn take(&mut self, fields: &mut Fields<'_>, field: &str, column: &str) {
        if fields.get(field).is_some_and(|value| self.copy(column, value)) {
            fields.remove(field);
        }
    }

    /// Copies into each column the value at the first of its places that is there and fits.
    pub(super) fn copy_first(&mut self, fields: &Fields<'_>, copies: &[(&str, &[&str])]) {
        for (column, places) in copies {
            for place in *places {
                if fields.find(place).is_some_and(|value| self.copy(column, value)) {
                    break;
                }
            }
        }
    }

    /// Writes a text of ours.
    pub(super) fn text(&mut self, column: &str, text: &str) {
        debug_assert!(
            matches!(self.column_type(column), Some(ColumnType::String | ColumnType::DateTime)),
            "{column}"
        );
        self.begin(column);
        write_text(text, &mut self.json);
    }

    /// Writes a text of ours, if there is one.
    pub(super) fn text_if(&mut self, column: &str, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.text(column, text.as_ref());
        }
    }

    /// Writes a whole number.
    pub(super) fn number(&mut self, column: &str, number: impl Into<i64>) {
        self.begin(column);
        self.json.extend_from_slice(number.into().to_string().as_bytes());
    }

    /// Writes a column that holds any JSON.
    pub(super) fn dynamic(&mut self, column: &str, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert_eq!(self.column_type(column), Some(ColumnType::Dynamic), "{column}");
        self.begin(column);
        write(&mut self.json);
    }

    /// Writes what is left of an object, if anything is.
    pub(super) fn rest(&mut self, column: &str, fields: &Fields<'_>) {
        if !fields.is_empty() {
            self.dynamic(column, |out| fields.write(out));
        }
    }

    /// Ends the row. `time` is what the event's source says: it counts if the row has no `TimeGenerated`.
    pub(super) fn finish(mut self, time: Option<DateTime<Utc>>) -> Row {
        self.json.push(b'}');
        Row { table: self.table.name, event: Event::new(self.json.into(), time) }
    }

    pub(super) fn column_type(&self, column: &str) -> Option<ColumnType> {
        self.table.column_type(column)
    }

    fn begin(&mut self, column: &str) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        // A column's name needs no escaping.
        for part in ["\"", column, "\":"] {
            self.json.extend_from_slice(part.as_bytes());
        }
    }
}
