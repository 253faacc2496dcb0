//! Which incidents are waiting, and until when: in memory, next to the offers in the state file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use runtime::clock::Clock;

/// Incidents that wait for a pass.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<BTreeMap<String, Waiting>>,
    changed: Notify,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Nothing while it is held until something happens.
    due: Option<Instant>,
    /// When it came: the oldest of those that are due is next.
    since: Instant,
    busy: bool,
    /// Whether it came again while it was busy.
    again: bool,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(clock: Clock) -> Self {
        Self { waiting: Mutex::default(), changed: Notify::new(), clock }
    }

    /// An incident that is due now.
    pub(super) fn push(&self, key: &str) {
        let now = self.clock.monotonic();
        self.lock()
            .entry(key.to_owned())
            .and_modify(|waiting| {
                // What waits after a failure waits on: whoever fails is not asked more often for having more to say.
                waiting.due = waiting.due.or(Some(now));
                waiting.again = waiting.busy;
            })
            .or_insert(Waiting { due: Some(now), since: now, busy: false, again: false });
        self.changed.notify_one();
    }

    /// The next incident; waits until one is due. It is busy until one of the calls below.
    pub(super) async fn next(&self) -> String {
        loop {
            let changed = self.changed.notified();
            let now = self.clock.monotonic();
            let wait = {
                let mut all = self.lock();
                let due = |waiting: &Waiting| waiting.due.filter(|_| !waiting.busy);
                let first = all
                    .iter_mut()
                    .filter(|(_, waiting)| due(waiting).is_some_and(|at| at <= now))
                    .min_by_key(|(_, waiting)| waiting.since);
                if let Some((key, waiting)) = first {
                    waiting.busy = true;
                    return key.clone();
                }
                all.values().filter_map(due).min().map(|at| at - now)
            };
            match wait {
                Some(wait) => tokio::select! {
                    () = changed => {}
                    () = self.clock.sleep(wait) => {}
                },
                None => changed.await,
            }
        }
    }

    /// It is dealt with, unless it came again meanwhile.
    pub(super) fn done(&self, key: &str) {
        self.finish(key, |waiting| waiting.again.then_some(Waiting { busy: false, again: false, ..waiting }));
    }

    /// It is due again after `wait`.
    pub(super) fn later(&self, key: &str, wait: Duration) {
        let due = Some(self.clock.monotonic() + wait);
        self.finish(key, |waiting| Some(Waiting { due, busy: false, again: false, ..waiting }));
    }

    /// It waits until it comes again, or all are released.
    pub(super) fn hold(&self, key: &str) {
        self.finish(key, |waiting| {
            let due = waiting.due.filter(|_| waiting.again);
            Some(Waiting { due, busy: false, again: false, ..waiting })
        });
    }

    /// All that are held are due.
    pub(super) fn release(&self) {
        let now = self.clock.monotonic();
        for waiting in self.lock().values_mut() {
            waiting.due = waiting.due.or(Some(now));
            // It may be about to be held.
            waiting.again = waiting.busy;
        }
        self.changed.notify_one();
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Whether an incident waits, or is being worked on.
    pub(super) fn has(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    /// All that wait.
    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Whether all that wait are held.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().values().all(|waiting| waiting.due.is_none() && !waiting.busy)
    }

    fn finish(&self, key: &str, then: impl FnOnce(Waiting) -> Option<Waiting>) {
        let mut all = self.lock();
        if let Some(waiting) = all.remove(key).and_then(then) {
            all.insert(key.to_owned(), waiting);
        }
        drop(all);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_incident_that_comes_again_while_it_is_busy_is_taken_again() {
        let clock = Clock::system();
        let queue = Queue::new(clock.clone());
        queue.push("a");
        assert_eq!(queue.next().await, "a");
        queue.push("a");
        queue.push("b");
        assert_eq!(queue.next().await, "b");
        queue.done("a");
        assert_eq!(queue.next().await, "a");
        queue.done("a");
        let start = clock.monotonic();
        queue.later("b", Duration::from_secs(30));
        assert_eq!(queue.next().await, "b");
        assert_eq!(clock.monotonic() - start, Duration::from_secs(30));
        queue.hold("b");
        assert_eq!(queue.keys(), ["b"]);
        queue.release();
        assert_eq!(queue.next().await, "b");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_after_a_failure_waits_on_whatever_comes_meanwhile() {
        let clock = Clock::system();
        let queue = Queue::new(clock.clone());
        let start = clock.monotonic();
        queue.push("a");
        assert_eq!(queue.next().await, "a");
        queue.push("a");
        queue.later("a", Duration::from_secs(30));
        queue.push("a");
        assert_eq!(queue.next().await, "a");
        assert_eq!(clock.monotonic() - start, Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_just_when_all_are_released_is_released_too() {
        let queue = Queue::new(Clock::system());
        queue.push("a");
        assert_eq!(queue.next().await, "a");
        queue.release();
        queue.hold("a");
        assert_eq!(queue.next().await, "a");
    }
    #[tokio::test(start_paused = true)]
    async fn what_a_worker_had_in_its_hands_when_it_was_ended_is_taken_by_the_next() {
        let queue = Queue::new(Clock::system());
        queue.push("a");
        assert_eq!(queue.next().await, "a");
        queue.clear();
        queue.push("a");
        assert_eq!(queue.next().await, "a");
    }
}
