//! One pass over one incident: reads the other side, merges, writes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::brake::Brake;
use super::comments::Copying;
use super::ledger::{Ledger, Offer, record_key};
use super::options::{NativeConnector, Severity, SyncOptions, SyncedField};
use super::target::{Current, Located, Target};
use super::tell::{About, Teller};
use crate::client::Failure;
use crate::clock::Clock;
use crate::model::event::Event;
use crate::model::sync::comment;
use crate::model::sync::field::{Field, Pair, Side};
use crate::model::sync::merge::{Merge, Rules, Sides, merge};
use crate::model::sync::record::Record;
use crate::model::sync::snapshot::Snapshot;
use crate::quarantine::{Keeper, Quarantine};
use crate::retry::policy::Policies;
use crate::store::StoreError;
use crate::telemetry::Component;

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
    pub(super) teller: Teller,
    pub(super) quarantine: Quarantine,
    pub(super) policies: Policies,
    pub(super) clock: Clock,
}

/// What came of a pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Something is left, and must not be done now.
    Held,
}

/// Why a pass ended early. All that it has done is in the ledger.
#[derive(Debug)]
pub(super) enum PassError {
    Service(Failure),
    Store(StoreError),
}

/// What came of looking for an incident's counterpart.
enum Linked {
    To(Box<Place>),
    /// There is none, and there is to be none.
    Left,
    /// It must not be created now.
    Held,
}

/// The counterpart of an incident.
struct Place {
    key: String,
    record: Record,
    /// What was read already.
    current: Option<Current>,
}

impl From<Failure> for PassError {
    fn from(failure: Failure) -> Self {
        Self::Service(failure)
    }
}

