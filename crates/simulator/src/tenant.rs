//! A tenant that lives: incidents are opened, grow, get assigned, are resolved and merged.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::Value;

use super::config::IncidentsConfig;
use super::edit::Edit;
use super::json::Json;
use super::life::{self, Change};
use super::lock::lock;
use super::roster::{Page, Request, Roster};
use super::stats::Revision;
use super::ticks::Ticks;
use runtime::clock::Clock;

/// The incidents of the simulated tenant. What happens is decided by a seeded generator, so the
/// sequence repeats; the times come from the clock.
#[derive(Debug)]
pub struct Tenant {
    clock: Clock,
    alerts_per_incident: u16,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    roster: Roster,
    /// The latest time given to a change; the next one is later, if only by 100 ns.
    last: Ticks,
}

// === impl Tenant ===

impl Tenant {
    pub(super) fn new(seed: u64, tenant_id: String, config: &IncidentsConfig, clock: Clock) -> Self {
        let now = Ticks::of(clock.now());
        let roster = Roster::new(seed, tenant_id, config.evidence_per_alert, config.indexing_delay);
        let mut state = State { rng: Rng::with_seed(seed), roster, last: Ticks(i64::MIN) };
        let alerts_per_incident = u16::try_from(config.alerts_per_incident).unwrap_or(u16::MAX);
        state.settle(config, alerts_per_incident, now);
        Self { clock, alerts_per_incident, state: Mutex::new(state) }
    }

    /// Opens `n` incidents now and returns their ids.
    pub fn create(&self, n: usize) -> Vec<String> {
        let now = self.now();
        let mut state = lock(&self.state);
        (0..n)
            .filter_map(|_| {
                let at = state.next(now);
                let place = state.roster.open(self.alerts_per_incident, at, now);
                state.roster.id_of(place)
            })
            .collect()
    }

    /// Lets one random thing happen.
    pub fn step(&self) {
        let now = self.now();
        lock(&self.state).step(self.alerts_per_incident, now);
    }

    /// Moves `lastUpdateDateTime` of an incident to now. False if there is no such incident.
    pub fn touch(&self, id: &str) -> bool {
        let now = self.now();
        let mut state = lock(&self.state);
        let at = state.next(now);
        state.touch(id, at, now)
    }

    /// Moves `lastUpdateDateTime` of several incidents to the same instant. False if one of them is
    /// unknown.
    pub fn touch_all_at<S: AsRef<str>>(&self, ids: &[S], instant: DateTime<Utc>) -> bool {
        let now = self.now();
        let mut state = lock(&self.state);
        let mut all_known = true;
        for id in ids {
            all_known &= state.touch(id.as_ref(), Ticks::of(instant), now);
        }
        all_known
    }

    /// Puts in an incident as it is, or replaces the one with its id. Fills in `id` and
    /// `lastUpdateDateTime` if they are missing; returns the id.
    pub fn insert_raw(&self, incident: Value) -> String {
        let now = self.now();
        let mut state = lock(&self.state);
        let at = state.next(now);
        state.roster.insert_raw(incident, at, now)
    }

    /// The revision that readers now see of each incident, oldest update first.
    pub fn current(&self) -> Vec<Revision> {
        let now = self.now();
        let mut state = lock(&self.state);
        state.roster.reveal(now);
        state.roster.current()
    }

    /// How many incidents exist, visible or not.
    pub fn len(&self) -> usize {
        lock(&self.state).roster.len()
    }

    /// Whether there is no incident at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does to an incident what somebody asked for. False if there is no such incident.
    pub(super) fn change(&self, id: &str, edit: Edit) -> bool {
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(place) = state.roster.place_of(id) else { return false };
        let at = state.next_of(place, now);
        state.roster.edit(place, edit, at, now);
        true
    }

    /// Does it, and appends the incident as it is then, whatever somebody does in the next instant. Nothing if there is none.
    pub(super) fn change_and_get(&self, id: &str, edit: Edit, json: &mut Json) -> Option<()> {
        let now = self.now();
        let mut state = lock(&self.state);
        let place = state.roster.place_of(id)?;
        let at = state.next_of(place, now);
        state.roster.edit(place, edit, at, now);
        state.roster.render_latest(place, false, json)
    }

    /// Makes an incident part of another one. False if one of them is unknown, the same as the other, or part of
    /// another one already.
    pub fn merge(&self, id: &str, into: &str) -> bool {
        let now = self.now();
        let mut state = lock(&self.state);
        let places = (state.roster.place_of(id), state.roster.place_of(into));
        let (Some(place), Some(target)) = places else { return false };
        if place == target || state.roster.is_merged(place) || state.roster.is_merged(target) {
            return false;
        }
        let at = state.next_of(place, now);
        let moved = state.roster.merge(place, target, at, now);
        let after = state.next_of(target, now);
        state.roster.add(target, Change::AlertsJoined(moved), after, now);
        true
    }

