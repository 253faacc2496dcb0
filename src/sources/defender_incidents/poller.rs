//! The polling loop as a value: [`State`] says what comes next, [`Poller::step`] does it and answers what follows.
//!
//! A step that failed has changed nothing that matters, and can be done again: what was delivered is in the state file.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use url::Url;

use crate::client::Failure;
use crate::client::graph::{Alerts, GraphIncidents, MAX_PAGE_SIZE};
use crate::client::listing::IncidentPage;
use crate::clock::Clock;
use crate::delivery::{BatchStatus, Deliver};
use crate::model::event::Event;
use crate::model::incident::Revision;
use crate::model::watermark::{Drain, Slice, Watermark};
use crate::store::{Store, StoreError};
use crate::telemetry::{self, Component};

/// A slice that has more pages than this is halved first: less is read again if it changes meanwhile.
const MAX_PAGES: u64 = 10;
/// How long revisions are remembered after they can be listed no more, should the service round the times we ask for.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

/// What comes next.
#[derive(Clone, Debug)]
pub enum State {
    /// Begin a sweep over everything since the watermark.
    Sweep,
    /// Ask for the first page of a slice of time.
    Slice {
        /// The service's time when the sweep began; unknown until its first answer.
        began: Option<DateTime<Utc>>,
        /// The slice.
        slice: Slice,
    },
    /// Ask for a further page of it.
    Page {
        /// The service's time when the sweep began.
        began: DateTime<Utc>,
        /// The slice.
        slice: Slice,
        /// What was seen of it.
        drain: Drain,
        /// Where the page is.
        url: Url,
    },
    /// Graph fails on the slice however small the pages: find the incidents that it fails on.
    Isolate {
        /// The service's time when the sweep began; unknown until its first answer.
        began: Option<DateTime<Utc>>,
        /// The slice.
        slice: Slice,
    },
}

/// Why a step did not end.
#[derive(Debug)]
pub enum Interrupt {
    /// We are asked to stop.
    Shutdown,
    /// Something failed; the same step may work later.
    Failed(Failure),
}

/// What a step works with.
pub struct Poller {
    pub(super) client: GraphIncidents,
    pub(super) store: Store,
    pub(super) labels: Component,
    /// Kind and id, the key in the state file.
    pub(super) component: String,
    pub(super) look_back: Duration,
    pub(super) overlap: Duration,
    /// Incidents a page.
    pub(super) page_size: u32,
    pub(super) clock: Clock,
    /// Delivered, but not recorded because the state file failed: recorded before anything else is delivered.
    pub(super) unrecorded: Mutex<Vec<Revision>>,
    /// How many revisions were delivered since the start.
    pub(super) delivered: AtomicU64,
}

/// Where a page belongs.
#[derive(Clone, Copy)]
struct Place {
    began: DateTime<Utc>,
    slice: Slice,
    page_size: u32,
}

impl From<Failure> for Interrupt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Interrupt {
    fn from(error: StoreError) -> Self {
        Self::Failed(Failure::unanswered("state_file", error.to_string()))
    }
}

// === impl State ===

impl State {
    /// The slice that it is about.
    pub(super) const fn slice(&self) -> Option<Slice> {
        match self {
            Self::Sweep => None,
            Self::Slice { slice, .. } | Self::Isolate { slice, .. } | Self::Page { slice, .. } => {
                Some(*slice)
            }
        }
    }

    /// The same slice from its first page; a sweep that has not begun stays as it is.
    pub(super) fn slice_again(&self) -> Self {
        match self {
            Self::Sweep => Self::Sweep,
            Self::Slice { began, slice } | Self::Isolate { began, slice } => {
                Self::Slice { began: *began, slice: *slice }
            }
            Self::Page { began, slice, .. } => Self::Slice { began: Some(*began), slice: *slice },
        }
    }
}

// === impl Poller ===

