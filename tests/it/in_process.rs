//! The whole pipeline over a simulator in process: no socket, one thread, simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http_body_util::BodyExt;
use microsoft::connection::Connector;
use runtime::clock::Clock;
use runtime::edge::{Edge, EdgeError};
use runtime::off_thread::OffThread;
use serde_json::json;
use simulator::{Fault, InProcess, IncidentsConfig, Service, Simulator, SimulatorConfig, TransportError};
use tokio::sync::oneshot;
use tower::ServiceExt;
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::{Beside, Ended, Topology, plan};

const HOST: &str = "https://simulator.test";
const INCIDENTS: usize = 120;

/// The simulator behind the port.
fn edge(service: InProcess) -> Edge {
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

/// A pipeline from the simulator's Graph into its table.
fn pipeline(config: &SimulatorConfig, data_dir: &std::path::Path) -> serde_json::Value {
    let auth = json!({
        "azure_credential_kind": "client_secret_credential",
        "azure_tenant_id": config.tenant_id,
        "azure_client_id": config.client_id,
        "azure_client_secret": config.client_secret,
        "authority_host": HOST,
    });
    json!({
        "data_dir": data_dir,
        "sources": {"defender": {"type": "defender_incidents", "auth": auth, "endpoint": HOST}},
        "sinks": {"sentinel": {
            "type": "sentinel_logs", "inputs": ["defender"], "auth": auth, "endpoint": HOST,
            "management_endpoint": HOST, "dcr_immutable_id": config.dcr.immutable_id,
            "stream_name": config.dcr.streams.keys().next().unwrap(),
        }},
    })
}

/// What came of an outage of so many hours: how the run ended, and how many tokens were given.
fn after_an_outage_of(hours: u64) -> (Ended, u64) {
    // A runtime that panics if anybody opens a socket.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let clock = clock.with_off_thread(OffThread::Direct);
        let incidents = IncidentsConfig { initial: INCIDENTS, ..IncidentsConfig::default() };
        let config = SimulatorConfig { incidents, ..SimulatorConfig::default() };
        let simulator = Simulator::in_process(config.clone(), clock.clone()).unwrap();
        let service = simulator.service();
        let connector = Connector::with(clock.clone(), move |options| {
            Ok(edge(service.clone().with_timeout(options.timeout)))
        });
        let file = dir.path().join("pipeline.json");
        std::fs::write(&file, pipeline(&config, &dir.path().join("data")).to_string()).unwrap();
        let file = pipeline_file::read(&[file], &BTreeMap::new()).unwrap();
        let graph = pipeline_file::component_graph(&file, &catalogue());
        let plan = plan::plan(&graph, &BTreeMap::new()).unwrap();

        let down = Fault::Status { code: 503, retry_after: None, body: None };
        simulator.faults().at_random(Service::Graph, vec![(1.0, down)]);
        let mut rng = fastrand::Rng::with_seed(1);
        let topology = Topology::build(&plan, Beside::Nothing, &connector, &mut rng, false).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(topology.run(async { drop(stopped.await) }, std::future::pending()));
        clock.sleep(Duration::from_hours(hours)).await;
        assert_eq!(simulator.stats().rows_ingested, 0);
        simulator.faults().clear();
        simulator.wait_until(|stats| stats.distinct_rows == INCIDENTS as u64).await;
        drop(stop);
        let ended = running.await.unwrap();
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
