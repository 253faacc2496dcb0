use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::launch::{Launch, kill, signal};
use super::leftover::PidFile;
use runtime::clock::Clock;
use runtime::retry::backoff::Backoff;

/// After so long a life the next death is a new mishap, not the same one again.
pub(super) const STEADY: Duration = Duration::from_mins(1);
/// How much longer than its own limit Vector may take to stop, before it is killed.
const MARGIN: Duration = Duration::from_secs(5);
/// `EX_USAGE` and `EX_CONFIG` of `sysexits.h`: Vector does not know an argument, or refuses its configuration.
pub(super) const REFUSALS: [i32; 2] = [64, 78];

/// Writes Vector's configuration before each start of it, and may change it, such as the ports.
#[async_trait]
pub trait Prepare: Send + Sync {
    /// Writes it. On an error Vector isn't started: that ends the run if it was the first start, else it is tried again.
    async fn prepare(&mut self) -> Result<(), String>;
}

/// Keeps one Vector running.
pub struct Supervisor {
    launch: Launch,
    prepare: Box<dyn Prepare>,
    state: watch::Sender<SupervisorState>,
    backoff: Backoff,
    clock: Clock,
}

/// What a running supervisor can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorCommand {
    /// The configuration has changed: Vector reads it again. Whoever says so has written it.
    Reload,
    /// Vector delivers what it holds and ends. Said a second time, it ends at once.
    Stop,
}

/// How Vector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorState {
    /// Its configuration is being written.
    Starting,
    /// It runs; whether it already listens is not known here.
    Running {
        /// The id of its process.
        pid: i32,
    },
    /// It has died and is started again after a while.
    Waiting,
    /// It has ended and is not started again.
    Stopped,
}

/// How a run ended that somebody stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorEnded {
    /// Vector ended by itself after it was asked to. What it could not deliver within its own limit it has logged.
    Drained,
    /// Vector was killed, or broke while it stopped: what it held in memory is gone.
    GaveUp,
}

/// Why one life of Vector ended.
enum Death {
    NotStarted(String),
    Died(ExitStatus),
    Stopped(SupervisorEnded),
}

// === impl Supervisor ===

impl Supervisor {
    /// A supervisor that has not started anything yet.
    #[must_use]
    pub fn new(mut launch: Launch, prepare: Box<dyn Prepare>, clock: Clock, rng: fastrand::Rng) -> Self {
        // A leftover is known by this path, from whatever directory it was started.
        launch.config = std::path::absolute(&launch.config).unwrap_or(launch.config);
        let state = watch::Sender::new(SupervisorState::Starting);
        Self { launch, prepare, state, backoff: Backoff::new(rng), clock }
    }

