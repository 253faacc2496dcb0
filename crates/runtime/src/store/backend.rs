//! The port: what a place for the state has to be able to do, whatever it is.
//!
//! A record is a text under a kind and a key. There is no transaction over several records: **what must change together is
//! one record**, and of records that are written one after the other a crash leaves any first part. Whoever writes several
//! chooses an order in which every first part is safe, so that at worst something is done twice.

use async_trait::async_trait;
use serde::Serialize;

use super::StoreError;

/// A place for the state.
///
/// What a call has answered with `Ok` is there after a crash. **An error of a call that writes means "unknown", never "not
/// written"**: whoever gets one reads again, or writes the same again.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The record, if it is there.
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Found>, StoreError>;

    /// Puts a record if `condition` holds, and answers whether it did.
    async fn put(&self, record: Put, condition: Condition) -> Result<bool, StoreError>;

    /// Puts records that have nothing to do with one another: it is quicker than one by one, and no more than that. After a
    /// crash or an error any of them may be there.
    async fn put_all(&self, records: Vec<Put>) -> Result<(), StoreError>;

    /// Removes records, of which some may not be there. After a crash or an error any of them may be gone.
    async fn delete(&self, kind: &str, keys: Vec<String>) -> Result<(), StoreError>;

    /// The records of a kind whose keys begin with `prefix`, in the order of their keys' bytes: those after the key `after`,
    /// and at most `most` of them.
    async fn list(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, StoreError>;
}

/// A record to be put in the place of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The kind of record.
    pub kind: String,
    /// The key, unique among those of its kind; not empty.
    pub key: String,
    /// What is put.
    pub text: String,
}

/// A record that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was put.
    pub text: String,
    /// Which state of it this is.
    pub version: Version,
}

/// One state of a record, to be asked for in a [`Condition`]. What it is, is the backend's: an `ETag` somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// What must hold for a record to be put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: whatever is there is replaced.
    #[default]
    Always,
    /// There is no such record.
    Absent,
    /// The record is in this state.
    Is(Version),
}

// === impl Put ===

impl Put {
    /// A document to be put.
    pub fn new<T: Serialize>(kind: &str, key: &str, document: &T) -> Result<Self, StoreError> {
        let text =
            serde_json::to_string(document).map_err(|source| StoreError::document(kind, key, source))?;
        Ok(Self { kind: kind.to_owned(), key: key.to_owned(), text })
    }
}
