//! Rows that are sent to one stream until each is decided: delivered, or in the quarantine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;
use tracing::{error, warn};

use super::super::packer::{Packed, Request};
use super::super::rows::Rows;
use super::super::sink::Inner;
use super::Lane;
use microsoft::ServiceError;
use microsoft::error::Rejection;
use runtime::quarantine::{Mode, Reason};
use runtime::retry::Verdict;

/// When so many single rows were refused and none accepted in between, it is in doubt whether they are poison.
const MAX_REFUSED_IN_A_ROW: u32 = 10;

/// Rows for one stream, in the order in which they are sent.
pub(super) struct Work {
    pub(super) rows: Arc<Rows>,
    /// Packed already, and sent next.
    ready: Option<(Request, bool)>,
    /// The last one is sent next.
    parts: VecDeque<Part>,
    /// Whether any row went to the quarantine.
    pub(super) any_rejected: bool,
}

/// Rows that are not packed, or not any more.
struct Part {
    /// By their index.
    rows: Vec<usize>,
    /// Whether a single row was refused before, and it is in doubt whether it is poison.
    in_doubt: bool,
    /// Whether it was counted and logged what there is to say of them.
    noted: bool,
}

// === impl Work ===

impl Work {
    /// What is in a request.
    pub(super) fn of_request(rows: Arc<Rows>, request: Request) -> Self {
        Self { rows, ready: Some((request, false)), parts: VecDeque::new(), any_rejected: false }
    }

    /// Rows that are not packed, of which it was `noted` what there is to say or not.
    pub(super) fn of_rows(rows: Arc<Rows>, chosen: Vec<usize>, noted: bool) -> Self {
        let parts = VecDeque::from([Part { rows: chosen, in_doubt: false, noted }]);
        Self { rows, ready: None, parts, any_rejected: false }
    }

    /// Whether it was counted and logged what there is to say of all rows that are not decided.
    pub(super) fn is_noted(&self) -> bool {
        self.parts.iter().all(|part| part.noted)
    }

    /// The rows that are not decided, in order, by their index.
    pub(super) fn undecided(&self) -> Vec<usize> {
        let ready = self.ready.iter().flat_map(|(request, _)| &request.rows);
        let mut rows: Vec<_> = ready.chain(self.parts.iter().flat_map(|part| &part.rows)).copied().collect();
        rows.sort_unstable();
        rows
    }

    /// Makes one request, and answers an error if it has to be made again. Dropped, it is as if it was not made.
    /// `begun` is told when only the service is waited for, and none of our own limits.
    pub(super) async fn step(
        &mut self,
        lane: &Lane,
        inner: &Inner,
        begun: &Notify,
    ) -> Result<(), ServiceError> {
        if self.ready.is_none() {
            self.pack(lane, inner, begun).await;
        }
        let Some((request, in_doubt)) = &self.ready else { return Ok(()) };
        let in_doubt = *in_doubt;
        let answer = lane.service.attempt(request, begun).await;
        let refusal = match answer {
            Ok(()) => {
                lane.note_sent(inner, request);
                self.ready = None;
                return Ok(());
            }
            Err(failure) if failure.verdict() != Verdict::Split => return Err(failure),
            Err(refusal) => refusal,
        };
        // It works: it has looked at the rows.
        lane.works(inner);
        if request.rows.len() > 1 {
            report_halving(lane, inner, &refusal, request.rows.len());
            let (first, second) = request.rows.split_at(request.rows.len() / 2);
            for half in [second, first] {
                self.parts.push_back(Part { rows: half.to_vec(), in_doubt: false, noted: true });
            }
        } else if is_poison(lane, inner, &refusal, in_doubt).await {
            self.any_rejected = true;
            let (message, request_id) = (refusal.message(), refusal.request_id().map(str::to_owned));
            let reason = Reason { code: "refused", message, request_id };
            let refused = request.rows.iter().map(|row| (*row, reason.clone())).collect();
            inner.quarantine_rows(&lane.stream, &self.rows, refused).await;
        } else {
            // The others first: one that is accepted tells that it is the row, and not an option.
            self.parts.push_front(Part { rows: request.rows.clone(), in_doubt: true, noted: true });
        }
        self.ready = None;
        Ok(())
    }

