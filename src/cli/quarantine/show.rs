//! `quarantine show`: the events that are there, and why.

use std::process::ExitCode;

use super::summary::{Size, time};
use super::{Selection, Wrong, contents, unreadable};
use crate::cli::data_location::DataLocation;
use crate::cli::say;
use runtime::quarantine::Entry;

/// How many events are shown to people who have not said how many.
const LIMIT: usize = 20;
/// How much of an event people are shown.
const SHOWN_CHARS: usize = 300;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: DataLocation,
    /// The sink or source.
    component: String,
    /// Only the event with this id.
    #[arg(conflicts_with = "reason")]
    id: Option<String>,
    /// Only events that are there for this reason.
    #[arg(long)]
    reason: Option<String>,
    /// Show no more than so many, the oldest ones. Default: 20, and all with --json.
    #[arg(long)]
    limit: Option<usize>,
    /// Print each event whole, as the line of NDJSON that it is.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Wrong> {
    let component = &arguments.component;
    let contents = contents(&arguments.place.data_dir()?, component)?;
    let selection = Selection {
        ids: arguments.id.clone().into_iter().collect(),
        reason: arguments.reason.clone(),
        all: arguments.id.is_none() && arguments.reason.is_none(),
    };
    selection.check(component, &contents)?;
    let limit = arguments.limit.unwrap_or(if arguments.json { usize::MAX } else { LIMIT });
    let mut more = 0;
    let mut shown = 0;
    for entry in contents.entries() {
        let entry = entry.map_err(|error| unreadable(component, &error))?;
        if !selection.takes(&entry) {
            continue;
        }
        if shown >= limit {
            more += 1;
            continue;
        }
        shown += 1;
        if arguments.json {
            let line = entry.to_line().map_err(|error| format!("cannot print {}: {error}", entry.id))?;
            say(String::from_utf8_lossy(&line).trim_end());
        } else {
            show(&entry);
        }
    }
    if more > 0 {
        eprintln!("{more} more: see --limit, --reason and --json");
    } else if shown == 0 {
        eprintln!("nothing is in the quarantine of {component}");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(entry: &Entry) {
    let mut head = vec![entry.id.clone()];
    head.extend(entry.time.map(time));
    head.push(entry.code.clone());
    head.push(Size(entry.bytes).to_string());
    head.extend(entry.stream.clone());
    head.extend(entry.request_id.as_ref().map(|id| format!("request {id}")));
    say(plain(&head.join("  ")));
    say(format!("    {}", plain(&entry.message)));
    let event = entry.event_text();
    let mut text: String = event.chars().take(SHOWN_CHARS).collect();
    if text.len() < event.len() {
        text.push('…');
    }
    say(format!("    {}", plain(&text)));
}

/// An event must not be able to command the terminal that it is shown on.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
