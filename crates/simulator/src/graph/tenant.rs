//! A tenant that lives: incidents are opened, grow, get assigned, are resolved and merged.

use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::config::IncidentsConfig;
use crate::core::clock::SimClock;
use crate::core::odata::Query;
use crate::core::stats::Revision;
use crate::core::store::{Store, Times};
use crate::core::ticks::Ticks;
use crate::graph::edit::Edit;
use crate::graph::incident_index::{IncidentIndex, Page};
use crate::graph::lifecycle::{self, Change};

/// The incidents of the simulated tenant. What happens is decided by a seeded generator, so the
/// sequence repeats; the times come from the clock.
#[derive(Debug)]
pub struct Tenant {
    alerts_per_incident: u16,
    store: Store<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    index: IncidentIndex,
}

// === impl Tenant ===

impl Tenant {
    pub(crate) fn new(seed: u64, tenant_id: String, config: &IncidentsConfig, clock: SimClock) -> Self {
        let index = IncidentIndex::new(seed, tenant_id, config.evidence_per_alert, config.indexing_delay);
        let store = Store::new(clock, State { rng: Rng::with_seed(seed), index });
        let alerts_per_incident = u16::try_from(config.alerts_per_incident).unwrap_or(u16::MAX);
        store.change(|state, times| state.settle(config, alerts_per_incident, times));
        Self { alerts_per_incident, store }
    }

    /// Opens `n` incidents now and returns their ids.
    pub fn create(&self, n: usize) -> Vec<String> {
        self.store.change(|State { index, .. }, times| {
            let positions = (0..n).map(|_| index.open(self.alerts_per_incident, times.next(), times.now));
            let positions: Vec<_> = positions.collect();
            positions.into_iter().filter_map(|position| index.id_of(position)).collect()
        })
    }

    /// Lets one random thing happen.
    pub fn step(&self) {
        self.store.change(|state, times| state.step(self.alerts_per_incident, times));
    }

    /// Lets one random thing happen that was due at that time.
    pub(crate) fn step_at(&self, due: DateTime<Utc>) {
        let due = Ticks::of(due);
        self.store.change_at(due, |state, times| state.step(self.alerts_per_incident, times));
    }

    /// Moves `lastUpdateDateTime` of an incident to now. False if there is no such incident.
    pub fn touch(&self, id: &str) -> bool {
        self.store.change(|State { index, .. }, times| index.touch(id, times.next(), times.now))
    }

    /// Moves `lastUpdateDateTime` of several incidents to the same instant. False if one of them is
    /// unknown.
    pub fn touch_all_at<S: AsRef<str>>(&self, ids: &[S], instant: DateTime<Utc>) -> bool {
        self.store.change(|State { index, .. }, times| {
            let mut all_known = true;
            for id in ids {
                all_known &= index.touch(id.as_ref(), Ticks::of(instant), times.now);
            }
            all_known
        })
    }

    /// Puts in an incident as it is, or replaces the one with its id. Fills in `id` and
    /// `lastUpdateDateTime` if they are missing; returns the id.
    pub fn insert_raw(&self, incident: Value) -> String {
        self.store.change(|State { index, .. }, times| index.insert_raw(incident, times.next(), times.now))
    }

    /// The revision that readers now see of each incident, oldest update first.
    pub fn current(&self) -> Vec<Revision> {
        self.revealed(|index| index.current())
    }

    /// How many incidents exist, visible or not.
    pub fn len(&self) -> usize {
        self.store.change(|State { index, .. }, _| index.len())
    }

    /// Whether there is no incident at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes properties as `by` (a user's name): those that an update through Graph can change, in Graph's words.
    /// The error says what cannot be done.
    pub fn edit(&self, id: &str, properties: &Value, by: &str) -> Result<(), String> {
        let edit = Edit::parse(properties, by)?;
        if self.change(id, edit) { Ok(()) } else { Err(format!("there is no incident {id}")) }
    }

    /// Adds a comment as `by`. False if there is no such incident.
    pub fn comment(&self, id: &str, text: &str, by: &str) -> bool {
        self.change(id, Edit::comment(text, by, by))
    }

    /// Resolves an incident as `by`.
    pub fn resolve(
        &self,
        id: &str,
        classification: &str,
        determination: &str,
        by: &str,
    ) -> Result<(), String> {
        let properties = json!({
            "status": "resolved", "classification": classification, "determination": determination,
        });
        self.edit(id, &properties, by)
    }

    /// Makes an incident active again as `by`.
    pub fn reopen(&self, id: &str, by: &str) -> Result<(), String> {
        self.edit(id, &json!({"status": "active"}), by)
    }

