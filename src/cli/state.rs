//! `state`: what is remembered between runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

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
    /// Show each component's cursor and how many delivered revisions are remembered, one JSON object a line.
    Show {
        #[command(flatten)]
        place: StateLocation,
    },
    /// Forget a component's cursor: its next run begins as the very first did, and delivers again what it finds.
    Reset {
        #[command(flatten)]
        place: StateLocation,
        /// The component: its kind and id, `sources.defender`.
        component: String,
    },
}

#[derive(Debug, clap::Args)]
struct StateLocation {
    /// The pipeline's data_dir. Nothing may be running with it.
    #[arg(long)]
    data_dir: PathBuf,
}

pub(super) async fn run(arguments: Arguments, _: Clock) -> ExitCode {
    let (Action::Show { place } | Action::Reset { place, .. }) = &arguments.action;
    // Looking must not make a state file.
    match place.data_dir.join(FILE_NAME).try_exists() {
        Ok(true) => {}
        Ok(false) => return exit::failed(&format!("there is no state file in {}", place.data_dir.display())),
        Err(error) => {
            return exit::failed(&format!("cannot look into {}: {error}", place.data_dir.display()));
        }
    }
    match act(&arguments).await {
        Ok(code) => code,
        Err(error) => exit::failed(&error.to_string()),
    }
}

async fn act(arguments: &Arguments) -> Result<ExitCode, StoreError> {
    let (Action::Show { place } | Action::Reset { place, .. }) = &arguments.action;
    let store = Store::open(&place.data_dir)?;
    match &arguments.action {
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
