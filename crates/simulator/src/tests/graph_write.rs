use reqwest::Method;
use serde_json::json as value;

use super::*;
use crate::WriteKind;

impl Bench {
    fn write(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.request(method, self.url(&format!("{INCIDENTS}{path}")));
        request
            .bearer_auth(&self.graph_token)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    async fn patch(&self, id: &str, body: &Value) -> Response {
        self.write(Method::PATCH, &format!("/{id}"), body).send().await.unwrap()
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let bench = Bench::with_incidents(0).await;
    let id = bench.simulator.tenant().create(1).remove(0);
    let before = bench.simulator.tenant().incident(&id).unwrap();
    let body = value!({"status": "InProgress", "assignedTo": "admin@contoso.com", "classification": "TruePositive",
                       "determination": "MultiStagedAttack", "customTags": ["Demo"], "description": null});
    let answer = bench.patch(&id, &body).await;
    assert_eq!(answer.status(), 200);
    let mut after = json(answer).await;
    assert!(after["@odata.context"].as_str().unwrap().ends_with("$metadata#security/incidents/$entity"));
    assert!(after.get("alerts").is_none());
    assert!(after["lastUpdateDateTime"].as_str() > before["lastUpdateDateTime"].as_str());
    let expected = value!({"status": "inProgress", "assignedTo": "admin@contoso.com",
        "classification": "truePositive", "determination": "multiStagedAttack", "customTags": ["Demo"],
        "description": null, "lastModifiedBy": "API-App:vector-sentinel"});
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(after[name], *expected, "{name}");
        after[name] = before[name].clone();
    }
    for name in ["severity", "displayName", "summary", "comments", "createdDateTime"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(
        json(bench.patch(&id, &value!({"customTags": ["b", "a"]})).await).await["customTags"],
        value!(["b", "a"])
    );
    let kinds: Vec<_> =
        bench.simulator.writes().into_iter().map(|write| (write.kind, write.incident)).collect();
    assert_eq!(kinds, [(WriteKind::DefenderUpdated, id.clone()), (WriteKind::DefenderUpdated, id)]);
}

#[tokio::test]
async fn an_update_that_makes_no_sense_changes_nothing() {
    let bench = Bench::with_incidents(0).await;
    let id = bench.simulator.tenant().create(1).remove(0);
    let before = bench.simulator.tenant().state();
    for body in [
        value!({"status": "asleep"}),
        value!({"status": "redirected"}),
        value!({"status": "active", "id": "7"}),
        value!({"redirectIncidentId": "7"}),
        value!({}),
    ] {
        let answer = bench.patch(&id, &body).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(json(answer).await["error"]["code"], "BadRequest");
    }
    assert_eq!(bench.patch("999", &value!({"status": "active"})).await.status(), 404);
    assert_eq!(bench.simulator.tenant().state(), before);
    assert_eq!(bench.simulator.writes(), []);
}

#[tokio::test]
async fn two_updates_at_the_same_instant_have_two_times() {
    let bench = Bench::with_incidents(0).await;
    let tenant = bench.simulator.tenant();
    let later = value!({"id": "1", "status": "active", "lastUpdateDateTime": "2099-01-01T00:00:00.5Z"});
    tenant.insert_raw(later);
    let mut times = Vec::new();
    for _ in 0..3 {
        let answer = json(bench.patch("1", &value!({"status": "active"})).await).await;
        times.push(answer["lastUpdateDateTime"].as_str().unwrap().to_owned());
    }
    assert_eq!(times[0], "2099-01-01T00:00:00.5000001Z");
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[tokio::test]
async fn an_update_is_answered_at_once_and_listed_when_it_is_indexed() {
    let incidents = IncidentsConfig {
        initial: 1,
        indexing_delay: std::time::Duration::from_mins(5),
        ..IncidentsConfig::default()
    };
    let bench = Bench::new(SimulatorConfig { incidents, ..SimulatorConfig::default() }).await;
    let before = bench.incidents("").await["value"][0].clone();
    let id = before["id"].as_str().unwrap();
    let answer = json(bench.patch(id, &value!({"assignedTo": "me"})).await).await;
    assert_eq!(answer["assignedTo"], "me");
    assert!(answer["lastUpdateDateTime"].as_str() > before["lastUpdateDateTime"].as_str());
    assert_eq!(bench.incidents("").await["value"][0], before);
    assert_eq!(bench.simulator.tenant().state()[0]["assignedTo"], "me");
}

#[tokio::test]
async fn a_comment_is_answered_with_all_comments() {
    let bench = Bench::with_incidents(0).await;
    let id = bench.simulator.tenant().create(1).remove(0);
    bench.simulator.tenant().comment(&id, "Called the user.", "amelia.north@contoso.com");
    let body =
        value!({"@odata.type": "microsoft.graph.security.alertComment", "comment": "From the other side."});
    let path = format!("/{id}/comments");
    let answer = bench.write(Method::POST, &path, &body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let list = json(answer).await["value"].take();
    let expected =
        [("Called the user.", "amelia.north@contoso.com"), ("From the other side.", "vector-sentinel")];
    let texts = list.as_array().unwrap().iter();
    let texts: Vec<_> = texts
        .map(|one| (one["comment"].as_str().unwrap(), one["createdByDisplayName"].as_str().unwrap()))
        .collect();
    assert_eq!(texts, expected);
    assert_eq!(bench.simulator.tenant().incident(&id).unwrap()["comments"], list);
    let empty = bench.write(Method::POST, &path, &value!({"comment": ""})).send().await.unwrap();
    assert_eq!(empty.status(), 400);
    let missing = bench.write(Method::POST, "/999/comments", &body).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn merged_incidents_lead_to_the_one_that_stays() {
    let bench = Bench::with_incidents(0).await;
    let ids = bench.simulator.tenant().create(3);
    let body = value!({"incidentIds": [ids[1], ids[0]], "incidentComment": "The same campaign."});
    let answer = bench.write(Method::POST, "/mergeIncidents", &body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(json(answer).await["targetIncidentId"], ids[0]);
    let again = bench.write(Method::POST, "/mergeIncidents", &body).send().await.unwrap();
    assert_eq!(again.status(), 400);
    let updated = json(bench.patch(&ids[1], &value!({"status": "active", "assignedTo": "me"})).await).await;
    assert_eq!(
        (&updated["status"], &updated["redirectIncidentId"]),
        (&value!("redirected"), &value!(ids[0]))
    );
    assert_eq!(updated["assignedTo"], "me");
    let target = bench.simulator.tenant().incident(&ids[0]).unwrap();
    assert_eq!(target["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(target["comments"][0]["comment"], "The same campaign.");
    assert!(!bench.simulator.tenant().merge(&ids[2], &ids[1]), "there is nothing to become part of");
}

#[tokio::test]
async fn reading_takes_one_permission_and_writing_another() {
    let allowed = |permissions: &[&str]| SimulatorConfig {
        graph_permissions: permissions.iter().map(|one| (*one).to_owned()).collect(),
        ..SimulatorConfig::default()
    };
    let reader = Bench::new(allowed(&["SecurityIncident.Read.All"])).await;
    let id = reader.simulator.tenant().create(1).remove(0);
    reader.incidents("").await;
    let refused = reader.patch(&id, &value!({"status": "active"})).await;
    assert_eq!(refused.status(), 403);
    let message = json(refused).await["error"]["message"].take();
    assert!(message.as_str().unwrap().contains("SecurityIncident.ReadWrite.All"), "{message}");
    assert_eq!(reader.simulator.writes(), []);
    let nobody = Bench::new(allowed(&[])).await;
    assert_eq!(nobody.graph(INCIDENTS).send().await.unwrap().status(), 403);
}