    /// Packs the next request: only now that the one before is gone, so that no two are in memory.
    async fn pack(&mut self, lane: &Lane, inner: &Inner, begun: &Notify) {
        while let Some(in_doubt) = self.parts.back().map(|part| part.in_doubt) {
            // Since it was put off, another row may have been accepted: then there is no doubt any more.
            if in_doubt && lane.refused_in_a_row.load(Ordering::Relaxed) > 0 {
                let wait =
                    lane.poison_backoff.lock().unwrap_or_else(PoisonError::into_inner).wait(Verdict::Retry);
                begun.notify_one();
                inner.clock.sleep(wait).await;
            }
            let Some(mut part) = self.parts.pop_back() else { return };
            let mut packer = inner.packer(&self.rows, std::mem::take(&mut part.rows));
            let (next, is_noted) = (packer.next(), part.noted);
            if !packer.is_empty() {
                self.parts.push_back(Part { rows: packer.into_left(), ..part });
            }
            let Some(Packed { request, refused, notes }) = next else { continue };
            if !is_noted {
                inner.note(notes);
            }
            self.ready = request.map(|request| (request, in_doubt));
            if !refused.is_empty() {
                self.any_rejected = true;
                inner.quarantine_rows(&lane.stream, &self.rows, refused).await;
            }
            if self.ready.is_some() {
                return;
            }
        }
    }
}

/// Whether a row that was refused alone is poison: refused for what is in it, and not for an option, the rule or the table, which
/// would have every row refused. If that is in doubt, reports it: the row is tried again later.
async fn is_poison(lane: &Lane, inner: &Inner, refusal: &ServiceError, in_doubt: bool) -> bool {
    // Back where it came from, it waits as well as here.
    if inner.quarantine.mode() == Mode::Redelivery {
        return true;
    }
    let in_a_row = lane.refused_in_a_row.fetch_add(1, Ordering::Relaxed);
    let probe =
        if lane.accepted.load(Ordering::Relaxed) { Ok(()) } else { lane.service.client.probe().await };
    // A row's size is nobody else's fault.
    let few = in_a_row < MAX_REFUSED_IN_A_ROW || refusal.rejection() == Some(Rejection::TooLarge);
    if probe.is_ok() && (few || in_doubt) {
        return true;
    }
    if let Some(left_out) = lane.doubts_logged.due(&inner.clock) {
        let labels = &inner.labels;
        let empty_call = probe.map_or_else(|error| error.message(), |()| "accepted".to_owned());
        error!(
            component_id = labels.id,
            destination = %lane.name,
            error_type = refusal.error_type(),
            request_id = refusal.request_id(),
            refused_in_a_row = in_a_row + 1,
            empty_call,
            left_out,
            "{labels}: rows for {} are refused and none accepted, so perhaps an option, the rule or the table is wrong and the \
             rows are good: check endpoint, dcr_immutable_id, stream_name and the types of the columns. Rows that go on being \
             refused go to the quarantine, slowly, if anything at all is accepted: {}",
            lane.name,
            refusal.message()
        );
    }
    false
}

fn report_halving(lane: &Lane, inner: &Inner, refusal: &ServiceError, rows: usize) {
    let Some(left_out) = lane.halving_logged.due(&inner.clock) else { return };
    let labels = &inner.labels;
    warn!(
        component_id = labels.id,
        destination = %lane.name,
        error_type = refusal.error_type(),
        request_id = refusal.request_id(),
        rows,
        left_out,
        "{labels}: a call to {} was refused; sending it in two halves (said once a minute at most): {}",
        lane.name,
        refusal.message()
    );
}
