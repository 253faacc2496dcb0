//! Reload by difference: what has changed is replaced, and everything else goes on.

use std::time::Duration;

use serde_json::json;
use simulator::{Fault, Service};
use vector_sentinel::topology::{Changes, Ended, NotReloaded};

use crate::harness::PATIENCE;
use crate::in_process::{INCIDENTS, World, in_simulated_time};
use crate::rig::{Peer, Rig, lines};

fn ids(list: &[&str]) -> Vec<String> {
    list.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_sink_that_is_added_gets_what_comes_and_the_others_go_on() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let running = world.run(&pipeline).await;
        world.rows(INCIDENTS).await;
        let tokens = world.simulator.stats().tokens_issued;

        pipeline["sinks"]["second"] = world.sink();
        let changes = running.reload(&world, &pipeline).await.unwrap();
        assert_eq!(changes, Changes { added: ids(&["sinks.second"]), ..Changes::default() });
        world.simulator.tenant().create(5);
        world.rows(INCIDENTS + 5).await;
        world.simulator.wait_until(|stats| stats.rows_ingested == (INCIDENTS + 2 * 5) as u64).await;
        // Whoever is built anew signs in anew: a sink to deliver, and to read its rule.
        assert_eq!(world.simulator.stats().tokens_issued, tokens + 2);

        pipeline["sinks"].as_object_mut().unwrap().remove("second");
        let changes = running.reload(&world, &pipeline).await.unwrap();
        assert_eq!(changes, Changes { removed: ids(&["sinks.second"]), ..Changes::default() });
        world.simulator.tenant().create(5);
        world.rows(INCIDENTS + 10).await;
        assert_eq!(running.reload(&world, &pipeline).await.unwrap(), Changes::default());
        assert_eq!(running.stop().await, Ended::Drained);
        let stats = world.simulator.stats();
        assert_eq!((stats.rows_ingested, stats.tokens_issued), ((INCIDENTS + 3 * 5) as u64, tokens + 2));
    });
}

#[test]
fn a_sink_that_reads_another_source_is_not_built_anew() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        pipeline["sources"]["other"] = pipeline["sources"]["defender"].clone();
        pipeline["sinks"]["second"] = world.sink();
        pipeline["sinks"]["second"]["inputs"] = json!(["other"]);
        let running = world.run(&pipeline).await;
        world.simulator.wait_until(|stats| stats.rows_ingested == 2 * INCIDENTS as u64).await;
        let tokens = world.simulator.stats().tokens_issued;
        pipeline["sinks"]["second"]["inputs"] = json!(["other", "defender"]);
        let changes = running.reload(&world, &pipeline).await.unwrap();
        assert_eq!(changes, Changes { changed: ids(&["sinks.second"]), ..Changes::default() });
        assert_eq!(running.reload(&world, &pipeline).await.unwrap(), Changes::default());
        world.simulator.tenant().create(5);
        world.simulator.wait_until(|stats| stats.rows_ingested == (2 * INCIDENTS + 3 * 5) as u64).await;
        assert_eq!(running.stop().await, Ended::Drained);
        assert_eq!(world.simulator.stats().tokens_issued, tokens);
    });
}

#[test]
fn a_source_that_is_changed_goes_on_where_it_was() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let running = world.run(&pipeline).await;
        world.rows(INCIDENTS).await;
        let tokens = world.simulator.stats().tokens_issued;
        pipeline["sources"]["defender"]["poll_interval_secs"] = json!(10);
        let changes = running.reload(&world, &pipeline).await.unwrap();
        assert_eq!(changes, Changes { changed: ids(&["sources.defender"]), ..Changes::default() });
        world.simulator.tenant().create(5);
        world.rows(INCIDENTS + 5).await;
        assert_eq!(running.stop().await, Ended::Drained);
        let stats = world.simulator.stats();
        assert_eq!((stats.rows_ingested, stats.tokens_issued), ((INCIDENTS + 5) as u64, tokens + 1));
    });
}

