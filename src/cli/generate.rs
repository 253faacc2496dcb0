//! `generate`: prints what to deploy before anything is ingested, and queries to read it with.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::{exit, say};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::Layout;
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
        /// How rows are laid out. With `raw` it is the table of incidents as they are.
        #[arg(long, value_enum)]
        layout: Layout,
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
    match arguments.what {
        What::Dcr { layout, format, table_plan, dce } => match table_plan.objection(layout) {
            Some(message) => {
                eprintln!("--table-plan: {message}");
                return exit::usage();
            }
            None => say(templates::rule(layout, table_plan, format, dce)),
        },
        What::Kql { layout: Readable::Defender } => say(templates::functions()),
        What::Workbook { layout: Readable::Defender } => say(templates::workbook()),
    }
    ExitCode::SUCCESS
}
