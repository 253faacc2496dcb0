//! A segment: records one behind the other, each with a head that says what follows and proves that it is whole.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::NewRecord;
use crate::files::{File, Files, Open};

/// Bytes of a record's head: the length of the payload, the number of events, the time in milliseconds, and a checksum (CRC-32) of
/// those and the payload; little-endian.
pub(super) const HEAD_BYTES: usize = 4 + 4 + 8 + 4;
/// How the names of segments end.
pub(super) const EXTENSION: &str = "spool";

/// What is known of a record without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) payload_bytes: u32,
    pub(super) events: u32,
    pub(super) time_ms: i64,
    checksum: u32,
}

/// A segment of a spool.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The number of its first record.
    pub(super) first: u64,
    /// Of each of its records, where it begins and its head.
    pub(super) records: Vec<(u64, Head)>,
    /// Bytes of those.
    pub(super) bytes: u64,
    /// Bytes behind those, which are no records.
    pub(super) unread_bytes: u64,
    pub(super) path: PathBuf,
    /// Whether something in it could not be read: then it is kept.
    pub(super) is_damaged: bool,
}

// === impl Head ===

impl Head {
    fn of(record: &NewRecord) -> Option<Self> {
        let mut head = Self {
            payload_bytes: u32::try_from(record.payload.len()).ok()?,
            events: record.events,
            time_ms: record.time.timestamp_millis(),
            checksum: 0,
        };
        head.checksum = head.checksum_with(&record.payload);
        Some(head)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (payload_bytes, rest) = bytes.split_first_chunk()?;
        let (events, rest) = rest.split_first_chunk()?;
        let (time_ms, rest) = rest.split_first_chunk()?;
        let (checksum, _) = rest.split_first_chunk()?;
        Some(Self {
            payload_bytes: u32::from_le_bytes(*payload_bytes),
            events: u32::from_le_bytes(*events),
            time_ms: i64::from_le_bytes(*time_ms),
            checksum: u32::from_le_bytes(*checksum),
        })
    }

    fn fields(&self) -> [u8; HEAD_BYTES - 4] {
        let mut fields = [0; HEAD_BYTES - 4];
        let (payload_bytes, rest) = fields.split_at_mut(4);
        let (events, time_ms) = rest.split_at_mut(4);
        payload_bytes.copy_from_slice(&self.payload_bytes.to_le_bytes());
        events.copy_from_slice(&self.events.to_le_bytes());
        time_ms.copy_from_slice(&self.time_ms.to_le_bytes());
        fields
    }

    fn checksum_with(&self, payload: &[u8]) -> u32 {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.fields());
        checksum.update(payload);
        checksum.finalize()
    }

    /// Bytes of the whole record.
    pub(super) const fn record_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + self.payload_bytes as u64
    }

    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.time_ms)
    }
}

/// Appends a record to `out`, and answers its head; nothing if it is over 4 GB.
pub(super) fn write(record: &NewRecord, out: &mut Vec<u8>) -> Option<Head> {
    let head = Head::of(record)?;
    out.extend_from_slice(&head.fields());
    out.extend_from_slice(&head.checksum.to_le_bytes());
    out.extend_from_slice(&record.payload);
    Some(head)
}

// === impl Segment ===

impl Segment {
    /// One without records, whose first will be `first`.
    pub(super) const fn new(path: PathBuf, first: u64) -> Self {
        Self { first, records: Vec::new(), bytes: 0, unread_bytes: 0, path, is_damaged: false }
    }

    /// Reads which records there are, up to the last that is whole. Payloads are not kept.
    pub(super) fn scan(files: &Files, path: PathBuf, first: u64) -> io::Result<Self> {
        let mut file = files.open(&path, Open::Read)?;
        let size = file.size()?;
        let (mut records, mut whole, mut at) = (Vec::new(), (0, 0), 0);
        let (mut payload, mut is_damaged, mut is_whole) = (Vec::new(), false, true);
        while let Some(head) = read_head(&mut file, at, size)? {
            payload.resize(head.payload_bytes as usize, 0);
            file.read_exact(&mut payload)?;
            records.push((at, head));
            at += head.record_bytes();
            // One that is not whole counts if there is a whole one behind it: then it was, once.
            if head.checksum_with(&payload) == head.checksum {
                whole = (records.len(), at);
                is_damaged |= !is_whole;
            } else {
                is_whole = false;
            }
        }
        records.truncate(whole.0);
        let unread_bytes = size - whole.1;
        is_damaged |= unread_bytes > 0;
        Ok(Self { records, bytes: whole.1, unread_bytes, is_damaged, ..Self::new(path, first) })
    }

    /// Whether the record with that number is in it.
    pub(super) fn has(&self, number: u64) -> bool {
        (self.first..self.end()).contains(&number)
    }

    /// The number behind that of its last record.
    pub(super) const fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// The payload of the record at an offset; nothing if it is not what was written.
    pub(super) fn read(&self, files: &Files, offset: u64, head: &Head) -> io::Result<Option<Vec<u8>>> {
        let mut file = files.open(&self.path, Open::Read)?;
        if read_head(&mut file, offset, self.bytes)?.as_ref() != Some(head) {
            return Ok(None);
        }
        let mut payload = vec![0; head.payload_bytes as usize];
        file.read_exact(&mut payload)?;
        Ok((head.checksum_with(&payload) == head.checksum).then_some(payload))
    }
}

/// The head of the record at an offset; nothing if there is none that fits into `size`. The file is then at the payload.
fn read_head(file: &mut File, offset: u64, size: u64) -> io::Result<Option<Head>> {
    if offset + HEAD_BYTES as u64 > size {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut head)?;
    Ok(Head::read(&head).filter(|head| offset + head.record_bytes() <= size))
}
