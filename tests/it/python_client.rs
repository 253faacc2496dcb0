//! Microsoft's own client speaks to the simulator, so that the simulator does not merely agree with ours.

use tokio::process::Command;
use vector_sentinel::simulator::{ColumnType, Dcr, Fault, Service, SimulatorConfig};

use crate::harness::{Bench, skipped};

const ROWS: usize = 10_000;

/// A Python that has Microsoft's client, if there is one: `PYTHON` in the environment, or `python3`.
async fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_client =
        Command::new(&python).args(["-c", "import azure.identity, azure.monitor.ingestion"]).output().await;
    if has_client.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skipped("there is no Python with what tests/python/requirements.txt names: install it and set PYTHON");
    None
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
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/upload.py"))
        .env("ENDPOINT", bench.simulator.url())
        .env("TENANT_ID", &bench.config.tenant_id)
        .env("CLIENT_ID", &bench.config.client_id)
        .env("CLIENT_SECRET", &bench.config.client_secret)
        .env("RULE_ID", &bench.config.dcr.immutable_id)
        .env("STREAM", "Custom-Rows_CL")
        .env("ROWS", ROWS.to_string())
        .env("REQUESTS_CA_BUNDLE", bench.path("ca.pem"))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut numbers: Vec<_> =
        bench.simulator.rows().iter().map(|row| row.columns["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..ROWS as u64).collect::<Vec<_>>());
    let stats = bench.simulator.stats();
    assert!(stats.ingestion_requests > 4, "it cuts its rows into calls: {stats:?}");
    assert_eq!((stats.columns_vanished.len(), stats.faults_fired), (0, 1));
}
