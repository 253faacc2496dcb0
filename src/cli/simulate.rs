//! `simulate`: runs the simulated Microsoft services until it is stopped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::signals::Signals;
use super::{exit, say};
use runtime::clock::Clock;
use simulator::{ConnectorConfig, FaultPlan, IncidentsConfig, Simulator, SimulatorConfig, WorkspaceConfig};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Loopback address to listen on; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    /// Directory for the certificate authority (`ca.pem`) and a pipeline file to begin with (`pipeline.yaml`).
    #[arg(long, default_value = "simulated")]
    out: PathBuf,
    /// The same seed makes the same incidents and changes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Incidents at the start.
    #[arg(long, default_value_t = 200)]
    incidents: usize,
    /// Alerts of each incident at the start.
    #[arg(long, default_value_t = 3)]
    alerts: usize,
    /// Pieces of evidence of each alert.
    #[arg(long, default_value_t = 5)]
    evidence: usize,
    /// Changes a minute.
    #[arg(long, default_value_t = 30.0)]
    changes_per_minute: f64,
    /// Requests a minute that the simulated Graph allows.
    #[arg(long, default_value_t = 150)]
    graph_requests_per_minute: u32,
    /// Sentinel incidents at the start, as analytics rules raise them.
    #[arg(long, default_value_t = 0)]
    sentinel_incidents: usize,
    /// Have Microsoft's own connector bring so many of a hundred Defender incidents into Sentinel.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    connector: Option<u8>,
    /// A JSON file of faults: see docs/simulator.md.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Enforce 1 MB for what is on the wire only, not for what it decompresses to.
    #[arg(long)]
    wire_size_only: bool,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    match serve(arguments, clock).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => exit::failed(&message),
    }
}

async fn serve(arguments: Arguments, clock: Clock) -> Result<(), String> {
    let signals = Signals::count().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let faults = arguments.faults.as_deref().map(read_faults).transpose()?;
    let config = SimulatorConfig {
        listen: arguments.listen,
        seed: arguments.seed,
        keep_rows: false,
        wire_size_only: arguments.wire_size_only,
        graph_requests_per_minute: arguments.graph_requests_per_minute,
        incidents: IncidentsConfig {
            initial: arguments.incidents,
            changes_per_minute: arguments.changes_per_minute,
            alerts_per_incident: arguments.alerts,
            evidence_per_alert: arguments.evidence,
            ..IncidentsConfig::default()
        },
        workspace: WorkspaceConfig {
            initial: arguments.sentinel_incidents,
            connector: arguments
                .connector
                .map(|percent| ConnectorConfig { percent, ..ConnectorConfig::everything() }),
            ..WorkspaceConfig::default()
        },
        ..SimulatorConfig::default()
    };
    let simulator = Simulator::start(config.clone(), clock).await.map_err(|error| with_cause(&error))?;
    simulator.faults().apply(faults.unwrap_or_default());
    let pipeline = write_files(&arguments.out, &simulator, &config, "data", 10)?;
    say(format!(
        "Simulated Entra ID, Microsoft Graph, Logs Ingestion and Sentinel incidents: {}",
        simulator.url()
    ));
    let WorkspaceConfig { subscription_id, resource_group, name, .. } = &config.workspace;
    say(format!(
        "Its Sentinel workspace, with auth, endpoint, tls and proxy as in the file below:\n  \
        subscription_id: {subscription_id}\n  resource_group: {resource_group}\n  workspace_name: {name}"
    ));
    say(format!("Try: vector-sentinel run -c {}", pipeline.display()));
    signals.stopped(1).await;
    let stats = simulator.stats();
    say(format!(
        "{} requests for incidents, {} writes to incidents, {} rows ingested ({} of them twice), \
        columns that vanished: {:?}",
        stats.graph_requests + stats.security_insights_requests,
        stats.incident_writes,
        stats.rows_ingested,
        stats.duplicate_rows,
        stats.columns_vanished
    ));
    simulator.shutdown().await;
    Ok(())
}

/// An error and what caused it.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn read_faults(path: &Path) -> Result<FaultPlan, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("cannot use {}: {error}", path.display()))
}

/// Writes the certificate authority and a pipeline file into `dir`, and answers the pipeline file's path. `data_dir` is
/// a name in `dir`.
pub(super) fn write_files(
    dir: &Path,
    simulator: &Simulator,
    config: &SimulatorConfig,
    data_dir: &str,
    poll_interval_secs: u64,
) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("cannot write to {}: {error}", dir.display());
    std::fs::create_dir_all(dir).map_err(failed)?;
    let dir = dir.canonicalize().map_err(failed)?;
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, simulator.ca_pem()).map_err(failed)?;
    let (stream, columns) = config.dcr.streams.iter().next().map_or(("", Vec::new()), |(stream, columns)| {
        (stream.as_str(), columns.keys().map(String::as_str).collect())
    });
    let url = simulator.url();
    // JSON strings are YAML strings: whatever is in a path, the file stays well formed.
    let rate_limit_num = config.graph_requests_per_minute;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let auth = format!(
        "    auth:
      azure_credential_kind: client_secret_credential
      azure_tenant_id: {}
      azure_client_id: {}
      azure_client_secret: {}
      authority_host: {url}
    endpoint: {url}
    tls:
      ca_file: {}
    # The simulator is on this machine: never through a proxy.
    proxy:
      enabled: false
",
        quoted(&config.tenant_id),
        quoted(&config.client_id),
        quoted(&config.client_secret),
        quoted(&ca_file.to_string_lossy()),
    );
    let pipeline = format!(
        "\
# Defender XDR incidents into a Log Analytics table, against the simulator.
data_dir: {}
sources:
  defender:
    type: defender_incidents
    poll_interval_secs: {poll_interval_secs}
    request:
      # As the simulator allows; against Microsoft, stay with the default.
      rate_limit_num: {rate_limit_num}
{auth}sinks:
  sentinel:
    type: sentinel_logs
    inputs: [defender]
    management_endpoint: {url}
    dcr_immutable_id: {}
    stream_name: {}
    columns: [{}]
{auth}",
        quoted(&dir.join(data_dir).to_string_lossy()),
        quoted(&config.dcr.immutable_id),
        quoted(stream),
        columns.join(", "),
    );
    let path = dir.join("pipeline.yaml");
    std::fs::write(&path, pipeline).map_err(failed)?;
    Ok(path)
}
