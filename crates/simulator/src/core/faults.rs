//! Faults that requests meet: one after the other from a script, or at random from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Deserializer, de};

use crate::core::operation::Operation;
use crate::core::store::lock;

/// One of the simulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The token endpoint of Entra ID.
    Entra,
    /// Defender's incidents in Microsoft Graph.
    Graph,
    /// The rows of Logs Ingestion.
    LogsIngestion,
    /// Sentinel's incidents, at Azure Resource Manager.
    SecurityInsights,
    /// Azure Resource Manager, for everything but Sentinel's incidents.
    ResourceManager,
    /// The queries of Log Analytics.
    LogAnalytics,
}

/// What happens to one request. In JSON: `"reset"`, `{"delay": 1.5}`,
/// `{"status": {"code": 503, "retry_after": "2"}}`, and so on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No fault: lets one request of a script through.
    Pass,
    /// An answer instead of the real one; the request is not processed.
    Status {
        /// The HTTP status.
        code: u16,
        /// The header `Retry-After`, if any.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body; without it, the service's own kind of error.
        #[serde(default)]
        body: Option<String>,
    },
    /// Waits (in JSON: seconds), then answers as always.
    #[serde(deserialize_with = "seconds")]
    Delay(Duration),
    /// A TCP reset before any answer; the request is not processed.
    Reset,
    /// A TCP reset after the request was processed: the client cannot know.
    ResetAfter,
    /// All headers, half the body, then the connection is closed. An answer without a body is not sent
    /// at all.
    CutBody,
    /// The token endpoint refuses with this code. At another service the same as `ExpireToken`.
    RefuseToken {
        /// As in `AADSTS7000222`.
        code: String,
        /// The sentence after the code.
        #[serde(default)]
        description: Option<String>,
    },
    /// The token of this request has expired, now and for ever. At the token endpoint, where requests
    /// carry none: every token issued so far has, and the request is answered as always.
    ExpireToken,
}

/// All faults of one run, as a file has them:
///
/// ```json
/// {
///   "script": {"graph": ["pass", "reset", {"status": {"code": 503}}], "entra": [], "logs_ingestion": []},
///   "at_random": {"logs_ingestion": [{"probability": 0.05, "fault": {"delay": 2.0}}]}
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// One fault a request, in order; afterwards nothing, or what is at random.
    pub script: BTreeMap<Service, Vec<Fault>>,
    /// What can happen to any request.
    pub at_random: BTreeMap<Service, Vec<Chance>>,
    /// One fault a request of its kind, in order; what is here comes before `script`.
    pub operations: BTreeMap<Operation, Vec<Fault>>,
}

/// A fault and how likely it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// From 0 (never) to 1 (always).
    pub probability: f64,
    /// What happens then.
    pub fault: Fault,
}

/// Handle to script faults.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: Rng,
    operations: BTreeMap<Operation, VecDeque<Fault>>,
    plans: BTreeMap<Service, Plan>,
    /// By a part of the path, such as a rule's id or a stream's name.
    at_paths: BTreeMap<String, Fault>,
}

#[derive(Debug, Default)]
struct Plan {
    script: VecDeque<Fault>,
    chances: Vec<(f64, Fault)>,
}

