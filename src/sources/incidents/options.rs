//! The options that every source of incidents has.

use std::time::Duration;

use model::problem::{Problem, check_ranges};
use schemars::JsonSchema;
use serde::Deserialize;

/// How often is read, and from when on.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct PollingConfig {
    /// The seconds from the end of one poll to the beginning of the next, from 1 to 86400 (a day). Default: 60.
    #[serde(default = "default_poll_interval_secs")]
    #[schemars(range(min = 1, max = 86_400))]
    pub poll_interval_secs: u64,
    /// The seconds that the very first run looks back, from 0 to 31536000 (a year). Later runs go on from the cursor in the
    /// state file, until `vector-sentinel state reset`. Default: 86400 (a day).
    #[serde(default = "default_look_back_secs")]
    #[schemars(range(max = 31_536_000))]
    pub look_back_secs: u64,
    /// The seconds that every poll reaches back behind the last, from 0 to 86400 (a day), because an incident may appear later
    /// than its own time says. What was delivered already is not delivered again. Default: 900.
    #[serde(default = "default_overlap_secs")]
    #[schemars(range(max = 86_400))]
    pub overlap_secs: u64,
}

/// How often to poll, and how far back.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    config: PollingConfig,
    /// Most incidents a page.
    pub(super) page_size: u32,
}

const fn default_poll_interval_secs() -> u64 {
    60
}

const fn default_look_back_secs() -> u64 {
    24 * 60 * 60
}

const fn default_overlap_secs() -> u64 {
    15 * 60
}

// === impl PollingConfig ===

impl Default for PollingConfig {
    fn default() -> Self {
        Self {
            poll_interval_secs: default_poll_interval_secs(),
            look_back_secs: default_look_back_secs(),
            overlap_secs: default_overlap_secs(),
        }
    }
}

impl PollingConfig {
    /// Checks the options of the component at `path`, whose pages have at most `max_page_size` incidents.
    pub(in crate::sources) fn validate(
        self,
        page_size: u32,
        max_page_size: u32,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Polling {
        let ranges = [
            ("poll_interval_secs", self.poll_interval_secs, 1, 86_400),
            ("look_back_secs", self.look_back_secs, 0, 31_536_000),
            ("overlap_secs", self.overlap_secs, 0, 86_400),
            ("page_size", u64::from(page_size), 1, u64::from(max_page_size)),
        ];
        check_ranges(path, &ranges, problems);
        Polling { config: self, page_size }
    }
}

// === impl Polling ===

impl Polling {
    pub(super) const fn interval(self) -> Duration {
        Duration::from_secs(self.config.poll_interval_secs)
    }

    pub(super) const fn look_back(self) -> Duration {
        Duration::from_secs(self.config.look_back_secs)
    }

    pub(super) const fn overlap(self) -> Duration {
        Duration::from_secs(self.config.overlap_secs)
    }
}
