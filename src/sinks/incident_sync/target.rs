//! What a pass needs of the service that it writes to.

use async_trait::async_trait;
use bytes::Bytes;

use incident_model::comment::CommentPart;
use incident_model::field::Side;
use incident_model::merge::Merge;
use incident_model::snapshot::{Comment, Snapshot};
use microsoft::ServiceError;

/// An incident as it is now.
#[derive(Clone, Debug)]
pub struct Current {
    /// What is kept in sync of it.
    pub snapshot: Snapshot,
    /// All of it, as the service sent it.
    pub raw: Bytes,
}

/// Where the counterpart of an incident is that nothing is known of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// Microsoft's own connector has brought it, under this name.
    Native(String),
    /// Microsoft's own connector will bring it.
    NativeExpected,
    /// It has this name if it is there; it may be created.
    Ours(String),
    /// There is none, and none can be made.
    Nowhere,
}

/// What came of writing a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It is there, under this id.
    As(String),
    /// It is one of these, which are all that there are.
    Among(Vec<Comment>),
}

/// One side's service.
#[async_trait]
pub trait Target: Send + Sync {
    /// Which side it is.
    fn side(&self) -> Side;

    /// The incident as it is now; nothing if it is gone.
    async fn read(&self, id: &str) -> Result<Option<Current>, ServiceError>;

    /// Finds the counterpart of an incident of the other side.
    async fn locate(&self, key: &str, offer: &Snapshot) -> Result<Located, ServiceError>;

    /// Creates the counterpart of an incident, and answers what it is then.
    async fn create(&self, id: &str, offer: &Snapshot) -> Result<Current, ServiceError>;

    /// Writes what came out of a merge, and answers what the incident is then: nothing if it was changed since it was read.
    async fn write(&self, current: &Current, merge: &Merge) -> Result<Option<Current>, ServiceError>;

    /// All comments of an incident, of which reading it may not tell.
    async fn comments(&self, id: &str) -> Result<Vec<Comment>, ServiceError> {
        Ok(self.read(id).await?.and_then(|current| current.snapshot.comments).unwrap_or_default())
    }

    /// Writes a comment.
    async fn comment(&self, id: &str, part: &CommentPart) -> Result<Wrote, ServiceError>;
}
