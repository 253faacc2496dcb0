//! A disk in memory, which at a crash loses of what was not synced whatever it likes, by sectors.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is written of at once, or not at all.
const SECTOR: usize = 512;

/// The disk. It outlives the crashes.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Operation>,
    /// How often it has crashed: what was mounted before sees nothing any more.
    crashes: u64,
    operations: u64,
    /// At this operation the power goes.
    fuse: Option<u64>,
    /// For a test of the test: a sync of so many does nothing.
    ignores_sync: Option<u64>,
    syncs: u64,
}

#[derive(Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// The disk as a program sees it until the next crash.
#[derive(Debug)]
pub(super) struct Mounted {
    disk: Disk,
    crashes: u64,
}

// === impl Disk ===

impl Disk {
    /// A disk that ignores one sync of `every`.
    pub(super) fn that_ignores_a_sync_of(every: u64) -> Self {
        let disk = Self::default();
        disk.state().ignores_sync = Some(every);
        disk
    }

    pub(super) fn mount(&self) -> Mounted {
        Mounted { disk: self.clone(), crashes: self.state().crashes }
    }

    /// Has the power go at the `n`th operation that changes something, from now on.
    pub(super) fn fuse(&self, n: u64) {
        let mut state = self.state();
        state.fuse = Some(state.operations + n);
    }

    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power goes and comes again. Of what was not synced any sectors are there: all, none or some of them.
    pub(super) fn crash(&self, rng: &mut fastrand::Rng) {
        let mut state = self.state();
        let kept = rng.u8(0..3);
        let operations = std::mem::take(&mut state.unsynced);
        let mut file = std::mem::take(&mut state.synced);
        for operation in &operations {
            operation.apply(&mut file, |_| kept == 0 || (kept == 1 && rng.bool()));
        }
        state.now.clone_from(&file);
        state.synced = file;
        state.crashes += 1;
        state.fuse = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn change(&mut self, operation: Operation) {
        operation.apply(&mut self.now, |_| true);
        self.unsynced.push(operation);
    }

    fn sync(&mut self) {
        self.syncs += 1;
        if self.ignores_sync.is_some_and(|every| self.syncs.is_multiple_of(every)) {
            return;
        }
        for operation in std::mem::take(&mut self.unsynced) {
            operation.apply(&mut self.synced, |_| true);
        }
    }
}

// === impl Operation ===

impl Operation {
    fn apply(&self, file: &mut Vec<u8>, mut is_kept: impl FnMut(usize) -> bool) {
        match self {
            Self::SetLen(length) => {
                if is_kept(0) {
                    file.resize(*length, 0);
                }
            }
            Self::Write(offset, data) => {
                for (sector, chunk) in data.chunks(SECTOR).enumerate() {
                    if is_kept(sector) {
                        let at = offset + sector * SECTOR;
                        file.resize(file.len().max(at + chunk.len()), 0);
                        file[at..at + chunk.len()].copy_from_slice(chunk);
                    }
                }
            }
        }
    }
}

// === impl Mounted ===

impl Mounted {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        let is_on = state.fuse.is_none_or(|fuse| state.operations < fuse);
        if state.crashes == self.crashes && is_on {
            Ok(state)
        } else {
            Err(Error::other("the power is gone"))
        }
    }

    fn operate(&self, operate: impl FnOnce(&mut State)) -> Result<()> {
        {
            let mut state = self.state()?;
            state.operations += 1;
        }
        operate(&mut *self.state()?);
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is in memory")]
impl redb::StorageBackend for Mounted {
    fn len(&self) -> Result<u64> {
        Ok(self.state()?.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let (state, offset) = (self.state()?, offset as usize);
        let data = state.now.get(offset..offset + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.operate(|state| state.change(Operation::SetLen(length as usize)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.operate(|state| state.change(Operation::Write(offset as usize, data.to_owned())))
    }

    fn sync_data(&self) -> Result<()> {
        self.operate(State::sync)
    }
}
