//! The incidents that fail: how each is tried again, and what that says of the whole direction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runtime::retry::policy::{Policies, RetryPolicy};

use super::error::PassError;

/// So many incidents that fail with no success in between are not about the incidents any more.
const MOST_IN_A_ROW: usize = 3;

/// The incidents of one direction that fail.
#[derive(Default)]
pub(super) struct Failing {
    policies: BTreeMap<String, RetryPolicy>,
    /// Those whose failure was about who asks, or where: a success with another incident does not mend that.
    shut_out: BTreeSet<String>,
    /// Those that have failed since anything last succeeded.
    in_a_row: BTreeSet<String>,
}

// === impl Failing ===

impl Failing {
    /// Notes that an incident has failed, and answers how long to wait before it is tried again.
    pub(super) fn failed(&mut self, key: &str, error: &PassError, policies: &Policies) -> Duration {
        self.in_a_row.insert(key.to_owned());
        if matches!(error, PassError::Service(error) if error.is_about_everything()) {
            self.shut_out.insert(key.to_owned());
        } else {
            self.shut_out.remove(key);
        }
        let policy = self.policies.entry(key.to_owned()).or_insert_with(|| policies.forever());
        policy.wait(error.verdict())
    }

    /// Notes that an incident has not failed: it is written, or it alone is refused.
    pub(super) fn succeeded(&mut self, key: &str) {
        self.policies.remove(key);
        self.shut_out.remove(key);
        self.in_a_row.clear();
    }

    /// Whether nothing can be written, as far as is known.
    pub(super) fn is_everything(&self) -> bool {
        !self.shut_out.is_empty() || self.in_a_row.len() >= MOST_IN_A_ROW
    }

    /// The incidents that fail.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.policies.contains_key(key)
    }
}
