//! Brings incidents from each side to the sink of the other: late, twice, in any order; and kills those who write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use incident_model::field::Side;
use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use model::event::Event;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::store::Store;
use serde_json::{Value, json};
use simulator::{ArmQuota, Fault, Service, Simulator, SimulatorConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vector_sentinel::component::{Built, Component, Runtime};
use vector_sentinel::sinks::incident_sync::{Ledger, Ledgers};
use vector_sentinel::sinks::{defender_incidents, sentinel_incidents};

use crate::harness::{Bench, PATIENCE, checked};

/// The sinks and who writes for them, and what is on its way to them.
pub(super) struct Courier {
    bench: Bench,
    store: Store,
    rng: Rng,
    running: Option<Running>,
    /// Events that were seen and not brought yet, or are to be brought again.
    bag: Vec<(Side, Value)>,
}

struct Running {
    ledger: Arc<Ledger>,
    to_sentinel: Arc<dyn Deliver>,
    to_defender: Arc<dyn Deliver>,
    workers: Vec<JoinHandle<()>>,
}

impl Courier {
    pub(super) async fn start(mut config: SimulatorConfig, rng: Rng) -> Self {
        config.workspace.quota = ArmQuota::unlimited();
        let bench = Bench::start(config).await;
        let store = Store::open(&bench.path("data")).unwrap();
        let mut courier = Self { bench, store, rng, running: None, bag: Vec::new() };
        courier.listen();
        courier
    }

    pub(super) fn simulator(&self) -> &Simulator {
        &self.bench.simulator
    }

    /// Everything that can befall a request, from now on.
    pub(super) fn strike(&self) {
        let status = |code, retry_after: Option<&str>| Fault::Status {
            code,
            retry_after: retry_after.map(ToOwned::to_owned),
            body: None,
        };
        let faults = || {
            vec![
                (0.02, Fault::ResetAfter),
                (0.02, Fault::Reset),
                (0.01, Fault::CutBody),
                (0.01, status(503, None)),
                (0.01, status(429, Some("0.1"))),
                (0.02, Fault::Delay(Duration::from_millis(30))),
            ]
        };
        self.simulator().faults().at_random(Service::Graph, faults());
        self.simulator().faults().at_random(Service::SecurityInsights, faults());
    }

    pub(super) fn calm(&self) {
        self.simulator().faults().clear();
    }

    /// Starts those who write, on what those before them have left.
    pub(super) fn listen(&mut self) {
        let (connector, data_dir) = (Connector::new(Clock::system()), self.bench.path("data"));
        let mut runtime = Runtime::new(connector, self.rng.fork(), self.store.clone(), data_dir.into());
        let ledger = Ledgers::ledger(&mut runtime, "model");
        let sync = json!({
            "ledger": "model",
            "conflicts": {"status": "defender", "owner": "sentinel", "classification": "newest"},
        });
        let common = json!({
            "auth": self.bench.auth(),
            "endpoint": self.simulator().url(),
            "tls": {"ca_file": self.bench.path("ca.pem")},
            "request": {"rate_limit_num": 100_000},
            "sync": sync,
            "write": {"safety": {"max_incidents": 1_000_000}},
        });
        let workspace = &self.bench.config.workspace;
        let mut with_workspace = common.clone();
        with_workspace.as_object_mut().unwrap().extend([
            ("subscription_id".to_owned(), workspace.subscription_id.clone().into()),
            ("resource_group".to_owned(), workspace.resource_group.clone().into()),
            ("workspace_name".to_owned(), workspace.name.clone().into()),
        ]);
        let proxy: ProxyConfig = serde_json::from_value(json!({"enabled": false})).unwrap();
        let to_sentinel: sentinel_incidents::SentinelIncidents = checked(with_workspace, &proxy);
        let to_defender: defender_incidents::DefenderIncidents = checked(common, &proxy);
        let components: [(&str, &dyn Component); 2] =
            [("to_sentinel", &to_sentinel), ("to_defender", &to_defender)];
        let [to_sentinel, to_defender] =
            components.map(|(id, component)| match component.build(id, &mut runtime).unwrap() {
                Built::Sink(sink) => sink,
                Built::Source(_) => panic!("{id} is a sink"),
            });
        let workers = [to_sentinel.task, to_defender.task];
        let workers = workers.map(|task| tokio::spawn(task.unwrap()(CancellationToken::new())));
        let (to_sentinel, to_defender) = (to_sentinel.deliver, to_defender.deliver);
        self.running = Some(Running { ledger, to_sentinel, to_defender, workers: workers.into() });
    }

    /// Ends those who write, whatever they are doing.
    pub(super) async fn stop_listening(&mut self) {
        for worker in self.running.take().unwrap().workers {
            worker.abort();
            worker.await.ok();
        }
    }

    pub(super) async fn kill(&mut self) {
        self.stop_listening().await;
        self.listen();
    }

    /// Sees what there is on both sides, and brings some of what it has seen, now or before.
    pub(super) async fn carry(&mut self) {
        self.see();
        self.rng.shuffle(&mut self.bag);
        let some = self.bag.split_off(self.bag.len() / 2);
        let mut rest = some.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(self.rng.usize(1..=rest.len().min(20)));
            let again = batch.iter().filter(|_| self.rng.u8(..10) == 0);
            self.bag.extend(again.cloned());
            self.bring(batch).await;
            rest = after;
        }
    }

    /// Brings all that there is now.
    pub(super) async fn carry_everything(&mut self) {
        self.bag.clear();
        self.see();
        let all = std::mem::take(&mut self.bag);
        self.bring(&all).await;
    }

    fn see(&mut self) {
        let (defender, sentinel) = (self.simulator().tenant().state(), self.simulator().workspace().state());
        self.bag.extend(defender.into_iter().map(|incident| (Side::Defender, incident)));
        self.bag.extend(sentinel.into_iter().map(|incident| (Side::Sentinel, incident)));
    }

    async fn bring(&self, events: &[(Side, Value)]) {
        let running = self.running.as_ref().unwrap();
        for (from, sink) in [(Side::Defender, &running.to_sentinel), (Side::Sentinel, &running.to_defender)] {
            let of_side = events.iter().filter(|(side, _)| *side == from);
            let batch: Vec<_> =
                of_side.map(|(_, incident)| Event::new(Bytes::from(incident.to_string()), None)).collect();
            assert_eq!(sink.deliver(batch.into()).await, BatchStatus::Delivered);
        }
    }

    /// Lets time pass, in which nothing is to happen.
    pub(super) async fn a_second(&self) {
        Clock::system().sleep(Duration::from_secs(1)).await;
    }

    /// Waits until nothing waits to be written.
    pub(super) async fn until_idle(&self) {
        let ledger = &self.running.as_ref().unwrap().ledger;
        let clock = Clock::system();
        let idle = async {
            while Side::ALL.into_iter().any(|side| ledger.waiting(side) > 0) {
                // Every pass asks the simulator for something, or ends at once.
                tokio::select! {
                    () = self.simulator().changed() => {}
                    () = clock.sleep(Duration::from_millis(5)) => {}
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, idle).await;
        waited.unwrap_or_else(|_| panic!("something waits for ever: {:#?}", self.statuses()));
    }

    /// Brings what there is until that causes nothing any more.
    pub(super) async fn until_quiet(&mut self) {
        for _ in 0..50 {
            let writes = self.simulator().writes().len();
            self.carry_everything().await;
            self.until_idle().await;
            if self.simulator().writes().len() == writes {
                return;
            }
        }
        let writes = self.simulator().writes();
        panic!("it never ends: {:#?}", &writes[writes.len() - 20..]);
    }

    fn statuses(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.bench.path("data/sync")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}
