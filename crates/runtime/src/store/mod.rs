//! The state file: one embedded transactional file in `data_dir`, so that a restart goes on where delivery ended.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `version` | the layout's number |
//! | `cursors` | component | the component's cursor, JSON |
//! | `seen` | component, time in ns, id | nothing: what was delivered and may be listed again |
//! | `documents` | collection, key | what else components keep, JSON |

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};

use crate::off_thread::OffThread;
use model::incident::Revision;

mod documents;
mod told;

pub use documents::Change;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const CURSORS: TableDefinition<'_, &str, &str> = TableDefinition::new("cursors");
const SEEN: TableDefinition<'_, (&str, i64, &str), ()> = TableDefinition::new("seen");

/// The file's name in `data_dir`.
pub const FILE_NAME: &str = "vector-sentinel.redb";
/// The layout this build reads and writes.
const VERSION: u64 = 1;
/// Memory for pages of the file: the default of redb is a gigabyte.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// An open state file. Cheap to clone; one process at a time can have it open.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Nothing after a failure: the library answers every further call with the same failure until it is opened anew.
    database: RwLock<Option<OpenFile>>,
}

struct OpenFile {
    database: Database,
    identity: Option<(u64, u64)>,
}

/// What one component keeps in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The component: its kind and id, `sources.defender`.
    pub component: String,
    /// Its cursor as it is stored.
    pub cursor: serde_json::Value,
    /// How many delivered revisions are remembered.
    pub seen: u64,
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "the state file {0} is in use by another process: stop that one first; two that run at once need two data_dirs"
    )]
    InUse(PathBuf),
    /// It cannot be made or opened.
    #[error("cannot open the state file {path}: {source}. Check that data_dir exists and can be written")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody has removed it while it was open.
    #[error(
        "the state file {0} was removed or replaced while we run; put it back, or start again without it and have incidents delivered again"
    )]
    Removed(PathBuf),
    /// It was written by another version.
    #[error(
        "the state file {path} has layout {found} and this build reads {VERSION}: use the version that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
    },
    /// Reading or writing failed.
    #[error("the state file failed: {0}. Check the disk's free space and health")]
    Database(#[from] Box<redb::Error>),
    /// A cursor does not have the form that its component expects.
    #[error(
        "the cursor of {component} cannot be read: {source}. `state reset` makes the component start anew"
    )]
    Cursor {
        /// Whose.
        component: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A document does not have the form that is expected.
    #[error("the document {name} in the state file cannot be read: {source}")]
    Document {
        /// Its collection and key.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The thread that waits for the disk ended without an answer.
    #[error("the state file was not answered: the process is ending")]
    Interrupted,
}

// === impl Store ===

impl Store {
    /// Opens the state file in `data_dir`, and makes the directory and the file if they are not there.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE_NAME);
        create_private_dir(data_dir)
            .map_err(|error| StoreError::Open { path: path.clone(), source: error.into() })?;
        let database = open_database(&path)?;
        let file = OpenFile { database, identity: identity(&path) };
        let store = Self(Arc::new(Inner { path, database: RwLock::new(Some(file)) }));
        let found = store.write_now(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let found = meta.get("version")?.map(|version| version.value());
            if found.is_none() {
                meta.insert("version", VERSION)?;
                transaction.open_table(CURSORS)?;
                transaction.open_table(SEEN)?;
            }
            // Files that were written before there were any lack the table.
            transaction.open_table(documents::DOCUMENTS)?;
            Ok(found.unwrap_or(VERSION))
        })?;
        if found == VERSION {
            Ok(store)
        } else {
            Err(StoreError::Version { path: store.0.path.clone(), found })
        }
    }

    /// The cursor of `component`, if it has one.
    pub async fn cursor<T: DeserializeOwned>(&self, component: &str) -> Result<Option<T>, StoreError> {
        let key = component.to_owned();
        let text = self
            .read(move |transaction| {
                Ok(transaction.open_table(CURSORS)?.get(key.as_str())?.map(|text| text.value().to_owned()))
            })
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|source| StoreError::Cursor { component: component.to_owned(), source })
    }

    /// Which of `revisions` were recorded as delivered: one answer each, in order.
    pub async fn seen(&self, component: &str, revisions: Vec<Revision>) -> Result<Vec<bool>, StoreError> {
        let component = component.to_owned();
        self.read(move |transaction| {
            let seen = transaction.open_table(SEEN)?;
            let is_seen = |revision: &Revision| {
                Ok(seen
                    .get((component.as_str(), nanos(revision.last_update), revision.id.as_str()))?
                    .is_some())
            };
            revisions.iter().map(is_seen).collect()
        })
        .await
    }

    /// Records `revisions` as delivered. On disk when it returns.
    pub async fn record(&self, component: &str, revisions: Vec<Revision>) -> Result<(), StoreError> {
        let component = component.to_owned();
        self.write(move |transaction| {
            let mut seen = transaction.open_table(SEEN)?;
            for revision in &revisions {
                seen.insert((component.as_str(), nanos(revision.last_update), revision.id.as_str()), ())?;
            }
            Ok(())
        })
        .await
    }

    /// Moves the cursor of `component`, and forgets the revisions before `forget_before`. On disk when it returns.
    pub async fn advance<T: Serialize + Sync>(
        &self,
        component: &str,
        cursor: &T,
        forget_before: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(cursor)
            .map_err(|source| StoreError::Cursor { component: component.to_owned(), source })?;
        let component = component.to_owned();
        self.write(move |transaction| {
            transaction.open_table(CURSORS)?.insert(component.as_str(), text.as_str())?;
            let mut seen = transaction.open_table(SEEN)?;
            let forgotten =
                (component.as_str(), i64::MIN, "")..(component.as_str(), nanos(forget_before), "");
            seen.retain_in(forgotten, |_, ()| false)?;
            Ok(())
        })
        .await
    }

    /// Everything in the file, by component.
    pub async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        self.read(|transaction| {
            let (cursors, seen) = (transaction.open_table(CURSORS)?, transaction.open_table(SEEN)?);
            let mut entries = Vec::new();
            for row in cursors.iter()? {
                let (component, cursor) = row?;
                let component = component.value();
                let cursor = cursor.value();
                entries.push(Entry {
                    component: component.to_owned(),
                    cursor: serde_json::from_str(cursor).unwrap_or_else(|_| cursor.into()),
                    seen: seen.range(of_component(component))?.count() as u64,
                });
            }
            Ok(entries)
        })
        .await
    }

    /// Forgets everything about `component`. Answers whether there was anything.
    pub async fn reset(&self, component: &str) -> Result<bool, StoreError> {
        let component = component.to_owned();
        self.write(move |transaction| {
            let was_there = transaction.open_table(CURSORS)?.remove(component.as_str())?.is_some();
            transaction.open_table(SEEN)?.retain_in(of_component(&component), |_, ()| false)?;
            Ok(was_there)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        off_thread(move || store.with_database(|database| read(&database.begin_read()?))).await
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        off_thread(move || store.write_now(write)).await
    }

    fn write_now<T>(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_write()?;
            let answer = write(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
    }

    /// Uses the open database; opens it anew if it has failed before.
    fn with_database<T>(
        &self,
        run: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        if self.0.database.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            let mut database = self.0.database.write().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                // An empty one must not stand in for one that was removed.
                if !self.0.path.exists() {
                    return Err(StoreError::Removed(self.0.path.clone()));
                }
                *database = Some(OpenFile {
                    database: open_database(&self.0.path)?,
                    identity: identity(&self.0.path),
                });
            }
        }
        let file = self.0.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(OpenFile { database: open, identity: opened }) = file.as_ref() else {
            return Err(StoreError::Interrupted);
        };
        // Removed or replaced while it is open, it could be written to without end, and nobody would find that.
        if identity(&self.0.path) != *opened {
            drop(file);
            *self.0.database.write().unwrap_or_else(PoisonError::into_inner) = None;
            return Err(StoreError::Removed(self.0.path.clone()));
        }
        let result = run(open).map_err(|error| StoreError::Database(Box::new(error)));
        drop(file);
        if result.is_err() {
            *self.0.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }
}

/// Which file is at a path; nothing if there is none.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

fn open_database(path: &Path) -> Result<Database, StoreError> {
    match Database::builder().set_cache_size(CACHE_BYTES).create(path) {
        Err(redb::DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(path.to_owned())),
        other => other.map_err(|error| StoreError::Open { path: path.to_owned(), source: error.into() }),
    }
}

/// Makes `dir` with all above it; what is made can be entered by its owner only.
pub fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a file that only its owner can read; whoever reads `name` gets the old file or the new one, never a part.
pub fn write_private_file(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(temporary, dir.join(name))
}

/// Runs what waits for the disk on a thread that may wait.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    OffThread::Blocking.run(work).await.unwrap_or(Err(StoreError::Interrupted))
}

/// All keys of a component in `seen`.
fn of_component(component: &str) -> RangeInclusive<(&str, i64, &str)> {
    (component, i64::MIN, "")..=(component, i64::MAX, "\u{10ffff}")
}

/// Times are kept as nanoseconds since 1970, which reach from 1677 to 2262.
fn nanos(time: DateTime<Utc>) -> i64 {
    let out_of_range = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
    time.timestamp_nanos_opt().unwrap_or(out_of_range)
}

#[cfg(test)]
mod tests;
