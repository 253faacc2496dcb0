//! A disk in memory, which can be full, and can lose at a crash what was not synced.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{File, FileKind, FileSystem, Listed, Open, OpenFile};

/// A disk in memory. It outlives its crashes; who had a file open before one gets errors.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    unlocked: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, Node>,
    /// The names that a crash leaves.
    synced_names: BTreeMap<PathBuf, Node>,
    /// Most bytes of all files together.
    room: Option<usize>,
    operations: u64,
    /// At this operation the power goes.
    fuse: Option<u64>,
    crashes: u64,
    opened: u64,
}

#[derive(Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Who has it locked, and whether for himself.
    locked: BTreeMap<u64, bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Debug)]
struct Opened {
    shared: Arc<Shared>,
    /// Who it is, among those who lock.
    id: u64,
    file: usize,
    crashes: u64,
    how: Open,
    at: usize,
}

// === impl MemoryDisk ===

impl MemoryDisk {
    /// A disk with so many bytes of room for what is in files.
    pub fn with_room(bytes: usize) -> Self {
        let disk = Self::default();
        disk.set_room(Some(bytes));
        disk
    }

    /// Has so many bytes of room from now on; any number if nothing is said.
    pub fn set_room(&self, bytes: Option<usize>) {
        self.0.lock().room = bytes;
    }

    /// Has the power go at the `n`th operation that changes something, from now on: that and all after it fail.
    pub fn fuse(&self, n: u64) {
        let mut state = self.0.lock();
        state.fuse = Some(state.operations + n);
    }

    /// How many operations have changed something.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// The power goes and comes again. Of names and bytes that were not synced, some are there and some are not.
    pub fn crash(&self, rng: &mut fastrand::Rng) {
        let mut state = self.0.lock();
        let State { files, names, synced_names, .. } = &mut *state;
        let mut paths: Vec<PathBuf> = names.keys().chain(synced_names.keys()).cloned().collect();
        paths.sort_unstable();
        paths.dedup();
        let mut left = BTreeMap::new();
        for path in paths {
            // What is in a directory goes with it.
            let is_reachable = path.parent().is_none_or(|above| is_root(above) || left.contains_key(above));
            let node = if rng.bool() { names.get(&path) } else { synced_names.get(&path) };
            if let Some(node) = node.filter(|_| is_reachable) {
                left.insert(path, *node);
            }
        }
        names.clone_from(&left);
        *synced_names = left;
        for file in files {
            match rng.u8(0..3) {
                0 => {}
                1 => file.synced.clone_from(&file.now),
                _ => {
                    // What was appended is there in part, and what was written over is there or not.
                    let (shorter, longer) = (file.synced.len().min(file.now.len()), file.now.len());
                    let length = rng.usize(shorter..=longer.max(file.synced.len()));
                    let mut content =
                        if length > file.synced.len() { &file.now } else { &file.synced }.clone();
                    content.truncate(length);
                    file.synced = content;
                }
            }
            file.now.clone_from(&file.synced);
            file.locked.clear();
        }
        state.crashes += 1;
        state.fuse = None;
        self.0.unlocked.notify_all();
    }
}

fn is_root(path: &Path) -> bool {
    path.parent().is_none()
}

