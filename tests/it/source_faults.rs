//! `defender_incidents` while things fail: nothing is lost, and nothing comes twice.

use simulator::{Fault, Service, SimulatorConfig};
use vector_sentinel::topology::Ended;

use crate::harness::{Bench, every_fault};

/// Every way in which one request can go wrong, at every request of a first run of three pages.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_whichever_request_every_incident_arrives_exactly_once() {
    let mut runs = tokio::task::JoinSet::new();
    for fault in every_fault() {
        for at in 0..4 {
            let fault = fault.clone();
            runs.spawn(async move {
                let bench = Bench::with_incidents(130).await;
                let mut script = vec![Fault::Pass; at];
                script.push(fault);
                bench.simulator.faults().script(Service::Graph, script);
                bench.runs_through(&bench.pipeline()).await;
                assert_eq!(bench.simulator.stats().faults_fired, 1);
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_asked_for_again_until_it_is_given() {
    let bench = Bench::with_incidents(10).await;
    let refuse = Fault::RefuseToken { code: "AADSTS7000222".to_owned(), description: None };
    bench.simulator.faults().script(Service::Entra, vec![refuse.clone(), Fault::Reset, refuse]);
    bench.runs_through(&bench.pipeline()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_kept_without_being_told() {
    let mut config = SimulatorConfig { graph_requests_per_minute: 20, ..SimulatorConfig::default() };
    config.incidents.initial = 400;
    let bench = Bench::with_quota(config).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["request"]["rate_limit_num"] = 20.into();
    let running = bench.run(&pipeline);
    bench.caught_up().await;
    bench.until(|stats| stats.graph_requests >= 20).await;
    // There would be a look every second.
    runtime::clock::Clock::system().sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(running.stop().await, Ended::Drained);
    let stats = bench.simulator.stats();
    assert_eq!((stats.graph_throttled, stats.graph_requests), (0, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_holds_the_source_back_and_then_gets_everything() {
    let bench = Bench::with_incidents(130).await;
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, Fault::Reset)]);
    let running = bench.run(&bench.pipeline());
    bench.until(|stats| stats.faults_fired >= 3).await;
    // One page is on its way; nobody asks for the next.
    assert_eq!(bench.simulator.served().len(), 50);
    bench.simulator.faults().clear();
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    bench.assert_exactly_once();
}
