//! The options that every source of incidents has.

use std::time::Duration;

use model::problem::{Problem, check_ranges};

/// How often to look, and how far back.
#[derive(Clone, Copy, Debug)]
pub(in crate::sources) struct Polling {
    /// Seconds from the end of one look to the next.
    pub(in crate::sources) interval_secs: u64,
    /// How many seconds back the very first run begins.
    pub(in crate::sources) look_back_secs: u64,
    /// How many seconds every look reaches back behind the last.
    pub(in crate::sources) overlap_secs: u64,
    /// Incidents a page.
    pub(in crate::sources) page_size: u32,
}

pub(in crate::sources) const fn default_poll_interval_secs() -> u64 {
    60
}

pub(in crate::sources) const fn default_look_back_secs() -> u64 {
    24 * 60 * 60
}

pub(in crate::sources) const fn default_overlap_secs() -> u64 {
    15 * 60
}

// === impl Polling ===

impl Polling {
    /// Reports what is out of range.
    pub(in crate::sources) fn validate(self, path: &str, max_page_size: u32, problems: &mut Vec<Problem>) {
        let ranges = [
            ("poll_interval_secs", self.interval_secs, 1, 86_400),
            ("look_back_secs", self.look_back_secs, 0, 31_536_000),
            ("overlap_secs", self.overlap_secs, 0, 86_400),
            ("page_size", u64::from(self.page_size), 1, u64::from(max_page_size)),
        ];
        check_ranges(path, &ranges, problems);
    }

    pub(super) const fn interval(self) -> Duration {
        Duration::from_secs(self.interval_secs)
    }

    pub(super) const fn look_back(self) -> Duration {
        Duration::from_secs(self.look_back_secs)
    }

    pub(super) const fn overlap(self) -> Duration {
        Duration::from_secs(self.overlap_secs)
    }
}
