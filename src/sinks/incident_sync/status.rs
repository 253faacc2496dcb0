//! What `sync status` shows: a file for each direction, which the worker writes and anybody who may can read.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ledger::Offer;
use super::pass::Direction;
use super::worker::file_word;
use incident_model::field::Side;
use runtime::store::{create_private_dir, write_private_file};

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "sync";
/// So many waiting incidents are named.
pub(super) const NAMED: usize = 100;

/// How one direction stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the ledger.
    pub ledger: String,
    /// The side that is written.
    pub target: Side,
    /// The id of the sink.
    pub component: String,
    /// When this was written.
    pub time: DateTime<Utc>,
    /// Whether nothing is written, only said.
    pub dry_run: bool,
    /// Why nothing is written any more.
    pub halted: Option<String>,
    /// How many incidents wait.
    pub waiting: usize,
    /// Some of them, a hundred at most, those that failed most first.
    pub incidents: Vec<WaitingIncident>,
}

/// An incident that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingIncident {
    /// Defender's tenant and id, or Sentinel's name.
    pub incident: String,
    /// The time since when it waits.
    pub since: DateTime<Utc>,
    /// How often it failed.
    pub attempts: u32,
    /// Why it failed last.
    pub problem: Option<String>,
}

// === impl Status ===

impl Status {
    /// `pending` are some of the `waiting` ones.
    pub(super) fn of(
        direction: &Direction,
        halted: Option<String>,
        waiting: usize,
        pending: Vec<(String, Offer)>,
    ) -> Self {
        let incident = |(incident, offer): (String, Offer)| WaitingIncident {
            incident,
            since: offer.since,
            attempts: offer.attempts,
            problem: offer.problem,
        };
        let mut incidents: Vec<_> = pending.into_iter().map(incident).collect();
        incidents.sort_by_key(|incident| (std::cmp::Reverse(incident.attempts), incident.since));
        Self {
            ledger: direction.options.ledger.clone(),
            target: direction.target.side(),
            component: direction.teller.labels.id.clone(),
            time: direction.clock.now(),
            dry_run: direction.is_dry(),
            halted,
            waiting,
            incidents,
        }
    }

    pub(super) fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let dir = data_dir.join(DIR_NAME);
        create_private_dir(&dir)?;
        let text = serde_json::to_string_pretty(self)?;
        write_private_file(&dir, &format!("{}.json", stem(&self.ledger, self.target)), &text)
    }
}

/// How every direction stands that has run with this `data_dir`.
pub fn read_all(data_dir: &Path) -> std::io::Result<Vec<Status>> {
    let mut all = Vec::new();
    let entries = match std::fs::read_dir(data_dir.join(DIR_NAME)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            all.push(serde_json::from_str(&std::fs::read_to_string(&path)?)?);
        }
    }
    all.sort_by_key(|status: &Status| (status.ledger.clone(), status.target));
    Ok(all)
}

fn stem(ledger: &str, target: Side) -> String {
    format!("{ledger}-{}", file_word(target))
}
