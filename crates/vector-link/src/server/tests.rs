use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::http::{ANSWERED_WITHIN, Service};
use super::{Listener, PushedSink, PushedSinks, Pushers};
use crate::certificates::{Certificates, TlsIdentity};
use crate::client::edge;
use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::{Health, Part};
use runtime::quarantine::Quarantine;
use runtime::telemetry::ComponentLabels;

pub(super) const PATH: &str = "/sinks/sentinel";

/// A sink that answers when it is told to.
pub(super) struct Told {
    begun: watch::Sender<usize>,
    ended: AtomicUsize,
    pub(super) go_on: Semaphore,
    answers: Mutex<Vec<BatchStatus>>,
    pub(super) taken: Mutex<Vec<String>>,
}

#[async_trait]
impl Deliver for Told {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        self.begun.send_modify(|begun| *begun += 1);
        self.go_on.acquire().await.unwrap().forget();
        self.ended.fetch_add(1, Ordering::Relaxed);
        let texts = batch.iter().map(|event| String::from_utf8_lossy(&event.to_json()).into_owned());
        self.taken.lock().unwrap().extend(texts);
        self.answers.lock().unwrap().pop().unwrap_or(BatchStatus::Delivered)
    }
}

impl Told {
    pub(super) async fn begun(&self, times: usize) {
        self.begun.subscribe().wait_for(|begun| *begun >= times).await.unwrap();
    }

    pub(super) fn times(&self) -> usize {
        *self.begun.borrow()
    }
}

pub(super) struct Bench {
    pub(super) sink: Arc<Told>,
    health: Health,
    pub(super) service: Service,
    pub(super) dir: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_for(Pushers::Vector { formerly_of: None })
}

pub(super) fn bench_for(pushers: Pushers) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let sink = Arc::new(Told {
        begun: watch::Sender::new(0),
        ended: AtomicUsize::new(0),
        go_on: Semaphore::new(0),
        answers: Mutex::default(),
        taken: Mutex::default(),
    });
    let (clock, health) = (Clock::system(), Health::default());
    let sinks = PushedSinks::new(clock, fastrand::Rng::with_seed(1));
    let bench = Bench {
        sink,
        health,
        service: Service { sinks, pushers: Arc::new(pushers), closing: CancellationToken::new() },
        dir,
    };
    bench.insert();
    bench
}

impl Bench {
    fn insert(&self) {
        let labels =
            ComponentLabels { kind: "sink", component_type: "sentinel_logs", id: "sentinel".to_owned() };
        let pushed = PushedSink {
            deliver: Arc::clone(&self.sink) as Arc<dyn Deliver>,
            health: self.health.clone(),
            quarantine: Quarantine::open(self.dir.path(), "sentinel", 10_000_000).unwrap(),
            labels,
        };
        self.service.sinks.insert(PATH, pushed);
    }

    async fn push(&self, body: impl Into<Bytes>) -> u16 {
        push(&self.service, PATH, body).await
    }

