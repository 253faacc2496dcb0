//! Events that wait to be told: whoever has something to tell leaves it here, for each source that will emit it.

use serde_json::Value;

use super::{Put, Store, StoreError};

/// The collection of what waits for one source.
fn collection(reader: &str) -> String {
    format!("told/{reader}")
}

// === impl Put ===

impl Put {
    /// Leaves an event for the source `reader`. Events are told in the order of their keys.
    pub fn tell(reader: &str, key: &str, event: &Value) -> Result<Self, StoreError> {
        Self::new(&collection(reader), key, event)
    }
}

// === impl Store ===

impl Store {
    /// What waits for the source `reader`, with the keys: what comes after `after`, and at most `most` of it.
    pub async fn told(
        &self,
        reader: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, Value)>, StoreError> {
        self.documents(&collection(reader), after, most).await
    }

    /// Removes what waited for the source `reader` under these keys.
    pub async fn forget_told(&self, reader: &str, keys: Vec<String>) -> Result<(), StoreError> {
        if keys.is_empty() { Ok(()) } else { self.backend().delete(&collection(reader), keys).await }
    }
}
