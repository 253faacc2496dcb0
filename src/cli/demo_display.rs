//! What the demo shows while it runs: a line that changes on a terminal, lines below each other elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use chrono::DateTime;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::say;
use runtime::clock::Clock;
use simulator::Simulator;

/// How often a line is printed where lines do not change.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Shows how the demo goes.
pub(super) enum Display {
    /// On a terminal.
    Live(ProgressBar),
    /// Elsewhere; when the last line was printed.
    Plain(Option<Instant>),
}

// === impl Display ===

impl Display {
    pub(super) fn new() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::Plain(None);
        }
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        Self::Live(bar)
    }

    /// Shows how things stand; `phase` is what is going on.
    pub(super) fn show(&mut self, simulator: &Simulator, clock: &Clock, phase: &str) {
        match self {
            Self::Live(bar) => {
                bar.set_message(format!("{phase}\n{}", status(simulator, clock)));
                bar.tick();
            }
            Self::Plain(last) => {
                let now = clock.monotonic();
                if last.is_none_or(|last| now - last >= PLAIN_EVERY) {
                    *last = Some(now);
                    say(format!("{phase}: {}", status(simulator, clock)));
                }
            }
        }
    }

    /// Shows how things stand at the end.
    pub(super) fn finish(&self, simulator: &Simulator, clock: &Clock) {
        let status = status(simulator, clock);
        if let Self::Live(bar) = self {
            bar.finish_and_clear();
        }
        say(format!("all ingested: {status}"));
    }
}

fn status(simulator: &Simulator, clock: &Clock) -> String {
    let stats = simulator.stats();
    let newest = stats.newest_row.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let fresh = newest.map_or_else(
        || "no row yet".to_owned(),
        |time| format!("newest row {:.1} s old", (clock.now() - time.to_utc()).as_seconds_f64()),
    );
    format!(
        "{} states of incidents seen, {} rows ingested, {fresh}, {} of {} Graph requests a minute spent, {} faults survived",
        simulator.served().len(),
        stats.rows_ingested,
        stats.graph_requests_last_minute,
        stats.graph_quota_per_minute,
        stats.faults_fired,
    )
}
