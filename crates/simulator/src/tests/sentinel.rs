use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json as value;

use super::*;
use crate::{ArmQuota, Fault, Operation, Service, WorkspaceConfig, Write, WriteKind};

pub(super) const VERSION: &str = "?api-version=2025-09-01";
pub(super) const NAME: &str = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";

/// A bench with a token for Azure Resource Manager.
pub(super) struct Arm {
    pub(super) bench: Bench,
    pub(super) token: String,
    pub(super) base: String,
}

impl Arm {
    pub(super) async fn new(workspace: WorkspaceConfig) -> Self {
        let workspace = WorkspaceConfig { quota: ArmQuota::unlimited(), ..workspace };
        Self::with_quota(workspace).await
    }

    pub(super) async fn with_quota(workspace: WorkspaceConfig) -> Self {
        Self::of(SimulatorConfig { workspace, ..SimulatorConfig::default() }).await
    }

    pub(super) async fn of(config: SimulatorConfig) -> Self {
        let base = config.workspace.path();
        let bench = Bench::new(config).await;
        let token = bench.token("https://management.azure.com/.default").await;
        Self { bench, token, base }
    }

    /// `path` begins at the incidents' collection.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.bench.url(&format!("{}/incidents{path}", self.base));
        self.bench.client.request(method, url).bearer_auth(&self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        json(answer).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::PUT, &format!("{path}{VERSION}"));
        request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap()
    }

    pub(super) async fn put_incident(&self, properties: &Value) -> Response {
        self.put(&format!("/{NAME}"), &value!({"properties": properties})).await
    }
}

pub(super) fn draft() -> Value {
    value!({"title": "My incident", "severity": "High", "status": "New"})
}

/// The draft with some properties replaced; null takes one away.
fn draft_with(replaced: &Value) -> Value {
    let mut draft = draft();
    draft.as_object_mut().unwrap().extend(replaced.as_object().unwrap().clone());
    draft.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    draft
}

pub(super) async fn refusal(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    let error = json(answer).await["error"].take();
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[tokio::test]
async fn an_incident_is_created_read_replaced_and_deleted() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let body = draft_with(&value!({"description": "a", "labels": [{"labelName": "x"}, {"labelName": "x"}],
        "incidentNumber": 9999, "providerName": "Mine", "createdTimeUtc": "1999-01-01T00:00:00Z",
        "firstActivityTimeUtc": "2019-01-01T13:00:30Z"}));
    let created = arm.put_incident(&body).await;
    assert_eq!(created.status(), 201);
    let created = json(created).await;
    let properties = &created["properties"];
    assert_eq!(properties["labels"], value!([{"labelName": "x", "labelType": "User"}]));
    assert_eq!(
        (&properties["incidentNumber"], &properties["providerName"]),
        (&value!(1), &value!("Azure Sentinel"))
    );
    assert_eq!(properties["firstActivityTimeUtc"], "2019-01-01T13:00:30.0000000Z");
    assert_eq!(properties["owner"]["objectId"], Value::Null);
    assert_eq!(properties["createdTimeUtc"].as_str().unwrap().len(), "2019-01-01T13:00:30.0000000Z".len());
    assert_eq!(arm.get(&format!("/{NAME}{VERSION}")).await, created);
    let by_id = arm.bench.client.get(arm.bench.url(created["id"].as_str().unwrap()) + VERSION);
    assert_eq!(
        json(by_id.bearer_auth(&arm.token).send().await.unwrap()).await,
        created,
        "its id is its address"
    );

    let replaced = arm.put_incident(&draft()).await;
    assert_eq!(replaced.status(), 200);
    let replaced = json(replaced).await["properties"].take();
    assert!(
        replaced.get("description").is_none() && replaced["labels"] == value!([]),
        "what is not sent is gone"
    );
    assert_eq!(replaced["createdTimeUtc"], properties["createdTimeUtc"]);
    assert!(replaced["lastModifiedTimeUtc"].as_str() > properties["lastModifiedTimeUtc"].as_str());

    let delete = || arm.request(Method::DELETE, &format!("/{NAME}{VERSION}")).send();
    assert_eq!(delete().await.unwrap().status(), 200);
    assert_eq!(delete().await.unwrap().status(), 204);
    let gone = arm.request(Method::GET, &format!("/{NAME}{VERSION}")).send().await.unwrap();
    assert_eq!(refusal(gone).await.0, 404);
    let kinds: Vec<_> = arm.bench.simulator.writes().into_iter().map(|write| write.kind).collect();
    assert_eq!(kinds, [WriteKind::SentinelCreated, WriteKind::SentinelUpdated, WriteKind::SentinelDeleted]);
}

