//! `state`: what is remembered between runs.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::data_location::DataLocation;
use super::{exit, say};
use runtime::clock::Clock;
use runtime::store::{FILE_NAME, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show, while nothing runs, each component's cursor and how many delivered revisions are remembered, one JSON object a line.
    Show {
        #[command(flatten)]
        place: DataLocation,
    },
    /// Forget, while nothing runs, a component's cursor: its next run begins as the very first did, and delivers again what it finds.
    Reset {
        #[command(flatten)]
        place: DataLocation,
        /// The component: its kind and id, `sources.defender`.
        component: String,
    },
}

pub(super) async fn run(arguments: Arguments, _: Clock) -> ExitCode {
    let (Action::Show { place } | Action::Reset { place, .. }) = &arguments.action;
    let data_dir = match place.data_dir() {
        Ok(data_dir) => data_dir,
        Err(wrong) => return wrong.exit(),
    };
    // Looking must not make a state file.
    match data_dir.join(FILE_NAME).try_exists() {
        Ok(true) => {}
        Ok(false) => return exit::failed(&format!("there is no state file in {}", data_dir.display())),
        Err(error) => {
            return exit::failed(&format!("cannot look into {}: {error}", data_dir.display()));
        }
    }
    match act(&arguments.action, &data_dir).await {
        Ok(code) => code,
        Err(error) => exit::failed(&error.to_string()),
    }
}

async fn act(action: &Action, data_dir: &Path) -> Result<ExitCode, StoreError> {
    let store = Store::open(data_dir)?;
    match action {
        Action::Show { .. } => {
            for entry in store.entries().await? {
                say(format!("{}", serde_json::json!(entry)));
            }
        }
        Action::Reset { component, .. } => {
            if !store.reset(component).await? {
                let known: Vec<_> = store.entries().await?.into_iter().map(|entry| entry.component).collect();
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                let message = format!("nothing is remembered of {component}; there is: {known}");
                return Ok(exit::failed(&message));
            }
            say(format!("{component} is forgotten"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
