//! `schema`: the JSON Schema of pipeline files.

use std::process::ExitCode;

use super::{exit, say};
use crate::registry;
use pipeline_file::document_schema;

pub(super) fn run() -> ExitCode {
    match serde_json::to_string_pretty(&document_schema(&registry::catalogue())) {
        Ok(schema) => {
            say(schema);
            ExitCode::SUCCESS
        }
        Err(error) => exit::failed(&format!("cannot print the schema: {error}")),
    }
}
