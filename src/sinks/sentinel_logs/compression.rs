//! The option `compression`: a word or a map, as Vector's sinks have it.
//!
//! Source: <https://vector.dev/docs/reference/configuration/sinks/http/#compression>

use schemars::JsonSchema;
use serde::Deserialize;

/// The level of `gzip` unless the file says: docs/performance.md has the measurement that it is chosen by.
const DEFAULT_LEVEL: u32 = 2;
/// The levels of gzip.
const MAX_LEVEL: u32 = 9;

/// The compression of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Compression {
    /// A word: `gzip` or `none`.
    Word(Algorithm),
    /// An algorithm with its level, in the form of a map.
    Leveled(LeveledCompression),
}

/// The algorithm of a compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Requests are compressed with gzip.
    #[default]
    Gzip,
    /// Requests are not compressed.
    None,
}

/// An algorithm with its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeveledCompression {
    /// The algorithm of the compression.
    pub algorithm: Algorithm,
    /// The level of gzip: a number from 0 (stored as it is) to 9 (smallest and slowest), or a word. Default: `default`.
    #[serde(default)]
    pub level: Level,
}

/// A level of gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Level {
    /// A word: `none`, `fast`, `default` or `best`.
    Word(LevelWord),
    /// A number, from 0 to 9.
    Number(#[schemars(range(min = 0, max = 9))] u32),
}

/// A word for a level of gzip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelWord {
    /// Level 0: stored as it is.
    None,
    /// Level 1, the fastest.
    Fast,
    /// Level 2, which takes less than half of the time of level 6 and comes to a sixth more bytes.
    #[default]
    Default,
    /// Level 9, the smallest.
    Best,
}

// === impl Compression ===

impl Default for Compression {
    fn default() -> Self {
        Self::Word(Algorithm::Gzip)
    }
}

impl Compression {
    /// The level of gzip, from 0 to 9; nothing if requests are not compressed.
    pub(super) fn gzip_level(self) -> Option<u32> {
        let (algorithm, level) = match self {
            Self::Word(algorithm) => (algorithm, Level::default()),
            Self::Leveled(LeveledCompression { algorithm, level }) => (algorithm, level),
        };
        let level = match level {
            Level::Number(level) => level.min(MAX_LEVEL),
            Level::Word(LevelWord::None) => 0,
            Level::Word(LevelWord::Fast) => 1,
            Level::Word(LevelWord::Default) => DEFAULT_LEVEL,
            Level::Word(LevelWord::Best) => MAX_LEVEL,
        };
        (algorithm == Algorithm::Gzip).then_some(level)
    }
}

// === impl Level ===

impl Default for Level {
    fn default() -> Self {
        Self::Word(LevelWord::Default)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn every_form_that_vector_has_comes_to_a_level() {
        for (written, level) in [
            (json!("gzip"), Some(2)),
            (json!("none"), None),
            (json!({"algorithm": "gzip"}), Some(2)),
            (json!({"algorithm": "gzip", "level": 6}), Some(6)),
            (json!({"algorithm": "gzip", "level": "fast"}), Some(1)),
            (json!({"algorithm": "gzip", "level": "best"}), Some(9)),
            (json!({"algorithm": "gzip", "level": "none"}), Some(0)),
            (json!({"algorithm": "none"}), None),
        ] {
            let compression: Compression = from_value(written.clone()).unwrap();
            assert_eq!(compression.gzip_level(), level, "{written}");
        }
        for wrong in
            [json!("zstd"), json!({"level": 1}), json!({"algorithm": "gzip", "level": "x"}), json!(1)]
        {
            assert!(from_value::<Compression>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
