//! The options of `request`: how requests are made, how many at a time, and when again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use model::problem::{Problem, check_ranges};
use runtime::clock::Clock;
use runtime::retry::backoff::BackoffRange;
use runtime::retry::concurrency::{Adaptive, Concurrency};
use runtime::retry::quota::{Allowance, Amount, Quota};
use runtime::telemetry::ComponentLabels;

/// The longest time of an option: a day.
const MAX_SECS: u64 = 86_400;
/// More requests at a time would only take memory.
const MAX_REQUESTS: u64 = 200;

/// Time limit, concurrency and rate of requests.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestionRequestConfig {
    /// The seconds that one request may take, its answer included: from 1 to 86400. Default: 60.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_secs: u64,
    /// The most requests in flight to each stream: a word, or a number from 1 to 200; with more, 200 is used. Each may take a
    /// megabyte of memory. Default: `adaptive`.
    pub concurrency: ConcurrencyConfig,
    /// How the number of requests in flight adapts, with `concurrency: adaptive`.
    pub adaptive_concurrency: AdaptiveConcurrencyConfig,
    /// The most requests in any `rate_limit_duration_secs`, to all streams together, those that are sent again included; at least 1. Default: no limit but
    /// those of the service.
    #[schemars(range(min = 1))]
    pub rate_limit_num: Option<u64>,
    /// The seconds that `rate_limit_num` counts for: from 1 to 86400. Default: 1.
    #[schemars(range(min = 1, max = 86_400))]
    pub rate_limit_duration_secs: u64,
    /// The seconds before a request is sent again for the first time, from 1 to 86400; each further wait is twice as long, and
    /// all are shortened by up to a half at random. Default: half a second.
    #[schemars(range(min = 1, max = 86_400))]
    pub retry_initial_backoff_secs: Option<u64>,
    /// The most seconds before a request is sent again, from 1 to 86400. Default: 60.
    #[schemars(range(min = 1, max = 86_400))]
    pub retry_max_duration_secs: u64,
    /// Without effect, and accepted because Vector's sinks have it: a request is sent again until it is decided. Default: no
    /// limit.
    pub retry_attempts: Option<u64>,
    /// Without effect, and accepted because Vector's sinks have it: waits are always shortened at random. Default: `Full`.
    pub retry_jitter_mode: Option<JitterMode>,
}

/// How Vector changes the waits between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum JitterMode {
    /// Not at all.
    None,
    /// By a random part of the wait.
    Full,
}

/// When Vector's sinks send a request again, by the answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryStrategyConfig {
    /// The name of a strategy of Vector's.
    pub r#type: RetryStrategyType,
    /// The HTTP statuses of the strategy `custom`. Default: none.
    #[serde(default)]
    pub status_codes: Vec<u16>,
}

/// A strategy of Vector's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryStrategyType {
    /// Never, in Vector.
    None,
    /// After 408, 429 and most of 5xx, in Vector.
    Default,
    /// After anything but 2xx, in Vector.
    All,
    /// After the statuses that are listed, in Vector.
    Custom,
}

/// The most requests in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConcurrencyConfig {
    /// A word: `adaptive` or `none`.
    Word(ConcurrencyWord),
    /// A fixed number of requests, from 1 to 200.
    Fixed(#[schemars(range(min = 1))] u64),
}

/// A word for how many requests there are at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyWord {
    /// As many requests as the service takes without getting slower.
    Adaptive,
    /// One request at a time.
    None,
}

/// How the number of requests in flight adapts: <https://vector.dev/docs/architecture/arc/>.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConcurrencyConfig {
    /// The requests in flight at first, from 1 to `max_concurrency_limit`. Default: 1.
    #[schemars(range(min = 1, max = 200))]
    pub initial_concurrency: usize,
    /// The factor that the number of requests is multiplied by when the service pushes back or gets slower: more than 0, less
    /// than 1. Default: 0.9.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decrease_ratio: f64,
    /// The weight of a new measurement of the round-trip time against older ones: more than 0, less than 1. Default: 0.4.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ewma_alpha: f64,
    /// The deviations that the round-trip time may rise above its average before that counts as slower: 0 or more. Default:
    /// 2.5.
    #[schemars(range(min = 0.0))]
    pub rtt_deviation_scale: f64,
    /// The most requests in flight, from 1 to 200; with more, 200 is used. Default: 16.
    #[schemars(range(min = 1))]
    pub max_concurrency_limit: usize,
}

