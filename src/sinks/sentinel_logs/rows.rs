//! The rows that a batch of events becomes, and which event each is of.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::encoder::Encoder;
use super::layout::Layout;
use model::event::{Batch, Event};
use runtime::quarantine::Reason;

/// The rows of one batch.
pub(super) struct Rows {
    /// What was offered.
    pub(super) events: Batch,
    /// One event a row. The same as `events`, if the layout leaves them as they are.
    pub(super) all: Batch,
    /// Of each row, which event it is of and which table it goes to; nothing if the layout leaves events as they are.
    places: Option<Vec<Place>>,
    /// Events that are in the quarantine already: one that becomes many rows is kept once.
    kept: Mutex<HashSet<usize>>,
}

struct Place {
    event: usize,
    table: &'static str,
}

/// Writes rows, by table.
pub(super) struct Encoders {
    pub(super) layout: Layout,
    /// For rows without a table of a layout.
    pub(super) raw: Encoder,
    pub(super) by_table: HashMap<&'static str, Encoder>,
}

// === impl Rows ===

impl Rows {
    /// The rows of `events`, and the events that have none, with the reason.
    pub(super) fn of(layout: Layout, events: Batch) -> (Self, Vec<(usize, Reason)>) {
        if layout == Layout::Raw {
            let rows = Arc::clone(&events);
            return (Self { events, all: rows, places: None, kept: Mutex::default() }, Vec::new());
        }
        let (mut rows, mut places, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for (event, offered) in events.iter().enumerate() {
            match layout.rows(offered) {
                Ok(found) => {
                    for row in found {
                        rows.push(row.event);
                        places.push(Place { event, table: row.table });
                    }
                }
                Err(reason) => lost.push((event, reason)),
            }
        }
        (Self { events, all: rows.into(), places: Some(places), kept: Mutex::default() }, lost)
    }

    /// The table of a layout that a row goes to.
    pub(super) fn table(&self, row: usize) -> Option<&'static str> {
        self.places.as_ref()?.get(row).map(|place| place.table)
    }

    /// The event that a row is of, and its place in the batch.
    pub(super) fn event(&self, row: usize) -> (usize, &Event) {
        let event = self.places.as_ref().and_then(|places| places.get(row)).map_or(row, |place| place.event);
        (event, &self.events[event])
    }

    /// The events of refused rows, each only once.
    pub(super) fn events_of(&self, refused: Vec<(usize, Reason)>) -> Vec<(usize, Reason)> {
        if self.places.is_none() {
            return refused;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let events = refused.into_iter().map(|(row, reason)| (row, self.event(row).0, reason));
        let new = events.filter(|(_, event, _)| kept.insert(*event));
        let told = new.map(|(row, event, reason)| {
            let table = self.table(row).unwrap_or_default();
            let message = format!("its row for {table}: {}", reason.message);
            (event, Reason { message, ..reason })
        });
        told.collect()
    }
}

// === impl Encoders ===

impl Encoders {
    pub(super) fn of(&self, table: Option<&str>) -> &Encoder {
        table.and_then(|table| self.by_table.get(table)).unwrap_or(&self.raw)
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
