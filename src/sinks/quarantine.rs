//! The options of a sink's quarantine.

use schemars::JsonSchema;
use serde::Deserialize;

use model::problem::{Problem, check_ranges};

/// The quarantine (dead letters): where events are kept that can never be accepted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineConfig {
    /// The most bytes in the quarantine, at least 1048576 (1 MiB). When it is full, the sink waits until somebody makes room.
    /// Default: 1073741824 (1 GiB).
    #[schemars(range(min = 1_048_576))]
    pub max_bytes: u64,
}

// === impl QuarantineConfig ===

impl Default for QuarantineConfig {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024 * 1024 }
    }
}

impl QuarantineConfig {
    /// Checks the options of the component at `path`.
    pub fn validate(&self, path: &str, problems: &mut Vec<Problem>) {
        check_ranges(path, &[("quarantine.max_bytes", self.max_bytes, 1_048_576, u64::MAX)], problems);
    }
}
