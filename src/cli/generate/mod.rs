//! `generate`: prints what to deploy before anything is ingested, and queries to read it with.

mod pipeline;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use thiserror::Error;

use super::{environment, exit, say};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{Layout, Table, TableError};
use crate::templates::{self, Format};
use pipeline::Wanted;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tables, a data collection rule with a stream for each, and the role that lets an identity write: for every sink of a
    /// pipeline file, or for a layout.
    Dcr {
        /// A pipeline file: what every `sentinel_logs` sink of it needs, one rule for each `dcr_immutable_id`. That and
        /// `endpoint` may be anything yet, also a variable that is not set: they come from the deployment.
        #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
        config: Vec<PathBuf>,
        /// Events of a sink with `layout: raw`, one on each line, that its columns are learned from. May be given again, with
        /// the sink's id and `=` in front.
        #[arg(long, value_name = "[SINK=]FILE", conflicts_with = "layout")]
        sample: Vec<String>,
        /// Only the rule of this sink: for a file whose rules are in several workspaces or regions.
        #[arg(long, value_name = "ID", conflicts_with = "layout")]
        sink: Option<String>,
        /// How rows are laid out. With `raw` it is the table of incidents as they are, unless `--table` names another.
        #[arg(long, value_enum, required_unless_present = "config", conflicts_with = "config")]
        layout: Option<Layout>,
        /// A table of your own, with `--layout raw`: letters, digits and `_`, ending in `_CL`. It gets the columns
        /// `TimeGenerated`, `ExtraColumns` and `TruncatedColumns`, and those that `--column` names.
        #[arg(long, value_name = "NAME", requires = "layout")]
        table: Option<String>,
        /// A column of that table with its type: string, int, long, real, boolean, datetime or dynamic. May be given again.
        #[arg(long, value_name = "NAME:TYPE", requires = "table")]
        column: Vec<String>,
        /// The language of the template.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// The plan of the tables: the sink's `table_plan`.
        #[arg(long, value_enum, default_value_t, conflicts_with = "config")]
        table_plan: TablePlan,
        /// Put the rule behind a data collection endpoint, which Private Link needs.
        #[arg(long)]
        dce: bool,
    },
    /// KQL functions: the latest state of each incident, alert and piece of evidence, and the timeline of one incident.
    Kql {
        /// The layout whose tables they read.
        #[arg(long, value_enum, default_value_t)]
        layout: Readable,
    },
    /// A workbook over the same tables, for the advanced editor of Azure Workbooks.
    Workbook {
        /// The layout whose tables it reads.
        #[arg(long, value_enum, default_value_t)]
        layout: Readable,
    },
}

/// Layouts that there are queries for.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Readable {
    /// Incidents, alerts and evidence in three tables.
    #[default]
    Defender,
}

/// Why a command line asks for no table.
#[derive(Debug, Error)]
enum OwnTableError {
    #[error("--table: a layout has tables of its own; give --layout raw")]
    OfLayout,
    #[error("--column {0}: must be NAME:TYPE, with string, int, long, real, boolean, datetime or dynamic")]
    Column(String),
    #[error("--table: {0}")]
    Table(#[from] TableError),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.what {
        What::Dcr { config, sample, sink, format, dce, layout: None, .. } => {
            let wanted = Wanted { samples: sample, sink: sink.as_deref(), format: *format, endpoint: *dce };
            return pipeline::run(config, &environment(), &wanted);
        }
        What::Dcr { layout: Some(layout), table, column, format, table_plan, dce, .. } => {
            if let Some(message) = table_plan.objection(*layout) {
                eprintln!("--table-plan: {message}");
                return exit::usage();
            }
            let (tables, name) = match table {
                None => templates::of_layout(*layout),
                Some(table) => match own_table(*layout, table, column) {
                    Ok((table, name)) => (std::slice::from_ref(Box::leak(Box::new(table))), name),
                    Err(error) => {
                        eprintln!("{error}");
                        return exit::usage();
                    }
                },
            };
            say(templates::rule(tables, name, *table_plan, *format, *dce));
        }
        What::Kql { layout: Readable::Defender } => say(templates::functions()),
        What::Workbook { layout: Readable::Defender } => say(templates::workbook()),
    }
    ExitCode::SUCCESS
}

/// A table of the user's own, and what the rule's name ends in.
fn own_table(layout: Layout, name: &str, columns: &[String]) -> Result<(Table, String), OwnTableError> {
    if layout != Layout::Raw {
        return Err(OwnTableError::OfLayout);
    }
    let column = |written: &String| {
        let (name, word) = written.split_once(':').unwrap_or((written, ""));
        let column_type = serde_json::from_value(word.into());
        let column_type = column_type.map_err(|_| OwnTableError::Column(written.clone()))?;
        Ok((name.to_owned(), column_type))
    };
    let columns = columns.iter().map(column).collect::<Result<_, OwnTableError>>()?;
    let table = Table::custom(name.to_owned(), columns)?;
    let ending = name.trim_end_matches("_CL").replace('_', "-").to_lowercase();
    Ok((table, ending))
}
