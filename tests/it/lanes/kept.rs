//! What waits stays, is delivered once, and holds nobody, in the cases that one does not think of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use microsoft::connection::Connector;
use model::event::{Batch, Event};
use runtime::delivery::{BatchStatus, Deliver};
use runtime::edge::Edge;
use serde_json::{Value, json};
use simulator::{Fault, Service, SimulatorConfig};
use tower::ServiceExt;
use vector_sentinel::sinks::sentinel_logs::layout::Layout;

use super::{RULES, arrived, deliver, mixed, numbers, rows, sink, sink_by, spool_files, status, world};
use crate::in_process::{World, edge, in_simulated_time};
use crate::layouts;
use crate::sink::batch;

/// Text that cannot be compressed.
fn noise(rng: &mut fastrand::Rng, bytes: usize) -> String {
    (0..bytes).map(|_| rng.alphanumeric()).collect()
}

fn large(n: u64, to: &str, rule: usize, rng: &mut fastrand::Rng, bytes: usize) -> Batch {
    let text = noise(rng, bytes);
    batch([json!({"n": n, "to": to, "rule": RULES[rule], "text": text})])
}

fn small_spool() -> Value {
    json!({"spool": {"enabled": true, "max_bytes": 10_000_000}})
}

#[test]
fn who_waits_behind_a_request_that_hangs_waits_and_does_not_spin() {
    in_simulated_time(async {
        let world = world();
        let options = json!({"dcr_immutable_id": RULES[0], "stream_name": "Custom-Bad_CL"});
        let sink = Arc::new(sink(&world, &options));
        let hangs = Fault::Delay(Duration::from_secs(30));
        world.simulator.faults().script(Service::LogsIngestion, vec![status(503, None), hangs]);
        let first = {
            let sink = Arc::clone(&sink);
            tokio::spawn(async move { sink.deliver(batch([json!({"n": 1})])).await })
        };
        world.clock.sleep(Duration::from_secs(2)).await;
        // With a task that spins, simulated time would stand still.
        assert_eq!(sink.deliver(batch([json!({"n": 2})])).await, BatchStatus::Delivered);
        assert_eq!(first.await.unwrap(), BatchStatus::Delivered);
        world.simulator.wait_until(|stats| stats.rows_ingested == 2).await;
        sink.stop().await;
    });
}

#[test]
fn a_stream_that_is_late_once_while_others_fill_the_room_is_asked_again() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &small_spool());
        let mut rng = fastrand::Rng::with_seed(1);
        world.simulator.faults().at_path("Custom-Bad_CL", status(403, None));
        world.simulator.faults().at_path("Custom-Other_CL", status(403, None));
        for (n, (to, rule)) in (0..).zip([("Bad", 0), ("Bad", 1), ("Other", 0), ("Other", 1)]) {
            for _ in 0..20 {
                sink.deliver(large(n, to, rule, &mut rng, 500_000)).await;
            }
        }
        world.simulator.faults().at_path("Custom-Good_CL", Fault::Delay(Duration::from_secs(3)));
        sink.deliver(large(1, "Good", 0, &mut rng, 800_000)).await;
        world.simulator.faults().at_path("Custom-Good_CL", Fault::Pass);
        world.clock.sleep(Duration::from_mins(1)).await;
        for n in 2..20 {
            deliver(&world, &sink, large(n, "Good", 0, &mut rng, 800_000)).await;
        }
        let failing: Vec<_> = sink.health().troubles().into_iter().map(|(_, trouble)| trouble.why).collect();
        assert!(failing.iter().all(|why| !why.contains("Good")), "{failing:?}");
        sink.stop().await;
    });
}

