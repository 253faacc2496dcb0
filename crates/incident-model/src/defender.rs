//! Reads what is kept in sync from an incident of Microsoft Graph.
//!
//! Shape: <https://learn.microsoft.com/graph/api/resources/security-incident>

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::field::Field;
use super::mapping::{DETERMINATIONS, canonical};
use super::snapshot::{Comment, Own, Profile, Said, Snapshot};
use super::unreadable::UnreadableIncident;

/// Longest description of an incident in Sentinel, in characters.
/// Source: <https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits>
pub const MAX_DESCRIPTION_CHARS: usize = 5_000;
/// What is said in the place of what a description has too much.
const CUT: &str = "\n… (cut)";
/// So many alerts are named in an incident's description; of the others only the number is.
const ALERTS_NAMED: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incident {
    id: String,
    last_update_date_time: DateTime<Utc>,
    tenant_id: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    #[serde(rename = "incidentWebUrl")]
    url: Option<String>,
    redirect_incident_id: Option<String>,
    status: Option<String>,
    severity: Option<String>,
    #[serde(default)]
    assigned_to: Said<String>,
    #[serde(default)]
    classification: Said<String>,
    determination: Option<String>,
    #[serde(default)]
    resolving_comment: Said<String>,
    custom_tags: Option<Vec<Option<String>>>,
    comments: Option<Vec<Remark>>,
    alerts: Option<Vec<Alert>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remark {
    comment: Option<String>,
    // Older answers have the second names.
    #[serde(alias = "createdBy")]
    created_by_display_name: Option<String>,
    #[serde(alias = "createdTime")]
    created_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    title: Option<String>,
    severity: Option<String>,
    service_source: Option<String>,
    first_activity_date_time: Option<DateTime<Utc>>,
    last_activity_date_time: Option<DateTime<Utc>>,
}

/// Reads an incident's JSON text. The error says what is wrong with it.
pub fn read(json: &[u8]) -> Result<Snapshot, UnreadableIncident> {
    let incident: Incident = serde_json::from_slice(json).map_err(UnreadableIncident::Graph)?;
    let mut fields = BTreeMap::new();
    let mut say = |field, value: Option<String>| value.map(|value| fields.insert(field, value));
    say(Field::Status, incident.status.as_deref().map(canonical));
    say(Field::Severity, incident.severity.as_deref().map(canonical));
    say(Field::Owner, incident.assigned_to.0.as_deref().map(|owner| owner.trim().to_owned()));
    if let Some(classification) = &incident.classification.0 {
        let classification = if classification.is_empty() { "unknown" } else { classification };
        let determination = incident.determination.as_deref().unwrap_or("unknown");
        let renamed = DETERMINATIONS.iter().find(|(old, _)| old.eq_ignore_ascii_case(determination));
        let determination = renamed.map_or_else(|| canonical(determination), |(_, new)| (*new).to_owned());
        say(Field::Classification, Some(format!("{}/{determination}", canonical(classification))));
    }
    say(Field::ClosingComment, incident.resolving_comment.0.clone());
    let profile = incident.profile();
    Ok(Snapshot {
        version: incident.last_update_date_time,
        fields,
        tags: incident.custom_tags.map(|tags| tags.into_iter().flatten().collect()),
        comments: incident.comments.map(comments),
        own: Own::Defender(profile),
        id: incident.id,
    })
}

/// Reads all comments of an incident, each one JSON text.
pub fn read_comments(all: &[Bytes]) -> Result<Vec<Comment>, UnreadableIncident> {
    let remarks: Result<Vec<Remark>, _> = all.iter().map(|json| serde_json::from_slice(json)).collect();
    remarks.map(comments).map_err(UnreadableIncident::GraphComment)
}

/// Gives each comment an id: Graph does not, and texts may repeat.
fn comments(remarks: Vec<Remark>) -> Vec<Comment> {
    let mut repeated: BTreeMap<String, u32> = BTreeMap::new();
    let comment = |remark: Remark| {
        let text = remark.comment.unwrap_or_default();
        let author = remark.created_by_display_name.unwrap_or_default();
        let created = remark.created_date_time.unwrap_or_default();
        let created = DateTime::parse_from_rfc3339(&created).ok().map(|time| time.to_utc());
        let what = format!("{created:?}\u{1f}{author}\u{1f}{text}");
        let nth = repeated.entry(what.clone()).or_default();
        *nth += 1;
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{what}\u{1f}{nth}").as_bytes()).to_string();
        Comment { id, author, created, text }
    };
    let mut comments: Vec<_> = remarks.into_iter().map(comment).collect();
    comments.sort_by_key(|comment| comment.created);
    comments
}

// === impl Incident ===

impl Incident {
    fn profile(&self) -> Profile {
        let alerts = self.alerts.as_deref().unwrap_or_default();
        Profile {
            tenant: self.tenant_id.clone().unwrap_or_default(),
            title: self.display_name.clone().unwrap_or_default(),
            description: self.words(alerts),
            merged_into: self.redirect_incident_id.clone().filter(|id| !id.is_empty()),
            url: self.url.clone(),
            first_activity: alerts.iter().filter_map(|alert| alert.first_activity_date_time).min(),
            last_activity: alerts.iter().filter_map(|alert| alert.last_activity_date_time).max(),
        }
    }

    /// What an analyst reads who has only Sentinel open. Of what is too long Defender's own words are cut, and not the link.
    fn words(&self, alerts: &[Alert]) -> String {
        let mut words = String::new();
        if let Some(url) = &self.url {
            write!(words, "\n\nMicrosoft Defender XDR incident {}: {url}", self.id).ok();
        }
        if !alerts.is_empty() {
            write!(words, "\n\nAlerts ({}):", alerts.len()).ok();
        }
        for alert in alerts.iter().take(ALERTS_NAMED) {
            let [title, severity, source] = [&alert.title, &alert.severity, &alert.service_source]
                .map(|word| word.as_deref().unwrap_or("?"));
            write!(words, "\n- {title} ({severity}, {source})").ok();
        }
        if let Some(more @ 1..) = alerts.len().checked_sub(ALERTS_NAMED) {
            write!(words, "\n- and {more} more").ok();
        }
        let own = self.description.as_deref().unwrap_or_default();
        let room = MAX_DESCRIPTION_CHARS.saturating_sub(words.chars().count());
        cut(&(cut(own, room) + &words), MAX_DESCRIPTION_CHARS).trim_start().to_owned()
    }
}

/// The first `most` characters of a text, which then says that there was more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(CUT.chars().count())).chain(CUT.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_description_is_cut_and_the_link_behind_it_stays() {
        let json = format!(
            r#"{{"id":"7","lastUpdateDateTime":"2026-01-01T00:00:00Z","incidentWebUrl":"https://x/7","description":"{}"}}"#,
            "ä".repeat(6_000)
        );
        let words = read(json.as_bytes()).unwrap().profile().unwrap().description.clone();
        assert_eq!(words.chars().count(), MAX_DESCRIPTION_CHARS);
        assert!(
            words.starts_with("ää") && words.contains("ä\n… (cut)\n\n") && words.ends_with("https://x/7")
        );
    }
}
