//! `quarantine retry` of a source: the pipeline that runs hands its events to Vector again.

use std::path::Path;
use std::process::ExitCode;

use super::{Selection, Wrong, unreadable};
use crate::cli::signals::Signals;
use crate::cli::{HEARD_WITHIN, rng, say, set_aside};
use runtime::clock::Clock;
use runtime::control::{Mailbox, Progress, Recipient};
use runtime::quarantine::{Contents, Retried, SourceAnswer, SourceCommand};

/// Asks for the events of a selection that was checked, and waits for what comes of it.
pub(super) async fn run(
    data_dir: &Path,
    id: &str,
    selection: &Selection,
    signals: &Signals,
    clock: &Clock,
) -> Result<ExitCode, Wrong> {
    let contents = Contents::of(data_dir, id).map_err(|error| unreadable(id, &error))?;
    let mut all = 0;
    for entry in contents.iter().flat_map(Contents::entries) {
        all += u64::from(selection.takes(&entry.map_err(|error| unreadable(id, &error))?));
    }
    if all == 0 {
        say(format!("nothing is in the quarantine of {id}"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut mailbox = Mailbox::new(data_dir, clock.clone(), rng(clock));
    let to = Recipient::Component(id.to_owned());
    let cannot = |error| format!("cannot ask for a retry of {id}: {error}");
    if mailbox.is_waiting(&to).map_err(cannot)? {
        let message = format!("a retry of {id} was asked for before and is not done yet: wait until it is");
        return Err(message.into());
    }
    let asked = mailbox.ask(to, SourceCommand::Retry(selection.request())).map_err(cannot)?;
    let progress = tokio::select! {
        progress = asked.wait(HEARD_WITHIN, None) => {
            progress.map_err(|error| format!("cannot read what came of it: {error}"))?
        }
        () = signals.stopped(1) => {
            return Err("no longer waiting; the pipeline goes on with it".to_owned().into());
        }
    };
    let Retried { delivered, refused, unreadable } = match progress {
        Progress::Answered(SourceAnswer::Retried(retried)) => retried,
        Progress::Unreadable(path) => return Err(set_aside(&path).into()),
        Progress::Removed => return Err("somebody has removed what was asked".to_owned().into()),
        Progress::Asked | Progress::Claimed => {
            let message = format!(
                "{id} is a source, whose events only a pipeline that runs beside Vector can hand on, and none has heard of \
                 it yet: they are handed on when it is started with this data_dir"
            );
            return Err(message.into());
        }
    };
    let mut parts = vec![format!("{delivered} of {all} delivered")];
    if refused > 0 {
        parts.push(format!("{refused} refused again, which stay, with the new reason"));
    }
    if unreadable > 0 {
        parts.push(format!("{unreadable} are no events and stay as they are"));
    }
    say(format!("{id}: {}", parts.join("; ")));
    Ok(if delivered == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