#[test]
fn a_wait_that_one_stream_is_asked_for_is_not_its_siblings_but_the_limits_of_the_rule_are() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &json!({}));
        world.simulator.faults().at_path("Custom-Bad_CL", status(503, Some("3600")));
        for n in 0..20 {
            deliver(&world, &sink, mixed(&[rows("Bad", 0, n..n + 1), rows("Good", 0, n..n + 1)])).await;
            world.clock.sleep(Duration::from_mins(1)).await;
        }
        assert_eq!(numbers(&world, "Good").len(), 20);
        // Throttled is the rule as a whole, and health says so of each of its streams.
        world.simulator.faults().at_path("Custom-Other_CL", status(429, Some("600")));
        deliver(&world, &sink, mixed(&[rows("Other", 0, 0..1)])).await;
        deliver(&world, &sink, mixed(&[rows("Good", 0, 20..21)])).await;
        assert_eq!(numbers(&world, "Good").len(), 20);
        let troubles = sink.health().troubles();
        assert!(
            troubles.iter().any(|(_, trouble)| trouble.why.contains("Good_CL: its rule")),
            "{troubles:?}"
        );
        arrived(&world, "Good", 20..21).await;
        world.simulator.faults().clear();
        arrived(&world, "Bad", 0..20).await;
        world.clock.sleep(Duration::from_hours(1)).await;
        sink.stop().await;
        assert!(sink.health().is_working());
    });
}