    /// Appends a part of a listing to `json`.
    pub(super) fn list(&self, request: &Request, json: &mut Json) -> Page {
        let now = self.now();
        let mut state = lock(&self.state);
        state.roster.reveal(now);
        state.roster.list(request, json)
    }

    /// Appends one incident to `json`, if it exists and is visible.
    pub(super) fn get(&self, id: &str, with_alerts: bool, json: &mut Json) -> Option<Revision> {
        let now = self.now();
        let mut state = lock(&self.state);
        state.roster.reveal(now);
        let place = state.roster.place_of(id)?;
        state.roster.render(place, with_alerts, json)
    }

    /// Appends one incident as it is, whether readers see it yet or not.
    pub(super) fn get_latest(&self, id: &str, with_alerts: bool, json: &mut Json) -> Option<()> {
        let state = lock(&self.state);
        let place = state.roster.place_of(id)?;
        state.roster.render_latest(place, with_alerts, json)
    }

    /// Appends all incidents as they are, the one that something happened to last at the end.
    pub(super) fn list_latest(&self, json: &mut Json) {
        let state = lock(&self.state);
        for place in state.roster.by_last_change() {
            state.roster.render_latest(place, true, json);
        }
    }

    fn now(&self) -> Ticks {
        Ticks::of(self.clock.now())
    }
}

// === impl State ===

impl State {
    /// Opens the incidents that exist at the start. To about a third of them something happened since.
    fn settle(&mut self, config: &IncidentsConfig, alerts: u16, now: Ticks) {
        let count = i64::try_from(config.initial).unwrap_or(i64::MAX).max(1);
        let start = now.minus(config.initial_span);
        let spacing = ((now.0 - start.0) / count).max(1);
        for index in 0..config.initial {
            let at = Ticks(start.0 + spacing * i64::try_from(index).unwrap_or_default());
            let place = self.roster.open(alerts, at, now);
            self.last = at;
            if spacing > 1 && self.rng.u8(..3) == 0 {
                self.last = Ticks(at.0 + spacing / 2);
                let change = life::draw(&mut self.rng, false);
                self.roster.add(place, change, self.last, now);
            }
        }
    }

    fn step(&mut self, alerts: u16, now: Ticks) {
        let at = self.next(now);
        let count = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
        let dice = self.rng.u8(..100);
        if count == 0 || dice < 25 {
            self.roster.open(alerts, at, now);
            return;
        }
        let place = self.rng.u32(..count);
        let other = self.rng.u32(..count);
        match self.roster.facts(place) {
            // A test's own incident only changes its time.
            None => self.roster.add(place, Change::Touched, at, now),
            // Nothing happens any more to an incident that became part of another one.
            Some(facts) if facts.merged_into.is_some() => {
                self.roster.open(alerts, at, now);
            }
            Some(facts) if dice < 29 && self.can_take(other, place) => {
                let moved = u16::try_from(facts.alerts.len()).unwrap_or(u16::MAX);
                self.roster.add(place, Change::Merged { into: other }, at, now);
                let after = self.next(now);
                self.roster.add(other, Change::AlertsJoined(moved), after, now);
            }
            Some(facts) => {
                let change = life::draw(&mut self.rng, facts.status == "resolved");
                self.roster.add(place, change, at, now);
            }
        }
    }

    /// Whether the incident in `place` can become part of the one in `other`.
    fn can_take(&self, other: u32, place: u32) -> bool {
        other != place && self.roster.facts(other).is_some_and(|facts| facts.merged_into.is_none())
    }

    fn touch(&mut self, id: &str, at: Ticks, now: Ticks) -> bool {
        let Some(place) = self.roster.place_of(id) else { return false };
        self.roster.add(place, Change::Touched, at, now);
        true
    }

    /// A time later than anything that happened to the incident in that place.
    fn next_of(&mut self, place: u32, now: Ticks) -> Ticks {
        let at = self.next(now);
        at.max(Ticks(self.roster.last_change(place).0.saturating_add(1)))
    }

    fn next(&mut self, now: Ticks) -> Ticks {
        self.last = Ticks(now.0.max(self.last.0.saturating_add(1)));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::filter::Filter;
    use crate::roster::Order;

    fn clock() -> Clock {
        Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 123_456_700).unwrap())
    }

    fn tenant(config: &IncidentsConfig, clock: &Clock) -> Tenant {
        Tenant::new(7, "11111111-2222-4333-8444-555555555555".to_owned(), config, clock.clone())
    }

    fn whole(tenant: &Tenant) -> Value {
        let request = Request {
            filter: Filter::default(),
            order: Order::OldestFirst,
            skip: 0,
            top: usize::MAX,
            with_alerts: true,
        };
        let mut json = Json::new(true);
        json.open('[');
        tenant.list(&request, &mut json);
        json.close(']');
        serde_json::from_str(&json.finish()).unwrap()
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

    fn clock_text(clock: &Clock) -> String {
        // One tick later than the time that putting it in took.
        Ticks(Ticks::of(clock.now()).0 + 1).text()
    }
}
