use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::deliveries::Deliveries;
use super::service::{ANSWERED_WITHIN, MAX_BYTES_UNDER_WAY, Service, Sink};
use super::{Listener, ListenerOptions};
use crate::certificates::{Certificates, TlsIdentity};
use crate::client::channel;
use crate::protocol::event::{EventWrapper, Log, Metric, Value, event_wrapper, value};
use crate::protocol::vector::vector_client::VectorClient;
use crate::protocol::vector::vector_server::Vector;
use crate::protocol::vector::{HealthCheckRequest, PushEventsRequest, ServingStatus};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join;
use model::event::Batch;
use prost::Message;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::health::{Health, Part};
use runtime::quarantine::Quarantine;
use runtime::retry::policy::Policies;
use runtime::telemetry::ComponentLabels;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_client::HealthClient;

/// A sink that answers when it is told to.
struct Told {
    begun: watch::Sender<usize>,
    ended: AtomicUsize,
    go_on: Semaphore,
    answers: Mutex<Vec<BatchStatus>>,
}

#[async_trait]
impl Deliver for Told {
    async fn deliver(&self, _: Batch) -> BatchStatus {
        self.begun.send_modify(|begun| *begun += 1);
        self.go_on.acquire().await.unwrap().forget();
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.answers.lock().unwrap().pop().unwrap_or(BatchStatus::Delivered)
    }
}

impl Told {
    async fn begun(&self, times: usize) {
        self.begun.subscribe().wait_for(|begun| *begun >= times).await.unwrap();
    }

    fn times(&self) -> usize {
        *self.begun.borrow()
    }
}

struct Bench {
    sink: Arc<Told>,
    service: Service,
    dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let sink = Arc::new(Told {
        begun: watch::Sender::new(0),
        ended: AtomicUsize::new(0),
        go_on: Semaphore::new(0),
        answers: Mutex::default(),
    });
    let clock = Clock::system();
    let service = Service {
        sink: Arc::new(Sink {
            deliver: Arc::clone(&sink) as Arc<dyn Deliver>,
            health: Health::default(),
            quarantine: Quarantine::open(dir.path(), "sentinel", 1_000_000).unwrap(),
            labels: ComponentLabels {
                kind: "sink",
                component_type: "sentinel_logs",
                id: "sentinel".to_owned(),
            },
            clock: clock.clone(),
            policies: Policies::new(fastrand::Rng::with_seed(1)),
            said: Mutex::default(),
        }),
        deliveries: Deliveries::new(clock),
        room: Arc::new(Semaphore::new(MAX_BYTES_UNDER_WAY / 1024)),
        closing: CancellationToken::new(),
    };
    Bench { sink, service, dir }
}

fn event(text: &str) -> Bytes {
    let message = Value { kind: Some(value::Kind::RawBytes(Bytes::copy_from_slice(text.as_bytes()))) };
    let log = Log { fields: [("message".to_owned(), message)].into(), value: None };
    EventWrapper { event: Some(event_wrapper::Event::Log(log)) }.encode_to_vec().into()
}

async fn push(service: &Service, events: &[Bytes]) -> Result<(), Status> {
    service.push_events(Request::new(PushEventsRequest { events: events.to_vec() })).await.map(drop)
}

