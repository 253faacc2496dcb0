//! What can happen to an incident, and what an incident looks like after it happened.
//!
//! An incident is its list of events and nothing else: that is small, and it lets an older revision be
//! shown while a newer one is not visible yet.

use std::sync::Arc;

use fastrand::Rng;

use crate::core::text::{ANALYSTS, COMMENTS, SEVERITIES, TAGS, VERDICTS};
use crate::core::ticks::Ticks;
use crate::graph::edit::Edit;

/// Something that happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `lastUpdateDateTime` it gives the incident.
    pub(crate) at: Ticks,
    /// When readers begin to see it.
    pub(crate) visible_from: Ticks,
    pub(crate) change: Change,
}

/// What happened. Numbers point into the lists of [`crate::core::text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened {
        alerts: u16,
    },
    AlertsJoined(u16),
    EvidenceJoined {
        alert: u16,
    },
    Assigned(u8),
    SeverityChanged(u8),
    Tagged(u8),
    Commented(u8),
    AwaitingAction,
    Resolved {
        verdict: u8,
    },
    Reopened,
    /// Became part of the incident at that position.
    Merged {
        into: u32,
    },
    /// Somebody asked for it, by name.
    Edited(Arc<Edit>),
    Touched,
}

/// An alert, as far as events tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlertFacts {
    pub(crate) created: Ticks,
    pub(crate) updated: Ticks,
    pub(crate) evidence: usize,
}

/// An incident after all its visible events.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) created: Ticks,
    pub(crate) updated: Ticks,
    pub(crate) status: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) classification: &'a str,
    pub(crate) determination: &'a str,
    pub(crate) assigned_to: Option<&'a str>,
    pub(crate) modified_by: Option<&'a str>,
    pub(crate) tags: Vec<&'a str>,
    pub(crate) comments: Vec<(&'a str, &'a str, Ticks)>,
    pub(crate) alerts: Vec<AlertFacts>,
    pub(crate) merged_into: Option<u32>,
    /// Texts that somebody wrote, by property, over those that the seed makes. `None` for null.
    pub(crate) written: Vec<(&'a str, Option<&'a str>)>,
}

/// Picks what happens to an incident that exists.
pub(crate) fn draw(rng: &mut Rng, is_resolved: bool) -> Change {
    match rng.u8(..100) {
        0..20 => Change::AlertsJoined(1),
        20..35 => Change::EvidenceJoined { alert: rng.u16(..) },
        35..50 => Change::Assigned(index(rng, ANALYSTS.len())),
        50..57 => Change::SeverityChanged(index(rng, SEVERITIES.len())),
        57..67 => Change::Tagged(index(rng, TAGS.len())),
        67..82 => Change::Commented(index(rng, COMMENTS.len())),
        82..86 => Change::AwaitingAction,
        _ if is_resolved => Change::Reopened,
        _ => Change::Resolved { verdict: index(rng, VERDICTS.len()) },
    }
}

fn index(rng: &mut Rng, len: usize) -> u8 {
    u8::try_from(rng.usize(..len)).unwrap_or_default()
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// Replays `events`; `severity` is what the incident was opened with.
    pub(crate) fn after(events: &'a [Event], severity: u8, evidence_per_alert: usize) -> Self {
        let first = events.first().map_or(Ticks(0), |event| event.at);
        let mut facts = Self {
            created: first,
            updated: first,
            status: "active",
            severity: pick(&SEVERITIES, severity),
            classification: "unknown",
            determination: "unknown",
            assigned_to: None,
            modified_by: None,
            tags: Vec::new(),
            comments: Vec::new(),
            alerts: Vec::new(),
            merged_into: None,
            written: Vec::new(),
        };
        for event in events {
            facts.apply(event, evidence_per_alert);
        }
        facts
    }

    fn apply(&mut self, event: &'a Event, evidence_per_alert: usize) {
        let at = event.at;
        self.updated = at;
        match &event.change {
            Change::Opened { alerts } | Change::AlertsJoined(alerts) => {
                let alert = AlertFacts { created: at, updated: at, evidence: evidence_per_alert };
                self.alerts.extend(std::iter::repeat_n(alert, (*alerts).into()));
            }
            Change::EvidenceJoined { alert } => {
                let position = usize::from(*alert) % self.alerts.len().max(1);
                if let Some(alert) = self.alerts.get_mut(position) {
                    alert.evidence += 1;
                    alert.updated = at;
                }
            }
            Change::Assigned(who) => {
                self.assigned_to = Some(pick(&ANALYSTS, *who));
                self.status = "inProgress";
            }
            Change::SeverityChanged(severity) => self.severity = pick(&SEVERITIES, *severity),
            Change::Tagged(tag) => {
                let tag = pick(&TAGS, *tag);
                if !self.tags.contains(&tag) {
                    self.tags.push(tag);
                }
            }
            Change::Commented(comment) => {
                let author = self.assigned_to.unwrap_or(pick(&ANALYSTS, *comment));
                self.comments.push((pick(&COMMENTS, *comment), author, at));
            }
            Change::AwaitingAction => self.status = "awaitingAction",
            Change::Resolved { verdict } => {
                self.status = "resolved";
                (self.classification, self.determination) = pick(&VERDICTS, *verdict);
            }
            Change::Reopened => {
                self.status = "active";
                (self.classification, self.determination) = ("unknown", "unknown");
            }
            Change::Merged { into } => {
                self.status = "redirected";
                self.merged_into = Some(*into);
                self.alerts.clear();
            }
            Change::Edited(edit) => return self.edit(edit, at),
            Change::Touched => {}
        }
        if !matches!(
            event.change,
            Change::Opened { .. } | Change::AlertsJoined(_) | Change::EvidenceJoined { .. } | Change::Touched
        ) {
            self.modified_by = self.assigned_to.or(Some("Microsoft 365 Defender-AlertCorrelation"));
        }
    }
}

// === impl Facts, edited ===

impl<'a> Facts<'a> {
    fn edit(&mut self, edit: &'a Edit, at: Ticks) {
        self.modified_by = Some(&edit.by);
        if let Some((comment, author)) = &edit.comment {
            self.comments.push((comment, author, at));
        }
        for (property, value) in &edit.properties {
            let text = value.as_str();
            match (property.as_str(), text) {
                // What became part of another incident stays that.
                ("status", Some(status)) if self.merged_into.is_none() => self.status = status,
                ("severity", Some(severity)) => self.severity = severity,
                ("classification", Some(classification)) => self.classification = classification,
                ("determination", Some(determination)) => self.determination = determination,
                ("assignedTo", assigned_to) => self.assigned_to = assigned_to,
                ("customTags", _) => {
                    self.tags =
                        value.as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).collect();
                }
                ("status" | "severity" | "classification" | "determination", _) => {}
                (_, text) => {
                    self.written.retain(|(known, _)| known != property);
                    self.written.push((property, text));
                }
            }
        }
    }

    /// The text of a property: what somebody wrote, else `made`.
    pub(crate) fn text(&self, property: &str, made: Option<&'a str>) -> Option<&'a str> {
        let written = self.written.iter().find(|(known, _)| *known == property);
        written.map_or(made, |(_, text)| *text)
    }
}

/// The entry of a list; counts round the list, so every number points somewhere.
fn pick<T: Copy, const N: usize>(list: &[T; N], position: u8) -> T {
    list[usize::from(position) % N]
}
