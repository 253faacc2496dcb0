//! What an event says of Defender: an incident with its alerts, or one alert, one piece of evidence or one change alone.

use std::borrow::Cow;

use super::fields::{Fields, id_text, time_text};
use runtime::quarantine::Reason;

/// An event, taken apart as far as layouts need it.
pub(super) struct DefenderEvent<'a> {
    pub(super) incident: IncidentState<'a>,
    pub(super) subject: Subject<'a>,
}

/// What an event is about.
pub(super) enum Subject<'a> {
    /// An incident as Microsoft sent it.
    Incident {
        /// Its fields but for `alerts`, of which only what is no alert is still here.
        fields: Fields<'a>,
        /// Nothing if the event does not say which alerts it has.
        alerts: Option<Vec<Alert<'a>>>,
    },
    /// An alert, which may be in no incident.
    Alert(Alert<'a>),
    /// A piece of evidence.
    Evidence {
        piece: Fields<'a>,
        /// What is said of its alert: `id` and `title`.
        alert: Fields<'a>,
    },
    /// What changed in an incident: `changed_at`, `changed_by`, `fields`, `alerts_added` and so on.
    Change(Fields<'a>),
}

/// The incident that rows belong to, in one of its states.
#[derive(Default)]
pub(super) struct IncidentState<'a> {
    /// Its id; the older API's is a number. Nothing if an alert is in none.
    pub(super) id: Option<Cow<'a, str>>,
    /// Its `lastUpdateDateTime`, in RFC 3339: all rows of one state of the incident have it.
    pub(super) last_update: Option<Cow<'a, str>>,
    /// The time of the event's rows, in RFC 3339: that of the state, or else the nearest to it that the event says.
    pub(super) time: Option<Cow<'a, str>>,
    /// Whether a time that the rows should have is there, and cannot be read.
    pub(super) is_time_unread: bool,
    pub(super) tenant: Option<Cow<'a, str>>,
    pub(super) tenant_name: Option<Cow<'a, str>>,
    pub(super) url: Option<Cow<'a, str>>,
}

/// An alert, taken apart.
pub(super) struct Alert<'a> {
    /// Its fields but for `evidence`, of which only what is no piece of evidence is still here.
    pub(super) fields: Fields<'a>,
    pub(super) evidence: Vec<Fields<'a>>,
}

// === impl DefenderEvent ===

