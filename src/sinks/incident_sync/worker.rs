//! Takes one waiting incident after the other, again and again until it is written.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::commands::{CommandError, CommandServer};
use super::error::PassError;
use super::failing::Failing;
use super::pass::{Direction, Outcome};
use super::status::{self, Status};
use incident_model::field::Side;
use incident_model::snapshot::Snapshot;
use microsoft::ServiceError;
use runtime::health::Part;
use runtime::quarantine::Reason;
use runtime::retry::Verdict;
use runtime::store::StoreError;

/// How often it is looked whether anything is asked of us, and what `sync status` shows is written.
const TICK: Duration = Duration::from_secs(2);
/// How many incidents are worked on at a time.
const AT_A_TIME: usize = 4;

/// Works off what a sink has taken.
pub struct Worker {
    direction: Arc<Direction>,
    data_dir: PathBuf,
    commands: CommandServer,
    failing: Mutex<Failing>,
    /// What `sync status` shows.
    shown: tokio::sync::Mutex<Option<Status>>,
}

// === impl Worker ===

impl Worker {
    /// The worker of a direction. What it shows is below `data_dir`.
    pub fn new(direction: Arc<Direction>, data_dir: &Path) -> Self {
        Self {
            commands: CommandServer::new(Arc::clone(&direction), data_dir),
            direction,
            data_dir: data_dir.to_owned(),
            failing: Mutex::default(),
            shown: tokio::sync::Mutex::default(),
        }
    }