    pub(super) fn kept(&self) -> Vec<serde_json::Value> {
        let path = self.dir.path().join("quarantine/sentinel/000001.ndjson");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn push(service: &Service, path: &str, body: impl Into<Bytes>) -> u16 {
    let request = Request::post(path).body(Full::new(body.into())).unwrap();
    let Ok(response) = service.answer(request).await;
    response.status().as_u16()
}

fn log(text: &str) -> String {
    format!("{{\"log\":{{\"message\":\"{text}\"}}}}\n")
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_again_while_the_first_copy_is_under_way_is_answered_from_it() {
    let bench = bench();
    let batch = log("a") + &log("b");
    let start = Clock::system().monotonic();
    assert_eq!(bench.push(batch.clone()).await, 503);
    assert_eq!(Clock::system().monotonic() - start, ANSWERED_WITHIN, "before Vector's minute is over");
    assert_eq!(bench.push(batch.clone()).await, 503);
    let (answer, ()) = join(bench.push(batch), async { bench.sink.go_on.add_permits(1) }).await;
    assert_eq!((answer, bench.sink.times()), (200, 1));
    assert_eq!(*bench.sink.taken.lock().unwrap(), [r#"{"message":"a"}"#, r#"{"message":"b"}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_goes_on_when_vector_hangs_up_and_its_answer_waits() {
    let bench = bench();
    tokio::select! {
        _ = bench.push(log("a")) => panic!("not delivered yet"),
        () = bench.sink.begun(1) => {}
    }
    bench.sink.go_on.add_permits(1);
    assert_eq!((bench.push(log("a")).await, bench.sink.times()), (200, 1));
    // What comes now is another batch that happens to be equal.
    bench.sink.go_on.add_permits(1);
    assert_eq!((bench.push(log("a")).await, bench.sink.times()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn equal_batches_at_the_same_time_are_two() {
    let bench = bench();
    let both = join(bench.push(log("a")), bench.push(log("a")));
    let (answers, ()) = join(both, async {
        bench.sink.begun(2).await;
        bench.sink.go_on.add_permits(2);
    })
    .await;
    assert_eq!((answers, bench.sink.times()), ((200, 200), 2));
    bench.sink.go_on.add_permits(1);
    assert_eq!(bench.push(log("a")).await, 200);
    assert_eq!(bench.sink.times(), 3, "nor is one that was answered taken for the next");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_nobody_has_asked_for_is_forgotten_in_the_end() {
    let bench = bench();
    assert_eq!(bench.push(log("a")).await, 503);
    bench.sink.go_on.add_permits(2);
    Clock::system().sleep(Duration::from_mins(11)).await;
    assert_eq!((bench.push(log("a")).await, bench.sink.times()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_replaced_decides_what_it_has_and_the_rest_comes_again() {
    let bench = bench();
    assert_eq!(bench.push(log("a")).await, 503);
    let ((), again) = join(bench.service.sinks.take_out(PATH), async {
        let again = bench.push(log("b")).await;
        bench.sink.go_on.add_permits(1);
        again
    })
    .await;
    assert_eq!(again, 503, "nothing new goes to the old one");
    bench.insert();
    assert_eq!(bench.push(log("a")).await, 200, "what the old one has delivered is not delivered again");
    assert_eq!(bench.sink.times(), 1);
    assert_eq!(bench.push(log("c")).await, 503);
    bench.service.sinks.give_up(PATH).await;
    bench.sink.go_on.add_permits(1);
    assert_eq!((bench.push(log("c")).await, bench.sink.times()), (200, 3));
    bench.service.sinks.remove(PATH);
    assert_eq!(bench.push(log("c")).await, 503);
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_says_is_what_vector_is_told() {
    use BatchStatus::{Delivered, Errored, Rejected};
    let bench = bench();
    bench.sink.go_on.add_permits(3);
    *bench.sink.answers.lock().unwrap() = vec![Delivered, Rejected, Errored];
    assert_eq!(bench.push(log("a")).await, 503);
    assert_eq!(bench.push(log("a")).await, 200, "what was rejected is in the quarantine");
    assert_eq!(bench.sink.times(), 2, "a batch that errored is tried anew");
    assert_eq!(bench.push(log("b")).await, 200);
}

#[tokio::test(start_paused = true)]
async fn vector_is_told_to_come_again_or_that_it_is_done_and_nothing_else() {
    let bench = bench();
    for path in ["/sinks/other", "/", "/sinks/", "/vector.Vector/PushEvents", "//sinks/sentinel"] {
        assert_eq!(push(&bench.service, path, log("a")).await, 503, "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::builder().method(method).uri(PATH).body(Full::new(Bytes::new())).unwrap();
        let Ok(response) = bench.service.answer(request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{method}");
    }
    assert_eq!(bench.push("").await, 200, "nothing is delivered at once");
    assert_eq!(bench.push("\n\n").await, 200);
    assert_eq!(bench.sink.times(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_log_is_left_out_and_what_is_nothing_is_kept() {
    let bench = bench();
    bench.sink.go_on.add_permits(1);
    let metric =
        "{\"metric\":{\"name\":\"x\",\"kind\":\"absolute\",\"counter\":{\"value\":1.0}}}\n{\"trace\":{}}\n";
    let body = [metric.as_bytes(), b"\xff\xff\n", b"{\"log\":\n", log("a").as_bytes()].concat();
    assert_eq!(bench.push(body).await, 200);
    assert_eq!(*bench.sink.taken.lock().unwrap(), [r#"{"message":"a"}"#], "the log arrives");
    let kept = bench.kept();
    assert_eq!(kept.len(), 2);
    assert_eq!((&kept[0]["code"], &kept[0]["not_utf8"][""]), (&"undecodable".into(), &"//8=".into()));
    assert_eq!((&kept[1]["code"], &kept[1]["event"]), (&"undecodable".into(), &"{\"log\":".into()));
    assert_eq!(bench.push(metric).await, 200, "a batch of metrics alone is no failure");
    assert_eq!(bench.sink.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_over_the_bound_is_kept_by_its_head_and_its_neighbours_arrive() {
    let bench = bench();
    bench.sink.go_on.add_permits(1);
    let huge = log(&"x".repeat(super::lines::MAX_LINE_BYTES));
    assert_eq!(bench.push(log("a") + &huge + &log("b")).await, 200);
    assert_eq!(*bench.sink.taken.lock().unwrap(), [r#"{"message":"a"}"#, r#"{"message":"b"}"#]);
    let kept = bench.kept();
    assert_eq!((kept.len(), &kept[0]["code"]), (1, &"too_large".into()));
    let message = kept[0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("a line of {} bytes", huge.len() - 1)), "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_has_a_bound_and_the_rest_is_told_to_come_again() {
    let bench = bench();
    let batches: Vec<_> = (0..3).map(|n| log(&n.to_string().repeat(30_000_000))).collect();
    let pushed = |batch: &String| {
        let length = batch.len().to_string();
        Request::post(PATH)
            .header("content-length", length)
            .body(Full::new(Bytes::from(batch.clone())))
            .unwrap()
    };
    for batch in &batches {
        let Ok(response) = bench.service.answer(pushed(batch)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(bench.sink.times(), 2, "the third was never begun");
    bench.sink.go_on.add_permits(3);
    for batch in &batches {
        // As Vector does.
        while bench.service.answer(pushed(batch)).await.unwrap().status() != StatusCode::OK {
            Clock::system().sleep(Duration::from_secs(1)).await;
        }
    }
    assert_eq!((bench.sink.times(), bench.sink.ended.load(Ordering::Relaxed)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn of_a_body_in_parts_what_was_delivered_is_known_when_all_of_it_comes_again() {
    let bench = bench();
    let lines: Vec<_> = ["a", "b", "c"].map(|text| log(&text.repeat(17_000_000))).to_vec();
    bench.sink.go_on.add_permits(2);
    assert_eq!(bench.push(lines.concat()).await, 503, "the third part is late");
    bench.sink.go_on.add_permits(9);
    assert_eq!(bench.push(lines.concat()).await, 200);
    assert_eq!(bench.sink.times(), 3, "no part is delivered twice");
    assert_eq!(bench.push(lines.concat()).await, 200);
    assert_eq!(bench.sink.times(), 6, "equal bytes are another body once it is answered");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_takes_longer_than_anything_is_remembered_is_known_when_it_is_decided() {
    let bench = bench();
    assert_eq!(bench.push(log("a")).await, 503);
    let clock = Clock::system();
    clock.sleep(Duration::from_mins(15)).await;
    bench.sink.go_on.add_permits(1);
    clock.sleep(Duration::from_mins(9)).await;
    assert_eq!((bench.push(log("a")).await, bench.sink.times()), (200, 1));
}

#[tokio::test(start_paused = true)]
async fn lines_that_nobody_can_read_are_kept_at_once_however_short_they_are() {
    let bench = bench();
    bench.sink.go_on.add_permits(1);
    let body = "1\n".repeat(2_000) + &log("a");
    assert_eq!((bench.push(body).await, bench.kept().len()), (200, 2_000));
    assert_eq!(bench.sink.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_nothing_new_and_finishes_what_was_begun() {
    let bench = bench();
    assert_eq!(bench.push(log("a")).await, 503);
    bench.service.closing.cancel();
    assert_eq!(bench.push(log("b")).await, 503);
    bench.sink.go_on.add_permits(1);
    bench.service.sinks.take_out(PATH).await;
    assert_eq!((bench.sink.times(), bench.sink.ended.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_nor_kept_is_waited_for() {
    let bench = bench();
    bench.sink.go_on.add_permits(1);
    let dir = bench.dir.path().join("quarantine");
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, "").unwrap();
    let batch = "nothing\n".to_owned() + &log("a");
    assert_eq!(bench.push(batch.clone()).await, 503);
    assert_eq!(bench.sink.times(), 0, "not delivered before what came with it is safe");
    std::fs::remove_file(&dir).unwrap();
    Clock::system().sleep(Duration::from_mins(2)).await;
    assert_eq!((bench.push(batch).await, bench.sink.times()), (200, 1));
}

#[tokio::test]
async fn the_health_check_says_how_the_sink_is() {
    let bench = bench();
    let ask = async |path: &str| {
        let Ok(response) =
            bench.service.answer(Request::get(path).body(Full::new(Bytes::new())).unwrap()).await;
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&text).into_owned())
    };
    assert_eq!(ask(PATH).await.0, 200);
    bench.health.fails(Part::Requests, Clock::system().now(), "timed_out", "no answer in time");
    assert_eq!(ask(PATH).await, (503, "the sink does not work: no answer in time\n".to_owned()));
    bench.health.works(&Part::Requests);
    assert_eq!(ask(PATH).await.0, 200);
    assert_eq!(ask("/sinks/other").await.0, 503);
}

/// A listener on a socket: its address, and what Vector and a stranger have to show.
struct Socket {
    address: String,
    vectors: TlsIdentity,
    strangers: TlsIdentity,
    shutdown: CancellationToken,
}

async fn listen(bench: &Bench) -> Socket {
    let (certificates, others) = (made(), made());
    let dir = bench.dir.path().join("certificates");
    certificates.write_vectors_part(&dir).unwrap();
    let theirs = bench.dir.path().join("strangers");
    others.write_vectors_part(&theirs).unwrap();
    // It trusts us, and shows what another authority has signed.
    std::fs::copy(dir.join("ca.pem"), theirs.join("ca.pem")).unwrap();
    let side = |dir: &Path| {
        TlsIdentity::from_files(&dir.join("ca.pem"), &dir.join("vector.pem"), &dir.join("vector.key"))
            .unwrap()
    };
    let tls = certificates.ours().server_tls().unwrap();
    let pushers = Pushers::Vector { formerly_of: Some("sentinel".to_owned()) };
    let listener = Listener::new(bench.service.sinks.clone(), tls, pushers);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(listener.run(socket, shutdown.clone()));
    Socket { address, vectors: side(&dir), strangers: side(&theirs), shutdown }
}

fn made() -> Certificates {
    Certificates::new(&Clock::system()).unwrap()
}

#[tokio::test]
async fn pushes_come_in_over_a_socket_from_vector_and_from_nobody_else() {
    let bench = bench();
    bench.sink.go_on.add_permits(3);
    let socket = listen(&bench).await;
    let to = |side: &TlsIdentity| edge(&socket.address, "localhost", &side.client_tls().unwrap()).unwrap();
    let request = || Request::post(PATH).body(Bytes::from(log(&"x".repeat(5_000_000)))).unwrap();
    let vectors = to(&socket.vectors);
    for _ in 0..2 {
        assert_eq!(vectors.clone().oneshot(request()).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(bench.sink.times(), 2);
    to(&socket.strangers).oneshot(request()).await.unwrap_err();
    assert_eq!(bench.sink.times(), 2);
    socket.shutdown.cancel();
}

#[tokio::test]
async fn a_client_that_speaks_grpc_is_hung_up_on_and_never_answered() {
    let bench = bench();
    let socket = listen(&bench).await;
    let connector = TlsConnector::from(socket.vectors.client_tls().unwrap());
    let stream = TcpStream::connect(&socket.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    // https://www.rfc-editor.org/rfc/rfc9113#section-3.4, with an empty SETTINGS frame.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // An end without TLS's own word for it is an end, too.
    stream.read_to_end(&mut answer).await.ok();
    assert_eq!(answer, b"");
    socket.shutdown.cancel();
}
