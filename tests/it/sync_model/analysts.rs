//! People who work on both sides at once.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};
use simulator::{Simulator, SimulatorConfig};

use super::agreement::{self, text};

const TAGS: [&str; 5] = ["vip", "lab", "phish", "follow-up", "known"];
/// Of each, what Defender says and what Sentinel says.
const STATUSES: [(&str, &str); 3] = [("active", "New"), ("inProgress", "Active"), ("resolved", "Closed")];
const VERDICTS: [(&str, &str); 4] = [
    ("truePositive/malware", "TruePositive/SuspiciousActivity"),
    ("falsePositive/notMalicious", "FalsePositive/IncorrectAlertLogic"),
    ("informationalExpectedActivity/securityTesting", "BenignPositive/SuspiciousButExpected"),
    ("unknown/unknown", "Undetermined"),
];

/// Something that is done later.
type Edit = Box<dyn FnOnce(&Simulator)>;

pub(super) struct Analysts {
    rng: Rng,
    /// The incidents that they have open: Defender's ids, Sentinel's names.
    ids: Vec<String>,
    names: Vec<String>,
    users: Vec<String>,
    pub(super) edits: usize,
    /// Every comment that somebody wrote.
    pub(super) comments: Vec<Written>,
}

/// A comment that somebody wrote.
pub(super) struct Written {
    /// Defender's id of the incident.
    pub(super) incident: String,
    pub(super) text: String,
}

/// What must come of a disagreement.
pub(super) struct Expected {
    incident: String,
    status: Option<String>,
    owner: Option<String>,
    classification: Option<&'static str>,
}

impl Analysts {
    pub(super) fn new(rng: Rng) -> Self {
        let users = SimulatorConfig::default().workspace.users;
        let users = users.into_iter().map(|user| user.user_principal_name).collect();
        Self { rng, ids: Vec::new(), names: Vec::new(), users, edits: 0, comments: Vec::new() }
    }

    /// One edit by somebody.
    pub(super) fn edit(&mut self, simulator: &Simulator) {
        if self.edits.is_multiple_of(20) {
            let all =
                |incidents: Vec<Value>, id| incidents.iter().map(|one| text(one, id).to_owned()).collect();
            self.ids = simulator.tenant().current().into_iter().map(|revision| revision.id).collect();
            self.names = all(simulator.workspace().state(), "/name");
        }
        self.edits += 1;
        match self.rng.u16(..1_000) {
            0..4 => drop(simulator.tenant().create(1)),
            4..6 => {
                let (one, other) = (self.one_of_ids(), self.one_of_ids());
                // Or it is merged already, or the same.
                simulator.tenant().merge(&one, &other);
            }
            _ if self.rng.bool() => self.edit_defender(simulator),
            _ => self.edit_sentinel(simulator),
        }
    }

    fn edit_defender(&mut self, simulator: &Simulator) {
        let incident = simulator.tenant().incident(&self.one_of_ids()).unwrap();
        if agreement::is_merged(&incident) {
            return;
        }
        let id = text(&incident, "/id");
        let change = match self.rng.u8(..10) {
            0..3 => json!({"status": self.one_of(&STATUSES).0}),
            3..5 => json!({"assignedTo": self.user()}),
            5..7 => {
                let (classification, determination) = self.one_of(&VERDICTS).0.split_once('/').unwrap();
                json!({"classification": classification, "determination": determination})
            }
            7 => {
                let tags: Vec<String> = serde_json::from_value(incident["customTags"].clone()).unwrap();
                json!({"customTags": self.toggled(tags.into_iter().collect())})
            }
            8 => json!({"resolvingComment": format!("because of {}", self.rng.u8(..))}),
            _ => {
                let text = self.comment(id);
                assert!(simulator.tenant().comment(id, &text, "ann"));
                return;
            }
        };
        simulator.tenant().edit(id, &change, "ann").unwrap();
    }

    fn edit_sentinel(&mut self, simulator: &Simulator) {
        let workspace = simulator.workspace();
        let name = self.names[self.rng.usize(..self.names.len())].clone();
        let incident = workspace.incident(&name).unwrap();
        let name = text(&incident, "/name");
        if agreement::labels(&incident).contains("redirected") {
            return;
        }
        let is_closed = text(&incident, "/properties/status") == "Closed";
        match self.rng.u8(..10) {
            0..2 if is_closed => workspace.reopen(name).unwrap(),
            0..2 => workspace.edit(name, &json!({"status": self.one_of(&STATUSES[..2]).1})).unwrap(),
            2..4 => {
                let verdict = self.one_of(&VERDICTS).1;
                let (classification, reason) = verdict.split_once('/').unwrap_or((verdict, ""));
                workspace
                    .close(name, classification, Some(reason).filter(|reason| !reason.is_empty()))
                    .unwrap();
            }
            4..7 => {
                let owner = self.user().map(|user| json!({"userPrincipalName": user}));
                workspace.edit(name, &json!({"owner": owner})).unwrap();
            }
            7..9 => {
                let tags = self.toggled(agreement::labels(&incident));
                let labels: Vec<_> =
                    tags.iter().map(|tag| json!({"labelName": tag, "labelType": "User"})).collect();
                workspace.edit(name, &json!({"labels": labels})).unwrap();
            }
            _ => {
                let Some(id) = agreement::defender_id(simulator, &incident) else { return };
                let text = self.comment(&id);
                assert!(workspace.comment(name, &text, "ben").is_some());
            }
        }
    }