impl From<StoreError> for PassError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
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
        labels: Component,
        quarantine: Quarantine,
        clock: Clock,
        rng: fastrand::Rng,
    ) -> Self {
        Self {
            native_rules: Rules { fields: [].into(), ..rules.clone() },
            brake: Brake::new(options.write.safety, clock.clone()),
            teller: Teller {
                labels,
                ledger: options.ledger.clone(),
                target: target.side(),
                clock: clock.clone(),
            },
            policies: Policies::new(rng),
            target,
            ledger,
            options,
            rules,
            quarantine,
            clock,
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
        let place = match self.ledger.record(&record_key).await? {
            Some(record) => Place { key: record_key, record, current: None },
            None => match self.link(record_key, &offer.snapshot).await? {
                Linked::To(place) => *place,
                Linked::Left => return Ok(Outcome::Done),
                Linked::Held => return Ok(Outcome::Held),
            },
        };
        self.update(place, &offer.snapshot).await
    }

    /// The key of the record that an offer belongs to, if it can have one.
    async fn record_key(&self, key: &str, offer: &Snapshot) -> Result<Option<String>, PassError> {
        let Some(origin) = offer.origin() else { return Ok(Some(key.to_owned())) };
        if let Some(known) = self.ledger.record_of(key).await? {
            return Ok(Some(known));
        }
        if !origin.is_native() || origin.provider_incident_id.is_empty() {
            // Sentinel's own: Defender's API cannot create an incident for it.
            return Ok(None);
        }
        let tenant = origin.provider_tenant.clone().or_else(|| self.ledger.only_tenant()).unwrap_or_default();
        Ok(Some(record_key(&tenant, &origin.provider_incident_id)))
    }

    /// Finds the counterpart of an incident that nothing is known of, or creates it.
    async fn link(&self, key: String, offer: &Snapshot) -> Result<Linked, PassError> {
        let found = |record, current| Ok(Linked::To(Box::new(Place { key: key.clone(), record, current })));
        if let Some(origin) = offer.origin() {
            let record =
                Record { sentinel: offer.id.clone(), native: origin.is_native(), ..Record::default() };
            return found(record, None);
        }
        match self.target.locate(&key, offer).await? {
            Located::Native(sentinel) => found(Record { sentinel, native: true, ..Record::default() }, None),
            Located::NativeExpected | Located::Nowhere => Ok(Linked::Left),
            Located::Ours(sentinel) => {
                let record = Record { sentinel, ..Record::default() };
                if let Some(current) = self.target.read(&record.sentinel).await? {
                    return found(record, Some(current));
                }
                if offer.is_closed() || self.is_below_gate(offer) {
                    return Ok(Linked::Left);
                }
                self.create(key, record, offer).await
            }
        }
    }

    async fn create(&self, key: String, mut record: Record, offer: &Snapshot) -> Result<Linked, PassError> {
        let sentinel = record.sentinel.clone();
        let about = About { key: &key, sentinel: &sentinel };
        let change =
            json!({"created": offer.profile().map(|profile| &profile.title), "fields": offer.fields});
        if self.is_dry() {
            self.teller.done(about, "incident", &change, "new in Defender", true);
            return Ok(Linked::Held);
        }
        if self.is_halted().await? {
            return Ok(Linked::Held);
        }
        let mut events = Vec::new();
        let current = match self.target.create(&sentinel, offer).await {
            Err(failure) if failure.error_type == "bad_request" => {
                // Most often it is the owner that is not taken: better nobody's than no incident at all.
                let mut ownerless = offer.clone();
                let Some(owner) = ownerless.fields.remove(&Field::Owner).filter(|owner| !owner.is_empty())
                else {
                    return Err(failure.into());
                };
                let current = self.target.create(&sentinel, &ownerless).await?;
                events.extend(self.refused_owner(about, &mut record, &owner, &failure));
                current
            }
            created => created?,
        };
        record.observe(Side::Defender, offer);
        record.observe(Side::Sentinel, &current.snapshot);
        record.assume_open(&current.snapshot);
        for (field, value) in &offer.fields {
            if let Some(there) = current.snapshot.field(*field) {
                record.agree(*field, Pair { defender: value.clone(), sentinel: there.to_owned() });
            }
        }
        note_tags(&mut record, offer, &current.snapshot);
        events.push(self.teller.done(about, "incident", &change, "new in Defender", false));
        self.ledger.save(&key, &record, events).await?;
        // What was offered of it before it was ours is to be looked at now.
        self.ledger.wake(Side::Sentinel, &sentinel).await?;
        Ok(Linked::To(Box::new(Place { key, record, current: Some(current) })))
    }

    fn refused_owner(
        &self,
        about: About<'_>,
        record: &mut Record,
        owner: &str,
        failure: &Failure,
    ) -> Option<Value> {
        let message = format!(
            "{} does not take '{owner}' as an owner, so the owner stays as it is; if that is somebody who has another name \
             there, add them to sync.owners_file: {}",
            self.target.side(),
            failure.message
        );
        self.teller.notice(about, record, "owner", &message)
    }

    /// Brings a counterpart up to what is offered.
    async fn update(&self, place: Place, offer: &Snapshot) -> Result<Outcome, PassError> {
        let Place { key, mut record, mut current } = place;
        let (origin, target) = (self.origin(), self.target.side());
        let sentinel = record.sentinel.clone();
        let about = About { key: &key, sentinel: &sentinel };
        if record.is_stale(origin, offer.version) || (record.native && !self.complements()) {
            return Ok(Outcome::Done);
        }
        let is_new = record.versions.is_empty();
        record.observe(origin, offer);
        if is_new {
            self.ledger.save(&key, &record, Vec::new()).await?;
        }
        if self.is_settled(&record, offer, &key) || (target == Side::Defender && self.is_below_gate(offer)) {
            self.ledger.save(&key, &record, Vec::new()).await?;
            return Ok(Outcome::Done);
        }
        let id = if target == Side::Sentinel { sentinel.as_str() } else { defender_id(&key) };
        for _ in 0..MAX_READS {
            let read = match current.take() {
                Some(current) => Some(current),
                None => self.target.read(id).await?,
            };
            let Some(now) = read else {
                let message = format!("The incident is gone from {target}: nothing is written any more.");
                let events = self.teller.notice(about, &mut record, "gone", &message).into_iter().collect();
                self.ledger.save(&key, &record, events).await?;
                return Ok(Outcome::Done);
            };
            record.observe(target, &now.snapshot);
            let (defender, sentinel) = in_order(target, &now.snapshot, offer);
            record.assume_open(sentinel);
            let rules = if record.native { &self.native_rules } else { &self.rules };
            let mut merged = merge(&record, Sides { defender, sentinel }, target, rules);
            merged.moves.retain(|one| record.refused.get(&one.field) != Some(&one.after));
            let mut events = self.note(about, &mut record, &merged);
            if !merged.is_empty() {
                if self.is_dry() {
                    self.show(about, &merged, &now.snapshot, true);
                    return Ok(Outcome::Held);
                }
                if self.must_halt(&key).await? {
                    return Ok(Outcome::Held);
                }
            }
            let written = if merged.is_empty() {
                Some(now.clone())
            } else {
                self.write(about, &now, &merged, &mut record).await?
            };
            let Some(after) = written else { continue };
            record.observe(target, &after.snapshot);
            for one in &merged.moves {
                self.settle(one.field, &one.after, offer, &after.snapshot, &mut record);
            }
            note_tags(&mut record, offer, &after.snapshot);
            if !merged.is_empty() {
                events.extend(self.show(about, &merged, &now.snapshot, false));
            }
            self.ledger.save(&key, &record, events).await?;
            let is_left = self.redirected_or_comments(about, id, offer, &after.snapshot, &mut record).await?;
            if merged.other_side {
                let other = if target == Side::Sentinel { record.sentinel.as_str() } else { key.as_str() };
                self.ledger.wake(target, other).await?;
            }
            return Ok(if is_left { Outcome::Held } else { Outcome::Done });
        }
        let message = "the incident is changed by somebody else each time before it can be written";
        Err(Failure::unanswered("stale", message).into())
    }

    /// Copies comments, and says in Sentinel where an incident went that was merged into another.
    async fn redirected_or_comments(
        &self,
        about: About<'_>,
        id: &str,
        offer: &Snapshot,
        current: &Snapshot,
        record: &mut Record,
    ) -> Result<bool, PassError> {
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
        let mut offer = offer.clone();
        if let Some(into) = offer.profile().and_then(|profile| profile.merged_into.clone()) {
            offer.comments.get_or_insert_default().push(comment::merged_into(&into, offer.version));
        }
        self.copy_comments(&Copying { about, id, offer: &offer, current }, record).await
    }

    /// Notes what a merge found out, and answers events about what somebody should know.
    fn note(&self, about: About<'_>, record: &mut Record, merged: &Merge) -> Vec<Value> {
        let mut events = Vec::new();
        for (field, settled) in &merged.conflicts {
            events.extend(self.teller.conflict(about, record, *field, settled));
            record.settled.insert(*field, settled.clone());
        }
        for (field, pair) in &merged.agreed {
            record.agree(*field, pair.clone());
        }
        for (field, value) in &merged.unknown {
            let message = format!(
                "{} has no word for the {field} '{value}' of {}: it is left as it is.",
                self.target.side(),
                self.origin()
            );
            events.extend(self.teller.notice(about, record, &format!("unknown {field}"), &message));
        }
        for (field, value) in &merged.withheld {
            let message = format!(
                "The {field} of {} is not set to '{value}': closing or reopening is switched off for this direction.",
                self.target.side()
            );
            events.extend(self.teller.notice(about, record, &format!("withheld {field}"), &message));
        }
        events
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
        let Some(owner) = owner.filter(|_| failure.error_type == "bad_request") else {
            return Err(failure.into());
        };
        let events: Vec<_> = self.refused_owner(about, record, &owner.after, &failure).into_iter().collect();
        record.refused.insert(Field::Owner, owner.after.clone());
        self.ledger.save(about.key, record, events).await?;
        Ok(None)
    }

    /// Notes what both sides have after a field was written.
    fn settle(&self, field: Field, meant: &str, offer: &Snapshot, after: &Snapshot, record: &mut Record) {
        // An incident that was merged into another one has nothing to say for itself.
        let said = offer.field(field).unwrap_or_default().to_owned();
        let there = after.field(field).unwrap_or(meant).to_owned();
        let pair = match self.target.side() {
            Side::Defender => Pair { defender: there, sentinel: said },
            Side::Sentinel => Pair { defender: said, sentinel: there },
        };
        record.agree(field, pair);
    }

    fn show(&self, about: About<'_>, merged: &Merge, now: &Snapshot, is_dry: bool) -> Vec<Value> {
        let mut events: Vec<_> =
            merged.moves.iter().map(|one| self.teller.written(about, one, is_dry)).collect();
        if let Some(tags) = &merged.tags {
            let change = json!({"field": "tags", "before": now.tags, "after": tags});
            events.push(self.teller.done(about, "tags", &change, "changed on the other side", is_dry));
        }
        events
    }

    /// Whether an offer says nothing that is not agreed already.
    fn is_settled(&self, record: &Record, offer: &Snapshot, key: &str) -> bool {
        let side = self.origin();
        let rules = if record.native { &self.native_rules } else { &self.rules };
        let fields = rules.fields.keys().all(|field| match (offer.field(*field), record.agreed.get(field)) {
            (None, _) => true,
            (Some(value), Some(pair)) => pair.of(side) == value,
            (Some(_), None) => false,
        });
        let tags = !rules.tags || offer.tags.as_ref().is_none_or(|tags| *tags == record.tags);
        let comments = offer.comments.as_deref().unwrap_or_default();
        let comments = !self.options.fields.contains(&SyncedField::Comments)
            || (comment::missing(record, side, comments, &[], key).is_empty()
                && comment::note_later(&mut record.clone(), side, comments).is_empty());
        let is_merged = offer.profile().is_some_and(|profile| profile.merged_into.is_some());
        fields && tags && comments && !is_merged
    }

    /// Whether it is less severe than what is written.
    fn is_below_gate(&self, offer: &Snapshot) -> bool {
        let severity = offer.field(Field::Severity).and_then(Severity::of);
        self.options.write.min_severity.is_some_and(|least| severity.is_none_or(|severity| severity < least))
    }

    /// Whether something is written on incidents that Microsoft's connector keeps in sync.
    fn complements(&self) -> bool {
        // What Defender has, the connector carries: fields, tags and comments.
        self.target.side() == Side::Defender
            && self.options.shared.native_connector == NativeConnector::Complement
    }

    async fn must_halt(&self, key: &str) -> Result<bool, PassError> {
        if self.is_halted().await? {
            return Ok(true);
        }
        let Err(why) = self.brake.admit(key) else { return Ok(false) };
        self.ledger.set_halt(self.target.side(), Some(&why)).await?;
        self.ledger.tell(vec![self.teller.alarm(&why)]).await?;
        Ok(true)
    }

    async fn is_halted(&self) -> Result<bool, PassError> {
        Ok(self.ledger.halt(self.target.side()).await?.is_some())
    }

    /// Puts something into the quarantine.
    pub(super) async fn keep(&self, what: &Value, code: &'static str, message: String) {
        let keeper = Keeper {
            quarantine: &self.quarantine,
            labels: &self.teller.labels,
            clock: &self.clock,
            policies: &self.policies,
            stage: "sending",
        };
        let event = Event::new(what.to_string().into(), None);
        keeper.keep(&event, code, message, "Something can never be written and is in the quarantine: ").await;
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

fn note_tags(record: &mut Record, offer: &Snapshot, after: &Snapshot) {
    if let (Some(one), Some(other)) = (&offer.tags, &after.tags) {
        record.agree_on_tags(one, other);
    }
}
