//! One incident of the tenant, as the roster keeps it.

use serde_json::Value;

use super::life::Event;
use super::ticks::Ticks;

/// One incident: its events, or what a test put in.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: Box<str>,
    pub(super) events: Vec<Event>,
    /// How many of the events readers see.
    pub(super) visible: usize,
    pub(super) raw: Option<Box<Value>>,
}

// === impl Slot ===

impl Slot {
    pub(super) fn shown(&self) -> &[Event] {
        self.events.get(..self.visible).unwrap_or(&self.events)
    }

    /// The `lastUpdateDateTime` that readers see.
    pub(super) fn seen(&self) -> Option<Ticks> {
        self.shown().last().map(|event| event.at)
    }

    /// The text of `seen`, after so many events; what a test wrote is kept to the letter until something happens to it.
    pub(super) fn last_update(&self, seen: Ticks, events: usize) -> String {
        let written = self.raw.as_deref().and_then(|raw| text(raw, "lastUpdateDateTime"));
        written.filter(|_| events == 1).map_or_else(|| seen.text(), str::to_owned)
    }
}

/// A text property of an object.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
