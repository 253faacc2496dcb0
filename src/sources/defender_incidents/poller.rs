//! The polling loop as a value: [`State`] says what comes next, [`Poller::step`] does it and answers what follows.
//!
//! A step that failed has changed nothing that matters, and can be done again: what was delivered is in the state file.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use url::Url;

use crate::client::Failure;
use crate::client::graph::{GraphIncidents, IncidentPage};
use crate::clock::Clock;
use crate::delivery::{BatchStatus, Deliver};
use crate::model::event::Event;
use crate::model::incident::Revision;
use crate::model::watermark::{Drain, Slice, Watermark};
use crate::store::{Store, StoreError};
use crate::telemetry;

/// A slice that has more pages than this is halved first: less is read again if it changes meanwhile.
const MAX_PAGES: u64 = 10;

/// What comes next.
#[derive(Clone, Debug)]
pub enum State {
    /// Begin a sweep over everything since the watermark.
    Sweep,
    /// Ask for the first page of a slice of time.
    Slice(Slice),
    /// Ask for a further page of it.
    Page {
        /// The slice.
        slice: Slice,
        /// What was seen of it.
        drain: Drain,
        /// Where the page is.
        url: Url,
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
    /// Kind and id, the key in the state file.
    pub(super) component: String,
    pub(super) look_back: Duration,
    pub(super) overlap: Duration,
    /// Incidents a page.
    pub(super) page_size: u32,
    pub(super) clock: Clock,
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
                let mark = self.watermark().await?;
                Ok(State::Slice(Slice::open(mark.sweep_from(self.overlap))))
            }
            State::Slice(slice) => {
                let page = unless(shutdown, self.client.first_page(*slice, page_size)).await?;
                let now = self.server_time(&page);
                if page.count > Some(MAX_PAGES * u64::from(page_size))
                    && let Some(half) = slice.first_half(now)
                {
                    debug!(count = page.count, ?half, "Many incidents: reading a shorter time first.");
                    return Ok(State::Slice(half));
                }
                self.take(page, *slice, Drain::default(), out).await
            }
            State::Page { slice, drain, url } => {
                let page = unless(shutdown, self.client.next_page(url)).await?;
                self.take(page, *slice, drain.clone(), out).await
            }
        }
    }

    /// The watermark, which the very first run sets.
    async fn watermark(&self) -> Result<Watermark, StoreError> {
        if let Some(mark) = self.store.cursor(&self.component).await? {
            return Ok(mark);
        }
        let mark = Watermark::starting_at(self.clock.now() - self.look_back);
        info!(from = %mark.floor, "First run: reading what has changed since then.");
        self.store.advance(&self.component, &mark, mark.floor).await?;
        Ok(mark)
    }

    /// Delivers what is new in a page, and says what comes after the page.
    async fn take(
        &self,
        page: IncidentPage,
        slice: Slice,
        mut drain: Drain,
        out: &dyn Deliver,
    ) -> Result<State, Interrupt> {
        let now = self.server_time(&page);
        let revisions = revisions(&page, slice)?;
        let new = self.deliver_new(&page, &revisions, out).await?;
        // A count no larger than the page itself, with more pages to come, counts the page and not the listing.
        let count = page.count.filter(|count| page.next.is_none() || *count > page.incidents.len() as u64);
        drain.note_page(
            revisions.iter().map(|revision| (revision.id.as_str(), revision.last_update)),
            new,
            count,
        );
        match page.next {
            Some(url) => Ok(State::Page { slice, drain, url }),
            None => self.finish(slice, &drain, now).await,
        }
    }

    /// Delivers what was not delivered before, records it, and answers whether there was any.
    async fn deliver_new(
        &self,
        page: &IncidentPage,
        revisions: &[Revision],
        out: &dyn Deliver,
    ) -> Result<bool, Interrupt> {
        let seen = self.store.seen(&self.component, revisions.to_vec()).await?;
        let mut in_this_page = HashSet::new();
        let new: Vec<usize> =
            (0..revisions.len()).filter(|&i| !seen[i] && in_this_page.insert(&revisions[i])).collect();
        let id = self.component.clone();
        counter!(telemetry::RECEIVED_EVENTS, "component_id" => id.clone()).increment(revisions.len() as u64);
        counter!(telemetry::SUPPRESSED_EVENTS, "component_id" => id.clone())
            .increment((revisions.len() - new.len()) as u64);
        if new.is_empty() {
            return Ok(false);
        }
        let event = |&i: &usize| Event::new(page.incidents[i].clone(), Some(revisions[i].last_update));
        match out.deliver(new.iter().map(event).collect()).await {
            // What was rejected is in the quarantine: it is dealt with.
            BatchStatus::Delivered | BatchStatus::Rejected => {}
            BatchStatus::Errored => {
                return Err(Failure::unanswered("not_delivered", "the sinks did not take a batch").into());
            }
        }
        let delivered = new.iter().map(|&i| revisions[i].clone()).collect();
        self.store.record(&self.component, delivered).await?;
        counter!(telemetry::SENT_EVENTS, "component_id" => id).increment(new.len() as u64);
        Ok(true)
    }

    /// After the last page of a slice: moves the watermark if all of the slice was surely seen.
    async fn finish(&self, slice: Slice, drain: &Drain, now: DateTime<Utc>) -> Result<State, Interrupt> {
        if !drain.is_whole() {
            debug!(
                ?slice,
                "Incidents changed while they were listed: reading this time again, in shorter pieces."
            );
            return Ok(State::Slice(slice.first_half(now).unwrap_or(slice)));
        }
        let mark = self.watermark().await?;
        if let Some(reached) = slice.to.or(drain.newest()) {
            let moved = mark.advanced_to(reached, now);
            if moved != mark {
                self.store.advance(&self.component, &moved, moved.sweep_from(self.overlap)).await?;
            }
        }
        Ok(slice.next(now).map_or(State::Sweep, State::Slice))
    }

    /// The service's time; ours only if it does not tell.
    fn server_time(&self, page: &IncidentPage) -> DateTime<Utc> {
        page.server_time.unwrap_or_else(|| self.clock.now())
    }
}

fn revisions(page: &IncidentPage, slice: Slice) -> Result<Vec<Revision>, Failure> {
    let revision = |json: &bytes::Bytes| std::str::from_utf8(json).map(|json| Revision::of(json, slice.from));
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
