//! What the stock Vector does with ours beside it, where it can be found.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{Fault, Service};
use tokio::net::TcpListener;

use crate::fake_vector::certificates_in;
use crate::harness::{PATIENCE, real_vector};
use crate::rig::{Peer, Rig, lines};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_what_has_changed_and_nothing_that_is_wrong() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let mut rig = Rig::new(&peer, 50, &lines(10), json!({})).await;
    rig.start().await;
    rig.all_arrived_but(0, PATIENCE).await;
    let pid = rig.vector_pid().await;

    // Something of Vector's: it reads its configuration anew, and goes on running.
    rig.pipeline["transforms"]["enrich"]["source"] = json!(".enriched = true\n.reloaded = \"$1 yes\"");
    rig.reload();
    rig.says("Vector reads the rest again").await;
    rig.says("New configuration loaded successfully").await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;
    let reloaded = rig.bench.simulator.rows();
    let reloaded = reloaded.iter().filter(|row| row.columns["ExtraColumns"]["reloaded"] == "$1 yes").count();
    assert_eq!((reloaded, rig.vector_pid().await), (5, pid.clone()));

    // A mistake: everything goes on as before.
    let right = rig.pipeline.clone();
    rig.pipeline["sinks"]["sentinel"]["stream_name"] = json!("wrong");
    rig.reload();
    rig.says("Not reloaded, going on as before: ").await;
    rig.says(": sinks.sentinel.stream_name").await;

    // A mistake that only Vector sees: it never gets it, and not when it is started again either.
    rig.pipeline = right.clone();
    rig.pipeline["transforms"]["enrich"]["source"] = json!(".enriched = (");
    rig.reload();
    rig.says("Not reloaded, going on as before: Vector refuses the stock components").await;
    rig.kill_vector().await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;

    // Something of ours: it is replaced, and Vector goes on.
    let pid = rig.vector_pid().await;
    rig.pipeline = right;
    rig.pipeline["sinks"]["sentinel"]["request"] = json!({"concurrency": 2});
    rig.pipeline["sources"]["defender"]["poll_interval_secs"] = json!(2);
    rig.reload();
    rig.says("Reloaded: changed sources.defender, sinks.sentinel. What has not changed went on.").await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;
    assert_eq!((rig.duplicates(), rig.vector_pid().await), (0, pid.clone()));

    // One more of ours, and one less: Vector takes it up while it runs.
    let rows = rig.bench.simulator.stats().rows_ingested;
    rig.pipeline["sinks"]["second"] = rig.pipeline["sinks"]["sentinel"].clone();
    rig.pipeline["sinks"]["second"]["inputs"] = json!(["enrich"]);
    rig.reload();
    rig.says("Reloaded: added sinks.second.").await;
    rig.says_times("Vector has reloaded", 2).await;
    rig.bench.simulator.tenant().create(5);
    rig.bench.until(|stats| stats.rows_ingested == rows + 10).await;
    rig.pipeline["sinks"].as_object_mut().unwrap().remove("second");
    rig.reload();
    rig.says("Reloaded: removed sinks.second.").await;
    rig.says_times("Vector has reloaded", 3).await;
    rig.bench.simulator.tenant().create(5);
    rig.bench.until(|stats| stats.rows_ingested == rows + 15).await;
    assert_eq!((rig.vector_pid().await, rig.stop().await), (pid, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_stock_component_is_told_before_anything_starts() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let mut rig = Rig::new(&peer, 5, &lines(1), json!({})).await;
    rig.pipeline["transforms"]["enrich"]["source"] = json!(".enriched = (");
    rig.start().await;
    assert_eq!(rig.ended().await, Some(78));
    let log = std::fs::read_to_string(rig.log()).unwrap();
    assert!(log.contains("Vector refuses the stock components") && log.contains("enrich"), "{log}");
    assert_eq!(rig.bench.simulator.stats().graph_requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_vector_that_cannot_start() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = Rig::new(&peer, 5, &lines(1), json!({})).await;
    let address = taken.local_addr().unwrap().to_string();
    rig.pipeline["sources"]["taken"] = json!({"type": "socket", "mode": "tcp", "address": address});
    rig.pipeline["sinks"]["sentinel"]["inputs"] = json!(["enrich", "lines", "taken"]);
    rig.start().await;
    rig.says("starting it again in").await;
    let clock = Clock::system();
    let began = clock.monotonic();
    rig.stop().await;
    let waited = clock.monotonic() - began;
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    rig.says("Vector is down: not waiting for it").await;
}

/// An HTTP endpoint that refuses at first, and what it has taken.
#[derive(Clone, Default)]
struct Endpoint {
    refusals: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<Value>>>,
}

async fn take(State(endpoint): State<Endpoint>, body: String) -> StatusCode {
    let left =
        endpoint.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    if left.is_ok() {
        return StatusCode::FORBIDDEN;
    }
    let events: Vec<Value> = serde_json::from_str(&body).unwrap();
    endpoint.taken.lock().unwrap().extend(events);
    StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_vector_its_time_though_our_sink_is_stuck() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let endpoint = Endpoint::default();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", socket.local_addr().unwrap());
    let router = Router::new().route("/", post(take)).with_state(endpoint.clone());
    tokio::spawn(async move { axum::serve(socket, router).await });

    // With a spool it would not be stuck.
    let mut rig = Rig::new(&peer, 100, &lines(1_000), json!({"spool": {"enabled": false}})).await;
    rig.arguments = vec!["--graceful-shutdown-limit-secs".to_owned(), "12".to_owned()];
    rig.pipeline["sources"]["demo"] = json!({"type": "demo_logs", "format": "json", "interval": 0.01});
    // What it holds is sent when it stops, if it is given the time.
    rig.pipeline["sinks"]["archive"] = json!({
        "type": "http", "inputs": ["demo"], "uri": uri, "encoding": {"codec": "json"},
        "batch": {"timeout_secs": 600, "max_events": 100_000},
    });
    let down = Fault::Status { code: 503, retry_after: None, body: None };
    rig.bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, down)]);
    rig.start().await;
    rig.bench.until(|stats| stats.ingestion_requests > 3).await;
    assert_eq!(rig.stop().await, Some(75), "{}", std::fs::read_to_string(rig.log()).unwrap());
    assert!(!endpoint.taken.lock().unwrap().is_empty(), "what Vector held for its own sink is lost");

    // And nothing of ours is: it is all read again.
    rig.bench.simulator.faults().clear();
    rig.start().await;
    rig.all_arrived_but(0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_sink_that_rejects_for_a_while_loses_nothing_of_ours() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let endpoint = Endpoint { refusals: Arc::new(4.into()), ..Endpoint::default() };
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", socket.local_addr().unwrap());
    let router = Router::new().route("/", post(take)).with_state(endpoint.clone());
    tokio::spawn(async move { axum::serve(socket, router).await });

    let mut rig = Rig::new(&peer, 120, &[], json!({})).await;
    // Not a word of acknowledgements: they are switched on because our source's events get there.
    rig.pipeline["sinks"]["archive"] = json!({
        "type": "http", "inputs": ["enrich"], "uri": uri, "encoding": {"codec": "json"},
    });
    rig.start().await;
    let taken = || {
        let taken = endpoint.taken.lock().unwrap();
        taken.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>().len()
    };
    let all = async {
        while taken() < 120 {
            Clock::system().sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the archive lacks incidents");
    rig.all_arrived_but(0, PATIENCE).await;
    assert_eq!(rig.stop().await, Some(0));
    let log = std::fs::read_to_string(rig.log()).unwrap();
    assert!(log.contains("a sink of Vector's has rejected events"), "{log}");
    assert!(!rig.bench.path("data/quarantine/defender/000001.ndjson").exists(), "nothing was given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_nested_deep_arrive_from_vector_as_they_are() {
    let Some(peer) = real_vector().map(Peer::Real) else { return };
    let nested = |levels: usize| format!("{}[1]{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1));
    let lines: Vec<Vec<u8>> = [3, 33, 60, 120].map(|levels| nested(levels).into_bytes()).into();
    let mut rig = Rig::new(&peer, 1, &lines, json!({})).await;
    rig.pipeline["transforms"]["parse"] =
        json!({"type": "remap", "inputs": ["lines"], "source": ".parsed = parse_json!(.message)"});
    rig.pipeline["sinks"]["sentinel"]["inputs"] = json!(["enrich", "parse"]);
    rig.start().await;
    rig.all_arrived_but(0, PATIENCE).await;
    for row in rig.bench.simulator.rows() {
        let Some(message) = row.columns["ExtraColumns"]["message"].as_str() else { continue };
        let mut inner = row.columns["ExtraColumns"]["parsed"].clone();
        while let Some(next) = inner.get("a") {
            inner = next.clone();
        }
        let levels = message.matches("\"a\"").count();
        assert!(inner == json!([1]) && levels >= 2, "{message}");
    }
    assert_eq!((rig.stop().await, rig.duplicates()), (Some(0), 0));
}

/// The file that an earlier version has rendered, in a Vector that somebody else runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_vector_that_speaks_grpc_is_hung_up_on_and_drops_nothing() {
    let Some(vector) = real_vector() else { return };
    let mut rig = Rig::new(&Peer::Sidecar(vector.clone()), 5, &lines(3_000), json!({})).await;
    rig.start_plugin();
    certificates_in(&rig.fake.certificates).await;
    let file = |name: &str| rig.fake.certificates.join(name);
    let old = json!({
        "data_dir": rig.bench.path("data"),
        "sources": {"lines": rig.pipeline["sources"]["lines"]},
        "sinks": {"sentinel": {
            "type": "vector", "inputs": ["lines"], "address": format!("https://{}", rig.fake.sink),
            "acknowledgements": {"enabled": true}, "request": {"concurrency": 8},
            "tls": {
                "enabled": true, "verify_certificate": true, "verify_hostname": true, "ca_file": file("ca.pem"),
                "crt_file": file("vector.pem"), "key_file": file("vector.key"),
            },
        }},
    });
    std::fs::write(rig.bench.path("old.json"), old.to_string()).unwrap();
    let log = std::fs::File::create(rig.bench.path("old.log")).unwrap();
    let mut running = tokio::process::Command::new(vector);
    running.arg("--config").arg(rig.bench.path("old.json")).kill_on_drop(true);
    let mut running = running.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    rig.says_times("Vector speaks gRPC to sinks.sentinel", 5).await;
    running.kill().await.unwrap();
    let log = std::fs::read_to_string(rig.bench.path("old.log")).unwrap();
    assert!(log.contains("Retrying after error") && !log.contains("dropped"), "{log}");
    rig.start_vector().await;
    rig.all_arrived_but(0, PATIENCE).await;
    assert_eq!((rig.stop().await, rig.duplicates()), (Some(0), 0));
}
