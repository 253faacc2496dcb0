use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::service_fn;

use super::forward::MAX_EVENT_BYTES;
use super::{Forward, ForwardOptions, VectorPeer};
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::edge::{Edge, EdgeError};
use runtime::quarantine::Quarantine;
use runtime::telemetry::ComponentLabels;

/// What a Vector may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Status(u16),
    /// The connection breaks.
    Broken,
    /// There is none.
    Never,
}

/// A Vector that takes what it is told to.
#[derive(Clone, Default)]
struct FakeVector(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    /// What the next pushes are answered, the last first.
    answers: Vec<Answer>,
    /// Events whose text has one of these are never accepted.
    poison: Option<&'static str>,
    /// Every push as it came.
    pushes: Vec<Vec<String>>,
    accepted: Vec<String>,
}

impl Script {
    fn answer(&mut self, events: Vec<String>) -> Answer {
        self.pushes.push(events.clone());
        let poisoned = self.poison.is_some_and(|poison| events.iter().any(|event| event.contains(poison)));
        let answer =
            if poisoned { Answer::Status(400) } else { self.answers.pop().unwrap_or(Answer::Status(200)) };
        if answer == Answer::Status(200) {
            self.accepted.extend(events);
        }
        answer
    }
}

/// The names of the events of a body, which are short though the events may not be.
fn names(body: &Bytes) -> Vec<String> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let name = |line| {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(event["source_type"], "defender_incidents");
        event["name"].as_str().unwrap().to_owned()
    };
    lines.map(name).collect()
}

struct Bench {
    vector: FakeVector,
    forward: Forward,
    peer: VectorPeer,
    dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let vector = FakeVector::default();
    let dir = tempfile::tempdir().unwrap();
    let peer = VectorPeer::default();
    let options = ForwardOptions {
        peer: peer.clone(),
        labels: ComponentLabels {
            kind: "source",
            component_type: "defender_incidents",
            id: "defender".to_owned(),
        },
        quarantine: Quarantine::open(dir.path(), "defender", 1_000_000_000).unwrap(),
    };
    let forward = Forward::new(options, Clock::system(), fastrand::Rng::with_seed(1));
    Bench { vector, forward, peer, dir }
}

impl Bench {
    /// Makes the fake reachable.
    fn start(&self) {
        let vector = self.vector.clone();
        self.peer.reached_by(Edge::new(service_fn(move |request: Request<Bytes>| {
            assert_eq!(request.headers()["content-type"], "application/x-ndjson");
            let answer = vector.0.lock().unwrap().answer(names(request.body()));
            async move {
                match answer {
                    Answer::Never => std::future::pending().await,
                    Answer::Broken => Err(EdgeError::Lost("as told".to_owned())),
                    Answer::Status(status) => {
                        let body = Full::from("as told").map_err(|never| match never {}).boxed_unsync();
                        let mut response = Response::new(body);
                        *response.status_mut() = StatusCode::from_u16(status).unwrap();
                        Ok(response)
                    }
                }
            }
        })));
    }

    fn accepted(&self) -> Vec<String> {
        self.vector.0.lock().unwrap().accepted.clone()
    }

    fn pushes(&self) -> Vec<usize> {
        self.vector.0.lock().unwrap().pushes.iter().map(Vec::len).collect()
    }

