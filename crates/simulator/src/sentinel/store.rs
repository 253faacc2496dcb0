//! The incidents of the workspace, and what can be done to them.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::config::WorkspaceConfig;
use super::incident::{Alerts, Author, Comment, Incident, Label, Native, Properties, SEVERITIES};
use crate::core::clock::SimClock;
use crate::core::random::{guid, hex};
use crate::core::store::{Store, Times};
use crate::core::text::STORIES;
use crate::core::ticks::Ticks;

/// Comments of one incident.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
pub(crate) const MOST_COMMENTS: usize = 100;
/// Characters of a comment.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
pub(crate) const LONGEST_COMMENT: usize = 30_000;

/// All incidents of the workspace.
#[derive(Debug)]
pub(crate) struct Incidents {
    rng: Rng,
    /// By name in small letters: names of resources have no case.
    by_name: BTreeMap<String, Incident>,
    next_number: u64,
    /// The `lastUpdateDateTime` of each Defender incident that was mirrored.
    pub(crate) mirrored: BTreeMap<String, String>,
}

/// What a comment became.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commented {
    Added,
    Replaced,
    /// Somebody else wrote it.
    NotTheirs,
    TooMany,
}

// === impl Incidents ===

impl Incidents {
    /// Those of analytics rules that the configuration asks for.
    pub(crate) fn open(seed: u64, config: &WorkspaceConfig, clock: SimClock) -> Store<Self> {
        let rng = Rng::with_seed(seed);
        let none = Self { rng, by_name: BTreeMap::new(), next_number: 1, mirrored: BTreeMap::new() };
        let store = Store::new(clock, none);
        store.change(|incidents, times| (0..config.initial).for_each(|_| drop(incidents.raise(times))));
        store
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Incident> {
        self.by_name.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.by_name.values()
    }

    /// An analytics rule raises an incident; answers its name.
    pub(crate) fn raise(&mut self, times: &mut Times<'_>) -> String {
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
            first_activity: Some(Ticks(times.now.0 - 600_000_000)),
            last_activity: Some(times.now),
        };
        let name = guid(&mut self.rng);
        let alerts = Alerts {
            count: 1,
            products: vec!["Azure Sentinel".to_owned()],
            tactics: vec![story.category.to_owned()],
        };
        self.create(&name, properties, alerts, None, times);
        name
    }

    /// Puts in an incident that was not there.
    pub(crate) fn create(
        &mut self,
        name: &str,
        properties: Properties,
        alerts: Alerts,
        native: Option<Native>,
        times: &mut Times<'_>,
    ) {
        let at = times.next();
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
        self.by_name.insert(name.to_ascii_lowercase(), incident);
    }

    /// Puts in an incident as it is.
    pub(crate) fn insert(&mut self, incident: Incident) {
        self.next_number = self.next_number.max(incident.number + 1);
        self.by_name.insert(incident.name.to_ascii_lowercase(), incident);
    }

    /// Changes an incident; `None` if there is none.
    pub(crate) fn update<T>(
        &mut self,
        name: &str,
        times: &mut Times<'_>,
        run: impl FnOnce(&mut Incident) -> T,
    ) -> Option<T> {
        let (at, etag) = (times.next(), self.etag());
        let incident = self.by_name.get_mut(&name.to_ascii_lowercase())?;
        incident.modified = at;
        incident.etag = etag;
        Some(run(incident))
    }

    /// False if there is none.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        self.by_name.remove(&name.to_ascii_lowercase()).is_some()
    }

    /// Adds a comment or replaces one's text; `None` if there is no incident.
    pub(crate) fn comment(
        &mut self,
        incident: &str,
        name: &str,
        message: &str,
        author: Author,
        times: &mut Times<'_>,
    ) -> Option<Commented> {
        let known = self.get(incident)?;
        match known.comment(name) {
            // https://learn.microsoft.com/azure/sentinel/investigate-incidents#comment-on-incidents
            Some(comment) if comment.author != author => return Some(Commented::NotTheirs),
            None if known.comments.len() >= MOST_COMMENTS => return Some(Commented::TooMany),
            _ => {}
        }
        let etag = self.etag();
        self.update(incident, times, |incident| {
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
    pub(crate) fn delete_comment(&mut self, incident: &str, name: &str, times: &mut Times<'_>) -> bool {
        if self.get(incident).and_then(|incident| incident.comment(name)).is_none() {
            return false;
        }
        self.update(incident, times, |incident| {
            incident.comments.retain(|comment| !comment.name.eq_ignore_ascii_case(name));
        })
        .is_some()
    }

    /// A name for a resource.
    pub(crate) fn fresh_name(&mut self) -> String {
        guid(&mut self.rng)
    }

    /// The service's have quotes inside.
    fn etag(&mut self) -> String {
        let (first, last) = (hex(&mut self.rng, 8), hex(&mut self.rng, 8));
        format!("\"{first}-0000-0c00-0000-{last}0000\"")
    }
}
