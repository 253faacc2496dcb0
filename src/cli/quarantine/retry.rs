//! `quarantine retry`: delivers events again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures::FutureExt;
use tracing::info;

use super::{Selection, Wrong, contents, or_nothing, retry_source, unreadable};
use crate::cli::data_location::WrongFiles;
use crate::cli::signals::Signals;
use crate::cli::{exit, load, rng, say};
use crate::component::BuiltSink;
use crate::topology::plan::{Plan, Planned};
use microsoft::connection::Connector;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::BatchStatus;
use runtime::quarantine::{At, Entries, Entry, Mode, Removal};

/// So many events go first: if all are refused again, the cause is still there, and the others are left where they are.
const FIRST: usize = 10;
/// What is delivered at a time, and may arrive twice after a kill.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// How long to wait, after SIGTERM or Ctrl-C, for what is being delivered.
const SHUTDOWN_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "vector-sentinel quarantine retry -c FILE COMPONENT <ID...|--reason REASON|--all>"
)]
pub(super) struct Arguments {
    /// The pipeline file, which says how to deliver. It may be running.
    #[arg(
        short,
        long,
        env = "VECTOR_SENTINEL_CONFIG",
        value_name = "FILE",
        value_delimiter = ',',
        required = true
    )]
    config: Vec<PathBuf>,
    /// The component. Events of a source are handed on by the pipeline that runs.
    component: String,
    #[command(flatten)]
    selection: Selection,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    delivered: u64,
    refused: u64,
    /// Those that cannot be made into events.
    unreadable: u64,
    /// Whether it was ended while something was being delivered.
    gave_up: bool,
    /// Why the rest was not tried, if it was not.
    stopped: Option<String>,
}

/// What there is to do about rows that are too large.
const TOO_LARGE: &str = "of those refused, some were too_large: a row of theirs is larger than a call may be, and will be again.                          Incidents of any size are taken by layout defender, with a row for each alert, and by layout raw, over                          several rows, if batch.max_bytes is not lowered; any other event must be split or shortened in a transform";

