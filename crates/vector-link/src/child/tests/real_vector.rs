use std::net::{SocketAddr, TcpListener};

use bytes::Bytes;
use http::Request;
use tower::ServiceExt;

use super::*;
use crate::certificates::{Certificates, TlsIdentity};
use crate::client::{Forward, ForwardOptions, VectorPeer, edge};
use model::event::{Batch, Event};
use runtime::delivery::{BatchStatus, Deliver};
use runtime::edge::{Edge, EdgeError};
use runtime::quarantine::Quarantine;
use runtime::telemetry::ComponentLabels;

/// The Vector on this machine, in a directory of its own.
async fn vector(config: impl FnOnce(&Path) -> String) -> Option<Bench> {
    let Ok(binary) = Binary::find(None, &std::env::vars().collect(), &Clock::system()).await else {
        // Past the test runner, which hides what tests print that pass.
        let line = b"\nSKIPPED: there is no Vector: set VECTOR_BIN, or put it on the PATH\n";
        std::io::Write::write_all(&mut std::io::stderr(), line).unwrap();
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let text = format!("data_dir: {}\n{}", dir.path().display(), config(dir.path()));
    std::fs::write(dir.path().join("vector.yaml"), text).unwrap();
    std::fs::write(dir.path().join("log"), "").unwrap();
    let (config, shutdown_limit) = (dir.path().join("vector.yaml"), Duration::from_secs(20));
    let launch = Launch { binary, config, allow_env: false, json_logs: true, log: None, shutdown_limit };
    Some(supervise(dir, launch))
}

#[tokio::test]
async fn it_starts_reads_its_configuration_again_and_ends_in_order() {
    let config = |dir: &Path| {
        format!(
            "sources: {{in: {{type: demo_logs, format: json, interval: 0.05}}}}\n\
             sinks: {{out: {{type: file, inputs: [in], path: {}/first, encoding: {{codec: json}}}}}}\n",
            dir.display()
        )
    };
    let Some(mut bench) = vector(config).await else { return };
    let path = bench.dir.path().to_owned();
    says(&path.join("first"), "demo_logs").await;
    let pid = bench.runs().await;
    let text = std::fs::read_to_string(path.join("vector.yaml")).unwrap();
    std::fs::write(path.join("vector.yaml"), text.replace("/first", "/second")).unwrap();
    bench.tell(SupervisorCommand::Reload).await;
    says(&path.join("second"), "demo_logs").await;
    assert_eq!(bench.runs().await, pid, "it was started anew");
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::Drained));
}

#[tokio::test]
async fn a_configuration_that_it_refuses_ends_the_run() {
    let config = |_: &Path| "sinks: {out: {type: blackhole, inputs: [nothing]}}\n".to_owned();
    let Some(bench) = vector(config).await else { return };
    let error = bench.ended().await.0.unwrap_err();
    assert!(error.contains("exit status: 78"), "{error}");
}

/// The configuration of an `http_server` source with its half of `certificates`, which are written into `dir`.
fn source(certificates: &Certificates, address: SocketAddr, dir: &Path) -> String {
    certificates.write_vectors_part(&dir.join("tls")).unwrap();
    let dir = dir.display();
    format!(
        "sources: {{in: {{type: http_server, address: '{address}', path_key: '', decoding: {{codec: json}}, \
         framing: {{method: newline_delimited}}, tls: {{enabled: true, verify_certificate: true, \
         ca_file: {dir}/tls/ca.pem, crt_file: {dir}/tls/vector.pem, key_file: {dir}/tls/vector.key}}}}}}\n"
    )
}

/// Sends an event, and answers the status.
async fn asks(edge: Edge) -> Result<u16, EdgeError> {
    let request = Request::post("/").body(Bytes::from_static(b"{}\n")).unwrap();
    Ok(edge.oneshot(request).await?.status().as_u16())
}

#[tokio::test]
async fn it_speaks_only_to_the_holder_of_our_certificate() {
    let [ours, others] = [(); 2].map(|()| Certificates::new(&Clock::system()).unwrap());
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = |dir: &Path| source(&ours, address, dir) + "sinks: {out: {type: blackhole, inputs: [in]}}\n";
    let Some(bench) = vector(config).await else { return };
    let clock = Clock::system();
    let began = clock.now();
    let connect = |identity: &TlsIdentity| {
        edge(&address.to_string(), "127.0.0.1", &identity.client_tls().unwrap()).unwrap()
    };
    while let Err(error) = asks(connect(ours.ours())).await {
        assert!(clock.now() - began < PATIENCE, "{error}");
        clock.sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asks(connect(ours.ours())).await, Ok(200));
    // It trusts Vector, and shows what another authority has signed.
    let theirs = bench.dir.path().join("others");
    others.write_vectors_part(&theirs).unwrap();
    std::fs::copy(bench.dir.path().join("tls/ca.pem"), theirs.join("ca.pem")).unwrap();
    let file = |name: &str| theirs.join(name);
    let stranger =
        TlsIdentity::from_files(&file("ca.pem"), &file("vector.pem"), &file("vector.key")).unwrap();
    asks(connect(&stranger)).await.unwrap_err();
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::Drained));
}

#[tokio::test]
async fn it_reads_what_we_send_and_what_it_would_not_read_is_kept() {
    let ours = Certificates::new(&Clock::system()).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = |dir: &Path| {
        let sink = format!(
            "sinks: {{out: {{type: file, inputs: [in], path: {}/events, encoding: {{codec: json}}, \
             acknowledgements: {{enabled: true}}}}}}\n",
            dir.display()
        );
        source(&ours, address, dir) + &sink
    };
    let Some(bench) = vector(config).await else { return };
    let peer = VectorPeer::default();
    peer.moved_to(&address.to_string(), "localhost", &ours.ours().client_tls().unwrap()).unwrap();
    let labels =
        ComponentLabels { kind: "source", component_type: "defender_incidents", id: "defender".to_owned() };
    let quarantine = Quarantine::open(bench.dir.path(), "defender", 1_000_000).unwrap();
    let options = ForwardOptions { peer, labels, quarantine };
    let forward = Forward::new(options, Clock::system(), fastrand::Rng::with_seed(1));
    let nested = |levels: usize| format!("{}[1]{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1));
    let time = chrono::DateTime::from_timestamp(1_790_000_000, 0);
    let events = [1, 33, 126, 128, 1_000].map(|levels| {
        Event::new(if levels == 1 { "{\"n\":1}".to_owned() } else { nested(levels) }.into(), time)
    });
    assert_eq!(forward.deliver(Batch::from(events)).await, BatchStatus::Rejected);
    // It has answered that they are in the file; its `file` sink says so a moment before.
    let file = bench.dir.path().join("events");
    let written = || std::fs::read_to_string(&file).unwrap_or_default();
    let clock = Clock::system();
    for _ in 0..500 {
        if written().lines().count() >= 3 {
            break;
        }
        clock.sleep(Duration::from_millis(10)).await;
    }
    let written = written();
    assert_eq!(written.lines().count(), 3, "{written}");
    let first: serde_json::Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    let expected = serde_json::json!({
        "n": 1, "source_type": "defender_incidents", "timestamp": "2026-09-21T14:13:20Z"
    });
    assert_eq!(first, expected);
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::Drained));
}
