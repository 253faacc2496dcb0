//! `defender_incidents`, as a user sees it through the rows that arrive.

use chrono::TimeDelta;
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{Dcr, Fault, Service, SimulatorConfig};
use vector_sentinel::topology::Ended;

use crate::harness::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_over_many_pages_delivers_every_incident_exactly_once() {
    // More than ten pages: the time is read in slices.
    let bench = Bench::with_incidents(1_300).await;
    bench.runs_through(&bench.pipeline()).await;
    assert_eq!(bench.rows().len(), 1_300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_delivery_ended() {
    let bench = Bench::with_incidents(120).await;
    let running = bench.run(&bench.pipeline());
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    for revision in bench.simulator.tenant().current().iter().take(10) {
        assert!(bench.simulator.tenant().touch(&revision.id));
    }
    bench.runs_through(&bench.pipeline()).await;
    assert_eq!(bench.rows().len(), 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_tenant_is_followed_change_by_change() {
    let bench = Bench::with_incidents(30).await;
    let running = bench.run(&bench.pipeline());
    for _ in 0..5 {
        bench.caught_up().await;
        for _ in 0..20 {
            bench.simulator.tenant().step();
        }
    }
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    bench.assert_exactly_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_ties_than_fit_a_page_all_arrive() {
    let bench = Bench::with_incidents(620).await;
    let ids: Vec<_> = bench.simulator.tenant().current().into_iter().map(|revision| revision.id).collect();
    // One instant, of which no slice of time can hold less.
    assert!(bench.simulator.tenant().touch_all_at(&ids, Clock::system().now() - TimeDelta::minutes(5)));
    bench.runs_through(&bench.pipeline()).await;
    assert_eq!(bench.rows().len(), 620);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_slips_across_a_page_edge_while_paging_is_not_missed() {
    let bench = Bench::with_incidents(100).await;
    // The first request asks for the time. The second page is slow; meanwhile everything on the first moves.
    let slow = Fault::Delay(std::time::Duration::from_millis(300));
    bench.simulator.faults().script(Service::Graph, vec![Fault::Pass, Fault::Pass, slow]);
    let running = bench.run(&bench.pipeline());
    bench.until(|stats| stats.graph_incidents_served >= 50).await;
    for revision in bench.simulator.served() {
        assert!(bench.simulator.tenant().touch(&revision.id));
    }
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    bench.assert_exactly_once();
    assert_eq!(bench.rows().len(), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_becomes_visible_late_is_not_missed() {
    let bench = Bench::with_incidents(20).await;
    let running = bench.run(&bench.pipeline());
    bench.caught_up().await;
    let clock = Clock::system();
    let start = clock.now();
    let put = |id: &str, time: chrono::DateTime<chrono::Utc>| {
        bench.simulator.tenant().insert_raw(json!({"id": id, "lastUpdateDateTime": time.to_rfc3339()}))
    };
    // The watermark moves on, by more than the second that an answer's date may be off.
    put("900001", clock.now());
    bench.caught_up().await;
    clock.sleep(std::time::Duration::from_millis(1_500)).await;
    put("900002", clock.now());
    bench.caught_up().await;
    bench.until(|stats| stats.rows_ingested >= 22).await;
    put("900003", start - TimeDelta::minutes(10));
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    bench.assert_exactly_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_travels_as_microsoft_sent_it_unknown_members_and_all() {
    let bench = Bench::with_incidents(0).await;
    let last_update = Clock::system().now().to_rfc3339();
    let alerts = json!([{
        "id": "da1", "severity": "high", "newIn2027": {"deep": [1, 2.5, null]},
        "evidence": [{"@odata.type": "#microsoft.graph.security.quantumEvidence", "verdict": "entangled"}],
    }]);
    bench.simulator.tenant().insert_raw(json!({
        "id": "77", "tenantId": "t", "status": "awaitingAction", "severity": "high",
        "lastUpdateDateTime": last_update, "displayName": "größer \"quoted\" \u{1F600}", "customTags": ["a", "ü"],
        "brandNew@thing": {"x": 1}, "alerts": alerts,
    }));
    let running = bench.run(&bench.pipeline());
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    let row = &bench.simulator.rows()[0].columns;
    assert_eq!(row["id_"], "77");
    assert_eq!(row["status"], "awaitingAction", "the header that asks for new enum members was not sent");
    assert_eq!(row["alerts"], alerts);
    assert_eq!(row["displayName"], "größer \"quoted\" \u{1F600}");
    assert_eq!(row["ExtraColumns"], json!({"brandNew@thing": {"x": 1}}));
    assert_eq!(row["TimeGenerated"].as_str().map(|time| time.len() > 10), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_looks_back_as_far_as_it_is_told_and_no_further() {
    // Twenty incidents over the last hour.
    let bench = Bench::with_incidents(20).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["look_back_secs"] = 1_800.into();
    let running = bench.run(&pipeline);
    let within = |revision: &simulator::Revision| {
        let age = Clock::system().now()
            - chrono::DateTime::parse_from_rfc3339(&revision.last_update).unwrap().to_utc();
        age < TimeDelta::seconds(1_790)
    };
    let expected: Vec<_> = bench.simulator.tenant().current().into_iter().filter(within).collect();
    bench.until(|stats| stats.rows_ingested >= expected.len() as u64).await;
    assert_eq!(running.stop().await, Ended::Drained);
    assert!((9..=11).contains(&bench.rows().len()), "{} of 20 in the last half hour", bench.rows().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sink_gets_every_incident() {
    let columns = Dcr::defender_incidents().streams.into_values().next().unwrap();
    let streams = ["Custom-A_CL", "Custom-B_CL"].map(|name| (name.to_owned(), columns.clone()));
    let dcr = Dcr::new("dcr-00000000000000000000000000000002".to_owned(), streams.into()).unwrap();
    let mut config = SimulatorConfig { dcr, ..SimulatorConfig::default() };
    config.incidents.initial = 60;
    let bench = Bench::start(config).await;
    let mut pipeline = bench.pipeline();
    let mut second: Value = bench.sink();
    second["stream_name"] = "Custom-B_CL".into();
    pipeline["sinks"]["second"] = second;
    // One of the two is told to wait: the other must not get anything twice for it.
    let wait = Fault::Status { code: 503, retry_after: Some("0.2".to_owned()), body: None };
    bench
        .simulator
        .faults()
        .script(Service::LogsIngestion, vec![wait.clone(), Fault::Pass, Fault::Reset, wait]);
    let running = bench.run(&pipeline);
    bench.until(|stats| stats.rows_ingested >= 120).await;
    assert_eq!(running.stop().await, Ended::Drained);
    let by_stream = bench.simulator.stats().rows_by_stream;
    assert_eq!(by_stream.values().copied().collect::<Vec<_>>(), [60, 60], "{by_stream:?}");
}
