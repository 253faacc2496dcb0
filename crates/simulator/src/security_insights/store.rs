//! The incidents that there are, and what can be done to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use fastrand::Rng;

use super::super::evidence::{guid, hex};
use super::super::lock::lock;
use super::super::ticks::Ticks;
use super::super::words::STORIES;
use super::config::WorkspaceConfig;
use super::incident::{Alerts, Author, Comment, Incident, Label, Native, Properties, SEVERITIES};
use runtime::clock::Clock;

/// Comments of one incident.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
pub(super) const MOST_COMMENTS: usize = 100;
/// Characters of a comment.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
pub(super) const LONGEST_COMMENT: usize = 30_000;

/// All incidents of the workspace.
#[derive(Debug)]
pub(in super::super) struct Store {
    clock: Clock,
    state: Mutex<State>,
}

/// What is behind the lock.
#[derive(Debug)]
pub(super) struct State {
    rng: Rng,
    /// By name in small letters: names of resources have no case.
    incidents: BTreeMap<String, Incident>,
    next_number: u64,
    /// The latest time given to a change; the next one is later, if only by 100 ns.
    last: Ticks,
    /// The `lastUpdateDateTime` of each Defender incident that was mirrored.
    pub(super) mirrored: HashMap<String, String>,
}

/// What a comment became.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Commented {
    Added,
    Replaced,
    /// Somebody else wrote it.
    NotTheirs,
    TooMany,
}

// === impl Store ===

impl Store {
    pub(in super::super) fn new(seed: u64, config: &WorkspaceConfig, clock: Clock) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            incidents: BTreeMap::new(),
            next_number: 1,
            last: Ticks(i64::MIN),
            mirrored: HashMap::new(),
        };
        let store = Self { clock, state: Mutex::new(state) };
        store.change(|state, now| (0..config.initial).for_each(|_| drop(state.raise(now))));
        store
    }

    /// Does something to the incidents, now.
    pub(super) fn change<T>(&self, run: impl FnOnce(&mut State, Ticks) -> T) -> T {
        let now = Ticks::of(self.clock.now());
        run(&mut lock(&self.state), now)
    }
}

// === impl State ===

impl State {
    pub(super) fn get(&self, name: &str) -> Option<&Incident> {
        self.incidents.get(&name.to_ascii_lowercase())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// An analytics rule raises an incident; answers its name.
    pub(super) fn raise(&mut self, now: Ticks) -> String {
        let story = &STORIES[self.rng.usize(..STORIES.len())];
        let properties = Properties {
            title: story.incident.to_owned(),
            description: Some(story.description.to_owned()),
            severity: SEVERITIES[self.rng.usize(..SEVERITIES.len())],
            status: "New",
            classification: None,
            classification_reason: None,
            classification_comment: None,
            owner: None,
            labels: vec![Label { name: "Scheduled".to_owned(), is_automatic: true }],
            first_activity: Some(Ticks(now.0 - 600_000_000)),
            last_activity: Some(now),
        };
        let name = guid(&mut self.rng);
        let alerts = Alerts {
            count: 1,
            products: vec!["Azure Sentinel".to_owned()],
            tactics: vec![story.category.to_owned()],
        };
        self.create(&name, properties, alerts, None, now);
        name
    }

    /// Puts in an incident that was not there.
    pub(super) fn create(
        &mut self,
        name: &str,
        properties: Properties,
        alerts: Alerts,
        native: Option<Native>,
        now: Ticks,
    ) {
        let at = self.stamp(now);
        let incident = Incident {
            name: name.to_owned(),
            etag: self.etag(),
            number: self.next_number,
            created: at,
            modified: at,
            properties,
            comments: Vec::new(),
            alerts,
            native,
        };
        self.next_number += 1;
        self.incidents.insert(name.to_ascii_lowercase(), incident);
    }

    /// Changes an incident; `None` if there is none.
    pub(super) fn update<T>(
        &mut self,
        name: &str,
        now: Ticks,
        run: impl FnOnce(&mut Incident) -> T,
    ) -> Option<T> {
        let (at, etag) = (self.stamp(now), self.etag());
        let incident = self.incidents.get_mut(&name.to_ascii_lowercase())?;
        incident.modified = at;
        incident.etag = etag;
        Some(run(incident))
    }

    /// False if there is none.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        self.incidents.remove(&name.to_ascii_lowercase()).is_some()
    }

    /// Adds a comment or replaces one's text; `None` if there is no incident.
    pub(super) fn comment(
        &mut self,
        incident: &str,
        name: &str,
        message: &str,
        author: Author,
        now: Ticks,
    ) -> Option<Commented> {
        let known = self.get(incident)?;
        match known.comment(name) {
            // https://learn.microsoft.com/azure/sentinel/investigate-incidents#comment-on-incidents
            Some(comment) if comment.author != author => return Some(Commented::NotTheirs),
            None if known.comments.len() >= MOST_COMMENTS => return Some(Commented::TooMany),
            _ => {}
        }
        let etag = self.etag();
        self.update(incident, now, |incident| {
            let at = incident.modified;
            let mut comments = incident.comments.iter_mut();
            if let Some(comment) = comments.find(|comment| comment.name.eq_ignore_ascii_case(name)) {
                message.clone_into(&mut comment.message);
                comment.modified = at;
                comment.etag = etag;
                return Commented::Replaced;
            }
            let (name, message) = (name.to_owned(), message.to_owned());
            incident.comments.push(Comment { name, etag, message, author, created: at, modified: at });
            Commented::Added
        })
    }

    /// False if there is no such comment.
    pub(super) fn delete_comment(&mut self, incident: &str, name: &str, now: Ticks) -> bool {
        if self.get(incident).and_then(|incident| incident.comment(name)).is_none() {
            return false;
        }
        self.update(incident, now, |incident| {
            incident.comments.retain(|comment| !comment.name.eq_ignore_ascii_case(name));
        })
        .is_some()
    }

    /// A name for a resource.
    pub(super) fn fresh_name(&mut self) -> String {
        guid(&mut self.rng)
    }

    fn stamp(&mut self, now: Ticks) -> Ticks {
        self.last = Ticks(now.0.max(self.last.0.saturating_add(1)));
        self.last
    }

    /// The service's have quotes inside.
    fn etag(&mut self) -> String {
        let (first, last) = (hex(&mut self.rng, 8), hex(&mut self.rng, 8));
        format!("\"{first}-0000-0c00-0000-{last}0000\"")
    }
}
