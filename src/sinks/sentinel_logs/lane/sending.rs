//! One task that sends rows until they are decided, or are in the spool.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::sink::Inner;
use super::work::Work;
use super::{Kept, Lane};
use microsoft::ServiceError;
use microsoft::error::Rejection;
use runtime::retry::concurrency::RequestSlot;
use runtime::spool::RecordId;

/// How long a request whose rows are in the spool may go on when the sink stops.
const GRACE: Duration = Duration::from_secs(5);

/// Rows on their way.
pub(super) struct Sending {
    pub(super) lane: Arc<Lane>,
    pub(super) inner: Arc<Inner>,
    pub(super) work: Work,
    /// Who waits for the rows to be decided, or in the spool.
    pub(super) settled: Option<oneshot::Sender<Settled>>,
    /// Cancelled when nobody waits any more for what is not settled.
    pub(super) abandoned: CancellationToken,
    /// Until when a failure, silence or a refusal may hold who waits: from when the service was first waited for.
    pub(super) patient_until: Option<Instant>,
    /// The record that they are in, and how many of them, if they are in the spool.
    pub(super) record: Option<(RecordId, usize)>,
    /// The right to have them in memory.
    pub(super) _slot: RequestSlot,
}

/// That rows are decided, or in the spool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    /// Whether any is in the quarantine.
    pub(super) any_rejected: bool,
}

/// How making a request ended.
enum Ended {
    Answered(Result<(), ServiceError>),
    /// The sink stops, and its answer is not waited for.
    Stopped,
    /// Nobody waits for the rows, or they are in the quarantine.
    Over,
}

// === impl Sending ===

impl Sending {
    /// Sends them. Ends when all are decided, or in the spool for somebody else to send.
    pub(super) async fn run(mut self) {
        let (lane, inner) = (Arc::clone(&self.lane), Arc::clone(&self.inner));
        let mut policy = inner.policies.forever();
        loop {
            let undecided = self.work.undecided();
            if undecided.is_empty() {
                return self.finish().await;
            }
            let failure = match self.step(&undecided).await {
                Ended::Answered(Ok(())) => continue,
                Ended::Answered(Err(failure)) => failure,
                Ended::Stopped => {
                    self.leave(&undecided).await;
                    return;
                }
                Ended::Over => return,
            };
            // Without a spool each by its own backoff, so that not all come at once.
            let own = !inner.spool.is_enabled && self.record.is_none();
            let wait = lane.fails(&inner, &failure, own.then(|| policy.wait(failure.verdict())));
            if !own {
                let now = inner.clock.monotonic();
                let until = *self.patient_until.get_or_insert(now + inner.spool.after_failure);
                let may_pass = self.settled.is_some() && self.record.is_none() && is_passing(&failure);
                if !(may_pass && now + wait < until) && self.leave(&undecided).await {
                    return;
                }
            }
            tokio::select! {
                () = inner.clock.sleep(wait) => {}
                () = self.abandoned.cancelled(), if self.settled.is_some() => return,
                // What of it is in the spool stays there.
                () = inner.stopping.cancelled(), if self.settled.is_none() => return,
            }
        }
    }

    /// Makes one request. When who waits has waited long enough, puts the rows into the spool, and goes on.
    async fn step(&mut self, undecided: &[usize]) -> Ended {
        let (lane, inner, abandoned) =
            (Arc::clone(&self.lane), Arc::clone(&self.inner), self.abandoned.clone());
        let (rows, noted) = (Arc::clone(&self.work.rows), self.work.is_noted());
        let any_rejected = self.work.any_rejected;
        let begun = Notify::new();
        let step = self.work.step(&lane, &inner, &begun);
        tokio::pin!(step);
        let after = inner.spool.after_silence.filter(|_| inner.spool.is_enabled);
        if let (Some(after), true, None) = (after, self.settled.is_some(), self.record) {
            let until = &mut self.patient_until;
            let patience = async {
                begun.notified().await;
                let asked_at = inner.clock.monotonic();
                let until = *until.get_or_insert(asked_at + after);
                inner.clock.sleep(until.saturating_duration_since(asked_at)).await;
                asked_at
            };
            let asked_at = tokio::select! {
                biased;
                answer = &mut step => return Ended::Answered(answer),
                () = abandoned.cancelled() => return Ended::Over,
                asked_at = patience => asked_at,
            };
            let is_silent = inner.clock.monotonic() >= asked_at + after;
            match lane.keep(&inner, &rows, undecided, noted, true).await {
                Kept::Spooled(id) => {
                    // Only now: who waits for a slot looks whether anything is in the spool.
                    if is_silent {
                        lane.is_late(&inner);
                    }
                    self.record = Some((id, undecided.len()));
                    settle(&mut self.settled, any_rejected);
                }
                Kept::Quarantined => {
                    if is_silent {
                        // Nobody waits for the answer: so it is as if it had not come.
                        lane.gives_up(&inner);
                    }
                    settle(&mut self.settled, true);
                    return Ended::Over;
                }
                Kept::Not => {}
            }
        }
        let is_awaited = self.settled.is_some();
        tokio::select! {
            biased;
            answer = &mut step => Ended::Answered(answer),
            () = abandoned.cancelled(), if is_awaited => Ended::Over,
            // Nobody waits for it, so it must not hold up whoever stops the sink.
            () = async {
                inner.stopping.cancelled().await;
                inner.clock.sleep(GRACE).await;
            }, if !is_awaited => Ended::Stopped,
        }
    }

    /// All rows are decided.
    async fn finish(mut self) {
        if let Some((id, _)) = self.record.take() {
            self.lane.forget(&self.inner, id).await;
        }
        settle(&mut self.settled, self.work.any_rejected);
    }

    /// Leaves rows that are not decided in the spool, for somebody else to send. Answers whether they are there, or in the
    /// quarantine.
    async fn leave(&mut self, undecided: &[usize]) -> bool {
        let (lane, inner) = (&self.lane, &self.inner);
        if let Some((id, count)) = self.record
            && count == undecided.len()
        {
            lane.spool.release(id).await.ok();
            return true;
        }
        match lane.keep(inner, &self.work.rows, undecided, self.work.is_noted(), false).await {
            Kept::Not => return false,
            kept => self.work.any_rejected |= matches!(kept, Kept::Quarantined),
        }
        if let Some((id, _)) = self.record {
            lane.forget(inner, id).await;
        }
        settle(&mut self.settled, self.work.any_rejected);
        true
    }
}

/// Whether a failure may be over in a moment: no permission that is missing, nothing that is not there.
fn is_passing(failure: &ServiceError) -> bool {
    !matches!(failure.rejection(), Some(Rejection::Unauthorized | Rejection::Forbidden | Rejection::NotFound))
}

fn settle(settled: &mut Option<oneshot::Sender<Settled>>, any_rejected: bool) {
    if let Some(settled) = settled.take() {
        // Whoever waited may have given up.
        settled.send(Settled { any_rejected }).ok();
    }
}