impl<'a> DefenderEvent<'a> {
    /// Takes an event apart. One member of a list that is null, or no object, takes no other with it.
    ///
    /// An event of the kind `alert`, `evidence` or `change` has what it is about under that name, and what it says of the incident
    /// under `incident`. Otherwise an alert is what has an `id`, and an `incidentId` or `alertWebUrl`; and an incident, what has an
    /// `id`, and a text `incidentWebUrl` or `lastUpdateDateTime`.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Reason> {
        let mut fields = read_object(json)?;
        let kind = fields.text("kind");
        if let Some(event) = kind.as_deref().and_then(|kind| Self::of_kind(kind, &mut fields)) {
            return Ok(event);
        }
        let is_alert = fields.get("incidentId").is_some() || fields.text("alertWebUrl").is_some();
        let is_incident =
            ["incidentWebUrl", "lastUpdateDateTime"].iter().any(|name| fields.text(name).is_some());
        let id = fields.get("id").and_then(id_text).filter(|id| !id.is_empty());
        if id.is_none() || !(is_alert || is_incident) {
            return Err(not_an_incident());
        }
        if kind.is_some_and(|kind| kind == if is_alert { "alert" } else { "incident" }) {
            fields.remove("kind");
        }
        let (tenant, tenant_name) = take_tenant(&mut fields);
        let tenant = fields.text("tenantId").or(tenant);
        let url = fields.text("incidentWebUrl");
        let state = IncidentState { tenant, tenant_name, url, ..IncidentState::default() };
        if is_alert {
            let id = fields.get("incidentId").and_then(id_text);
            let incident = IncidentState { id, ..state }.timed(&[(&fields, ALERT_TIMES)]);
            return Ok(Self { incident, subject: Subject::Alert(Alert::of(fields)) });
        }
        let last_update = fields.get("lastUpdateDateTime").and_then(time_text);
        let incident =
            IncidentState { id, last_update, ..state }.timed(&[(&fields, &["lastUpdateDateTime"])]);
        let alerts = fields.take_objects("alerts");
        let alerts = alerts.map(|alerts| alerts.into_iter().map(Alert::of).collect());
        Ok(Self { incident, subject: Subject::Incident { fields, alerts } })
    }

    /// An event that says of itself what it is about; nothing if it does not have that.
    fn of_kind(kind: &str, fields: &mut Fields<'a>) -> Option<Self> {
        let mut subject = match kind {
            "alert" => Subject::Alert(Alert::of(fields.take_object("alert")?)),
            "evidence" => {
                let mut piece = fields.take_object("evidence")?;
                let alert = fields.take_object("alert").or_else(|| piece.take_object("alert"));
                Subject::Evidence { piece, alert: alert.unwrap_or_default() }
            }
            "change" if fields.get("incident").is_some() => {
                Subject::Change(fields.take_object("change").unwrap_or_default())
            }
            _ => return None,
        };
        fields.remove("kind");
        let mut incident = fields.take_object("incident").unwrap_or_default();
        let last_update = incident.get("revision").and_then(time_text);
        let is_time_unread = last_update.is_none() && incident.get("revision").is_some();
        if last_update.is_some() {
            incident.remove("revision");
        }
        let (tenant, tenant_name) = take_tenant(fields);
        let (id, url) = (incident.take_id("id"), incident.take_text("url"));
        fields.leave_rest("incident", incident);
        let state = IncidentState { id, last_update, is_time_unread, tenant, tenant_name, url, time: None };
        let rest = std::mem::take(fields);
        let incident = match &mut subject {
            Subject::Alert(Alert { fields, .. }) => {
                fields.leave_rest("event", rest);
                state.timed(&[(fields, ALERT_TIMES)])
            }
            Subject::Evidence { piece, .. } => {
                piece.leave_rest("event", rest);
                state.timed(&[(piece, &["createdDateTime"])])
            }
            Subject::Change(change) => {
                if change.is_empty() {
                    *change = rest;
                } else {
                    change.leave_rest("event", rest);
                }
                state.timed(&[(change, &["changed_at"])])
            }
            Subject::Incident { .. } => state,
        };
        Some(Self { incident, subject })
    }
}

/// Fields of an alert that say when it was as it is, the nearest to that first.
const ALERT_TIMES: &[&str] = &["lastUpdateDateTime", "createdDateTime"];

/// The id and the name of a tenant that a source, or a transform, has put into an event. A second id stays in it.
fn take_tenant<'a>(fields: &mut Fields<'a>) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
    let mut tenant = fields.take_object("tenant").unwrap_or_default();
    let id = tenant.get("id").and_then(id_text);
    if fields.text("tenantId").is_none_or(|known| Some(known) == id) && id.is_some() {
        tenant.remove("id");
    }
    let name = tenant.take_text("name");
    fields.leave_rest("tenant", tenant);
    (id, name.or_else(|| fields.take_text("tenantName")))
}

// === impl IncidentState ===

impl<'a> IncidentState<'a> {
    /// With the time that rows have: that of the state, or else the first that can be read of these fields.
    fn timed(mut self, others: &[(&Fields<'a>, &[&str])]) -> Self {
        let others = others.iter().flat_map(|(fields, names)| names.iter().map(|name| fields.get(name)));
        let others: Vec<_> = others.flatten().collect();
        self.time = self.last_update.clone().or_else(|| others.iter().find_map(|value| time_text(value)));
        self.is_time_unread = self.time.is_none() && (self.is_time_unread || !others.is_empty());
        self
    }
}

// === impl Alert ===

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
    let message = "this layout takes Defender's incidents, which have an id, and the text incidentWebUrl or \
                   lastUpdateDateTime; its alerts, which have an incidentId or alertWebUrl; and events of the kinds alert, \
                   evidence and change, which have that beside their kind; anything else goes to a sink of its own, with layout raw";
    Reason { code: "not_an_incident", message: message.to_owned(), request_id: None }
}
