use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;

use crate::binary::Binary;

/// How Vector is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary of Vector.
    pub binary: Binary,
    /// Its configuration, YAML. The file `vector.pid` beside it is ours.
    pub config: PathBuf,
    /// Whether Vector puts environment variables into its configuration.
    pub allow_env: bool,
    /// Whether its log lines are JSON, as ours are.
    pub json_logs: bool,
    /// Its log level, if it is not to be its own choice.
    pub log: Option<String>,
    /// How long it may take to deliver what it holds when it stops; whole seconds, and at least one.
    pub shutdown_limit: Duration,
}

// === impl Launch ===

impl Launch {
    /// Starts it.
    ///
    /// Its output is ours, so its log lines and its `console` sinks pass through, and no pipe of ours can fill up and
    /// stop it. It is in a process group of its own, so Ctrl-C in a terminal reaches only us, who stop it in order.
    pub(super) fn spawn(&self) -> std::io::Result<Child> {
        let mut command = self.binary.command();
        command.arg("--config-yaml").arg(&self.config).args(self.binary.interpolation(self.allow_env));
        if self.json_logs {
            command.args(["--log-format", "json"]);
        }
        if let Some(level) = &self.log {
            command.env("VECTOR_LOG", level);
        }
        // It takes whole seconds, and no zero.
        let limit = self.shutdown_limit.as_secs().max(1).to_string();
        command.args(["--graceful-shutdown-limit-secs", &limit]);
        command.stdin(stdin()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        command.process_group(0).kill_on_drop(true).spawn()
    }
}

/// A `stdin` source reads what is piped into us. A terminal is not passed on: it would stop a process that reads from
/// it and is not in its foreground, and a stopped process cannot be told anything.
fn stdin() -> Stdio {
    if std::io::stdin().is_terminal() { Stdio::null() } else { Stdio::inherit() }
}

/// Signals one process. It may have ended by itself by now; whoever waits for its end learns that.
pub(super) fn signal(pid: Pid, signal: Signal) {
    rustix::process::kill_process(pid, signal).ok();
}

/// Ends a process that we started at once, with the processes that it started itself.
pub(super) fn kill(pid: Pid) {
    rustix::process::kill_process_group(pid, Signal::KILL).ok();
    signal(pid, Signal::KILL);
}
