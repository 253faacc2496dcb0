//! How far a poller has read, and which slice of time it reads next.
//!
//! Nothing here assumes in which order the service lists things, nor that a listing stands still while it is being
//! paged through: [`Drain`] notices when it did not.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::incident::Revision;

/// The smallest step of the service's timestamps: a slice this wide cannot be halved.
const TICK: Duration = Duration::from_nanos(100);

/// How far a poller has delivered everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Everything that had changed before this instant, and was visible by then, is delivered.
    pub position: DateTime<Utc>,
    /// The overlap never reaches back behind this: what was delivered before may be forgotten. At first, where the first
    /// run began.
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
    ids: BTreeSet<String>,
    newest: Option<DateTime<Utc>>,
    brought_something_new: bool,
    /// Whether the last page had as many as were asked for.
    last_page_full: bool,
}

// === impl Watermark ===

impl Watermark {
    /// The mark of a first run that begins at `floor`.
    pub const fn starting_at(floor: DateTime<Utc>) -> Self {
        Self { position: floor, floor }
    }

    /// Where the next sweep begins: `overlap` before the position, because an incident may become visible later
    /// than its own timestamp says.
    pub fn sweep_from(&self, overlap: Duration) -> DateTime<Utc> {
        (self.position - overlap).max(self.floor)
    }

    /// The mark after everything up to `reached` is delivered. Never goes back, and never past `began`, the service's
    /// time when the sweep began: neither a wrong timestamp in the future nor a sweep that takes hours may carry the next
    /// sweep's beginning past something that was not visible yet.
    #[must_use]
    pub fn advanced_to(&self, reached: DateTime<Utc>, began: DateTime<Utc>, overlap: Duration) -> Self {
        let moved = Self { position: reached.min(began).max(self.position), floor: self.floor };
        // Raising the overlap later must not reach back to what is forgotten by then.
        Self { floor: moved.sweep_from(overlap), ..moved }
    }
}

// === impl Slice ===

impl Slice {
    /// Everything from `from` on.
    pub const fn open(from: DateTime<Utc>) -> Self {
        Self { from, to: None }
    }

    /// The first half, or nothing if the slice is too narrow to halve. An open slice is halved at `now`.
    pub fn first_half(&self, now: DateTime<Utc>) -> Option<Self> {
        let width = (self.to.unwrap_or(now) - self.from).to_std().ok()?;
        let ticks = width.as_nanos() / TICK.as_nanos() / 2;
        let half = Duration::from_nanos(u64::try_from(ticks * TICK.as_nanos()).ok()?);
        (!half.is_zero()).then(|| Self { from: self.from, to: Some(self.from + half) })
    }

    /// The slice after this one: twice as wide, and open if that reaches `began`, when the sweep began. Nothing follows an
    /// open slice.
    pub fn next(&self, began: DateTime<Utc>) -> Option<Self> {
        let from = self.to?;
        let to = from + (from - self.from) * 2;
        Some(Self { from, to: (to < began).then_some(to) })
    }

    /// The one instant `at`.
    pub fn instant(at: DateTime<Utc>) -> Self {
        Self { from: at, to: Some(at + TICK) }
    }

    /// Whether it is too narrow to be halved.
    pub fn is_instant(&self) -> bool {
        self.to.is_some_and(|to| self.first_half(to).is_none())
    }
}

// === impl Drain ===

impl Drain {
    /// Notes one page of at most `page_size`: what it held, whether any of it was new, and the total that the service
    /// stated with it.
    pub fn note_page(
        &mut self,
        revisions: &[Revision],
        page_size: u32,
        brought_something_new: bool,
        count: Option<u64>,
    ) {
        if self.pages == 0 {
            self.first_count = count;
        }
        self.pages += 1;
        self.last_count = count;
        self.last_page_full = revisions.len() as u64 >= u64::from(page_size);
        self.brought_something_new |= brought_something_new;
        for revision in revisions {
            if !self.ids.contains(&revision.id) {
                self.ids.insert(revision.id.clone());
            }
            self.newest = self.newest.max(revision.dated());
        }
    }

    /// The latest timestamp seen.
    pub const fn newest(&self) -> Option<DateTime<Utc>> {
        self.newest
    }

    /// Whether there was more than one page.
    pub const fn followed_links(&self) -> bool {
        self.pages > 1
    }

