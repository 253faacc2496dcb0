//! `migrate`: prints a file of Vector's with `sentinel_logs` in the place of Vector's own sinks for Azure.

mod data_collector;
mod logs_ingestion;
mod sinks;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use super::{PipelinePaths, environment, exit, say};
use crate::registry;
use crate::topology::plan;
use model::problem::Problem;
use sinks::Migration;

pub(super) use sinks::warnings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelinePaths,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let paths = arguments.file.paths();
    let migrated = pipeline_file::read(paths, &environment()).and_then(|file| sinks::migrate(&file));
    match migrated {
        Ok(Some(Migration { pipeline, changes, to_deploy, meanings })) => {
            let changes = changes.iter().map(ToString::to_string).collect::<Vec<_>>();
            let meanings = meanings.iter().map(ToString::to_string).collect::<Vec<_>>();
            let headings =
                ["What means something else now", "Changed", "To deploy", "Left to you, before it runs"];
            let left = left_to_do(&pipeline);
            for (heading, lines) in headings.into_iter().zip([meanings, changes, to_deploy, left]) {
                if !lines.is_empty() {
                    eprintln!("{heading}:");
                }
                for line in lines {
                    eprintln!("  {line}");
                }
            }
            say(pipeline.trim_end());
            ExitCode::SUCCESS
        }
        Ok(None) => {
            let words = "there is no sink azure_logs_ingestion or azure_monitor_logs in it, so there is nothing to migrate";
            exit::failed(&format!("{}: {words}", exit::names(paths)))
        }
        Err(problems) => exit::problems(paths, &problems),
    }
}

/// What `validate` would say of the new file.
fn left_to_do(pipeline: &str) -> Vec<String> {
    let checked = || -> std::io::Result<Vec<Problem>> {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        std::fs::write(file.path(), pipeline)?;
        let environment = environment();
        let read = pipeline_file::read(&[file.path().to_owned()], &environment);
        let graph = read.map(|file| pipeline_file::component_graph(&file, &registry::catalogue()));
        Ok(graph.and_then(|graph| plan::check(&graph, &environment)).err().unwrap_or_default())
    };
    // Where it lies is nobody's business: it is gone by now.
    let shown = |problem: Problem| Problem { place: None, ..problem }.to_string();
    checked().unwrap_or_default().into_iter().map(shown).collect()
}
