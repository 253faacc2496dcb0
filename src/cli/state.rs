//! `state`: what is remembered between runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::exit;
use crate::clock::Clock;
use crate::store::{FILE_NAME, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The pipeline's data_dir.
    #[arg(long)]
    data_dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show each component's cursor and how many delivered revisions are remembered.
    Show,
    /// Forget a component's cursor: its next run begins as the very first did, and delivers again what it finds.
    Reset {
        /// The component: its kind and id, `sources.defender`.
        component: String,
    },
}

pub(super) async fn run(arguments: Arguments, _: Clock) -> ExitCode {
    // Looking must not make a state file.
    if !arguments.data_dir.join(FILE_NAME).exists() {
        return exit::failed(&format!("there is no state file in {}", arguments.data_dir.display()));
    }
    match act(&arguments).await {
        Ok(code) => code,
        Err(error) => exit::failed(&error.to_string()),
    }
}

async fn act(arguments: &Arguments) -> Result<ExitCode, StoreError> {
    let store = Store::open(&arguments.data_dir)?;
    match &arguments.action {
        Action::Show => {
            for entry in store.entries().await? {
                println!("{}", serde_json::json!(entry));
            }
        }
        Action::Reset { component } => {
            if !store.reset(component).await? {
                let known: Vec<_> = store.entries().await?.into_iter().map(|entry| entry.component).collect();
                let message = format!("nothing is remembered of {component}; there is: {}", known.join(", "));
                return Ok(exit::failed(&message));
            }
            println!("{component} is forgotten");
        }
    }
    Ok(ExitCode::SUCCESS)
}
