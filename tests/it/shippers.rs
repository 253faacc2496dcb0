//! Shippers other than Vector post to a sink: no Vector is there, and none is waited for.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use runtime::clock::Clock;
use runtime::edge::Edge;
use serde_json::{Value, json};
use simulator::{Fault, Service};
use tokio::process::{Child, Command};
use tower::ServiceExt;
use vector_link::certificates::TlsIdentity;
use vector_link::client::edge;

use crate::fake_vector::free_address;
use crate::harness::{PATIENCE, skipped};
use crate::rig::{Peer, Rig, lines};

const TOKEN: &str = "correct-horse-battery-staple";
/// How many lines the real shipper reads.
const LINES: usize = 2_000;

/// The program with one sink that is posted to, and a source only if `incidents` says so.
async fn rig(peer: &Peer, incidents: usize, listen: &str) -> Rig {
    let mut rig = Rig::new(peer, incidents, &[], json!({})).await;
    let pipeline = rig.pipeline.as_object_mut().unwrap();
    pipeline.remove("transforms");
    let source = pipeline.remove("sources").unwrap()["defender"].clone();
    let mut inputs = json!([]);
    if incidents > 0 {
        pipeline.insert("sources".to_owned(), json!({"defender": source}));
        pipeline["sources"]["defender"].as_object_mut().unwrap().remove("vector");
        inputs = json!(["defender"]);
    }
    let sink = &mut pipeline["sinks"]["sentinel"];
    sink.as_object_mut().unwrap().remove("vector");
    sink["inputs"] = inputs;
    sink["listen"] = json!({"address": listen});
    rig
}

/// A shipper with the certificate that the program has made for it.
fn shipper(rig: &Rig, address: &str) -> Edge {
    let file = |name: &str| rig.bench.path("data/listen").join(name);
    let side = TlsIdentity::from_files(&file("ca.pem"), &file("shipper.pem"), &file("shipper.key")).unwrap();
    edge(address, "localhost", &side.client_tls().unwrap()).unwrap()
}

