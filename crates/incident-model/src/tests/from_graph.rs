//! Incidents as Microsoft Graph sends them.

use serde_json::{Value, json};

use super::super::defender::{read, read_comments};
use super::*;

fn incident(more: &Value) -> Value {
    let mut incident = json!({
        "id": "29",
        "tenantId": "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c",
        "status": "active",
        "incidentWebUrl": "https://security.microsoft.com/incidents/29?tid=b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c",
        "redirectIncidentId": null,
        "displayName": "Multi-stage incident",
        "createdDateTime": "2026-08-13T08:43:35.5533333Z",
        "lastUpdateDateTime": "2026-09-30T09:35:45.1133333Z",
        "assignedTo": "kaic@contoso.com",
        "classification": "TruePositive",
        "determination": "MultiStagedAttack",
        "resolvingComment": null,
        "severity": "medium",
        "customTags": ["Demo"],
        "systemTags": ["Defender Experts"],
        "description": null,
        "lastModifiedBy": "DavidS@contoso.com",
        "comments": [
            {"comment": "second", "createdByDisplayName": "David", "createdDateTime": "2026-09-30T07:12:37Z"},
            {"comment": "first", "createdBy": "Ann", "createdTime": "2026-09-30T07:00:00.25Z"},
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        incident[name] = value.clone();
    }
    incident
}

fn reading(more: &Value) -> Snapshot {
    read(incident(more).to_string().as_bytes()).unwrap()
}

fn without(names: &[&str]) -> Snapshot {
    let mut incident = incident(&json!({}));
    for name in names {
        incident.as_object_mut().unwrap().remove(*name);
    }
    read(incident.to_string().as_bytes()).unwrap()
}

#[test]
fn an_incident_says_its_fields_in_graphs_own_spelling() {
    let snapshot = reading(&json!({}));
    let expected = [
        (Field::Status, "active"),
        (Field::Severity, "medium"),
        (Field::Owner, "kaic@contoso.com"),
        (Field::Classification, "truePositive/multiStagedAttack"),
        (Field::ClosingComment, ""),
    ];
    assert_eq!(snapshot.fields, in_defender(0, &expected).fields);
    assert_eq!(snapshot.version.timestamp_subsec_nanos(), 113_333_300);
    assert_eq!(snapshot.tags, Some(["Demo".to_owned()].into()));
    let profile = snapshot.profile().unwrap();
    assert_eq!(profile.tenant, "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c");
    assert_eq!(profile.merged_into, None);
    assert!(profile.description.starts_with("Microsoft Defender XDR incident 29: https://"), "{profile:?}");
}

#[test]
fn what_is_null_is_nothing_and_what_is_missing_is_not_said() {
    let nothing = reading(&json!({"assignedTo": null, "classification": null, "determination": null}));
    assert_eq!(nothing.field(Field::Owner), Some(""));
    assert_eq!(nothing.field(Field::Classification), Some("unknown/unknown"));
    let not_said = without(&[
        "status",
        "severity",
        "assignedTo",
        "classification",
        "resolvingComment",
        "customTags",
        "comments",
        "tenantId",
        "displayName",
        "incidentWebUrl",
    ]);
    assert!(not_said.fields.is_empty(), "{:?}", not_said.fields);
    assert_eq!((not_said.tags, not_said.comments), (None, None));
    assert_eq!(without(&["determination"]).field(Field::Classification), Some("truePositive/unknown"));
    assert_eq!(reading(&json!({"customTags": ["a", null]})).tags, Some(["a".to_owned()].into()));
}

#[test]
fn determinations_that_have_another_name_now_are_read_by_it_and_new_words_stay() {
    for (said, known) in [
        ("compromisedUser", "compromisedAccount"),
        ("Clean", "notMalicious"),
        ("insufficientData", "notEnoughDataToValidate"),
        ("confirmedUserActivity", "confirmedActivity"),
        ("somethingNew", "somethingNew"),
        ("UnwantedSoftware", "unwantedSoftware"),
    ] {
        let snapshot = reading(&json!({"determination": said}));
        assert_eq!(snapshot.field(Field::Classification).unwrap(), format!("truePositive/{known}"));
    }
    assert_eq!(reading(&json!({"status": "parked"})).field(Field::Status), Some("parked"));
}

#[test]
fn comments_are_in_order_and_known_again_also_by_their_older_names() {
    let comments = reading(&json!({})).comments.unwrap();
    let texts: Vec<_> = comments.iter().map(|one| (one.author.as_str(), one.text.as_str())).collect();
    assert_eq!(texts, [("Ann", "first"), ("David", "second")]);
    let again: Vec<_> = incident(&json!({}))["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|comment| comment.to_string().into())
        .collect();
    assert_eq!(read_comments(&again).unwrap(), comments);
}

#[test]
fn comments_that_are_alike_have_ids_of_their_own_which_more_comments_do_not_change() {
    let one =
        json!({"comment": "ok", "createdByDisplayName": "Ann", "createdDateTime": "2026-09-30T07:12:37Z"});
    let other =
        json!({"comment": "ok", "createdByDisplayName": "Ben", "createdDateTime": "2026-09-30T07:12:38Z"});
    let few = reading(&json!({"comments": [one, one]})).comments.unwrap();
    let more = reading(&json!({"comments": [other, one, one]})).comments.unwrap();
    assert_ne!(few[0].id, few[1].id);
    assert_eq!(few[..], more[..2]);
    let odd =
        reading(&json!({"comments": [{"comment": null, "createdDateTime": "yesterday"}]})).comments.unwrap();
    assert_eq!((odd[0].created, odd[0].text.as_str()), (None, ""));
}

#[test]
fn an_incident_that_was_merged_names_the_other() {
    let snapshot = reading(&json!({"status": "redirected", "redirectIncidentId": "30"}));
    assert_eq!(snapshot.profile().unwrap().merged_into.as_deref(), Some("30"));
    assert!(snapshot.is_closed());
    assert_eq!(reading(&json!({"redirectIncidentId": ""})).profile().unwrap().merged_into, None);
}

#[test]
fn the_first_alerts_are_named_and_the_others_counted() {
    let alert = |n: usize| {
        json!({"title": format!("Alert {n}"), "severity": "high", "serviceSource": null,
            "firstActivityDateTime": format!("2026-08-{:02}T00:00:00Z", n + 1),
            "lastActivityDateTime": format!("2026-09-{:02}T00:00:00Z", n + 1)})
    };
    let alerts: Vec<_> = (0..22).map(alert).collect();
    let snapshot = reading(&json!({"alerts": alerts, "description": "What happened."}));
    let profile = snapshot.profile().unwrap();
    let lines: Vec<_> = profile.description.lines().collect();
    assert_eq!(lines[0], "What happened.");
    assert!(lines.contains(&"Alerts (22):") && lines.contains(&"- Alert 0 (high, ?)"), "{lines:#?}");
    assert_eq!(lines.last(), Some(&"- and 2 more"));
    assert_eq!(profile.first_activity.unwrap().to_rfc3339(), "2026-08-01T00:00:00+00:00");
    assert_eq!(profile.last_activity.unwrap().to_rfc3339(), "2026-09-22T00:00:00+00:00");
}

#[test]
fn what_is_no_incident_is_told() {
    for text in ["{}", "[]", "no JSON", r#"{"id":"1"}"#, r#"{"id":"1","lastUpdateDateTime":"yesterday"}"#] {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("no incident of Microsoft Graph (id, lastUpdateDateTime"), "{text}: {error}");
    }
}
