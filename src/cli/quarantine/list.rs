//! `quarantine list`: how much is there.

use std::process::ExitCode;

use super::summary::{Size, Summary};
use super::{Wrong, contents, unreadable};
use crate::cli::data_location::DataLocation;
use crate::cli::say;
use runtime::quarantine::components;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: DataLocation,
    /// This sink or source only.
    component: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Wrong> {
    let data_dir = arguments.place.data_dir()?;
    if !data_dir.is_dir() && arguments.place.data_dir.is_some() {
        return Err(format!("there is no directory {}", data_dir.display()).into());
    }
    let listed = match &arguments.component {
        Some(component) => vec![component.clone()],
        None => components(&data_dir)
            .map_err(|error| format!("cannot look into {}: {error}", data_dir.display()))?,
    };
    let mut any = false;
    for component in &listed {
        let contents = contents(&data_dir, component)?;
        let mut summary = Summary::default();
        for entry in contents.entries() {
            summary.add(&entry.map_err(|error| unreadable(component, &error))?);
        }
        if summary.events == 0 && arguments.component.is_none() {
            continue;
        }
        any = true;
        let files = contents.file_count();
        say(format!(
            "{component}: {summary}; {} on disk in {files} file{}",
            Size(contents.file_bytes()),
            if files == 1 { "" } else { "s" }
        ));
        for (reason, group) in &summary.reasons {
            say(format!("  {reason}: {group}"));
        }
    }
    if !any {
        say(format!("nothing is in the quarantine in {}", data_dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}