    /// How Vector is, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SupervisorState> {
        self.state.subscribe()
    }

    /// Runs Vector until told to stop, or until nobody is there any more who could. Whenever it dies it is started again,
    /// with growing waits. The error is why it could not be started the first time: nobody has seen it work yet, so
    /// that is a mistake to be told and not a mishap to be waited out.
    pub async fn run(
        mut self,
        mut commands: mpsc::Receiver<SupervisorCommand>,
    ) -> Result<SupervisorEnded, String> {
        let ended = self.supervise(&mut commands).await;
        self.state.send_replace(SupervisorState::Stopped);
        ended
    }

    async fn supervise(
        &mut self,
        commands: &mut mpsc::Receiver<SupervisorCommand>,
    ) -> Result<SupervisorEnded, String> {
        let mut pid_file = PidFile::lock(&self.launch.config)?;
        tokio::select! {
            ended = pid_file.end_leftover(&self.clock) => ended?,
            () = told_to_stop(commands) => return Ok(SupervisorEnded::Drained),
        }
        let mut is_first = true;
        loop {
            let began = self.clock.monotonic();
            let death = self.live(&mut pid_file, commands).await;
            // Vector ends with 0 also when one of its tasks has died, so no status means that it is done.
            let reason = match death {
                Death::Stopped(ended) => return Ok(ended),
                Death::NotStarted(reason) if is_first => return Err(reason),
                Death::Died(status) if is_first && is_refusal(status) => {
                    return Err(format!(
                        "Vector refuses to start ({status}); its own lines above say why. `vector-sentinel validate` \
                         checks a pipeline without starting it"
                    ));
                }
                Death::NotStarted(reason) => reason,
                Death::Died(status) => {
                    format!("Vector ended by itself ({status}); its own lines above say why")
                }
            };
            is_first = false;
            if self.clock.monotonic() - began >= STEADY {
                self.backoff.reset();
            }
            let wait = self.backoff.next_wait();
            let wait_secs = wait.as_secs_f64();
            error!(wait_secs, "{reason}; starting it again in {wait_secs:.1} s.");
            self.state.send_replace(SupervisorState::Waiting);
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                command = commands.recv() => match command {
                    // Perhaps it is what was wrong that has changed.
                    Some(SupervisorCommand::Reload) => {}
                    Some(SupervisorCommand::Stop) | None => return Ok(SupervisorEnded::Drained),
                },
            }
        }
    }

    /// One life of Vector.
    async fn live(
        &mut self,
        pid_file: &mut PidFile,
        commands: &mut mpsc::Receiver<SupervisorCommand>,
    ) -> Death {
        self.state.send_replace(SupervisorState::Starting);
        tokio::select! {
            prepared = self.prepare.prepare() => if let Err(reason) = prepared {
                return Death::NotStarted(reason);
            },
            () = told_to_stop(commands) => return Death::Stopped(SupervisorEnded::Drained),
        }
        let (mut child, pid) = match self.spawn() {
            Ok(started) => started,
            Err(reason) => return Death::NotStarted(reason),
        };
        pid_file.note(Some(pid));
        info!(pid = pid.as_raw_pid(), "Vector runs.");
        self.state.send_replace(SupervisorState::Running { pid: pid.as_raw_pid() });
        let death = self.attend(&mut child, pid, commands).await;
        pid_file.note(None);
        death
    }

    fn spawn(&self) -> Result<(Child, Pid), String> {
        let cannot =
            |why: String| format!("{} cannot be started: {why}", self.launch.binary.path().display());
        let child = self.launch.spawn().map_err(|error| cannot(error.to_string()))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        pid.map(|pid| (child, pid)).ok_or_else(|| cannot("it has no process id".to_owned()))
    }

    /// Looks after a running Vector until it ends.
    async fn attend(
        &self,
        child: &mut Child,
        pid: Pid,
        commands: &mut mpsc::Receiver<SupervisorCommand>,
    ) -> Death {
        loop {
            tokio::select! {
                status = child.wait() => return match status {
                    Ok(status) => Death::Died(status),
                    Err(error) => Death::NotStarted(format!("Vector was lost: {error}")),
                },
                command = commands.recv() => match command {
                    Some(SupervisorCommand::Reload) => {
                        info!("Vector reads its configuration again.");
                        signal(pid, Signal::HUP);
                    }
                    Some(SupervisorCommand::Stop) | None => return Death::Stopped(self.stop(child, pid, commands).await),
                },
            }
        }
    }

    async fn stop(
        &self,
        child: &mut Child,
        pid: Pid,
        commands: &mut mpsc::Receiver<SupervisorCommand>,
    ) -> SupervisorEnded {
        info!("Stopping Vector: it delivers what it holds.");
        signal(pid, Signal::TERM);
        let reason = tokio::select! {
            status = child.wait() => return match status {
                // The signal itself ends it when it had not yet begun to listen for signals, and so held nothing.
                Ok(status) if status.success() || status.signal() == Some(Signal::TERM.as_raw()) => SupervisorEnded::Drained,
                Ok(status) => gave_up(&format!("it ended with {status}")),
                Err(error) => gave_up(&format!("it was lost: {error}")),
            },
            () = self.clock.sleep(self.launch.shutdown_limit + MARGIN) => "it took too long and was killed",
            () = told_again(commands) => "nobody waits for it any longer, and it was killed",
        };
        kill(pid);
        // Nothing survives that signal, and a process that is not waited for stays in the system's table.
        child.wait().await.ok();
        gave_up(reason)
    }
}

fn gave_up(reason: &str) -> SupervisorEnded {
    warn!("Vector did not deliver all that it held: {reason}.");
    SupervisorEnded::GaveUp
}

fn is_refusal(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| REFUSALS.contains(&code))
}

/// Waits while there is nothing to reload. Nobody left who could say it means the same as being told.
async fn told_to_stop(commands: &mut mpsc::Receiver<SupervisorCommand>) {
    while commands.recv().await.is_some_and(|command| command != SupervisorCommand::Stop) {}
}

/// Waits for a second word from somebody who is still there.
async fn told_again(commands: &mut mpsc::Receiver<SupervisorCommand>) {
    loop {
        match commands.recv().await {
            Some(SupervisorCommand::Stop) => return,
            Some(SupervisorCommand::Reload) => {}
            None => std::future::pending().await,
        }
    }
}
