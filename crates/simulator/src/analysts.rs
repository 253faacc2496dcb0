//! What analysts do to Defender incidents in their portal, for tests to do.

use serde_json::{Value, json};

use super::edit::Edit;
use super::json::Json;
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

    /// Every incident as it is, whether readers see it yet or not: the one that something happened to last at the end,
    /// with alerts and every enum member by its name.
    pub fn state(&self) -> Vec<Value> {
        let mut json = Json::new(true);
        json.open('[');
        self.list_latest(&mut json);
        json.close(']');
        // What was written just now is well formed.
        serde_json::from_str(&json.finish()).unwrap_or_default()
    }

    /// One incident as `state` has it.
    pub fn incident(&self, id: &str) -> Option<Value> {
        let mut json = Json::new(true);
        self.get_latest(id, true, &mut json)?;
        serde_json::from_str(&json.finish()).ok()
    }
}
