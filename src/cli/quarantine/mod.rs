//! `quarantine`: what could never be accepted: looks at it, removes it, delivers it again.

mod drop;
mod list;
mod retry;
mod retry_source;
mod show;
mod summary;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::data_location::WrongFiles;
use super::exit;
use runtime::clock::Clock;
use runtime::quarantine::{Contents, Entry, RetryRequest, components};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show how much is in the quarantine, by component and reason.
    List(list::Arguments),
    /// Show events that are in the quarantine, and why.
    Show(show::Arguments),
    /// Remove events from the quarantine for good.
    Drop(drop::Arguments),
    /// Deliver events again: what is delivered leaves the quarantine, what is refused again stays.
    Retry(retry::Arguments),
}

/// Which events of a component a command is for.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// These events, by the ids that `show` prints.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All events that are there for this reason.
    #[arg(long)]
    reason: Option<String>,
    /// All events of the component.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let done = match arguments.action {
        Action::List(arguments) => list::run(&arguments),
        Action::Show(arguments) => show::run(&arguments),
        Action::Drop(arguments) => drop::run(&arguments),
        Action::Retry(arguments) => retry::run(arguments, clock).await,
    };
    match done {
        Ok(code) => code,
        Err(Wrong::Failed(message)) => exit::failed(&message),
        Err(Wrong::Files(wrong)) => wrong.exit(),
    }
}

/// Why a command could not do what it was asked.
enum Wrong {
    Failed(String),
    /// Something is wrong in the pipeline file.
    Files(WrongFiles),
}

impl From<WrongFiles> for Wrong {
    fn from(wrong: WrongFiles) -> Self {
        Self::Files(wrong)
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

// === impl Selection ===

impl Selection {
    fn takes(&self, entry: &Entry) -> bool {
        self.all
            || self.reason.as_ref().is_some_and(|reason| *reason == entry.code)
            || self.ids.contains(&entry.id)
    }

    fn request(&self) -> RetryRequest {
        RetryRequest { ids: self.ids.clone(), reason: self.reason.clone(), all: self.all }
    }

    /// Whether everything that it names is there.
    fn check(&self, component: &str, contents: &Contents) -> Result<(), Wrong> {
        let (mut missing, mut reasons) = (self.ids.clone(), std::collections::BTreeSet::new());
        for entry in contents.entries() {
            let entry = entry.map_err(|error| unreadable(component, &error))?;
            missing.retain(|id| *id != entry.id);
            reasons.insert(entry.code);
        }
        if !missing.is_empty() {
            let message = format!(
                "there is no event {} in the quarantine of {component}: `quarantine show` prints the ids that there are",
                missing.join(", ")
            );
            return Err(message.into());
        }
        self.reason.as_ref().map_or(Ok(()), |reason| check_reason(component, reason, &reasons))
    }
}

fn check_reason(
    component: &str,
    reason: &str,
    reasons: &std::collections::BTreeSet<String>,
) -> Result<(), Wrong> {
    if reasons.contains(reason) {
        return Ok(());
    }
    let message = format!(
        "nothing is in the quarantine of {component} for the reason {reason}; there is: {}",
        or_nothing(reasons.iter().map(String::as_str))
    );
    Err(message.into())
}

/// What is in a component's quarantine.
fn contents(data_dir: &Path, component: &str) -> Result<Contents, Wrong> {
    let found = Contents::of(data_dir, component).map_err(|error| unreadable(component, &error))?;
    if let Some(contents) = found {
        return Ok(contents);
    }
    let there = components(data_dir).map_err(|error| unreadable(component, &error))?;
    let message = format!(
        "{component} has no quarantine in {}; there is: {}",
        data_dir.display(),
        or_nothing(there.iter().map(String::as_str))
    );
    Err(message.into())
}

fn or_nothing<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn unreadable(component: &str, error: &std::io::Error) -> Wrong {
    Wrong::Failed(format!("cannot read the quarantine of {component}: {error}"))
}