impl FileSystem for MemoryDisk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.0.operate()?;
        let mut made = Vec::new();
        for dir in dir.ancestors().filter(|dir| !is_root(dir)) {
            match state.names.get(dir) {
                Some(Node::Dir) => break,
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => made.push(dir.to_owned()),
            }
        }
        for dir in made.into_iter().rev() {
            state.names.insert(dir.clone(), Node::Dir);
            drop(state);
            state = self.0.operate()?;
            state.synced_names.insert(dir, Node::Dir);
        }
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> Result<File> {
        let mut state = self.0.check()?;
        let file = match state.names.get(path) {
            Some(Node::File(file)) => *file,
            Some(Node::Dir) => return Err(ErrorKind::IsADirectory.into()),
            None if how == Open::Append => {
                drop(state);
                state = self.0.operate()?;
                state.has_dir_of(path)?;
                state.files.push(Content::default());
                let file = state.files.len() - 1;
                state.names.insert(path.to_owned(), Node::File(file));
                file
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        state.opened += 1;
        let (id, crashes) = (state.opened, state.crashes);
        Ok(Box::new(Opened { shared: Arc::clone(&self.0), id, file, crashes, how, at: 0 }))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Listed>> {
        let state = self.0.check()?;
        if state.names.get(dir) != Some(&Node::Dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let names = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(names.map(|(path, node)| Listed { path: path.clone(), kind: state.kind(*node) }).collect())
    }

    fn look(&self, path: &Path) -> Result<Option<FileKind>> {
        let state = self.0.check()?;
        Ok(state.names.get(path).map(|node| state.kind(*node)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.0.operate()?;
        state.has_dir_of(to)?;
        match state.names.remove(from) {
            Some(node) => drop(state.names.insert(to.to_owned(), node)),
            None => return Err(ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.0.operate()?;
        match state.names.get(path) {
            Some(Node::File(_)) => drop(state.names.remove(path)),
            Some(Node::Dir) => return Err(ErrorKind::IsADirectory.into()),
            None => return Err(ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.0.operate()?;
        let State { names, synced_names, .. } = &mut *state;
        synced_names.retain(|path, _| path.parent() != Some(dir));
        let there = names.iter().filter(|(path, _)| path.parent() == Some(dir));
        synced_names.extend(there.map(|(path, node)| (path.clone(), *node)));
        Ok(())
    }

    fn give_to_owner_of(&self, _: &Path, _: &Path) {}
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if there is power.
    fn check(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.fuse.is_some_and(|fuse| state.operations >= fuse) { Err(no_power()) } else { Ok(state) }
    }

    /// The state for an operation that changes something.
    fn operate(&self) -> Result<MutexGuard<'_, State>> {
        self.check()?.operations += 1;
        self.check()
    }
}

fn no_power() -> Error {
    Error::other("the power is gone")
}

// === impl State ===

impl State {
    fn kind(&self, node: Node) -> FileKind {
        match node {
            Node::Dir => FileKind::Dir,
            Node::File(file) => FileKind::File(self.files.get(file).map_or(0, |file| file.now.len() as u64)),
        }
    }

    fn has_dir_of(&self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(dir) if is_root(dir) || self.names.get(dir) == Some(&Node::Dir) => Ok(()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    /// How many bytes more there is room for.
    fn free(&self) -> usize {
        let named = self.names.values().filter_map(|node| match node {
            Node::File(file) => self.files.get(*file),
            Node::Dir => None,
        });
        let used = named.map(|file| file.now.len()).sum();
        self.room.map_or(usize::MAX, |room| room.saturating_sub(used))
    }
}

// === impl Opened ===

impl Opened {
    /// The disk, as it is for whoever opened a file before it crashed or after.
    fn check(&self) -> Result<MutexGuard<'_, State>> {
        self.shared.check().and_then(|state| self.of_this_life(state))
    }

    fn operate(&self) -> Result<MutexGuard<'_, State>> {
        drop(self.check()?);
        self.shared.operate()
    }

    fn of_this_life<'a>(&self, state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>> {
        if state.crashes == self.crashes { Ok(state) } else { Err(no_power()) }
    }

    fn content<'a>(&self, state: &'a mut State) -> Result<&'a mut Content> {
        state.files.get_mut(self.file).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Locks it for itself or with others, if that is possible now.
    fn locks(&self, state: &mut State, alone: bool) -> Result<bool> {
        let locked = &mut self.content(state)?.locked;
        let is_free = locked.iter().all(|(id, other_alone)| *id == self.id || !(alone || *other_alone));
        if is_free {
            locked.insert(self.id, alone);
        }
        Ok(is_free)
    }

    fn wait_for_lock(&self, alone: bool) -> Result<()> {
        let mut state = self.check()?;
        while !self.locks(&mut state, alone)? {
            state = self.shared.unlocked.wait(state).unwrap_or_else(PoisonError::into_inner);
            state = self.of_this_life(state)?;
        }
        Ok(())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.crashes == self.crashes
            && let Ok(content) = self.content(&mut state)
        {
            content.locked.remove(&self.id);
        }
        drop(state);
        self.shared.unlocked.notify_all();
    }
}

impl Read for Opened {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.how == Open::Overwrite {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut state = self.check()?;
        let rest = self.content(&mut state)?.now.get(self.at..).unwrap_or_default();
        let read = rest.len().min(out.len());
        for (out, byte) in out.iter_mut().zip(rest) {
            *out = *byte;
        }
        drop(state);
        self.at += read;
        Ok(read)
    }
}

impl Write for Opened {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        if self.how == Open::Read {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut state = self.operate()?;
        let free = state.free();
        let now = &mut self.content(&mut state)?.now;
        let at = if self.how == Open::Append { now.len() } else { self.at };
        // As much as there is room for, as a real one does.
        let written = data.len().min(now.len().saturating_sub(at).saturating_add(free));
        if written == 0 && !data.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        now.resize(now.len().max(at + written), 0);
        for (there, byte) in now.iter_mut().skip(at).zip(data.iter().take(written)) {
            *there = *byte;
        }
        drop(state);
        self.at = at + written;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let size = OpenFile::size(self)?;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(from) => size.checked_add_signed(from),
            SeekFrom::Current(from) => (self.at as u64).checked_add_signed(from),
        };
        let at = at.ok_or(ErrorKind::InvalidInput)?;
        self.at = usize::try_from(at).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(at)
    }
}

impl OpenFile for Opened {
    fn size(&self) -> Result<u64> {
        Ok(self.content(&mut *self.check()?)?.now.len() as u64)
    }

    fn set_size(&mut self, size: u64) -> Result<()> {
        let size = usize::try_from(size).map_err(|_| ErrorKind::InvalidInput)?;
        self.content(&mut *self.operate()?)?.now.resize(size, 0);
        Ok(())
    }

    fn sync_data(&mut self) -> Result<()> {
        let mut state = self.operate()?;
        let Content { now, synced, .. } = self.content(&mut state)?;
        synced.clone_from(now);
        Ok(())
    }

    fn lock(&self) -> Result<()> {
        self.wait_for_lock(true)
    }

    fn lock_shared(&self) -> Result<()> {
        self.wait_for_lock(false)
    }

    fn try_lock(&self) -> Result<bool> {
        self.locks(&mut *self.check()?, true)
    }
}