    /// Makes an incident part of another one. False if one of them is unknown, the same as the other, or part of
    /// another one already.
    pub fn merge(&self, id: &str, into: &str) -> bool {
        self.store.change(|State { index, .. }, times| {
            let (Some(position), Some(target)) = (index.position_of(id), index.position_of(into)) else {
                return false;
            };
            if position == target || index.is_merged(position) || index.is_merged(target) {
                return false;
            }
            let at = times.next_after(index.last_change(position));
            let moved = index.merge(position, target, at, times.now);
            let after = times.next_after(index.last_change(target));
            index.add(target, Change::AlertsJoined(moved), after, times.now);
            true
        })
    }

    /// Every incident as it is, whether readers see it yet or not: the one that something happened to last at the end,
    /// with alerts and every enum member by its name.
    pub fn state(&self) -> Vec<Value> {
        self.store.change(|State { index, .. }, _| {
            let positions = index.by_last_change().into_iter();
            positions.filter_map(|position| index.latest(position, true)).collect()
        })
    }

    /// One incident as `state` has it.
    pub fn incident(&self, id: &str) -> Option<Value> {
        self.store.change(|State { index, .. }, _| index.latest(index.position_of(id)?, true))
    }

    /// Does to an incident what somebody asked for. False if there is no such incident.
    pub(crate) fn change(&self, id: &str, edit: Edit) -> bool {
        self.edited(id, edit, |_, _| Some(())).is_some()
    }

    /// Does it, and answers the incident as it is then, whatever somebody does in the next instant. `None` if there is none.
    pub(crate) fn change_and_get(&self, id: &str, edit: Edit) -> Option<Value> {
        self.edited(id, edit, |index, position| index.latest(position, false))
    }

    /// A part of a listing.
    pub(crate) fn list(&self, query: &Query) -> Page {
        self.revealed(|index| index.list(query))
    }

    /// One incident, if it exists and is visible.
    pub(crate) fn get(&self, id: &str, with_alerts: bool) -> Option<(Revision, Value)> {
        self.revealed(|index| index.shown(index.position_of(id)?, with_alerts))
    }

    /// Does something with what readers see by now.
    fn revealed<T>(&self, run: impl FnOnce(&mut IncidentIndex) -> T) -> T {
        self.store.change(|State { index, .. }, times| {
            index.reveal(times.now);
            run(index)
        })
    }

    fn edited<T>(
        &self,
        id: &str,
        edit: Edit,
        run: impl FnOnce(&IncidentIndex, u32) -> Option<T>,
    ) -> Option<T> {
        self.store.change(|State { index, .. }, times| {
            let position = index.position_of(id)?;
            let at = times.next_after(index.last_change(position));
            index.edit(position, edit, at, times.now);
            run(index, position)
        })
    }
}

// === impl State ===

impl State {
    /// Opens the incidents that exist at the start. To about a third of them something happened since.
    fn settle(&mut self, config: &IncidentsConfig, alerts: u16, times: &mut Times<'_>) {
        let now = times.now;
        let count = i64::try_from(config.initial).unwrap_or(i64::MAX).max(1);
        let start = now.minus(config.initial_span);
        let spacing = ((now.0 - start.0) / count).max(1);
        for index in 0..config.initial {
            let at = Ticks(start.0 + spacing * i64::try_from(index).unwrap_or_default());
            let position = self.index.open(alerts, times.set(at), now);
            if spacing > 1 && self.rng.u8(..3) == 0 {
                let change = lifecycle::draw(&mut self.rng, false);
                self.index.add(position, change, times.set(Ticks(at.0 + spacing / 2)), now);
            }
        }
    }

    fn step(&mut self, alerts: u16, times: &mut Times<'_>) {
        let (at, now) = (times.next(), times.now);
        let count = u32::try_from(self.index.len()).unwrap_or(u32::MAX);
        let dice = self.rng.u8(..100);
        if count == 0 || dice < 25 {
            self.index.open(alerts, at, now);
            return;
        }
        let position = self.rng.u32(..count);
        let other = self.rng.u32(..count);
        match self.index.facts(position) {
            // A test's own incident only changes its time.
            None => self.index.add(position, Change::Touched, at, now),
            // Nothing happens any more to an incident that became part of another one.
            Some(facts) if facts.merged_into.is_some() => {
                self.index.open(alerts, at, now);
            }
            Some(facts) if dice < 29 && self.can_take(other, position) => {
                let moved = u16::try_from(facts.alerts.len()).unwrap_or(u16::MAX);
                self.index.add(position, Change::Merged { into: other }, at, now);
                let after = times.next();
                self.index.add(other, Change::AlertsJoined(moved), after, now);
            }
            Some(facts) => {
                let change = lifecycle::draw(&mut self.rng, facts.status == "resolved");
                self.index.add(position, change, at, now);
            }
        }
    }

