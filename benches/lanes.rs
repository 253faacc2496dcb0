//! What destinations that take nothing cost the others: `cargo bench --bench lanes [-- SECONDS]`.
//!
//! Eight pushes at a time of 250 rows each, at 10,000 rows a second, into one sink with its default options. Most rows are for a
//! stream that is well. In the second run one rule answers 403, one rule answers nothing within the 60 seconds that a request may
//! take, and one event in 500 is for a stream that does not exist. A push is measured from when it is offered to when it is
//! acknowledged. At the end everything is mended, and every row has to arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use microsoft::connection::Connector;
use microsoft::http::ProxyConfig;
use model::event::{Batch, Event};
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::files::DataDir;
use serde_json::json;
use simulator::{ColumnType, Columns, Dcr, Fault, Simulator, SimulatorConfig};
use tokio::sync::mpsc;
use vector_sentinel::component::{Registered, Validation};
use vector_sentinel::sinks::sentinel_logs::{LogSink, RuleRegistry, SentinelLogs};

const GOOD: &str = "dcr-0000000000000000000000000000000a";
const FORBIDDEN: &str = "dcr-0000000000000000000000000000000b";
const SILENT: &str = "dcr-0000000000000000000000000000000c";
const ROWS_A_SECOND: u64 = 10_000;
const ROWS_A_PUSH: u64 = 250;
const PUSHES_AT_A_TIME: usize = 8;
/// How long the service takes for an answer.
const ANSWER: Duration = Duration::from_millis(50);

/// What pushes took, in milliseconds.
struct Latencies(Vec<f64>);

// === impl Latencies ===

impl Latencies {
    /// What `percent` of them took at most.
    fn at(&self, percent: usize) -> f64 {
        let index = self.0.len().saturating_sub(1) * percent / 100;
        self.0.get(index).copied().unwrap_or_default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("| {seconds} s each | pushes | p50 ms | p99 ms | longest ms | mended after |");
        println!("|---|---|---|---|---|---|");
        let well = measure("all are well", seconds, false).await?;
        let bad = measure("403, no answer, and 404 in 1 of 500", seconds, true).await?;
        println!("\np99 with bad destinations is {:.2} times that without.", bad.at(99) / well.at(99));
        Ok(())
    })
}

async fn measure(name: &str, seconds: u64, is_bad: bool) -> Result<Latencies, Box<dyn Error>> {
    let clock = Clock::system();
    let columns: Columns = [("TimeGenerated", ColumnType::DateTime), ("n", ColumnType::Long)]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into();
    let streams: BTreeMap<_, _> =
        ["Custom-Logs_CL", "Custom-Ghost_CL"].map(|name| (name.to_owned(), columns.clone())).into();
    let rule = |id: &str| Dcr::new(id.to_owned(), streams.clone());
    let config = SimulatorConfig {
        dcr: rule(GOOD)?,
        more_dcrs: vec![rule(FORBIDDEN)?, rule(SILENT)?],
        ..SimulatorConfig::default()
    };
    let simulator = Simulator::start(config.clone(), clock.clone()).await?;
    simulator.faults().at_path("dcr-", Fault::Delay(ANSWER));
    if is_bad {
        let answers = |code| Fault::Status { code, retry_after: None, body: None };
        // The first that fits counts, in the order of the alphabet.
        simulator.faults().at_path("/dataCollectionRules/dcr-0000000000000000000000000000000b", answers(403));
        let hours = Fault::Delay(Duration::from_hours(1));
        simulator.faults().at_path("/dataCollectionRules/dcr-0000000000000000000000000000000c", hours);
        simulator.faults().at_path(
            "/dataCollectionRules/dcr-0000000000000000000000000000000a/streams/Custom-Ghost",
            answers(404),
        );
    }
    let dir = tempfile::tempdir()?;
    let sink = sink(&simulator, &config, dir.path(), &clock)?;
    let latencies = push(&sink, seconds, &clock).await?;
    let began = clock.monotonic();
    simulator.faults().clear();
    let total = seconds * ROWS_A_SECOND;
    simulator.wait_until(|stats| stats.rows_ingested >= total).await;
    let mended = (clock.monotonic() - began).as_secs_f64();
    sink.stop().await;
    let there: BTreeSet<u64> =
        simulator.rows().iter().filter_map(|row| row.columns.get("n")?.as_u64()).collect();
    if there.len() as u64 != total {
        return Err(format!("{} of {total} rows have arrived", there.len()).into());
    }
    println!(
        "| {name} | {} | {:.1} | {:.1} | {:.1} | {mended:.1} s |",
        latencies.0.len(),
        latencies.at(50),
        latencies.at(99),
        latencies.at(100)
    );
    Ok(latencies)
}

