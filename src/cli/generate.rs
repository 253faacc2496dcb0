//! `generate`: prints what to deploy before anything is ingested, and queries to read it with.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::{exit, say};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{Layout, Table};
use crate::templates::{self, Format};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tables, a data collection rule with a stream for each, and the role that lets an identity write.
    Dcr {
        /// How rows are laid out. With `raw` it is the table of incidents as they are, unless `--table` names another.
        #[arg(long, value_enum)]
        layout: Layout,
        /// A table of your own, with `--layout raw`: letters, digits and `_`, ending in `_CL`. It gets the columns
        /// `TimeGenerated`, `ExtraColumns` and `TruncatedColumns`, and those that `--column` names.
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
        /// A column of that table with its type: string, int, long, real, boolean, datetime or dynamic. May be given again.
        #[arg(long, value_name = "NAME:TYPE", requires = "table")]
        column: Vec<String>,
        /// The language of the template.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// The plan of the tables: the sink's `table_plan`.
        #[arg(long, value_enum, default_value_t)]
        table_plan: TablePlan,
        /// Put the rule behind a data collection endpoint, which Private Link needs.
        #[arg(long)]
        dce: bool,
    },
    /// KQL functions: the latest state of each incident, and the timeline of one.
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

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.what {
        What::Dcr { layout, table, column, format, table_plan, dce } => {
            if let Some(message) = table_plan.objection(*layout) {
                eprintln!("--table-plan: {message}");
                return exit::usage();
            }
            let (tables, name) = match table {
                None => templates::of_layout(*layout),
                Some(table) => match own_table(*layout, table, column) {
                    Ok((table, name)) => (std::slice::from_ref(Box::leak(Box::new(table))), name),
                    Err(message) => {
                        eprintln!("{message}");
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

/// A table of the user's own, and what the rule's name ends in; or what is wrong with the command line.
fn own_table(layout: Layout, name: &str, columns: &[String]) -> Result<(Table, String), String> {
    if layout != Layout::Raw {
        return Err("--table: a layout has tables of its own; give --layout raw".to_owned());
    }
    let column = |written: &String| {
        let (name, word) = written.split_once(':').unwrap_or((written, ""));
        let column_type = serde_json::from_value(word.into());
        column_type.map(|column_type| (name.to_owned(), column_type)).map_err(|_| {
            format!("--column {written}: must be NAME:TYPE, with string, int, long, real, boolean, datetime or dynamic")
        })
    };
    let columns = columns.iter().map(column).collect::<Result<_, _>>()?;
    let table = Table::custom(name.to_owned(), columns).map_err(|error| format!("--table: {error}"))?;
    let ending = name.trim_end_matches("_CL").replace('_', "-").to_lowercase();
    Ok((table, ending))
}
