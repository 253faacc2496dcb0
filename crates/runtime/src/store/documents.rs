//! Small JSON documents in the state file, by collection and key: several change together, or none does.

use redb::TableDefinition;
use serde::{Serialize, de::DeserializeOwned};

use super::{Store, StoreError};

pub(super) const DOCUMENTS: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("documents");

/// One change of one document.
#[derive(Clone, Debug)]
pub struct Change {
    collection: String,
    key: String,
    /// The document's text; nothing if it is to be removed.
    text: Option<String>,
}

// === impl Change ===

impl Change {
    /// Puts a document, in place of the one that is there if there is one.
    pub fn put<T: Serialize>(collection: &str, key: &str, document: &T) -> Result<Self, StoreError> {
        let text = serde_json::to_string(document).map_err(|source| unreadable(collection, key, source))?;
        Ok(Self { collection: collection.to_owned(), key: key.to_owned(), text: Some(text) })
    }

    /// Removes a document, if it is there.
    #[must_use]
    pub fn remove(collection: &str, key: &str) -> Self {
        Self { collection: collection.to_owned(), key: key.to_owned(), text: None }
    }
}

// === impl Store ===

impl Store {
    /// A document, if it is there.
    pub async fn document<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let at = (collection.to_owned(), key.to_owned());
        let text = self
            .read(move |transaction| {
                let documents = transaction.open_table(DOCUMENTS)?;
                Ok(documents.get((at.0.as_str(), at.1.as_str()))?.map(|text| text.value().to_owned()))
            })
            .await?;
        text.map(|text| serde_json::from_str(&text).map_err(|source| unreadable(collection, key, source)))
            .transpose()
    }

    /// The documents of a collection in the order of their keys: those after `after`, and at most `most` of them.
    pub async fn documents<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let (name, after) = (collection.to_owned(), after.to_owned());
        let texts = self
            .read(move |transaction| {
                let documents = transaction.open_table(DOCUMENTS)?;
                let mut texts = Vec::new();
                for row in documents.range((name.as_str(), after.as_str())..)? {
                    let (key, text) = row?;
                    let (collection, key) = key.value();
                    if collection != name || texts.len() == most {
                        break;
                    }
                    if key != after {
                        texts.push((key.to_owned(), text.value().to_owned()));
                    }
                }
                Ok(texts)
            })
            .await?;
        let read = |(key, text): (String, String)| match serde_json::from_str(&text) {
            Ok(document) => Ok((key, document)),
            Err(source) => Err(unreadable(collection, &key, source)),
        };
        texts.into_iter().map(read).collect()
    }

    /// Makes all of these changes. On disk when it returns.
    pub async fn change(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let mut documents = transaction.open_table(DOCUMENTS)?;
            for Change { collection, key, text } in &changes {
                let at = (collection.as_str(), key.as_str());
                match text {
                    Some(text) => documents.insert(at, text.as_str())?,
                    None => documents.remove(at)?,
                };
            }
            Ok(())
        })
        .await
    }
}

fn unreadable(collection: &str, key: &str, source: serde_json::Error) -> StoreError {
    StoreError::Document { name: format!("{collection}/{key}"), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn documents_change_together_and_are_found_again_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let put = |collection, key, n: u32| Change::put(collection, key, &n).unwrap();
        store
            .change(vec![put("a", "2", 2), put("a", "1", 1), put("b", "1", 9), put("a", "3", 3)])
            .await
            .unwrap();
        store.change(vec![Change::remove("a", "2"), put("a", "3", 33)]).await.unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        let all: Vec<(String, u32)> = store.documents("a", "", 10).await.unwrap();
        assert_eq!(all, [("1".to_owned(), 1), ("3".to_owned(), 33)]);
        let after: Vec<(String, u32)> = store.documents("a", "1", 1).await.unwrap();
        assert_eq!(after, [("3".to_owned(), 33)]);
        assert_eq!(store.document::<u32>("b", "1").await.unwrap(), Some(9));
        assert_eq!(store.document::<u32>("b", "2").await.unwrap(), None);
        let wrong = store.document::<String>("b", "1").await.unwrap_err();
        assert!(wrong.to_string().contains("b/1"), "{wrong}");
    }
}
