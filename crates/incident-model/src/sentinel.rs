//! Reads what is kept in sync from an incident of `SecurityInsights`.
//!
//! Shape: <https://learn.microsoft.com/rest/api/securityinsights/incidents/get>

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::field::Field;
use super::snapshot::{Comment, Origin, Own, Said, Snapshot};
use super::unreadable::UnreadableIncident;

/// What a closed incident is of which nothing else is said.
const UNDETERMINED: &str = "Undetermined";

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
    #[serde(default)]
    owner: Said<Owner>,
    #[serde(default)]
    classification: Said<String>,
    classification_reason: Option<String>,
    #[serde(default)]
    classification_comment: Said<String>,
    labels: Option<Vec<Label>>,
    provider_name: Option<String>,
    provider_incident_id: Option<String>,
    additional_data: Option<AdditionalData>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData {
    provider_incident_url: Option<String>,
    comments_count: Option<u64>,
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
    label_name: Option<String>,
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
    message: Option<String>,
    created_time_utc: Option<DateTime<Utc>>,
    author: Option<Author>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    name: Option<String>,
    email: Option<String>,
    user_principal_name: Option<String>,
}

/// Reads an incident's JSON text. The error says what is wrong with it.
pub fn read(json: &[u8]) -> Result<Snapshot, UnreadableIncident> {
    let Incident { name, properties, comments: remarks } =
        serde_json::from_slice(json).map_err(UnreadableIncident::Sentinel)?;
    let mut fields = BTreeMap::new();
    let mut say = |field, value: Option<String>| value.map(|value| fields.insert(field, value));
    let is_closed = properties.status.as_deref() == Some("Closed");
    say(Field::Status, properties.status.clone());
    say(Field::Severity, properties.severity.clone());
    let (owner, owner_aliases) = properties.owner.0.map(Owner::names).unzip();
    say(Field::Owner, owner);
    // What an open incident has there is left from when it was closed before.
    if is_closed {
        let reason = properties.classification_reason.filter(|reason| !reason.is_empty());
        let classification = properties.classification.0.map(|classification| match reason {
            _ if classification.is_empty() => UNDETERMINED.to_owned(),
            Some(reason) => format!("{classification}/{reason}"),
            None => classification,
        });
        say(Field::Classification, classification);
        // The service leaves it out if there is none, and one that was taken away must not come back from the other side.
        say(Field::ClosingComment, Some(properties.classification_comment.0.unwrap_or_default()));
    }
    let by_user =
        |label: Label| label.label_name.filter(|_| label.label_type.is_none_or(|kind| kind == "User"));
    let AdditionalData { provider_incident_url: url, comments_count } =
        properties.additional_data.unwrap_or_default();
    Ok(Snapshot {
        id: name,
        version: properties.last_modified_time_utc,
        fields,
        tags: properties.labels.map(|labels| labels.into_iter().filter_map(by_user).collect()),
        comments: remarks.map(in_order),
        own: Own::Sentinel(Origin {
            provider: properties.provider_name.unwrap_or_default(),
            provider_incident_id: properties.provider_incident_id.unwrap_or_default(),
            provider_tenant: url.as_deref().and_then(tenant_of),
            owner_aliases: owner_aliases.unwrap_or_default(),
            comments: comments_count.unwrap_or_default(),
        }),
    })
}

/// Reads an incident as the service itself has sent it: what is missing there is not there, and what an event lacks may
/// only have been taken out of it.
pub fn read_whole(json: &[u8]) -> Result<Snapshot, UnreadableIncident> {
    let mut snapshot = read(json)?;
    snapshot.fields.entry(Field::Owner).or_default();
    if snapshot.is_closed() {
        snapshot.fields.entry(Field::Classification).or_insert_with(|| UNDETERMINED.to_owned());
        snapshot.fields.entry(Field::ClosingComment).or_default();
    }
    Ok(snapshot)
}

/// Reads all comments of an incident, each one JSON text.
pub fn read_comments(all: &[Bytes]) -> Result<Vec<Comment>, UnreadableIncident> {
    let remarks: Result<Vec<Remark>, _> = all.iter().map(|json| serde_json::from_slice(json)).collect();
    remarks.map(in_order).map_err(UnreadableIncident::SentinelComment)
}

fn in_order(remarks: Vec<Remark>) -> Vec<Comment> {
    let mut comments: Vec<_> = remarks.into_iter().map(Remark::into_comment).collect();
    comments.sort_by_key(|comment| comment.created);
    comments
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
        let Author { name, email, user_principal_name } = self.properties.author.unwrap_or_default();
        let author = [name, user_principal_name, email].into_iter().flatten().find(|name| !name.is_empty());
        Comment {
            id: self.name,
            author: author.unwrap_or_default(),
            created: self.properties.created_time_utc,
            text: self.properties.message.unwrap_or_default(),
        }
    }
}
