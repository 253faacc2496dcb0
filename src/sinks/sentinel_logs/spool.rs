//! The options of `spool`: where rows wait whose stream takes nothing.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::targets::Targets;
use model::problem::{Problem, check_ranges};
use runtime::files::DataDir;
use runtime::spool::{DIR_NAME, SpoolRoom};

/// The least that there may be room for: some batches of Vector's.
const MIN_BYTES: u64 = 10_000_000;
/// The longest that a batch may be held for a stream that fails for the first time.
const MAX_AFTER_SECS: u64 = 3_600;

/// The spool: rows of a stream that takes nothing wait on disk, so that no other stream waits with them. A batch is acknowledged
/// when each of its rows is delivered, in the quarantine, or on disk (synced).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Whether rows wait on disk. Without it, a batch is held until each of its streams has taken its rows. Default: `true` if the
    /// file names `data_dir`, which then should be on a disk that outlives the process, and its container; else `false`.
    pub enabled: Option<bool>,
    /// The most bytes of the files, of all streams together, from 10000000. A stream may take half of what the others leave; all,
    /// if the sink has only one. Events are compressed there. Default: 1073741824.
    #[schemars(range(min = 10_000_000))]
    pub max_bytes: u64,
    /// The seconds that a batch is held for a stream whose request is not answered, or fails, while the stream was well: from 0 to
    /// 3600. With a sink that has only one stream, an answer is waited for as long as `request.timeout_secs`. Default: 1.
    #[schemars(range(max = 3_600))]
    pub after_secs: u64,
    /// What happens when a stream's share is full: its rows go to the quarantine, with an alarm, or block the batches that they are
    /// in until there is room. Default: `quarantine`; with a sink that has only one stream, so that no other waits, `block`.
    pub when_full: Option<WhenFull>,
}

/// What happens to rows for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// They go to the quarantine, from where `quarantine retry` takes them.
    Quarantine,
    /// They wait where they are, and so does who sends them.
    Block,
}

/// The spool of one sink.
pub(super) struct SinkSpool {
    /// The room that all streams have together.
    pub(super) room: SpoolRoom,
    /// How long a batch is held for a stream that fails for the first time.
    pub(super) after_failure: Duration,
    /// How long a batch is held for an answer that does not come; as long as a request may take, if nobody else waits.
    pub(super) after_silence: Option<Duration>,
    pub(super) when_full: WhenFull,
    /// Whether more may be put there: what is there is delivered in any case.
    pub(super) is_enabled: bool,
}

// === impl SpoolConfig ===

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { enabled: None, max_bytes: 1024 * 1024 * 1024, after_secs: 1, when_full: None }
    }
}

impl SpoolConfig {
    pub(super) fn validate(self, path: &str, problems: &mut Vec<Problem>) {
        let ranges = [
            ("spool.max_bytes", self.max_bytes, MIN_BYTES, u64::MAX),
            ("spool.after_secs", self.after_secs, 0, MAX_AFTER_SECS),
        ];
        check_ranges(path, &ranges, problems);
    }

    /// The same, which says whether rows wait on disk, if the file does not: `lasts` if `data_dir` is said to last.
    pub(super) fn or_enabled(self, lasts: bool) -> Self {
        Self { enabled: self.enabled.or(Some(lasts)), ..self }
    }

    /// The spool of the sink `id`.
    pub(super) fn of_sink(self, id: &str, data_dir: &DataDir, targets: &Targets) -> SinkSpool {
        let has_one_stream = targets.has_one_stream();
        let dir = DataDir { path: data_dir.path.join(DIR_NAME).join(id), ..data_dir.clone() };
        let after = Duration::from_secs(self.after_secs);
        let when_full = if has_one_stream { WhenFull::Block } else { WhenFull::Quarantine };
        SinkSpool {
            room: SpoolRoom::new(dir, self.max_bytes, !has_one_stream),
            after_failure: after,
            after_silence: (!has_one_stream).then_some(after),
            when_full: self.when_full.unwrap_or(when_full),
            is_enabled: self.enabled.unwrap_or(false),
        }
    }
}