impl Poller {
    /// Does what `state` says. A request is given up when `shutdown` is cancelled; a delivery is not.
    pub async fn step(
        &self,
        state: &State,
        page_size: u32,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<State, Interrupt> {
        match state {
            State::Sweep => {
                let mark = self.watermark(shutdown).await?;
                Ok(State::Slice { began: None, slice: Slice::open(mark.sweep_from(self.overlap)) })
            }
            State::Slice { began, slice } => {
                // An instant cannot be halved: all that one page can have of it.
                let page_size = if slice.is_instant() { MAX_PAGE_SIZE } else { page_size };
                let page =
                    unless(shutdown, self.client.first_page(*slice, page_size, Alerts::Expanded)).await?;
                let now = self.server_time(&page);
                let began = began.unwrap_or(now);
                if page.next.is_some()
                    && page.count > Some(MAX_PAGES * u64::from(page_size))
                    && let Some(half) = slice.first_half(now)
                {
                    debug!(count = page.count, ?half, "Many incidents: reading a shorter time first.");
                    return Ok(State::Slice { began: Some(began), slice: half });
                }
                self.take(page, Place { began, slice: *slice, page_size }, Drain::default(), out).await
            }
            State::Page { began, slice, drain, url } => {
                let page = unless(shutdown, self.client.next_page(url)).await?;
                let place = Place { began: *began, slice: *slice, page_size };
                self.take(page, place, drain.clone(), out).await
            }
            State::Isolate { began, slice } => self.isolate(*began, *slice, out, shutdown).await,
        }
    }

    /// The watermark, which the very first run sets: by the service's time, as ours may be wrong.
    async fn watermark(&self, shutdown: &CancellationToken) -> Result<Watermark, Interrupt> {
        if let Some(mark) = self.store.cursor(&self.component).await? {
            return Ok(mark);
        }
        let any = self.client.first_page(Slice::open(self.clock.now()), 1, Alerts::Left);
        let mark = Watermark::starting_at(self.server_time(&unless(shutdown, any).await?) - self.look_back);
        info!(component_id = self.labels.id, from = %mark.floor, "First run: reading what has changed since then.");
        self.store.advance(&self.component, &mark, mark.floor).await?;
        Ok(mark)
    }

    /// Lists a slice without the alerts, which are what makes an incident heavy, and narrows it to the earliest instant of
    /// which something is not delivered yet. That instant is asked for with alerts once more, and if Graph still fails, what
    /// it holds is delivered as it is.
    async fn isolate(
        &self,
        began: Option<DateTime<Utc>>,
        slice: Slice,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<State, Interrupt> {
        let light = unless(shutdown, self.client.first_page(slice, MAX_PAGE_SIZE, Alerts::Left)).await?;
        let now = self.server_time(&light);
        let place = Place { began: began.unwrap_or(now), slice, page_size: MAX_PAGE_SIZE };
        if light.next.is_some()
            && let Some(slice) = slice.first_half(now)
        {
            return Ok(State::Slice { began: Some(place.began), slice });
        }
        let revisions = revisions(&light)?;
        let seen = self.store.seen(&self.component, revisions.clone()).await?;
        let unseen = || revisions.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(revision, _)| revision);
        match unseen().filter_map(Revision::dated).min() {
            // All before it is delivered.
            Some(first) if slice != Slice::instant(first) => {
                return Ok(State::Slice { began: Some(place.began), slice: Slice::instant(first) });
            }
            Some(_) => {}
            None => return self.take(light, place, Drain::default(), out).await,
        }
        match unless(shutdown, self.client.first_page(slice, MAX_PAGE_SIZE, Alerts::Expanded)).await {
            Ok(page) => return self.take(page, place, Drain::default(), out).await,
            // The lighter listing worked just now: it is the alerts.
            Err(Interrupt::Failed(failure)) if failure.is_heavy() => {}
            Err(interrupt) => return Err(interrupt),
        }
        for revision in unseen() {
            error!(
                component_id = self.labels.id,
                incident = revision.id,
                "Microsoft Graph fails to list the alerts of this incident, or of another that was updated in the same \
                 instant; it is delivered without them, and with them again when it changes."
            );
        }
        self.take(light, place, Drain::default(), out).await
    }

    /// Delivers what is new in a page, and says what comes after the page.
    async fn take(
        &self,
        page: IncidentPage,
        place: Place,
        mut drain: Drain,
        out: &dyn Deliver,
    ) -> Result<State, Interrupt> {
        let now = self.server_time(&page);
        let revisions = revisions(&page)?;
        let new = self.deliver_new(&page, &revisions, out).await?;
        // A count no larger than the page itself, with more pages to come, counts the page and not the listing.
        let count = page.count.filter(|count| page.next.is_none() || *count > page.incidents.len() as u64);
        drain.note_page(&revisions, place.page_size, new, count);
        match page.next {
            Some(url) => Ok(State::Page { began: place.began, slice: place.slice, drain, url }),
            None => self.finish(place, &drain, now).await,
        }
    }

    /// Delivers what was not delivered before, records it, and answers whether there was any.
    async fn deliver_new(
        &self,
        page: &IncidentPage,
        revisions: &[Revision],
        out: &dyn Deliver,
    ) -> Result<bool, Interrupt> {
        self.record_delivered(Vec::new()).await?;
        let seen = self.store.seen(&self.component, revisions.to_vec()).await?;
        let mut in_this_page = HashSet::new();
        let new: Vec<usize> =
            (0..revisions.len()).filter(|&i| !seen[i] && in_this_page.insert(&revisions[i])).collect();
        self.labels.count(telemetry::RECEIVED_EVENTS, revisions.len() as u64);
        self.labels.count(telemetry::SUPPRESSED_EVENTS, (revisions.len() - new.len()) as u64);
        debug!(component_id = self.labels.id, incidents = revisions.len(), new = new.len(), "Read a page.");
        if new.is_empty() {
            return Ok(false);
        }
        let event = |&i: &usize| Event::new(page.incidents[i].clone(), revisions[i].dated());
        match out.deliver(new.iter().map(event).collect()).await {
            // What was rejected is in the quarantine: it is dealt with.
            BatchStatus::Delivered | BatchStatus::Rejected => {}
            BatchStatus::Errored => {
                return Err(Failure::unanswered("not_delivered", "the sinks did not take a batch").into());
            }
        }
        self.labels.count(telemetry::SENT_EVENTS, new.len() as u64);
        let now = self.clock.now();
        for time in new.iter().filter_map(|&i| revisions[i].dated()) {
            self.labels.note_lag((now - time).as_seconds_f64().max(0.0));
        }
        self.delivered.fetch_add(new.len() as u64, Ordering::Relaxed);
        self.record_delivered(new.iter().map(|&i| revisions[i].clone()).collect()).await?;
        Ok(true)
    }

    /// Records revisions as delivered, with those that could not be recorded before.
    async fn record_delivered(&self, delivered: Vec<Revision>) -> Result<(), StoreError> {
        let all = {
            let mut unrecorded = self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner);
            unrecorded.extend(delivered);
            unrecorded.clone()
        };
        if !all.is_empty() {
            self.store.record(&self.component, all).await?;
            self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(())
    }

    /// After the last page of a slice: moves the watermark if all of the slice was surely seen.
    async fn finish(&self, place: Place, drain: &Drain, now: DateTime<Utc>) -> Result<State, Interrupt> {
        let Place { began, slice, .. } = place;
        if !drain.is_whole() {
            debug!(?slice, "Not all of this time was surely listed: reading it again, in shorter pieces.");
            if let Some(slice) =
                slice.first_half(now).or_else(|| drain.brought_something_new().then_some(slice))
            {
                return Ok(State::Slice { began: Some(began), slice });
            }
            if !drain.followed_links() {
                let message = "Graph counts more incidents than it lists, and gives no link to the rest";
                return Err(Failure::unanswered("answer_incomplete", message).into());
            }
            warn!(
                component_id = self.labels.id,
                "Graph's count is not that of what it lists; all of that is read."
            );
        }
        let Some(mark) = self.store.cursor::<Watermark>(&self.component).await? else {
            // Somebody has reset it: begin anew.
            return Ok(State::Sweep);
        };
        if let Some(reached) = slice.to.or(drain.newest()) {
            let moved = mark.advanced_to(reached, began, self.overlap);
            if moved != mark {
                self.store.advance(&self.component, &moved, moved.floor - REMEMBERED).await?;
            }
        }
        Ok(slice.next(began).map_or(State::Sweep, |slice| State::Slice { began: Some(began), slice }))
    }

    /// The service's time; ours only if it does not tell.
    fn server_time(&self, page: &IncidentPage) -> DateTime<Utc> {
        page.server_time.unwrap_or_else(|| self.clock.now())
    }
}

fn revisions(page: &IncidentPage) -> Result<Vec<Revision>, Failure> {
    let revision = |json: &bytes::Bytes| std::str::from_utf8(json).map(Revision::of);
    let revisions: Result<_, _> = page.incidents.iter().map(revision).collect();
    revisions.map_err(|error| {
        Failure::unanswered("answer_unreadable", format!("Graph's answer is not UTF-8: {error}"))
    })
}

async fn unless<T>(
    shutdown: &CancellationToken,
    request: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Interrupt> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(Interrupt::Shutdown),
        answer = request => Ok(answer?),
    }
}