    /// Whether the incident at `position` can become part of the one at `other`.
    fn can_take(&self, other: u32, position: u32) -> bool {
        other != position && self.index.facts(other).is_some_and(|facts| facts.merged_into.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::graph::dialect::INCIDENTS;
    use runtime::clock::Clock;

    fn clock() -> SimClock {
        SimClock::new(Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 123_456_700).unwrap()))
    }

    fn tenant(config: &IncidentsConfig, clock: &SimClock) -> Tenant {
        Tenant::new(7, "11111111-2222-4333-8444-555555555555".to_owned(), config, clock.clone())
    }

    fn whole(tenant: &Tenant) -> Value {
        let mut query = Query::parse(&INCIDENTS, "$orderby=lastUpdateDateTime&$expand=alerts", 50).unwrap();
        query.top = usize::MAX;
        tenant.list(&query).incidents.into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_seed_tells_the_same_story() {
        let clock = clock();
        let story = || {
            let tenant = tenant(&IncidentsConfig { initial: 20, ..IncidentsConfig::default() }, &clock);
            (0..300).for_each(|_| tenant.step());
            whole(&tenant)
        };
        let first = story();
        assert_eq!(first, story());
        let statuses: std::collections::BTreeSet<_> =
            first.as_array().unwrap().iter().map(|incident| incident["status"].as_str().unwrap()).collect();
        assert_eq!(
            statuses.into_iter().collect::<Vec<_>>(),
            ["active", "awaitingAction", "inProgress", "redirected", "resolved"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_two_changes_share_a_time_unless_a_test_asks() {
        let clock = clock();
        let tenant = tenant(&IncidentsConfig { initial: 50, ..IncidentsConfig::default() }, &clock);
        tenant.create(50);
        (0..100).for_each(|_| tenant.step());
        let distinct = |tenant: &Tenant| {
            tenant
                .current()
                .into_iter()
                .map(|revision| revision.last_update)
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        assert_eq!(distinct(&tenant), tenant.len());
        let ids: Vec<_> = tenant.current().into_iter().map(|revision| revision.id).collect();
        assert!(tenant.touch_all_at(&ids, clock.now()));
        assert_eq!(distinct(&tenant), 1);
        assert!(!tenant.touch("no such incident"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_merged_incident_names_where_it_went_and_has_no_alerts_left() {
        let clock = clock();
        let tenant = tenant(&IncidentsConfig { initial: 20, ..IncidentsConfig::default() }, &clock);
        (0..300).for_each(|_| tenant.step());
        let all = whole(&tenant);
        let merged: Vec<_> =
            all.as_array().unwrap().iter().filter(|one| one["status"] == "redirected").collect();
        assert!(!merged.is_empty());
        for one in merged {
            assert!(one["redirectIncidentId"].is_string() && one["alerts"] == serde_json::json!([]), "{one}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_revision_stays_hidden_for_the_indexing_delay() {
        let clock = clock();
        let delay = Duration::from_secs(30);
        let tenant = tenant(&IncidentsConfig { indexing_delay: delay, ..IncidentsConfig::default() }, &clock);
        let id = tenant.create(1).remove(0);
        assert_eq!(tenant.current(), []);
        clock.sleep(delay).await;
        let first = tenant.current();
        assert_eq!(first.len(), 1);
        tenant.touch(&id);
        clock.sleep(Duration::from_secs(29)).await;
        assert_eq!(tenant.current(), first);
        clock.sleep(Duration::from_secs(1)).await;
        assert_ne!(tenant.current(), first);
    }

    #[tokio::test(start_paused = true)]
    async fn an_incident_of_a_tests_own_making_comes_back_to_the_letter() {
        let clock = clock();
        let tenant = tenant(&IncidentsConfig::default(), &clock);
        let own =
            serde_json::json!({"id": "x-1", "lastUpdateDateTime": "2026-02-25T16:29:33.1Z", "new": [1]});
        tenant.insert_raw(own.clone());
        assert_eq!(whole(&tenant), Value::Array(vec![own]));
        tenant.touch("x-1");
        assert_eq!(tenant.current(), [Revision { id: "x-1".to_owned(), last_update: clock_text(&clock) }]);
    }

    fn clock_text(clock: &SimClock) -> String {
        // One tick later than the time that putting it in took.
        Ticks(Ticks::of(clock.now()).0 + 1).text()
    }
}
