//! The pipelines that are compared: a `file` source, a small `remap`, and one sink or the other, against the simulator.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, Simulator, SimulatorConfig};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::Failure;

const RULE: &str = "dcr-00000000000000000000000000000011";
const STREAM: &str = "Custom-WebAccess_CL";
/// Everything that `file` and `remap` put into an event, and what the sinks make of it.
const COLUMNS: [(&str, ColumnType); 8] = [
    ("TimeGenerated", ColumnType::DateTime),
    ("environment", ColumnType::String),
    ("file", ColumnType::String),
    ("host", ColumnType::String),
    ("message", ColumnType::String),
    ("source_type", ColumnType::String),
    ("ExtraColumns", ColumnType::Dynamic),
    ("TruncatedColumns", ColumnType::Dynamic),
];
/// How long a pipeline may take to stop.
const STOP_LIMIT: Duration = Duration::from_mins(2);

/// Which sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    /// Stock Vector alone, with its own `azure_logs_ingestion`, which cannot compress.
    Stock,
    /// Stock Vector with `sentinel_logs` beside it, as it is by default.
    Gzip,
    /// The same with `compression: none`.
    Plain,
}

/// The programs to measure.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) vector: PathBuf,
    pub(crate) plugin: PathBuf,
}

/// A simulator and a pipeline that runs against it.
pub(crate) struct Running {
    pub(crate) simulator: Simulator,
    dir: TempDir,
    child: Child,
}

// === impl Contender ===

impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Stock, Self::Gzip, Self::Plain];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Stock => "Vector, `azure_logs_ingestion`",
            Self::Gzip => "Vector and `sentinel_logs`, gzip",
            Self::Plain => "Vector and `sentinel_logs`, `compression: none`",
        }
    }

    fn sink(self, config: &SimulatorConfig, url: &str, ca: &Path) -> Value {
        let mut sink = json!({
            "type": "sentinel_logs",
            "inputs": ["add"],
            "endpoint": url,
            "dcr_immutable_id": RULE,
            "stream_name": STREAM,
            "auth": {
                "azure_credential_kind": "client_secret_credential",
                "azure_tenant_id": config.tenant_id,
                "azure_client_id": config.client_id,
                "azure_client_secret": config.client_secret,
            },
            "batch": {"max_bytes": 1_000_000},
            "acknowledgements": {"enabled": true},
            "tls": {"ca_file": ca},
        });
        match self {
            Self::Stock => sink["type"] = json!("azure_logs_ingestion"),
            Self::Gzip | Self::Plain => {
                sink["auth"]["authority_host"] = json!(url);
                sink["management_endpoint"] = json!(url);
                sink["proxy"] = json!({"enabled": false});
            }
        }
        if self == Self::Plain {
            sink["compression"] = json!("none");
        }
        sink
    }
}

// === impl Running ===

impl Running {
    /// Starts it: it reads what stands in files `*.log` of its directory.
    pub(crate) async fn start(
        contender: Contender,
        programs: &Programs,
        scratch: &Path,
    ) -> Result<Self, Failure> {
        let columns = COLUMNS.map(|(name, kind)| (name.to_owned(), kind));
        let dcr = Dcr::new(RULE.to_owned(), [(STREAM.to_owned(), columns.into())].into())?;
        let config = SimulatorConfig { dcr, ..SimulatorConfig::default() };
        let simulator = Simulator::start(config.clone(), Clock::system()).await?;
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(scratch)?;
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("data"))?;
        std::fs::write(at("ca.pem"), simulator.ca_pem())?;
        let pipeline = json!({
            "data_dir": at("data"),
            "sources": {"lines": {"type": "file", "include": [at("*.log")]}},
            "transforms": {"add": {"type": "remap", "inputs": ["lines"], "source": ".environment = \"production\""}},
            "sinks": {"sentinel": contender.sink(&config, &simulator.url(), &at("ca.pem"))},
        });
        std::fs::write(at("pipeline.json"), pipeline.to_string())?;
        let mut command = if contender == Contender::Stock {
            Command::new(&programs.vector)
        } else {
            let mut command = Command::new(&programs.plugin);
            command.arg("run").arg("--vector-bin").arg(&programs.vector);
            command
        };
        let output = File::create(at("output.txt"))?;
        command.arg("-c").arg(at("pipeline.json"));
        // Vector's own sink has no option for where tokens come from, but its Azure library has variables.
        command.env_clear().env("AZURE_AUTHORITY_HOST", simulator.url()).env("SSL_CERT_FILE", at("ca.pem"));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        let child = command.spawn()?;
        Ok(Self { simulator, dir, child })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn pid(&self) -> Result<u32, Failure> {
        self.child.id().ok_or_else(|| format!("the pipeline has ended\n{}", self.last_words()).into())
    }

    /// The end of what the pipeline has said.
    pub(crate) fn last_words(&self) -> String {
        let output = std::fs::read_to_string(self.path("output.txt")).unwrap_or_default();
        let lines: Vec<&str> = output.lines().collect();
        lines.split_at(lines.len().saturating_sub(20)).1.join("\n")
    }

    /// Stops it as a service manager would.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus, Failure> {
        if let Some(pid) =
            self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.try_into().ok()?))
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        match tokio::time::timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(format!("the pipeline does not stop\n{}", self.last_words()).into()),
        }
    }
}
