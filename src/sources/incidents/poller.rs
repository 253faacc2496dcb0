//! The polling loop as a value: [`State`] says what comes next, [`Poller::step`] does it and answers what follows.
//!
//! A step that failed has changed nothing that matters, and can be done again: what was delivered is in the state file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::listing::{Listing, Weight};
use super::options::Polling;
use super::state::{Interrupt, State};
use microsoft::ServiceError;
use microsoft::listing::IncidentPage;
use model::incident::Revision;
use model::watermark::{Drain, Slice, Watermark};
use runtime::clock::Clock;
use runtime::delivery::Deliver;
use runtime::store::Store;
use runtime::telemetry::ComponentLabels;

/// A slice that has more pages than this is halved first: less is read again if it changes meanwhile.
const MAX_PAGES: u64 = 10;

/// What a step works with.
pub struct Poller {
    pub(super) listing: Arc<dyn Listing>,
    pub(super) store: Store,
    pub(super) labels: ComponentLabels,
    /// Kind and id, the key in the state file.
    pub(super) component: String,
    pub(super) polling: Polling,
    pub(super) clock: Clock,
    /// Delivered, but not recorded because the state file failed: recorded before anything else is delivered.
    pub(super) unrecorded: Mutex<Vec<Revision>>,
    /// How often an incident could not be completed, for those that wait for that.
    pub(super) incomplete: Mutex<BTreeMap<Revision, u32>>,
    /// Whether a page was delivered in part and is asked for again: then it brought something new, whatever it brings now.
    pub(super) in_part: AtomicBool,
    /// How many revisions were delivered since the start.
    pub(super) delivered: AtomicU64,
}

/// Where a page belongs.
#[derive(Clone, Copy)]
pub(super) struct PageContext {
    pub(super) began: DateTime<Utc>,
    pub(super) slice: Slice,
    pub(super) page_size: u32,
}

// === impl Poller ===

