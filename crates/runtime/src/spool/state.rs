//! An open spool.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use super::position::Position;
use super::segment::{self, EXTENSION, Head, Segment};
use super::{Backlog, NewRecord, RecordId, SpoolError, SpooledRecord};
use crate::files::{File, FileKind, Files, Listed, Open, if_there};

/// An open spool.
#[derive(Debug)]
pub(super) struct State {
    files: Files,
    dir: PathBuf,
    segment_bytes: u64,
    /// Those that are there, the oldest first.
    segments: VecDeque<Segment>,
    /// The last of them, while it may still grow.
    growing: Option<File>,
    /// Whether part of a record stands at the end of the last one.
    is_torn: bool,
    /// The number of the record that is appended next.
    next: u64,
    /// How far it is delivered.
    position: Position,
    /// All before this were read, or were somebody's when they were come to.
    read: u64,
    /// Records before `read` that are to be read again.
    released: BTreeSet<u64>,
    /// Records from `read` on that are somebody's since they were appended.
    taken: BTreeSet<u64>,
    /// Records that are not delivered, and the events in them.
    left: (u64, u64),
}

// === impl State ===

impl State {
    pub(super) fn open(
        files: &Files,
        dir: &Path,
        segment_bytes: u64,
    ) -> std::result::Result<Self, SpoolError> {
        let io = |source: Error| SpoolError::Io { path: dir.to_owned(), source: Arc::new(source) };
        files.create_dir(dir).map_err(io)?;
        let position = Position::load(files, dir).map_err(io)?;
        let mut state = Self {
            files: Arc::clone(files),
            dir: dir.to_owned(),
            segment_bytes,
            segments: VecDeque::new(),
            growing: None,
            is_torn: false,
            // No number is given out twice, whatever has become of the files: those that are delivered are told by theirs.
            next: position.end(),
            read: position.low,
            position,
            released: BTreeSet::new(),
            taken: BTreeSet::new(),
            left: (0, 0),
        };
        state.find_segments().and_then(|()| state.remove_delivered()).map_err(io)?;
        Ok(state)
    }

    fn find_segments(&mut self) -> Result<()> {
        let mut found: Vec<_> =
            self.files.list(&self.dir)?.iter().filter_map(|listed| self.number(listed)).collect();
        found.sort_unstable();
        for first in found {
            let segment = Segment::scan(&self.files, self.path(first), first)?;
            let path = segment.path.display();
            if segment.unread_bytes > 0 {
                error!(
                    %path,
                    bytes = segment.unread_bytes,
                    "The end of a file of a spool cannot be read. Either a crash has cut off a record that was being written and was \
                     never acknowledged, or the disk has changed it; it is kept, with .damaged at the end of its name."
                );
            }
            self.next = self.next.max(segment.end());
            if segment.records.is_empty() {
                self.remove_segment(&segment)?;
            } else {
                self.segments.push_back(segment);
            }
        }
        let numbers = self.segments.iter().flat_map(|segment| (segment.first..).zip(&segment.records));
        for (number, (_, head)) in numbers {
            if number >= self.position.low && !self.position.beyond.contains(&number) {
                self.left = (self.left.0 + 1, self.left.1 + u64::from(head.events));
            }
        }
        Ok(())
    }

    /// The number of a segment's first record, if an entry of the directory is one.
    fn number(&self, Listed { path, kind }: &Listed) -> Option<u64> {
        let number = path.file_stem().and_then(OsStr::to_str)?.parse().ok()?;
        (matches!(kind, FileKind::File(_)) && *path == self.path(number)).then_some(number)
    }

    /// Takes a segment away of which nothing is left to read: one that is damaged is kept under another name.
    fn remove_segment(&self, segment: &Segment) -> Result<()> {
        if segment.is_damaged {
            return self.files.rename(&segment.path, &segment.path.with_extension("damaged"));
        }
        if_there(self.files.remove(&segment.path)).map(drop)
    }

    fn path(&self, first: u64) -> PathBuf {
        self.dir.join(format!("{first:012}.{EXTENSION}"))
    }

    fn error(&self, source: Error) -> SpoolError {
        SpoolError::Io { path: self.dir.clone(), source: Arc::new(source) }
    }

    /// Appends records, and syncs them.
    pub(super) fn append(
        &mut self,
        records: &[&NewRecord],
    ) -> std::result::Result<Vec<RecordId>, SpoolError> {
        self.try_append(records).map_err(|source| self.error(source))
    }