// === impl IngestionRequestConfig ===

impl Default for IngestionRequestConfig {
    fn default() -> Self {
        Self {
            timeout_secs: 60,
            concurrency: ConcurrencyConfig::Word(ConcurrencyWord::Adaptive),
            adaptive_concurrency: AdaptiveConcurrencyConfig::default(),
            rate_limit_num: None,
            rate_limit_duration_secs: 1,
            retry_initial_backoff_secs: None,
            retry_max_duration_secs: BackoffRange::DEFAULT.max.as_secs(),
            retry_attempts: None,
            retry_jitter_mode: None,
        }
    }
}

impl IngestionRequestConfig {
    /// Uses the most requests that there may be in the place of more, and answers what was written.
    pub(super) fn lower(&mut self) -> Vec<(&'static str, u64)> {
        let mut lowered = Vec::new();
        if let ConcurrencyConfig::Fixed(fixed) = &mut self.concurrency
            && *fixed > MAX_REQUESTS
        {
            lowered.push(("request.concurrency", *fixed));
            *fixed = MAX_REQUESTS;
        }
        let most = &mut self.adaptive_concurrency.max_concurrency_limit;
        if *most as u64 > MAX_REQUESTS {
            lowered.push(("request.adaptive_concurrency.max_concurrency_limit", *most as u64));
            *most = usize::try_from(MAX_REQUESTS).unwrap_or(usize::MAX);
        }
        lowered
    }

    /// Checks the options; `path` is where they stand in the file.
    pub fn validate(&self, path: &str, problems: &mut Vec<Problem>) {
        let adaptive = &self.adaptive_concurrency;
        let (initial, most) = (adaptive.initial_concurrency as u64, adaptive.max_concurrency_limit as u64);
        let mut ranges = vec![
            ("timeout_secs", self.timeout_secs, 1, MAX_SECS),
            ("rate_limit_num", self.rate_limit_num.unwrap_or(1), 1, u64::MAX),
            ("rate_limit_duration_secs", self.rate_limit_duration_secs, 1, MAX_SECS),
            ("retry_initial_backoff_secs", self.retry_initial_backoff_secs.unwrap_or(1), 1, MAX_SECS),
            ("retry_max_duration_secs", self.retry_max_duration_secs, 1, MAX_SECS),
            ("adaptive_concurrency.max_concurrency_limit", most, 1, MAX_REQUESTS),
            ("adaptive_concurrency.initial_concurrency", initial, 1, most.clamp(1, MAX_REQUESTS)),
        ];
        if let ConcurrencyConfig::Fixed(fixed) = self.concurrency {
            ranges.push(("concurrency", fixed, 1, MAX_REQUESTS));
        }
        check_ranges(path, &ranges, problems);
        let mut report = |option: &str, message: &str| {
            problems.push(Problem::new(format!("{path}.adaptive_concurrency.{option}"), message));
        };
        for (option, ratio) in
            [("decrease_ratio", adaptive.decrease_ratio), ("ewma_alpha", adaptive.ewma_alpha)]
        {
            if !(ratio > 0.0 && ratio < 1.0) {
                report(option, "must be more than 0 and less than 1");
            }
        }
        if !(adaptive.rtt_deviation_scale >= 0.0 && adaptive.rtt_deviation_scale.is_finite()) {
            report("rtt_deviation_scale", "must be 0 or more");
        }
    }