#[tokio::test]
async fn a_stale_etag_is_a_conflict_and_no_etag_is_none() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let first = json(arm.put_incident(&draft()).await).await["etag"].take();
    let path = format!("/{NAME}");
    let with_etag = |etag: &Value| value!({"etag": etag, "properties": draft()});
    let second = json(arm.put(&path, &with_etag(&first)).await).await["etag"].take();
    assert_ne!(first, second);
    let (status, code, message) = refusal(arm.put(&path, &with_etag(&first)).await).await;
    assert_eq!((status, code.as_str()), (409, "Conflict"));
    assert!(
        message.starts_with("New version of resource '") && message.ends_with("Data was not saved."),
        "{message}"
    );
    assert_eq!(arm.get(&format!("/{NAME}{VERSION}")).await["etag"], second);
    assert_eq!(arm.put_incident(&draft()).await.status(), 200, "the last writer wins");
    let gone = arm.put("/00000000-0000-4000-8000-000000000000", &with_etag(&first)).await;
    assert_eq!(gone.status(), 409, "an update does not bring back what was deleted");
    let conditional = |etag: String| {
        let request = arm.request(Method::PUT, &format!("/{NAME}{VERSION}")).header("if-match", etag);
        request.body(value!({"properties": draft()}).to_string()).send()
    };
    assert_eq!(conditional(second.as_str().unwrap().to_owned()).await.unwrap().status(), 412);
    let now = arm.get(&format!("/{NAME}{VERSION}")).await["etag"].as_str().unwrap().to_owned();
    assert_eq!(conditional(now).await.unwrap().status(), 200);
    assert_eq!(conditional("*".to_owned()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_update_that_makes_no_sense_says_what_is_wrong() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    for (replaced, word) in [
        (value!({"title": null}), "'title' is required"),
        (value!({"severity": null}), "'severity' is required"),
        (value!({"status": null}), "'status' is required"),
        (value!({"status": "Resolved"}), "New, Active, Closed"),
        (value!({"severity": "Critical"}), "'severity'"),
        (value!({"status": "Closed"}), "must have classification"),
        (
            value!({"status": "Closed", "classification": "BenignPositive"}),
            "classification 'BenignPositive' must have classificationReason.",
        ),
        (
            value!({"status": "Closed", "classification": "TruePositive", "classificationReason": "InaccurateData"}),
            "does not go with",
        ),
        (value!({"owner": {"userPrincipalName": "mallory@example.com"}}), "mallory@example.com"),
        (value!({"labels": [{"labelType": "User"}]}), "labelName"),
        (value!({"description": "x".repeat(5_001)}), "5000"),
        (value!({"firstActivityTimeUtc": "yesterday"}), "'firstActivityTimeUtc'"),
    ] {
        let (status, code, message) = refusal(arm.put_incident(&draft_with(&replaced)).await).await;
        assert_eq!((status, code.as_str()), (400, "BadRequest"), "{message}");
        assert!(message.contains(word), "{message}");
    }
    for body in
        [value!({}), value!([]), value!({"properties": 7}), value!({"etag": 1, "properties": draft()})]
    {
        assert_eq!(arm.put(&format!("/{NAME}"), &body).await.status(), 400, "{body}");
    }
    assert_eq!(arm.bench.simulator.workspace().state(), [] as [Value; 0]);
    assert_eq!(arm.bench.simulator.writes(), []);
    let good =
        value!({"status": "closed", "classification": "Undetermined", "description": "ü".repeat(5_000)});
    assert_eq!(arm.put_incident(&draft_with(&good)).await.status(), 201);
}

#[tokio::test]
async fn an_owner_is_filled_in_from_the_directory() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let user = &WorkspaceConfig::default().users[2];
    let body = draft_with(&value!({"owner": {"objectId": user.object_id, "email": null}}));
    let owner = json(arm.put_incident(&body).await).await["properties"]["owner"].take();
    let expected = value!({"objectId": user.object_id, "email": user.user_principal_name, "ownerType": "User",
        "assignedTo": user.display_name, "userPrincipalName": user.user_principal_name});
    assert_eq!(owner, expected);
    let again = json(arm.put_incident(&draft_with(&value!({"owner": owner}))).await).await;
    assert_eq!(again["properties"]["owner"], expected);
    let nobody = json(arm.put_incident(&draft()).await).await;
    assert_eq!(nobody["properties"]["owner"]["objectId"], Value::Null, "who is not sent is unassigned");
}

