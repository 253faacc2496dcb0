//! One incident of the workspace, and how it is shown.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/get#incident
// https://learn.microsoft.com/rest/api/securityinsights/incident-comments/get#incidentcomment

use serde_json::{Map, Value, json};

use super::directory::{self, User};
use crate::core::odata::Field;
use crate::core::ticks::Ticks;

pub(crate) const STATUSES: [&str; 3] = ["New", "Active", "Closed"];
pub(crate) const SEVERITIES: [&str; 4] = ["High", "Medium", "Low", "Informational"];

/// Alerts of one incident.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
const MOST_ALERTS: usize = 150;

/// An incident with its comments.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) name: String,
    pub(crate) etag: String,
    pub(crate) number: u64,
    pub(crate) created: Ticks,
    pub(crate) modified: Ticks,
    pub(crate) properties: Properties,
    /// In the order in which they came.
    pub(crate) comments: Vec<Comment>,
    pub(crate) alerts: Alerts,
    /// What Defender's incident it mirrors, if any.
    pub(crate) native: Option<Native>,
}

/// What clients can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) severity: &'static str,
    pub(crate) status: &'static str,
    pub(crate) classification: Option<&'static str>,
    pub(crate) classification_reason: Option<&'static str>,
    pub(crate) classification_comment: Option<String>,
    pub(crate) owner: Option<User>,
    pub(crate) labels: Vec<Label>,
    pub(crate) first_activity: Option<Ticks>,
    pub(crate) last_activity: Option<Ticks>,
}

/// A label, of a user or of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) is_automatic: bool,
}

/// What is known of an incident's alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alerts {
    pub(crate) count: usize,
    pub(crate) products: Vec<String>,
    pub(crate) tactics: Vec<String>,
}

/// Where a mirrored incident comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Native {
    pub(crate) id: String,
    pub(crate) url: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) name: String,
    pub(crate) etag: String,
    pub(crate) message: String,
    pub(crate) author: Author,
    pub(crate) created: Ticks,
    pub(crate) modified: Ticks,
}

/// Who wrote a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) object_id: Option<String>,
    pub(crate) user_principal_name: Option<String>,
}

// === impl Incident ===

impl Incident {
    /// The incident as the service answers it; `base` is the path of the provider.
    pub(crate) fn shown(&self, base: &str) -> Value {
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
    pub(crate) fn field(&self, property: &str) -> Option<Field<'_>> {
        Some(match property {
            "properties/lastModifiedTimeUtc" => Field::Time(self.modified),
            "properties/createdTimeUtc" => Field::Time(self.created),
            "properties/status" => Field::Text(self.properties.status),
            "properties/severity" => Field::Text(self.properties.severity),
            "properties/incidentNumber" => Field::Number(self.number),
            _ => return None,
        })
    }

    pub(crate) fn comment(&self, name: &str) -> Option<&Comment> {
        self.comments.iter().find(|comment| comment.name.eq_ignore_ascii_case(name))
    }
}

// === impl Properties ===

impl Properties {
    /// As they are shown, and as an update could send them.
    pub(crate) fn shown(&self) -> Map<String, Value> {
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
    pub(crate) fn shown(&self, base: &str, incident: &str) -> Value {
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
