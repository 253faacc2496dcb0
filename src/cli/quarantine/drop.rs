//! `quarantine drop`: removes events for good.

use std::process::ExitCode;

use super::summary::Summary;
use super::{Selection, Wrong, contents, unreadable};
use crate::cli::data_location::DataLocation;
use crate::cli::say;
use runtime::quarantine::{At, Contents, Removal};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "vector-sentinel quarantine drop <-c FILE|--data-dir DIR> COMPONENT <ID...|--reason REASON|--all> [--yes]"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: DataLocation,
    /// The sink or source.
    component: String,
    #[command(flatten)]
    selection: Selection,
    /// Do it. Without this, what would be removed is said, and nothing is done.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Wrong> {
    let component = &arguments.component;
    let data_dir = arguments.place.data_dir()?;
    // First of all, so that a mistyped name makes no directory.
    let contents = contents(&data_dir, component)?;
    if !arguments.yes {
        let (summary, _) = select(arguments, &contents)?;
        if summary.events > 0 {
            say(format!(
                "would remove {summary}, from the quarantine of {component}: {}. Nothing is removed without --yes",
                summary.by_reason()
            ));
        } else {
            say(format!("nothing is in the quarantine of {component}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let removal = Removal::begin(&data_dir, component).map_err(|error| error.to_string())?;
    let (summary, places) = select(arguments, removal.contents())?;
    let removed = removal.remove(&places).and_then(|()| removal.finish());
    removed.map_err(|error| error.to_string())?;
    if summary.events > 0 {
        say(format!("removed {summary}, from the quarantine of {component}: {}", summary.by_reason()));
    } else {
        say(format!("nothing is in the quarantine of {component}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be removed, and where it is.
fn select(arguments: &Arguments, contents: &Contents) -> Result<(Summary, Vec<At>), Wrong> {
    let Arguments { component, selection, .. } = arguments;
    selection.check(component, contents)?;
    let (mut summary, mut places) = (Summary::default(), Vec::new());
    for entry in contents.entries() {
        let entry = entry.map_err(|error| unreadable(component, &error))?;
        if selection.takes(&entry) {
            summary.add(&entry);
            places.push(entry.at);
        }
    }
    Ok((summary, places))
}
