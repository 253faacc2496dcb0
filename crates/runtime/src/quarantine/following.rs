//! Reads what was put into the quarantine since somebody looked last, while events are put there and taken out.

use std::io::{BufRead, BufReader, Read, Result, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::contents::{Contents, Reading};
use super::dir::Stored;
use super::line::Entry;
use crate::files::{File, FileSystem, Open, if_there};

/// A place between two events: which come behind it is told by where they were first written, which stays the same when
/// others are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    file: u64,
    offset: u64,
}

/// How much is read at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The most events at a time.
    pub entries: usize,
    /// No further event after so many bytes.
    pub bytes: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Since {
    /// The events, in the order in which they were put there.
    pub entries: Vec<Entry>,
    /// Behind the last of them.
    pub position: Position,
    /// Whether there may be more by now.
    pub more: bool,
}

// === impl Contents ===

impl Contents {
    /// The events behind `from`, as many as `limit` says.
    pub fn since(&self, from: Position, limit: Limit) -> Result<Since> {
        // Without files, it begins anew with the first number.
        let Some(last) = self.files().last() else { return Ok(Since::default()) };
        // Numbers only grow, and so does the last file: if not, somebody has taken all away, and it has begun anew.
        let replaced = from.file > last.number
            || (from.file == last.number && !ends_a_line(self.disk(), last, from.offset)?);
        let mut since =
            Since { position: if replaced { Position::default() } else { from }, ..Since::default() };
        let (begun, mut bytes) = (since.position.file, 0);
        for file in self.files().iter().filter(|file| file.number >= begun) {
            let is_last = file.number == last.number;
            if since.position.file < file.number {
                since.position = Position { file: file.number, offset: 0 };
            }
            if is_last && since.position.offset == file.bytes {
                break;
            }
            let Some(mut reading) = open(self.disk(), file, since.position)? else { continue };
            while let Some(entry) = reading.next_line()? {
                let end = entry.at.offset + entry.at.length;
                if is_last && end == file.bytes {
                    // Its line has no end: it is still being written, or a crash cut it off, and then it was not kept.
                    return Ok(since);
                }
                let offset = first_written(&entry);
                if offset < since.position.offset {
                    continue;
                }
                if since.entries.len() >= limit.entries || bytes >= limit.bytes {
                    since.more = true;
                    return Ok(since);
                }
                bytes += entry.at.length;
                // Where the next one begins, if the file is as it was written; else just behind this one.
                let next = if offset == entry.at.offset { end + 1 } else { offset + 1 };
                since.position = Position { file: file.number, offset: next };
                since.entries.push(entry);
            }
            if !is_last {
                since.position = Position { file: file.number + 1, offset: 0 };
            }
        }
        Ok(since)
    }
}

/// The byte of its file at which an event's line was first written.
fn first_written(entry: &Entry) -> u64 {
    let id =
        entry.id.split_once('-').and_then(|(file, offset)| Some((file.parse().ok()?, offset.parse().ok()?)));
    id.filter(|(file, _): &(u64, u64)| *file == entry.at.file).map_or(entry.at.offset, |(_, offset)| offset)
}

/// The lines of a file, from `position` on if the file is as it was written, else all; nothing if it was taken away.
fn open(disk: &dyn FileSystem, file: &Stored, position: Position) -> Result<Option<Reading>> {
    let Some(mut opened) = if_there(disk.open(&file.path, Open::Read))? else { return Ok(None) };
    let from = if begins_there(&mut opened, file, position.offset)? { position.offset } else { 0 };
    opened.seek(SeekFrom::Start(from))?;
    Ok(Some(Reading::new(file, opened, from)))
}

/// Whether a line of a file ends just before `offset`.
fn ends_a_line(disk: &dyn FileSystem, file: &Stored, offset: u64) -> Result<bool> {
    if offset == 0 || offset > file.bytes {
        return Ok(offset == 0);
    }
    // Just taken away: what is there then is seen the next time.
    let Some(mut opened) = if_there(disk.open(&file.path, Open::Read))? else { return Ok(true) };
    let mut before = [0];
    opened.seek(SeekFrom::Start(offset - 1))?;
    opened.read_exact(&mut before)?;
    Ok(before == *b"\n")
}

/// Whether the line that was first written at `offset` is there still.
fn begins_there(opened: &mut File, file: &Stored, offset: u64) -> Result<bool> {
    if offset == 0 || offset >= file.bytes {
        return Ok(false);
    }
    opened.seek(SeekFrom::Start(offset - 1))?;
    let mut before = [0];
    opened.read_exact(&mut before)?;
    let mut line = Vec::new();
    BufReader::new(opened).read_until(b'\n', &mut line)?;
    let id = serde_json::from_slice::<Id>(&line).map(|line| line.id).unwrap_or_default();
    Ok(before == *b"\n" && id == format!("{}-{offset}", file.number))
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