impl Poller {
    /// A poller whose cursor is kept in `store`, under the id in `labels`.
    pub(in crate::sources) fn new(
        listing: Arc<dyn Listing>,
        store: Store,
        labels: ComponentLabels,
        polling: Polling,
        clock: Clock,
    ) -> Self {
        Self {
            listing,
            store,
            component: format!("sources.{}", labels.id),
            labels,
            polling,
            clock,
            unrecorded: Mutex::default(),
            incomplete: Mutex::default(),
            in_part: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
        }
    }

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
                // Whatever waited has been changed since, and is another revision.
                self.incomplete.lock().unwrap_or_else(PoisonError::into_inner).clear();
                let mark = self.watermark(shutdown).await?;
                Ok(State::Slice { began: None, slice: Slice::open(mark.sweep_from(self.polling.overlap())) })
            }
            State::Slice { began, slice } => {
                // An instant cannot be halved: all that one page can have of it.
                let page_size = if slice.is_instant() { self.listing.max_page_size() } else { page_size };
                let page =
                    unless(shutdown, self.listing.first_page(*slice, page_size, Weight::Whole)).await?;
                let now = self.server_time(&page);
                let began = began.unwrap_or(now);
                if page.next.is_some()
                    && page.count > Some(MAX_PAGES * u64::from(page_size))
                    && let Some(half) = slice.first_half(now)
                {
                    debug!(count = page.count, ?half, "Many incidents: reading a shorter time first.");
                    return Ok(State::Slice { began: Some(began), slice: half });
                }
                self.take(
                    page,
                    PageContext { began, slice: *slice, page_size },
                    Drain::default(),
                    out,
                    shutdown,
                )
                .await
            }
            State::Page { began, slice, drain, url } => {
                let page = unless(shutdown, self.listing.next_page(url)).await?;
                let context = PageContext { began: *began, slice: *slice, page_size };
                self.take(page, context, drain.clone(), out, shutdown).await
            }
            State::Isolate { began, slice } => self.isolate(*began, *slice, out, shutdown).await,
        }
    }

    /// The watermark, which the very first run sets: by the service's time, as ours may be wrong.
    async fn watermark(&self, shutdown: &CancellationToken) -> Result<Watermark, Interrupt> {
        if let Some(mark) = self.store.cursor(&self.component).await? {
            return Ok(mark);
        }
        let any = self.listing.first_page(Slice::open(self.clock.now()), 1, Weight::Light);
        let mark = Watermark::starting_at(
            self.server_time(&unless(shutdown, any).await?) - self.polling.look_back(),
        );
        info!(component_id = self.labels.id, from = %mark.floor, "{}: first run: reading what has changed since then.", self.labels);
        self.store.advance(&self.component, &mark, mark.floor).await?;
        Ok(mark)
    }

    /// Lists a slice without what makes an incident heavy, and narrows it to the earliest instant of which something is not
    /// delivered yet. That instant is asked for as a whole once more, and if the service still fails, what it holds is
    /// delivered as it is.
    async fn isolate(
        &self,
        began: Option<DateTime<Utc>>,
        slice: Slice,
        out: &dyn Deliver,
        shutdown: &CancellationToken,
    ) -> Result<State, Interrupt> {
        let light =
            unless(shutdown, self.listing.first_page(slice, self.listing.max_page_size(), Weight::Light))
                .await?;
        let now = self.server_time(&light);
        let context =
            PageContext { began: began.unwrap_or(now), slice, page_size: self.listing.max_page_size() };
        if light.next.is_some()
            && let Some(slice) = slice.first_half(now)
        {
            return Ok(State::Slice { began: Some(context.began), slice });
        }
        let revisions = self.revisions(&light)?;
        let seen = self.store.seen(&self.component, revisions.clone()).await?;
        let unseen = || revisions.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(revision, _)| revision);
        match unseen().filter_map(Revision::dated).min() {
            // All before it is delivered.
            Some(first) if slice != Slice::instant(first) => {
                return Ok(State::Slice { began: Some(context.began), slice: Slice::instant(first) });
            }
            Some(_) => {}
            None => return self.take(light, context, Drain::default(), out, shutdown).await,
        }
        match unless(shutdown, self.listing.first_page(slice, self.listing.max_page_size(), Weight::Whole))
            .await
        {
            Ok(page) => return self.take(page, context, Drain::default(), out, shutdown).await,
            // The lighter listing worked just now: it is the heavy part.
            Err(Interrupt::Failed(failure)) if failure.is_heavy() => {}
            Err(interrupt) => return Err(interrupt),
        }
        for revision in unseen() {
            error!(
                component_id = self.labels.id,
                incident = revision.id,
                "{}: {} fails to list the {} of this incident, or of another that was updated in the same instant; it is \
                 delivered without them, and with them again when it changes.",
                self.labels,
                self.listing.service(),
                self.listing.heavy_part().unwrap_or_default()
            );
        }
        self.take(light, context, Drain::default(), out, shutdown).await
    }

    /// The service's time; ours only if it does not tell.
    pub(super) fn server_time(&self, page: &IncidentPage) -> DateTime<Utc> {
        page.server_time.unwrap_or_else(|| self.clock.now())
    }

    pub(super) fn revisions(&self, page: &IncidentPage) -> Result<Vec<Revision>, ServiceError> {
        let revision =
            |json: &bytes::Bytes| std::str::from_utf8(json).map(|json| self.listing.revision(json));
        let revisions: Result<_, _> = page.incidents.iter().map(revision).collect();
        revisions.map_err(|error| {
            let service = self.listing.service();
            ServiceError::unreadable(service, format!("it is not UTF-8: {error}"), None)
        })
    }
}

pub(super) async fn unless<T>(
    shutdown: &CancellationToken,
    request: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, Interrupt> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(Interrupt::Shutdown),
        answer = request => Ok(answer?),
    }
}