fn code(answer: Result<(), Status>) -> Code {
    answer.map_or_else(|status| status.code(), |()| Code::Ok)
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_again_while_the_first_copy_is_under_way_is_answered_from_it() {
    let Bench { sink, service, .. } = bench();
    let batch = [event("a"), event("b")];
    let start = Clock::system().monotonic();
    assert_eq!(code(push(&service, &batch).await), Code::Unavailable);
    assert_eq!(Clock::system().monotonic() - start, ANSWERED_WITHIN, "before Vector's minute is over");
    assert_eq!(code(push(&service, &batch).await), Code::Unavailable);
    let (answer, ()) = join(push(&service, &batch), async { sink.go_on.add_permits(1) }).await;
    assert_eq!((code(answer), sink.times()), (Code::Ok, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_goes_on_when_vector_hangs_up_and_its_answer_waits() {
    let Bench { sink, service, .. } = bench();
    let batch = [event("a")];
    tokio::select! {
        _ = push(&service, &batch) => panic!("not delivered yet"),
        () = sink.begun(1) => {}
    }
    sink.go_on.add_permits(1);
    assert_eq!(code(push(&service, &batch).await), Code::Ok);
    assert_eq!(sink.times(), 1);
    // What comes now is another batch that happens to be equal.
    sink.go_on.add_permits(1);
    assert_eq!(code(push(&service, &batch).await), Code::Ok);
    assert_eq!(sink.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn equal_batches_at_the_same_time_are_two() {
    let Bench { sink, service, .. } = bench();
    let batch = [event("a")];
    let both = join(push(&service, &batch), push(&service, &batch));
    let (answers, ()) = join(both, async {
        sink.begun(2).await;
        sink.go_on.add_permits(2);
    })
    .await;
    assert_eq!((code(answers.0), code(answers.1), sink.times()), (Code::Ok, Code::Ok, 2));
    sink.go_on.add_permits(1);
    assert_eq!(code(push(&service, &batch).await), Code::Ok);
    assert_eq!(sink.times(), 3, "nor is one that was answered taken for the next");
}

#[tokio::test(start_paused = true)]
async fn a_fate_that_nobody_has_asked_for_is_forgotten_in_the_end() {
    let Bench { sink, service, .. } = bench();
    let batch = [event("a")];
    assert_eq!(code(push(&service, &batch).await), Code::Unavailable);
    sink.go_on.add_permits(2);
    Clock::system().sleep(Duration::from_mins(11)).await;
    push(&service, &batch).await.unwrap();
    assert_eq!(sink.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn deliveries_end_with_their_listener() {
    let Bench { sink, service, .. } = bench();
    let end = service.deliveries.end_with();
    assert_eq!(code(push(&service, &[event("a")]).await), Code::Unavailable);
    drop(end);
    service.deliveries.finished().await;
    sink.go_on.add_permits(1);
    assert_eq!((sink.times(), sink.ended.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_says_is_what_vector_is_told() {
    use BatchStatus::{Delivered, Errored, Rejected};
    let Bench { sink, service, .. } = bench();
    sink.go_on.add_permits(3);
    *sink.answers.lock().unwrap() = vec![Delivered, Rejected, Errored];
    let batch = [event("a")];
    assert_eq!(code(push(&service, &batch).await), Code::Unavailable);
    assert_eq!(code(push(&service, &batch).await), Code::Ok, "what was rejected is in the quarantine");
    assert_eq!(sink.times(), 2, "a batch that errored is tried anew");
    assert_eq!(code(push(&service, &[event("b")]).await), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_log_is_left_out_and_what_is_nothing_is_kept() {
    let Bench { sink, service, dir } = bench();
    sink.go_on.add_permits(1);
    let metric = EventWrapper { event: Some(event_wrapper::Event::Metric(Metric {})) }.encode_to_vec();
    let batch = [metric.into(), Bytes::from_static(b"\xff\xff"), event("a")];
    assert_eq!(code(push(&service, &batch).await), Code::Ok);
    assert_eq!(sink.times(), 1, "the log arrives");
    let kept = std::fs::read_to_string(dir.path().join("quarantine/sentinel/000001.ndjson")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["code"], &kept["not_utf8"][""]), (&"undecodable".into(), &"//8=".into()));
    assert_eq!(code(push(&service, &batch[..1]).await), Code::Ok, "a batch of metrics alone is no failure");
    assert_eq!(sink.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_has_a_bound_and_the_rest_is_told_to_come_again() {
    let Bench { sink, service, .. } = bench();
    let batches: Vec<_> = (0..3).map(|n| [event(&n.to_string().repeat(30_000_000))]).collect();
    for batch in &batches {
        assert_eq!(code(push(&service, batch).await), Code::Unavailable);
    }
    assert_eq!(sink.times(), 2, "the third was never begun");
    sink.go_on.add_permits(3);
    for batch in &batches {
        assert_eq!(code(push(&service, batch).await), Code::Ok);
    }
    assert_eq!((sink.times(), sink.ended.load(Ordering::Relaxed)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_nothing_new_and_finishes_what_was_begun() {
    let Bench { sink, service, .. } = bench();
    assert_eq!(code(push(&service, &[event("a")]).await), Code::Unavailable);
    service.closing.cancel();
    assert_eq!(code(push(&service, &[event("b")]).await), Code::Unavailable);
    sink.go_on.add_permits(1);
    service.deliveries.finished().await;
    assert_eq!((sink.times(), sink.ended.load(Ordering::Relaxed)), (1, 1));
}

fn set(health: &Health, works: bool) {
    if works {
        health.works(Part::Requests);
    } else {
        health.fails(Part::Requests, Clock::system().now(), "timed_out", "no answer");
    }
}

#[tokio::test]
async fn health_is_that_of_the_sink() {
    let Bench { service, .. } = bench();
    for (works, status) in
        [(true, ServingStatus::Serving), (false, ServingStatus::NotServing), (true, ServingStatus::Serving)]
    {
        set(&service.sink.health, works);
        let answer = service.health_check(Request::new(HealthCheckRequest {})).await.unwrap();
        assert_eq!(answer.into_inner().status(), status);
    }
}

/// A listener on a socket, and channels to it: one of Vector's, one of a stranger's.
async fn listen(bench: &Bench) -> (Channel, Channel, CancellationToken) {
    let (certificates, strangers) = (made(), made());
    let dir = bench.dir.path().join("certificates");
    certificates.write_vectors_part(&dir).unwrap();
    strangers.write_vectors_part(&bench.dir.path().join("strangers")).unwrap();
    let side = |dir: &Path, pem: &str, key: &str| {
        TlsIdentity::from_files(&dir.join("ca.pem"), &dir.join(pem), &dir.join(key)).unwrap()
    };
    let sink = &bench.service.sink;
    let options = ListenerOptions {
        deliver: Arc::clone(&sink.deliver),
        health: sink.health.clone(),
        quarantine: sink.quarantine.clone(),
        labels: sink.labels.clone(),
    };
    let tls = certificates.ours().server_tls();
    let listener = Listener::new(options, tls, Clock::system(), fastrand::Rng::with_seed(1));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(listener.run(socket, shutdown.clone()));
    let to = |tls: TlsIdentity| channel(&address, "localhost", tls.client_tls().unwrap()).unwrap();
    let stranger = {
        // It trusts us, and shows what another authority has signed.
        std::fs::copy(dir.join("ca.pem"), bench.dir.path().join("strangers/ca.pem")).unwrap();
        to(side(&bench.dir.path().join("strangers"), "vector.pem", "vector.key"))
    };
    (to(side(&dir, "vector.pem", "vector.key")), stranger, shutdown)
}

fn made() -> Certificates {
    Certificates::new(&Clock::system()).unwrap()
}

#[tokio::test]
async fn pushes_come_in_over_a_socket_compressed_or_not_and_from_nobody_else() {
    let bench = bench();
    bench.sink.go_on.add_permits(3);
    let (vectors, strangers, shutdown) = listen(&bench).await;
    let plain = VectorClient::new(vectors.clone());
    let gzip = VectorClient::new(vectors.clone()).send_compressed(CompressionEncoding::Gzip);
    let zstd = VectorClient::new(vectors).send_compressed(CompressionEncoding::Zstd);
    // Larger than what is read if nobody says otherwise.
    let text = "x".repeat(5 * 1024 * 1024);
    for (n, mut client) in [plain, gzip, zstd].into_iter().enumerate() {
        let events = vec![event(&format!("{n}{text}"))];
        client.push_events(PushEventsRequest { events }).await.unwrap();
    }
    assert_eq!(bench.sink.times(), 3);
    let events = vec![event("a")];
    VectorClient::new(strangers).push_events(PushEventsRequest { events }).await.unwrap_err();
    assert_eq!(bench.sink.times(), 3);
    shutdown.cancel();
}

#[tokio::test]
async fn both_health_services_say_how_the_sink_is() {
    let bench = bench();
    let (vectors, _, shutdown) = listen(&bench).await;
    let mut health = HealthClient::new(vectors.clone());
    let request = || tonic_health::pb::HealthCheckRequest { service: "vector.Vector".to_owned() };
    let mut watched = health.watch(request()).await.unwrap().into_inner();
    for (works, expected) in [(true, 1), (false, 2), (true, 1)] {
        set(&bench.service.sink.health, works);
        // 1 and 2 are SERVING and NOT_SERVING of grpc.health.v1.
        while watched.message().await.unwrap().unwrap().status != expected {}
        assert_eq!(health.check(request()).await.unwrap().into_inner().status, expected);
        let answer = VectorClient::new(vectors.clone()).health_check(HealthCheckRequest {}).await.unwrap();
        assert_eq!(answer.into_inner().status + 1, expected);
    }
    shutdown.cancel();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_nor_kept_is_waited_for() {
    let Bench { sink, service, dir } = bench();
    sink.go_on.add_permits(1);
    let place = dir.path().join("quarantine");
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "").unwrap();
    let batch = [Bytes::from_static(b"\xff\xff"), event("a")];
    assert_eq!(code(push(&service, &batch).await), Code::Unavailable);
    assert_eq!(sink.times(), 0, "not delivered before what came with it is safe");
    std::fs::remove_file(&place).unwrap();
    Clock::system().sleep(Duration::from_mins(2)).await;
    assert_eq!(code(push(&service, &batch).await), Code::Ok);
    assert_eq!(sink.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_push_has_no_say_over_the_next_delivery_of_equal_bytes() {
    use super::deliveries::Key;

    let deliveries = Deliveries::new(Clock::system());
    let key = Key::of(&[event("a")]);
    let first = deliveries.begin(key, async { BatchStatus::Errored });
    // It has ended, and nobody has asked yet.
    Clock::system().sleep(Duration::from_secs(1)).await;
    let (go_on, held) = tokio::sync::oneshot::channel::<()>();
    let second = deliveries.begin(key, async move {
        held.await.ok();
        BatchStatus::Delivered
    });
    assert_eq!(first.outcome().await, BatchStatus::Errored);
    assert!(deliveries.join(key).is_none(), "somebody waits for the second");
    drop(second);
    let again = deliveries.join(key).expect("the second is still on its way");
    go_on.send(()).unwrap();
    assert_eq!(again.outcome().await, BatchStatus::Delivered);
    assert!(deliveries.join(key).is_none(), "it was answered");
}