fn sink(
    simulator: &Simulator,
    config: &SimulatorConfig,
    dir: &Path,
    clock: &Clock,
) -> Result<Arc<LogSink>, Box<dyn Error>> {
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, simulator.ca_pem())?;
    let endpoints: BTreeMap<_, _> = [GOOD, FORBIDDEN, SILENT].map(|rule| (rule, simulator.url())).into();
    let options = json!({
        "auth": {
            "azure_credential_kind": "client_secret_credential", "azure_tenant_id": config.tenant_id,
            "azure_client_id": config.client_id, "azure_client_secret": config.client_secret,
            "authority_host": simulator.url(),
        },
        "endpoint": simulator.url(), "endpoints": endpoints, "management_endpoint": simulator.url(),
        "dcr_immutable_id": "{{ rule }}", "stream_name": "Custom-{{ to }}_CL",
        "tls": {"ca_file": ca_file}, "proxy": {"enabled": false}, "spool": {"enabled": true},
    });
    let (options, proxy) = (serde_json::from_value(options)?, ProxyConfig::default());
    let validation = Validation { path: "sinks.bench".to_owned(), proxy: &proxy, peers: &[] };
    let ready = SentinelLogs::validate(options, &validation).map_err(|problems| format!("{problems:?}"))?;
    let (rules, connector) = (RuleRegistry::default(), Connector::new(clock.clone()));
    let data_dir = DataDir::from(dir.join("data"));
    Ok(Arc::new(ready.sink("bench", &data_dir, &rules, &connector, fastrand::Rng::with_seed(1))?))
}

/// Offers rows at a steady rate, and answers what each push took.
async fn push(sink: &Arc<LogSink>, seconds: u64, clock: &Clock) -> Result<Latencies, Box<dyn Error>> {
    let (offer, offered) = mpsc::unbounded_channel::<u64>();
    let offered = Arc::new(tokio::sync::Mutex::new(offered));
    let workers = (0..PUSHES_AT_A_TIME).map(|_| {
        let (sink, offered, clock) = (Arc::clone(sink), Arc::clone(&offered), clock.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            loop {
                let Some(push) = offered.lock().await.recv().await else { return Ok(took) };
                let began = clock.monotonic();
                match sink.deliver(batch(push)).await {
                    BatchStatus::Delivered => took.push((clock.monotonic() - began).as_secs_f64() * 1_000.0),
                    other => return Err(format!("push {push}: {other:?}")),
                }
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let began = clock.monotonic();
    for push in 0..seconds * ROWS_A_SECOND / ROWS_A_PUSH {
        let due = began + Duration::from_micros(push * ROWS_A_PUSH * 1_000_000 / ROWS_A_SECOND);
        clock.sleep(due.saturating_duration_since(clock.monotonic())).await;
        offer.send(push)?;
    }
    drop(offer);
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await??);
    }
    took.sort_by(f64::total_cmp);
    Ok(Latencies(took))
}

/// Of ten rows one is for each of the other rules, and of five hundred one for the stream that may not exist.
fn batch(push: u64) -> Batch {
    let row = |n: u64| {
        let (rule, to) = match n % 500 {
            499 => (GOOD, "Ghost"),
            n if n % 10 == 3 => (FORBIDDEN, "Logs"),
            n if n % 10 == 7 => (SILENT, "Logs"),
            _ => (GOOD, "Logs"),
        };
        let text = format!(r#"{{"n":{n},"rule":"{rule}","to":"{to}"}}"#);
        Event::new(Bytes::from(text), None)
    };
    (push * ROWS_A_PUSH..(push + 1) * ROWS_A_PUSH).map(row).collect()
}