    fn quarantine(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dir.path().join("quarantine/defender/000001.ndjson"))
            .unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Events with a name and so many bytes around it.
fn batch(names: &[&str], padding: usize) -> Batch {
    let event = |name: &&str| {
        Event::new(format!("{{\"name\":\"{name}\",\"pad\":\"{}\"}}", "x".repeat(padding)).into(), None)
    };
    names.iter().map(event).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_until_vector_is_there() {
    let bench = bench();
    let clock = Clock::system();
    let began = clock.monotonic();
    let started = async {
        clock.sleep(Duration::from_mins(3)).await;
        bench.start();
    };
    let (status, ()) = tokio::join!(bench.forward.deliver(batch(&["a", "b"], 0)), started);
    assert_eq!((status, bench.accepted()), (BatchStatus::Delivered, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((clock.monotonic() - began).as_secs(), 180);
}

#[tokio::test(start_paused = true)]
async fn whatever_passes_is_tried_again_and_nothing_comes_twice() {
    let bench = bench();
    bench.start();
    let mut answers = [500, 503, 404, 401].map(Answer::Status).to_vec();
    answers.push(Answer::Broken);
    bench.vector.0.lock().unwrap().answers = answers;
    assert_eq!(bench.forward.deliver(batch(&["a"], 0)).await, BatchStatus::Delivered);
    assert_eq!((bench.accepted().len(), bench.pushes().len()), (1, 6));
    assert_eq!(bench.quarantine().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_rejects_is_offered_again_and_may_pass() {
    let bench = bench();
    bench.start();
    // A failed login that lasts a while: Vector's own sinks answer it like this.
    bench.vector.0.lock().unwrap().answers = vec![Answer::Status(400); 20];
    assert_eq!(bench.forward.deliver(batch(&["a", "b", "c"], 0)).await, BatchStatus::Delivered);
    assert_eq!(bench.accepted().iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(bench.accepted().len(), 3, "and none twice");
    assert_eq!(bench.quarantine().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_while_others_are_taken_is_kept_and_the_others_arrive() {
    for place in 0..5 {
        let bench = bench();
        bench.start();
        bench.vector.0.lock().unwrap().poison = Some("bad");
        let began = Clock::system().monotonic();
        let mut names = vec!["a", "c", "d", "e"];
        names.insert(place, "bad");
        assert_eq!(bench.forward.deliver(batch(&names, 0)).await, BatchStatus::Rejected);
        let mut accepted = bench.accepted();
        accepted.sort();
        assert_eq!(accepted, ["a", "c", "d", "e"]);
        let kept = bench.quarantine();
        assert_eq!(
            (kept.len(), &kept[0]["event"]["name"], &kept[0]["code"]),
            (1, &"bad".into(), &"refused".into())
        );
        let waited = Clock::system().monotonic() - began;
        assert!(waited < Duration::from_mins(3), "others do not wait long for it: {waited:?}, {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_taken_little_is_offered_and_after_an_hour_all_is_kept() {
    let bench = bench();
    bench.start();
    bench.vector.0.lock().unwrap().poison = Some("bad");
    let began = Clock::system().monotonic();
    let names: Vec<String> = (0..50).map(|n| format!("bad-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(bench.forward.deliver(batch(&names, 0)).await, BatchStatus::Rejected);
    let waited = Clock::system().monotonic() - began;
    assert!(waited > Duration::from_mins(59) && waited < Duration::from_mins(70), "{waited:?}");
    assert_eq!(bench.quarantine().len(), 50);
    let pushes = bench.pushes();
    assert_eq!(pushes.iter().filter(|events| **events > 1).count(), 1, "{pushes:?}");
    assert!(pushes.len() < 250, "{} pushes", pushes.len());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_rejects_for_a_while_gets_the_others_few_events_twice() {
    let bench = bench();
    bench.start();
    bench.vector.0.lock().unwrap().answers = vec![Answer::Status(400); 30];
    let names: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(bench.forward.deliver(batch(&names, 0)).await, BatchStatus::Delivered);
    assert_eq!(bench.accepted().len(), 50);
    // What a sink that takes everything would have had: the batch once more, and a few events again and again.
    let offered: usize = bench.pushes().iter().sum();
    assert!(offered <= 50 + 50 + 30, "{offered} events offered");
}

#[tokio::test(start_paused = true)]
async fn large_batches_go_in_pushes_that_vector_takes() {
    let bench = bench();
    bench.start();
    let status = bench.forward.deliver(batch(&["a", "b", "c", "d", "e"], 1_500_000)).await;
    assert_eq!((status, bench.pushes()), (BatchStatus::Delivered, vec![2, 2, 1]));
    assert_eq!(bench.accepted(), ["a", "b", "c", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_large_for_vector_is_kept_and_the_others_arrive() {
    let bench = bench();
    bench.start();
    let events: Vec<Event> =
        batch(&["huge"], MAX_EVENT_BYTES).iter().chain(batch(&["a"], 0).iter()).cloned().collect();
    assert_eq!(bench.forward.deliver(events.into()).await, BatchStatus::Rejected);
    assert_eq!(bench.accepted(), ["a"]);
    assert_eq!(bench.quarantine()[0]["code"], "too_large");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_not_waited_for_without_end() {
    let bench = bench();
    bench.start();
    bench.vector.0.lock().unwrap().answers = vec![Answer::Never];
    let began = Clock::system().monotonic();
    assert_eq!(bench.forward.deliver(batch(&["a"], 0)).await, BatchStatus::Delivered);
    let waited = Clock::system().monotonic() - began;
    assert!(waited >= Duration::from_hours(1) && waited < Duration::from_mins(62), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_says_that_an_event_is_wrong_is_taken_for_a_refusal() {
    for code in [Answer::Status(400), Answer::Status(413)] {
        let bench = bench();
        bench.start();
        bench.vector.0.lock().unwrap().answers = vec![code];
        assert_eq!(bench.forward.deliver(batch(&["a", "b"], 0)).await, BatchStatus::Delivered);
        // One by one from then on, which a mere failure would not be.
        assert_eq!(bench.pushes(), [2, 1, 1], "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_waited_for_and_not_lost() {
    let bench = bench();
    bench.start();
    bench.vector.0.lock().unwrap().poison = Some("bad");
    // A file where the directory should be.
    let place = bench.dir.path().join("quarantine");
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "").unwrap();
    let delivered = bench.forward.deliver(batch(&["a", "bad", "c"], 0));
    tokio::pin!(delivered);
    tokio::select! {
        status = &mut delivered => panic!("{status:?} though nothing could be kept"),
        () = async { Clock::system().sleep(Duration::from_mins(30)).await } => {}
    }
    std::fs::remove_file(&place).unwrap();
    assert_eq!(delivered.await, BatchStatus::Rejected);
    assert_eq!(bench.quarantine().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_vector_would_not_read_is_kept_and_its_neighbours_arrive() {
    let bench = bench();
    bench.start();
    let deep = Event::new(format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127)).into(), None);
    let events: Vec<Event> = batch(&["a", "b"], 0).iter().cloned().collect();
    let events = vec![events[0].clone(), deep, events[1].clone()];
    assert_eq!(bench.forward.deliver(events.into()).await, BatchStatus::Rejected);
    assert_eq!((bench.accepted(), bench.pushes()), (vec!["a".to_owned(), "b".to_owned()], vec![2]));
    // Nor would serde_json read it here.
    let kept = std::fs::read_to_string(bench.dir.path().join("quarantine/defender/000001.ndjson")).unwrap();
    assert!(
        kept.lines().count() == 1 && kept.contains("\"unsendable\"") && kept.contains("127 levels"),
        "{kept}"
    );
}
