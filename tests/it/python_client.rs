//! Microsoft's own client speaks to the simulator, so that the simulator does not merely agree with ours.

use std::collections::BTreeSet;

use simulator::{ColumnType, Dcr, Fault, Operation, Service, SimulatorConfig};
use tokio::process::Command;

use crate::harness::{Bench, skipped};

const ROWS: usize = 10_000;
/// More than two pages.
const INCIDENTS: usize = 120;
/// What the scripts import.
const IMPORTS: &str = "import azure.identity, azure.monitor.ingestion, azure.mgmt.securityinsight";

/// A Python that has Microsoft's client, if there is one: `PYTHON` in the environment, or `python3`.
async fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_client = Command::new(&python).args(["-c", IMPORTS]).output().await;
    if has_client.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skipped("there is no Python with what tests/python/requirements.txt names: install it and set PYTHON");
    None
}

/// Runs a script that must succeed.
async fn run(python: &str, script: &str, bench: &Bench, environment: &[(&str, &str)]) {
    let output = Command::new(python)
        .arg(format!("{}/tests/python/{script}", env!("CARGO_MANIFEST_DIR")))
        .env("ENDPOINT", bench.simulator.url())
        .env("TENANT_ID", &bench.config.tenant_id)
        .env("CLIENT_ID", &bench.config.client_id)
        .env("CLIENT_SECRET", &bench.config.client_secret)
        .env("REQUESTS_CA_BUNDLE", bench.path("ca.pem"))
        .envs(environment.iter().copied())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_microsofts_own_client_arrive() {
    let Some(python) = python().await else { return };
    let columns =
        [("TimeGenerated", ColumnType::DateTime), ("n", ColumnType::Long), ("text", ColumnType::String)];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind)).into();
    let streams = [("Custom-Rows_CL".to_owned(), columns)].into();
    let dcr = Dcr::new("dcr-00000000000000000000000000000003".to_owned(), streams).unwrap();
    // It cuts at a mebibyte before compression, which the documented limit may or may not allow.
    let config = SimulatorConfig { dcr, wire_size_only: true, ..SimulatorConfig::default() };
    let bench = Bench::start(config).await;
    bench.simulator.faults().script(
        Service::LogsIngestion,
        vec![Fault::Pass, Fault::Status { code: 429, retry_after: Some("1".to_owned()), body: None }],
    );
    let rows = ROWS.to_string();
    let rule_id = bench.config.dcr.immutable_id.as_str();
    run(&python, "upload.py", &bench, &[("RULE_ID", rule_id), ("STREAM", "Custom-Rows_CL"), ("ROWS", &rows)])
        .await;
    let mut numbers: Vec<_> =
        bench.simulator.rows().iter().map(|row| row.columns["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..ROWS as u64).collect::<Vec<_>>());
    let stats = bench.simulator.stats();
    assert!(stats.ingestion_requests > 4, "it cuts its rows into calls: {stats:?}");
    assert_eq!((stats.columns_vanished.len(), stats.faults_fired), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_own_client_reads_and_writes_sentinel_incidents() {
    let Some(python) = python().await else { return };
    let mut config = SimulatorConfig::default();
    config.workspace.initial = INCIDENTS;
    let bench = Bench::start(config).await;
    // It tries again by itself what was throttled.
    let throttled = Fault::Status { code: 429, retry_after: Some("1".to_owned()), body: None };
    bench.simulator.faults().script_operation(Operation::SentinelPut, vec![Fault::Pass, throttled]);
    let workspace = &bench.config.workspace;
    let environment = [
        ("SUBSCRIPTION", workspace.subscription_id.as_str()),
        ("RESOURCE_GROUP", &workspace.resource_group),
        ("WORKSPACE", &workspace.name),
        ("OWNER", &workspace.users[0].user_principal_name),
        ("CLIENT_NAME", &bench.config.client_name),
        ("INCIDENTS", &INCIDENTS.to_string()),
    ];
    run(&python, "incidents.py", &bench, &environment).await;
    assert_eq!(bench.simulator.workspace().state().len(), INCIDENTS);
    let kinds: BTreeSet<_> = bench.simulator.writes().into_iter().map(|write| write.kind).collect();
    assert_eq!(kinds.len(), 6, "it created, updated and deleted incidents and comments: {kinds:?}");
    assert_eq!(bench.simulator.stats().faults_fired, 1);
}
