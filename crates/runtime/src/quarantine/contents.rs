//! Reads what is in the quarantine.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Result, Take};
use std::path::Path;

use super::dir::{DIR_NAME, EXTENSION, QuarantineDir, Stored};
use super::line::{At, Entry};
use crate::files::{Disk, File, FileKind, FileSystem, Files, Open, if_there};

/// What is in one component's quarantine at one moment.
#[derive(Clone, Debug)]
pub struct Contents {
    disk: Files,
    files: Vec<Stored>,
}

/// The events, in the order in which they were put there.
pub struct Entries {
    disk: Files,
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
    let mut found = BTreeSet::new();
    for one in if_there(Disk.list(&data_dir.join(DIR_NAME)))?.unwrap_or_default() {
        let is_single = one.path.extension() == Some(OsStr::new(EXTENSION));
        let name = if one.kind == FileKind::Dir { one.path.file_name() } else { one.path.file_stem() };
        if one.kind == FileKind::Dir || is_single {
            found.extend(name.and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    Ok(found.into_iter().collect())
}

// === impl Contents ===

impl Contents {
    /// What is in the quarantine of `component` now; nothing if it has none.
    pub fn of(data_dir: &Path, component: &str) -> Result<Option<Self>> {
        Self::of_place(&QuarantineDir::new(data_dir, component))
    }

    pub(super) fn of_place(place: &QuarantineDir) -> Result<Option<Self>> {
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
        Ok(Some(Self::new(place, files)))
    }

    pub(super) fn new(place: &QuarantineDir, files: Vec<Stored>) -> Self {
        Self { disk: Files::clone(&place.files), files }
    }

    pub(super) fn disk(&self) -> &dyn FileSystem {
        self.disk.as_ref()
    }

    pub(super) fn files(&self) -> &[Stored] {
        &self.files
    }

    /// How many files there are with anything in them.
    pub fn file_count(&self) -> usize {
        self.files.iter().filter(|file| file.bytes > 0).count()
    }

    /// How many bytes the files have.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Every event, read one by one.
    pub fn entries(&self) -> Entries {
        Entries { disk: Files::clone(&self.disk), files: self.files.clone().into_iter(), reading: None }
    }
}

// === impl Entries ===

impl Entries {
    pub(super) fn of_file(place: &QuarantineDir, file: &Stored) -> Self {
        Contents::new(place, vec![file.clone()]).entries()
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
            // Somebody may have taken it away since.
            let opened = if_there(self.disk.open(&file.path, Open::Read))?;
            self.reading = opened.map(|opened| Reading::new(&file, opened, 0));
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
