use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::Method;

use super::sentinel::{Arm, VERSION};
use super::*;
use crate::{Fault, Operation, Service, WorkspaceConfig};

const ROW: &str = r#"[{"id_": "1", "lastUpdateDateTime": "2026-02-25T16:29:33.1Z"}]"#;

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: None }
}

/// Whether an I/O error of this kind is among the causes.
fn is_caused_by(error: &reqwest::Error, kind: io::ErrorKind) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[tokio::test]
async fn a_scripted_status_comes_in_order_and_passes_away() {
    let bench = Bench::with_incidents(1).await;
    let throttled = Fault::Status { code: 429, retry_after: Some("2.128".to_owned()), body: None };
    let own = Fault::Status { code: 502, retry_after: None, body: Some("<html>".to_owned()) };
    bench.simulator.faults().script(Service::Graph, vec![throttled, Fault::Pass, status(403), own]);
    let send = || async { bench.graph(INCIDENTS).header("accept-encoding", "gzip").send().await.unwrap() };
    let first = send().await;
    assert_eq!((first.status().as_u16(), first.headers()["retry-after"].to_str().unwrap()), (429, "2.128"));
    assert_eq!(send().await.status(), 200);
    assert_eq!(send().await.status(), 403);
    let last = send().await;
    assert_eq!((last.status().as_u16(), last.text().await.unwrap().as_str()), (502, "<html>"));
    assert_eq!(send().await.status(), 200);
    assert_eq!(bench.simulator.stats().faults_fired, 3);
    assert_eq!(bench.simulator.stats().graph_requests_last_minute, 2);
}

#[tokio::test]
async fn a_large_body_does_not_keep_a_client_from_seeing_the_status() {
    let bench = Bench::with_incidents(0).await;
    bench.simulator.faults().script(Service::LogsIngestion, vec![status(503)]);
    let answer = bench.rows(vec![b' '; 5_000_000]).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(bench.simulator.stats().ingestion_by_status[&503], 1);
}

#[tokio::test]
async fn a_reset_before_the_answer_leaves_nothing_behind() {
    let bench = Bench::with_incidents(0).await;
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::Reset]);
    let error = bench.rows(ROW).send().await.unwrap_err();
    assert!(is_caused_by(&error, io::ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(bench.simulator.stats().rows_ingested, 0);
    assert_eq!(bench.rows(ROW).send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_reset_after_the_work_was_done_makes_a_duplicate() {
    let bench = Bench::with_incidents(0).await;
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::ResetAfter]);
    let error = bench.rows(ROW).send().await.unwrap_err();
    assert!(is_caused_by(&error, io::ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(bench.rows(ROW).send().await.unwrap().status(), 204);
    let stats = bench.simulator.stats();
    assert_eq!((stats.rows_ingested, stats.duplicate_rows), (2, 1));
    assert_eq!(stats.ingestion_by_status[&204], 1, "the other answer never left");
}

#[tokio::test]
async fn a_cut_body_promises_more_than_it_sends() {
    let bench = Bench::with_incidents(50).await;
    let whole = bench.graph(INCIDENTS).send().await.unwrap().bytes().await.unwrap().len();
    bench.simulator.faults().script(Service::Graph, vec![Fault::CutBody]);
    let mut cut = bench.graph(INCIDENTS).send().await.unwrap();
    assert_eq!(cut.status(), 200);
    assert_eq!(cut.content_length(), Some(whole as u64));
    let mut received = 0;
    let error = loop {
        match cut.chunk().await {
            Ok(chunk) => received += chunk.expect("the body is not complete").len(),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(received, whole / 2);
}

#[tokio::test]
async fn an_answer_without_a_body_is_cut_before_it_is_sent() {
    let bench = Bench::with_incidents(0).await;
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::CutBody]);
    let error = bench.rows(ROW).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(bench.simulator.stats().rows_ingested, 1);
}

#[tokio::test]
async fn a_refused_token_names_its_code() {
    let bench = Bench::with_incidents(0).await;
    let refusal = Fault::RefuseToken { code: "AADSTS7000222".to_owned(), description: None };
    bench.simulator.faults().script(Service::Entra, vec![refusal, status(503)]);
    let answer = bench.token_request(&[]).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let body = json(answer).await;
    assert_eq!((&body["error"], &body["error_codes"][0]), (&"invalid_client".into(), &7_000_222.into()));
    assert_eq!(bench.token_request(&[]).send().await.unwrap().status(), 503);
    assert_eq!(bench.token_request(&[]).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_expired_token_stays_dead() {
    let mut bench = Bench::with_incidents(1).await;
    bench.simulator.faults().script(Service::Graph, vec![Fault::ExpireToken]);
    for _ in 0..2 {
        assert_eq!(bench.graph(INCIDENTS).send().await.unwrap().status(), 401);
    }
    bench.graph_token = bench.token(GRAPH_SCOPE).await;
    assert_eq!(bench.graph(INCIDENTS).send().await.unwrap().status(), 200);
    bench.simulator.faults().script(Service::Entra, vec![Fault::ExpireToken]);
    let fresh = bench.token(MONITOR_SCOPE).await;
    assert_eq!(bench.rows(ROW).send().await.unwrap().status(), 401);
    bench.monitor_token = fresh;
    assert_eq!(bench.rows(ROW).send().await.unwrap().status(), 204);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_comes_after_the_delay() {
    let clock = Clock::system();
    let bench = Bench::with_incidents(1).await;
    bench.simulator.faults().script(Service::Graph, vec![Fault::Delay(Duration::from_mins(5))]);
    let before = clock.monotonic();
    bench.incidents("").await;
    assert!(clock.monotonic() - before >= Duration::from_mins(5));
}

#[tokio::test]
async fn a_fault_waits_for_its_operation() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let defender = |path: &str| arm.bench.url(&format!("{INCIDENTS}{path}"));
    let sentinel = |path: &str| arm.bench.url(&format!("{}/incidents{path}{VERSION}", arm.base));
    let operations = [
        (Operation::DefenderList, Method::GET, defender("")),
        (Operation::DefenderGet, Method::GET, defender("/1")),
        (Operation::DefenderUpdate, Method::PATCH, defender("/1")),
        (Operation::DefenderComment, Method::POST, defender("/1/comments")),
        (Operation::DefenderMerge, Method::POST, defender("/mergeIncidents")),
        (Operation::SentinelList, Method::GET, sentinel("")),
        (Operation::SentinelGet, Method::GET, sentinel("/1")),
        (Operation::SentinelPut, Method::PUT, sentinel("/1")),
        (Operation::SentinelDelete, Method::DELETE, sentinel("/1")),
        (Operation::SentinelListComments, Method::GET, sentinel("/1/comments")),
        (Operation::SentinelGetComment, Method::GET, sentinel("/1/comments/2")),
        (Operation::SentinelPutComment, Method::PUT, sentinel("/1/comments/2")),
        (Operation::SentinelDeleteComment, Method::DELETE, sentinel("/1/comments/2")),
    ];
    for (operation, _, _) in &operations {
        arm.bench.simulator.faults().script_operation(*operation, vec![status(418)]);
        for (other, method, url) in &operations {
            let answer = arm.bench.client.request(method.clone(), url).send().await.unwrap();
            assert_eq!(answer.status() == 418, operation == other, "{operation:?} and {other:?}");
        }
    }
}
