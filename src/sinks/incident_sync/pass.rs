//! One pass over one incident: reads the other side, merges, writes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use super::brake::Brake;
use super::comments::Copying;
use super::error::PassError;
use super::ledger::{Ledger, Offer};
use super::link::{Linked, PairedRecord};
use super::options::SyncOptions;
use super::target::{Current, Target};
use super::tell::{About, Teller};
use incident_model::comment;
use incident_model::field::{Field, Pair, Side};
use incident_model::merge::{Merge, Move, Rules, Sides, merge};
use incident_model::options::SyncedField;
use incident_model::record::Record;
use incident_model::snapshot::Snapshot;
use model::event::Event;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::quarantine::{Keeper, Quarantine, Reason};
use runtime::retry::policy::Policies;
use runtime::telemetry::ComponentLabels;

/// An incident that is changed each time before it can be written is left for later.
const MAX_READS: usize = 5;

/// One direction: what is offered from one side is written to the other.
pub struct Direction {
    pub(super) target: Arc<dyn Target>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) options: SyncOptions,
    pub(super) rules: Rules,
    /// The same for incidents that Microsoft's connector keeps in sync: it carries the fields.
    pub(super) native_rules: Rules,
    pub(super) brake: Brake,
    /// Whoever asks the brake holds it: of several that are stopped one says so.
    pub(super) halting: tokio::sync::Mutex<()>,
    pub(super) teller: Teller,
    pub(super) quarantine: Quarantine,
    pub(super) policies: Policies,
    /// Whether it can write, and whether what it was given last is on disk.
    pub(super) health: Health,
    pub(super) clock: Clock,
    /// Whether it was said that incidents are left to Microsoft's connector.
    pub(super) said_left: AtomicBool,
}

/// What came of a pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Something is left, and must not be done now.
    Held,
}

// === impl Direction ===

impl Direction {
    /// The direction toward `target`.
    #[expect(clippy::too_many_arguments, reason = "the parts of a direction, each of them once")]
    pub(super) fn new(
        target: Arc<dyn Target>,
        ledger: Arc<Ledger>,
        options: SyncOptions,
        rules: Rules,
        labels: ComponentLabels,
        quarantine: Quarantine,
        clock: Clock,
        rng: fastrand::Rng,
    ) -> Self {
        Self {
            native_rules: Rules { fields: [].into(), ..rules.clone() },
            brake: Brake::new(options.write.safety, clock.clone()),
            halting: tokio::sync::Mutex::default(),
            teller: Teller {
                labels,
                ledger: options.ledger.clone(),
                target: target.side(),
                clock: clock.clone(),
            },
            policies: Policies::new(rng),
            health: Health::default(),
            target,
            ledger,
            options,
            rules,
            quarantine,
            clock,
            said_left: AtomicBool::new(false),
        }
    }

    /// The side that offers come from.
    pub(super) fn origin(&self) -> Side {
        self.target.side().other()
    }

    /// Whether nothing is written.
    pub(super) const fn is_dry(&self) -> bool {
        self.options.write.dry_run
    }

    /// One pass over the newest offer of an incident.
    pub(super) async fn pass(&self, key: &str, offer: &Offer) -> Result<Outcome, PassError> {
        let Some(record_key) = self.record_key(key, &offer.snapshot).await? else { return Ok(Outcome::Done) };
        let _working = self.ledger.lock(&record_key).await;
        let paired = match self.ledger.record(&record_key).await? {
            // Microsoft's connector has brought the incident later than we did: ours goes on, and theirs is theirs.
            Some(record) if self.origin() == Side::Sentinel && record.sentinel != offer.snapshot.id => {
                return Ok(Outcome::Done);
            }
            Some(record) => PairedRecord { key: record_key, record, current: None, is_new: false },
            None => match self.link(record_key, &offer.snapshot).await? {
                Linked::To(paired) => *paired,
                Linked::Left => return Ok(Outcome::Done),
                Linked::Held => return Ok(Outcome::Held),
            },
        };
        self.update(paired, &offer.snapshot).await
    }

