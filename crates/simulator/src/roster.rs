//! All incidents of the tenant, with the indexes that listing them needs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::edit::Edit;
use super::graph_dialect::UPDATED;
use super::incident::{self, Subject, mixed};
use super::json::Json;
use super::life::{Change, Event, Facts};
use super::members;
use super::odata::{Field, Filter, Order, Query};
use super::stats::Revision;
use super::ticks::Ticks;
use super::words::SEVERITIES;

/// How many listings are remembered, so that every page of one does not sort the tenant again.
const REMEMBERED: usize = 8;

/// What a listing found.
#[derive(Debug)]
pub(super) struct Page {
    /// How many match, on all pages.
    pub(super) total: usize,
    pub(super) revisions: Vec<Revision>,
}

#[derive(Debug)]
struct Listing {
    filter: Filter,
    order: Option<Order>,
    generation: u64,
    places: Arc<[u32]>,
}

/// One incident: its events, or what a test put in.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: Box<str>,
    pub(super) events: Vec<Event>,
    /// How many of the events readers see.
    pub(super) visible: usize,
    pub(super) raw: Option<Box<Value>>,
}

/// All of them, and where they are.
#[derive(Debug)]
pub(super) struct Roster {
    seed: u64,
    tenant_id: String,
    evidence_per_alert: usize,
    indexing_delay: Duration,
    slots: Vec<Slot>,
    places: BTreeMap<Box<str>, u32>,
    by_update: BTreeSet<(Ticks, u32)>,
    /// Events that readers do not see yet, by when they will.
    hidden: BTreeMap<(Ticks, u64), u32>,
    hidden_so_far: u64,
    next_id: u64,
    /// Goes up whenever a listing could come out differently.
    generation: u64,
    listings: VecDeque<Listing>,
}

// === impl Roster ===

impl Roster {
    pub(super) fn new(
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
            places: BTreeMap::new(),
            by_update: BTreeSet::new(),
            hidden: BTreeMap::new(),
            hidden_so_far: 0,
            next_id: 1001,
            generation: 0,
            listings: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn place_of(&self, id: &str) -> Option<u32> {
        self.places.get(id).copied()
    }

    pub(super) fn id_of(&self, place: u32) -> Option<String> {
        self.slots.get(place as usize).map(|slot| slot.id.to_string())
    }

    /// Opens an incident and says where it is.
    pub(super) fn open(&mut self, alerts: u16, at: Ticks, now: Ticks) -> u32 {
        let id = self.fresh_id();
        let place = self.take_place(id, None);
        self.add(place, Change::Opened { alerts }, at, now);
        place
    }

    /// Puts in (or replaces) an incident as a test wrote it.
    pub(super) fn insert_raw(&mut self, mut raw: Value, at: Ticks, now: Ticks) -> String {
        let id = match raw.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.fresh_id(),
        };
        if let Some(object) = raw.as_object_mut() {
            object.insert("id".to_owned(), json!(id));
            object.entry("lastUpdateDateTime").or_insert_with(|| json!(at.text()));
        }
        let at = text(&raw, "lastUpdateDateTime").and_then(Ticks::parse).unwrap_or(at);
        let place = match self.place_of(&id) {
            Some(place) => {
                self.forget(place);
                if let Some(slot) = self.slots.get_mut(place as usize) {
                    slot.raw = Some(Box::new(raw));
                }
                place
            }
            None => self.take_place(id.clone(), Some(Box::new(raw))),
        };
        self.add(place, Change::Touched, at, now);
        id
    }

    /// Lets something happen to the incident in that place.
    pub(super) fn add(&mut self, place: u32, change: Change, at: Ticks, now: Ticks) {
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        let earliest = slot.events.last().map_or(Ticks::MIN, |event| event.visible_from);
        let visible_from = at.min(now).plus(self.indexing_delay).max(earliest);
        slot.events.push(Event { at, visible_from, change });
        self.hidden.insert((visible_from, self.hidden_so_far), place);
        self.hidden_so_far += 1;
        self.reveal(now);
    }

