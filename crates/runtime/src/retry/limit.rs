//! How many requests a service takes well, decided from its answers.
//!
//! The way is Vector's: <https://vector.dev/docs/architecture/arc/>. While answers come as fast as before and as many requests
//! as may be are in flight, there may be one more; when the service pushes back, or its answers take longer than estimated, there
//! may be fewer, by a ratio. That is decided once in the time that a request usually takes.

use std::time::Duration;

use tokio::time::Instant;

/// How to adapt. The names and meanings are Vector's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// How many at first.
    pub initial_concurrency: usize,
    /// How many there are after there were too many, as a part of those. Less than 1.
    pub decrease_ratio: f64,
    /// How much a new measurement counts against all before, from 0 to 1.
    pub ewma_alpha: f64,
    /// How many deviations from the estimate an answer may be late.
    pub rtt_deviation_scale: f64,
    /// Never more than this.
    pub max_concurrency_limit: usize,
}

/// What an answer says about how much the service can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has done its work, so the time that it took counts.
    Done,
    /// It wants fewer requests, or has not answered in time.
    TooMuch,
    /// Nothing about that.
    Other,
}

/// The number, and what it was decided from.
#[derive(Debug)]
pub(super) struct Limit {
    /// Nothing if the number is fixed.
    adaptive: Option<Adaptive>,
    pub(super) number: usize,
    in_flight: usize,
    /// What a request takes usually, in seconds.
    estimate: Option<RttEstimate>,
    /// What requests have taken since the last decision.
    recent: Recent,
    /// When to decide again.
    decide_at: Option<Instant>,
    was_too_much: bool,
    /// Whether as many as may be were in flight at some time since the last decision.
    was_full: bool,
}

/// That the number was decided anew.
pub(super) struct Decision {
    /// Seconds that requests took on average since the last time, if any were answered.
    pub(super) average: Option<f64>,
}

/// A moving average and variance, to which the newest measurement counts most.
#[derive(Clone, Copy, Debug, PartialEq)]
struct RttEstimate {
    mean: f64,
    variance: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    sum: Duration,
    count: u32,
}

// === impl Adaptive ===

impl Default for Adaptive {
    /// Vector's defaults, but for the most requests: each may take a megabyte.
    /// Source: <https://vector.dev/docs/reference/configuration/sinks/http/#request.adaptive_concurrency>
    fn default() -> Self {
        Self {
            initial_concurrency: 1,
            decrease_ratio: 0.9,
            ewma_alpha: 0.4,
            rtt_deviation_scale: 2.5,
            max_concurrency_limit: 16,
        }
    }
}

// === impl Limit ===

impl Limit {
    /// So many at first; for good, if there is nothing to adapt by.
    pub(super) const fn new(number: usize, adaptive: Option<Adaptive>) -> Self {
        Self {
            adaptive,
            number,
            in_flight: 0,
            estimate: None,
            recent: Recent { sum: Duration::ZERO, count: 0 },
            decide_at: None,
            was_too_much: false,
            was_full: false,
        }
    }

    /// Counts one more in flight, and answers how many that are; nothing if there are enough.
    pub(super) fn begin(&mut self) -> Option<usize> {
        let begins = self.in_flight < self.number;
        self.in_flight += usize::from(begins);
        self.was_full |= self.in_flight >= self.number;
        begins.then_some(self.in_flight)
    }

    /// Counts one less in flight, and answers how many that are.
    pub(super) const fn leave(&mut self) -> usize {
        self.in_flight -= 1;
        self.in_flight
    }

    /// Takes in an answer that took so long, and decides anew if it is time to.
    pub(super) fn update(&mut self, now: Instant, took: Duration, answer: Outcome) -> Option<Decision> {
        self.was_too_much |= answer == Outcome::TooMuch;
        if answer == Outcome::Done {
            self.recent.add(took);
        }
        let average = self.recent.average();
        let Some(estimate) = self.estimate else {
            // Nothing is estimated yet: what comes first is, and only pushing back says anything.
            if self.was_too_much && self.decide_at.is_none_or(|at| now >= at) {
                self.decrease();
                self.was_too_much = false;
                self.decide_at = Some(now + took);
                return Some(Decision { average: None });
            }
            if let Some(mean) = average {
                self.estimate = Some(RttEstimate { mean, variance: 0.0 });
                self.decide_at = Some(now + seconds(mean));
                self.recent = Recent::default();
            }
            return None;
        };
        if self.decide_at.is_some_and(|at| now < at) {
            return None;
        }
        if let Some(adaptive) = self.adaptive {
            let late = estimate.mean + estimate.variance.sqrt() * adaptive.rtt_deviation_scale;
            let is_late = average.is_some_and(|average| average > estimate.mean && average >= late);
            let is_quick = average.is_some_and(|average| average <= estimate.mean);
            if self.was_too_much || is_late {
                self.decrease();
            } else if is_quick && self.was_full && self.number < adaptive.max_concurrency_limit {
                self.number += 1;
            }
        }
        let estimate = average.map_or(estimate, |average| {
            estimate.after(average, self.adaptive.unwrap_or_default().ewma_alpha)
        });
        self.estimate = Some(estimate);
        self.decide_at = Some(now + seconds(estimate.mean));
        self.recent = Recent::default();
        self.was_too_much = false;
        self.was_full = false;
        Some(Decision { average })
    }

    fn decrease(&mut self) {
        let Some(adaptive) = self.adaptive else { return };
        let most = self.number as f64 * adaptive.decrease_ratio;
        // Rounded down, so that it is fewer in any case, but never none.
        self.number = (1..self.number).rev().find(|fewer| *fewer as f64 <= most).unwrap_or(1);
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

// === impl RttEstimate ===

impl RttEstimate {
    /// As it is when one more was measured.
    ///
    /// Source: T. Finch, "Incremental calculation of weighted mean and variance", section 9.
    fn after(self, measured: f64, alpha: f64) -> Self {
        let difference = measured - self.mean;
        let increment = alpha * difference;
        Self {
            mean: self.mean + increment,
            variance: (1.0 - alpha) * difference.mul_add(increment, self.variance),
        }
    }
}

// === impl Recent ===

impl Recent {
    fn add(&mut self, took: Duration) {
        self.sum += took;
        self.count += 1;
    }

    fn average(self) -> Option<f64> {
        // Of times that are all the same, exactly that one.
        self.sum.checked_div(self.count).map(|average| average.as_secs_f64())
    }
}
