//! The options of `vector_sentinel_events`.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::feed::Feed;
use super::quarantined::Quarantined;
use super::source::EventSource;
use super::synced::Synced;
use crate::component::{
    BuildError, Built, Component, Kind, Peer, Probe, Probed, Registered, Runtime, Validation,
};
use microsoft::connection::Connector;
use model::problem::{Problem, check_ranges};

/// Emits events about this program itself: what is put into the quarantines of other components, and what incident sync
/// writes and comes across.
///
/// Everything is emitted once, across restarts. What is in a quarantine is emitted from its beginning, and stays there; what
/// incident sync does is emitted from when this source is first in the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorSentinelEventsConfig {
    /// The kinds of events that are emitted, at least one. Default: all. Example: `[audit, conflict]`.
    #[serde(default = "default_include")]
    pub include: Vec<EventKind>,
    /// The ids of the components whose quarantines are followed. Default: all of this file that have one and that events of
    /// this source do not reach. Example: `[sentinel]`.
    pub components: Option<Vec<String>>,
    /// The seconds from the end of one poll to the beginning of the next, from 1 to 3600. Default: 5.
    #[serde(default = "default_poll_interval_secs")]
    #[schemars(range(min = 1, max = 3_600))]
    pub poll_interval_secs: u64,
    /// The most bytes of a quarantined event that is part of the event about it, so that this fits into one call of the Logs
    /// Ingestion API; a larger one is left out, and `event_left_out` is `true`. Default: 900000.
    #[serde(default = "default_max_event_bytes")]
    pub max_event_bytes: u64,
}

/// A kind of event about this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An event was put into a quarantine, because it can never be accepted.
    Quarantine,
    /// A field of an incident was written: with its value before and after, and the reason.
    Audit,
    /// A field was changed on both sides: with both values, and the side that counts.
    Conflict,
    /// Something to look at: a comment was edited after it was copied, or an owner is not known.
    Notice,
    /// A direction has stopped writing, because too many incidents would have changed (`write.safety`).
    Alarm,
}

/// The source, its options checked.
#[derive(Clone, Debug)]
pub struct VectorSentinelEvents {
    followed: Vec<Peer>,
    /// What is told of the sync.
    of_sync: BTreeSet<EventKind>,
    poll_interval: Duration,
    max_event_bytes: u64,
}

// === impl EventKind ===

impl EventKind {
    /// What keeping incidents in sync has to tell.
    const OF_SYNC: [Self; 4] = [Self::Audit, Self::Conflict, Self::Notice, Self::Alarm];

    /// The `kind` of its events.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Audit => "audit",
            Self::Conflict => "conflict",
            Self::Notice => "notice",
            Self::Alarm => "alarm",
        }
    }
}

/// Whether a component has a quarantine of something else than the events of this program.
fn can_be_followed(peer: &Peer) -> bool {
    !peer.consumes_own_events && peer.component_type != VectorSentinelEvents::TYPE
}

// === impl VectorSentinelEventsConfig ===

fn default_include() -> Vec<EventKind> {
    [&[EventKind::Quarantine], &EventKind::OF_SYNC[..]].concat()
}

const fn default_poll_interval_secs() -> u64 {
    5
}

/// So that it fits into one call of the Logs Ingestion API with what is told of it.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
const fn default_max_event_bytes() -> u64 {
    900_000
}

impl VectorSentinelEventsConfig {
    /// Checks the options, without touching anything. `path` is where they stand in the file, `peers` are the components of
    /// ours in it that have quarantines.
    fn validate(self, path: &str, peers: &[Peer]) -> Result<VectorSentinelEvents, Vec<Problem>> {
        let mut problems = Vec::new();
        check_ranges(path, &[("poll_interval_secs", self.poll_interval_secs, 1, 3_600)], &mut problems);
        if self.include.is_empty() {
            problems.push(Problem::new(format!("{path}.include"), "must name at least one kind of event"));
        }
        let of_quarantines = self.include.contains(&EventKind::Quarantine);
        let followed = match &self.components {
            Some(ids) => named(ids, path, peers, &mut problems),
            None => peers.iter().filter(|peer| can_be_followed(peer)).cloned().collect(),
        };
        if of_quarantines && followed.is_empty() && problems.is_empty() {
            let message = "there is no quarantine to follow: every sink of ours takes events of this source, and what such a \
                           sink refuses would come again and again; give this source a sink of its own";
            problems.push(Problem::new(path, message));
        }
        let poll_interval = Duration::from_secs(self.poll_interval_secs);
        let followed = if of_quarantines { followed } else { Vec::new() };
        let of_sync = EventKind::OF_SYNC.into_iter().filter(|kind| self.include.contains(kind)).collect();
        let validated =
            VectorSentinelEvents { followed, of_sync, poll_interval, max_event_bytes: self.max_event_bytes };
        if problems.is_empty() { Ok(validated) } else { Err(problems) }
    }
}

