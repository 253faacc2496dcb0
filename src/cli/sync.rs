//! `sync`: how keeping incidents in sync stands.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::data_location::DataLocation;
use super::{HEARD_WITHIN, exit, rng, say, set_aside};
use crate::sinks::incident_sync::status::{self, Status};
use crate::sinks::incident_sync::{SyncAnswer, SyncCommand, recipient};
use incident_model::field::Side;
use runtime::clock::Clock;
use runtime::control::{Mailbox, Progress};

/// How long what the pipeline has heard may take until we no longer wait.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// Why a command could not be given.
type Wrong = Box<dyn std::error::Error>;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what waits to be written, why, and whether writing is halted. Ends with 1 if anything fails or is halted.
    Status {
        #[command(flatten)]
        place: DataLocation,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Try incidents again that the other side has refused, after mending the cause. If nothing runs, they are tried when it
    /// does.
    Retry {
        #[command(flatten)]
        place: DataLocation,
        /// The ledger's name in the pipeline file.
        #[arg(long, default_value = "default")]
        ledger: String,
        /// The side that is to be written.
        #[arg(long, value_enum)]
        to: To,
        /// The incidents, as `sync status` and the quarantine name them in `incident`.
        #[arg(required = true)]
        incidents: Vec<String>,
    },
    /// Let writing go on that was halted because too many incidents would have changed. If nothing runs, it goes on when it
    /// does.
    Resume {
        #[command(flatten)]
        place: DataLocation,
        /// The ledger's name in the pipeline file.
        #[arg(long, default_value = "default")]
        ledger: String,
        /// The side that is to be written again; both if it is not given.
        #[arg(long, value_enum)]
        to: Option<To>,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum To {
    Defender,
    Sentinel,
}

// === impl To ===

impl To {
    const fn side(self) -> Side {
        match self {
            Self::Defender => Side::Defender,
            Self::Sentinel => Side::Sentinel,
        }
    }
}

pub(super) async fn run(arguments: &Arguments, clock: &Clock) -> ExitCode {
    let (Action::Status { place, .. } | Action::Retry { place, .. } | Action::Resume { place, .. }) =
        &arguments.action;
    let data_dir = match place.data_dir() {
        Ok(data_dir) => data_dir,
        Err(wrong) => return wrong.exit(),
    };
    let done = match &arguments.action {
        Action::Status { json, .. } => {
            status::read_all(&data_dir).map(|all| show(&data_dir, &all, *json)).map_err(Into::into)
        }
        Action::Retry { ledger, to, incidents, .. } => {
            retry(&data_dir, ledger, to.side(), incidents, clock).await
        }
        Action::Resume { ledger, to, .. } => resume(&data_dir, ledger, to.map(To::side), clock).await,
    };
    done.unwrap_or_else(|error| exit::failed(&format!("cannot use {}: {error}", data_dir.display())))
}

fn show(data_dir: &Path, all: &[Status], json: bool) -> ExitCode {
    if all.is_empty() {
        return none(data_dir);
    }
    for status in all {
        if json {
            say(serde_json::json!(status));
        } else {
            show_one(data_dir, status);
        }
    }
    let is_well = |status: &Status| {
        status.halted.is_none() && status.incidents.iter().all(|incident| incident.problem.is_none())
    };
    if all.iter().all(is_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn none(data_dir: &Path) -> ExitCode {
    exit::failed(&format!("no sink has kept incidents in sync with the data_dir {} yet", data_dir.display()))
}

fn show_one(data_dir: &Path, status: &Status) {
    let Status { ledger, target, component, time, waiting, .. } = status;
    say(format!("{component}: to {target}, ledger {ledger}, as of {}", time.format("%Y-%m-%d %H:%M:%S UTC")));
    if status.dry_run {
        say("  dry run: nothing is written");
    }
    if let Some(why) = &status.halted {
        let (side, dir) = (target.to_string().to_lowercase(), data_dir.display());
        let resume = format!("vector-sentinel sync resume --data-dir {dir} --ledger {ledger} --to {side}");
        say(format!("  HALTED: {why}. `{resume}` lets it go on"));
    }
    say(format!("  {waiting} waiting"));
    for incident in &status.incidents {
        let since = incident.since.format("%Y-%m-%d %H:%M:%S UTC");
        let why = incident
            .problem
            .as_ref()
            .map_or_else(String::new, |problem| format!(", failed {} times: {problem}", incident.attempts));
        say(format!("  {} since {since}{why}", incident.incident));
    }
}

/// Why a ledger cannot be meant, if it cannot.
fn objection(data_dir: &Path, ledger: &str) -> std::io::Result<Option<ExitCode>> {
    let known = status::read_all(data_dir)?;
    if known.is_empty() {
        return Ok(Some(none(data_dir)));
    }
    if known.iter().any(|status| status.ledger == ledger) {
        return Ok(None);
    }
    let known: BTreeSet<_> = known.iter().map(|status| status.ledger.as_str()).collect();
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    Ok(Some(exit::failed(&format!("there is no ledger {ledger} here; there is: {known}"))))
}

async fn retry(
    data_dir: &Path,
    ledger: &str,
    side: Side,
    incidents: &[String],
    clock: &Clock,
) -> Result<ExitCode, Wrong> {
    if let Some(code) = objection(data_dir, ledger)? {
        return Ok(code);
    }
    let mut mailbox = Mailbox::new(data_dir, clock.clone(), rng(clock));
    let command = SyncCommand::Retry { incidents: incidents.to_vec() };
    let asked = mailbox.ask(recipient(ledger, side), command)?;
    let request = format!("asked to write {} to {side} again", incidents.join(", "));
    Ok(match asked.wait(HEARD_WITHIN, Some(ANSWERED_WITHIN)).await? {
        Progress::Answered(SyncAnswer::Retried { tried, unknown }) => {
            if !tried.is_empty() {
                say(format!("answered: {} is written to {side} again", tried.join(", ")));
            }
            if !unknown.is_empty() {
                say(format!("answered: nothing is known of {}, and nothing is written", unknown.join(", ")));
            }
            ExitCode::SUCCESS
        }
        progress => unanswered(&request, &progress),
    })
}

async fn resume(data_dir: &Path, ledger: &str, side: Option<Side>, clock: &Clock) -> Result<ExitCode, Wrong> {
    if let Some(code) = objection(data_dir, ledger)? {
        return Ok(code);
    }
    // A side that was never written is not halted, and there may be nobody to answer for it.
    let all = status::read_all(data_dir)?;
    let written = all.iter().filter(|status| status.ledger == ledger).map(|status| status.target);
    let sides = side.map_or_else(|| written.collect(), |side| vec![side]);
    let mut mailbox = Mailbox::new(data_dir, clock.clone(), rng(clock));
    // All are asked before any is waited for.
    let mut asked = Vec::new();
    for side in sides {
        asked.push((side, mailbox.ask(recipient(ledger, side), SyncCommand::Resume)?));
    }
    let waited = asked.iter().map(|(_, asked)| asked.wait(HEARD_WITHIN, Some(ANSWERED_WITHIN)));
    let waited = futures::future::try_join_all(waited).await?;
    let mut code = ExitCode::SUCCESS;
    for ((side, _), progress) in asked.iter().zip(waited) {
        match progress {
            Progress::Answered(SyncAnswer::Resumed { was_halted: true }) => {
                say(format!("answered: writing to {side} goes on"));
            }
            Progress::Answered(SyncAnswer::Resumed { was_halted: false }) => {
                say(format!("answered: writing to {side} goes on as before, it was not halted"));
            }
            progress => {
                let ended = unanswered(&format!("asked to let writing to {side} go on"), &progress);
                if ended != ExitCode::SUCCESS {
                    code = ended;
                }
            }
        }
    }
    Ok(code)
}

/// Says how far something is that was asked, if it is not done.
fn unanswered(request: &str, progress: &Progress<SyncAnswer>) -> ExitCode {
    match progress {
        Progress::Asked => {
            say(format!("{request}: nothing has answered, and it is done when the pipeline runs"));
            ExitCode::SUCCESS
        }
        Progress::Claimed => {
            say(format!("{request}: it is heard and not answered yet; the log says what comes of it"));
            ExitCode::SUCCESS
        }
        Progress::Unreadable(path) => exit::failed(&set_aside(path)),
        Progress::Removed => exit::failed(&format!("{request}: somebody has removed that")),
        Progress::Answered(_) => exit::failed(&format!("{request}: the answer is one to something else")),
    }
}
