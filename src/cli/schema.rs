//! `schema`: the JSON Schema of pipeline files.

use std::process::ExitCode;

use super::exit;
use crate::pipeline::{document_schema, plan};

pub(super) fn run() -> ExitCode {
    match serde_json::to_string_pretty(&document_schema(&plan::catalogue())) {
        Ok(schema) => {
            println!("{schema}");
            ExitCode::SUCCESS
        }
        Err(error) => exit::failed(&format!("cannot print the schema: {error}")),
    }
}
