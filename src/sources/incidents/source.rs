//! Runs the polling loop: waits between sweeps, and after failures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tracing::{Level, error, info, warn};

use super::poller::Poller;
use super::state::{Interrupt, State};
use crate::component::Source;
use crate::sources::ReadError;
use runtime::delivery::Deliver;
use runtime::retry::Verdict;
use runtime::retry::backoff::Backoff;
use runtime::retry::policy::RetryPolicy;

/// After so many failures in a row on a page, it is asked for in smaller pieces.
const FAILURES_UNTIL_SMALLER: u32 = 2;

/// The source, ready to run.
pub struct IncidentSource {
    poller: Poller,
    rng: fastrand::Rng,
}

// === impl IncidentSource ===

impl IncidentSource {
    pub(in crate::sources) const fn new(poller: Poller, rng: fastrand::Rng) -> Self {
        Self { poller, rng }
    }

    fn report(&self, failure: &ReadError, wait: Duration) {
        let (labels, error_type) = (&self.poller.labels, failure.error_type());
        labels.count_error(error_type, "receiving");
        let (request_id, wait_secs) = (failure.request_id(), wait.as_secs_f64());
        if failure.level() == Level::WARN {
            warn!(
                component_id = labels.id,
                error_type,
                request_id,
                wait_secs,
                "{labels}: asked to wait, reading again in {wait_secs:.1} s: {failure}"
            );
        } else {
            error!(
                component_id = labels.id,
                error_type,
                request_id,
                wait_secs,
                "{labels}: cannot read on, trying again in {wait_secs:.1} s, nothing is lost: {failure}"
            );
        }
    }

    /// Tells how many were delivered since that was told last, if any were; answers how many there were in all.
    fn report_delivered(&self, reported: u64) -> u64 {
        let delivered = self.poller.delivered.load(Ordering::Relaxed);
        if delivered > reported {
            info!(
                component_id = self.poller.labels.id,
                delivered = delivered - reported,
                "{}: new or changed incidents were read and delivered.",
                self.poller.labels
            );
        }
        delivered
    }

    /// Waits; answers false if we are asked to stop meanwhile.
    async fn wait(&self, wait: Duration, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => false,
            () = self.poller.clock.sleep(wait) => true,
        }
    }
}

/// Whether a step has brought us further. A page alone, or a slice that was only narrowed, has not: that may work time and
/// again without end.
fn is_progress(done: &State, next: &State) -> bool {
    match (done, next) {
        // It has narrowed the slice to an instant, and that may fail.
        (State::Isolate { .. }, State::Slice { slice, .. }) if slice.is_instant() => false,
        (_, State::Sweep) | (State::Sweep, _) => true,
        (done, State::Slice { slice, .. }) => done.slice().is_some_and(|done| slice.from > done.from),
        _ => false,
    }
}

/// What to do again after a failure, and with pages of what size. A single incident can be isolated if there is a lighter
/// listing to find it in.
fn after_failure(
    state: &State,
    failure: &ReadError,
    failures: u32,
    page_size: u32,
    has_light: bool,
) -> (State, u32) {
    if failure.is_heavy() && failures >= FAILURES_UNTIL_SMALLER {
        let state = match (state.slice_again(), page_size) {
            (State::Slice { began, slice }, 1) if has_light => State::Isolate { began, slice },
            (state, _) => state,
        };
        return (state, (page_size / 4).max(1));
    }
    match state {
        // The link to a page may have expired, or the service may refuse to page so far: ask for less, with fewer pages.
        State::Page { began, slice, .. } if failure.verdict() == Verdict::GiveUp => {
            let slice = slice.first_half(*began).unwrap_or(*slice);
            (State::Slice { began: Some(*began), slice }, page_size)
        }
        // Counted anew from the first page.
        _ if matches!(failure, ReadError::IncompleteListing(_)) => (state.slice_again(), page_size),
        _ => (state.clone(), page_size),
    }
}

