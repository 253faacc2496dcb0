//! The file backend: one embedded file in `data_dir`.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `version` | the layout's number |
//! | `documents` | kind, key | the record's text, JSON |

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use super::backend::{Backend, Condition, Found, Put, Version};
use super::{StoreError, layout_1};
use crate::files::create_private_dir;
use crate::off_thread::OffThread;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const DOCUMENTS: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("documents");

/// The file's name in `data_dir`.
pub const FILE_NAME: &str = "vector-sentinel.redb";
/// The layout this build writes. It reads the one before, too, and makes it this one.
pub(super) const VERSION: u64 = 2;
/// Memory for pages of the file: the default of redb is a gigabyte.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// The state in a file. Cheap to clone; one process at a time can have it open.
#[derive(Clone)]
pub struct FileBackend(Arc<Inner>);

struct Inner {
    medium: Medium,
    off_thread: OffThread,
    /// Nothing after a failure: the library answers every further call with the same failure until it is opened anew.
    database: RwLock<Option<OpenFile>>,
}

/// Where the bytes are.
enum Medium {
    /// In a file of this name.
    Path(PathBuf),
    /// Wherever this opens them.
    Mounted(Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>),
}

struct OpenFile {
    database: Database,
    identity: Option<(u64, u64)>,
}

// === impl FileBackend ===

impl FileBackend {
    /// Opens the state file in `data_dir`, and makes the directory and the file if they are not there.
    pub fn open(data_dir: &Path, off_thread: OffThread) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE_NAME);
        create_private_dir(data_dir)
            .map_err(|error| StoreError::Open { path: path.clone(), source: error.into() })?;
        Self::on(Medium::Path(path), off_thread)
    }

    /// Opens a state file that is where `mount` says, in memory for example. It is mounted anew after a failure.
    pub fn mounted<B: StorageBackend>(
        mount: impl Fn() -> B + Send + Sync + 'static,
        off_thread: OffThread,
    ) -> Result<Self, StoreError> {
        let open = move || builder().create_with_backend(mount());
        Self::on(Medium::Mounted(Box::new(open)), off_thread)
    }

    fn on(medium: Medium, off_thread: OffThread) -> Result<Self, StoreError> {
        medium.make()?;
        let open = medium.open()?;
        let backend = Self(Arc::new(Inner { medium, off_thread, database: RwLock::new(Some(open)) }));
        let found = backend.0.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let found = meta.get("version")?.map(|version| version.value());
            if found == Some(1) {
                layout_1::convert(transaction)?;
            }
            if found.is_none_or(|found| found < VERSION) {
                meta.insert("version", VERSION)?;
                // Files that were written before there were any lack the table.
                transaction.open_table(DOCUMENTS)?;
            }
            Ok(found.unwrap_or(VERSION))
        })?;
        if found <= VERSION {
            Ok(backend)
        } else {
            Err(StoreError::Version { path: backend.0.medium.path(), found })
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let work = move || inner.with_database(|database| read(&database.begin_read()?));
        self.0.off_thread.run(work).await.unwrap_or(Err(StoreError::Interrupted))
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let work = move || inner.write(write);
        self.0.off_thread.run(work).await.unwrap_or(Err(StoreError::Interrupted))
    }
}

#[async_trait]
impl Backend for FileBackend {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Found>, StoreError> {
        let (kind, key) = (kind.to_owned(), key.to_owned());
        self.read(move |transaction| {
            let documents = transaction.open_table(DOCUMENTS)?;
            let text = documents.get((kind.as_str(), key.as_str()))?.map(|text| text.value().to_owned());
            // One process at a time has the file: what it says tells its states apart well enough.
            Ok(text.map(|text| Found { version: Version(text.clone()), text }))
        })
        .await
    }

    async fn put(&self, record: Put, condition: Condition) -> Result<bool, StoreError> {
        self.write(move |transaction| {
            let mut documents = transaction.open_table(DOCUMENTS)?;
            let at = (record.kind.as_str(), record.key.as_str());
            let holds = match &condition {
                Condition::Always => true,
                Condition::Absent => documents.get(at)?.is_none(),
                Condition::Is(Version(text)) => documents.get(at)?.is_some_and(|found| found.value() == text),
            };
            if holds {
                documents.insert(at, record.text.as_str())?;
            }
            Ok(holds)
        })
        .await
    }

