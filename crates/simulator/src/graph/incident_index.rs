//! All incidents of the tenant, with the indexes that listing them needs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::core::odata::{Field, Filter, Order, Query};
use crate::core::random::mixed;
use crate::core::stats::Revision;
use crate::core::text::SEVERITIES;
use crate::core::ticks::Ticks;
use crate::graph::dialect::UPDATED;
use crate::graph::edit::Edit;
use crate::graph::incident::{self, Subject};
use crate::graph::lifecycle::{Change, Event, Facts};

/// How many listings are remembered, so that every page of one does not sort the tenant again.
const REMEMBERED: usize = 8;

/// What a listing found.
#[derive(Debug)]
pub(crate) struct Page {
    /// How many match, on all pages.
    pub(crate) total: usize,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) incidents: Vec<Value>,
}

#[derive(Debug)]
struct Listing {
    filter: Filter,
    order: Option<Order>,
    generation: u64,
    positions: Arc<[u32]>,
}

/// One incident: its events, or what a test put in.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: Box<str>,
    pub(crate) events: Vec<Event>,
    /// How many of the events readers see.
    pub(crate) visible: usize,
    pub(crate) raw: Option<Box<Value>>,
}

/// All of them, and where they are.
#[derive(Debug)]
pub(crate) struct IncidentIndex {
    seed: u64,
    tenant_id: String,
    evidence_per_alert: usize,
    indexing_delay: Duration,
    slots: Vec<Slot>,
    positions: BTreeMap<Box<str>, u32>,
    by_update: BTreeSet<(Ticks, u32)>,
    /// Events that readers do not see yet, by when they will.
    hidden: BTreeMap<(Ticks, u64), u32>,
    hidden_so_far: u64,
    next_id: u64,
    /// Goes up whenever a listing could come out differently.
    generation: u64,
    listings: VecDeque<Listing>,
}

// === impl IncidentIndex ===

impl IncidentIndex {
    pub(crate) fn new(
        seed: u64,
        tenant_id: String,
        evidence_per_alert: usize,
        indexing_delay: Duration,
    ) -> Self {
        Self {
            seed,
            tenant_id,
            evidence_per_alert,
            indexing_delay,
            slots: Vec::new(),
            positions: BTreeMap::new(),
            by_update: BTreeSet::new(),
            hidden: BTreeMap::new(),
            hidden_so_far: 0,
            next_id: 1001,
            generation: 0,
            listings: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn position_of(&self, id: &str) -> Option<u32> {
        self.positions.get(id).copied()
    }

    pub(crate) fn id_of(&self, position: u32) -> Option<String> {
        self.slots.get(position as usize).map(|slot| slot.id.to_string())
    }

    /// Opens an incident and says where it is.
    pub(crate) fn open(&mut self, alerts: u16, at: Ticks, now: Ticks) -> u32 {
        let id = self.fresh_id();
        let position = self.take_position(id, None);
        self.add(position, Change::Opened { alerts }, at, now);
        position
    }

    /// Puts in (or replaces) an incident as a test wrote it.
    pub(crate) fn insert_raw(&mut self, mut raw: Value, at: Ticks, now: Ticks) -> String {
        let id = match raw.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.fresh_id(),
        };
        if let Some(object) = raw.as_object_mut() {
            object.insert("id".to_owned(), json!(id));
            object.entry("lastUpdateDateTime").or_insert_with(|| json!(at.text()));
        }
        let at = text(&raw, "lastUpdateDateTime").and_then(Ticks::parse).unwrap_or(at);
        let position = match self.position_of(&id) {
            Some(position) => {
                self.forget(position);
                if let Some(slot) = self.slots.get_mut(position as usize) {
                    slot.raw = Some(Box::new(raw));
                }
                position
            }
            None => self.take_position(id.clone(), Some(Box::new(raw))),
        };
        self.add(position, Change::Touched, at, now);
        id
    }

    /// Lets something happen to the incident at that position.
    pub(crate) fn add(&mut self, position: u32, change: Change, at: Ticks, now: Ticks) {
        let Some(slot) = self.slots.get_mut(position as usize) else { return };
        let earliest = slot.events.last().map_or(Ticks::MIN, |event| event.visible_from);
        let visible_from = at.min(now).plus(self.indexing_delay).max(earliest);
        slot.events.push(Event { at, visible_from, change });
        self.hidden.insert((visible_from, self.hidden_so_far), position);
        self.hidden_so_far += 1;
        self.reveal(now);
    }

    /// Moves the time of an incident. False if there is no such incident.
    pub(crate) fn touch(&mut self, id: &str, at: Ticks, now: Ticks) -> bool {
        let Some(position) = self.position_of(id) else { return false };
        self.add(position, Change::Touched, at, now);
        true
    }

    /// Does to the incident at that position what somebody asked for.
    pub(crate) fn edit(&mut self, position: u32, edit: Edit, at: Ticks, now: Ticks) {
        let raw = self.slots.get_mut(position as usize).and_then(|slot| slot.raw.as_deref_mut());
        let change = match raw.and_then(Value::as_object_mut) {
            Some(raw) => {
                edit.apply_to(raw, &at.text());
                Change::Touched
            }
            None => Change::Edited(Arc::new(edit)),
        };
        self.add(position, change, at, now);
    }

    /// Makes an incident part of another one, and says how many alerts that one gains.
    pub(crate) fn merge(&mut self, position: u32, into: u32, at: Ticks, now: Ticks) -> u16 {
        let target = self.id_of(into);
        let mut moved = self.facts(position).map_or(0, |facts| facts.alerts.len());
        let raw = self.slots.get_mut(position as usize).and_then(|slot| slot.raw.as_deref_mut());
        if let Some(raw) = raw.and_then(Value::as_object_mut) {
            moved = raw.get("alerts").and_then(Value::as_array).map_or(0, Vec::len);
            raw.extend([
                ("status".to_owned(), json!("redirected")),
                ("redirectIncidentId".to_owned(), json!(target)),
                ("alerts".to_owned(), json!([])),
            ]);
        }
        self.add(position, Change::Merged { into }, at, now);
        u16::try_from(moved).unwrap_or(u16::MAX)
    }

    /// Whether an incident became part of another one.
    pub(crate) fn is_merged(&self, position: u32) -> bool {
        let raw = self.slots.get(position as usize).and_then(|slot| slot.raw.as_deref());
        match raw {
            Some(raw) => text(raw, "status") == Some("redirected"),
            None => self.facts(position).is_some_and(|facts| facts.merged_into.is_some()),
        }
    }

    /// The time of what happened to an incident last, visible or not.
    pub(crate) fn last_change(&self, position: u32) -> Ticks {
        let events = self.slots.get(position as usize).map(|slot| slot.events.as_slice()).unwrap_or_default();
        events.iter().map(|event| event.at).max().unwrap_or(Ticks::MIN)
    }

    /// Shows readers what they may see by now.
    pub(crate) fn reveal(&mut self, now: Ticks) {
        while let Some(entry) = self.hidden.first_entry().filter(|entry| entry.key().0 <= now) {
            let position = entry.remove();
            let Some(slot) = self.slots.get_mut(position as usize) else { continue };
            if let Some(seen) = slot.seen() {
                self.by_update.remove(&(seen, position));
            }
            slot.visible += 1;
            if let Some(seen) = slot.seen() {
                self.by_update.insert((seen, position));
            }
            self.generation += 1;
        }
    }

    /// All events of an incident, the hidden ones too; `None` for one that a test put in.
    pub(crate) fn facts(&self, position: u32) -> Option<Facts<'_>> {
        let slot = self.slots.get(position as usize)?;
        slot.raw.is_none().then(|| self.facts_after(position, &slot.events))
    }

