//! The place of one sink in a pipeline, where the sink can be replaced while batches are on their way to it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BatchStatus, Deliver};
use model::event::Batch;

/// Hands batches to the sink that is in it. While there is none, they wait for the next.
pub struct SinkSlot(watch::Sender<State>);

#[derive(Clone)]
enum State {
    /// The next sink is being built.
    Vacant,
    Occupied(Occupant),
    /// There will be no sink any more.
    Removed,
}

#[derive(Clone)]
struct Occupant {
    sink: Arc<dyn Deliver>,
    /// The deliveries that are not decided yet.
    deliveries: TaskTracker,
    /// Cancelled when they are to be given up.
    revoked: CancellationToken,
}

/// A sink that was taken out of its slot, with the deliveries that it has not decided yet. Dropped, it goes on with them.
pub struct Leaving(Option<Occupant>);

// === impl SinkSlot ===

impl SinkSlot {
    /// A slot with `sink` in it.
    #[must_use]
    pub fn new(sink: Arc<dyn Deliver>) -> Self {
        Self(watch::Sender::new(State::Occupied(Occupant::new(sink))))
    }

    /// Hands `batch` to the sink, and answers what became of it; nothing if the slot is removed. A delivery that is
    /// [revoked](Leaving::revoke) is made again to the next sink.
    pub async fn offer(&self, batch: Batch) -> Option<BatchStatus> {
        let mut changes = self.0.subscribe();
        loop {
            let occupied = {
                let state = changes.wait_for(|state| !matches!(state, State::Vacant)).await.ok()?;
                match &*state {
                    // The token is taken before the sink can leave, so that who waits for the deliveries waits for this.
                    State::Occupied(occupant) => Some((occupant.clone(), occupant.deliveries.token())),
                    State::Vacant | State::Removed => None,
                }
            };
            let (Occupant { sink, revoked, .. }, _under_way) = occupied?;
            tokio::select! {
                biased;
                status = sink.deliver(batch.clone()) => return Some(status),
                () = revoked.cancelled() => {}
            }
        }
    }

    /// Takes the sink out: what comes now waits for the next.
    #[must_use]
    pub fn vacate(&self) -> Leaving {
        match self.0.send_replace(State::Vacant) {
            State::Occupied(occupant) => Leaving(Some(occupant)),
            State::Vacant | State::Removed => Leaving(None),
        }
    }

    /// Puts back a sink that was taken out.
    pub fn restore(&self, mut leaving: Leaving) {
        if let Some(occupant) = leaving.0.take() {
            occupant.deliveries.reopen();
            self.0.send_replace(State::Occupied(occupant));
        }
    }

    /// Puts `sink` in.
    pub fn fill(&self, sink: Arc<dyn Deliver>) {
        self.0.send_replace(State::Occupied(Occupant::new(sink)));
    }

    /// No sink comes any more: nobody waits for one.
    pub fn remove(&self) {
        self.0.send_replace(State::Removed);
    }
}

// === impl Occupant ===

impl Occupant {
    fn new(sink: Arc<dyn Deliver>) -> Self {
        Self { sink, deliveries: TaskTracker::new(), revoked: CancellationToken::new() }
    }
}

// === impl Leaving ===

impl Leaving {
    /// Whether the sink has decided every delivery that was under way when it was taken out.
    pub fn is_decided(&self) -> bool {
        self.0.as_ref().is_none_or(|occupant| occupant.deliveries.is_empty())
    }

    /// Waits until the sink has decided every delivery that was under way when it was taken out.
    pub async fn decided(&self) {
        if let Some(occupant) = &self.0 {
            occupant.deliveries.close();
            occupant.deliveries.wait().await;
        }
    }

    /// Gives up the deliveries that are not decided: they are made again to the next sink of the slot, and what the old one
    /// was sending may arrive twice. Returns when none is left.
    pub async fn revoke(&self) {
        if let Some(occupant) = &self.0 {
            occupant.revoked.cancel();
        }
        self.decided().await;
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;

    /// Takes a batch for each permit, and says how many it was offered.
    struct Gated {
        offered: Semaphore,
        may_take: Semaphore,
    }

    impl Gated {
        fn new() -> Arc<Self> {
            Arc::new(Self { offered: Semaphore::new(0), may_take: Semaphore::new(0) })
        }

        /// Waits until one more batch is offered.
        async fn is_offered(&self) {
            self.offered.acquire().await.unwrap().forget();
        }
    }

    #[async_trait]
    impl Deliver for Gated {
        async fn deliver(&self, _: Batch) -> BatchStatus {
            self.offered.add_permits(1);
            self.may_take.acquire().await.unwrap().forget();
            BatchStatus::Delivered
        }
    }

    fn offer(slot: &Arc<SinkSlot>) -> tokio::task::JoinHandle<Option<BatchStatus>> {
        let slot = Arc::clone(slot);
        tokio::spawn(async move { slot.offer(Batch::from([])).await })
    }

    #[tokio::test]
    async fn a_delivery_under_way_is_finished_by_the_old_sink_and_the_next_waits_for_the_new_one() {
        let (old, new) = (Gated::new(), Gated::new());
        let slot = Arc::new(SinkSlot::new(old.clone()));
        let first = offer(&slot);
        old.is_offered().await;
        let leaving = slot.vacate();
        let second = offer(&slot);
        old.may_take.add_permits(9);
        leaving.decided().await;
        assert_eq!(first.await.unwrap(), Some(BatchStatus::Delivered));
        slot.fill(new.clone());
        new.may_take.add_permits(1);
        assert_eq!(second.await.unwrap(), Some(BatchStatus::Delivered));
        assert_eq!((old.offered.available_permits(), new.offered.available_permits()), (0, 1));
    }

    #[tokio::test]
    async fn a_delivery_that_is_revoked_is_made_to_the_new_sink() {
        let (stuck, new) = (Gated::new(), Gated::new());
        let slot = Arc::new(SinkSlot::new(stuck.clone()));
        let delivery = offer(&slot);
        stuck.is_offered().await;
        slot.vacate().revoke().await;
        slot.fill(new.clone());
        new.may_take.add_permits(1);
        assert_eq!(delivery.await.unwrap(), Some(BatchStatus::Delivered));
    }

    #[tokio::test]
    async fn a_sink_that_is_put_back_goes_on_with_what_it_has() {
        let sink = Gated::new();
        let slot = Arc::new(SinkSlot::new(sink.clone()));
        let delivery = offer(&slot);
        sink.is_offered().await;
        let leaving = slot.vacate();
        let waiting = offer(&slot);
        slot.restore(leaving);
        sink.is_offered().await;
        sink.may_take.add_permits(2);
        assert_eq!(
            (delivery.await.unwrap(), waiting.await.unwrap()),
            (Some(BatchStatus::Delivered), Some(BatchStatus::Delivered))
        );
    }

    #[tokio::test]
    async fn nobody_waits_for_a_sink_that_was_removed() {
        let slot = Arc::new(SinkSlot::new(Gated::new()));
        let leaving = slot.vacate();
        let waiting = offer(&slot);
        leaving.decided().await;
        slot.remove();
        assert_eq!(waiting.await.unwrap(), None);
    }
}
