//! What analysts do to Sentinel incidents in their portal, for tests to do.

use serde_json::{Map, Value, json};

use super::connector;
use super::draft::{self, Rules};
use super::incident::{Alerts, Author, Incident};
use super::raw;
use super::store::Commented;
use crate::sim_state::SimState;

/// The incidents of the workspace, for tests to read and to change.
pub struct Workspace<'a>(&'a SimState);

// === impl Workspace ===

impl<'a> Workspace<'a> {
    pub(crate) const fn of(state: &'a SimState) -> Self {
        Self(state)
    }

    /// Analytics rules raise `n` incidents; answers their names.
    pub fn create(&self, n: usize) -> Vec<String> {
        self.0.incidents.change(|incidents, times| (0..n).map(|_| incidents.raise(times)).collect())
    }

    /// An analyst creates an incident with these properties, in the words of the API; answers its name.
    pub fn create_with(&self, properties: &Value) -> Result<String, String> {
        let none = Map::new();
        let drafted = draft::read(properties.as_object().unwrap_or(&none), None, self.rules())?;
        Ok(self.0.incidents.change(|incidents, times| {
            let name = incidents.fresh_name();
            incidents.create(&name, drafted, Alerts::default(), None, times);
            name
        }))
    }

    /// Puts in an incident as `state` shows it, with its times and comments, or replaces the one with its name. The error
    /// says what is missing.
    pub fn insert_raw(&self, shown: &Value) -> Result<(), String> {
        let incident = raw::read(shown, self.rules())?;
        self.0.incidents.change(|incidents, _| incidents.insert(incident));
        Ok(())
    }

    /// Changes the properties that are named, in the words of the API; null takes one away. The error says what cannot
    /// be done.
    pub fn edit(&self, name: &str, properties: &Value) -> Result<(), String> {
        connector::mirror(self.0);
        self.0.incidents.change(|incidents, times| {
            let before = incidents.get(name).ok_or_else(|| format!("there is no incident {name}"))?;
            let mut whole = before.properties.shown();
            whole.extend(properties.as_object().cloned().unwrap_or_default());
            let drafted = draft::read(&whole, Some(&before.properties), self.rules())?;
            incidents.update(name, times, |incident| incident.properties = drafted);
            Ok::<_, String>(())
        })?;
        connector::write_back(self.0, name);
        Ok(())
    }

    /// Closes an incident. `reason` is `None` for what is `Undetermined`.
    pub fn close(&self, name: &str, classification: &str, reason: Option<&str>) -> Result<(), String> {
        let properties =
            json!({"status": "Closed", "classification": classification, "classificationReason": reason});
        self.edit(name, &properties)
    }

    /// Makes a closed incident active again, and takes its classification away.
    pub fn reopen(&self, name: &str) -> Result<(), String> {
        let properties = json!({
            "status": "Active", "classification": null, "classificationReason": null, "classificationComment": null,
        });
        self.edit(name, &properties)
    }

    /// Deletes an incident. False if there is none.
    pub fn delete(&self, name: &str) -> bool {
        self.0.incidents.change(|incidents, _| incidents.delete(name))
    }

    /// Adds a comment as `by` (a user's name); answers the comment's name. `None` if there is no such incident, or it
    /// has as many comments as it can have.
    pub fn comment(&self, name: &str, message: &str, by: &str) -> Option<String> {
        let user = self.0.config.workspace.users.iter().find(|user| user.user_principal_name == by);
        let author = Author {
            name: user.map_or(by, |user| &user.display_name).to_owned(),
            object_id: user.map(|user| user.object_id.clone()),
            user_principal_name: user.map(|user| user.user_principal_name.clone()),
        };
        self.0.incidents.change(|incidents, times| {
            let comment = incidents.fresh_name();
            let done = incidents.comment(name, &comment, message, author, times)?;
            (done == Commented::Added).then_some(comment)
        })
    }

    /// Replaces the text of a comment, as its author. False if there is no such comment.
    pub fn edit_comment(&self, name: &str, comment: &str, message: &str) -> bool {
        self.0.incidents.change(|incidents, times| {
            let author = incidents.get(name).and_then(|incident| incident.comment(comment));
            let author = author.map(|comment| comment.author.clone());
            author.is_some_and(|author| incidents.comment(name, comment, message, author, times).is_some())
        })
    }

    /// Deletes a comment. False if there is no such comment.
    pub fn delete_comment(&self, name: &str, comment: &str) -> bool {
        self.0.incidents.change(|incidents, times| incidents.delete_comment(name, comment, times))
    }

    /// Every incident as the API shows it, in order of their numbers, each with its `comments` beside its `properties`.
    pub fn state(&self) -> Vec<Value> {
        connector::mirror(self.0);
        let base = self.0.config.workspace.path();
        self.0.incidents.change(|incidents, _| {
            let mut all: Vec<_> = incidents.all().collect();
            all.sort_by_key(|incident| incident.number);
            all.into_iter().map(|incident| with_comments(incident, &base)).collect()
        })
    }

    /// One incident as `state` has it.
    pub fn incident(&self, name: &str) -> Option<Value> {
        connector::mirror(self.0);
        let base = self.0.config.workspace.path();
        self.0
            .incidents
            .change(|incidents, _| incidents.get(name).map(|incident| with_comments(incident, &base)))
    }

    fn rules(&self) -> Rules<'a> {
        let config = &self.0.config.workspace;
        Rules {
            users: &config.users,
            reopening_clears_classification: config.reopening_clears_classification,
        }
    }
}

fn with_comments(incident: &Incident, base: &str) -> Value {
    let mut shown = incident.shown(base);
    let comments = incident.comments.iter();
    shown["comments"] = comments.map(|comment| comment.shown(base, &incident.name)).collect();
    shown
}