    /// The visible revision of every incident, oldest first.
    pub(crate) fn current(&self) -> Vec<Revision> {
        self.by_update.iter().filter_map(|(_, position)| self.revision(*position)).collect()
    }

    /// A part of a listing.
    pub(crate) fn list(&mut self, query: &Query) -> Page {
        let positions = self.listing(&query.filter, query.order);
        let page = positions.get(query.window(positions.len())).unwrap_or_default();
        let found = page.iter().filter_map(|position| self.shown(*position, query.expands));
        let (revisions, incidents) = found.unzip();
        Page { total: positions.len(), revisions, incidents }
    }

    /// One incident if readers see it, as they do.
    pub(crate) fn shown(&self, position: u32, with_alerts: bool) -> Option<(Revision, Value)> {
        let shown = self.slots.get(position as usize)?.shown();
        Some((self.revision(position)?, self.after(position, shown, with_alerts)?))
    }

    /// One incident as it is, whether readers see it yet or not.
    pub(crate) fn latest(&self, position: u32, with_alerts: bool) -> Option<Value> {
        let events = &self.slots.get(position as usize)?.events;
        self.after(position, events, with_alerts)
    }

    fn after(&self, position: u32, events: &[Event], with_alerts: bool) -> Option<Value> {
        let slot = self.slots.get(position as usize)?;
        let seen = events.last()?.at;
        if let Some(raw) = &slot.raw {
            let mut raw = Value::clone(raw);
            if let Some(object) = raw.as_object_mut() {
                object.insert("lastUpdateDateTime".to_owned(), json!(slot.last_update(seen, events.len())));
                if !with_alerts {
                    object.shift_remove("alerts");
                }
            }
            return Some(raw);
        }
        let facts = self.facts_after(position, events);
        let into = facts.merged_into.and_then(|position| self.slots.get(position as usize));
        let subject = Subject {
            id: &slot.id,
            seed: mixed(self.seed, position.into()),
            tenant_id: &self.tenant_id,
            redirect: into.map(|slot| &*slot.id),
        };
        Some(incident::shown(&subject, &facts, with_alerts))
    }

