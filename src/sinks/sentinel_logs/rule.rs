//! What all who write to one data collection rule share: its limits, and its word to wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use runtime::clock::Clock;
use runtime::retry::quota::{Allowance, Amount, Quota};

/// Requests to one rule in a minute.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
const REQUESTS_A_MINUTE: usize = 12_000;
/// Bytes to one rule in a minute. The page does not say whether compressed ones: counted before compression, which is more.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
const BYTES_A_MINUTE: u64 = 2_000_000_000;

/// Data collection rules that this process writes to. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct RuleRegistry(Arc<Mutex<ByEndpoint>>);

/// By endpoint and immutable id.
type ByEndpoint = BTreeMap<(String, String), Arc<Rule>>;

/// One data collection rule: its limits a minute, and until when the service has asked to be left alone.
#[derive(Debug)]
pub struct Rule {
    budget: Quota,
    clock: Clock,
    /// No request before this: the service has asked for it.
    paused_until: Mutex<Option<Instant>>,
}

// === impl RuleRegistry ===

impl RuleRegistry {
    /// The rule `id` behind `endpoint`.
    pub(super) fn rule(&self, endpoint: &Url, id: &str, clock: &Clock) -> Arc<Rule> {
        let key = (endpoint.host_str().unwrap_or_default().to_owned(), id.to_ascii_lowercase());
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.entry(key).or_insert_with(|| Arc::new(Rule::new(clock)));
        Arc::clone(rule)
    }
}

// === impl Rule ===

impl Rule {
    fn new(clock: &Clock) -> Self {
        let allowances = vec![
            Allowance { amount: Amount::Requests(REQUESTS_A_MINUTE), within: Duration::from_mins(1) },
            Allowance { amount: Amount::Bytes(BYTES_A_MINUTE), within: Duration::from_mins(1) },
        ];
        Self {
            budget: Quota::new(allowances, clock.clone()),
            clock: clock.clone(),
            paused_until: Mutex::default(),
        }
    }

    /// Waits until a request of so many `bytes` is within the limits, and counts it. Before it is sent there may be a
    /// [`Self::pause`].
    pub(super) async fn admit(&self, bytes: u64) {
        self.pause().await;
        self.budget.spend(bytes).await;
    }

    /// Nobody sends anything for so long.
    pub(super) fn pause_for(&self, wait: Duration) {
        let until = self.clock.monotonic() + wait;
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused_until = (*paused_until).max(Some(until));
    }

    /// Waits until nobody is asked to wait any more.
    pub(super) async fn pause(&self) {
        while let Some(left) = self.paused_for() {
            self.clock.sleep(left).await;
        }
    }

    /// Whether nobody may send anything now.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_for().is_some()
    }

    /// For how long nobody may send anything.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(self.clock.monotonic());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everybody_who_writes_to_a_rule_shares_its_limits() {
        let (clock, rules) = (Clock::system(), RuleRegistry::default());
        let endpoint: Url = "https://a.ingest.monitor.azure.com".parse().unwrap();
        let began = clock.monotonic();
        let (one, other) = (rules.rule(&endpoint, "dcr-1", &clock), rules.rule(&endpoint, "DCR-1", &clock));
        one.admit(1_500_000_000).await;
        rules.rule(&endpoint, "dcr-2", &clock).admit(1_500_000_000).await;
        assert_eq!(clock.monotonic() - began, Duration::ZERO, "another rule has limits of its own");
        other.admit(600_000_000).await;
        assert_eq!(clock.monotonic() - began, Duration::from_mins(1));
        one.pause_for(Duration::from_secs(100));
        assert!(other.is_paused());
        other.admit(1).await;
        assert!(!other.is_paused());
        assert_eq!(clock.monotonic() - began, Duration::from_secs(160));
    }
}
