use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::SimulatorError;

#[tokio::test]
async fn only_a_client_that_trusts_the_authority_gets_in() {
    let bench = Bench::with_incidents(1).await;
    let other = Bench::with_incidents(1).await;
    let stranger = client_trusting(other.simulator.ca_pem());
    let error = stranger.get(bench.url(INCIDENTS)).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    let by_name = bench.url(INCIDENTS).replace("127.0.0.1", "localhost");
    assert_eq!(bench.client.get(by_name).send().await.unwrap().status(), 401);
    bench.simulator.shutdown().await;
}

#[tokio::test]
async fn the_simulator_is_for_this_machine_only() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let config = SimulatorConfig { listen: everywhere, ..SimulatorConfig::default() };
    let error = Simulator::start(config, Clock::system()).await.unwrap_err();
    assert!(matches!(error, SimulatorError::NotLoopback(address) if address == everywhere));
}

#[tokio::test]
async fn after_shutdown_nobody_answers() {
    let bench = Bench::with_incidents(1).await;
    let url = bench.url(INCIDENTS);
    bench.simulator.shutdown().await;
    assert!(bench.client.get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_caller_waits_for_what_it_wants_to_see() {
    let bench = Bench::with_incidents(1).await;
    let reader = async {
        bench.incidents("").await;
        bench.incidents("").await;
    };
    let ((), ()) =
        tokio::join!(bench.simulator.wait_until(|stats| stats.graph_incidents_served == 2), reader);
    let ((), _) = tokio::join!(bench.simulator.changed(), bench.incidents(""));
    assert_eq!(bench.simulator.served().len(), 1);
    assert_eq!(bench.simulator.missing(), bench.simulator.served());
}

#[tokio::test(start_paused = true)]
async fn a_living_tenant_changes_by_itself() {
    let incidents = IncidentsConfig { changes_per_minute: 600.0, ..IncidentsConfig::default() };
    let config = SimulatorConfig { incidents, ..SimulatorConfig::default() };
    let clock = Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let simulator = Simulator::start(config, clock.clone()).await.unwrap();
    assert!(simulator.tenant().is_empty());
    clock.sleep(Duration::from_mins(1)).await;
    let opened = simulator.tenant().len();
    assert!((100..500).contains(&opened), "{opened}");
    simulator.shutdown().await;
}