#[tokio::test]
async fn reopening_keeps_a_classification_that_is_sent_unless_it_is_told_not_to() {
    for clears in [false, true] {
        let workspace =
            WorkspaceConfig { reopening_clears_classification: clears, ..WorkspaceConfig::default() };
        let arm = Arm::new(workspace).await;
        let verdict = value!({"classification": "FalsePositive", "classificationReason": "InaccurateData"});
        let mut closed = draft_with(&verdict);
        closed["status"] = value!("Closed");
        assert_eq!(arm.put_incident(&closed).await.status(), 201);
        let open = json(arm.put_incident(&draft_with(&verdict)).await).await;
        assert_eq!(open["properties"].get("classification").is_none(), clears);
    }
}

#[tokio::test]
async fn a_comment_is_put_twice_and_there_once() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    arm.put_incident(&draft()).await;
    let path = format!("/{NAME}/comments/4bb36b7b-26ff-4d1c-9cbe-0d8ab3da0014");
    let message = |text: &str| value!({"properties": {"message": text}});
    let before = arm.get(&format!("/{NAME}{VERSION}")).await;
    let first = arm.put(&path, &message("Some message")).await;
    assert_eq!(first.status(), 201);
    let first = json(first).await;
    assert_eq!(first["properties"]["author"]["name"], "vector-sentinel");
    assert_eq!(arm.put(&path, &message("Some message")).await.status(), 200);
    assert_eq!(arm.put(&path, &message("Another")).await.status(), 200);
    let list = arm.get(&format!("/{NAME}/comments{VERSION}")).await;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    let one = arm.get(&format!("{path}{VERSION}")).await;
    assert_eq!(list["value"][0], one);
    assert_eq!(one["properties"]["message"], "Another");
    assert_eq!(one["properties"]["createdTimeUtc"], first["properties"]["createdTimeUtc"]);
    let after = arm.get(&format!("/{NAME}{VERSION}")).await;
    assert_eq!(after["properties"]["additionalData"]["commentsCount"], 1);
    assert!(
        after["properties"]["lastModifiedTimeUtc"].as_str()
            > before["properties"]["lastModifiedTimeUtc"].as_str()
    );
    let stale = value!({"etag": first["etag"], "properties": {"message": "late"}});
    assert_eq!(arm.put(&path, &stale).await.status(), 409);
    let delete = || arm.request(Method::DELETE, &format!("{path}{VERSION}")).send();
    assert_eq!(delete().await.unwrap().status(), 200);
    assert_eq!(delete().await.unwrap().status(), 204);
    assert_eq!(arm.put("/nowhere/comments/x", &message("late")).await.status(), 404);
}

#[tokio::test]
async fn comments_have_limits_and_authors() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let workspace = arm.bench.simulator.workspace();
    let name = workspace.create(1).remove(0);
    let message = |text: &str| value!({"properties": {"message": text}});
    let put = |comment: String, text: String| {
        let (arm, name) = (&arm, &name);
        async move { arm.put(&format!("/{name}/comments/{comment}"), &message(&text)).await }
    };
    let theirs = workspace.comment(&name, "Mine alone.", "amelia.north@contoso.com").unwrap();
    assert_eq!(put(theirs.clone(), "Not yours.".to_owned()).await.status(), 403);
    assert_eq!(put("long".to_owned(), "ü".repeat(30_001)).await.status(), 400);
    assert_eq!(put("empty".to_owned(), String::new()).await.status(), 400);
    assert_eq!(put("0".to_owned(), "ü".repeat(30_000)).await.status(), 201);
    for number in 1..99 {
        assert_eq!(put(number.to_string(), "x".to_owned()).await.status(), 201);
    }
    let (status, _, sentence) = refusal(put("100".to_owned(), "x".to_owned()).await).await;
    assert_eq!(status, 400);
    assert!(sentence.contains("100"), "{sentence}");
    assert_eq!(
        put("98".to_owned(), "edited".to_owned()).await.status(),
        200,
        "the last one can still be edited"
    );
    assert_eq!(workspace.comment(&name, "One more.", "amelia.north@contoso.com"), None);
    let mut seen = BTreeSet::new();
    let mut path = format!("/{name}/comments{VERSION}&$top=40");
    loop {
        let page = arm.get(&path).await;
        seen.extend(
            page["value"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()),
        );
        let Some(link) = page["nextLink"].as_str() else { break };
        path = link.split_once("/incidents").unwrap().1.to_owned();
    }
    assert_eq!(seen.len(), 100);
    assert!(
        workspace.edit_comment(&name, &theirs, "Changed my mind.")
            && workspace.delete_comment(&name, &theirs)
    );
    assert!(!workspace.delete_comment(&name, &theirs));
}