    fn try_append(&mut self, records: &[&NewRecord]) -> Result<Vec<RecordId>> {
        let (mut bytes, mut heads) = (Vec::new(), Vec::new());
        for record in records {
            let head = segment::write(record, &mut bytes);
            heads.push(head.ok_or_else(|| Error::other("a record of over 4 GB"))?);
        }
        self.make_growing()?;
        let (Some(file), Some(segment)) = (&mut self.growing, self.segments.back_mut()) else {
            return Err(Error::other("there is no segment"));
        };
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Part of a record must not stay for the next one to grow on.
            self.is_torn = file.set_size(segment.bytes).is_err();
            return Err(error);
        }
        let mut ids = Vec::new();
        for (record, head) in records.iter().zip(heads) {
            segment.records.push((segment.bytes, head));
            segment.bytes += head.record_bytes();
            self.left = (self.left.0 + 1, self.left.1 + u64::from(head.events));
            if record.taken {
                self.taken.insert(self.next);
            }
            ids.push(RecordId(self.next));
            self.next += 1;
        }
        Ok(ids)
    }

    /// Sees to it that there is a segment that grows, and nothing at its end that is no record.
    fn make_growing(&mut self) -> Result<()> {
        let is_full = self.segments.back().is_some_and(|segment| segment.bytes >= self.segment_bytes);
        if let (Some(file), Some(segment)) = (&mut self.growing, self.segments.back()) {
            if self.is_torn {
                file.set_size(segment.bytes)?;
                self.is_torn = false;
            }
            if !is_full {
                return Ok(());
            }
        }
        self.growing = None;
        let path = self.path(self.next);
        let mut file = self.files.open(&path, Open::Append)?;
        // Of one that was made before, and not synced or not written to.
        file.set_size(0)?;
        self.files.sync_dir(&self.dir)?;
        self.segments.retain(|segment| segment.path != path);
        self.segments.push_back(Segment::new(path, self.next));
        self.growing = Some(file);
        Ok(())
    }

    /// The oldest record that is nobody's.
    pub(super) fn take(&mut self) -> std::result::Result<Option<SpooledRecord>, SpoolError> {
        let Some(number) = self.released.pop_first().or_else(|| self.next_unread()) else { return Ok(None) };
        let Some((segment, offset, head)) = self.find(number) else { return Ok(None) };
        match segment.read(&self.files, offset, &head) {
            Ok(Some(payload)) => {
                Ok(Some(SpooledRecord { id: RecordId(number), payload, events: head.events }))
            }
            Ok(None) => {
                let path = segment.path.clone();
                self.mark_damaged(number)?;
                Err(SpoolError::Damaged { path, offset, events: head.events })
            }
            Err(source) => {
                self.released.insert(number);
                Err(self.error(source))
            }
        }
    }

    fn next_unread(&mut self) -> Option<u64> {
        loop {
            let number = self.first_from(self.read)?;
            self.read = number + 1;
            if !self.taken.remove(&number) && !self.position.beyond.contains(&number) {
                return Some(number);
            }
        }
    }

    /// The first number from `number` on that a record has: those of a file that was lost are missing.
    fn first_from(&self, number: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| segment.end() > number)?;
        Some(segment.first.max(number))
    }

    fn find(&self, number: u64) -> Option<(&Segment, u64, Head)> {
        let segment = self.segments.iter().find(|segment| segment.has(number))?;
        let index = usize::try_from(number - segment.first).ok()?;
        segment.records.get(index).map(|(offset, head)| (segment, *offset, *head))
    }

    fn mark_damaged(&mut self, number: u64) -> std::result::Result<(), SpoolError> {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.has(number)) {
            segment.is_damaged = true;
        }
        self.remove(RecordId(number))
    }

    /// Gives a record back.
    pub(super) fn release(&mut self, RecordId(number): RecordId) {
        self.taken.remove(&number);
        if number < self.read && number >= self.position.low && !self.position.beyond.contains(&number) {
            self.released.insert(number);
        }
    }

    /// Removes a record that was delivered.
    pub(super) fn remove(&mut self, RecordId(number): RecordId) -> std::result::Result<(), SpoolError> {
        self.taken.remove(&number);
        self.released.remove(&number);
        if let Some((_, _, head)) = self.find(number)
            && number >= self.position.low
            && self.position.beyond.insert(number)
        {
            self.left = (self.left.0 - 1, self.left.1 - u64::from(head.events));
        }
        self.remove_delivered().map_err(|source| self.error(source))
    }

    /// Saves how far it is delivered, and removes the segments that are.
    fn remove_delivered(&mut self) -> Result<()> {
        let mut low = self.first_from(self.position.low).unwrap_or(self.next);
        while self.position.beyond.remove(&low) {
            low = self.first_from(low + 1).unwrap_or(self.next);
        }
        self.position.low = low;
        self.position.beyond.retain(|number| *number > low && *number < self.next);
        self.read = self.read.max(low);
        let is_empty = low == self.next;
        let saved = if is_empty {
            self.growing = None;
            self.is_torn = false;
            Position::remove(&self.files, &self.dir)
        } else {
            self.position.save(&self.files, &self.dir)
        };
        // Also on a full disk, where the position cannot be saved: only that makes room.
        while let Some(segment) = self.segments.front().filter(|segment| segment.end() <= low) {
            if self.growing.is_some() && self.segments.len() == 1 {
                break;
            }
            self.remove_segment(segment)?;
            self.segments.pop_front();
        }
        saved
    }

    pub(super) fn backlog(&self) -> Backlog {
        let (records, events) = self.left;
        let oldest = self.find(self.position.low).and_then(|(_, _, head)| head.time());
        let bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        Backlog { bytes, records, events, oldest }
    }
}