#[test]
fn a_batch_on_its_way_to_a_sink_that_cannot_deliver_arrives_by_its_new_options() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let right = pipeline["sinks"]["sentinel"]["dcr_immutable_id"].take();
        pipeline["sinks"]["sentinel"]["dcr_immutable_id"] = json!("dcr-00000000000000000000000000000000");
        pipeline["sinks"]["second"] = world.sink();
        let running = world.run(&pipeline).await;
        world.rows(1).await;
        pipeline["sinks"]["sentinel"]["dcr_immutable_id"] = right;
        let changes = running.reload(&world, &pipeline).await.unwrap();
        assert_eq!(changes, Changes { changed: ids(&["sinks.sentinel"]), ..Changes::default() });
        world.simulator.wait_until(|stats| stats.rows_ingested == 2 * INCIDENTS as u64).await;
        assert_eq!(running.stop().await, Ended::Drained);
        let stats = world.simulator.stats();
        let once_each = (2 * INCIDENTS as u64, INCIDENTS as u64);
        assert_eq!((stats.rows_ingested, stats.distinct_rows), once_each, "each sink has each incident once");
    });
}

#[test]
fn a_batch_on_its_way_to_a_sink_that_gets_another_name_arrives() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        // What is in a sink's spool stays with its name.
        pipeline["sinks"]["sentinel"]["spool"] = json!({"enabled": false});
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        world.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, down)]);
        let running = world.run(&pipeline).await;
        world.simulator.wait_until(|stats| stats.ingestion_requests > 1).await;
        pipeline["sinks"] = json!({"other": pipeline["sinks"]["sentinel"]});
        let changes = running.reload(&world, &pipeline).await.unwrap();
        let (added, removed) = (ids(&["sinks.other"]), ids(&["sinks.sentinel"]));
        assert_eq!(changes, Changes { added, removed, ..Changes::default() });
        world.simulator.faults().clear();
        world.rows(INCIDENTS).await;
        assert_eq!(running.stop().await, Ended::Drained);
        assert_eq!(world.simulator.stats().rows_ingested, INCIDENTS as u64);
    });
}

#[test]
fn what_cannot_be_built_leaves_everything_as_it_was() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let running = world.run(&pipeline).await;
        world.rows(INCIDENTS).await;
        let before = pipeline.clone();
        // A file is where the quarantine of the new sink would be.
        std::fs::create_dir_all(world.dir.path().join("data/quarantine")).unwrap();
        std::fs::write(world.dir.path().join("data/quarantine/second"), "").unwrap();
        pipeline["sinks"]["second"] = world.sink();
        pipeline["sinks"]["sentinel"]["compression"] = json!("none");
        let refused = running.reload(&world, &pipeline).await.unwrap_err();
        let NotReloaded::Problems(problems) = refused else { panic!("{refused:?}") };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, "sinks.second");
        world.simulator.tenant().create(5);
        world.rows(INCIDENTS + 5).await;
        assert_eq!(running.reload(&world, &before).await.unwrap(), Changes::default());
        assert_eq!(running.stop().await, Ended::Drained);
        assert_eq!(world.simulator.stats().rows_ingested, (INCIDENTS + 5) as u64);
    });
}

