//! `defender_incidents` where Graph's documentation leaves open what happens, and where things go wrong for longer.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use model::event::{Batch, Event};
use model::watermark::Slice;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::store::Store;
use serde_json::json;
use simulator::{Fault, Oddities, Service, Simulator, SimulatorConfig};
use tokio_util::sync::CancellationToken;
use vector_sentinel::sources::defender_incidents::DefenderIncidents;
use vector_sentinel::sources::incidents::State;
use vector_sentinel::topology::Ended;

use crate::harness::{Bench, PATIENCE, checked, spawn};

async fn bench(incidents: usize, oddities: Oddities) -> Bench {
    let mut config = SimulatorConfig { oddities, ..SimulatorConfig::default() };
    config.incidents.initial = incidents;
    Bench::start(config).await
}

/// Runs until all has arrived, and answers how many requests that took.
async fn runs_through(bench: &Bench) -> u64 {
    bench.runs_through(&bench.pipeline()).await;
    bench.simulator.stats().graph_requests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_page_without_a_link_to_the_next_is_not_taken_for_all() {
    let requests =
        runs_through(&bench(120, Oddities { no_next_link: true, ..Oddities::default() }).await).await;
    assert!(requests < 30, "{requests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_something_else_does_not_stop_the_reading() {
    for count in [0, 1, 50, 5_000] {
        let oddities = Oddities { count: Some(count), ..Oddities::default() };
        let requests = runs_through(&bench(220, oddities).await).await;
        assert!(requests < 60, "{requests} with count {count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_always_too_high_does_not_stop_the_reading_of_ties() {
    for page_size in [50, 1] {
        let bench = bench(61, Oddities { count: Some(5_000), ..Oddities::default() }).await;
        let ids: Vec<_> =
            bench.simulator.tenant().current().into_iter().map(|revision| revision.id).collect();
        assert!(bench.simulator.tenant().touch_all_at(&ids, Clock::system().now() - TimeDelta::minutes(5)));
        assert!(bench.simulator.tenant().touch(&ids[0]));
        let mut pipeline = bench.pipeline();
        pipeline["sources"]["defender"]["page_size"] = page_size.into();
        bench.runs_through(&pipeline).await;
        assert_eq!(bench.rows().len(), 61);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_takes_no_alerts_away() {
    let bench = Bench::with_incidents(1).await;
    // Long enough for the source to give up on the page, and to look for the incident that is to blame.
    let script = vec![Fault::Pass, Fault::Reset, Fault::Reset, Fault::Reset];
    bench.simulator.faults().script(Service::Graph, script);
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["page_size"] = 1.into();
    bench.runs_through(&pipeline).await;
    assert!(bench.simulator.rows()[0].columns["alerts"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_cannot_be_paged_is_read_in_shorter_times() {
    runs_through(&bench(90, Oddities { refuses_skip: true, ..Oddities::default() }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_graph_always_fails_on_is_delivered_without_its_alerts() {
    let probe = bench(8, Oddities::default()).await;
    let broken = probe.simulator.tenant().current()[3].id.clone();
    drop(probe);
    let bench = bench(8, Oddities { fails_on: Some(broken.clone()), ..Oddities::default() }).await;
    let mut pipeline = bench.pipeline();
    // Fewer sizes to try on the way down.
    pipeline["sources"]["defender"]["page_size"] = 2.into();
    bench.runs_through(&pipeline).await;
    for row in bench.simulator.rows() {
        assert_eq!(
            row.columns.contains_key("alerts"),
            row.columns["id_"] != broken.as_str(),
            "{:?}",
            row.columns["id_"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_another_host_gets_no_token() {
    let elsewhere = Simulator::start(SimulatorConfig::default(), Clock::system()).await.unwrap();
    let oddities = Oddities { links_lead_to: Some(elsewhere.url()), ..Oddities::default() };
    let bench = bench(60, oddities).await;
    std::fs::write(bench.path("ca.pem"), format!("{}{}", bench.simulator.ca_pem(), elsewhere.ca_pem()))
        .unwrap();
    let file = bench.file(&bench.pipeline());
    let child = spawn(&["run", "-c", file.to_str().unwrap()]);
    bench.until(|stats| stats.graph_requests >= 3).await;
    let mut child = child;
    child.start_kill().unwrap();
    let output = child.wait_with_output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("where our token may go"), "{log}");
    assert_eq!(elsewhere.stats().graph_requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_clock_is_a_day_ahead_misses_nothing() {
    let bench = Bench::with_incidents(5).await;
    let clock = Clock::starting_at(Clock::system().now() + TimeDelta::hours(25));
    let running = bench.run_at(&bench.pipeline(), clock);
    bench.caught_up().await;
    bench.simulator.tenant().create(5);
    bench.caught_up().await;
    assert_eq!(running.stop().await, Ended::Drained);
    bench.assert_exactly_once();
    assert_eq!(bench.rows().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_overlap_delivers_nothing_again() {
    let bench = Bench::with_incidents(60).await;
    let mut pipeline = bench.pipeline();
    for overlap in [900, 86_400, 0, 3_600] {
        pipeline["sources"]["defender"]["overlap_secs"] = overlap.into();
        let sweeps = bench.simulator.stats().graph_requests;
        let running = bench.run(&pipeline);
        bench.caught_up().await;
        bench.until(|stats| stats.graph_requests >= sweeps + 3).await;
        assert_eq!(running.stop().await, Ended::Drained);
        bench.assert_exactly_once();
    }
}

/// Notes the ids of what it is given.
#[derive(Default)]
struct Notes(Mutex<BTreeSet<String>>);

#[async_trait::async_trait]
impl Deliver for Notes {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        let id = |event: &Event| {
            serde_json::from_slice::<serde_json::Value>(&event.to_json()).unwrap()["id"].to_string()
        };
        self.0.lock().unwrap().extend(batch.iter().map(id));
        BatchStatus::Delivered
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_visible_while_a_long_sweep_is_under_way_is_not_missed() {
    let bench = Bench::with_incidents(0).await;
    let clock = Clock::system();
    let put = |id: &str, time: chrono::DateTime<chrono::Utc>| {
        bench.simulator.tenant().insert_raw(json!({"id": id, "lastUpdateDateTime": time.to_rfc3339()}))
    };
    for n in 0..12 {
        put(&n.to_string(), clock.now() - TimeDelta::milliseconds(3_000 - 200 * n));
    }
    // Small pages make many slices; the sweep will take longer than the overlap.
    let mut options = bench.source();
    options["page_size"] = 1.into();
    options["overlap_secs"] = 5.into();
    options["look_back_secs"] = 4.into();
    let source: DefenderIncidents = checked(options, &ProxyConfig::default());
    let store = Store::open(&bench.path("data")).unwrap();
    let poller = source.poller("defender", store, &Connector::new(clock.clone())).unwrap();
    let (notes, shutdown) = (Notes::default(), CancellationToken::new());
    let step = async |state: &State| poller.step(state, 1, &notes, &shutdown).await.unwrap();

    // All of the past is read, and now the present would be.
    let mut state = step(&State::Sweep).await;
    let mut closed_slices = 0;
    let open = loop {
        state = step(&state).await;
        match &state {
            State::Slice { slice: Slice { to: None, from }, .. } if closed_slices > 0 => break *from,
            State::Slice { slice: Slice { to: Some(_), .. }, .. } => closed_slices += 1,
            _ => {}
        }
    };
    let late = open - TimeDelta::milliseconds(1);
    assert!(clock.now() - late < TimeDelta::seconds(5), "later than the overlap allows");
    put("late", late);
    // Graph, the quota or the sinks hold the sweep up.
    clock.sleep(Duration::from_secs(6)).await;
    put("after", clock.now());
    let mut sweeps = 0;
    while sweeps < 2 {
        state = step(&state).await;
        sweeps += usize::from(matches!(state, State::Sweep));
    }
    let arrived = notes.0.lock().unwrap();
    assert!(arrived.contains("\"after\"") && arrived.contains("\"late\""), "{arrived:?}");
}

/// The limit on file sizes stands for a full disk.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_doubles_nothing() {
    let bench = Bench::with_incidents(5).await;
    let file = bench.file(&bench.pipeline());
    let script =
        format!("trap '' XFSZ; exec {} run -c {}", env!("CARGO_BIN_EXE_vector-sentinel"), file.display());
    // The log goes to the same disk, and is longer than the limit already.
    let log = std::fs::File::create(bench.path("log")).unwrap();
    std::io::Write::write_all(&mut &log, &[b'\n'; 5_000]).unwrap();
    let mut command = tokio::process::Command::new("sh");
    let mut child = command.args(["-c", &script]).stderr(log).kill_on_drop(true).spawn().unwrap();
    bench.caught_up().await;
    let pid = child.id().unwrap().to_string();
    let limit = |bytes: &str| {
        let limit = format!("--fsize={bytes}:unlimited");
        assert!(
            std::process::Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success()
        );
    };
    limit("4096");
    bench.simulator.tenant().create(3);
    // Some of it may be delivered now, and none of that can be recorded.
    Clock::system().sleep(Duration::from_secs(4)).await;
    limit("unlimited");
    bench.simulator.tenant().create(3);
    tokio::time::timeout(PATIENCE, bench.caught_up()).await.unwrap();
    child.kill().await.unwrap();
    bench.assert_exactly_once();
}
