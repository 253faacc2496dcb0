//! Asks a process that runs to deliver events again: those of a source, which only it can hand on.
//!
//! The request is a file in the component's directory. Whoever serves the component renames it, so that the one who asked sees
//! that it is heard, and writes what came of it before removing it: so a request outlives both of them.

use std::io::{ErrorKind, Result, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::line::Entry;
use super::place::Place;

const ASKED: &str = "retry.json";
const HEARD: &str = "retrying.json";
const ANSWERED: &str = "retried.json";

/// Which events are to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Those with these ids.
    pub ids: Vec<String>,
    /// Those that are there for this reason.
    pub reason: Option<String>,
    /// All.
    pub all: bool,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How many events were delivered.
    pub delivered: u64,
    /// How many were refused again, and stay.
    pub refused: u64,
    /// How many cannot be made into events, and stay.
    pub unreadable: u64,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has heard it yet.
    Asked,
    /// Somebody is at it.
    Heard,
    /// There is none, or it is done.
    Done,
}

// === impl Request ===

impl Request {
    /// Whether it is about an event.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        self.all
            || self.reason.as_ref().is_some_and(|reason| *reason == entry.code)
            || self.ids.contains(&entry.id)
    }

    /// Asks. What came of an earlier request is forgotten.
    pub fn ask(&self, data_dir: &Path, component: &str) -> Result<()> {
        let place = Place::new(data_dir, component);
        remove(&place.dir.join(ANSWERED))?;
        write(&place, ASKED, self)
    }

    /// What is asked of a component; from now on it is heard.
    pub fn hear(data_dir: &Path, component: &str) -> Result<Option<Self>> {
        let dir = Place::new(data_dir, component).dir;
        let heard = dir.join(HEARD);
        // One that a crash has interrupted comes first.
        if !heard.exists() {
            match std::fs::rename(dir.join(ASKED), &heard) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                renamed => renamed?,
            }
        }
        read(&heard)
    }

    /// How far the request to a component is.
    #[must_use]
    pub fn progress(data_dir: &Path, component: &str) -> Progress {
        let dir = Place::new(data_dir, component).dir;
        if dir.join(ASKED).exists() {
            Progress::Asked
        } else if dir.join(HEARD).exists() {
            Progress::Heard
        } else {
            Progress::Done
        }
    }
}

// === impl Answer ===

impl Answer {
    /// Answers the request that was heard.
    pub fn give(&self, data_dir: &Path, component: &str) -> Result<()> {
        let place = Place::new(data_dir, component);
        write(&place, ANSWERED, self)?;
        remove(&place.dir.join(HEARD))
    }

    /// The answer to the last request, if there is one.
    pub fn get(data_dir: &Path, component: &str) -> Result<Option<Self>> {
        read(&Place::new(data_dir, component).dir.join(ANSWERED))
    }
}

/// Writes a file that is there whole or not at all, and that the owner of the directory can read.
fn write(place: &Place, name: &str, content: &impl Serialize) -> Result<()> {
    let new = place.dir.join(format!("{name}.new"));
    remove(&new)?;
    let mut file = place.open(&new)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.sync_all()?;
    std::fs::rename(new, place.dir.join(name))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => Ok(Some(serde_json::from_slice(&text?)?)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
