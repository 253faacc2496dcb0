//! Finds the counterpart of an incident on the other side, or creates it.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tracing::info;

use super::error::PassError;
use super::ledger::record_key;
use super::pass::{Direction, note_tags};
use super::target::{Current, Located};
use super::tell::About;
use incident_model::field::{Field, Pair, Side};
use incident_model::mapping::translate;
use incident_model::merge::Move;
use incident_model::record::Record;
use incident_model::snapshot::Snapshot;
use microsoft::ServiceError;

/// What came of looking for an incident's counterpart.
pub(super) enum Linked {
    To(Box<PairedRecord>),
    /// There is none, and there is to be none.
    Left,
    /// It must not be created now.
    Held,
}

/// The counterpart of an incident.
pub(super) struct PairedRecord {
    pub(super) key: String,
    pub(super) record: Record,
    /// What was read already.
    pub(super) current: Option<Current>,
    /// Whether it was created just now.
    pub(super) is_new: bool,
}

// === impl Direction ===

impl Direction {
    /// The key of the record that an offer belongs to, if it can have one.
    pub(super) async fn record_key(&self, key: &str, offer: &Snapshot) -> Result<Option<String>, PassError> {
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
    pub(super) async fn link(&self, key: String, offer: &Snapshot) -> Result<Linked, PassError> {
        let found = |record, current| {
            Ok(Linked::To(Box::new(PairedRecord { key: key.clone(), record, current, is_new: false })))
        };
        if let Some(origin) = offer.origin() {
            let record =
                Record { sentinel: offer.id.clone(), native: origin.is_native(), ..Record::default() };
            return found(record, None);
        }
        match self.target.locate(&key, offer).await? {
            Located::Native(sentinel) => found(Record { sentinel, native: true, ..Record::default() }, None),
            Located::NativeExpected => {
                if !self.said_left.swap(true, Ordering::Relaxed) {
                    info!(
                        component_id = self.teller.labels.id,
                        incident = key,
                        "{}: Microsoft's own connector brings incidents of this tenant into the workspace: what it has not brought \
                         yet is left to it, this incident first.",
                        self.teller.labels
                    );
                }
                Ok(Linked::Left)
            }
            Located::Nowhere => Ok(Linked::Left),
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
        let offer = &self.without_what_is_not_synced(offer);
        let after = json!({
            "title": offer.profile().map(|profile| &profile.title), "fields": offer.fields, "tags": offer.tags,
        });
        let change = json!({"field": "incident", "after": after});
        if self.is_dry() {
            let event = self.teller.done(about, "incident", &change, "new in Defender", true);
            self.ledger.tell(vec![event]).await?;
            return Ok(Linked::Held);
        }
        if self.is_halted().await? {
            return Ok(Linked::Held);
        }
        let mut is_ownerless = false;
        let mut events = self.unknown_words(about, &mut record, offer);
        let current = match self.target.create(&sentinel, offer).await {
            Err(failure) if failure.is_bad_request() => {
                // Most often it is the owner that is not taken: better nobody's than no incident at all.
                let mut ownerless = offer.clone();
                let Some(owner) = ownerless.fields.remove(&Field::Owner).filter(|owner| !owner.is_empty())
                else {
                    return Err(failure.into());
                };
                let current = self.target.create(&sentinel, &ownerless).await?;
                events.extend(self.refused_owner(about, &mut record, &owner, &failure));
                is_ownerless = true;
                current
            }
            created => created?,
        };
        record.observe(Side::Defender, offer);
        record.observe(Side::Sentinel, &current.snapshot);
        record.assume_open(&current.snapshot);
        for (field, value) in &offer.fields {
            let Some(there) = current.snapshot.field(*field) else { continue };
            let meant = translate(*field, Side::Defender, offer, &current.snapshot, None, &self.rules.owners);
            let is_refused = *field == Field::Owner && is_ownerless;
            match meant.filter(|_| !is_refused) {
                Some(after) => {
                    let (field, before) = (*field, String::new());
                    let one = Move { field, before, after, why: "new in Defender" };
                    events.extend(self.settle(about, &one, offer, &current.snapshot, &mut record));
                }
                None => {
                    record.agree(*field, Pair { defender: value.clone(), sentinel: there.to_owned() });
                }
            }
        }
        note_tags(&mut record, offer, &current.snapshot);
        events.push(self.teller.done(about, "incident", &change, "new in Defender", false));
        self.ledger.save(&key, &record, events).await?;
        Ok(Linked::To(Box::new(PairedRecord { key, record, current: Some(current), is_new: true })))
    }

    /// A new incident has a status and a severity whatever is kept in sync: the service insists. The rest is nobody's to say.
    fn without_what_is_not_synced(&self, offer: &Snapshot) -> Snapshot {
        let mut offer = offer.clone();
        let needed = |field: &Field| matches!(field, Field::Status | Field::Severity);
        offer.fields.retain(|field, _| needed(field) || self.rules.fields.contains_key(field));
        offer.tags = offer.tags.filter(|_| self.rules.tags);
        offer
    }

    /// What a new incident needs, and Sentinel has no word for.
    fn unknown_words(&self, about: About<'_>, record: &mut Record, offer: &Snapshot) -> Vec<Value> {
        let mut events = Vec::new();
        for field in [Field::Status, Field::Severity] {
            let Some(value) = offer.field(field) else { continue };
            if translate(field, Side::Defender, offer, offer, None, &self.rules.owners).is_none() {
                events.extend(self.teller.unknown(about, record, field, Side::Defender, value));
            }
        }
        events
    }

    pub(super) fn refused_owner(
        &self,
        about: About<'_>,
        record: &mut Record,
        owner: &str,
        failure: &ServiceError,
    ) -> Option<Value> {
        let message = format!(
            "{} does not take '{owner}' as an owner, so the owner stays as it is; if that is somebody who has another name \
             there, add them to sync.owners_file: {}",
            self.target.side(),
            failure.message()
        );
        self.teller.notice(about, record, "owner", &message)
    }
}