    async fn put_all(&self, records: Vec<Put>) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let mut documents = transaction.open_table(DOCUMENTS)?;
            for Put { kind, key, text } in &records {
                documents.insert((kind.as_str(), key.as_str()), text.as_str())?;
            }
            Ok(())
        })
        .await
    }

    async fn delete(&self, kind: &str, keys: Vec<String>) -> Result<(), StoreError> {
        let kind = kind.to_owned();
        self.write(move |transaction| {
            let mut documents = transaction.open_table(DOCUMENTS)?;
            for key in &keys {
                documents.remove((kind.as_str(), key.as_str()))?;
            }
            Ok(())
        })
        .await
    }

    async fn list(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let (kind, prefix, after) = (kind.to_owned(), prefix.to_owned(), after.to_owned());
        self.read(move |transaction| {
            let documents = transaction.open_table(DOCUMENTS)?;
            let first = prefix.as_str().max(after.as_str());
            let mut found = Vec::new();
            for row in documents.range((kind.as_str(), first)..)? {
                let (key, text) = row?;
                let (its_kind, key) = key.value();
                if its_kind != kind || !key.starts_with(&prefix) || found.len() == most {
                    break;
                }
                if key != after {
                    found.push((key.to_owned(), text.value().to_owned()));
                }
            }
            Ok(found)
        })
        .await
    }
}

// === impl Inner ===

impl Inner {
    fn write<T>(
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
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                // An empty one must not stand in for one that was removed.
                if !self.medium.exists() {
                    return Err(StoreError::Removed(self.medium.path()));
                }
                *database = Some(self.medium.open()?);
            }
        }
        let file = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(OpenFile { database: open, identity: opened }) = file.as_ref() else {
            return Err(StoreError::Interrupted);
        };
        // Removed or replaced while it is open, it could be written to without end, and nobody would find that.
        if self.medium.identity() != *opened {
            drop(file);
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
            return Err(StoreError::Removed(self.medium.path()));
        }
        let result = run(open).map_err(|error| StoreError::Database(Box::new(error)));
        drop(file);
        if result.is_err() {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }
}

// === impl Medium ===

impl Medium {
    /// Makes a file that is not there, under its name only once it can be opened again: the library does not read one that a
    /// crash has left half made.
    fn make(&self) -> Result<(), StoreError> {
        let Self::Path(path) = self else { return Ok(()) };
        let cannot = |source: std::io::Error| StoreError::Open { path: path.clone(), source: source.into() };
        // Only what is surely not there is made: a link that leads nowhere yet, or a disk that fails, is not "nothing".
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(found) if found.is_symlink() => return std::fs::metadata(path).map(drop).map_err(cannot),
            found => return found.map(drop).map_err(cannot),
        }
        let new = Self::Path(path.with_extension("redb.new"));
        match std::fs::remove_file(new.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => drop(new.open()?),
        }
        // Never in the place of one that another process has made meanwhile.
        match std::fs::hard_link(new.path(), path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links: there the name is given as it can be.
            Err(_) => std::fs::rename(new.path(), path).map_err(cannot)?,
            Ok(()) => {}
        }
        std::fs::remove_file(new.path()).ok();
        // Its name is on disk too. Some file systems cannot be asked for that.
        path.parent().and_then(|dir| std::fs::File::open(dir).ok()).and_then(|dir| dir.sync_all().ok());
        Ok(())
    }

    fn open(&self) -> Result<OpenFile, StoreError> {
        let database = match self {
            Self::Path(path) => builder().create(path),
            Self::Mounted(open) => open(),
        };
        match database {
            Ok(database) => Ok(OpenFile { database, identity: self.identity() }),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(self.path())),
            Err(error) => Err(StoreError::Open { path: self.path(), source: error.into() }),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Mounted(_) => FILE_NAME.into(),
        }
    }

    fn exists(&self) -> bool {
        match self {
            Self::Path(path) => path.exists(),
            Self::Mounted(_) => true,
        }
    }

    /// Which file it is; nothing if there is none.
    fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Path(path) => identity(path),
            Self::Mounted(_) => None,
        }
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}
