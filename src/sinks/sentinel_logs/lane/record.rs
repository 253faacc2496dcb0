//! What waits in a lane's spool: events, and which of their rows are not delivered yet.
//!
//! Events are kept and not rows, so that the quarantine has the event, and rows are written as the options say when they are sent: a
//! mistake in the file that is mended also mends what waits. If it would change which rows there are, all rows of the lane's tables
//! are sent.

use std::collections::BTreeSet;
use std::io::{Read, Write};
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
    /// Tells whether the options that rows follow from are still the same.
    options: u64,
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
    /// Which of its rows, by their order among the rows of the event.
    rows: Vec<usize>,
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

/// The rows with these indices, which are `noted` if what there is to say of them was counted and logged, and the number of their
/// events. `options` tells the options that they follow from.
pub(super) fn encode(rows: &Rows, chosen: &[usize], noted: bool, options: u64) -> (Bytes, u32) {
    let mut head = Head {
        version: VERSION,
        options,
        now: rows.now(),
        noted,
        tables: BTreeSet::new(),
        events: Vec::new(),
    };
    let mut texts: Vec<Bytes> = Vec::new();
    let mut last = None;
    for row in chosen {
        let (index, event) = rows.event(*row);
        if last != Some(index) {
            last = Some(index);
            let text = event.to_json();
            head.events.push(EventHead { bytes: text.len(), timestamp: event.timestamp(), rows: Vec::new() });
            texts.push(text);
        }
        if let Some(event) = head.events.last_mut() {
            event.rows.push(rows.ordinal(*row));
        }
        if let Some(table) = rows.table(*row)
            && !head.tables.contains(table)
        {
            head.tables.insert(table.to_owned());
        }
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
pub(super) fn decode(
    payload: &[u8],
    encoder: &Encoder,
    options: u64,
    sent: DateTime<Utc>,
) -> Result<Spooled, RecordError> {
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
    let is_same = head.options == options;
    let is_left = |row: &usize| {
        if is_same {
            let (event, _) = rows.event(*row);
            head.events.get(event).is_some_and(|event| event.rows.contains(&rows.ordinal(*row)))
        } else {
            head.tables.is_empty() || rows.table(*row).is_none_or(|table| head.tables.contains(table))
        }
    };
    let chosen = (0..rows.count()).filter(is_left).collect();
    Ok(Spooled { rows: Arc::new(rows), chosen, rowless, noted: head.noted })
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}