    /// The options that are accepted and have no effect.
    pub(super) fn ineffective(&self) -> Vec<&'static str> {
        let attempts = self.retry_attempts.map(|_| "request.retry_attempts");
        attempts.into_iter().chain(self.retry_jitter_mode.map(|_| "request.retry_jitter_mode")).collect()
    }

    /// How long to wait before a request is sent again.
    pub(super) fn backoff(&self) -> BackoffRange {
        let initial = self.retry_initial_backoff_secs.map(Duration::from_secs);
        let max = Duration::from_secs(self.retry_max_duration_secs);
        BackoffRange { initial: initial.unwrap_or(BackoffRange::DEFAULT.initial).min(max), max }
    }

    /// The limit of requests in a stretch of time, of all streams together.
    pub(super) fn rate_limit(&self, clock: &Clock) -> Option<Quota> {
        let requests = usize::try_from(self.rate_limit_num?).unwrap_or(usize::MAX);
        let within = Duration::from_secs(self.rate_limit_duration_secs);
        let allowance = Allowance { amount: Amount::Requests(requests), within };
        Some(Quota::new(vec![allowance], clock.clone()))
    }

    /// The places for requests that these options ask for.
    pub(super) fn concurrency(&self, clock: &Clock, labels: &ComponentLabels) -> Concurrency {
        let (clock, labels) = (clock.clone(), labels.clone());
        let fixed = |places| Concurrency::fixed(places, clock.clone(), labels.clone());
        match self.concurrency {
            ConcurrencyConfig::Word(ConcurrencyWord::None) => fixed(1),
            ConcurrencyConfig::Fixed(places) => fixed(usize::try_from(places).unwrap_or(1)),
            ConcurrencyConfig::Word(ConcurrencyWord::Adaptive) => {
                Concurrency::adaptive(self.adaptive_concurrency.into(), clock, labels)
            }
        }
    }
}

// === impl AdaptiveConcurrencyConfig ===

impl Default for AdaptiveConcurrencyConfig {
    fn default() -> Self {
        let Adaptive {
            initial_concurrency,
            decrease_ratio,
            ewma_alpha,
            rtt_deviation_scale,
            max_concurrency_limit,
        } = Adaptive::default();
        Self { initial_concurrency, decrease_ratio, ewma_alpha, rtt_deviation_scale, max_concurrency_limit }
    }
}

impl From<AdaptiveConcurrencyConfig> for Adaptive {
    fn from(config: AdaptiveConcurrencyConfig) -> Self {
        let AdaptiveConcurrencyConfig {
            initial_concurrency,
            decrease_ratio,
            ewma_alpha,
            rtt_deviation_scale,
            max_concurrency_limit,
        } = config;
        Self { initial_concurrency, decrease_ratio, ewma_alpha, rtt_deviation_scale, max_concurrency_limit }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(options: serde_json::Value) -> Vec<String> {
        let config: IngestionRequestConfig = serde_json::from_value(options).unwrap();
        let mut problems = Vec::new();
        config.validate("request", &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn requests_at_a_time_are_a_word_or_a_number() {
        for fine in [
            json!({}),
            json!({"concurrency": "adaptive"}),
            json!({"concurrency": "none"}),
            json!({"concurrency": 200}),
        ] {
            assert_eq!(problems(fine), Vec::<String>::new());
        }
        let places = |options| {
            let config: IngestionRequestConfig = serde_json::from_value(options).unwrap();
            config.concurrency
        };
        assert_eq!(places(json!({})), ConcurrencyConfig::Word(ConcurrencyWord::Adaptive));
        assert_eq!(places(json!({"concurrency": 7})), ConcurrencyConfig::Fixed(7));
        for wrong in [json!("many"), json!(-1), json!(1.5), json!(null), json!("4")] {
            let read = serde_json::from_value::<IngestionRequestConfig>(json!({"concurrency": wrong}));
            assert!(read.is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_number_that_cannot_work_is_reported() {
        let found = problems(json!({
            "timeout_secs": 0,
            "concurrency": 0,
            "adaptive_concurrency": {
                "initial_concurrency": 9, "max_concurrency_limit": 8,
                "decrease_ratio": 1.0, "ewma_alpha": 0, "rtt_deviation_scale": -1,
            },
        }));
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(
            found.contains(
                &"request.adaptive_concurrency.initial_concurrency: must be from 1 to 8".to_owned()
            )
        );
        assert_eq!(
            problems(json!({"concurrency": 0, "adaptive_concurrency": {"max_concurrency_limit": 0}})).len(),
            2
        );
    }
}