#[test]
fn a_stop_while_a_reload_waits_is_a_stop_in_order() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        // One sink of each source is slow, and the other is done at once and waits for it.
        pipeline["sources"]["other"] = pipeline["sources"]["defender"].clone();
        pipeline["sinks"]["second"] = world.sink();
        pipeline["sinks"]["second"]["inputs"] = json!(["defender", "other"]);
        let running = world.run(&pipeline).await;
        world.simulator.wait_until(|stats| stats.rows_ingested == 3 * INCIDENTS as u64).await;
        let slow = Fault::Delay(Duration::from_secs(20));
        world.simulator.faults().script(Service::LogsIngestion, vec![slow, Fault::Pass, Fault::Pass]);
        world.simulator.tenant().create(1);
        let requests = world.simulator.stats().ingestion_requests;
        world.simulator.wait_until(|stats| stats.ingestion_requests > requests).await;
        for id in ["sentinel", "second"] {
            pipeline["sinks"][id]["compression"] = json!("none");
        }
        let (handle, (plan, file)) = (running.handle(), world.plan(&pipeline));
        let reloading = handle.reload(plan, file, Duration::from_mins(1));
        let (reloaded, stopped) = tokio::join!(reloading, async {
            world.clock.sleep(Duration::from_secs(1)).await;
            running.stop().await
        });
        assert!(matches!(reloaded, Err(NotReloaded::Stopping)), "{reloaded:?}");
        assert_eq!(stopped, Ended::Drained);
        let stats = world.simulator.stats();
        assert_eq!(stats.rows_ingested, 3 * (INCIDENTS as u64 + 1), "what was on its way was delivered once");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_replaces_a_sink_behind_the_socket_that_vector_pushes_to() {
    let mut rig = Rig::new(&Peer::Fake, 50, &lines(2_000), json!({})).await;
    rig.start().await;
    rig.bench.until(|stats| stats.rows_ingested > 0).await;
    rig.pipeline["sinks"]["sentinel"]["request"] = json!({"concurrency": 2});
    rig.reload();
    rig.says("Reloaded: changed sinks.sentinel. What has not changed went on.").await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;
    assert_eq!((rig.stop().await, rig.duplicates()), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_would_move_a_component_under_a_vector_of_somebody_else_is_refused() {
    let mut rig = Rig::new(&Peer::Fake, 5, &lines(10), json!({})).await;
    let before = rig.pipeline.clone();
    for (section, id) in [("sources", "defender"), ("sinks", "sentinel")] {
        rig.pipeline[section][id].as_object_mut().unwrap().remove("vector");
    }
    rig.start_plugin();
    rig.says("Listening for Vector").await;
    let mut first = rig.pipeline["sources"]["defender"].clone();
    first["poll_interval_secs"] = json!(5);
    rig.pipeline["sources"] = json!({
        "another": first, "defender": rig.pipeline["sources"]["defender"], "lines": before["sources"]["lines"],
    });
    rig.pipeline["transforms"]["enrich"]["inputs"] = json!(["defender", "another"]);
    rig.reload();
    rig.says("Not reloaded, going on as before: ").await;
    rig.says(": sinks.sentinel: it would move from 127.0.0.1:6101 to 127.0.0.1:6102").await;
    // There is no Vector here that would take what the source has.
    rig.kill_plugin().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_gets_another_name_takes_over_its_address() {
    let mut rig = Rig::new(&Peer::Fake, 50, &lines(10), json!({})).await;
    rig.start().await;
    rig.all_arrived_but(0, PATIENCE).await;
    let sinks = rig.pipeline["sinks"].as_object_mut().unwrap();
    let renamed = sinks.remove("sentinel").unwrap();
    sinks.insert("other".to_owned(), renamed);
    rig.reload();
    rig.says("Reloaded: added sinks.other; removed sinks.sentinel. What has not changed went on.").await;
    // Until Vector has read its file again, it is told to come again.
    rig.bench.simulator.tenant().create(1);
    rig.says("Vector pushes to a sink that does not run here").await;
    rig.kill_vector().await;
    rig.fake.path = "/sinks/other".to_owned();
    rig.start_vector().await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;
    assert_eq!((rig.stop().await, rig.duplicates()), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_replaces_a_source_and_its_way_into_vector() {
    let mut rig = Rig::new(&Peer::Fake, 50, &lines(10), json!({})).await;
    rig.start().await;
    rig.all_arrived_but(0, PATIENCE).await;
    rig.pipeline["sources"]["defender"]["poll_interval_secs"] = json!(2);
    rig.reload();
    rig.says("Reloaded: changed sources.defender. What has not changed went on.").await;
    rig.bench.simulator.tenant().create(5);
    rig.all_arrived_but(0, PATIENCE).await;
    // What asks for everything to be started anew is started anew.
    rig.pipeline["data_dir"] = json!(rig.bench.path("other"));
    rig.reload();
    rig.says("starting with what the files say now").await;
    assert_eq!((rig.stop().await, rig.duplicates()), (Some(0), 0));
}
