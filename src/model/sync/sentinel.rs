//! Reads what is kept in sync from an incident of `SecurityInsights`.
//!
//! Shape: <https://learn.microsoft.com/rest/api/securityinsights/incidents/get>

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::field::Field;
use super::snapshot::{Comment, Origin, Own, Snapshot};

#[derive(Deserialize)]
struct Incident {
    name: String,
    properties: Properties,
    /// Which the source adds.
    comments: Option<Vec<Remark>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    last_modified_time_utc: DateTime<Utc>,
    status: Option<String>,
    severity: Option<String>,
    owner: Option<Owner>,
    classification: Option<String>,
    classification_reason: Option<String>,
    classification_comment: Option<String>,
    labels: Option<Vec<Label>>,
    #[serde(default)]
    provider_name: String,
    #[serde(default)]
    provider_incident_id: String,
    #[serde(default)]
    additional_data: AdditionalData,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData {
    provider_incident_url: Option<String>,
    #[serde(default)]
    comments_count: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    object_id: Option<String>,
    email: Option<String>,
    user_principal_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    label_name: String,
    label_type: Option<String>,
}

#[derive(Deserialize)]
struct Remark {
    name: String,
    properties: RemarkProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemarkProperties {
    #[serde(default)]
    message: String,
    created_time_utc: Option<DateTime<Utc>>,
    #[serde(default)]
    author: Author,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    name: Option<String>,
    email: Option<String>,
    user_principal_name: Option<String>,
}

/// Reads an incident's JSON text. The error says what is wrong with it.
pub fn read(json: &[u8]) -> Result<Snapshot, String> {
    let Incident { name, properties, comments } = serde_json::from_slice(json).map_err(|error| {
        format!("this is no incident of Microsoft Sentinel (name, properties.lastModifiedTimeUtc …): {error}")
    })?;
    let mut fields = BTreeMap::new();
    let mut say = |field, value: Option<String>| value.map(|value| fields.insert(field, value));
    let is_closed = properties.status.as_deref() == Some("Closed");
    say(Field::Status, properties.status.clone());
    say(Field::Severity, properties.severity.clone());
    let (owner, owner_aliases) = properties.owner.unwrap_or_default().names();
    say(Field::Owner, Some(owner));
    // What an open incident has there is left from when it was closed before.
    if is_closed {
        let classification = properties.classification.unwrap_or_else(|| "Undetermined".to_owned());
        let reason = properties.classification_reason.filter(|reason| !reason.is_empty());
        let both = reason.map_or(classification.clone(), |reason| format!("{classification}/{reason}"));
        say(Field::Classification, Some(both));
        say(Field::ClosingComment, Some(properties.classification_comment.unwrap_or_default()));
    }
    let by_user =
        |label: Label| label.label_type.is_none_or(|kind| kind == "User").then_some(label.label_name);
    let url = properties.additional_data.provider_incident_url;
    Ok(Snapshot {
        id: name,
        version: properties.last_modified_time_utc,
        fields,
        tags: properties.labels.map(|labels| labels.into_iter().filter_map(by_user).collect()),
        comments: comments.map(|comments| {
            let mut comments: Vec<_> = comments.into_iter().map(Remark::into_comment).collect();
            comments.sort_by_key(|comment| comment.created);
            comments
        }),
        own: Own::Sentinel(Origin {
            provider: properties.provider_name,
            provider_incident_id: properties.provider_incident_id,
            provider_tenant: url.as_deref().and_then(tenant_of),
            owner_aliases,
            comments: properties.additional_data.comments_count,
        }),
    })
}

/// The tenant that a link into Defender's portal names: `…?tid=<GUID>`.
fn tenant_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(name, _)| name == "tid").map(|(_, tenant)| tenant.into_owned())
}

// === impl Owner ===

impl Owner {
    /// The name that the owner goes by here, and the others. An incident of nobody has neither, or the word null.
    fn names(self) -> (String, Vec<String>) {
        let names = [self.user_principal_name, self.object_id, self.email];
        let mut names = names.into_iter().flatten().filter(|name| !name.is_empty() && name != "null");
        (names.next().unwrap_or_default(), names.collect())
    }
}

// === impl Remark ===

impl Remark {
    fn into_comment(self) -> Comment {
        let Author { name, email, user_principal_name } = self.properties.author;
        let author = [name, user_principal_name, email].into_iter().flatten().find(|name| !name.is_empty());
        Comment {
            id: self.name,
            author: author.unwrap_or_default(),
            created: self.properties.created_time_utc,
            text: self.properties.message,
        }
    }
}
