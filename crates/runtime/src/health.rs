//! Whether a component works, since when it does not, why, and what to do: one value, set by whoever works.
//!
//! Whatever shows how a component is (the health check of its link, `/health`, a page, an exit code) shows this.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// What of a component can fail by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its requests to a service.
    Requests,
    /// Its requests to one of several destinations: that of this name.
    Destination(Arc<str>),
    /// What waits on its disk for a destination: it can be neither written nor read.
    Spool,
    /// What it keeps in the state.
    State,
    /// Writing, which is halted until somebody resumes it.
    Halt,
}

/// Why a part does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when, without a success in between.
    pub since: DateTime<Utc>,
    /// The metric's label `error_type`.
    pub error_type: &'static str,
    /// What happened last, and what to do about it.
    pub why: String,
}

/// The health of one component. Clones are the same value.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<BTreeMap<Part, Trouble>>>);

// === impl Health ===

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Health {
    /// Notes that a part works.
    pub fn works(&self, part: &Part) {
        self.0.send_if_modified(|troubles| troubles.remove(part).is_some());
    }

    /// Notes that a part does not work. `now` counts only if it worked before.
    pub fn fails(&self, part: Part, now: DateTime<Utc>, error_type: &'static str, why: impl Into<String>) {
        let why = why.into();
        self.0.send_if_modified(|troubles| {
            let since = troubles.get(&part).map_or(now, |known| known.since);
            let trouble = Trouble { since, error_type, why };
            troubles.insert(part, trouble.clone()).as_ref() != Some(&trouble)
        });
    }

    /// Whether every part works, or has not been tried yet.
    pub fn is_working(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What does not work, the longest first.
    pub fn troubles(&self) -> Vec<(Part, Trouble)> {
        let mut troubles: Vec<_> =
            self.0.borrow().iter().map(|(part, trouble)| (part.clone(), trouble.clone())).collect();
        troubles.sort_by(|(a_part, a), (b_part, b)| (a.since, a_part).cmp(&(b.since, b_part)));
        troubles
    }

    /// Ends when something else is noted than is now.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut known = self.0.subscribe();
        // The sender lives as long as any clone of this: should it be gone, nothing changes any more.
        async move {
            if known.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_trouble_begins_with_its_first_failure_and_says_its_last_reason() {
        let health = Health::default();
        assert!(health.is_working());
        health.fails(Part::Requests, at(10), "forbidden", "give it the role");
        health.fails(Part::Requests, at(20), "timed_out", "no answer");
        health.fails(Part::State, at(5), "state_file", "the disk is full");
        let troubles = health.troubles();
        assert_eq!(troubles[0].0, Part::State);
        let expected = Trouble { since: at(10), error_type: "timed_out", why: "no answer".to_owned() };
        assert_eq!(troubles[1], (Part::Requests, expected));
        health.works(&Part::Requests);
        assert!(!health.is_working(), "one part does not speak for another");
        health.works(&Part::State);
        assert!(health.is_working());
    }

    #[test]
    fn whoever_watches_is_woken_by_a_change_and_by_nothing_else() {
        let health = Health::default();
        let changed = health.changed();
        health.works(&Part::Requests);
        assert!(changed.now_or_never().is_none());
        let changed = health.changed();
        health.fails(Part::Requests, at(1), "timed_out", "no answer");
        assert!(changed.now_or_never().is_some());
        let changed = health.changed();
        health.fails(Part::Requests, at(2), "timed_out", "no answer");
        assert!(changed.now_or_never().is_none());
    }
}
