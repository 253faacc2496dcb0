//! `schema`: the options of pipeline files, as a JSON Schema or as a Markdown page.

use std::process::ExitCode;

use super::{exit, reference, say};
use crate::registry;
use pipeline_file::document_schema;

/// How options are printed.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The form in which the options are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The form in which options are printed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// A JSON Schema (draft 2020-12), for editors.
    #[default]
    Json,
    /// A Markdown page, the configuration reference.
    Markdown,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let schema = document_schema(&registry::catalogue());
    let printed = match arguments.format {
        Format::Json => serde_json::to_string_pretty(&schema),
        Format::Markdown => Ok(reference::page(&schema).trim_end().to_owned()),
    };
    match printed {
        Ok(printed) => {
            say(printed);
            ExitCode::SUCCESS
        }
        Err(error) => exit::failed(&format!("cannot print the schema: {error}")),
    }
}
