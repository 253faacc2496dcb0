//! A Defender incident, taken apart as far as layouts need it.

use std::borrow::Cow;

use super::fields::{Fields, id_text};
use super::table::is_time;
use runtime::quarantine::Reason;

/// An incident without its alerts, and its alerts without their evidence.
pub(super) struct Incident<'a> {
    /// Its fields but for `alerts`, of which only what is no alert is still here.
    pub(super) fields: Fields<'a>,
    /// Its id; the older API's is a number.
    pub(super) id: Cow<'a, str>,
    /// `lastUpdateDateTime`, if it can be read: all rows of one state of the incident have it.
    pub(super) last_update: Option<Cow<'a, str>>,
    pub(super) alerts: Vec<Alert<'a>>,
}

/// An alert of an incident, taken apart.
pub(super) struct Alert<'a> {
    /// Its fields but for `evidence`, of which only what is no piece of evidence is still here.
    pub(super) fields: Fields<'a>,
    pub(super) evidence: Vec<Fields<'a>>,
}

// === impl Incident ===

impl<'a> Incident<'a> {
    /// Takes an incident apart.
    ///
    /// An incident is what has an `id`, and a text `incidentWebUrl` or `lastUpdateDateTime`, and no `incidentId`, which alerts
    /// have. One member of a list that is null, or no object, takes no other with it.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Reason> {
        let mut fields = read_object(json)?;
        let id = fields.get("id").and_then(id_text).filter(|id| !id.is_empty());
        let dated = ["incidentWebUrl", "lastUpdateDateTime"].iter().any(|name| fields.text(name).is_some());
        let (Some(id), true, None) = (id, dated, fields.get("incidentId")) else {
            return Err(not_an_incident());
        };
        let last_update = fields.text("lastUpdateDateTime").filter(|time| is_time(time));
        let alerts = fields.take_objects("alerts").unwrap_or_default().into_iter().map(Alert::of).collect();
        Ok(Self { fields, id, last_update, alerts })
    }
}

impl<'a> Alert<'a> {
    fn of(mut fields: Fields<'a>) -> Self {
        let evidence = fields.take_objects("evidence").unwrap_or_default();
        Self { fields, evidence }
    }
}

/// The fields of an event.
pub(in crate::sinks::sentinel_logs) fn read_object(json: &[u8]) -> Result<Fields<'_>, Reason> {
    serde_json::from_slice(json).map_err(|error| Reason {
        code: "not_an_object",
        message: format!("an event must be an object to become a row: {error}"),
        request_id: None,
    })
}

fn not_an_incident() -> Reason {
    let message = "this layout takes Defender incidents, which have an id, and the text incidentWebUrl or \
                   lastUpdateDateTime, and no incidentId; anything else goes to a sink of its own, with layout raw";
    Reason { code: "not_an_incident", message: message.to_owned(), request_id: None }
}
