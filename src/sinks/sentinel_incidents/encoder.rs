//! Writes the bodies of requests to `SecurityInsights`.
//!
//! Shape: <https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use incident_model::field::Field;
use incident_model::merge::Merge;
use incident_model::owners::Owners;
use incident_model::snapshot::Snapshot;

/// Properties that the service sets. They are not sent back.
/// Source: <https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update#incident>
const READ_ONLY: [&str; 9] = [
    "additionalData",
    "createdTimeUtc",
    "incidentNumber",
    "incidentUrl",
    "lastModifiedTimeUtc",
    "providerIncidentId",
    "providerName",
    "relatedAnalyticRuleIds",
    "teamInformation",
];

/// The body that creates an incident from what Defender has. `words` are its fields in Sentinel's.
pub(super) fn creation(offer: &Snapshot, words: &BTreeMap<Field, String>, owners: &Owners) -> Value {
    let profile = offer.profile().cloned().unwrap_or_default();
    let title = if profile.title.is_empty() {
        format!("Microsoft Defender XDR incident {}", offer.id)
    } else {
        profile.title
    };
    let mut properties = Map::new();
    properties.insert("title".to_owned(), title.into());
    properties.insert("description".to_owned(), profile.description.into());
    let times =
        [("firstActivityTimeUtc", profile.first_activity), ("lastActivityTimeUtc", profile.last_activity)];
    for (name, time) in times {
        if let Some(time) = time {
            properties.insert(name.to_owned(), json!(time));
        }
    }
    // The service insists on both. A word that we do not know is not guessed: these are what an incident has that
    // nobody has looked at.
    let said =
        |field: Field, otherwise: &str| words.get(&field).cloned().unwrap_or_else(|| otherwise.to_owned());
    set(&mut properties, Field::Severity, &said(Field::Severity, "Medium"), owners);
    set(&mut properties, Field::Status, &said(Field::Status, "New"), owners);
    if let Some(owner) = words.get(&Field::Owner).filter(|owner| !owner.is_empty()) {
        set(&mut properties, Field::Owner, owner, owners);
    }
    set_tags(&mut properties, offer.tags.as_ref().unwrap_or(&BTreeSet::new()));
    json!({ "properties": properties })
}

/// The body that changes an incident, of which `raw` is what was read: all that can be written, and its etag.
pub(super) fn update(raw: &[u8], merge: &Merge, owners: &Owners) -> Result<Value, serde_json::Error> {
    let mut incident: Map<String, Value> = serde_json::from_slice(raw)?;
    let mut properties = match incident.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    properties.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    for one in &merge.moves {
        set(&mut properties, one.field, &one.after, owners);
    }
    if let Some(tags) = &merge.tags {
        set_tags(&mut properties, tags);
    }
    let is_closed = properties.get("status").is_some_and(|status| status == "Closed");
    if !is_closed {
        // Left over from when it was closed before.
        for name in ["classification", "classificationReason", "classificationComment"] {
            properties.remove(name);
        }
    } else if properties.get("classification").is_none_or(Value::is_null) {
        properties.insert("classification".to_owned(), "Undetermined".into());
    }
    let mut body = json!({ "properties": properties });
    if let (Some(etag), Value::Object(body)) = (incident.remove("etag"), &mut body) {
        body.insert("etag".to_owned(), etag);
    }
    Ok(body)
}

