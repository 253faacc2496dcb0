//! How many requests `sentinel_logs` has in flight.

use std::sync::Arc;
use std::time::Duration;

use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{Fault, Service};

use crate::sink::{batch, bench, sink};

/// Many small requests.
fn rows() -> Batch {
    batch((0..20_000).map(|n| json!({"n": n, "text": "x".repeat(900)})))
}

fn options(request: &Value) -> Value {
    json!({"batch": {"max_bytes": 10_000}, "request": request})
}

fn slow(milliseconds: u64) -> Vec<(f64, Fault)> {
    vec![(1.0, Fault::Delay(Duration::from_millis(milliseconds)))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_that_many_from_the_beginning() {
    let bench = bench().await;
    bench.simulator.faults().at_random(Service::LogsIngestion, slow(50));
    let sink = sink(&bench, &options(&json!({"concurrency": 5})));
    let delivery = tokio::spawn(async move { sink.deliver(rows()).await });
    bench.until(|stats| stats.ingestion_requests > 100).await;
    delivery.abort();
    assert_eq!(bench.simulator.stats().ingestion_most_at_once, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_brings_the_requests_at_a_time_down_to_one() {
    let bench = bench().await;
    let told_to_wait = Fault::Status { code: 429, retry_after: Some("0".to_owned()), body: None };
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, told_to_wait)]);
    let adaptive = json!({"initial_concurrency": 8, "decrease_ratio": 0.5});
    let sink = sink(&bench, &options(&json!({"adaptive_concurrency": adaptive})));
    let delivered = Arc::clone(&sink);
    let delivery = tokio::spawn(async move {
        delivered.deliver(batch((0..1_000).map(|n| json!({"n": n, "text": "x".repeat(900)})))).await
    });
    // Each round of them halves the limit: eight, four, two, one.
    bench.until(|stats| stats.ingestion_by_status.get(&429).is_some_and(|count| *count >= 15)).await;
    // From now on nothing is answered, so that all who may send are there at once.
    bench.simulator.faults().at_random(Service::LogsIngestion, slow(3_000));
    let requests = bench.simulator.stats().ingestion_requests;
    bench.until(|stats| stats.ingestion_requests > requests).await;
    Clock::system().sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.simulator.stats().ingestion_at_once, 1);
    bench.simulator.faults().clear();
    assert_eq!(delivery.await.unwrap(), BatchStatus::Delivered);
    assert_eq!(bench.simulator.stats().rows_ingested, 1_000);
}
