//! Where data goes that can never be accepted: kept, with the reason, so that nothing is dropped.
//!
//! One NDJSON file a component in `data_dir/quarantine`, one line an event, on disk before the event counts as dealt
//! with. A full quarantine takes nothing more: the component then waits, and says so, until somebody makes room.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::event::{Body, Event};
use crate::store::create_private_dir;

/// The directory's name in `data_dir`.
pub const DIR_NAME: &str = "quarantine";

/// The quarantine of one component. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Quarantine(Arc<Place>);

#[derive(Debug)]
struct Place {
    path: PathBuf,
    max_bytes: u64,
    writing: Mutex<()>,
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
    /// What of it is not UTF-8 and so not whole in `event`: in Base64, by its place.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_utf8: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Json(&'a RawValue),
    Text(std::borrow::Cow<'a, str>),
}

// === impl Quarantine ===

impl Quarantine {
    /// The quarantine of `component` below `data_dir`; makes the directory.
    pub fn open(data_dir: &Path, component: &str, max_bytes: u64) -> Result<Self, QuarantineError> {
        let dir = data_dir.join(DIR_NAME);
        let path = dir.join(format!("{component}.ndjson"));
        create_private_dir(&dir).map_err(|source| QuarantineError::Io { path: path.clone(), source })?;
        Ok(Self(Arc::new(Place { path, max_bytes, writing: Mutex::new(()) })))
    }

    /// The file that events are kept in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Keeps an event with its reason. It is on disk when this returns.
    pub async fn keep(
        &self,
        event: &Event,
        reason: &Reason,
        now: DateTime<Utc>,
    ) -> Result<(), QuarantineError> {
        let (place, event, reason) = (Arc::clone(&self.0), event.clone(), reason.clone());
        tokio::task::spawn_blocking(move || {
            let io = |source| QuarantineError::Io { path: place.path.clone(), source };
            let line = line(&event, &reason, now).map_err(|error| io(error.into()))?;
            let _one_at_a_time = place.writing.lock().unwrap_or_else(PoisonError::into_inner);
            if place.append(&line).map_err(io)? {
                Ok(())
            } else {
                Err(QuarantineError::Full { path: place.path.clone(), max_bytes: place.max_bytes })
            }
        })
        .await
        .unwrap_or(Err(QuarantineError::Interrupted))
    }
}

// === impl Place ===

impl Place {
    /// Appends a line; answers false if there is no room. The file is opened each time, which is rare: so it may be moved
    /// away or emptied while we run.
    fn append(&self, line: &[u8]) -> std::io::Result<bool> {
        if let Some(dir) = self.path.parent() {
            create_private_dir(dir)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        let length = end_last_line(&mut file)?;
        // What alone is more than the limit is kept all the same: there would never be room for it.
        if length > 0 && length + line.len() as u64 > self.max_bytes {
            return Ok(false);
        }
        let written = file.write_all(line).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line must not stay for the next one to grow on.
            file.set_len(length)?;
        } else if length == 0
            && let Some(dir) = self.path.parent()
        {
            // The file may be new: so that its name is on disk too. Should that fail, the line is still written.
            drop(File::open(dir).and_then(|dir| dir.sync_all()));
        }
        written.map(|()| true)
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

fn line(event: &Event, reason: &Reason, time: DateTime<Utc>) -> Result<Vec<u8>, serde_json::Error> {
    let text = event.to_json();
    // A line break inside the JSON would end the line: such a text is kept as a string.
    let json = (!text.contains(&b'\n')).then(|| serde_json::from_slice::<&RawValue>(&text).ok()).flatten();
    let payload = json.map_or_else(|| Payload::Text(String::from_utf8_lossy(&text)), Payload::Json);
    let not_utf8 = not_utf8(event).into_iter().map(|(place, bytes)| (place, BASE64_STANDARD.encode(bytes)));
    let mut line = serde_json::to_vec(&Line {
        time,
        reason,
        bytes: text.len(),
        event: payload,
        not_utf8: not_utf8.collect(),
    })?;
    line.push(b'\n');
    Ok(line)
}

fn not_utf8(event: &Event) -> Vec<(String, Bytes)> {
    match event.body() {
        Body::Json(json) if std::str::from_utf8(json).is_err() => vec![(String::new(), json.clone())],
        Body::Json(_) => Vec::new(),
        Body::Value(value) => value.not_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

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
        for event in [&b"{\"x\":1.50}"[..], b"not json \xff", b"{\n}"] {
            keep(&quarantine, event).await.unwrap();
        }
        let lines = lines(dir.path());
        assert_eq!(lines[0]["event"]["x"], 1.5);
        assert_eq!(lines[0]["code"], "too_large");
        assert_eq!(lines[1]["event"], "not json \u{fffd}");
        assert_eq!(lines[1]["not_utf8"][""], BASE64_STANDARD.encode(b"not json \xff"));
        assert_eq!(lines[0]["not_utf8"], serde_json::Value::Null);
        assert_eq!(lines[2]["event"], "{\n}");
    }

    async fn keep(quarantine: &Quarantine, event: &'static [u8]) -> Result<(), QuarantineError> {
        quarantine.keep(&Event::new(Bytes::from_static(event), None), &reason(), DateTime::UNIX_EPOCH).await
    }

    #[tokio::test]
    async fn what_is_not_text_is_kept_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
        let blob = Value::Bytes(Bytes::from_static(b"\xff\x00"));
        let value = Value::Object([("blobs".to_owned(), Value::Array(vec![Value::Null, blob]))].into());
        quarantine.keep(&Event::from_value(value), &reason(), DateTime::UNIX_EPOCH).await.unwrap();
        let lines = lines(dir.path());
        assert_eq!(lines[0]["event"]["blobs"][1], "\u{fffd}\0");
        assert_eq!(lines[0]["not_utf8"]["/blobs/1"], "/wA=");
    }

    #[tokio::test]
    async fn a_full_quarantine_takes_nothing_until_it_is_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 60).unwrap();
        keep(&quarantine, b"{\"n\":1}").await.expect("what alone is over the limit is kept");
        let error = keep(&quarantine, b"{\"n\":2}").await.unwrap_err().to_string();
        assert!(error.contains("full") && error.contains("quarantine.max_bytes"), "{error}");
        assert_eq!(lines(dir.path()).len(), 1);
        std::fs::rename(dir.path().join("quarantine/a.ndjson"), dir.path().join("elsewhere")).unwrap();
        keep(&quarantine, b"{\"n\":3}").await.unwrap();
        assert_eq!(lines(dir.path())[0]["event"]["n"], 3);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&dir.path().join("data"), "a", 60).unwrap();
        keep(&quarantine, b"{}").await.unwrap();
        for (path, mode) in [("data", 0o700), ("data/quarantine", 0o700), ("data/quarantine/a.ndjson", 0o600)]
        {
            let found = std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{path}");
        }
    }

    #[tokio::test]
    async fn a_line_that_a_crash_cut_off_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("quarantine")).unwrap();
        std::fs::write(dir.path().join("quarantine/a.ndjson"), "{\"time\":").unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
        keep(&quarantine, b"{}").await.unwrap();
        assert_eq!(lines(dir.path()).len(), 1);
    }
}