    /// Whether any page held something that was not delivered before.
    pub const fn brought_something_new(&self) -> bool {
        self.brought_something_new
    }

    /// Whether all of the slice was surely seen, asked after its last page.
    ///
    /// Pages are cut by position, so something that changes while we page moves its neighbours across a page's edge,
    /// and one of them can be missed. One page that isn't full cannot be torn, and there is no more. A full page, or
    /// several, are whole if the service counted the same number before and after, and that many different ids came;
    /// where it states no count, if a pass over the slice brought nothing that was new.
    pub fn is_whole(&self) -> bool {
        if self.pages <= 1 && !self.last_page_full {
            return true;
        }
        let seen = self.ids.len() as u64;
        match (self.first_count, self.last_count) {
            (Some(first), Some(last)) => first == seen && last == seen,
            _ => !self.brought_something_new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: Duration = Duration::from_mins(15);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_overlap_reaches_neither_behind_the_first_run_nor_to_what_is_forgotten() {
        let mark = Watermark::starting_at(at(1_000));
        assert_eq!(mark.sweep_from(OVERLAP), at(1_000));
        let later = mark.advanced_to(at(5_000), at(9_000), OVERLAP);
        assert_eq!(later.sweep_from(OVERLAP), at(4_100));
        assert_eq!(later.sweep_from(OVERLAP * 4), at(4_100));
        assert_eq!(later.sweep_from(Duration::ZERO), at(5_000));
    }

    #[test]
    fn the_mark_never_goes_back_nor_past_the_time_when_the_sweep_began() {
        let mark = Watermark::starting_at(at(1_000)).advanced_to(at(5_000), at(9_000), OVERLAP);
        assert_eq!(mark.advanced_to(at(4_000), at(9_000), OVERLAP).position, at(5_000));
        assert_eq!(mark.advanced_to(at(99_000), at(9_000), OVERLAP).position, at(9_000));
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
        let slice = Slice::instant(at(0));
        assert_eq!(slice.first_half(at(10)), None);
        assert!(slice.is_instant() && !Slice::open(at(0)).is_instant());
        let two = Slice { from: at(0), to: Some(at(0) + TICK * 3) };
        assert_eq!(two.first_half(at(10)), Some(slice));
        assert_eq!(Slice::open(at(20)).first_half(at(10)), None);
    }

    /// A drain of pages of two, each with the count that came with it.
    fn drained(pages: &[(&[&str], Option<u64>)], new: bool) -> Drain {
        let mut drain = Drain::default();
        for (ids, count) in pages {
            let revision = |id: &&str| Revision { id: (*id).to_owned(), last_update: at(1) };
            drain.note_page(&ids.iter().map(revision).collect::<Vec<_>>(), 2, new, *count);
        }
        drain
    }

    #[test]
    fn a_listing_that_moved_while_it_was_paged_is_not_whole() {
        // "b" left the slice between the pages, so "c" moved across the edge and was never listed.
        assert!(!drained(&[(&["a", "b"], Some(4)), (&["d"], Some(3))], true).is_whole());
        // "b" moved to the end of the slice: the count is the same, "c" was never listed.
        assert!(!drained(&[(&["a", "b"], Some(4)), (&["d", "b"], Some(4))], true).is_whole());
        assert!(drained(&[(&["a", "b"], Some(4)), (&["c", "d"], Some(4))], true).is_whole());
    }

    #[test]
    fn a_full_page_without_a_link_is_whole_only_if_the_count_says_so() {
        assert!(!drained(&[(&["a", "b"], Some(3))], true).is_whole());
        assert!(drained(&[(&["a", "b"], Some(2))], true).is_whole());
        assert!(
            drained(&[(&["a"], Some(5_000))], true).is_whole(),
            "there would be more on the page if there were more"
        );
    }

    #[test]
    fn without_a_count_only_a_pass_that_brought_nothing_new_is_whole() {
        assert!(drained(&[(&["a"], None)], true).is_whole());
        assert!(!drained(&[(&["a", "b"], None)], true).is_whole());
        assert!(drained(&[(&["a", "b"], None)], false).is_whole());
        assert!(!drained(&[(&["a", "b"], None), (&["c"], None)], true).is_whole());
        assert!(drained(&[(&["a", "b"], None), (&["c"], None)], false).is_whole());
    }
}
