//! Delivery is a return value: the acknowledgement of a batch is what [`Deliver::deliver`] answers.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;

use crate::clock::Clock;
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use model::event::Batch;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatus {
    /// Every event is where it should be, for good.
    Delivered,
    /// Not (all of it) accepted; nothing is said of the future: offer it again.
    Errored,
    /// Some of it can never be accepted. That part is in the quarantine and the rest is delivered: do not offer again.
    Rejected,
}

/// Whoever takes batches: a sink, or the way to one.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Takes a batch and answers when its fate is known. Dropping the future gives the batch up undecided.
    async fn deliver(&self, batch: Batch) -> BatchStatus;
}

/// Offers every batch to all branches, each until that branch has it.
///
/// A branch that answers [`BatchStatus::Errored`] is offered the batch again by itself, so that the others do not get
/// it twice. It never answers `Errored`.
pub struct FanOut {
    branches: Vec<Arc<dyn Deliver>>,
    clock: Clock,
    policies: Policies,
}

// === impl FanOut ===

impl FanOut {
    /// A fan-out to `branches`.
    #[must_use]
    pub fn new(branches: Vec<Arc<dyn Deliver>>, clock: Clock, rng: fastrand::Rng) -> Self {
        Self { branches, clock, policies: Policies::new(rng) }
    }

    async fn until_taken(&self, branch: &dyn Deliver, batch: Batch) -> BatchStatus {
        let mut policy = self.policies.forever();
        loop {
            match branch.deliver(batch.clone()).await {
                BatchStatus::Errored => self.clock.sleep(policy.wait(Verdict::Retry)).await,
                decided => return decided,
            }
        }
    }
}

#[async_trait]
impl Deliver for FanOut {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let branches = self.branches.iter().map(|branch| self.until_taken(branch.as_ref(), batch.clone()));
        let statuses = join_all(branches).await;
        if statuses.contains(&BatchStatus::Rejected) { BatchStatus::Rejected } else { BatchStatus::Delivered }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Answers from a list, and counts what it was offered.
    struct Scripted(Mutex<(Vec<BatchStatus>, usize)>);

    impl Scripted {
        fn new(mut answers: Vec<BatchStatus>) -> Arc<Self> {
            answers.reverse();
            Arc::new(Self(Mutex::new((answers, 0))))
        }

        fn offers(&self) -> usize {
            self.0.lock().unwrap().1
        }
    }

    #[async_trait]
    impl Deliver for Scripted {
        async fn deliver(&self, _: Batch) -> BatchStatus {
            let mut state = self.0.lock().unwrap();
            state.1 += 1;
            state.0.pop().expect("offered more often than expected")
        }
    }

    fn fan_out(branches: Vec<Arc<dyn Deliver>>) -> FanOut {
        FanOut::new(branches, Clock::system(), fastrand::Rng::with_seed(1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_branch_that_failed_is_offered_the_batch_again_and_the_others_are_not() {
        use BatchStatus::{Delivered, Errored};
        let (good, bad) = (Scripted::new(vec![Delivered]), Scripted::new(vec![Errored, Errored, Delivered]));
        let status = fan_out(vec![good.clone(), bad.clone()]).deliver(Batch::from([])).await;
        assert_eq!((status, good.offers(), bad.offers()), (Delivered, 1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_anywhere_is_told_after_everybody_has_the_batch() {
        use BatchStatus::{Delivered, Errored, Rejected};
        let (slow, picky) = (Scripted::new(vec![Errored, Delivered]), Scripted::new(vec![Rejected]));
        let status = fan_out(vec![slow.clone(), picky]).deliver(Batch::from([])).await;
        assert_eq!((status, slow.offers()), (Rejected, 2));
    }
}