/// The components of these ids; what is wrong with them is told.
fn named(ids: &[String], path: &str, peers: &[Peer], problems: &mut Vec<Problem>) -> Vec<Peer> {
    let mut followed = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, id) in ids.iter().enumerate() {
        let message = match peers.iter().find(|peer| peer.id == *id) {
            _ if !seen.insert(id) => "is there twice".to_owned(),
            None => {
                let others = peers.iter().filter(|peer| can_be_followed(peer)).map(|peer| peer.id.as_str());
                format!(
                    "is no component of ours with a quarantine in this file; there is: {}",
                    others.collect::<Vec<_>>().join(", ")
                )
            }
            Some(peer) if peer.consumes_own_events => format!(
                "takes events of a source of type {}, so that what it refuses would come again and again: leave it \
                 out, or have those events go to a sink of their own",
                VectorSentinelEvents::TYPE
            ),
            Some(peer) if peer.component_type == VectorSentinelEvents::TYPE => {
                "only tells what others have: what is refused of that would come again and again".to_owned()
            }
            Some(peer) => {
                followed.push(peer.clone());
                continue;
            }
        };
        problems.push(Problem::new(format!("{path}.components.{index}"), message));
    }
    followed
}

// === impl VectorSentinelEvents ===

impl VectorSentinelEvents {
    /// The components whose quarantines are followed.
    fn followed(&self) -> Vec<&str> {
        self.followed.iter().map(|peer| peer.id.as_str()).collect()
    }
}

impl Component for VectorSentinelEvents {
    fn probe(&self, _: &Connector) -> Result<Probe<'_>, BuildError> {
        let followed = self.followed().join(", ");
        let quarantines = (!followed.is_empty()).then(|| format!("the quarantines of {followed}"));
        let sync = self.reads_sync_events().then(|| "the incident sync, if there is one".to_owned());
        let all: Vec<_> = quarantines.into_iter().chain(sync).collect();
        let works = Probed::Works(format!("follows {}", all.join(" and ")));
        Ok(Box::pin(std::future::ready(vec![works])))
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let (store, data_dir) = (&runtime.store, &runtime.data_dir.path);
        // Every kind of event adds its feeds here.
        let feeds = self.followed.iter().map(|peer| {
            let (data_dir, off_thread) = (data_dir.clone(), runtime.connector.clock.off_thread());
            let feed = Quarantined::new(data_dir, peer.clone(), self.max_event_bytes, off_thread);
            Box::new(feed) as Box<dyn Feed>
        });
        let synced = self.reads_sync_events().then(|| {
            let kinds = self.of_sync.clone();
            Box::new(Synced { store: store.clone(), reader: id.to_owned(), kinds }) as Box<dyn Feed>
        });
        Ok(Built::Source(Box::new(EventSource {
            labels: Self::labels(id),
            feeds: feeds.chain(synced).collect(),
            store: store.clone(),
            poll_interval: self.poll_interval,
            clock: runtime.connector.clock.clone(),
            rng: runtime.rng.fork(),
        })))
    }

    fn reads_sync_events(&self) -> bool {
        !self.of_sync.is_empty()
    }
}

impl Registered for VectorSentinelEvents {
    const KIND: Kind = Kind::Source;
    const TYPE: &'static str = "vector_sentinel_events";
    const EMITS_OWN_EVENTS: bool = true;
    type Config = VectorSentinelEventsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        config.validate(&validation.path, validation.peers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn peers() -> Vec<Peer> {
        let peer = |id: &str, kind, component_type: &str, takes| Peer {
            id: id.to_owned(),
            kind,
            component_type: component_type.to_owned(),
            consumes_own_events: takes,
        };
        vec![
            peer("defender", "source", "defender_incidents", false),
            peer("events", "source", VectorSentinelEvents::TYPE, false),
            peer("sentinel", "sink", "sentinel_logs", false),
            peer("refused", "sink", "sentinel_logs", true),
        ]
    }

    fn validated(options: serde_json::Value) -> Result<Vec<String>, Vec<String>> {
        let config: VectorSentinelEventsConfig = serde_json::from_value(options).unwrap();
        let validated = config.validate("sources.events", &peers());
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        validated.map(|validated| validated.followed().into_iter().map(str::to_owned).collect()).map_err(told)
    }

    #[test]
    fn by_default_everything_is_followed_that_its_events_do_not_reach() {
        assert_eq!(validated(json!({})).unwrap(), ["defender", "sentinel"]);
        assert_eq!(validated(json!({"components": ["sentinel"]})).unwrap(), ["sentinel"]);
    }

    #[test]
    fn what_would_go_round_and_round_is_refused() {
        let wrong =
            json!({"components": ["sentinel", "refused", "events", "sentinle", "sentinel"], "include": []});
        let problems = validated(wrong).unwrap_err();
        for (problem, words) in problems.iter().zip([
            "sources.events.include: must name at least one",
            "sources.events.components.1: takes events of a source of type vector_sentinel_events",
            "sources.events.components.2: only tells what others have",
            "sources.events.components.3: is no component of ours with a quarantine in this file; there is: defender, sentinel",
            "sources.events.components.4: is there twice",
        ]) {
            assert!(problem.starts_with(words), "{problem}");
        }
        assert_eq!(problems.len(), 5);
        let config: VectorSentinelEventsConfig = serde_json::from_value(json!({})).unwrap();
        let problems = config.validate("sources.events", &peers()[3..]).unwrap_err();
        assert!(problems[0].message.contains("give this source a sink of its own"), "{problems:?}");
    }
}
