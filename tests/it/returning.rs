//! `quarantine retry` of a source: the pipeline that runs hands its events to Vector again.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::ran;
use crate::harness::{PATIENCE, real_vector};
use crate::quarantine::fill;
use crate::rig::{Peer, Rig};

/// How often each number is in the table.
fn arrived(rig: &Rig) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    for row in rig.bench.simulator.rows() {
        if let Some(n) = row.columns["ExtraColumns"]["n"].as_i64() {
            *found.entry(n).or_default() += 1;
        }
    }
    found
}

fn once(numbers: std::ops::Range<i64>) -> BTreeMap<i64, usize> {
    numbers.map(|n| (n, 1)).collect()
}

async fn refused_events_arrive_when_somebody_asks(peer: &Peer) {
    let mut rig = Rig::new(peer, 3, &[], json!({})).await;
    let data = rig.bench.path("data");
    fill(&data, "defender", 0..2_500).await;
    // Of another component: left alone.
    fill(&data, "sentinel", 0..1).await;
    rig.start().await;
    rig.bench.until(|stats| stats.rows_ingested >= 3).await;
    let file = rig.bench.path("pipeline.json");
    let file = file.to_str().unwrap();
    let retry = ["quarantine", "retry", "-c", file, "defender"];
    let one = [&retry[..], &["1-0"]].concat();
    let (code, stdout, stderr) = tokio::time::timeout(PATIENCE, ran(&one)).await.unwrap();
    assert_eq!((code, stdout.as_str()), (0, "defender: 1 of 1 delivered\n"), "{stderr}");
    assert_eq!(arrived(&rig), once(0..1));
    let (code, stdout, stderr) = ran(&[&retry[..], &["--all"]].concat()).await;
    assert_eq!((code, stdout.as_str()), (0, "defender: 2499 of 2499 delivered\n"), "{stderr}");
    assert_eq!(arrived(&rig), once(0..2_500));
    let (code, stdout, _) = ran(&["quarantine", "list", "-c", file]).await;
    assert!(code == 0 && stdout.starts_with("sentinel: 1 event") && !stdout.contains("defender"), "{stdout}");
    assert_eq!(rig.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_of_a_source_arrive_when_somebody_asks() {
    refused_events_arrive_when_somebody_asks(&Peer::Fake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_events_of_a_source_arrive_through_stock_vector_too() {
    let Some(vector) = real_vector() else { return };
    refused_events_arrive_when_somebody_asks(&Peer::Real(vector)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_hears_is_served_after_the_next_start() {
    let mut rig = Rig::new(&Peer::Fake, 3, &[], json!({})).await;
    fill(&rig.bench.path("data"), "defender", 0..20).await;
    let file = rig.bench.file(&rig.pipeline);
    let retry = ["quarantine", "retry", "-c", file.to_str().unwrap(), "defender", "--reason", "refused"];
    let (code, _, stderr) = ran(&retry).await;
    assert!(code == 1 && stderr.contains("when it is started with this data_dir"), "{stderr}");
    let (code, _, stderr) = ran(&retry).await;
    assert!(code == 1 && stderr.contains("was asked for before"), "{stderr}");
    rig.start().await;
    rig.bench.until(|stats| stats.rows_ingested >= 23).await;
    rig.says("That is done").await;
    assert_eq!(arrived(&rig), once(0..20));
    assert_eq!(rig.stop().await, Some(0));
}