struct Retrying<'a> {
    sink: BuiltSink,
    selection: &'a Selection,
    removal: Removal,
    signals: Signals,
    clock: Clock,
    outcome: Outcome,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> Result<ExitCode, Wrong> {
    // Before anything else, so that no signal is missed.
    let signals = Signals::count().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let Arguments { config, component: id, selection } = arguments;
    let plan = match load(&config, &clock).await {
        Ok(loaded) => loaded.plan,
        Err(problems) => return Err(WrongFiles(config, problems).into()),
    };
    if plan.sources.iter().any(|source| source.id == id) {
        selection.check(&id, &contents(&plan.data_dir, &id)?)?;
        return retry_source::run(&plan.data_dir, &id, &selection, &signals, &clock).await;
    }
    let planned = sink(&plan, &config, &id)?;
    if planned.component.sync().is_some() {
        return Err(not_again(&id));
    }
    // Before anything is made, so that a sink that never kept anything gets no directory.
    contents(&plan.data_dir, &id)?;
    let removal = Removal::begin(&plan.data_dir, &id).map_err(|error| error.to_string())?;
    selection.check(&id, removal.contents())?;
    let connector = Connector::new(clock.clone());
    let Some(sink) =
        planned.component.redeliver(&id, &plan.data_dir.as_path().into(), &connector, rng(&clock))
    else {
        return Err(not_again(&id));
    };
    let sink = sink.map_err(|error| error.to_string())?;
    sink.quarantine.set_mode(Mode::Redelivery);
    let (mut all, mut is_any_large) = (0, false);
    for entry in removal.contents().entries() {
        let entry = entry.map_err(|error| unreadable(&id, &error))?;
        let is_selected = selection.takes(&entry);
        all += u64::from(is_selected);
        is_any_large |= is_selected && entry.code == "too_large";
    }
    let outcome = Outcome::default();
    let mut retrying = Retrying { sink, selection: &selection, removal, signals, clock, outcome };
    let done = retrying.deliver_all(&id, all).await;
    let Retrying { removal, outcome, .. } = retrying;
    // Also after a failure: what was delivered has left.
    let tidied = removal.finish();
    report(&id, all, &outcome);
    if outcome.refused > 0 && is_any_large {
        eprintln!("{TOO_LARGE}");
    }
    done?;
    tidied.map_err(|error| error.to_string())?;
    Ok(match outcome {
        Outcome { gave_up: true, .. } => exit::gave_up(),
        Outcome { delivered, .. } if delivered == all => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What is in the quarantine may be older than what is known by now.
fn not_again(id: &str) -> Wrong {
    let message = format!(
        "{id} writes incidents, and what is here may be older than what both sides have by now. Mend what the reason names, \
         have the incident written as it is now with `sync retry`, and remove what is here with `quarantine drop`"
    );
    message.into()
}

/// The sink with this id.
fn sink<'p>(plan: &'p Plan, paths: &[PathBuf], id: &str) -> Result<&'p Planned, Wrong> {
    if let Some(sink) = plan.sinks.iter().find(|sink| sink.id == id) {
        return Ok(sink);
    }
    let ids = plan.sinks.iter().map(|sink| sink.id.as_str());
    let ids = or_nothing(ids.chain(plan.sources.iter().map(|source| source.id.as_str())));
    Err(format!("{} has no component {id} of ours; there is: {ids}", exit::names(paths)).into())
}

fn report(id: &str, all: u64, outcome: &Outcome) {
    if all == 0 {
        say(format!("nothing is in the quarantine of {id}"));
        return;
    }
    let Outcome { delivered, refused, unreadable, .. } = outcome;
    let mut parts = vec![format!("{delivered} of {all} delivered")];
    if *refused > 0 {
        parts.push(format!("{refused} refused again, which stay, with the new reason"));
    }
    if *unreadable > 0 {
        parts.push(format!("{unreadable} are no events and stay as they are"));
    }
    let untried = all.saturating_sub(delivered + refused + unreadable);
    if untried > 0 {
        parts.push(format!("{untried} stay and were not (or not to the end) tried"));
    }
    say(format!("{id}: {}", parts.join("; ")));
    if let Some(why) = &outcome.stopped {
        eprintln!("{why}");
    }
}

// === impl Retrying ===

impl Retrying<'_> {
    /// Delivers all selected events, or until there is a reason to stop.
    async fn deliver_all(&mut self, id: &str, all: u64) -> Result<(), Wrong> {
        let mut entries = self.removal.contents().entries();
        let mut limit = FIRST;
        loop {
            let (events, places) =
                self.next_batch(&mut entries, limit).map_err(|error| unreadable(id, &error))?;
            if events.is_empty() {
                return Ok(());
            }
            if self.signals.stopped(1).now_or_never().is_some() {
                self.outcome.stopped = Some("stopped".to_owned());
                return Ok(());
            }
            if !self.deliver(events).await {
                return Ok(());
            }
            // Delivered, or back in the quarantine with the new reason.
            self.removal.remove(&places).map_err(|error| error.to_string())?;
            let Outcome { delivered, refused, unreadable, .. } = self.outcome;
            info!(delivered, refused, of = all, "Delivering what was in the quarantine.");
            if delivered == 0 && refused >= FIRST as u64 && refused + unreadable < all {
                let why = format!(
                    "the first {refused} were refused again and none was delivered, so that the cause is still there and the \
                     others were left alone: `quarantine show` says why they were refused. Those that were tried are last in \
                     line now"
                );
                self.outcome.stopped = Some(why);
                return Ok(());
            }
            limit = BATCH_EVENTS;
        }
    }

    /// The next events, and where they are.
    fn next_batch(&mut self, entries: &mut Entries, limit: usize) -> std::io::Result<(Vec<Event>, Vec<At>)> {
        let (mut events, mut places, mut bytes) = (Vec::new(), Vec::new(), 0);
        while events.len() < limit && bytes < BATCH_BYTES {
            let Some(entry) = entries.next().transpose()? else { break };
            if !self.selection.takes(&entry) {
                continue;
            }
            let Some(event) = event(&entry) else {
                self.outcome.unreadable += 1;
                continue;
            };
            bytes += entry.bytes;
            places.push(entry.at);
            events.push(event);
        }
        Ok((events, places))
    }

    /// Delivers a batch, and answers whether it is known what became of each of its events.
    async fn deliver(&mut self, events: Vec<Event>) -> bool {
        let (count, before) = (events.len() as u64, self.sink.quarantine.stored_count());
        let give_up = async {
            self.signals.stopped(1).await;
            info!("Stopping: finishing what is being delivered.");
            tokio::select! {
                () = self.signals.stopped(2) => {}
                () = self.clock.sleep(SHUTDOWN_LIMIT) => {}
            }
        };
        let status = tokio::select! {
            status = self.sink.deliver.deliver(Batch::from(events)) => status,
            () = give_up => {
                let why = "stopped while events were being delivered: they stay, and may arrive twice next time";
                self.outcome.stopped = Some(why.to_owned());
                self.outcome.gave_up = true;
                return false;
            }
        };
        if status == BatchStatus::Errored {
            self.outcome.stopped = Some("the sink failed: see the log lines".to_owned());
            return false;
        }
        let refused = self.sink.quarantine.stored_count() - before;
        self.outcome.refused += refused;
        self.outcome.delivered += count - refused;
        true
    }
}

/// The event as the sink once got it, if there is one: what could not be read when it came is none.
fn event(entry: &Entry) -> Option<Event> {
    entry.event().filter(|_| entry.code != "undecodable")
}
