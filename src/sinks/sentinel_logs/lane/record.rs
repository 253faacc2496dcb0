//! What waits in a lane's spool: events, and which of their rows are not delivered yet.
//!
//! Events are kept and not rows, so that the quarantine has the event, and rows are written as the options say when they are sent: a
//! mistake in the file that is mended also mends what waits. If an event has another number of rows by then, all of its rows for the
//! tables that were waited for are sent.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use super::super::encoder::Encoder;
use super::super::rows::Rows;
use model::event::{Batch, Event};
use runtime::quarantine::Reason;

/// The form that is written.
const VERSION: u32 = 1;
/// Level of compression: the disk is not to be waited for, nor the processor.
const LEVEL: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    /// When the events were taken in.
    now: DateTime<Utc>,
    /// Whether it was counted and logged what there is to say of the rows.
    noted: bool,
    /// The layout's tables that rows are for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tables: BTreeSet<String>,
    events: Vec<EventHead>,
}

#[derive(Serialize, Deserialize)]
struct EventHead {
    bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<DateTime<Utc>>,
    /// Which of its rows, by their order among the rows of the event, in that order.
    rows: Vec<usize>,
    /// How many rows it had: with as many, it is taken to have the same.
    of: usize,
}

/// Rows that were read from a spool.
pub(super) struct Spooled {
    pub(super) rows: Arc<Rows>,
    /// Those that are not delivered, by their index.
    pub(super) chosen: Vec<usize>,
    /// Events that have no row any more, because the options have changed, and why.
    pub(super) rowless: Vec<(usize, Reason)>,
    /// Whether it was counted and logged what there is to say of them.
    pub(super) noted: bool,
}

/// Why a record cannot be read.
#[derive(Debug, Error)]
pub(super) enum RecordError {
    #[error("it cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    #[error("its head cannot be read: {0}")]
    Head(#[from] serde_json::Error),
    #[error("it was written by a newer version, in form {0}")]
    Version(u32),
    #[error("it ends too early")]
    Short,
}

/// The rows with these indices, in order, which are `noted` if what there is to say of them was counted and logged; and the number of
/// their events.
pub(super) fn encode(rows: &Rows, chosen: &[usize], noted: bool) -> (Bytes, u32) {
    let mut head =
        Head { version: VERSION, now: rows.now(), noted, tables: BTreeSet::new(), events: Vec::new() };
    let mut texts: Vec<Bytes> = Vec::new();
    let mut last = None;
    for row in chosen {
        let (index, event) = rows.event(*row);
        let of_event = match last {
            Some((known, of_event)) if known == index => of_event,
            _ => {
                let (text, of_event) = (event.to_json(), rows.around(*row));
                let (bytes, timestamp, of) = (text.len(), event.timestamp(), of_event.len());
                head.events.push(EventHead { bytes, timestamp, rows: Vec::new(), of });
                texts.push(text);
                of_event
            }
        };
        if let Some(event) = head.events.last_mut() {
            event.rows.push(row - of_event.start);
        }
        if let Some(table) = rows.table(*row)
            && !head.tables.contains(table)
        {
            head.tables.insert(table.to_owned());
        }
        last = Some((index, of_event));
    }
    let json = json!(head).to_string();
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut gzip = GzEncoder::new(BytesMut::new().writer(), Compression::new(LEVEL));
    let parts = [&length[..], json.as_bytes()].into_iter().chain(texts.iter().map(|text| &text[..]));
    for part in parts {
        // Memory takes all that is written.
        gzip.write_all(part).ok();
    }
    let payload = gzip.finish().map(|writer| writer.into_inner().freeze()).unwrap_or_default();
    (payload, u32::try_from(texts.len()).unwrap_or(u32::MAX))
}

/// The rows of a record, as `encoder` writes them, which are `sent` now.
pub(super) fn decode(payload: &[u8], encoder: &Encoder, sent: DateTime<Utc>) -> Result<Spooled, RecordError> {
    // Written by us, and proved by a checksum: as large as it was when it was written.
    let mut gzip = GzDecoder::new(Vec::new());
    gzip.write_all(payload)?;
    let plain = Bytes::from(gzip.finish()?);
    let mut length = [0; 4];
    plain.get(..4).ok_or(RecordError::Short)?.read_exact(&mut length)?;
    let events_at = 4 + u32::from_le_bytes(length) as usize;
    let head = plain.get(4..events_at).ok_or(RecordError::Short)?;
    let version = serde_json::from_slice::<Version>(head)?.version;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let head: Head = serde_json::from_slice(head)?;
    let (mut events, mut at) = (Vec::new(), events_at);
    for event in &head.events {
        let end = at.checked_add(event.bytes).filter(|end| *end <= plain.len()).ok_or(RecordError::Short)?;
        events.push(Event::new(plain.slice(at..end), event.timestamp));
        at = end;
    }
    let (rows, rowless) = Rows::sent_at(encoder, Batch::from(events), head.now, sent);
    let (mut chosen, mut row) = (Vec::new(), 0);
    while row < rows.count() {
        let of_event = rows.around(row);
        if let Some(event) = head.events.get(rows.event(row).0) {
            chosen.extend(left_of(&head, event, &rows, of_event.clone()));
        }
        row = of_event.end;
    }
    Ok(Spooled { rows: Arc::new(rows), chosen, rowless, noted: head.noted })
}

/// Which of the rows of an event are not delivered.
fn left_of(head: &Head, event: &EventHead, rows: &Rows, of_event: Range<usize>) -> Vec<usize> {
    let is_waited_for = |row: &usize| rows.table(*row).is_none_or(|table| head.tables.contains(table));
    let same: Vec<_> = event.rows.iter().map(|row| of_event.start + row).collect();
    if event.of == of_event.len() && same.iter().all(is_waited_for) {
        return same;
    }
    // The options have changed: all rows of the tables that were waited for, or, if there is none of those any more, all.
    let of_tables: Vec<_> = of_event.clone().filter(is_waited_for).collect();
    if of_tables.is_empty() { of_event.collect() } else { of_tables }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}
