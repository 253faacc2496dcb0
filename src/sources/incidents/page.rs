//! One page: what is new in it is completed, delivered and recorded, and what comes next follows from it.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::poller::{PageContext, Poller, unless};
use super::state::{Interrupt, State};
use crate::sources::ReadError;
use microsoft::listing::IncidentPage;
use model::event::Event;
use model::incident::Revision;
use model::watermark::{Drain, Watermark};
use runtime::delivery::{BatchStatus, Deliver};
use runtime::retry::Verdict;
use runtime::store::StoreError;
use runtime::telemetry::Metric;

/// How long revisions are remembered after they can be listed no more, should the service round the times we ask for.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);
/// Incidents that are delivered together: as many may come twice after a kill.
const MOST_AT_ONCE: usize = 50;
/// After so many tries an incident goes without what its listing lacks.
const TRIES_TO_COMPLETE: u32 = 6;
/// So many incidents that cannot be completed are left for later before the page is: it may be all of them.
const MOST_INCOMPLETE: usize = 3;

// === impl Poller ===

impl Poller {
    /// Delivers what is new in a page, and says what comes after the page.
    pub(super) async fn take(
        &self,
        page: IncidentPage,
        context: PageContext,
        mut drain: Drain,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<State, Interrupt> {
        let now = self.server_time(&page);
        let revisions = self.revisions(&page)?;
        let new = self.deliver_new(&page, &revisions, out, shutdown).await?;
        // A count no larger than the page itself, with more pages to come, counts the page and not the listing.
        let count = page.count.filter(|count| page.next.is_none() || *count > page.incidents.len() as u64);
        drain.note_page(&revisions, context.page_size, new, count);
        match page.next {
            Some(url) => Ok(State::Page { began: context.began, slice: context.slice, drain, url }),
            None => self.finish(context, &drain, now).await,
        }
    }

    /// Delivers what was not delivered before, records it, and answers whether there was any.
    ///
    /// What cannot be completed does not hold up what can: it is asked for again, after all the rest is delivered.
    async fn deliver_new(
        &self,
        page: &IncidentPage,
        revisions: &[Revision],
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<bool, Interrupt> {
        self.record_delivered(Vec::new()).await?;
        let seen = self.store.seen(&self.component, revisions.to_vec()).await?;
        let mut in_this_page = BTreeSet::new();
        let new: Vec<usize> =
            (0..revisions.len()).filter(|&i| !seen[i] && in_this_page.insert(&revisions[i])).collect();
        self.labels.count(Metric::ReceivedEvents, revisions.len() as u64);
        self.labels.count(Metric::SuppressedEvents, (revisions.len() - new.len()) as u64);
        debug!(component_id = self.labels.id, incidents = revisions.len(), new = new.len(), "Read a page.");
        let mut failures = Vec::new();
        'page: for some in new.chunks(MOST_AT_ONCE) {
            let mut complete = Vec::with_capacity(some.len());
            for &i in some {
                match self.complete(&revisions[i], &page.incidents[i], shutdown).await {
                    Ok(json) => complete.push((&revisions[i], json)),
                    Err(Interrupt::Shutdown) => return Err(Interrupt::Shutdown),
                    Err(Interrupt::Failed(failure)) => {
                        let of_one = matches!(failure, ReadError::IncompleteIncident(_));
                        failures.push(failure);
                        if !of_one || failures.len() >= MOST_INCOMPLETE {
                            self.offer(complete, out).await?;
                            break 'page;
                        }
                    }
                }
            }
            self.offer(complete, out).await?;
        }
        match failures.pop() {
            Some(failure) => Err(failure.into()),
            None => Ok(self.in_part.swap(false, Ordering::Relaxed) || !new.is_empty()),
        }
    }

    /// The incident with what its listing lacks. One that the service fails on time and again goes without.
    async fn complete(
        &self,
        revision: &Revision,
        json: &Bytes,
        shutdown: &CancellationToken,
    ) -> Result<Bytes, Interrupt> {
        let error = match unless(shutdown, self.listing.complete(revision, json)).await {
            Err(Interrupt::Failed(ReadError::Service(error)))
                if error.is_heavy() || error.verdict() == Verdict::GiveUp =>
            {
                error
            }
            other => return other,
        };
        let tries = {
            let mut incomplete = self.incomplete.lock().unwrap_or_else(PoisonError::into_inner);
            let tries = incomplete.entry(revision.clone()).or_default();
            *tries += 1;
            *tries
        };
        if tries < TRIES_TO_COMPLETE {
            // The service is all right: the same page is asked for again, and not smaller ones.
            return Err(ReadError::IncompleteIncident(error).into());
        }
        self.labels.count_error("incident_incomplete", "receiving");
        error!(
            component_id = self.labels.id,
            incident = revision.id,
            error_type = error.error_type(),
            request_id = error.request_id(),
            tries,
            "{}: {} fails on the rest of this incident; it is delivered without, and with it again when it changes: {}",
            self.labels,
            self.listing.service(),
            error.message()
        );
        Ok(json.clone())
    }

    /// Delivers incidents and records them.
    async fn offer(&self, incidents: Vec<(&Revision, Bytes)>, out: &dyn Deliver) -> Result<(), Interrupt> {
        if incidents.is_empty() {
            return Ok(());
        }
        let revisions: Vec<Revision> = incidents.iter().map(|(revision, _)| (*revision).clone()).collect();
        let event = |(revision, json): (&Revision, Bytes)| Event::new(json, revision.dated());
        match out.deliver(incidents.into_iter().map(event).collect()).await {
            // What was rejected is in the quarantine: it is dealt with.
            BatchStatus::Delivered | BatchStatus::Rejected => {}
            BatchStatus::Errored => {
                return Err(ReadError::NotDelivered.into());
            }
        }
        self.labels.count(Metric::SentEvents, revisions.len() as u64);
        let now = self.clock.now();
        for time in revisions.iter().filter_map(Revision::dated) {
            self.labels.note_lag((now - time).as_seconds_f64().max(0.0));
        }
        self.delivered.fetch_add(revisions.len() as u64, Ordering::Relaxed);
        self.in_part.store(true, Ordering::Relaxed);
        {
            let mut incomplete = self.incomplete.lock().unwrap_or_else(PoisonError::into_inner);
            incomplete.retain(|revision, _| !revisions.contains(revision));
        }
        Ok(self.record_delivered(revisions).await?)
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
    async fn finish(
        &self,
        context: PageContext,
        drain: &Drain,
        now: DateTime<Utc>,
    ) -> Result<State, Interrupt> {
        let PageContext { began, slice, .. } = context;
        if !drain.is_whole() {
            let service = self.listing.service();
            debug!(?slice, "Not all of this time was surely listed: reading it again, in shorter pieces.");
            if let Some(slice) =
                slice.first_half(now).or_else(|| drain.brought_something_new().then_some(slice))
            {
                return Ok(State::Slice { began: Some(began), slice });
            }
            if !drain.followed_links() {
                return Err(ReadError::IncompleteListing(service).into());
            }
            warn!(
                component_id = self.labels.id,
                "{}: {service}'s count is not that of what it lists; all of that is read.", self.labels
            );
        }
        let Some(mark) = self.store.cursor::<Watermark>(&self.component).await? else {
            // Somebody has reset it: begin anew.
            return Ok(State::Sweep);
        };
        if let Some(reached) = slice.to.or(drain.newest()) {
            let moved = mark.advanced_to(reached, began, self.polling.overlap());
            if moved != mark {
                self.store.advance(&self.component, &moved, moved.floor - REMEMBERED).await?;
            }
        }
        Ok(slice.next(began).map_or(State::Sweep, |slice| State::Slice { began: Some(began), slice }))
    }
}
