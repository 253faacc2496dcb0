//! One incident of the workspace, and how it is shown.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/get#incident
// https://learn.microsoft.com/rest/api/securityinsights/incident-comments/get#incidentcomment

use serde_json::{Map, Value, json};

use super::super::odata::Field;
use super::super::ticks::Ticks;
use super::directory::{self, User};

pub(super) const STATUSES: [&str; 3] = ["New", "Active", "Closed"];
pub(super) const SEVERITIES: [&str; 4] = ["High", "Medium", "Low", "Informational"];

/// Alerts of one incident.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
const MOST_ALERTS: usize = 150;

/// An incident with its comments.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) name: String,
    pub(super) etag: String,
    pub(super) number: u64,
    pub(super) created: Ticks,
    pub(super) modified: Ticks,
    pub(super) properties: Properties,
    /// In the order in which they came.
    pub(super) comments: Vec<Comment>,
    pub(super) alerts: Alerts,
    /// What Defender's incident it mirrors, if any.
    pub(super) native: Option<Native>,
}

/// What clients can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) severity: &'static str,
    pub(super) status: &'static str,
    pub(super) classification: Option<&'static str>,
    pub(super) classification_reason: Option<&'static str>,
    pub(super) classification_comment: Option<String>,
    pub(super) owner: Option<User>,
    pub(super) labels: Vec<Label>,
    pub(super) first_activity: Option<Ticks>,
    pub(super) last_activity: Option<Ticks>,
}

/// A label, of a user or of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) is_automatic: bool,
}

/// What is known of an incident's alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alerts {
    pub(super) count: usize,
    pub(super) products: Vec<String>,
    pub(super) tactics: Vec<String>,
}

/// Where a mirrored incident comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Native {
    pub(super) id: String,
    pub(super) url: String,
}

#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) name: String,
    pub(super) etag: String,
    pub(super) message: String,
    pub(super) author: Author,
    pub(super) created: Ticks,
    pub(super) modified: Ticks,
}

/// Who wrote a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) name: String,
    pub(super) object_id: Option<String>,
    pub(super) user_principal_name: Option<String>,
}

// === impl Incident ===

impl Incident {
    /// The incident as the service answers it; `base` is the path of the provider.
    pub(super) fn shown(&self, base: &str) -> Value {
        let id = format!("{base}/Incidents/{}", self.name);
        let mut properties = self.properties.shown();
        let native = self.native.as_ref();
        let more = json!({
            "lastModifiedTimeUtc": self.modified.text(),
            "createdTimeUtc": self.created.text(),
            "incidentNumber": self.number,
            "additionalData": {
                "alertsCount": self.alerts.count.min(MOST_ALERTS),
                "bookmarksCount": 0,
                "commentsCount": self.comments.len(),
                "alertProductNames": self.alerts.products,
                "tactics": self.alerts.tactics,
            },
            "relatedAnalyticRuleIds": [],
            "incidentUrl": format!("https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident{id}"),
            "providerName": if native.is_some() { "Microsoft XDR" } else { "Azure Sentinel" },
            "providerIncidentId": native.map_or_else(|| self.number.to_string(), |native| native.id.clone()),
        });
        properties.extend(more.as_object().cloned().unwrap_or_default());
        if let (Some(native), Some(data)) = (native, properties.get_mut("additionalData")) {
            data["providerIncidentUrl"] = json!(native.url);
        }
        json!({
            "id": id,
            "name": self.name,
            "etag": self.etag,
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": properties,
        })
    }

    /// The value of a property that a list can be filtered or sorted by.
    pub(super) fn field(&self, property: &str) -> Option<Field<'_>> {
        Some(match property {
            "properties/lastModifiedTimeUtc" => Field::Time(self.modified),
            "properties/createdTimeUtc" => Field::Time(self.created),
            "properties/status" => Field::Text(self.properties.status),
            "properties/severity" => Field::Text(self.properties.severity),
            "properties/incidentNumber" => Field::Number(self.number),
            _ => return None,
        })
    }

    pub(super) fn comment(&self, name: &str) -> Option<&Comment> {
        self.comments.iter().find(|comment| comment.name.eq_ignore_ascii_case(name))
    }
}

// === impl Properties ===

impl Properties {
    /// As they are shown, and as an update could send them.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let labels: Vec<_> = self.labels.iter().map(Label::shown).collect();
        let shown = json!({
            "title": self.title,
            "description": self.description,
            "severity": self.severity,
            "status": self.status,
            "classification": self.classification,
            "classificationReason": self.classification_reason,
            "classificationComment": self.classification_comment,
            "owner": directory::shown(self.owner.as_ref()),
            "labels": labels,
            "firstActivityTimeUtc": self.first_activity.map(Ticks::text),
            "lastActivityTimeUtc": self.last_activity.map(Ticks::text),
        });
        let mut shown = shown.as_object().cloned().unwrap_or_default();
        // The service leaves out what is not set.
        shown.retain(|_, value| !value.is_null());
        shown
    }
}

// === impl Label ===

impl Label {
    fn shown(&self) -> Value {
        let kind = if self.is_automatic { "AutoAssigned" } else { "User" };
        json!({"labelName": self.name, "labelType": kind})
    }
}

// === impl Comment ===

impl Comment {
    /// The comment as the service answers it.
    pub(super) fn shown(&self, base: &str, incident: &str) -> Value {
        json!({
            "id": format!("{base}/Incidents/{incident}/Comments/{}", self.name),
            "name": self.name,
            "etag": self.etag,
            "type": "Microsoft.SecurityInsights/Incidents/Comments",
            "properties": {
                "message": self.message,
                "createdTimeUtc": self.created.text(),
                "lastModifiedTimeUtc": self.modified.text(),
                "author": {
                    "objectId": self.author.object_id,
                    "email": self.author.user_principal_name,
                    "userPrincipalName": self.author.user_principal_name,
                    "name": self.author.name,
                },
            },
        })
    }
}
