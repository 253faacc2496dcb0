//! The directory and its files: each is there whole or not at all, and only its owner can read it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ControlError, MAX_BYTES};
use crate::files::{Disk, FileSystem, create_private_dir};

/// The directory's name in `data_dir`.
const DIR_NAME: &str = "control";
/// How a file's name ends while it is written.
const WRITTEN: &str = "new";

/// Where the files are. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    data_dir: PathBuf,
    path: PathBuf,
}

/// How far a command is, which is how its file's name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Claimed,
    Asked,
    Answer,
    Unreadable,
}

/// Why a file's content cannot be had.
pub(super) enum Unread {
    /// It is not there any more.
    Gone,
    /// It never will: why.
    Unreadable(String),
    /// The disk failed.
    Failed(ControlError),
}

// === impl Stage ===

impl Stage {
    const fn extension(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Asked => "asked",
            Self::Answer => "answer",
            Self::Unreadable => "unreadable",
        }
    }
}

// === impl Directory ===

impl Directory {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), path: data_dir.join(DIR_NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, id: &str, stage: Stage) -> PathBuf {
        self.path.join(format!("{id}.{}", stage.extension()))
    }

    /// Makes the directory if it is not there. It belongs to whom `data_dir` belongs to, whoever asks.
    pub(super) fn make(&self) -> Result<(), ControlError> {
        if self.path.is_dir() {
            return Ok(());
        }
        create_private_dir(&self.path).map_err(|source| io(&self.path, source))?;
        Disk.give_to_owner_of(&self.data_dir, &self.path);
        sync(&self.data_dir)
    }

    /// How many files there are, of whatever kind.
    pub(super) fn count(&self) -> Result<usize, ControlError> {
        Ok(self.names()?.len())
    }

    /// The ids of the files in these stages: in order of asking.
    pub(super) fn ids(&self, stages: &[Stage]) -> Result<Vec<(String, Stage)>, ControlError> {
        let mut found = Vec::new();
        for name in self.names()? {
            let Some((id, extension)) = name.rsplit_once('.') else { continue };
            let stage = stages.iter().find(|stage| stage.extension() == extension);
            found.extend(stage.map(|stage| (id.to_owned(), *stage)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The names of files that were begun and not written to the end, or are being written.
    pub(super) fn begun(&self) -> Result<Vec<String>, ControlError> {
        let mut names = self.names()?;
        names.retain(|name| name.rsplit_once('.').is_some_and(|(_, extension)| extension == WRITTEN));
        Ok(names)
    }

    fn names(&self) -> Result<Vec<String>, ControlError> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| io(&self.path, source))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| io(&self.path, source))?.file_name();
            names.extend(name.into_string().ok());
        }
        Ok(names)
    }

    pub(super) fn has(&self, id: &str, stage: Stage) -> bool {
        self.file(id, stage).exists()
    }

    /// Writes a command, if no other has its id. On disk when it returns.
    pub(super) fn ask(&self, id: &str, text: &[u8]) -> Result<bool, ControlError> {
        let new = self.being_written(id, Stage::Asked);
        let file = match create(&new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            file => file.map_err(|source| io(&new, source))?,
        };
        // In the order in which a command goes, so that none slips by.
        let stages = [Stage::Asked, Stage::Claimed, Stage::Answer, Stage::Unreadable];
        if stages.into_iter().any(|stage| self.has(id, stage)) {
            return remove(&new).map(|()| false);
        }
        Disk.give_to_owner_of(&self.path, &new);
        let written = self.put(&new, file, text, &self.file(id, Stage::Asked));
        if written.is_err() {
            remove(&new)?;
        }
        written.map(|()| true)
    }

    /// Writes an answer, over what is there. On disk when it returns.
    pub(super) fn answer(&self, id: &str, answer: &impl Serialize) -> Result<(), ControlError> {
        let path = self.file(id, Stage::Answer);
        let text =
            serde_json::to_vec(answer).map_err(|source| ControlError::Json { path: path.clone(), source })?;
        let new = self.being_written(id, Stage::Answer);
        remove(&new)?;
        let file = create(&new).map_err(|source| io(&new, source))?;
        self.put(&new, file, &text, &path)
    }

    /// Writes a file and gives it its name.
    fn put(&self, new: &Path, mut file: File, text: &[u8], path: &Path) -> Result<(), ControlError> {
        file.write_all(text).and_then(|()| file.sync_all()).map_err(|source| io(new, source))?;
        std::fs::rename(new, path).map_err(|source| io(new, source))?;
        sync(&self.path)
    }

    /// What is in a file.
    pub(super) fn read<T: DeserializeOwned>(&self, id: &str, stage: Stage) -> Result<T, Unread> {
        let path = self.file(id, stage);
        let text = read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Unread::Gone,
            ErrorKind::PermissionDenied | ErrorKind::InvalidData => Unread::Unreadable(error.to_string()),
            _ => Unread::Failed(io(&path, error)),
        })?;
        serde_json::from_slice(&text).map_err(|error| Unread::Unreadable(error.to_string()))
    }

    /// Moves a command on. Answers whether it was still there.
    pub(super) fn advance(&self, id: &str, from: Stage, to: Stage) -> Result<bool, ControlError> {
        match std::fs::rename(self.file(id, from), self.file(id, to)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            renamed => renamed.map(|()| true).map_err(|source| io(&self.file(id, from), source)),
        }
    }

    pub(super) fn remove(&self, id: &str, stage: Stage) -> Result<(), ControlError> {
        remove(&self.file(id, stage))
    }

    /// Removes a file that was begun and not written to the end.
    pub(super) fn remove_begun(&self, name: &str) -> Result<(), ControlError> {
        remove(&self.path.join(name))
    }

    fn being_written(&self, id: &str, stage: Stage) -> PathBuf {
        self.path.join(format!("{id}.{}.{WRITTEN}", stage.extension()))
    }
}

/// Makes a file that its owner only can read, and that was not there.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a file that is one, and is not too long.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let invalid = |why: String| std::io::Error::new(ErrorKind::InvalidData, why);
    // Opening a pipe would wait for whoever writes to it.
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(invalid("it is no regular file".to_owned()));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(invalid(format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn remove(path: &Path) -> Result<(), ControlError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| io(path, source)),
    }
}

/// Has the names in a directory on disk.
fn sync(dir: &Path) -> Result<(), ControlError> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| io(dir, source))?;
    }
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> ControlError {
    ControlError::Io { path: path.to_owned(), source }
}
