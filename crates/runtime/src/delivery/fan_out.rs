//! One source, several sinks.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tracing::warn;

use super::{BatchStatus, Deliver, SinkSlot};
use crate::clock::Clock;
use crate::retry::Verdict;
use crate::retry::policy::Policies;
use model::event::Batch;

/// Offers every batch to all branches, each until that branch has it.
///
/// A branch that answers [`BatchStatus::Errored`] is offered the batch again by itself, so that the others do not get
/// it twice. It never answers `Errored`. A branch that is added while a batch is on its way gets that batch too.
pub struct FanOut {
    branches: watch::Sender<Vec<Arc<SinkSlot>>>,
    clock: Clock,
    policies: Policies,
}

// === impl FanOut ===

impl FanOut {
    /// A fan-out to `branches`.
    #[must_use]
    pub fn new(branches: Vec<Arc<SinkSlot>>, clock: Clock, rng: fastrand::Rng) -> Self {
        Self { branches: watch::Sender::new(branches), clock, policies: Policies::new(rng) }
    }

    /// From now on there are these branches. A batch that is on its way to another one is still offered to that until the
    /// branch is [removed](SinkSlot::remove).
    pub fn set_branches(&self, branches: Vec<Arc<SinkSlot>>) {
        self.branches.send_replace(branches);
    }

    async fn until_taken(&self, branch: Arc<SinkSlot>, batch: Batch) -> Option<BatchStatus> {
        let mut policy = self.policies.forever();
        loop {
            match branch.offer(batch.clone()).await {
                Some(BatchStatus::Errored) => self.clock.sleep(policy.wait(Verdict::Retry)).await,
                None => {
                    warn!(
                        events = batch.len(),
                        "Events on their way to a sink that was removed are not delivered there."
                    );
                    return None;
                }
                decided => return decided,
            }
        }
    }
}

#[async_trait]
impl Deliver for FanOut {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let mut branches = self.branches.subscribe();
        let (mut offered, mut offers) = (Vec::new(), FuturesUnordered::new());
        let mut status = BatchStatus::Delivered;
        loop {
            for branch in branches.borrow_and_update().iter() {
                if !offered.iter().any(|known| Arc::ptr_eq(known, branch)) {
                    offered.push(Arc::clone(branch));
                    offers.push(self.until_taken(Arc::clone(branch), batch.clone()));
                }
            }
            tokio::select! {
                biased;
                Ok(()) = branches.changed() => {}
                taken = offers.next() => match taken {
                    Some(Some(BatchStatus::Rejected)) => status = BatchStatus::Rejected,
                    Some(_) => {}
                    None => return status,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::BatchStatus::{Delivered, Errored, Rejected};
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

    /// A sink that never answers.
    struct Stuck;

    #[async_trait]
    impl Deliver for Stuck {
        async fn deliver(&self, _: Batch) -> BatchStatus {
            std::future::pending().await
        }
    }

    fn slot(sink: Arc<dyn Deliver>) -> Arc<SinkSlot> {
        Arc::new(SinkSlot::new(sink))
    }

    fn fan_out(branches: Vec<Arc<SinkSlot>>) -> Arc<FanOut> {
        Arc::new(FanOut::new(branches, Clock::system(), fastrand::Rng::with_seed(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_branch_that_failed_is_offered_the_batch_again_and_the_others_are_not() {
        let (good, bad) = (Scripted::new(vec![Delivered]), Scripted::new(vec![Errored, Errored, Delivered]));
        let status = fan_out(vec![slot(good.clone()), slot(bad.clone())]).deliver(Batch::from([])).await;
        assert_eq!((status, good.offers(), bad.offers()), (Delivered, 1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_anywhere_is_told_after_everybody_has_the_batch() {
        let (slow, picky) = (Scripted::new(vec![Errored, Delivered]), Scripted::new(vec![Rejected]));
        let status = fan_out(vec![slot(slow.clone()), slot(picky)]).deliver(Batch::from([])).await;
        assert_eq!((status, slow.offers()), (Rejected, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_on_its_way_to_a_branch_that_is_replaced_by_another_gets_there() {
        let (good, new) = (Scripted::new(vec![Delivered]), Scripted::new(vec![Delivered]));
        let (kept, stuck) = (slot(good.clone()), slot(Arc::new(Stuck)));
        let fan_out = fan_out(vec![Arc::clone(&kept), Arc::clone(&stuck)]);
        let delivery = {
            let fan_out = Arc::clone(&fan_out);
            tokio::spawn(async move { fan_out.deliver(Batch::from([])).await })
        };
        tokio::task::yield_now().await;
        let leaving = stuck.vacate();
        leaving.revoke().await;
        fan_out.set_branches(vec![kept, slot(new.clone())]);
        stuck.remove();
        assert_eq!(delivery.await.unwrap(), Delivered);
        assert_eq!((good.offers(), new.offers()), (1, 1));
    }
}
