//! The columns that a stream declares, as far as is known, and what of an event goes into them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::column::{Column, EXTRA_COLUMNS, TRUNCATED_COLUMNS};
use super::column_type::{ColumnType, in_micros};
use super::table_plan::TablePlan;

/// The columns of a stream, as a pipeline file has them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnsConfig {
    /// The names of the columns, without types: any value goes into each.
    Names(Vec<String>),
    /// The names and types of the columns: a value that its column cannot hold goes into `ExtraColumns`.
    Types(BTreeMap<String, ColumnType>),
}

/// Columns that rows of one stream may have, with their types if those are known.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Their types, if those are known.
    #[expect(
        clippy::disallowed_types,
        reason = "looked up for each field of each row, and never walked through"
    )]
    by_name: std::collections::HashMap<String, Option<ColumnType>>,
    /// Whether times have no more than six digits behind the point.
    in_micros: bool,
}

// === impl ColumnsConfig ===

impl ColumnsConfig {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::Names(names) => names.iter().map(String::as_str).collect(),
            Self::Types(types) => types.keys().map(String::as_str).collect(),
        }
    }

    /// Everything that is wrong with them, if `timestamp_field` is the column of the event's time.
    pub(super) fn problems(&self, timestamp_field: &str, plan: TablePlan) -> Vec<String> {
        let names = self.names();
        let illegal = names.iter().filter(|name| !Column::is_declarable(name)).map(|name| match Column::of(name) {
            Column::Reserved(name) => format!(
                "'{name}' cannot be a column's name, because Log Analytics reserves it: write '{name}_', which is where its \
                 values go"
            ),
            Column::Plain(name) | Column::Extra(name) => format!(
                "'{name}' cannot be a column's name: leave it out, and its values go into ExtraColumns under that name"
            ),
        });
        let mut problems: Vec<_> = illegal.collect();
        let mut seen = BTreeSet::new();
        let again: BTreeSet<_> = names.iter().filter(|name| !seen.insert(**name)).collect();
        problems.extend(again.into_iter().map(|name| format!("'{name}' is there twice")));
        if seen.len() > MAX_COLUMNS {
            problems.push(format!(
                "{} are more columns than the {MAX_COLUMNS} that a table can have: leave out what is not searched for, and it \
                 goes into ExtraColumns",
                seen.len()
            ));
        }
        let needed = [
            (timestamp_field, ColumnType::DateTime, "datetime"),
            (EXTRA_COLUMNS, ColumnType::Dynamic, "dynamic"),
            (TRUNCATED_COLUMNS, ColumnType::Dynamic, "dynamic"),
        ];
        for (name, column_type, word) in needed {
            if !names.contains(&name) {
                problems.push(format!(
                    "lacks {name}, which rows need: declare it in the stream and name it here"
                ));
            } else if let Self::Types(types) = self
                && types.get(name) != Some(&column_type)
            {
                problems.push(format!("{name} must be of the type {word}"));
            }
        }
        if plan == TablePlan::Auxiliary {
            problems.extend(self.not_auxiliary(&names));
        }
        problems
    }

    /// What is wrong with them in a table of the plan Auxiliary.
    fn not_auxiliary(&self, names: &[&str]) -> Vec<String> {
        if matches!(self, Self::Names(_)) {
            return vec![TYPES_NEEDED.to_owned()];
        }
        // Source: https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table#add-or-delete-a-custom-column
        twins(names)
            .map(|name| format!("{name} is there twice, in another case: an Auxiliary table drops one"))
            .collect()
    }

    /// What is doubtful about columns that differ in case alone.
    pub(super) fn differing_by_case(&self) -> Vec<String> {
        let names = self.names();
        let doubt = |name: &str| {
            format!(
                "'{name}' is there in another case too: a field goes into the one that is written as it is, and who searches \
                 the table finds half of the values"
            )
        };
        twins(&names).map(doubt).collect()
    }
}

/// The names that differ from an earlier one in case alone.
fn twins<'n>(names: &[&'n str]) -> impl Iterator<Item = &'n str> {
    let mut seen = BTreeMap::new();
    names.iter().copied().filter(move |name| {
        let first = seen.entry(name.to_ascii_lowercase()).or_insert(*name);
        first != name
    })
}

/// Most columns of a table.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#log-analytics-workspaces>
pub(super) const MAX_COLUMNS: usize = 500;

/// Why an Auxiliary table needs types.
pub(super) const TYPES_NEEDED: &str = "a table of the plan Auxiliary refuses a row with nested JSON in any but a dynamic \
     column, so the types must be known: write {TimeGenerated: datetime, message: string, labels: dynamic, ExtraColumns: \
     dynamic, TruncatedColumns: dynamic} and so on, as the stream declares them";

// === impl Columns ===

impl Columns {
    /// The columns that options name.
    pub(super) fn of_config(config: &ColumnsConfig, plan: TablePlan) -> Self {
        let by_name = match config {
            ColumnsConfig::Names(names) => names.iter().map(|name| (name.clone(), None)).collect(),
            ColumnsConfig::Types(types) => {
                types.iter().map(|(name, column_type)| (name.clone(), Some(*column_type))).collect()
            }
        };
        Self { by_name, in_micros: plan == TablePlan::Auxiliary }
    }

    /// Whether there is a column of that name that can hold the value, which is JSON, as it is.
    pub(super) fn takes_as_it_is(&self, name: &str, json: &str) -> bool {
        self.fit(name, json).is_some_and(|fitting| std::ptr::eq(&raw const *fitting, json))
    }

    /// What is written into the column of that name, if there is one and it can hold the value, which is JSON. Null is what a
    /// column has anyway.
    pub(super) fn fit<'v>(&self, name: &str, json: &'v str) -> Option<Cow<'v, str>> {
        match self.by_name.get(name)? {
            Some(column_type) if json != "null" => {
                let fitting = column_type.fit(json)?;
                match (column_type, self.in_micros) {
                    (ColumnType::DateTime, true) => Some(Cow::Owned(in_micros(&fitting).into_owned())),
                    _ => Some(fitting),
                }
            }
            _ => Some(Cow::Borrowed(json)),
        }
    }
}
