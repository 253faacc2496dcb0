//! Reads what is in the quarantine.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Take};
use std::path::Path;

use super::line::{At, Entry};
use super::place::{DIR_NAME, EXTENSION, Place, Stored};

/// What is in one component's quarantine at one moment.
#[derive(Clone, Debug)]
pub struct Contents {
    files: Vec<Stored>,
}

/// The events, in the order in which they were put there.
pub struct Entries {
    files: std::vec::IntoIter<Stored>,
    reading: Option<Reading>,
}

/// The lines of one file.
pub(super) struct Reading {
    number: u64,
    file: BufReader<Take<File>>,
    offset: u64,
}

/// The components that have a quarantine below `data_dir`, which may be empty.
pub fn components(data_dir: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(data_dir.join(DIR_NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let is_single = path.extension() == Some(OsStr::new(EXTENSION));
        let name = if path.is_dir() || !is_single { path.file_name() } else { path.file_stem() };
        if path.is_dir() || is_single {
            found.extend(name.and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    Ok(found.into_iter().collect())
}

// === impl Contents ===

impl Contents {
    /// What is in the quarantine of `component` now; nothing if it has none.
    pub fn of(data_dir: &Path, component: &str) -> Result<Option<Self>> {
        let place = Place::new(data_dir, component);
        if !place.exists() {
            return Ok(None);
        }
        // So that no line is read that is only half written.
        let lock = place.existing_lock();
        if let Some(lock) = &lock {
            lock.lock_shared().ok();
        }
        let files = place.files()?;
        drop(lock);
        Ok(Some(Self { files }))
    }

    pub(super) const fn new(files: Vec<Stored>) -> Self {
        Self { files }
    }

    pub(super) fn files(&self) -> &[Stored] {
        &self.files
    }

    /// How many files there are with anything in them.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.files.iter().filter(|file| file.bytes > 0).count()
    }

    /// How many bytes the files have.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Every event, read one by one.
    #[must_use]
    pub fn entries(&self) -> Entries {
        Entries { files: self.files.clone().into_iter(), reading: None }
    }
}

// === impl Entries ===

impl Entries {
    pub(super) fn of_file(file: &Stored) -> Self {
        Self { files: vec![file.clone()].into_iter(), reading: None }
    }

    fn advance(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(reading) = &mut self.reading {
                if let Some(entry) = reading.next_line()? {
                    return Ok(Some(entry));
                }
                self.reading = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            self.reading = match File::open(&file.path) {
                Ok(opened) => Some(Reading::new(&file, opened, 0)),
                // Somebody has taken it away since.
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

// === impl Reading ===

impl Reading {
    /// Reads a file that stands at `offset`.
    pub(super) fn new(file: &Stored, opened: File, offset: u64) -> Self {
        let rest = opened.take(file.bytes.saturating_sub(offset));
        Self { number: file.number, file: BufReader::with_capacity(256 * 1024, rest), offset }
    }

    pub(super) fn next_line(&mut self) -> Result<Option<Entry>> {
        loop {
            let mut line = Vec::new();
            let read = self.file.read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                return Ok(None);
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let at = At { file: self.number, offset: self.offset, length: line.len() as u64 };
            self.offset += read;
            // Blanks are what was removed.
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Entry::read(line, at)));
            }
        }
    }
}
