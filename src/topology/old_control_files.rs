//! What was asked of a version that had three kinds of control files, and not served before the upgrade: it goes into the mailbox.
//!
//! | file in `data_dir` | what it asked for | what is in it |
//! |---|---|---|
//! | `sync/<ledger>-to-<side>.resume` | `sync resume` | nothing |
//! | `sync/<ledger>-to-<side>.retry` | `sync retry` | incidents, one a line |
//! | `quarantine/<source>/retrying.json`, `retry.json` | `quarantine retry` | a [`RetryRequest`]; the first was begun |
//!
//! A file goes when its command is in the mailbox: after a crash in between it is asked twice, which harms nothing.

use std::error::Error;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tracing::{error, info};

use crate::sinks::incident_sync::status;
use crate::sinks::incident_sync::{SyncCommand, recipient};
use incident_model::field::Side;
use runtime::control::{Mailbox, Recipient};
use runtime::quarantine::{DIR_NAME, RetryRequest, SourceCommand};

/// Puts what was asked into the mailbox. What cannot be read stays, and is said.
pub(super) fn take_over(data_dir: &Path, mailbox: &mut Mailbox) {
    for path in files(&data_dir.join(status::DIR_NAME)) {
        report(&path, of_sync(&path, mailbox));
    }
    for dir in files(&data_dir.join(DIR_NAME)) {
        for name in ["retrying.json", "retry.json"] {
            let path = dir.join(name);
            report(&path, of_source(&dir, &path, mailbox));
        }
        // An answer to whoever asked, who is not there any more.
        std::fs::remove_file(dir.join("retried.json")).ok();
    }
}

fn of_sync(path: &Path, mailbox: &mut Mailbox) -> Result<bool, Box<dyn Error>> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let side = |suffix, side| stem.strip_suffix(suffix).map(|ledger| recipient(ledger, side));
    let to = side("-to-defender", Side::Defender).or_else(|| side("-to-sentinel", Side::Sentinel));
    let (Some(to), Some(extension)) = (to, path.extension().and_then(OsStr::to_str)) else {
        return Ok(false);
    };
    let command = match extension {
        "resume" => SyncCommand::Resume,
        "retry" => {
            let text = std::fs::read_to_string(path)?;
            let incidents = text.lines().filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect();
            SyncCommand::Retry { incidents }
        }
        _ => return Ok(false),
    };
    mailbox.ask(to, command)?;
    std::fs::remove_file(path)?;
    Ok(true)
}

fn of_source(dir: &Path, path: &Path, mailbox: &mut Mailbox) -> Result<bool, Box<dyn Error>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        text => text?,
    };
    let Some(id) = dir.file_name().and_then(OsStr::to_str) else { return Ok(false) };
    let request: RetryRequest = serde_json::from_slice(&text)?;
    mailbox.ask(Recipient::Component(id.to_owned()), SourceCommand::Retry(request))?;
    std::fs::remove_file(path)?;
    Ok(true)
}

fn report(path: &Path, taken: Result<bool, Box<dyn Error>>) {
    match taken {
        Ok(true) => info!(path = %path.display(), "Taking over what was asked of an earlier version."),
        Ok(false) => {}
        Err(error) => {
            error!(path = %path.display(), "Cannot take over what was asked of an earlier version: {error}");
        }
    }
}

/// What is in a directory, in order; nothing if it cannot be read, as when there is none.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::incident_sync::SyncAnswer;
    use runtime::clock::Clock;
    use runtime::control::{Command, Inbox};
    use runtime::quarantine::{Retried, SourceAnswer};

    fn mailbox(data_dir: &Path) -> Mailbox {
        Mailbox::new(data_dir, Clock::system(), fastrand::Rng::with_seed(7))
    }

    /// All that is asked of somebody.
    async fn asked<C: Command + Clone>(data_dir: &Path, to: Recipient, answer: C::Answer) -> Vec<C>
    where
        C::Answer: Clone,
    {
        let inbox: Inbox<C> = Inbox::new(data_dir, to, Clock::system());
        let mut all = Vec::new();
        while let Some(claimed) = inbox.claim().await.unwrap() {
            all.push(claimed.envelope.command.clone());
            claimed.answer(answer.clone()).await.unwrap();
        }
        all
    }

    #[tokio::test]
    async fn what_was_asked_of_the_version_before_is_taken_up_once() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("sync/my-to-do.list-to-sentinel.resume", "");
        write("sync/my-to-do.list-to-defender.retry", "a\nb\n\nc d\n");
        write("sync/my-to-do.list-to-defender.json", "{}");
        let one = r#"{"ids":["1-0"],"reason":null,"all":false}"#;
        let all = r#"{"ids":[],"reason":null,"all":true}"#;
        write("quarantine/defender/retrying.json", one);
        write("quarantine/defender/retry.json", all);
        write("quarantine/defender/retried.json", r#"{"delivered":1,"refused":0,"unreadable":0}"#);
        write("quarantine/defender/000001.ndjson", "");
        write("quarantine/other/retry.json", "not JSON");
        for _ in 0..2 {
            take_over(dir.path(), &mut mailbox(dir.path()));
        }
        let to = recipient("my-to-do.list", Side::Sentinel);
        let answer = SyncAnswer::Resumed { was_halted: true };
        assert_eq!(asked::<SyncCommand>(dir.path(), to, answer.clone()).await, [SyncCommand::Resume]);
        let incidents = ["a", "b", "c d"].map(str::to_owned).into();
        let to = recipient("my-to-do.list", Side::Defender);
        assert_eq!(asked::<SyncCommand>(dir.path(), to, answer).await, [SyncCommand::Retry { incidents }]);
        let request = |text| SourceCommand::Retry(serde_json::from_str(text).unwrap());
        let to = Recipient::Component("defender".to_owned());
        let answer = SourceAnswer::Retried(Retried::default());
        assert_eq!(asked::<SourceCommand>(dir.path(), to, answer).await, [request(one), request(all)]);
        let names = |path: &str| -> Vec<_> {
            files(&dir.path().join(path)).iter().map(|path| path.file_name().unwrap().to_owned()).collect()
        };
        assert_eq!(names("sync"), ["my-to-do.list-to-defender.json"]);
        assert_eq!(names("quarantine/defender"), ["000001.ndjson"]);
        assert_eq!(names("quarantine/other"), ["retry.json"], "what cannot be read stays");
    }
}
