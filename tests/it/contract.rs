//! What a pipeline beside Vector promises, whichever Vector it is: with the stock one these run when it can be found, and
//! with a fake one everywhere.

use std::time::Duration;

use runtime::clock::Clock;
use serde_json::json;
use simulator::{Fault, Service};

use crate::harness::real_vector;
use crate::rig::{Peer, Rig, lines, rss_kb};

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: None }
}

/// Every row of ours and of the stock source arrives once, and everything ends in order.
async fn every_row_arrives(peer: &Peer) {
    let mut rig = Rig::new(peer, 300, &lines(3_000), json!({})).await;
    rig.start().await;
    rig.all_arrived_but(0, Duration::from_mins(2)).await;
    assert_eq!(rig.stop().await, Some(0), "{}", std::fs::read_to_string(rig.log()).unwrap());
    assert_eq!(rig.duplicates(), 0);
}

/// What can never be accepted is kept, and neither stops the rest nor takes it along.
async fn poison_goes_to_the_quarantine(peer: &Peer) {
    let mut lines = lines(3_000);
    lines[1_000] = vec![b'x'; 1_200_000];
    lines[2_000] = [b"not \xff utf-8 ".to_vec(), vec![b'y'; 1_200_000]].concat();
    let mut rig = Rig::new(peer, 50, &lines, json!({})).await;
    let faults = [400, 413, 403, 401, 500, 429].map(status);
    rig.bench.simulator.faults().script(Service::LogsIngestion, faults.to_vec());
    rig.start().await;
    rig.all_arrived_but(2, Duration::from_mins(3)).await;
    let mut kept = Vec::new();
    // They may be kept after the last row has arrived.
    while kept.len() < 2 {
        kept = rig.bench.quarantine();
        Clock::system().sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rig.stop().await, Some(0));
    assert_eq!((rig.bench.quarantine().len(), rig.duplicates()), (2, 0));
    assert!(kept.iter().all(|line| line["code"] == "too_large"));
    let sizes = kept.iter().map(|line| line["event"]["message"].as_str().unwrap().len());
    assert!(sizes.min().unwrap() >= 1_200_000, "the whole event is kept");
}

/// Either side is killed at random moments, and nothing is lost. Answers how many rows came twice.
async fn kills_lose_nothing(peer: &Peer, who: Victim, count: usize, kills: u64) -> usize {
    let mut rig = Rig::new(peer, 300, &lines(count), json!({})).await;
    let mut rng = fastrand::Rng::with_seed(2_026);
    rig.start().await;
    for kill in 0..kills {
        // Spread over the run, each at a random moment of its part.
        let moment = (kill * count as u64 + rng.u64(0..count as u64)) / (kills + 1);
        rig.bench.until(|stats| stats.rows_ingested >= moment).await;
        match who {
            Victim::Vector => {
                rig.kill_vector().await;
                rig.start_vector().await;
            }
            Victim::Plugin => {
                rig.kill_plugin().await;
                rig.start_plugin();
            }
        }
    }
    rig.all_arrived_but(0, Duration::from_mins(5)).await;
    let duplicates = rig.duplicates();
    let rows = rig.bench.simulator.stats().rows_ingested;
    println!("{duplicates} of {rows} rows came twice, after {kills} kills of the {who:?} ({peer:?})");
    rig.stop().await;
    duplicates
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Vector,
    Plugin,
}

/// The service is down for a while: everything waits without growing, and arrives.
async fn an_outage_loses_nothing(peer: &Peer, outage: Duration, buffer: serde_json::Value) {
    let mut rig = Rig::new(peer, 300, &lines(100_000), json!({"buffer": buffer})).await;
    rig.start().await;
    rig.bench.until(|stats| stats.rows_ingested >= 2_000).await;
    rig.bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, status(503))]);
    let clock = Clock::system();
    // Until whatever can fill up has.
    clock.sleep(outage / 4).await;
    let vector = if matches!(peer, Peer::Real(_)) { Some(rig.vector_pid().await) } else { None };
    let memory = |rig: &Rig| (rig.plugin_rss_kb(), vector.as_deref().map_or(0, rss_kb));
    let before = memory(&rig);
    clock.sleep(outage * 3 / 4).await;
    let after = memory(&rig);
    rig.bench.simulator.faults().clear();
    rig.all_arrived_but(0, Duration::from_mins(4)).await;
    println!(
        "memory in KB, of the program and of Vector, a quarter into an outage of {outage:?} and at its end: {before:?}, \
         {after:?}"
    );
    assert!(after.0 < before.0 + 20_000, "the program grew: {before:?} {after:?}");
    assert_eq!(rig.stop().await, Some(0));
    assert_eq!(rig.duplicates(), 0);
}

mod with_a_fake_vector {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_row_arrives() {
        super::every_row_arrives(&Peer::Fake).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn poison_goes_to_the_quarantine() {
        super::poison_goes_to_the_quarantine(&Peer::Fake).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kills_of_vector_lose_nothing() {
        kills_lose_nothing(&Peer::Fake, Victim::Vector, 10_000, 5).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kills_of_the_program_lose_nothing() {
        kills_lose_nothing(&Peer::Fake, Victim::Plugin, 10_000, 5).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outage_loses_nothing() {
        super::an_outage_loses_nothing(&Peer::Fake, Duration::from_secs(8), json!(null)).await;
    }
}

mod with_the_stock_vector {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_row_arrives() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        super::every_row_arrives(&peer).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_row_arrives_by_way_of_a_sidecar() {
        let Some(peer) = real_vector().map(Peer::Sidecar) else { return };
        super::every_row_arrives(&peer).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn poison_goes_to_the_quarantine() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        super::poison_goes_to_the_quarantine(&peer).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ten_kills_of_vector_lose_nothing() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        kills_lose_nothing(&peer, Victim::Vector, 50_000, 10).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ten_kills_of_the_program_lose_nothing() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        kills_lose_nothing(&peer, Victim::Plugin, 50_000, 10).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outage_of_two_minutes_loses_nothing_from_a_buffer_in_memory() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        an_outage_loses_nothing(&peer, Duration::from_mins(2), json!({"type": "memory"})).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outage_of_two_minutes_loses_nothing_from_a_buffer_on_disk() {
        let Some(peer) = real_vector().map(Peer::Real) else { return };
        let buffer = json!({"type": "disk", "max_size": 268_435_488});
        an_outage_loses_nothing(&peer, Duration::from_mins(2), buffer).await;
    }
}
