//! How far a poller has read, and which slice of time it reads next.
//!
//! Nothing here assumes in which order the service lists things, nor that a listing stands still while it is being
//! paged through: [`Drain`] notices when it did not.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The smallest step of the service's timestamps: a slice this wide cannot be halved.
const TICK: Duration = Duration::from_nanos(100);

/// How far a poller has delivered everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Everything that had changed before this instant, and was visible by then, is delivered.
    pub position: DateTime<Utc>,
    /// Where the first run began: the overlap never reaches back behind it.
    pub floor: DateTime<Utc>,
}

/// A stretch of time, `from` included, `to` excluded; without a `to` it has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First instant of the slice.
    pub from: DateTime<Utc>,
    /// First instant behind the slice.
    pub to: Option<DateTime<Utc>>,
}

/// What has been seen of one slice while paging through it.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    pages: usize,
    first_count: Option<u64>,
    last_count: Option<u64>,
    ids: HashSet<String>,
    newest: Option<DateTime<Utc>>,
    brought_something_new: bool,
}

// === impl Watermark ===

impl Watermark {
    /// The mark of a first run that begins at `floor`.
    #[must_use]
    pub const fn starting_at(floor: DateTime<Utc>) -> Self {
        Self { position: floor, floor }
    }

    /// Where the next sweep begins: `overlap` before the position, because an incident may become visible later
    /// than its own timestamp says.
    #[must_use]
    pub fn sweep_from(&self, overlap: Duration) -> DateTime<Utc> {
        (self.position - overlap).max(self.floor)
    }

    /// The mark after everything up to `reached` is delivered. Never goes back, and never past `now` (the service's
    /// own time), so that one wrong timestamp in the future cannot hide what comes after it.
    #[must_use]
    pub fn advanced_to(&self, reached: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { position: reached.min(now).max(self.position), floor: self.floor }
    }
}

// === impl Slice ===

impl Slice {
    /// Everything from `from` on.
    #[must_use]
    pub const fn open(from: DateTime<Utc>) -> Self {
        Self { from, to: None }
    }

    /// The first half, or nothing if the slice is too narrow to halve. An open slice is halved at `now`.
    #[must_use]
    pub fn first_half(&self, now: DateTime<Utc>) -> Option<Self> {
        let width = (self.to.unwrap_or(now) - self.from).to_std().ok()?;
        let ticks = width.as_nanos() / TICK.as_nanos() / 2;
        let half = Duration::from_nanos(u64::try_from(ticks * TICK.as_nanos()).ok()?);
        (!half.is_zero()).then(|| Self { from: self.from, to: Some(self.from + half) })
    }

    /// The slice after this one: twice as wide, and open if that reaches `now`. Nothing follows an open slice.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<Self> {
        let from = self.to?;
        let to = from + (from - self.from) * 2;
        Some(Self { from, to: (to < now).then_some(to) })
    }
}

// === impl Drain ===

impl Drain {
    /// Notes one page: what it held, whether any of it was new, and the total that the service stated with it.
    pub fn note_page<'a>(
        &mut self,
        revisions: impl IntoIterator<Item = (&'a str, DateTime<Utc>)>,
        brought_something_new: bool,
        count: Option<u64>,
    ) {
        if self.pages == 0 {
            self.first_count = count;
        }
        self.pages += 1;
        self.last_count = count;
        self.brought_something_new |= brought_something_new;
        for (id, last_update) in revisions {
            if !self.ids.contains(id) {
                self.ids.insert(id.to_owned());
            }
            self.newest = self.newest.max(Some(last_update));
        }
    }

    /// The latest timestamp seen.
    #[must_use]
    pub const fn newest(&self) -> Option<DateTime<Utc>> {
        self.newest
    }

    /// Whether all of the slice was surely seen, asked after its last page.
    ///
    /// Pages are cut by position, so something that changes while we page moves its neighbours across a page's edge,
    /// and one of them can be missed. One page cannot be torn. Several are whole if the service counted the same
    /// number before and after, and that many different ids came; where it states no count, if a pass over the slice
    /// brought nothing that was new.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let seen = self.ids.len() as u64;
        match (self.pages, self.first_count, self.last_count) {
            (0 | 1, ..) => true,
            (_, Some(first), Some(last)) => first == seen && last == seen,
            _ => !self.brought_something_new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_overlap_does_not_reach_behind_the_first_run() {
        let mark = Watermark::starting_at(at(1_000));
        assert_eq!(mark.sweep_from(Duration::from_mins(15)), at(1_000));
        let later = mark.advanced_to(at(5_000), at(9_000));
        assert_eq!(later.sweep_from(Duration::from_mins(15)), at(4_100));
    }

    #[test]
    fn the_mark_never_goes_back_nor_past_the_services_time() {
        let mark = Watermark::starting_at(at(1_000)).advanced_to(at(5_000), at(9_000));
        assert_eq!(mark.advanced_to(at(4_000), at(9_000)).position, at(5_000));
        assert_eq!(mark.advanced_to(at(99_000), at(9_000)).position, at(9_000));
    }

    #[test]
    fn slices_cover_all_time_without_gap() {
        let whole = Slice::open(at(0));
        let mut slice = whole.first_half(at(1_000)).and_then(|half| half.first_half(at(1_000))).unwrap();
        assert_eq!(slice, Slice { from: at(0), to: Some(at(250)) });
        let mut reached = slice.to;
        while let Some(next) = slice.next(at(1_000)) {
            assert_eq!(Some(next.from), reached);
            reached = next.to;
            slice = next;
        }
        assert_eq!(slice.to, None);
    }

    #[test]
    fn a_slice_of_one_tick_cannot_be_halved() {
        let slice = Slice { from: at(0), to: Some(at(0) + TICK) };
        assert_eq!(slice.first_half(at(10)), None);
        let two = Slice { from: at(0), to: Some(at(0) + TICK * 3) };
        assert_eq!(two.first_half(at(10)), Some(Slice { from: at(0), to: Some(at(0) + TICK) }));
        assert_eq!(Slice::open(at(20)).first_half(at(10)), None);
    }

    #[test]
    fn a_listing_that_moved_while_it_was_paged_is_not_whole() {
        let page = |ids: &[&'static str]| ids.iter().map(|id| (*id, at(1))).collect::<Vec<_>>();
        // "b" left the slice between the pages, so "c" moved across the edge and was never listed.
        let mut left = Drain::default();
        left.note_page(page(&["a", "b"]), true, Some(4));
        left.note_page(page(&["d"]), true, Some(3));
        assert!(!left.is_whole());
        // "b" moved to the end of the slice: the count is the same, "c" was never listed.
        let mut moved = Drain::default();
        moved.note_page(page(&["a", "b"]), true, Some(4));
        moved.note_page(page(&["d", "b"]), true, Some(4));
        assert!(!moved.is_whole());
        let mut whole = Drain::default();
        whole.note_page(page(&["a", "b"]), true, Some(4));
        whole.note_page(page(&["c", "d"]), true, Some(4));
        assert!(whole.is_whole());
    }

    #[test]
    fn without_a_count_only_a_pass_that_brought_nothing_new_is_whole() {
        let mut drain = Drain::default();
        drain.note_page([("a", at(1))], true, None);
        assert!(drain.is_whole(), "one page cannot be torn");
        drain.note_page([("b", at(1))], false, None);
        assert!(!drain.is_whole());
        let mut again = Drain::default();
        again.note_page([("a", at(1))], false, None);
        again.note_page([("b", at(1))], false, None);
        assert!(again.is_whole());
    }
}