    /// On every incident both sides decide differently; the last word is Sentinel's or Defender's.
    pub(super) fn disagree(&mut self, simulator: &Simulator, sentinel_is_last: bool) -> Vec<Expected> {
        let mut expected = Vec::new();
        let pairs =
            agreement::pairs(simulator).into_iter().filter(|(defender, _)| !agreement::is_merged(defender));
        let mut later: Vec<Edit> = Vec::new();
        for (defender, sentinel) in pairs {
            let (id, name) = (text(&defender, "/id").to_owned(), text(&sentinel, "/name").to_owned());
            let known = text(&defender, "/assignedTo");
            let others: Vec<_> = self.users.iter().filter(|user| *user != known).cloned().collect();
            let (theirs, ours) = (others[0].clone(), others[1].clone());
            let is_closed = text(&sentinel, "/properties/status") == "Closed";
            let mut in_defender = json!({"assignedTo": ours});
            let mut in_sentinel = json!({"owner": {"userPrincipalName": theirs}});
            let mut outcome =
                Expected { incident: id.clone(), status: None, owner: Some(theirs), classification: None };
            if is_closed {
                let now = text(&defender, "/classification");
                let others: Vec<_> =
                    VERDICTS[..3].iter().filter(|(verdict, _)| !verdict.starts_with(now)).collect();
                let (one, other) = (others[0], others[1]);
                let (classification, determination) = one.0.split_once('/').unwrap();
                in_defender["classification"] = classification.into();
                in_defender["determination"] = determination.into();
                let (classification, reason) = other.1.split_once('/').unwrap();
                in_sentinel["classification"] = classification.into();
                in_sentinel["classificationReason"] = reason.into();
                let winner = if sentinel_is_last { other } else { one };
                outcome.classification = winner.0.split_once('/').map(|(classification, _)| classification);
            } else {
                // Neither what it is, nor the same.
                let now = text(&defender, "/status");
                let (one, other) =
                    if now == "inProgress" { (STATUSES[2], STATUSES[0]) } else { (STATUSES[2], STATUSES[1]) };
                in_defender["status"] = one.0.into();
                in_sentinel["status"] = other.1.into();
                outcome.status = Some(one.0.to_owned());
            }
            let edit_defender = {
                let id = id.clone();
                move |simulator: &Simulator| simulator.tenant().edit(&id, &in_defender, "ann").unwrap()
            };
            let edit_sentinel = move |simulator: &Simulator| {
                simulator.workspace().edit(&name, &in_sentinel).unwrap();
            };
            if sentinel_is_last {
                edit_defender(simulator);
                later.push(Box::new(edit_sentinel));
            } else {
                edit_sentinel(simulator);
                later.push(Box::new(edit_defender));
            }
            expected.push(outcome);
        }
        for edit in later {
            edit(simulator);
        }
        expected
    }

    fn comment(&mut self, id: &str) -> String {
        let text = format!("comment {} of {id}", self.comments.len());
        self.comments.push(Written { incident: id.to_owned(), text: text.clone() });
        text
    }

    fn toggled(&mut self, mut tags: BTreeSet<String>) -> BTreeSet<String> {
        let tag = self.one_of(&TAGS);
        if !tags.remove(tag) {
            tags.insert(tag.to_owned());
        }
        tags
    }

    fn user(&mut self) -> Option<String> {
        let place = self.rng.usize(..=self.users.len());
        self.users.get(place).cloned()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.rng.usize(..all.len())]
    }

    fn one_of_ids(&mut self) -> String {
        self.ids[self.rng.usize(..self.ids.len())].clone()
    }
}

impl Expected {
    pub(super) fn check(&self, simulator: &Simulator) {
        let incident = simulator.tenant().incident(&self.incident).unwrap();
        let at = |pointer| text(&incident, pointer);
        if let Some(status) = &self.status {
            assert_eq!(at("/status"), status, "Defender's status counts: {incident:#}");
        }
        if let Some(owner) = &self.owner {
            assert_eq!(at("/assignedTo"), owner, "Sentinel's owner counts: {incident:#}");
        }
        if let Some(classification) = self.classification {
            assert_eq!(at("/classification"), classification, "the newest counts: {incident:#}");
        }
    }
}
