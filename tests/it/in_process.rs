//! The whole pipeline over a simulator in process: no socket, one thread, simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http_body_util::BodyExt;
use microsoft::connection::Connector;
use pipeline_file::PipelineFile;
use runtime::clock::Clock;
use runtime::edge::{Edge, EdgeError};
use runtime::off_thread::OffThread;
use serde_json::{Value, json};
use simulator::{Fault, InProcess, IncidentsConfig, Service, Simulator, SimulatorConfig, TransportError};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::plan::{self, Plan};
use vector_sentinel::topology::{Changes, Ended, NotReloaded, ReloadHandle, Topology, VectorMode};

const HOST: &str = "https://simulator.test";
/// How many incidents there are at first.
pub(crate) const INCIDENTS: usize = 120;

/// The simulator behind the port.
pub(crate) fn edge(service: InProcess) -> Edge {
    let words = |error: TransportError| match error {
        TransportError::Refused => EdgeError::Refused(error.to_string()),
        TransportError::Reset | TransportError::Closed => EdgeError::Lost(error.to_string()),
        TransportError::TimedOut => EdgeError::TimedOut(error.to_string()),
    };
    Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let service = service.clone();
        async move {
            let answer = service.oneshot(request).await.map_err(words)?;
            Ok(answer.map(|body| body.map_err(|error| EdgeError::Lost(error.to_string())).boxed_unsync()))
        }
    }))
}

/// A simulator in this process, and a directory for a pipeline's files.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) config: SimulatorConfig,
    pub(crate) clock: Clock,
    pub(crate) dir: TempDir,
}

/// A pipeline that runs in it.
pub(crate) struct RunningHere {
    handle: ReloadHandle,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Ended>,
}

/// Runs `test` on one thread by simulated time, of which it has three days, in a runtime that panics if anybody opens a socket.
pub(crate) fn in_simulated_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let limited = async { tokio::time::timeout(Duration::from_hours(72), test).await };
    runtime.unwrap().block_on(limited).expect("what is awaited does not come to be")
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        let incidents = IncidentsConfig { initial: INCIDENTS, ..IncidentsConfig::default() };
        Self::of(SimulatorConfig { incidents, ..SimulatorConfig::default() })
    }

    pub(crate) fn of(config: SimulatorConfig) -> Self {
        let clock = Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let clock = clock.with_off_thread(OffThread::Direct);
        let simulator = Simulator::in_process(config.clone(), clock.clone()).unwrap();
        Self { simulator, config, clock, dir: tempfile::tempdir().unwrap() }
    }

    /// A pipeline from the simulator's Graph into its table.
    pub(crate) fn pipeline(&self) -> Value {
        json!({
            "data_dir": self.dir.path().join("data"),
            "sources": {"defender": {"type": "defender_incidents", "auth": self.auth(), "endpoint": HOST}},
            "sinks": {"sentinel": self.sink()},
        })
    }

    /// A sink into the simulator's table.
    pub(crate) fn sink(&self) -> Value {
        json!({
            "type": "sentinel_logs", "inputs": ["defender"], "auth": self.auth(), "endpoint": HOST,
            "management_endpoint": HOST, "dcr_immutable_id": self.config.dcr.immutable_id,
            "stream_name": self.config.dcr.streams.keys().next().unwrap(),
        })
    }

    fn auth(&self) -> Value {
        json!({
            "azure_credential_kind": "client_secret_credential",
            "azure_tenant_id": self.config.tenant_id,
            "azure_client_id": self.config.client_id,
            "azure_client_secret": self.config.client_secret,
            "authority_host": HOST,
        })
    }

    pub(crate) fn plan(&self, pipeline: &Value) -> (Plan, PipelineFile) {
        let path = self.dir.path().join("pipeline.json");
        std::fs::write(&path, pipeline.to_string()).unwrap();
        let file = pipeline_file::read(&[path], &BTreeMap::new()).unwrap();
        let graph = pipeline_file::component_graph(&file, &catalogue());
        (plan::plan(&graph, &BTreeMap::new()).unwrap(), file)
    }

    /// The way to the simulator.
    pub(crate) fn connector(&self) -> Connector {
        let service = self.simulator.service();
        Connector::with(self.clock.clone(), move |options| {
            Ok(edge(service.clone().with_timeout(options.timeout)))
        })
    }

    /// The same, but that requests for tokens for Azure Resource Manager are never answered.
    pub(crate) fn connector_without_management_tokens(&self) -> Connector {
        let service = self.simulator.service();
        Connector::with(self.clock.clone(), move |options| {
            let edge = edge(service.clone().with_timeout(options.timeout));
            Ok(Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
                let edge = edge.clone();
                let hangs = request.body().windows(10).any(|part| part == b"management");
                async move { if hangs { std::future::pending().await } else { edge.oneshot(request).await } }
            })))
        })
    }

    pub(crate) async fn run(&self, pipeline: &Value) -> RunningHere {
        let connector = self.connector();
        let (plan, _) = self.plan(pipeline);
        let mut rng = fastrand::Rng::with_seed(1);
        let topology = Topology::build(&plan, VectorMode::None, &connector, &mut rng, false).await.unwrap();
        let (handle, (stop, stopped)) = (topology.reload_handle(), oneshot::channel::<()>());
        let task = tokio::spawn(topology.run(async { drop(stopped.await) }, std::future::pending()));
        RunningHere { handle, stop, task }
    }

    /// Waits until at least so many different rows are in the table.
    pub(crate) async fn rows(&self, count: usize) {
        self.simulator.wait_until(|stats| stats.distinct_rows >= count as u64).await;
    }
}

// === impl RunningHere ===

impl RunningHere {
    /// Goes on with `pipeline`; what is on its way to what goes has a minute.
    pub(crate) async fn reload(&self, world: &World, pipeline: &Value) -> Result<Changes, NotReloaded> {
        let (plan, file) = world.plan(pipeline);
        self.handle.reload(plan, file, Duration::from_mins(1)).await
    }

    pub(crate) fn handle(&self) -> ReloadHandle {
        self.handle.clone()
    }

    pub(crate) async fn stop(self) -> Ended {
        drop(self.stop);
        self.task.await.unwrap()
    }
}

/// What came of an outage of so many hours: how the run ended, and how many tokens were given.
fn after_an_outage_of(hours: u64) -> (Ended, u64) {
    in_simulated_time(async {
        let world = World::new();
        let simulator = &world.simulator;
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        simulator.faults().at_random(Service::Graph, vec![(1.0, down)]);
        let running = world.run(&world.pipeline()).await;
        world.clock.sleep(Duration::from_hours(hours)).await;
        assert_eq!(simulator.stats().rows_ingested, 0);
        simulator.faults().clear();
        world.rows(INCIDENTS).await;
        let ended = running.stop().await;
        assert_eq!(simulator.missing(), []);
        assert_eq!(simulator.stats().rows_ingested, INCIDENTS as u64, "nothing came twice");
        (ended, simulator.stats().tokens_issued)
    })
}

#[test]
fn after_hours_of_outage_everything_arrives_once_and_tokens_were_renewed() {
    let (ended, tokens) = after_an_outage_of(9);
    assert_eq!(ended, Ended::Drained);
    // Graph's token lives for an hour, and is renewed five minutes before its end.
    assert!(tokens >= 9, "{tokens} tokens in nine hours");
}