fn set(properties: &mut Map<String, Value>, field: Field, value: &str, owners: &Owners) {
    let mut put = |name: &str, value: Value| drop(properties.insert(name.to_owned(), value));
    match field {
        Field::Status => put("status", value.into()),
        Field::Severity => put("severity", value.into()),
        Field::ClosingComment => put("classificationComment", value.into()),
        Field::Classification => {
            let (classification, reason) = value.split_once('/').unwrap_or((value, ""));
            put("classification", classification.into());
            properties.remove("classificationReason");
            if !reason.is_empty() {
                properties.insert("classificationReason".to_owned(), reason.into());
            }
        }
        Field::Owner if value.is_empty() => {
            let nobody =
                json!({"objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null});
            put("owner", nobody);
        }
        Field::Owner => {
            let user = owners.user(value);
            let names = [("userPrincipalName", user.user_principal_name), ("objectId", user.object_id)];
            let names =
                names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
            put("owner", Value::Object(names.collect()));
        }
    }
}

/// Sets the labels that users made; those that the service made stay.
fn set_tags(properties: &mut Map<String, Value>, tags: &BTreeSet<String>) {
    let label = |tag: &String| json!({"labelName": tag, "labelType": "User"});
    let mut labels = match properties.remove("labels") {
        Some(Value::Array(labels)) => labels,
        _ => Vec::new(),
    };
    labels.retain(|label| label.get("labelType").is_some_and(|kind| kind != "User"));
    labels.extend(tags.iter().map(label));
    properties.insert("labels".to_owned(), labels.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use incident_model::merge::Move;
    use incident_model::owners::{Person, SentinelUser};
    use incident_model::snapshot::{Own, Profile};

    const RAW: &str = r#"{"name":"n","etag":"\"0300\"","properties":{"title":"t","severity":"High","status":"Closed",
        "classification":"TruePositive","classificationReason":"SuspiciousActivity","createdTimeUtc":"2026-01-01T00:00:00Z",
        "labels":[{"labelName":"auto","labelType":"AutoAssigned"},{"labelName":"old","labelType":"User"}],
        "somethingNew":{"a":1},"owner":{"objectId":"x"}}}"#;

    fn moves(all: &[(Field, &str)]) -> Merge {
        let one = |(field, after): &(Field, &str)| Move {
            field: *field,
            before: String::new(),
            after: (*after).to_owned(),
            why: "",
        };
        Merge { moves: all.iter().map(one).collect(), ..Merge::default() }
    }

    #[test]
    fn everything_that_is_not_changed_goes_back_as_it_came() {
        let merge = Merge { tags: Some(["new".to_owned()].into()), ..moves(&[(Field::Severity, "Low")]) };
        let body = update(RAW.as_bytes(), &merge, &Owners::default()).unwrap();
        assert_eq!(
            body,
            json!({"etag": "\"0300\"", "properties": {
                "title": "t", "severity": "Low", "status": "Closed",
                "classification": "TruePositive", "classificationReason": "SuspiciousActivity",
                "labels": [{"labelName": "auto", "labelType": "AutoAssigned"}, {"labelName": "new", "labelType": "User"}],
                "somethingNew": {"a": 1}, "owner": {"objectId": "x"},
            }})
        );
    }

    #[test]
    fn an_incident_that_is_opened_again_is_not_classified_any_more() {
        let body = update(RAW.as_bytes(), &moves(&[(Field::Status, "Active")]), &Owners::default()).unwrap();
        let properties = body["properties"].as_object().unwrap();
        assert!(!properties.keys().any(|name| name.starts_with("classification")), "{body}");
        let reclassified = moves(&[(Field::Classification, "Undetermined"), (Field::Owner, "")]);
        let body = update(RAW.as_bytes(), &reclassified, &Owners::default()).unwrap();
        assert_eq!(body["properties"]["classification"], "Undetermined");
        assert_eq!(body["properties"].get("classificationReason"), None);
        assert_eq!(body["properties"]["owner"]["objectId"], Value::Null);
    }
    #[test]
    fn an_incident_that_is_created_has_what_the_service_insists_on() {
        let profile = Profile { first_activity: Some(DateTime::UNIX_EPOCH), ..Profile::default() };
        let offer = Snapshot {
            id: "29".to_owned(),
            version: DateTime::UNIX_EPOCH,
            fields: BTreeMap::new(),
            tags: Some(["vip".to_owned()].into()),
            comments: None,
            own: Own::Defender(profile),
        };
        let sentinel = SentinelUser { user_principal_name: None, object_id: Some("x".to_owned()) };
        let owners = Owners::new(vec![Person { defender: "ann@d".to_owned(), sentinel }]).unwrap();
        // No word that Sentinel knows, but for the owner.
        let words = [(Field::Owner, "x".to_owned())].into();
        assert_eq!(
            creation(&offer, &words, &owners),
            json!({"properties": {
                "title": "Microsoft Defender XDR incident 29", "description": "", "severity": "Medium", "status": "New",
                "firstActivityTimeUtc": "1970-01-01T00:00:00Z", "owner": {"objectId": "x"},
                "labels": [{"labelName": "vip", "labelType": "User"}],
            }})
        );
    }
}
