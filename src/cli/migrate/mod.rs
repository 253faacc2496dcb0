//! `migrate`: prints a file of Vector's with `sentinel_logs` in the place of Vector's own sinks for Azure.

mod data_collector;
mod logs_ingestion;
mod sinks;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use super::{PipelinePaths, environment, exit, say};
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
            for (heading, lines) in
                [("Changed", changes), ("To deploy", to_deploy), ("What means something else now", meanings)]
            {
                eprintln!("{heading}:");
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
