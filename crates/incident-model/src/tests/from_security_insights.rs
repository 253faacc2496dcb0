//! Incidents as `SecurityInsights` sends them.

use serde_json::{Value, json};

use super::super::sentinel::{read, read_whole};
use super::*;

fn incident(more: &Value) -> Value {
    let mut incident = json!({
        "id": "/subscriptions/d0cfe6b2/incidents/73e01a99-5cd7-4139-a149-9f2736ff2ab5",
        "name": "73e01a99-5cd7-4139-a149-9f2736ff2ab5",
        "etag": "\"0300bf09-0000-0000-0000-5c37296e0000\"",
        "properties": {
            "lastModifiedTimeUtc": "2026-01-01T13:15:30.1234567Z",
            "title": "My incident",
            "owner": {
                "objectId": "2046feea-040d-4a46-9e2b-91c2941bfa70",
                "email": "john.doe@contoso.com",
                "userPrincipalName": "john@contoso.com",
                "assignedTo": "john doe",
            },
            "severity": "High",
            "classification": "FalsePositive",
            "classificationComment": "Not a malicious activity",
            "classificationReason": "IncorrectAlertLogic",
            "status": "Closed",
            "labels": [
                {"labelName": "vip", "labelType": "User"},
                {"labelName": "made", "labelType": "AutoAssigned"},
                {"labelName": "old"},
            ],
            "providerName": "Azure Sentinel",
            "providerIncidentId": "3177",
            "additionalData": {"alertsCount": 0, "commentsCount": 3},
        },
    });
    for (name, value) in more.as_object().unwrap() {
        incident["properties"][name] = value.clone();
    }
    incident
}

fn reading(more: &Value) -> Snapshot {
    read(incident(more).to_string().as_bytes()).unwrap()
}

fn without(names: &[&str]) -> Vec<u8> {
    let mut incident = incident(&json!({}));
    for name in names {
        incident["properties"].as_object_mut().unwrap().remove(*name);
    }
    incident.to_string().into()
}

#[test]
fn a_closed_incident_says_all_its_fields() {
    let snapshot = reading(&json!({}));
    let expected = [
        (Field::Status, "Closed"),
        (Field::Severity, "High"),
        (Field::Owner, "john@contoso.com"),
        (Field::Classification, "FalsePositive/IncorrectAlertLogic"),
        (Field::ClosingComment, "Not a malicious activity"),
    ];
    assert_eq!(snapshot.fields, in_sentinel(0, &expected).fields);
    assert_eq!(snapshot.version.timestamp_subsec_nanos(), 123_456_700);
    assert_eq!(snapshot.tags, Some(["vip".to_owned(), "old".to_owned()].into()));
    assert_eq!(snapshot.comments, None);
    let origin = snapshot.origin().unwrap();
    assert_eq!(origin.owner_aliases, ["2046feea-040d-4a46-9e2b-91c2941bfa70", "john.doe@contoso.com"]);
    assert_eq!(origin.comments, 3);
    assert!(!origin.is_native());
}

#[test]
fn what_is_left_from_an_earlier_closing_is_not_said_of_an_open_incident() {
    for status in ["New", "Active"] {
        let snapshot = reading(&json!({"status": status}));
        assert_eq!(
            (snapshot.field(Field::Classification), snapshot.field(Field::ClosingComment)),
            (None, None)
        );
    }
}

