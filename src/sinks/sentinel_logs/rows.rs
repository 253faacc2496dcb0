//! The rows that a batch of events becomes, and which event each is of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::encoder::{Encoder, FieldsEncoder, RowFormat, RowNotes};
use super::layout::TableRows;
use super::row_time::RowTime;
use super::spread::Spread;
use model::event::{Batch, Event};
use runtime::quarantine::Reason;

/// Rows of one batch, and which event each is of.
pub struct Rows {
    /// What was offered.
    pub(super) events: Batch,
    /// When they were taken in.
    now: DateTime<Utc>,
    texts: RowTexts,
    /// Events that are in the quarantine already: one that becomes many rows is kept once.
    quarantined: Mutex<BTreeSet<usize>>,
}

/// Where the texts of rows are.
enum RowTexts {
    /// In the events: each is a row, and written when it is asked for.
    Events {
        encoder: Arc<FieldsEncoder>,
        now: RowTime,
        /// The incidents, by their index, whose alerts are spread over columns or rows.
        spread: BTreeMap<usize, Spread>,
        /// Of each row the event's index, and which of its parts; empty if each event is one row.
        parts: Vec<(usize, usize)>,
    },
    /// A layout has written them.
    Written(TableRows),
}

// === impl Rows ===

impl Rows {
    /// Rows of `events`, whose time is `now` if they do not say when they happened; and the events that have none, by their
    /// index in the batch, with the reason.
    pub fn new(encoder: &Encoder, events: Batch, now: DateTime<Utc>) -> (Self, Vec<(usize, Reason)>) {
        Self::of(encoder, events, RowTime::of(now))
    }

    /// The same for rows that are `sent` later.
    pub(super) fn sent_at(
        encoder: &Encoder,
        events: Batch,
        now: DateTime<Utc>,
        sent: DateTime<Utc>,
    ) -> (Self, Vec<(usize, Reason)>) {
        Self::of(encoder, events, RowTime::sent_at(now, sent))
    }

    fn of(encoder: &Encoder, events: Batch, time: RowTime) -> (Self, Vec<(usize, Reason)>) {
        let (texts, rowless) = match &encoder.0 {
            RowFormat::Fields(encoder) => (RowTexts::of_events(encoder, &events, time), Vec::new()),
            RowFormat::Tables(encoder) => {
                let (written, rowless) = TableRows::of(encoder, &events, time);
                (RowTexts::Written(written), rowless)
            }
        };
        (Self { events, now: time.now, texts, quarantined: Mutex::default() }, rowless)
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        match &self.texts {
            RowTexts::Events { parts, .. } => parts.len().max(self.events.len()),
            RowTexts::Written(rows) => rows.count(),
        }
    }

    /// Name of the layout's table that a row goes to; nothing if the options say where it goes.
    pub fn table(&self, row: usize) -> Option<&'static str> {
        match &self.texts {
            RowTexts::Events { .. } => None,
            RowTexts::Written(rows) => rows.origin(row).map(|origin| origin.table),
        }
    }

    /// The event that a row is of, and its index in the batch.
    pub(super) fn event(&self, row: usize) -> (usize, &Event) {
        let event = match &self.texts {
            RowTexts::Events { parts, .. } => part_of(row, parts).0,
            RowTexts::Written(rows) => rows.origin(row).map_or(row, |origin| origin.event),
        };
        (event, &self.events[event])
    }

    /// All rows of the event that a row is of.
    pub(super) fn around(&self, row: usize) -> Range<usize> {
        let event = self.event(row).0;
        let is_of_it = |other: &usize| self.event(*other).0 == event;
        let start = row - (0..row).rev().take_while(is_of_it).count();
        start..row + (row..self.count()).take_while(is_of_it).count()
    }

    /// How many of the first of `chosen` have events of at most so many bytes together, but at least those of one event.
    pub(super) fn count_within(&self, chosen: &[usize], bytes: usize) -> usize {
        let (mut total, mut last) = (0, None);
        let is_within = |row: &&usize| {
            let (index, event) = self.event(**row);
            if last != Some(index) {
                total += event.to_json().len();
            }
            let is_first = last.is_none_or(|last| last == index);
            if is_first || total <= bytes {
                last = Some(index);
            }
            is_first || total <= bytes
        };
        chosen.iter().take_while(is_within).count()
    }

    /// When the events were taken in: the time of those that do not tell their own.
    pub(super) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Appends a row to `out`, and answers what there is to say of it. If it cannot be sent, `out` is as before.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<RowNotes, Reason> {
        match &self.texts {
            RowTexts::Events { encoder, now, spread, parts } => {
                let (event, part) = part_of(row, parts);
                match spread.get(&event) {
                    None => encoder.write_row(&self.events[event], *now, out),
                    Some(spread) => spread.write_row(part, out),
                }
            }
            RowTexts::Written(rows) => rows.copy(row, out),
        }
    }

    /// The events of refused rows, each only once.
    pub(super) fn events_of(&self, refused: Vec<(usize, Reason)>) -> Vec<(usize, Reason)> {
        let is_one_each = matches!(&self.texts, RowTexts::Events { parts, .. } if parts.is_empty());
        if is_one_each {
            return refused;
        }
        let mut quarantined = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = Vec::new();
        for (row, reason) in refused {
            let event = self.event(row).0;
            if quarantined.insert(event) {
                let table = self.table(row).map(|table| format!("its row for {table}: ")).unwrap_or_default();
                let message = format!("{table}{}", reason.message);
                events.push((event, Reason { message, ..reason }));
            }
        }
        events
    }
}

/// The event that a row is of, and which part of it.
fn part_of(row: usize, parts: &[(usize, usize)]) -> (usize, usize) {
    parts.get(row).copied().unwrap_or((row, 0))
}

// === impl RowTexts ===

impl RowTexts {
    fn of_events(encoder: &Arc<FieldsEncoder>, events: &[Event], now: RowTime) -> Self {
        let spread = |(index, event)| Some((index, encoder.spread(event, now)?));
        let spread: BTreeMap<usize, Spread> = events.iter().enumerate().filter_map(spread).collect();
        let parts = |event| (0..spread.get(&event).map_or(1, Spread::count)).map(move |part| (event, part));
        let parts = if spread.is_empty() { Vec::new() } else { (0..events.len()).flat_map(parts).collect() };
        Self::Events { encoder: Arc::clone(encoder), now, spread, parts }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