/// Waits until the sink takes what is posted to it.
async fn ready(rig: &Rig, shipper: &Edge, id: &str) {
    rig.says("Listening for shippers.").await;
    let answers = || {
        let request = Request::get(format!("/sinks/{id}")).body(Bytes::new()).unwrap();
        shipper.clone().oneshot(request)
    };
    let healthy = async {
        while answers().await.unwrap().status() != 200 {
            Clock::system().sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, healthy).await.expect("the sink is never healthy");
}

async fn post(shipper: &Edge, id: &str, token: &str, body: String) -> u16 {
    let request = Request::post(format!("/sinks/{id}")).header("authorization", format!("Bearer {token}"));
    shipper.clone().oneshot(request.body(Bytes::from(body)).unwrap()).await.unwrap().status().as_u16()
}

/// The numbers that have arrived in the table, in order, each as often as it is there.
fn numbers(rig: &Rig) -> Vec<u64> {
    let rows = rig.bench.simulator.rows();
    let number = |row: &simulator::Row| row.columns.get("ExtraColumns")?["n"].as_u64();
    let mut numbers: Vec<u64> = rows.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_posted_arrive_beside_those_of_a_source_and_reloads_move_listeners() {
    let (first, second) = (free_address(), free_address());
    let mut rig = rig(&Peer::Fake, 20, &first).await;
    rig.start_plugin();
    rig.says("Listening for shippers.").await;
    let one = shipper(&rig, &first);
    ready(&rig, &one, "sentinel").await;
    assert_eq!(post(&one, "sentinel", "", "{\"n\":1}\n{\"log\":{},\"n\":2}\nbad\n".to_owned()).await, 200);
    assert_eq!(post(&one, "sentinel", "", "[{\"n\":3},{\"n\":4}]".to_owned()).await, 200);
    assert_eq!(post(&one, "other", "", "{}".to_owned()).await, 503);
    assert_eq!(numbers(&rig), [1, 2, 3, 4]);
    assert_eq!(rig.bench.quarantine().len(), 1);
    rig.bench.until(|stats| stats.rows_ingested == 4 + 20).await;

    // Another sink comes, and the first one asks for more.
    let mut other = rig.pipeline["sinks"]["sentinel"].clone();
    other["inputs"] = json!([]);
    other["listen"] = json!({"address": second});
    rig.pipeline["sinks"]["other"] = other;
    let auth = json!({"strategy": "bearer", "token": TOKEN});
    rig.pipeline["sinks"]["sentinel"]["listen"] = json!({"address": first, "auth": auth});
    rig.reload();
    rig.says("Reloaded: changed sinks.sentinel; added sinks.other.").await;
    let two = shipper(&rig, &second);
    assert_eq!(post(&one, "sentinel", "wrong", "{\"n\":5}".to_owned()).await, 401);
    assert_eq!(post(&one, "sentinel", TOKEN, "{\"n\":5}".to_owned()).await, 200);
    assert_eq!(post(&two, "other", "", "{\"n\":6}".to_owned()).await, 200);

    // Options of the sink alone: who is connected stays connected. And who is gone is gone.
    rig.pipeline["sinks"]["sentinel"]["compression"] = json!("none");
    rig.pipeline["sinks"].as_object_mut().unwrap().remove("other");
    rig.reload();
    rig.says("Reloaded: changed sinks.sentinel; removed sinks.other.").await;
    assert_eq!(post(&one, "sentinel", TOKEN, "{\"n\":7}".to_owned()).await, 200);
    let request = Request::post("/sinks/other").body(Bytes::new()).unwrap();
    two.clone().oneshot(request).await.unwrap_err();

    // An address that cannot be had leaves everything as it was.
    let taken = std::net::TcpListener::bind(&second).unwrap();
    rig.pipeline["sinks"]["sentinel"]["listen"]["address"] = json!(second);
    rig.reload();
    rig.says("Not reloaded, going on as before: ").await;
    rig.says(": sinks.sentinel: cannot listen on").await;
    assert_eq!(post(&one, "sentinel", TOKEN, "{\"n\":8}".to_owned()).await, 200);
    drop(taken);
    assert_eq!(numbers(&rig), [1, 2, 3, 4, 5, 6, 7, 8]);
    rig.bench.simulator.tenant().create(5);
    rig.bench.until(|stats| stats.rows_ingested == 8 + 25).await;
    assert_eq!(rig.stop().await, Some(0));
    let log = std::fs::read_to_string(rig.log()).unwrap();
    assert!(!log.contains(TOKEN), "the token is in the log");
    let refused =
        "A shipper's request is refused: the header Authorization: Bearer with the right token is missing";
    assert!(log.contains(refused) && log.contains("this is not the path of a sink"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_only_posted_to_runs_without_vector_and_without_a_source() {
    let address = free_address();
    // With --no-vector and without.
    for peer in [Peer::Fake, Peer::Real("/there/is/none".into())] {
        let mut rig = rig(&peer, 0, &address).await;
        // On disk is delivered, too.
        rig.pipeline["sinks"]["sentinel"]["spool"] = json!({"enabled": false});
        rig.start_plugin();
        rig.says("Listening for shippers.").await;
        let shipper = shipper(&rig, &address);
        ready(&rig, &shipper, "sentinel").await;
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        rig.bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, down)]);
        let posting = tokio::spawn({
            let shipper = shipper.clone();
            async move { post(&shipper, "sentinel", "", "{\"n\":1}".to_owned()).await }
        });
        rig.bench.until(|stats| stats.ingestion_requests > 1).await;
        assert!(!posting.is_finished(), "answered before it is delivered");
        rig.bench.simulator.faults().clear();
        assert_eq!((posting.await.unwrap(), numbers(&rig)), (200, vec![1]));
        assert!(!rig.bench.path("data/vector-link").exists());
        assert_eq!(rig.stop().await, Some(0));
    }
}

/// A real syslog-ng that reads a file of lines and posts them to a sink in batches of one kind.
fn syslog_ng(dir: &Path, address: &str, certificates: &Path, batch: &str) -> Child {
    let shown = |path: &Path| path.display().to_string();
    let certificate = |name: &str| shown(&certificates.join(name));
    let configuration = format!(
        r#"@version: 3.35
options {{ stats-freq(0); }};
source s {{ file("{lines}" follow-freq(0.1) flags(no-parse)); }};
destination d {{
  http(
    url("https://{address}/sinks/sentinel")
    method("POST")
    headers("Content-Type: application/json", "Authorization: Bearer {TOKEN}")
    body("$(format-json --scope none n=int64($MESSAGE) host=$HOST)")
    batch-lines(500) batch-timeout(500) workers(4) timeout(60) time-reopen(1) retries(1000)
    {batch}
    tls(ca-file("{ca}") cert-file("{crt}") key-file("{key}") peer-verify(yes))
  );
}};
log {{ source(s); destination(d); flags(flow-control); }};
"#,
        lines = shown(&dir.join("lines.log")),
        ca = certificate("ca.pem"),
        crt = certificate("shipper.pem"),
        key = certificate("shipper.key"),
    );
    let file = dir.join("syslog-ng.conf");
    std::fs::write(&file, configuration).unwrap();
    let log = std::fs::File::create(dir.join("syslog-ng.log")).unwrap();
    let at = |option: &str, name: &str| format!("--{option}={}", shown(&dir.join(name)));
    Command::new("syslog-ng")
        .args(["--foreground", "--stderr", "--no-caps"])
        .arg(format!("--cfgfile={}", shown(&file)))
        .args([at("persist-file", "persist"), at("pidfile", "pid"), at("control", "ctl")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Whether there is a syslog-ng that can post; if not, that is said.
fn has_syslog_ng() -> bool {
    let output = std::process::Command::new("syslog-ng").arg("--version").output();
    let found = output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().any(|line| line.starts_with("Available-Modules") && line.contains(",http"))
    });
    if !found {
        skipped("there is no syslog-ng with its http module: install syslog-ng-core and syslog-ng-mod-http");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lines_of_a_real_syslog_ng_arrive_once_in_batches_of_either_kind() {
    if !has_syslog_ng() {
        return;
    }
    for batch in ["delimiter(\"\\n\")", "body-prefix(\"[\") delimiter(\",\") body-suffix(\"]\")"] {
        let address = free_address();
        let mut rig = rig(&Peer::Fake, 0, &address).await;
        let auth = json!({"strategy": "bearer", "token": TOKEN});
        rig.pipeline["sinks"]["sentinel"]["listen"]["auth"] = auth;
        let lines: Vec<String> = (0..LINES).map(|n| n.to_string()).collect();
        std::fs::write(rig.bench.path("lines.log"), lines.join("\n") + "\n").unwrap();
        rig.start_plugin();
        rig.says("Listening for shippers.").await;
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        rig.bench.simulator.faults().script(Service::LogsIngestion, vec![down.clone(), Fault::Pass, down]);
        let mut shipper = syslog_ng(rig.bench.dir.path(), &address, &rig.bench.path("data/listen"), batch);
        let arrived = async {
            while numbers(&rig).len() < LINES {
                Clock::system().sleep(Duration::from_millis(50)).await;
            }
        };
        let log = || std::fs::read_to_string(rig.bench.path("syslog-ng.log")).unwrap();
        let arrived = tokio::time::timeout(PATIENCE, arrived).await;
        assert!(arrived.is_ok(), "{} of {LINES} arrived: {}", numbers(&rig).len(), log());
        let expected: Vec<u64> = (0..LINES as u64).collect();
        assert_eq!(numbers(&rig), expected, "each once");
        assert_eq!(rig.bench.quarantine(), [Value::Null; 0]);
        shipper.kill().await.unwrap();
        assert_eq!(rig.stop().await, Some(0));
    }
}

#[test]
fn a_real_syslog_ng_accepts_what_the_page_says() {
    if !has_syslog_ng() {
        return;
    }
    let page = include_str!("../../docs/other-shippers.md");
    let (_, section) = page.split_once("\n## syslog-ng\n").unwrap();
    let block = section.split("```").nth(1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("syslog-ng.conf");
    let source = "source s_src { file(\"/dev/null\"); };";
    let made = dir.path().to_str().unwrap();
    let block = block.replace("/var/lib/vector-sentinel/listen", made);
    for name in ["ca.pem", "shipper.pem", "shipper.key"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    std::fs::write(&file, format!("@version: 3.35\n{source}\n{block}")).unwrap();
    let output = std::process::Command::new("syslog-ng")
        .args(["--syntax-only", "--no-caps"])
        .arg(format!("--cfgfile={}", file.display()))
        .arg(format!("--persist-file={made}/persist"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_vector_a_sink_is_posted_to_by_others_too_and_one_by_others_alone() {
    let (first, second) = (free_address(), free_address());
    let mut rig = Rig::new(&Peer::Fake, 5, &lines(10), json!({"listen": {"address": first}})).await;
    let mut posted = rig.pipeline["sinks"]["sentinel"].clone();
    posted.as_object_mut().unwrap().remove("vector");
    posted["inputs"] = json!([]);
    posted["listen"] = json!({"address": second});
    rig.pipeline["sinks"]["posted"] = posted;
    rig.start().await;
    rig.says_times("Listening for shippers.", 2).await;
    rig.says_times("Listening for Vector.", 1).await;
    let (one, two) = (shipper(&rig, &first), shipper(&rig, &second));
    for (shipper, id, n) in [(&one, "sentinel", 1), (&two, "posted", 2)] {
        ready(&rig, shipper, id).await;
        assert_eq!(post(shipper, id, "", format!("{{\"n\":{n}}}")).await, 200);
    }
    rig.bench.until(|stats| stats.rows_ingested == 5 + 10 + 2).await;
    assert_eq!(numbers(&rig), [1, 2]);

    // Its name changes, and it listens where it did.
    let sinks = rig.pipeline["sinks"].as_object_mut().unwrap();
    let posted = sinks.remove("posted").unwrap();
    sinks.insert("renamed".to_owned(), posted);
    rig.reload();
    rig.says("Reloaded: added sinks.renamed; removed sinks.posted.").await;
    assert_eq!(post(&two, "renamed", "", "{\"n\":3}".to_owned()).await, 200);
    assert_eq!(post(&two, "posted", "", "{\"n\":4}".to_owned()).await, 503);
    assert_eq!((numbers(&rig), rig.stop().await), (vec![1, 2, 3], Some(0)));
}
