//! Where data goes that can never be accepted: kept, with the reason, so that nothing is dropped.
//!
//! One NDJSON file a component in `data_dir/quarantine`, one line an event, on disk before the event counts as dealt
//! with. A full quarantine takes nothing more: the component then waits, and says so, until somebody makes room.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::store::create_private_dir;

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "quarantine";

/// The quarantine of one component. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Quarantine(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
}

/// Why an event is here.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// One word for grouping: `too_large`, `not_an_object`, `refused`.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// The service's id of the request that was refused, if there was one.
    pub request_id: Option<String>,
}

/// Why the quarantine did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// It is full.
    #[error(
        "the quarantine {path} is full ({max_bytes} bytes): look into it, then move it away or raise quarantine.max_bytes"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Its limit.
        max_bytes: u64,
    },
    /// The disk failed.
    #[error("cannot write the quarantine {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The thread that waits for the disk ended without an answer.
    #[error("the quarantine was not answered: the process is ending")]
    Interrupted,
}

#[derive(Serialize)]
struct Line<'a> {
    time: DateTime<Utc>,
    #[serde(flatten)]
    reason: &'a Reason,
    bytes: usize,
    /// The event: as JSON if it is that, else as text.
    event: Payload<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Json(&'a RawValue),
    Text(std::borrow::Cow<'a, str>),
}

// === impl Quarantine ===

impl Quarantine {
    /// Opens the quarantine of `component` below `data_dir`.
    pub fn open(data_dir: &Path, component: &str, max_bytes: u64) -> Result<Self, QuarantineError> {
        let dir = data_dir.join(DIR_NAME);
        let path = dir.join(format!("{component}.ndjson"));
        let io = |source| QuarantineError::Io { path: path.clone(), source };
        create_private_dir(&dir).map_err(io)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(io)?;
        let bytes = end_last_line(&mut file).map_err(io)?;
        Ok(Self(Arc::new(Mutex::new(Inner { path, file, bytes, max_bytes }))))
    }

    /// Keeps events, each with its reason. All are on disk when it returns.
    pub async fn keep(
        &self,
        events: Vec<(bytes::Bytes, Reason)>,
        now: DateTime<Utc>,
    ) -> Result<(), QuarantineError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let lines: Vec<u8> = events.iter().flat_map(|(event, reason)| line(event, reason, now)).collect();
            inner.lock().unwrap_or_else(PoisonError::into_inner).append(&lines)
        })
        .await
        .unwrap_or(Err(QuarantineError::Interrupted))
    }
}

impl Inner {
    fn append(&mut self, lines: &[u8]) -> Result<(), QuarantineError> {
        if self.bytes + lines.len() as u64 > self.max_bytes {
            return Err(QuarantineError::Full { path: self.path.clone(), max_bytes: self.max_bytes });
        }
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        // A write that failed half-way must not leave half a line for the next one to grow on.
        let length = written.and_then(|()| end_last_line(&mut self.file));
        self.bytes = length.map_err(|source| QuarantineError::Io { path: self.path.clone(), source })?;
        Ok(())
    }
}

/// Ends a line that a crash cut off, and answers the file's length.
fn end_last_line(file: &mut File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            return Ok(length + 1);
        }
    }
    Ok(length)
}

fn line(event: &[u8], reason: &Reason, time: DateTime<Utc>) -> Vec<u8> {
    // A line break inside the JSON would end the line: such a text is kept as a string.
    let json = (!event.contains(&b'\n')).then(|| serde_json::from_slice::<&RawValue>(event).ok()).flatten();
    let payload = json.map_or_else(|| Payload::Text(String::from_utf8_lossy(event)), Payload::Json);
    let mut line =
        serde_json::to_vec(&Line { time, reason, bytes: event.len(), event: payload }).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn reason() -> Reason {
        Reason { code: "too_large", message: "over the limit".to_owned(), request_id: None }
    }

    fn lines(dir: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(dir.join("quarantine/a.ndjson")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[tokio::test]
    async fn an_event_is_kept_whole_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let events = [&b"{\"x\":1.50}"[..], b"not json \xff", b"{\n}"];
        let events = events.iter().map(|event| (Bytes::from_static(event), reason())).collect();
        quarantine.keep(events, now).await.unwrap();
        let lines = lines(dir.path());
        assert_eq!(lines[0]["event"]["x"], 1.5);
        assert_eq!(lines[0]["code"], "too_large");
        assert_eq!(lines[1]["event"], "not json \u{fffd}");
        assert_eq!(lines[2]["event"], "{\n}");
    }

    #[tokio::test]
    async fn a_full_quarantine_takes_nothing_and_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 60).unwrap();
        let keep = quarantine
            .keep(vec![(Bytes::from_static(b"{}"), reason())], DateTime::from_timestamp(0, 0).unwrap());
        let error = keep.await.unwrap_err().to_string();
        assert!(error.contains("full") && error.contains("quarantine.max_bytes"), "{error}");
        assert!(lines(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn a_line_that_a_crash_cut_off_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("quarantine")).unwrap();
        std::fs::write(dir.path().join("quarantine/a.ndjson"), "{\"time\":").unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
        let now = DateTime::from_timestamp(0, 0).unwrap();
        quarantine.keep(vec![(Bytes::from_static(b"{}"), reason())], now).await.unwrap();
        assert_eq!(lines(dir.path()).len(), 1);
    }
}