    /// Brings a counterpart up to what is offered.
    async fn update(&self, paired: PairedRecord, offer: &Snapshot) -> Result<Outcome, PassError> {
        let PairedRecord { key, mut record, mut current, is_new } = paired;
        let (origin, target) = (self.origin(), self.target.side());
        let sentinel = record.sentinel.clone();
        let about = About { key: &key, sentinel: &sentinel };
        if record.is_stale(origin, offer.version) || (record.native && !self.complements()) {
            return Ok(Outcome::Done);
        }
        record.observe(origin, offer);
        if !record.woken.contains_key(&target) {
            // What was offered of it before anybody knew that the two belong together is looked at now.
            self.ledger.save(&key, &record, Vec::new()).await?;
            self.wake_other(&key, &mut record).await?;
        }
        if self.is_settled(&record, offer, &key) || (target == Side::Defender && self.is_below_gate(offer)) {
            self.ledger.save(&key, &record, Vec::new()).await?;
            return Ok(Outcome::Done);
        }
        let id = if target == Side::Sentinel { sentinel.as_str() } else { defender_id(&key) };
        let mut events = Vec::new();
        for _ in 0..MAX_READS {
            let read = match current.take() {
                Some(current) => Some(current),
                None => self.target.read(id).await?,
            };
            let Some(now) = read else {
                let message = format!("The incident is gone from {target}: nothing is written any more.");
                events.extend(self.teller.notice(about, &mut record, "gone", &message));
                self.ledger.save(&key, &record, events).await?;
                return Ok(Outcome::Done);
            };
            if let Some(message) = self.is_of_another_tenant(&key, &now.snapshot) {
                events.extend(self.teller.notice(about, &mut record, "tenant", &message));
                self.ledger.save(&key, &record, events).await?;
                return Ok(Outcome::Done);
            }
            record.observe(target, &now.snapshot);
            if let Some(done) = record.confirm(target, &now.snapshot) {
                events.extend(self.teller.written(about, &done, false));
            }
            let (defender, sentinel) = in_order(target, &now.snapshot, offer);
            record.assume_open(sentinel);
            let rules = if record.native { &self.native_rules } else { &self.rules };
            let mut merged = merge(&record, Sides { defender, sentinel }, target, rules);
            merged.moves.retain(|one| record.refused.get(&one.field) != Some(&one.after));
            events.extend(self.teller.found(about, &mut record, &merged));
            let writes = merged.writes(&now.snapshot);
            if !merged.is_empty() {
                if self.is_dry() {
                    events.extend(self.teller.written(about, &writes, true));
                    self.ledger.tell(events).await?;
                    let copying = Copying { about, id, offer, current: &now.snapshot, is_new };
                    self.redirected_or_comments(copying, &mut record).await?;
                    return Ok(Outcome::Held);
                }
                if self.must_halt(&key).await? {
                    return Ok(Outcome::Held);
                }
            }
            let written = if merged.is_empty() {
                Some(now.clone())
            } else {
                // Should the answer be lost, the write is told of when it is found done.
                record.unconfirmed.insert(target, writes.clone());
                self.ledger.save(&key, &record, std::mem::take(&mut events)).await?;
                self.write(about, &now, &merged, &mut record).await?
            };
            record.unconfirmed.remove(&target);
            let Some(after) = written else { continue };
            record.observe(target, &after.snapshot);
            for one in &merged.moves {
                events.extend(self.settle(about, one, offer, &after.snapshot, &mut record));
            }
            note_tags(&mut record, offer, &after.snapshot);
            if !merged.is_empty() {
                events.extend(self.teller.written(about, &writes, false));
            }
            self.ledger.save(&key, &record, events).await?;
            let copying = Copying { about, id, offer, current: &after.snapshot, is_new };
            let is_left = self.redirected_or_comments(copying, &mut record).await?;
            if merged.other_side {
                self.wake_other(&key, &mut record).await?;
            }
            return Ok(if is_left { Outcome::Held } else { Outcome::Done });
        }
        Err(PassError::Contested)
    }

    /// Has the other direction look at its newest offer: once for the same states of both sides, or two directions that
    /// may not write what the other wants would wake each other for ever.
    async fn wake_other(&self, key: &str, record: &mut Record) -> Result<(), PassError> {
        let target = self.target.side();
        if record.woken.get(&target) == Some(&record.versions) {
            return Ok(());
        }
        let other = if target == Side::Sentinel { record.sentinel.as_str() } else { key };
        self.ledger.wake(target, other).await?;
        record.woken.insert(target, record.versions.clone());
        Ok(self.ledger.save(key, record, Vec::new()).await?)
    }