    /// Moves the time of an incident. False if there is no such incident.
    pub(super) fn touch(&mut self, id: &str, at: Ticks, now: Ticks) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        self.add(place, Change::Touched, at, now);
        true
    }

    /// Does to the incident in that place what somebody asked for.
    pub(super) fn edit(&mut self, place: u32, edit: Edit, at: Ticks, now: Ticks) {
        let raw = self.slots.get_mut(place as usize).and_then(|slot| slot.raw.as_deref_mut());
        let change = match raw.and_then(Value::as_object_mut) {
            Some(raw) => {
                edit.apply_to(raw, &at.text());
                Change::Touched
            }
            None => Change::Edited(Arc::new(edit)),
        };
        self.add(place, change, at, now);
    }

    /// Makes an incident part of another one, and says how many alerts that one gains.
    pub(super) fn merge(&mut self, place: u32, into: u32, at: Ticks, now: Ticks) -> u16 {
        let target = self.id_of(into);
        let mut moved = self.facts(place).map_or(0, |facts| facts.alerts.len());
        let raw = self.slots.get_mut(place as usize).and_then(|slot| slot.raw.as_deref_mut());
        if let Some(raw) = raw.and_then(Value::as_object_mut) {
            moved = raw.get("alerts").and_then(Value::as_array).map_or(0, Vec::len);
            raw.extend([
                ("status".to_owned(), json!("redirected")),
                ("redirectIncidentId".to_owned(), json!(target)),
                ("alerts".to_owned(), json!([])),
            ]);
        }
        self.add(place, Change::Merged { into }, at, now);
        u16::try_from(moved).unwrap_or(u16::MAX)
    }

    /// Whether an incident became part of another one.
    pub(super) fn is_merged(&self, place: u32) -> bool {
        let raw = self.slots.get(place as usize).and_then(|slot| slot.raw.as_deref());
        match raw {
            Some(raw) => text(raw, "status") == Some("redirected"),
            None => self.facts(place).is_some_and(|facts| facts.merged_into.is_some()),
        }
    }

    /// The time of what happened to an incident last, visible or not.
    pub(super) fn last_change(&self, place: u32) -> Ticks {
        let events = self.slots.get(place as usize).map(|slot| slot.events.as_slice()).unwrap_or_default();
        events.iter().map(|event| event.at).max().unwrap_or(Ticks::MIN)
    }

    /// Shows readers what they may see by now.
    pub(super) fn reveal(&mut self, now: Ticks) {
        while let Some(entry) = self.hidden.first_entry().filter(|entry| entry.key().0 <= now) {
            let place = entry.remove();
            let Some(slot) = self.slots.get_mut(place as usize) else { continue };
            if let Some(seen) = slot.seen() {
                self.by_update.remove(&(seen, place));
            }
            slot.visible += 1;
            if let Some(seen) = slot.seen() {
                self.by_update.insert((seen, place));
            }
            self.generation += 1;
        }
    }

    /// All events of an incident, the hidden ones too; `None` for one that a test put in.
    pub(super) fn facts(&self, place: u32) -> Option<Facts<'_>> {
        let slot = self.slots.get(place as usize)?;
        slot.raw.is_none().then(|| self.facts_after(place, &slot.events))
    }

    /// The visible revision of every incident, oldest first.
    pub(super) fn current(&self) -> Vec<Revision> {
        self.by_update.iter().filter_map(|(_, place)| self.revision(*place)).collect()
    }

    /// Appends a part of a listing, and says what it found.
    pub(super) fn list(&mut self, query: &Query, json: &mut Json) -> Page {
        let places = self.listing(&query.filter, query.order);
        let page = places.get(query.window(places.len())).unwrap_or_default();
        let revisions = page.iter().filter_map(|place| self.render(*place, query.expands, json)).collect();
        Page { total: places.len(), revisions }
    }

    /// Appends one incident if readers see it, as they do.
    pub(super) fn render(&self, place: u32, with_alerts: bool, json: &mut Json) -> Option<Revision> {
        let shown = self.slots.get(place as usize)?.shown();
        self.render_after(place, shown, with_alerts, json)?;
        self.revision(place)
    }

    /// Appends one incident as it is, whether readers see it yet or not.
    pub(super) fn render_latest(&self, place: u32, with_alerts: bool, json: &mut Json) -> Option<()> {
        let events = &self.slots.get(place as usize)?.events;
        self.render_after(place, events, with_alerts, json)
    }

    fn render_after(&self, place: u32, events: &[Event], with_alerts: bool, json: &mut Json) -> Option<()> {
        let slot = self.slots.get(place as usize)?;
        let seen = events.last()?.at;
        if let Some(raw) = &slot.raw {
            let mut raw = raw.clone();
            if let Some(object) = raw.as_object_mut() {
                object.insert("lastUpdateDateTime".to_owned(), json!(slot.last_update(seen, events.len())));
                if !with_alerts {
                    object.shift_remove("alerts");
                }
            }
            if !json.shows_newer() {
                members::hide(&mut raw);
            }
            json.raw_item(&raw);
        } else {
            let facts = self.facts_after(place, events);
            let into = facts.merged_into.and_then(|place| self.slots.get(place as usize));
            let subject = Subject {
                id: &slot.id,
                seed: mixed(self.seed, place.into()),
                tenant_id: &self.tenant_id,
                redirect: into.map(|slot| &*slot.id),
            };
            incident::render(json, &subject, &facts, with_alerts);
        }
        Some(())
    }

    /// Every place, the one that something happened to last at the end.
    pub(super) fn by_last_change(&self) -> Vec<u32> {
        let mut places: Vec<u32> = self.places.values().copied().collect();
        places.sort_by_cached_key(|place| (self.last_change(*place), *place));
        places
    }

    fn listing(&mut self, filter: &Filter, order: Option<Order>) -> Arc<[u32]> {
        let generation = self.generation;
        self.listings.retain(|listing| listing.generation == generation);
        let known = self.listings.iter().find(|known| known.order == order && known.filter == *filter);
        if let Some(known) = known {
            return Arc::clone(&known.places);
        }
        let mut found = self.matching(filter);
        match order {
            None => found.sort_by_cached_key(|place| mixed(self.seed, u64::from(*place))),
            Some(order) if order.descending => found.reverse(),
            Some(_) => {}
        }
        let places: Arc<[u32]> = found.into();
        self.listings.truncate(REMEMBERED - 1);
        self.listings.push_front(Listing {
            filter: filter.clone(),
            order,
            generation,
            places: Arc::clone(&places),
        });
        places
    }

    /// The places of what matches, oldest update first.
    fn matching(&self, filter: &Filter) -> Vec<u32> {
        let (from, to) = filter.range(UPDATED);
        if from > to {
            return Vec::new();
        }
        let places = self.by_update.range((from, 0)..=(to, u32::MAX)).map(|(_, place)| *place);
        if filter.is_about(UPDATED) {
            places.collect()
        } else {
            places.filter(|place| self.matches(*place, filter)).collect()
        }
    }

    fn matches(&self, place: u32, filter: &Filter) -> bool {
        let Some(slot) = self.slots.get(place as usize) else { return false };
        let updated = slot.seen().map(Field::Time);
        if let Some(raw) = &slot.raw {
            return filter.matches(|property| match property {
                UPDATED => updated,
                "createdDateTime" => text(raw, property).and_then(Ticks::parse).map(Field::Time),
                property => text(raw, property).map(Field::Text),
            });
        }
        let facts = self.facts_after(place, slot.shown());
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

    fn facts_after<'a>(&self, place: u32, events: &'a [Event]) -> Facts<'a> {
        let severity = mixed(self.seed, place.into()) % SEVERITIES.len() as u64;
        Facts::after(events, u8::try_from(severity).unwrap_or_default(), self.evidence_per_alert)
    }

    fn revision(&self, place: u32) -> Option<Revision> {
        let slot = self.slots.get(place as usize)?;
        Some(Revision { id: slot.id.to_string(), last_update: slot.last_update(slot.seen()?, slot.visible) })
    }

    fn fresh_id(&mut self) -> String {
        loop {
            let id = self.next_id.to_string();
            self.next_id += 1;
            if !self.places.contains_key(id.as_str()) {
                return id;
            }
        }
    }

    fn take_place(&mut self, id: String, raw: Option<Box<Value>>) -> u32 {
        let place = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let id = id.into_boxed_str();
        self.places.insert(id.clone(), place);
        self.slots.push(Slot { id, events: Vec::new(), visible: 0, raw });
        place
    }

    /// Forgets everything that happened to an incident.
    fn forget(&mut self, place: u32) {
        self.hidden.retain(|_, hidden| *hidden != place);
        self.by_update.retain(|(_, seen)| *seen != place);
        if let Some(slot) = self.slots.get_mut(place as usize) {
            slot.events.clear();
            slot.visible = 0;
        }
        self.generation += 1;
    }
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
