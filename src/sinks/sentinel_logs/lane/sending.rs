//! One task that sends rows until they are decided, or are in the spool.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::super::sink::Inner;
use super::super::spool::WhenFull;
use super::work::Work;
use super::{Lane, Spooling};
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
    /// Its answer is late, and there is no room for its rows; or the sink stops. It is not waited for.
    Left,
    /// Nobody waits for the rows.
    Abandoned,
}

// === impl Sending ===

impl Sending {
    /// Sends them. Ends when all are decided, or in the spool for somebody else to send.
    pub(super) async fn run(mut self) {
        let (lane, inner) = (Arc::clone(&self.lane), Arc::clone(&self.inner));
        let spool = &inner.spool;
        let mut policy = inner.policies.forever();
        let mut patient_until = None;
        loop {
            let undecided = self.work.undecided();
            if undecided.is_empty() {
                return self.finish().await;
            }
            let failure = match self.step(&undecided).await {
                Ended::Answered(Ok(())) => continue,
                Ended::Answered(Err(failure)) => failure,
                Ended::Left => {
                    self.leave(&undecided).await;
                    return;
                }
                Ended::Abandoned => return,
            };
            let mut wait = lane.fails(&inner, &failure);
            if !spool.is_enabled && self.record.is_none() {
                // Each by its own backoff, so that not all come at once; a pause of the rule is waited for in its turn.
                let own = policy.wait(failure.verdict());
                wait = if lane.service.rule.is_paused() { Duration::ZERO } else { own };
            } else {
                let now = inner.clock.monotonic();
                let until = *patient_until.get_or_insert(now + spool.after_failure);
                let may_pass = self.settled.is_some() && self.record.is_none() && is_passing(&failure);
                if !(may_pass && now + wait < until) && self.leave(&undecided).await {
                    return;
                }
            }
            tokio::select! {
                () = inner.clock.sleep(wait) => {}
                () = self.abandoned.cancelled(), if self.settled.is_some() => return,
            }
        }
    }

    /// Makes one request. When its answer is late, puts the rows into the spool, and goes on waiting for it.
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
            let silence = async {
                begun.notified().await;
                inner.clock.sleep(after).await;
            };
            tokio::select! {
                biased;
                answer = &mut step => return Ended::Answered(answer),
                () = abandoned.cancelled() => return Ended::Abandoned,
                () = silence => {}
            }
            lane.standings.is_late();
            match lane.write(&inner, &rows, undecided, noted, true).await {
                Ok(Spooling::Done(id)) => {
                    self.record = Some((id, undecided.len()));
                    settle(&mut self.settled, any_rejected);
                }
                Ok(Spooling::Full) if inner.spool.when_full == WhenFull::Quarantine => return Ended::Left,
                Ok(Spooling::Full) => lane.report_waiting(&inner, None),
                Err(failure) => lane.report_waiting(&inner, Some(failure)),
            }
        }
        let is_awaited = self.settled.is_some();
        tokio::select! {
            biased;
            answer = &mut step => Ended::Answered(answer),
            () = abandoned.cancelled(), if is_awaited => Ended::Abandoned,
            // Nobody waits for it, so it must not hold up whoever stops the sink.
            () = async {
                inner.stopping.cancelled().await;
                inner.clock.sleep(GRACE).await;
            }, if !is_awaited => Ended::Left,
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
        match self.record {
            Some((id, count)) if count == undecided.len() => {
                if let Err(failure) = lane.spool.release(id).await {
                    lane.report_waiting(inner, Some(failure));
                    return false;
                }
            }
            old => {
                let (rows, noted) = (&self.work.rows, self.work.is_noted());
                match lane.write(inner, rows, undecided, noted, false).await {
                    Ok(Spooling::Done(_)) => {}
                    // What is in the spool stays there.
                    Ok(Spooling::Full) if old.is_none() && inner.spool.when_full == WhenFull::Quarantine => {
                        self.work.any_rejected = true;
                        lane.quarantine_full(inner, rows, undecided.to_vec()).await;
                    }
                    full_or_failed => {
                        lane.report_waiting(inner, full_or_failed.err());
                        return false;
                    }
                }
                if let Some((id, _)) = old {
                    lane.forget(inner, id).await;
                }
            }
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