    /// Works until `shutdown` is cancelled; what it is writing by then is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let this = Arc::new(self);
        if !this.load(&shutdown).await {
            return;
        }
        let mut passes = JoinSet::new();
        let (clock, queue) = (&this.direction.clock, this.direction.ledger.queue(this.direction.origin()));
        let mut tick = clock.monotonic() + TICK;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = passes.join_next(), if !passes.is_empty() => {}
                key = queue.next(), if passes.len() < AT_A_TIME => {
                    let this = Arc::clone(&this);
                    passes.spawn(async move { this.work_on(&key).await });
                }
                () = clock.sleep(tick.saturating_duration_since(clock.monotonic())) => {
                    this.tick().await;
                    tick = clock.monotonic() + TICK;
                }
            }
        }
        while passes.join_next().await.is_some() {}
        this.show().await;
    }

    /// Finds what was waiting when the process ended. Answers false if we are asked to stop meanwhile.
    async fn load(&self, shutdown: &CancellationToken) -> bool {
        let direction = &self.direction;
        let mut policy = direction.policies.forever();
        while let Err(failure) = direction.ledger.load(direction.origin()).await {
            self.report_store(&failure);
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = direction.clock.sleep(policy.wait(Verdict::Retry)) => {}
            }
        }
        true
    }

    async fn work_on(&self, key: &str) {
        let direction = &self.direction;
        let (from, queue) = (direction.origin(), direction.ledger.queue(direction.origin()));
        let offer = match direction.ledger.offer(from, key).await {
            Ok(Some(offer)) if offer.pending => offer,
            Ok(_) => return queue.done(key),
            Err(failure) => return self.later(key, &PassError::Store(failure)),
        };
        let noted = match direction.pass(key, &offer).await {
            Ok(Outcome::Done) => {
                self.succeeded(key);
                let noted = direction.ledger.note(from, key, offer.serial, |offer| {
                    (offer.pending, offer.attempts, offer.problem) = (false, 0, None);
                });
                noted.await.map(|()| queue.done(key))
            }
            Ok(Outcome::Held) => {
                queue.hold(key);
                Ok(())
            }
            Err(PassError::Service(failure)) if is_final(&failure) => {
                self.give_up(key, &offer.snapshot, &failure).await;
                let noted = direction.ledger.note(from, key, offer.serial, |offer| offer.pending = false);
                noted.await.map(|()| queue.done(key))
            }
            Err(error) => {
                let problem = error.with_request_id();
                let noted = direction.ledger.note(from, key, offer.serial, |offer| {
                    offer.attempts += 1;
                    offer.problem = Some(problem);
                });
                // The next try may begin as soon as it is due.
                if let Err(failure) = noted.await {
                    self.report_store(&failure);
                }
                return self.later(key, &error);
            }
        };
        if let Err(failure) = noted {
            self.later(key, &PassError::Store(failure));
        }
    }

    /// Has an incident tried again.
    fn later(&self, key: &str, error: &PassError) {
        let direction = &self.direction;
        let (wait, is_everything) = {
            let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
            (failing.failed(key, error, &direction.policies), failing.is_everything())
        };
        if is_everything {
            let now = direction.clock.now();
            direction.health.fails(Part::Requests, now, error.error_type(), error.to_string());
        }
        let labels = &direction.teller.labels;
        labels.count_error(error.error_type(), "sending");
        error!(
            component_id = labels.id,
            incident = key,
            error_type = error.error_type(),
            request_id = error.request_id(),
            wait_secs = wait.as_secs_f64(),
            "{}: an incident cannot be written to {}; it stays in the state file, trying again: {error}",
            labels,
            direction.target.side()
        );
        direction.ledger.queue(direction.origin()).later(key, wait);
    }

    /// The service will never take it.
    async fn give_up(&self, key: &str, offer: &Snapshot, failure: &ServiceError) {
        self.succeeded(key);
        let kept = json!({"incident": key, "target": self.direction.target.side(), "offer": offer});
        let request_id = failure.request_id().map(str::to_owned);
        let reason = Reason { code: "refused", message: failure.message(), request_id };
        self.direction.keep(&kept, reason).await;
    }

    /// The service has dealt with it.
    fn succeeded(&self, key: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.succeeded(key);
        if !failing.is_everything() {
            self.direction.health.works(&Part::Requests);
        }
    }

    async fn tick(&self) {
        match self.commands.serve().await {
            Ok(()) => {}
            Err(CommandError::Store(failure)) => self.report_store(&failure),
            Err(CommandError::Control(failure)) => {
                let labels = &self.direction.teller.labels;
                error!(
                    component_id = labels.id,
                    "{labels}: commands cannot be served, trying again: {failure}"
                );
            }
        }
        self.show().await;
    }

    /// Writes what `sync status` shows, if it has changed.
    async fn show(&self) {
        let status = match self.status().await {
            Ok(status) => status,
            Err(failure) => return self.report_store(&failure),
        };
        let health = &self.direction.health;
        match &status.halted {
            Some(why) => health.fails(Part::Halt, status.time, "halted", why.as_str()),
            None => health.works(&Part::Halt),
        }
        let mut shown = self.shown.lock().await;
        let is_same =
            shown.as_ref().is_some_and(|shown| Status { time: status.time, ..shown.clone() } == status);
        if is_same {
            return;
        }
        match status.write(&self.data_dir) {
            Ok(()) => *shown = Some(status),
            Err(failure) => {
                let labels = &self.direction.teller.labels;
                error!(component_id = labels.id, "{labels}: the sync's status cannot be written: {failure}");
            }
        }
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let direction = &self.direction;
        let (side, ledger) = (direction.target.side(), &direction.ledger);
        let mut keys = ledger.queue(side.other()).keys();
        {
            let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
            keys.sort_by_cached_key(|key| (!failing.contains(key), key.clone()));
        }
        let mut pending = Vec::new();
        for key in keys.iter().take(status::NAMED) {
            pending.extend(ledger.offer(side.other(), key).await?.map(|offer| (key.clone(), offer)));
        }
        Ok(Status::of(direction, ledger.halt(side).await?, keys.len(), pending))
    }

    fn report_store(&self, failure: &StoreError) {
        let labels = &self.direction.teller.labels;
        labels.count_error("state_file", "sending");
        error!(component_id = labels.id, error_type = "state_file", "{}: {failure}", labels);
    }
}

/// Whether trying again is of no use. A permission can be given and a service mended; what is refused for what it says
/// stays refused.
pub(super) fn is_final(failure: &ServiceError) -> bool {
    failure.verdict() == Verdict::GiveUp && failure.is_bad_request()
}

/// The sides' names in file names.
pub(super) const fn file_word(side: Side) -> &'static str {
    match side {
        Side::Defender => "to-defender",
        Side::Sentinel => "to-sentinel",
    }
}