#[test]
fn an_event_without_a_row_under_other_options_is_quarantined_once() {
    in_simulated_time(async {
        let world =
            World::of(SimulatorConfig { dcr: layouts::dcr(Layout::Defender), ..SimulatorConfig::default() });
        let id = world.config.dcr.immutable_id.clone();
        let before = sink(&world, &json!({"dcr_immutable_id": id, "stream_name": "Custom-Missing_CL"}));
        let no_incident = Event::new(r#"{"n":1}"#.into(), None);
        deliver(&world, &before, [no_incident, layouts::fixture("defender-two-alerts")].into()).await;
        before.stop().await;
        drop(before);
        world.simulator.faults().at_path("streams", status(403, None));
        let options =
            json!({"dcr_immutable_id": id, "layout": "defender", "stream_name": "Custom-Missing_CL"});
        let sink = sink(&world, &options);
        sink.start().await;
        world.clock.sleep(Duration::from_hours(1)).await;
        sink.stop().await;
        assert_eq!(sink.quarantine().stored_count(), 1);
        assert!(!spool_files(&world).is_empty());
    });
}

#[test]
fn a_wrong_layout_that_is_mended_loses_nothing() {
    in_simulated_time(async {
        let world =
            World::of(SimulatorConfig { dcr: layouts::dcr(Layout::Defender), ..SimulatorConfig::default() });
        let id = world.config.dcr.immutable_id.clone();
        let wrong =
            json!({"dcr_immutable_id": id, "layout": "asim_alert", "stream_name": "Custom-Missing_CL"});
        let before = sink(&world, &wrong);
        deliver(&world, &before, (0..5).map(|_| layouts::fixture("defender-two-alerts")).collect()).await;
        before.stop().await;
        drop(before);
        let right = json!({"dcr_immutable_id": id, "layout": "defender", "stream_name": null});
        let sink = sink(&world, &right);
        sink.start().await;
        world.simulator.wait_until(|stats| stats.rows_ingested >= 25).await;
        sink.stop().await;
        let rows = world.simulator.stats().rows_by_stream;
        assert_eq!(rows.get("Custom-DefenderIncidents_CL"), Some(&5), "{rows:?}");
        assert!(spool_files(&world).is_empty());
    });
}

#[test]
fn stopping_does_not_wait_for_what_the_service_asks_for() {
    in_simulated_time(async {
        let world = world();
        let sink = sink(&world, &small_spool());
        let (faults, mut rng) = (world.simulator.faults(), fastrand::Rng::with_seed(1));
        faults.at_path("Custom-Bad_CL", status(403, None));
        // Two requests' worth of rows in one record, and then a full share.
        for n in 0..55 {
            let bytes = if n < 15 { 900_000 } else { 60_000 };
            let rows = [0, 1].map(|half| {
                json!({"n": 2 * n + half, "to": "Bad", "rule": RULES[1], "text": noise(&mut rng, bytes / 2)})
            });
            sink.deliver(batch(rows)).await;
        }
        // One half is taken, the other must wait an hour.
        faults.clear();
        faults
            .script(Service::LogsIngestion, vec![status(413, None), Fault::Pass, status(429, Some("3600"))]);
        world.simulator.wait_until(|stats| stats.ingestion_by_status.contains_key(&429)).await;
        let began = world.clock.monotonic();
        sink.stop().await;
        assert!(world.clock.monotonic() - began < Duration::from_secs(10));
    });
}

#[test]
fn after_a_restart_what_waits_still_counts() {
    in_simulated_time(async {
        let world = world();
        let mut rng = fastrand::Rng::with_seed(1);
        world.simulator.faults().at_path("Custom-Bad_CL", status(403, None));
        world.simulator.faults().at_path("Custom-Other_CL", status(403, None));
        let bytes_of = |name: &str| -> u64 {
            let files = spool_files(&world);
            let files = files.iter().filter(|path| path.to_string_lossy().contains(name));
            files.map(|path| path.metadata().unwrap().len()).sum()
        };
        for to in ["Bad", "Other"] {
            let sink = sink(&world, &small_spool());
            sink.start().await;
            for n in 0..20 {
                sink.deliver(large(n, to, 1, &mut rng, 500_000)).await;
            }
            sink.stop().await;
        }
        let (bad, other) = (bytes_of("Custom-Bad"), bytes_of("Custom-Other"));
        assert!(bad > 3_000_000 && other > 1_000_000 && other <= (10_000_000 - bad) / 2, "{bad} {other}");
    });
}

#[test]
fn directories_in_which_nothing_waits_are_no_streams() {
    in_simulated_time(async {
        let world = world();
        for n in 0..1_000 {
            let name = format!("data/spool/sentinel/{}+Custom-Old{n}_CL", RULES[1]);
            std::fs::create_dir_all(world.dir.path().join(name)).unwrap();
        }
        let sink = sink(&world, &json!({}));
        sink.start().await;
        deliver(&world, &sink, mixed(&[rows("Good", 0, 0..1)])).await;
        assert_eq!(numbers(&world, "Good"), [0]);
        sink.stop().await;
    });
}

#[test]
fn a_stream_that_refuses_row_after_row_holds_no_batch() {
    in_simulated_time(async {
        let world = world();
        let (service, clock) = (world.simulator.service(), world.clock.clone());
        let connector = Connector::with(world.clock.clone(), move |options| {
            let (edge, clock) = (edge(service.clone().with_timeout(options.timeout)), clock.clone());
            Ok(Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
                let (edge, clock) = (edge.clone(), clock.clone());
                async move {
                    // Not late: an answer takes less than spool.after_secs.
                    clock.sleep(Duration::from_millis(700)).await;
                    edge.oneshot(request).await
                }
            })))
        });
        let sink = sink_by(&world, &json!({}), &connector);
        deliver(&world, &sink, mixed(&[rows("Bad", 1, 5_000..5_001), rows("Good", 0, 5_000..5_001)])).await;
        world.simulator.faults().at_path("Custom-Bad_CL", status(400, None));
        let took = deliver(&world, &sink, mixed(&[rows("Bad", 1, 0..1_000), rows("Good", 0, 0..1)])).await;
        assert!(took < Duration::from_secs(4), "{took:?}");
        sink.stop().await;
    });
}

#[test]
fn of_batches_that_come_together_none_waits_for_the_answer_that_does_not_come() {
    in_simulated_time(async {
        let world = world();
        let sink = Arc::new(sink(&world, &json!({})));
        world.simulator.faults().at_path("Custom-Bad_CL", Fault::Delay(Duration::from_hours(1)));
        let began = world.clock.monotonic();
        let offered = (0..8).map(|n| {
            let sink = Arc::clone(&sink);
            let batch = mixed(&[rows("Bad", 1, n..n + 1), rows("Good", 0, n..n + 1)]);
            tokio::spawn(async move { sink.deliver(batch).await })
        });
        for offered in offered.collect::<Vec<_>>() {
            assert_eq!(offered.await.unwrap(), BatchStatus::Delivered);
        }
        assert!(world.clock.monotonic() - began <= Duration::from_secs(1));
        world.simulator.faults().clear();
        arrived(&world, "Bad", 0..8).await;
        sink.stop().await;
    });
}
