//! `quarantine retry` of a source: the pipeline that runs hands its events to Vector again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::{Selection, Wrong, unreadable};
use crate::cli::say;
use crate::cli::signals::Signals;
use runtime::clock::Clock;
use runtime::quarantine::{Answer, Contents, Progress, Request};

/// How long a pipeline that runs may take to hear of it.
const HEARD_WITHIN: Duration = Duration::from_secs(10);
/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(200);

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
    if Request::progress(data_dir, id) != Progress::Done {
        let message = format!("a retry of {id} was asked for before and is not done yet: wait until it is");
        return Err(message.into());
    }
    let asked = selection.request().ask(data_dir, id);
    asked.map_err(|error| format!("cannot ask for a retry of {id}: {error}"))?;
    let began = clock.monotonic();
    loop {
        match Request::progress(data_dir, id) {
            Progress::Done => break,
            Progress::Asked if clock.monotonic() - began >= HEARD_WITHIN => {
                let message = format!(
                    "{id} is a source, whose events only a pipeline that runs beside Vector can hand on, and none has heard of \
                     it yet: they are handed on when it is started with this data_dir"
                );
                return Err(message.into());
            }
            Progress::Asked | Progress::Heard => {}
        }
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            () = signals.stopped(1) => {
                return Err("no longer waiting; the pipeline goes on with it".to_owned().into());
            }
        }
    }
    let answer =
        Answer::get(data_dir, id).map_err(|error| format!("cannot read what came of it: {error}"))?;
    let Answer { delivered, refused, unreadable } = answer.unwrap_or_default();
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
