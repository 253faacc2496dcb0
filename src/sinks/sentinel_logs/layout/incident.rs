//! A Defender incident, taken apart as far as layouts need it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{Fields, text};
use super::table::is_time;
use runtime::quarantine::Reason;

/// An incident without its alerts, and its alerts without their evidence.
pub(super) struct Incident<'a> {
    /// Its fields but for `alerts`. If that is no list, it is still here.
    pub(super) fields: Fields<'a>,
    /// Its id, as JSON.
    pub(super) id: &'a RawValue,
    /// `lastUpdateDateTime`, if it can be read: all rows of one state of the incident have it.
    pub(super) last_update: Option<Cow<'a, str>>,
    pub(super) alerts: Vec<Alert<'a>>,
}

/// An alert of an incident, taken apart.
pub(super) struct Alert<'a> {
    /// Its fields but for `evidence`.
    pub(super) fields: Fields<'a>,
    /// Pieces of evidence. One that is no object comes as the only field of one.
    pub(super) evidence: Vec<Fields<'a>>,
}

// === impl Incident ===

impl<'a> Incident<'a> {
    /// Takes an incident apart.
    ///
    /// An incident is what has a text `id`, and a text `incidentWebUrl` or `lastUpdateDateTime`, and no `incidentId`,
    /// which alerts have.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Reason> {
        let mut fields = read_object(json)?;
        let id = fields.get("id").filter(|id| text(id).is_some_and(|id| !id.is_empty()));
        let dated = ["incidentWebUrl", "lastUpdateDateTime"].iter().any(|name| fields.text(name).is_some());
        let (Some(id), true, None) = (id, dated, fields.get("incidentId")) else {
            return Err(not_an_incident());
        };
        let last_update = fields.text("lastUpdateDateTime").filter(|time| is_time(time));
        let items = objects(&fields, "alerts");
        if items.is_some() {
            fields.remove("alerts");
        }
        let alerts = items.unwrap_or_default().into_iter().map(Alert::of).collect();
        Ok(Self { fields, id, last_update, alerts })
    }
}

impl<'a> Alert<'a> {
    fn of(mut fields: Fields<'a>) -> Self {
        let evidence = objects(&fields, "evidence");
        if evidence.is_some() {
            fields.remove("evidence");
        }
        Self { fields, evidence: evidence.unwrap_or_default() }
    }
}

/// The objects in a field that is a list of nothing else.
fn objects<'a>(fields: &Fields<'a>, name: &str) -> Option<Vec<Fields<'a>>> {
    fields.items(name)?.into_iter().map(Fields::of).collect()
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
    let message = "this layout takes Defender incidents, which have the texts id and incidentWebUrl or \
                   lastUpdateDateTime, and no incidentId; anything else goes to a sink of its own, with layout raw";
    Reason { code: "not_an_incident", message: message.to_owned(), request_id: None }
}
