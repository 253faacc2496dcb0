//! In the place of Vector's own `azure_logs_ingestion`: its options mean the same, with Vector and without.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, Service, Simulator};

use crate::harness::real_vector;
use crate::in_process::{INCIDENTS, World, in_simulated_time};
use crate::rig::{Peer, Rig};

/// Options of the sink that shape its rows and its requests.
fn options() -> Value {
    json!({
        "encoding": {
            "except_fields": ["incidentWebUrl", "alerts[0].evidence", "source_type", "enriched", "timestamp"],
            "timestamp_format": "unix_ms",
        },
        "request": {"rate_limit_num": 2, "rate_limit_duration_secs": 1, "retry_attempts": 1, "retry_max_duration_secs": 1},
        "retry_strategy": {"type": "none"},
    })
}

/// The names of the columns that rows have, and those whose values, numbers instead of times, were not taken.
fn shape(simulator: &Simulator) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    for row in simulator.rows() {
        for (name, value) in row.columns {
            names.extend(value.as_object().into_iter().flatten().map(|(inner, _)| format!("{name}.{inner}")));
            names.insert(name);
        }
    }
    (names, simulator.stats().type_mismatches.into_keys().collect())
}

#[test]
fn the_options_of_vectors_own_sink_mean_the_same_with_and_without_vector() {
    let without = in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        pipeline["sinks"]["sentinel"].as_object_mut().unwrap().extend(options().as_object().unwrap().clone());
        let running = world.run(&pipeline).await;
        world.simulator.wait_until(|stats| stats.rows_ingested == INCIDENTS as u64).await;
        running.stop().await;
        shape(&world.simulator)
    });
    assert!(without.1.contains("createdDateTime") && !without.0.contains("incidentWebUrl"), "{without:?}");
    let Some(binary) = real_vector() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let with = runtime.block_on(async {
        let mut options = options();
        options["columns"] = Value::Null;
        let mut rig = Rig::new(&Peer::Real(binary), INCIDENTS, &[], options).await;
        rig.pipeline["sinks"]["sentinel"].as_object_mut().unwrap().remove("columns");
        rig.pipeline["sinks"]["sentinel"]["inputs"] = json!(["enrich"]);
        // A failure, after which Vector would have dropped the batch if it had seen the options of retries.
        let fault = Fault::Status { code: 503, retry_after: None, body: None };
        rig.bench.simulator.faults().script(Service::LogsIngestion, vec![fault.clone(), fault]);
        rig.start().await;
        rig.bench.until(|stats| stats.rows_ingested == INCIDENTS as u64).await;
        assert_eq!(rig.stop().await, Some(0));
        shape(&rig.bench.simulator)
    });
    assert_eq!(with, without);
}

#[test]
fn requests_are_counted_against_the_rate_limit_when_they_are_sent_again_too() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let sink = &mut pipeline["sinks"]["sentinel"];
        sink["batch"] = json!({"max_bytes": 20_000});
        sink["request"] = json!({"rate_limit_num": 3, "rate_limit_duration_secs": 10, "concurrency": 8});
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        world.simulator.faults().at_random(Service::LogsIngestion, vec![(0.3, down)]);
        let running = world.run(&pipeline).await;
        let mut counts = Vec::new();
        while world.simulator.stats().distinct_rows < INCIDENTS as u64 {
            counts.push(world.simulator.stats().ingestion_requests);
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        running.stop().await;
        assert!(counts.last() > Some(&20), "{counts:?}");
        // A second is the error of looking once a second.
        assert!(counts.windows(9).all(|nine| nine[8] - nine[0] <= 3), "{counts:?}");
    });
}

#[test]
fn waits_between_tries_are_those_that_the_file_asks_for() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        pipeline["sinks"]["sentinel"]["request"] =
            json!({"retry_initial_backoff_secs": 200, "retry_max_duration_secs": 350, "concurrency": "none"});
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        world.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, down)]);
        let running = world.run(&pipeline).await;
        world.clock.sleep(Duration::from_hours(2)).await;
        let requests = world.simulator.stats().ingestion_requests;
        world.simulator.faults().clear();
        world.rows(INCIDENTS).await;
        running.stop().await;
        // Each wait is from 175 to 350 seconds.
        assert!((7_200 / 350..=2 + 7_200 / 175).contains(&requests), "{requests}");
    });
}