#[test]
fn an_incident_of_nobody_is_read_in_all_its_forms() {
    for owner in [
        json!(null),
        json!({}),
        json!({"objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null}),
        json!({"objectId": "null", "email": "", "userPrincipalName": "null"}),
    ] {
        let snapshot = reading(&json!({ "owner": owner }));
        assert_eq!(snapshot.field(Field::Owner), Some(""), "{owner}");
        assert!(snapshot.origin().unwrap().owner_aliases.is_empty(), "{owner}");
    }
    let by_id = json!({"objectId": "2046feea-040d-4a46-9e2b-91c2941bfa70", "userPrincipalName": null});
    let by_id = reading(&json!({ "owner": by_id }));
    assert_eq!(by_id.field(Field::Owner), Some("2046feea-040d-4a46-9e2b-91c2941bfa70"));
}

#[test]
fn what_a_pipeline_took_out_is_not_said() {
    let names = ["status", "severity", "owner", "classification", "classificationComment", "labels"];
    let snapshot = read(&without(&names)).unwrap();
    assert!(snapshot.fields.is_empty(), "{:?}", snapshot.fields);
    assert_eq!(snapshot.tags, None);
    // Still closed: what it was closed with is neither nothing nor undetermined.
    let snapshot = read(&without(&["owner", "classification"])).unwrap();
    assert_eq!((snapshot.field(Field::Owner), snapshot.field(Field::Classification)), (None, None));
}

#[test]
fn a_closing_comment_that_is_left_out_is_one_that_is_empty() {
    // So does the service when it was taken away.
    let snapshot = read(&without(&["classificationComment"])).unwrap();
    assert_eq!(snapshot.field(Field::ClosingComment), Some(""));
}

#[test]
fn what_the_service_leaves_out_is_not_there() {
    let snapshot = read_whole(&without(&["owner", "classification", "classificationComment"])).unwrap();
    assert_eq!(snapshot.field(Field::Owner), Some(""));
    assert_eq!(snapshot.field(Field::Classification), Some("Undetermined"));
    assert_eq!(snapshot.field(Field::ClosingComment), Some(""));
    let open = read_whole(incident(&json!({"status": "Active"})).to_string().as_bytes()).unwrap();
    assert_eq!(open.field(Field::Classification), None);
    let undetermined = reading(&json!({"classification": null, "classificationReason": ""}));
    assert_eq!(undetermined.field(Field::Classification), Some("Undetermined"));
}

#[test]
fn null_is_read_wherever_it_may_stand() {
    let nulls = json!({
        "status": null, "severity": null, "labels": null, "providerName": null, "providerIncidentId": null,
        "additionalData": null, "classification": null, "classificationReason": null, "classificationComment": null,
    });
    let snapshot = reading(&nulls);
    assert_eq!(snapshot.fields, in_sentinel(0, &[(Field::Owner, "john@contoso.com")]).fields);
    let snapshot = reading(&json!({
        "labels": [{"labelName": null, "labelType": "User"}],
        "additionalData": {"commentsCount": null, "providerIncidentUrl": null},
    }));
    assert_eq!(snapshot.tags, Some([].into()));
    assert_eq!(snapshot.origin().unwrap().comments, 0);
}

#[test]
fn incidents_of_microsofts_own_connector_are_known_and_whose_they_are() {
    for provider in ["Microsoft XDR", "Microsoft 365 Defender", "microsoft defender xdr"] {
        let url =
            "https://security.microsoft.com/incident2/29/overview?tid=b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c";
        let snapshot = reading(&json!({
            "providerName": provider, "providerIncidentId": "29", "additionalData": {"providerIncidentUrl": url},
        }));
        let origin = snapshot.origin().unwrap();
        assert!(origin.is_native(), "{provider}");
        assert_eq!(origin.provider_incident_id, "29");
        assert_eq!(origin.provider_tenant.as_deref(), Some("b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c"));
    }
    let no_tenant = json!({"additionalData": {"providerIncidentUrl": "no address"}});
    assert_eq!(reading(&no_tenant).origin().unwrap().provider_tenant, None);
}

#[test]
fn comments_are_in_order_and_name_their_authors_as_well_as_they_can() {
    let mut incident = incident(&json!({}));
    incident["comments"] = json!([
        {"name": "c2", "properties": {"message": "second", "createdTimeUtc": "2026-01-01T13:15:30Z",
            "author": {"name": "", "userPrincipalName": null, "email": "ben@contoso.com"}}},
        {"name": "c1", "properties": {"message": "first", "createdTimeUtc": "2026-01-01T13:15:29Z",
            "author": {"name": "John Doe", "userPrincipalName": "john@contoso.com"}}},
        {"name": "c3", "properties": {"message": null, "createdTimeUtc": "2026-01-01T13:15:31Z", "author": null}},
    ]);
    let comments = read(incident.to_string().as_bytes()).unwrap().comments.unwrap();
    let read: Vec<_> = comments.iter().map(|one| [&*one.id, &*one.author, &*one.text]).collect();
    assert_eq!(read, [["c1", "John Doe", "first"], ["c2", "ben@contoso.com", "second"], ["c3", "", ""]]);
}

#[test]
fn what_is_no_incident_is_told() {
    for text in ["{}", "no JSON", r#"{"name":"n"}"#, r#"{"name":"n","properties":{}}"#] {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("no incident of Microsoft Sentinel (name, properties.lastModified"),
            "{text}: {error}"
        );
    }
}
