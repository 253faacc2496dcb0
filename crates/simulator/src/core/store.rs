//! State behind a lock, and the times at which it changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::clock::SimClock;
use crate::core::ticks::Ticks;

/// State that is changed by one caller at a time.
#[derive(Debug)]
pub(crate) struct Store<T> {
    clock: SimClock,
    /// The state, and the latest time given to a change of it.
    inner: Mutex<(T, Ticks)>,
}

/// The time of one call, and the times of the changes it makes.
#[derive(Debug)]
pub(crate) struct Times<'a> {
    pub(crate) now: Ticks,
    last: &'a mut Ticks,
}

// === impl Store ===

impl<T> Store<T> {
    pub(crate) const fn new(clock: SimClock, state: T) -> Self {
        Self { clock, inner: Mutex::new((state, Ticks::MIN)) }
    }

    /// Does something to the state, now.
    pub(crate) fn change<R>(&self, run: impl FnOnce(&mut T, &mut Times<'_>) -> R) -> R {
        self.change_at(self.clock.ticks(), run)
    }

    /// Does something to the state as if it were `now`.
    pub(crate) fn change_at<R>(&self, now: Ticks, run: impl FnOnce(&mut T, &mut Times<'_>) -> R) -> R {
        let (state, last) = &mut *lock(&self.inner);
        run(state, &mut Times { now, last })
    }
}

// === impl Times ===

impl Times<'_> {
    /// A time for a change: later than that of any change before, if only by 100 ns.
    pub(crate) fn next(&mut self) -> Ticks {
        self.set(self.now.max(self.last.after()))
    }

    /// The next time, and later than `at`.
    pub(crate) fn next_after(&mut self, at: Ticks) -> Ticks {
        self.next().max(at.after())
    }

    /// A time of the caller's own choice, which those to come are later than.
    pub(crate) fn set(&mut self, at: Ticks) -> Ticks {
        *self.last = at;
        at
    }
}

/// Locks `mutex`, whatever happened to whoever held it before: the panic itself already fails the test.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
