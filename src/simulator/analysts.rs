//! What analysts do to Defender incidents in their portal, for tests to do.

use serde_json::{Value, json};

use super::edit::Edit;
use super::filter::Filter;
use super::json::Json;
use super::roster::{Order, Request};
use super::tenant::Tenant;

// === impl Tenant ===

impl Tenant {
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

    /// Every incident that readers see, oldest update first, with alerts and every enum member by its name.
    pub fn state(&self) -> Vec<Value> {
        let request = Request {
            filter: Filter::default(),
            order: Order::OldestFirst,
            skip: 0,
            top: usize::MAX,
            with_alerts: true,
        };
        let mut json = Json::new(true);
        json.open('[');
        self.list(&request, &mut json);
        json.close(']');
        // What was written just now is well formed.
        serde_json::from_str(&json.finish()).unwrap_or_default()
    }

    /// One incident as readers see it, with alerts and every enum member by its name.
    pub fn incident(&self, id: &str) -> Option<Value> {
        let mut json = Json::new(true);
        self.get(id, true, &mut json)?;
        serde_json::from_str(&json.finish()).ok()
    }
}