    /// Every position, the one that something happened to last at the end.
    pub(crate) fn by_last_change(&self) -> Vec<u32> {
        let mut positions: Vec<u32> = self.positions.values().copied().collect();
        positions.sort_by_cached_key(|position| (self.last_change(*position), *position));
        positions
    }

    fn listing(&mut self, filter: &Filter, order: Option<Order>) -> Arc<[u32]> {
        let generation = self.generation;
        self.listings.retain(|listing| listing.generation == generation);
        let known = self.listings.iter().find(|known| known.order == order && known.filter == *filter);
        if let Some(known) = known {
            return Arc::clone(&known.positions);
        }
        let mut found = self.matching(filter);
        match order {
            None => found.sort_by_cached_key(|position| mixed(self.seed, u64::from(*position))),
            Some(order) if order.descending => found.reverse(),
            Some(_) => {}
        }
        let positions: Arc<[u32]> = found.into();
        self.listings.truncate(REMEMBERED - 1);
        self.listings.push_front(Listing {
            filter: filter.clone(),
            order,
            generation,
            positions: Arc::clone(&positions),
        });
        positions
    }

    /// The positions of what matches, oldest update first.
    fn matching(&self, filter: &Filter) -> Vec<u32> {
        let (from, to) = filter.range(UPDATED);
        if from > to {
            return Vec::new();
        }
        let positions = self.by_update.range((from, 0)..=(to, u32::MAX)).map(|(_, position)| *position);
        if filter.is_about(UPDATED) {
            positions.collect()
        } else {
            positions.filter(|position| self.matches(*position, filter)).collect()
        }
    }

    fn matches(&self, position: u32, filter: &Filter) -> bool {
        let Some(slot) = self.slots.get(position as usize) else { return false };
        let updated = slot.seen().map(Field::Time);
        if let Some(raw) = &slot.raw {
            return filter.matches(|property| match property {
                UPDATED => updated,
                "createdDateTime" => text(raw, property).and_then(Ticks::parse).map(Field::Time),
                property => text(raw, property).map(Field::Text),
            });
        }
        let facts = self.facts_after(position, slot.shown());
        filter.matches(|property| match property {
            UPDATED => updated,
            "createdDateTime" => Some(Field::Time(facts.created)),
            "status" => Some(Field::Text(facts.status)),
            "severity" => Some(Field::Text(facts.severity)),
            "assignedTo" => facts.assigned_to.map(Field::Text),
            "classification" => Some(Field::Text(facts.classification)),
            "determination" => Some(Field::Text(facts.determination)),
            _ => None,
        })
    }

    fn facts_after<'a>(&self, position: u32, events: &'a [Event]) -> Facts<'a> {
        let severity = mixed(self.seed, position.into()) % SEVERITIES.len() as u64;
        Facts::after(events, u8::try_from(severity).unwrap_or_default(), self.evidence_per_alert)
    }

    fn revision(&self, position: u32) -> Option<Revision> {
        let slot = self.slots.get(position as usize)?;
        Some(Revision { id: slot.id.to_string(), last_update: slot.last_update(slot.seen()?, slot.visible) })
    }

    fn fresh_id(&mut self) -> String {
        loop {
            let id = self.next_id.to_string();
            self.next_id += 1;
            if !self.positions.contains_key(id.as_str()) {
                return id;
            }
        }
    }

    fn take_position(&mut self, id: String, raw: Option<Box<Value>>) -> u32 {
        let position = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let id = id.into_boxed_str();
        self.positions.insert(id.clone(), position);
        self.slots.push(Slot { id, events: Vec::new(), visible: 0, raw });
        position
    }

    /// Forgets everything that happened to an incident.
    fn forget(&mut self, position: u32) {
        self.hidden.retain(|_, hidden| *hidden != position);
        self.by_update.retain(|(_, seen)| *seen != position);
        if let Some(slot) = self.slots.get_mut(position as usize) {
            slot.events.clear();
            slot.visible = 0;
        }
        self.generation += 1;
    }
}

// === impl Slot ===

impl Slot {
    pub(crate) fn shown(&self) -> &[Event] {
        self.events.get(..self.visible).unwrap_or(&self.events)
    }

    /// The `lastUpdateDateTime` that readers see.
    pub(crate) fn seen(&self) -> Option<Ticks> {
        self.shown().last().map(|event| event.at)
    }

    /// The text of `seen`, after so many events; what a test wrote is kept to the letter until something happens to it.
    pub(crate) fn last_update(&self, seen: Ticks, events: usize) -> String {
        let written = self.raw.as_deref().and_then(|raw| text(raw, "lastUpdateDateTime"));
        written.filter(|_| events == 1).map_or_else(|| seen.text(), str::to_owned)
    }
}

/// A text property of an object.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
