//! What is said of the sync: log lines, and events for the pipeline.

use serde_json::{Value, json};
use tracing::{error, info, warn};

use incident_model::field::{Field, Side};
use incident_model::merge::Merge;
use incident_model::record::{FieldWrite, Record, Settled, Unconfirmed};
use runtime::clock::Clock;
use runtime::telemetry::{ComponentLabels, Metric};

/// So many characters of a text are in a log line.
const SHOWN_CHARS: usize = 200;

/// Says what one direction does.
pub(super) struct Teller {
    pub(super) labels: ComponentLabels,
    pub(super) ledger: String,
    /// The side that is written.
    pub(super) target: Side,
    pub(super) clock: Clock,
}

/// Which incident something is said of.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// The record's key: Defender's tenant and id.
    pub(super) key: &'a str,
    /// Sentinel's name of the incident.
    pub(super) sentinel: &'a str,
}

// === impl Teller ===

impl Teller {
    /// Notes what a merge found out, and answers events about what somebody should know.
    pub(super) fn found(&self, about: About<'_>, record: &mut Record, merged: &Merge) -> Vec<Value> {
        let mut events = Vec::new();
        for (field, settled) in &merged.conflicts {
            events.extend(self.conflict(about, record, *field, settled));
            record.settled.insert(*field, settled.clone());
        }
        for (field, pair) in &merged.agreed {
            record.agree(*field, pair.clone());
        }
        for (field, side, value) in &merged.unknown {
            events.extend(self.unknown(about, record, *field, *side, value));
        }
        for (field, value) in &merged.withheld {
            let message = format!(
                "The {field} of {} is not set to '{value}': closing or reopening is switched off for this direction.",
                self.target
            );
            events.extend(self.notice(about, record, &format!("withheld {field}"), &message));
        }
        events
    }

    /// A value of a side's has no counterpart. Answers an event if that was not said yet.
    pub(super) fn unknown(
        &self,
        about: About<'_>,
        record: &mut Record,
        field: Field,
        side: Side,
        value: &str,
    ) -> Option<Value> {
        let other = side.other();
        let message =
            format!("{other} has no word for the {field} '{value}' of {side}: it is left as it is.");
        self.notice(about, record, &format!("unknown {field}"), &message)
    }

    /// What was written, or would be.
    pub(super) fn written(&self, about: About<'_>, writes: &Unconfirmed, is_dry: bool) -> Vec<Value> {
        let fields = writes.fields.iter().map(|write| self.field_written(about, write, is_dry));
        let mut events: Vec<_> = fields.collect();
        if let Some((before, after)) = &writes.tags {
            let change = json!({"field": "tags", "before": before, "after": after});
            events.push(self.done(about, "tags", &change, "changed on the other side", is_dry));
        }
        events
    }

    /// One field was written, or would be.
    fn field_written(&self, about: About<'_>, write: &FieldWrite, is_dry: bool) -> Value {
        let FieldWrite { field, before, after, why } = write;
        let said = if is_dry { "Would write" } else { "Wrote" };
        info!(
            component_id = self.labels.id,
            defender = about.key,
            sentinel = about.sentinel,
            field = field.name(),
            before,
            after,
            "{}: {said} to {}: {why}.",
            self.labels,
            self.target
        );
        self.count(is_dry);
        let change = json!({"field": field.name(), "before": before, "after": after});
        self.event("audit", about, is_dry, json!({"change": change, "reason": why}))
    }

    /// Something else was written, or would be: tags, a comment, a whole incident.
    pub(super) fn done(
        &self,
        about: About<'_>,
        what: &str,
        change: &Value,
        why: &str,
        is_dry: bool,
    ) -> Value {
        let said = if is_dry { "Would write" } else { "Wrote" };
        info!(
            component_id = self.labels.id,
            defender = about.key,
            sentinel = about.sentinel,
            field = what,
            before = shown(change, "before"),
            after = shown(change, "after"),
            "{said} to {}: {why}.",
            self.target
        );
        self.count(is_dry);
        self.event("audit", about, is_dry, json!({"change": change, "reason": why}))
    }

    /// A field was changed on both sides. Answers an event if that was not said yet.
    pub(super) fn conflict(
        &self,
        about: About<'_>,
        record: &mut Record,
        field: Field,
        settled: &Settled,
    ) -> Option<Value> {
        let Settled { between, winner } = settled;
        let fate = winner.map_or_else(
            || "nothing is written until somebody makes both the same".to_owned(),
            |winner| format!("{winner}'s counts"),
        );
        let what = format!("{} / {}: {fate}", between.defender, between.sentinel);
        if !record.must_tell(&format!("conflict {field}"), &what) {
            return None;
        }
        self.labels.count(Metric::SyncConflicts, 1);
        warn!(
            component_id = self.labels.id,
            defender = about.key,
            sentinel = about.sentinel,
            field = field.name(),
            in_defender = between.defender,
            in_sentinel = between.sentinel,
            "{}: a field was changed on both sides; {fate}.",
            self.labels
        );
        let said = json!({
            "field": field.name(),
            "in_defender": between.defender,
            "in_sentinel": between.sentinel,
            "winner": winner,
        });
        Some(self.event("conflict", about, false, said))
    }

    /// Something that somebody should know, and may do something about. Answers an event if it was not said yet.
    pub(super) fn notice(
        &self,
        about: About<'_>,
        record: &mut Record,
        topic: &str,
        message: &str,
    ) -> Option<Value> {
        if !record.must_tell(topic, message) {
            return None;
        }
        warn!(
            component_id = self.labels.id,
            defender = about.key,
            sentinel = about.sentinel,
            "{}: {message}",
            self.labels
        );
        Some(self.event("notice", about, false, json!({"message": message})))
    }

    /// Writing is halted.
    pub(super) fn alarm(&self, why: &str) -> Value {
        self.labels.count_error("halted", "sending");
        error!(
            component_id = self.labels.id,
            error_type = "halted",
            "{}: nothing is written to {} any more, and nothing is lost: {why}. If that is meant, say `vector-sentinel sync resume \
             --ledger {} --to {} --data-dir DIR` with the file's data_dir; if it is not, mend the pipeline first.",
            self.labels,
            self.target,
            self.ledger,
            self.target.to_string().to_lowercase()
        );
        json!({
            "kind": "alarm",
            "time": self.clock.now(),
            "component_id": self.labels.id,
            "ledger": self.ledger,
            "target": self.target,
            "message": why,
        })
    }

    fn count(&self, is_dry: bool) {
        if !is_dry {
            self.labels.count(Metric::SyncWrites, 1);
        }
    }

    fn event(&self, kind: &str, about: About<'_>, is_dry: bool, said: Value) -> Value {
        let (tenant, id) = about.key.rsplit_once('/').unwrap_or(("", about.key));
        let mut event = json!({
            "kind": kind,
            "time": self.clock.now(),
            "component_id": self.labels.id,
            "ledger": self.ledger,
            "target": self.target,
            "defender": {"tenant_id": tenant, "incident_id": id},
            "sentinel": {"incident_name": about.sentinel},
            "dry_run": is_dry,
        });
        if let (Value::Object(event), Value::Object(said)) = (&mut event, said) {
            event.extend(said);
        }
        event
    }
}

/// What a log line shows of a value: a comment may be long, and is where it was written.
fn shown(change: &Value, name: &str) -> Option<String> {
    let value = change.get(name).filter(|value| !value.is_null())?;
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let cut = text.char_indices().nth(SHOWN_CHARS).and_then(|(end, _)| text.get(..end));
    Some(cut.map_or_else(|| text.clone(), |cut| format!("{cut}…")))
}