    /// Copies comments, and says in Sentinel where an incident went that was merged into another.
    async fn redirected_or_comments(
        &self,
        copying: Copying<'_>,
        record: &mut Record,
    ) -> Result<bool, PassError> {
        let Copying { about, offer, current, .. } = copying;
        if !self.options.fields.contains(&SyncedField::Comments)
            || (record.native && self.origin() == Side::Defender)
        {
            return Ok(false);
        }
        if self.target.side() == Side::Defender && current.field(Field::Status) == Some("redirected") {
            let message = "The incident was merged into another one in Defender: comments that are written in Sentinel \
                           now are not copied.";
            let events: Vec<_> =
                self.teller.notice(about, record, "redirected", message).into_iter().collect();
            self.ledger.save(about.key, record, events).await?;
            return Ok(false);
        }
        // Comments that were taken out on the way are not removed.
        let is_said = offer.comments.is_some();
        let mut offer = offer.clone();
        if let Some(into) = offer.profile().and_then(|profile| profile.merged_into.clone()) {
            offer.comments.get_or_insert_default().push(comment::merged_into(&into, offer.version));
        }
        if is_said && !self.is_dry() {
            self.tell_of_later(about, record, offer.comments.as_deref().unwrap_or_default()).await?;
        }
        self.copy_comments(&Copying { offer: &offer, ..copying }, record).await
    }

    /// Writes; nothing if the incident has changed. What is refused for its owner is written without.
    async fn write(
        &self,
        about: About<'_>,
        now: &Current,
        merged: &Merge,
        record: &mut Record,
    ) -> Result<Option<Current>, PassError> {
        let failure = match self.target.write(now, merged).await {
            Ok(written) => return Ok(written),
            Err(failure) => failure,
        };
        let owner = merged.moves.iter().find(|one| one.field == Field::Owner);
        let Some(owner) = owner.filter(|_| failure.is_bad_request()) else {
            // It was not for the owner that it was refused.
            if failure.is_bad_request() && record.refused.remove(&Field::Owner).is_some() {
                self.ledger.save(about.key, record, Vec::new()).await?;
            }
            return Err(failure.into());
        };
        let events: Vec<_> = self.refused_owner(about, record, &owner.after, &failure).into_iter().collect();
        record.refused.insert(Field::Owner, owner.after.clone());
        self.ledger.save(about.key, record, events).await?;
        Ok(None)
    }

    /// Notes what both sides have agreed on after a field was written.
    pub(super) fn settle(
        &self,
        about: About<'_>,
        one: &Move,
        offer: &Snapshot,
        after: &Snapshot,
        record: &mut Record,
    ) -> Option<Value> {
        let Move { field, before, after: meant, .. } = one;
        // An incident that was merged into another one has nothing to say for itself.
        let said = offer.field(*field).unwrap_or_default().to_owned();
        let (defender, sentinel) = in_order(self.target.side(), after, offer);
        let means_the_same = Sides { defender, sentinel }.agree_on(*field, record, &self.rules);
        let is_ignored = !means_the_same && !before.is_empty() && after.field(*field) == Some(before);
        // The service may have other words for it. If it is something else, and not what was there, somebody has changed it
        // since, and that is a change as every other.
        let there = after.field(*field).filter(|_| means_the_same || is_ignored).unwrap_or(meant).to_owned();
        let pair = match self.target.side() {
            Side::Defender => Pair { defender: there, sentinel: said },
            Side::Sentinel => Pair { defender: said, sentinel: there },
        };
        record.agree(*field, pair);
        let message =
            format!("{} answers that all is well, and leaves the {field} at '{before}'.", self.target.side());
        if is_ignored {
            self.teller.notice(about, record, &format!("ignored {field}"), &message)
        } else {
            None
        }
    }

    /// Puts something into the quarantine.
    pub(super) async fn keep(&self, what: &Value, reason: Reason) {
        let event = Event::new(what.to_string().into(), None);
        let said = "Something can never be written and is in the quarantine: ";
        self.keeper("sending").keep_for(&event, reason, said).await;
    }

    /// The way into the quarantine.
    pub(super) fn keeper(&self, stage: &'static str) -> Keeper<'_> {
        let Self { quarantine, clock, policies, teller, .. } = self;
        Keeper { quarantine, labels: &teller.labels, clock, policies, stage }
    }
}

/// Defender's id, of a record's key.
fn defender_id(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, id)| id)
}

/// Defender's and Sentinel's state.
const fn in_order<'a>(target: Side, now: &'a Snapshot, offer: &'a Snapshot) -> (&'a Snapshot, &'a Snapshot) {
    match target {
        Side::Defender => (now, offer),
        Side::Sentinel => (offer, now),
    }
}

pub(super) fn note_tags(record: &mut Record, offer: &Snapshot, after: &Snapshot) {
    if let (Some(one), Some(other)) = (&offer.tags, &after.tags) {
        record.agree_on_tags(one, other);
    }
}