#[async_trait]
impl Source for IncidentSource {
    async fn run(mut self: Box<Self>, out: Arc<dyn Deliver>, shutdown: CancellationToken) {
        let mut policy = RetryPolicy::forever(Backoff::new(self.rng.fork()));
        let mut state = State::Sweep;
        let mut page_size = self.poller.polling.page_size;
        let mut failures = 0;
        let mut reported = 0;
        let has_light = self.poller.listing.heavy_part().is_some();
        info!(
            component_id = self.poller.labels.id,
            "{}: reading {}.",
            self.poller.labels,
            self.poller.listing.incidents()
        );
        loop {
            match self.poller.step(&state, page_size, out.as_ref(), &shutdown).await {
                Ok(next) => {
                    if is_progress(&state, &next) {
                        if failures > 0 {
                            info!(
                                component_id = self.poller.labels.id,
                                "{}: reading works again.", self.poller.labels
                            );
                        }
                        policy.reset();
                        failures = 0;
                        page_size = (page_size * 2).min(self.poller.polling.page_size);
                    }
                    state = next;
                    if matches!(state, State::Sweep) {
                        reported = self.report_delivered(reported);
                    }
                    if matches!(state, State::Sweep)
                        && !self.wait(self.poller.polling.interval(), &shutdown).await
                    {
                        break;
                    }
                }
                Err(Interrupt::Shutdown) => break,
                Err(Interrupt::Failed(failure)) => {
                    failures += 1;
                    let wait = policy.wait(failure.verdict());
                    self.report(&failure, wait);
                    (state, page_size) = after_failure(&state, &failure, failures, page_size, has_light);
                    if !self.wait(wait, &shutdown).await {
                        break;
                    }
                }
            }
            if shutdown.is_cancelled() {
                break;
            }
        }
        info!(component_id = self.poller.labels.id, "{}: stopped reading.", self.poller.labels);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use microsoft::ServiceError;
    use microsoft::error::{Operation, Rejection};
    use model::watermark::{Drain, Slice};

    fn failed(rejection: Rejection) -> ReadError {
        ServiceError::refused(Operation::GraphRead, rejection, "").into()
    }

    fn page() -> State {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let url = "https://graph/next".parse().unwrap();
        State::Page { began: at(100), slice: Slice::open(at(0)), drain: Drain::default(), url }
    }

    #[test]
    fn a_page_that_keeps_failing_is_asked_for_in_smaller_pieces_and_then_its_incidents_one_by_one() {
        let failure = failed(Rejection::ServerFailed);
        assert!(matches!(after_failure(&page(), &failure, 1, 50, true), (State::Page { .. }, 50)));
        let (mut state, mut size) = (page(), 50);
        let mut sizes = Vec::new();
        for failures in 2.. {
            (state, size) = after_failure(&state, &failure, failures, size, true);
            sizes.push(size);
            if matches!(state, State::Isolate { .. }) {
                break;
            }
            assert!(matches!(state, State::Slice { .. }));
        }
        assert_eq!(sizes, [12, 3, 1, 1]);
    }

    #[test]
    fn without_a_lighter_listing_the_smallest_page_is_asked_for_again_and_again() {
        let failure = failed(Rejection::ServerFailed);
        let (mut state, mut size) = (page(), 100);
        for failures in 2..20 {
            (state, size) = after_failure(&state, &failure, failures, size, false);
            assert!(matches!(state, State::Slice { .. }), "{state:?}");
        }
        assert_eq!(size, 1);
    }

    #[test]
    fn a_link_that_is_refused_begins_the_first_half_of_the_slice() {
        let failure = failed(Rejection::ListingExpired);
        let (state, page_size) = after_failure(&page(), &failure, 1, 50, true);
        let State::Slice { slice, .. } = state else { panic!("{state:?}") };
        assert_eq!((slice.to, page_size), (DateTime::from_timestamp(50, 0), 50));
    }
}
