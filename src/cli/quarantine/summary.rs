//! How much of what there is.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use runtime::quarantine::Entry;

/// Events, counted by reason.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    bytes: u64,
    pub(super) reasons: BTreeMap<String, Group>,
}

/// Events of one reason.
#[derive(Default)]
pub(super) struct Group {
    events: u64,
    bytes: u64,
    oldest: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
}

/// Shows a number of bytes.
pub(super) struct Size(pub(super) u64);

// === impl Summary ===

impl Summary {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.events += 1;
        self.bytes += entry.bytes;
        let group = self.reasons.entry(entry.code.clone()).or_default();
        group.events += 1;
        group.bytes += entry.bytes;
        group.oldest = group.oldest.into_iter().chain(entry.time).min();
        group.newest = group.newest.max(entry.time);
    }

    /// The reasons, each with how often: `refused 3, too_large 1`.
    pub(super) fn by_reason(&self) -> String {
        let each = self.reasons.iter().map(|(reason, group)| format!("{reason} {}", group.events));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counted(self.events, self.bytes, f)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counted(self.events, self.bytes, f)?;
        match (self.oldest, self.newest) {
            (Some(oldest), Some(newest)) if oldest == newest => write!(f, ", {}", time(newest)),
            (Some(oldest), Some(newest)) => write!(f, ", {} to {}", time(oldest), time(newest)),
            _ => Ok(()),
        }
    }
}

fn counted(events: u64, bytes: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{events} event{}, {}", if events == 1 { "" } else { "s" }, Size(bytes))
}

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..10_000 => write!(f, "{bytes} bytes"),
            bytes @ 10_000..10_000_000 => write!(f, "{:.1} kB", bytes as f64 / 1e3),
            bytes => write!(f, "{:.1} MB", bytes as f64 / 1e6),
        }
    }
}
