//! The part of a pass that says whether anything may be written, and whether there is anything to write.

use super::error::PassError;
use super::options::Severity;
use super::pass::Direction;
use incident_model::comment;
use incident_model::field::{Field, Side};
use incident_model::options::{NativeConnector, SyncedField};
use incident_model::record::Record;
use incident_model::snapshot::Snapshot;

// === impl Direction ===

impl Direction {
    /// Whether an offer says nothing that is not agreed already.
    pub(super) fn is_settled(&self, record: &Record, offer: &Snapshot, key: &str) -> bool {
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
    pub(super) fn is_below_gate(&self, offer: &Snapshot) -> bool {
        let severity = offer.field(Field::Severity).and_then(Severity::of);
        self.options.write.min_severity.is_some_and(|least| severity.is_none_or(|severity| severity < least))
    }

    /// What is to be said if an incident is one of another tenant's than the one that is meant, and has the same number.
    pub(super) fn is_of_another_tenant(&self, key: &str, there: &Snapshot) -> Option<String> {
        let (meant, id) = key.rsplit_once('/')?;
        let is = there.profile()?.tenant.as_str();
        (!meant.is_empty() && !is.is_empty() && !is.eq_ignore_ascii_case(meant)).then(|| {
            format!(
                "The incident {id} is one of the tenant {meant}, and the sink {} writes to another tenant, {is}: nothing is \
                 written.",
                self.teller.labels.id
            )
        })
    }

    /// Whether something is written on incidents that Microsoft's connector keeps in sync.
    pub(super) fn complements(&self) -> bool {
        // What Defender has, the connector carries: fields, tags and comments.
        self.target.side() == Side::Defender
            && self.options.shared.native_connector == NativeConnector::Complement
    }

    pub(super) async fn must_halt(&self, key: &str) -> Result<bool, PassError> {
        let _halting = self.halting.lock().await;
        if self.is_halted().await? {
            return Ok(true);
        }
        let Err(exceeded) = self.brake.admit(key) else { return Ok(false) };
        let why = exceeded.to_string();
        // Several incidents may find it at the same time.
        if self.ledger.set_halt(self.target.side(), Some(&why)).await? {
            self.ledger.tell(vec![self.teller.alarm(&why)]).await?;
        }
        Ok(true)
    }

    pub(super) async fn is_halted(&self) -> Result<bool, PassError> {
        Ok(self.ledger.halt(self.target.side()).await?.is_some())
    }
}