// === impl Faults ===

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        Self(Mutex::new(State {
            rng,
            operations: BTreeMap::new(),
            plans: BTreeMap::new(),
            at_paths: BTreeMap::new(),
        }))
    }

    /// Adds faults to the end of a service's script: each happens to one request, in order.
    pub fn script(&self, service: Service, faults: Vec<Fault>) {
        lock(&self.0).plans.entry(service).or_default().script.extend(faults);
    }

    /// Adds faults that wait for requests of one kind, whatever comes between: each happens to one of them, in order,
    /// and the script of their service waits meanwhile.
    pub fn script_operation(&self, operation: Operation, faults: Vec<Fault>) {
        lock(&self.0).operations.entry(operation).or_default().extend(faults);
    }

    /// Sets what happens to requests that the script says nothing about, each with its probability (the
    /// first that strikes wins).
    pub fn at_random(&self, service: Service, chances: Vec<(f64, Fault)>) {
        lock(&self.0).plans.entry(service).or_default().chances = chances;
    }

    /// Has this happen to every request whose path contains `part`, such as a rule's id or a stream's name, before anything else
    /// is looked at. [`Fault::Pass`] ends it.
    pub fn at_path(&self, part: &str, fault: Fault) {
        lock(&self.0).at_paths.insert(part.to_owned(), fault);
    }

    /// No more faults.
    pub fn clear(&self) {
        let mut state = lock(&self.0);
        state.at_paths.clear();
        state.plans.clear();
        state.operations.clear();
    }

    /// Adds everything that a file asks for.
    pub fn apply(&self, plan: FaultPlan) {
        let FaultPlan { script, at_random, operations } = plan;
        for (operation, faults) in operations {
            self.script_operation(operation, faults);
        }
        for (service, faults) in script {
            self.script(service, faults);
        }
        for (service, chances) in at_random {
            self.at_random(service, chances.into_iter().map(|one| (one.probability, one.fault)).collect());
        }
    }

    /// What happens to the next request, to `path`.
    pub(crate) fn next(&self, service: Service, operation: Option<Operation>, path: &str) -> Fault {
        let State { rng, operations, plans, at_paths } = &mut *lock(&self.0);
        let at_path = at_paths.iter().find(|(part, fault)| path.contains(*part) && **fault != Fault::Pass);
        if let Some((_, fault)) = at_path {
            return fault.clone();
        }
        let waiting = operation.and_then(|operation| operations.get_mut(&operation));
        if let Some(fault) = waiting.and_then(VecDeque::pop_front) {
            return fault;
        }
        let plan = plans.entry(service).or_default();
        if let Some(fault) = plan.script.pop_front() {
            return fault;
        }
        let struck = plan.chances.iter().find(|(probability, _)| rng.f64() < *probability);
        struck.map_or(Fault::Pass, |(_, fault)| fault.clone())
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_faults_is_read() {
        let plan: FaultPlan = serde_json::from_str(
            r#"{"script": {"graph": ["pass", "reset", {"delay": 1.5}, {"status": {"code": 429, "retry_after": "2"}}],
                           "entra": [{"refuse_token": {"code": "AADSTS7000222"}}]},
                "at_random": {"logs_ingestion": [{"probability": 1, "fault": "reset_after"}]},
                "operations": {"sentinel_put": ["reset"]}}"#,
        )
        .unwrap();
        let faults = Faults::new(0);
        faults.apply(plan);
        assert_eq!(faults.next(Service::Graph, None, "/"), Fault::Pass);
        assert_eq!(faults.next(Service::Graph, None, "/"), Fault::Reset);
        assert_eq!(faults.next(Service::Graph, None, "/"), Fault::Delay(Duration::from_millis(1500)));
        let throttled = Fault::Status { code: 429, retry_after: Some("2".to_owned()), body: None };
        assert_eq!(faults.next(Service::Graph, None, "/"), throttled);
        assert_eq!(faults.next(Service::Graph, None, "/"), Fault::Pass);
        let refused = Fault::RefuseToken { code: "AADSTS7000222".to_owned(), description: None };
        assert_eq!(faults.next(Service::Entra, None, "/"), refused);
        assert_eq!(faults.next(Service::LogsIngestion, None, "/"), Fault::ResetAfter);
        let comes = |operation| faults.next(Service::SecurityInsights, Some(operation), "/");
        assert_eq!(comes(Operation::SentinelGet), Fault::Pass);
        assert_eq!(comes(Operation::SentinelPut), Fault::Reset);
        assert_eq!(comes(Operation::SentinelPut), Fault::Pass);
        faults.clear();
        assert_eq!(faults.next(Service::LogsIngestion, None, "/"), Fault::Pass);
    }

    #[test]
    fn a_misspelt_file_is_refused() {
        for text in [
            r#"{"scripts": {}}"#,
            r#"{"script": {"graph": ["explode"]}}"#,
            r#"{"script": {"grahp": []}}"#,
            r#"{"script": {"graph": [{"delay": -1}]}}"#,
        ] {
            assert!(serde_json::from_str::<FaultPlan>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn chance_repeats_from_a_seed() {
        let struck = || {
            let faults = Faults::new(3);
            faults.at_random(Service::Graph, vec![(0.3, Fault::Reset)]);
            (0..100).map(|_| faults.next(Service::Graph, None, "/")).collect::<Vec<_>>()
        };
        assert_eq!(struck(), struck());
        let count = struck().iter().filter(|fault| **fault == Fault::Reset).count();
        assert!((10..60).contains(&count), "{count}");
    }
}
