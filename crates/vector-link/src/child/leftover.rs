use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tracing::{info, warn};

use super::launch::kill;
use runtime::clock::Clock;
use runtime::store::create_private_dir;

/// How long a leftover may take to deliver what it holds. Its other end, we, is gone, so longer would not help.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nobody tells when a process ends that is not our child.
const POLL: Duration = Duration::from_millis(50);

/// `vector.pid` beside the configuration: who runs Vector with it, and as which process. Locked as long as it is open,
/// so that a second run of ours refuses to start instead of taking the first one's Vector for a leftover.
#[derive(Debug)]
pub(super) struct PidFile {
    file: File,
    path: PathBuf,
    config: PathBuf,
}

// === impl PidFile ===

impl PidFile {
    pub(super) fn lock(config: &Path) -> Result<Self, String> {
        let path = config.with_file_name("vector.pid");
        let open = || {
            create_private_dir(path.parent().unwrap_or(Path::new("/")))?;
            File::options().read(true).write(true).create(true).truncate(false).open(&path)
        };
        let file = open().map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(format!(
                "another process runs Vector with {}: stop that one first; two that run at once need two data_dirs",
                config.display()
            )),
            // Some network file systems know no locks; there nobody protects a user from a second run.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { file, path, config: config.to_owned() }),
        }
    }

    /// Notes which process runs; nothing when it has ended.
    pub(super) fn note(&mut self, pid: Option<Pid>) {
        let text = pid.map(|pid| pid.as_raw_pid().to_string()).unwrap_or_default();
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        if let Err(error) = written {
            warn!(
                "Cannot write {}: {error}. If we are killed, the next start cannot end the Vector that stays behind.",
                self.path.display()
            );
        }
    }

    /// Ends the Vector of a run of ours that was killed, and returns when it is gone.
    ///
    /// Without `/proc` nobody can tell a leftover from a stranger that has its number by now, and nothing is done: the
    /// two then compete for the ports of the user's own sources until somebody ends the old one.
    pub(super) async fn end_leftover(&mut self, clock: &Clock) -> Result<(), String> {
        let Some(pid) = self.noted().filter(|pid| self.is_ours(*pid)) else {
            return Ok(());
        };
        warn!(pid = pid.as_raw_pid(), "Vector of a run that was killed is still there: ending it first.");
        if kill_process(pid, Signal::TERM) == Err(Errno::PERM) {
            return Err(format!(
                "Vector of an earlier run, process {}, is still there and belongs to another user: end it by hand",
                pid.as_raw_pid()
            ));
        }
        let asked = clock.monotonic();
        while self.is_ours(pid) {
            if clock.monotonic() - asked >= PATIENCE {
                kill(pid);
            }
            clock.sleep(POLL).await;
        }
        info!("That Vector is gone.");
        self.note(None);
        Ok(())
    }

    fn noted(&mut self) -> Option<Pid> {
        let mut text = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).ok()?;
        // 1 is never ours, and as a group it would mean everybody.
        let number = text.trim().parse().ok().filter(|number| *number > 1)?;
        Pid::from_raw(number)
    }

    /// Whether a process lives and was started with our configuration. One that has ended has no command line, even
    /// while nobody has collected its status.
    fn is_ours(&self, pid: Pid) -> bool {
        let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|argument| argument == self.config.as_os_str().as_bytes())
    }
}
