//! Who owns an incident, on two sides that may have different names for the same people.

use serde_json::{Value, json};
use simulator::{Fault, Operation};

use super::bench::{SyncBench, labels, text};

fn owner_in_sentinel(incident: &Value) -> &str {
    text(incident, "/properties/owner/userPrincipalName")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_with_two_names_are_the_same_people_both_ways() {
    let sync = SyncBench::with_incidents(1).await;
    let users = sync.bench.config.workspace.users.clone();
    let (amelia, bruno) = (&users[0], &users[1]);
    let file = sync.owners(&format!(
        "- defender: Amelia@defender.example\n  sentinel: {{user_principal_name: {}}}\n\
         - defender: bruno@defender.example\n  sentinel: {{object_id: {}}}\n",
        amelia.user_principal_name, bruno.object_id
    ));
    let running = sync.run(&sync.with_sync(&json!({"owners_file": file})));
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    for (defender, user) in [("amelia@defender.example", amelia), ("bruno@defender.example", bruno)] {
        sync.tenant().edit(&id, &json!({"assignedTo": defender}), "ann").unwrap();
        sync.until("Defender's owner in Sentinel", |_, sentinel| {
            owner_in_sentinel(&sentinel[0]) == user.user_principal_name
        })
        .await;
    }
    for (defender, user) in [("Amelia@defender.example", amelia), ("bruno@defender.example", bruno)] {
        sync.workspace().edit(&name, &json!({"owner": {"objectId": user.object_id}})).unwrap();
        sync.until("Sentinel's owner in Defender", |theirs, _| text(&theirs[0], "/assignedTo") == defender)
            .await;
    }
    sync.workspace().edit(&name, &json!({"owner": null})).unwrap();
    sync.until("nobody in Defender", |defender, _| {
        defender[0]["assignedTo"].as_str().is_none_or(str::is_empty)
    })
    .await;
    sync.quiet().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_one_side_refuses_keeps_nothing_else_away() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    let edit =
        json!({"status": "inProgress", "assignedTo": "stranger@elsewhere.example", "customTags": ["vip"]});
    sync.tenant().edit(&id, &edit, "ann").unwrap();
    sync.until("everything else", |_, sentinel| {
        text(&sentinel[0], "/properties/status") == "Active" && labels(&sentinel[0]) == ["vip"]
    })
    .await;
    sync.quiet().await;
    // Something else changes: the owner is not tried again, and not spoken of again.
    sync.tenant().edit(&id, &json!({"customTags": ["vip", "finance"]}), "ann").unwrap();
    sync.until("the new tag", |_, sentinel| labels(&sentinel[0]) == ["finance", "vip"]).await;
    sync.quiet().await;
    assert_eq!(running.said(&["does not take 'stranger@elsewhere.example'"]).len(), 1);
    assert_eq!(text(&sync.tenant().state()[0], "/assignedTo"), "stranger@elsewhere.example");
    assert!(sync.quarantine("to_sentinel").is_empty());

    // Somebody whom both know.
    sync.tenant().edit(&id, &json!({"assignedTo": sync.analyst(2)}), "ann").unwrap();
    sync.until("the owner", |_, sentinel| owner_in_sentinel(&sentinel[0]) == sync.analyst(2)).await;

    // The other way: Graph does not say whom it takes, so it is told here to refuse.
    let refused = Fault::Status { code: 400, retry_after: None, body: None };
    sync.simulator().faults().script_operation(Operation::DefenderUpdate, vec![refused]);
    let owner = json!({"userPrincipalName": sync.analyst(3)});
    sync.workspace().edit(&name, &json!({"owner": owner, "status": "New"})).unwrap();
    sync.until("everything else", |defender, _| text(&defender[0], "/status") == "active").await;
    running.says(&["Defender does not take", &sync.analyst(3)]).await;
    sync.quiet().await;
    assert_eq!(text(&sync.tenant().state()[0], "/assignedTo"), sync.analyst(2));
    assert!(sync.quarantine("to_defender").is_empty());
    running.stop().await;
}
