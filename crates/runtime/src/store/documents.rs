//! Small JSON documents, by collection and key.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::backend::{Condition, Put};
use super::{Store, StoreError};

// === impl Store ===

impl Store {
    /// A document, if it is there.
    pub async fn document<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let found = self.backend().get(collection, key).await?;
        let read = |text: String| {
            serde_json::from_str(&text).map_err(|source| StoreError::document(collection, key, source))
        };
        found.map(|found| read(found.text)).transpose()
    }

    /// The documents of a collection in the order of their keys: those after `after`, and at most `most` of them.
    pub async fn documents<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let read = |(key, text): (String, String)| match serde_json::from_str(&text) {
            Ok(document) => Ok((key, document)),
            Err(source) => Err(StoreError::document(collection, &key, source)),
        };
        let texts = self.backend().list(collection, "", after, most).await?;
        texts.into_iter().map(read).collect()
    }

    /// Puts a document, in place of the one that is there if there is one. On disk when it returns.
    pub async fn put<T: Serialize + Sync>(
        &self,
        collection: &str,
        key: &str,
        document: &T,
    ) -> Result<(), StoreError> {
        let put = Put::new(collection, key, document)?;
        self.backend().put(put, Condition::Always).await.map(drop)
    }

    /// Puts documents that have nothing to do with one another: after a crash or an error any of them may be there. On disk
    /// when it returns.
    pub async fn put_all(&self, documents: Vec<Put>) -> Result<(), StoreError> {
        if documents.is_empty() { Ok(()) } else { self.backend().put_all(documents).await }
    }

    /// Removes a document, if it is there.
    pub async fn remove(&self, collection: &str, key: &str) -> Result<(), StoreError> {
        self.backend().delete(collection, vec![key.to_owned()]).await
    }
}