#[tokio::test]
async fn a_write_is_cut_before_between_and_after() {
    let arm = Arm::new(WorkspaceConfig::default()).await;
    let reset_put =
        |fault| arm.bench.simulator.faults().script_operation(Operation::SentinelPut, vec![fault]);
    let path = format!("/{NAME}{VERSION}");
    for (fault, done) in [(Fault::Reset, 0), (Fault::CutBody, 1), (Fault::ResetAfter, 2)] {
        reset_put(fault);
        arm.get(VERSION).await;
        let body = value!({"properties": draft()}).to_string();
        let answer = arm.request(Method::PUT, &path).body(body).send().await;
        let text = match answer {
            Ok(answer) => answer.text().await.ok(),
            Err(_) => None,
        };
        assert_eq!(text, None);
        assert_eq!(arm.bench.simulator.writes().len(), done);
    }
    let status = |code| Fault::Status { code, retry_after: None, body: None };
    arm.bench.simulator.faults().script(Service::SecurityInsights, [409, 429, 500, 503].map(status).into());
    for (expected, code) in
        [(409, "Conflict"), (429, "TooManyRequests"), (500, "UnknownError"), (503, "ServiceUnavailable")]
    {
        let answer = arm.put_incident(&draft()).await;
        assert_eq!(answer.status(), expected);
        assert_eq!(json(answer).await["error"]["code"], code);
    }
    let writes = arm.bench.simulator.writes();
    assert!(matches!(&writes[..], [Write { kind: WriteKind::SentinelCreated, .. }, Write { incident, .. }]
        if incident == NAME));
    assert_eq!(arm.bench.simulator.stats().incident_writes, 2);
}

#[tokio::test]
async fn analysts_close_and_reopen() {
    let arm = Arm::new(WorkspaceConfig { initial: 1, ..WorkspaceConfig::default() }).await;
    let workspace = arm.bench.simulator.workspace();
    let name = workspace.state()[0]["name"].as_str().unwrap().to_owned();
    assert!(workspace.close(&name, "TruePositive", None).is_err());
    workspace.close(&name, "TruePositive", Some("SuspiciousActivity")).unwrap();
    let own = workspace.create_with(&draft()).unwrap();
    assert!(workspace.edit("nowhere", &value!({})).is_err() && workspace.create_with(&value!({})).is_err());
    let closed = arm.get(&format!("/{name}{VERSION}")).await;
    assert_eq!(closed["properties"]["classificationReason"], "SuspiciousActivity");
    assert_eq!(
        closed["properties"]["labels"],
        value!([{"labelName": "Scheduled", "labelType": "AutoAssigned"}])
    );
    workspace.reopen(&name).unwrap();
    let open = workspace.incident(&name).unwrap();
    assert_eq!(open["properties"]["status"], "Active");
    assert!(open["properties"].get("classification").is_none() && open["comments"] == value!([]));
    assert!(workspace.delete(&own) && !workspace.delete(&own));
    assert_eq!(arm.bench.simulator.writes(), [], "only what clients write is counted");
}

#[tokio::test]
async fn an_incident_that_was_shown_can_be_put_into_another_workspace() {
    let first = Arm::new(WorkspaceConfig { initial: 2, ..WorkspaceConfig::default() }).await;
    let workspace = first.bench.simulator.workspace();
    let name = workspace.state()[1]["name"].as_str().unwrap().to_owned();
    workspace.close(&name, "TruePositive", Some("SuspiciousActivity")).unwrap();
    workspace.comment(&name, "Closed by hand.", "ann").unwrap();
    let shown = workspace.state();

    let second = Arm::new(WorkspaceConfig::default()).await;
    let workspace = second.bench.simulator.workspace();
    for _ in 0..2 {
        for incident in &shown {
            workspace.insert_raw(incident).unwrap();
        }
    }
    assert_eq!(workspace.state(), shown, "those that were there are replaced");
    let next = workspace.create(1).remove(0);
    assert_eq!(workspace.incident(&next).unwrap()["properties"]["incidentNumber"], 3);
    assert!(workspace.insert_raw(&value!({"properties": draft()})).unwrap_err().contains("name"));
}
