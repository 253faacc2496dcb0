//! How the room on disk is shared by the spools of one component.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The room that the spools of one component have together. Cheap to clone; all clones are the same.
///
/// A spool may take half of what the others leave; the only one there can be may take all. So one that fills up for days leaves
/// room for the next that needs some.
#[derive(Clone, Debug)]
pub struct SpoolRoom {
    max_bytes: u64,
    is_shared: bool,
    shares: Arc<Mutex<Vec<Arc<AtomicU64>>>>,
}

/// What one spool has of the room.
#[derive(Clone, Debug)]
pub struct SpoolShare {
    room: SpoolRoom,
    bytes: Arc<AtomicU64>,
}

// === impl SpoolRoom ===

impl SpoolRoom {
    /// Room for so many bytes, of one spool, or of any number that share it.
    #[must_use]
    pub fn new(max_bytes: u64, is_shared: bool) -> Self {
        Self { max_bytes, is_shared, shares: Arc::default() }
    }

    /// Bytes that there is room for.
    #[must_use]
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The share of one more spool, whose files have so many bytes.
    #[must_use]
    pub fn share(&self, bytes: u64) -> SpoolShare {
        let bytes = Arc::new(AtomicU64::new(bytes));
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&bytes));
        SpoolShare { room: self.clone(), bytes }
    }

    /// Bytes of all spools together.
    #[must_use]
    pub fn used(&self) -> u64 {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}

// === impl SpoolShare ===

impl SpoolShare {
    /// Notes how many bytes the spool's files have now.
    pub fn set(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether so many bytes more are within the share.
    #[must_use]
    pub fn fits(&self, more: u64) -> bool {
        let own = self.bytes.load(Ordering::Relaxed);
        let left = self.room.max_bytes.saturating_sub(self.room.used().saturating_sub(own));
        own.saturating_add(more) <= if self.room.is_shared { left / 2 } else { left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fills_its_share_leaves_room_for_the_next() {
        let room = SpoolRoom::new(1_000, true);
        let (first, second, third) = (room.share(0), room.share(0), room.share(0));
        assert!(first.fits(500) && !first.fits(501));
        first.set(500);
        assert!(second.fits(250) && !second.fits(251) && !first.fits(1));
        second.set(250);
        assert!(third.fits(125) && !third.fits(126));
        first.set(0);
        assert_eq!((room.used(), second.fits(250), second.fits(251)), (250, true, false));
    }

    #[test]
    fn the_only_spool_may_take_all() {
        let share = SpoolRoom::new(1_000, false).share(400);
        assert!(share.fits(600) && !share.fits(601));
    }
}
