//! Defender's incidents come into Sentinel, once.

use serde_json::json;
use simulator::WriteKind;

use super::bench::{SyncBench, labels, messages, remarks, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_comes_with_what_an_analyst_needs() {
    let sync = SyncBench::with_incidents(1).await;
    let (tenant, id, owner) = (sync.tenant(), sync.id(), sync.analyst(1));
    let edit = json!({
        "displayName": "Ransomware on a server", "description": "Files were renamed.", "severity": "high",
        "status": "inProgress", "assignedTo": owner, "customTags": ["vip", "finance"],
    });
    tenant.edit(&id, &edit, "ann").unwrap();
    assert!(tenant.comment(&id, "isolated the server", "ann"));
    let running = sync.run(&sync.plain());
    sync.until("the incident with its comment", |_, sentinel| {
        sentinel.len() == 1 && messages(&sentinel[0]).len() == 1
    })
    .await;
    let (theirs, ours) = (sync.tenant().state().remove(0), sync.workspace().state().remove(0));
    let field = |name: &str| text(&ours["properties"], &format!("/{name}")).to_owned();
    assert_eq!(
        [field("title"), field("severity"), field("status"), field("owner/userPrincipalName")],
        ["Ransomware on a server", "High", "Active", &owner]
    );
    let description = field("description");
    let alert = text(&theirs, "/alerts/0/title");
    for words in ["Files were renamed.", text(&theirs, "/incidentWebUrl"), "Alerts (1):", alert] {
        assert!(description.contains(words), "{words}: {description}");
    }
    assert_eq!(labels(&ours), ["finance", "vip"]);
    let message = messages(&ours)[0];
    assert!(
        message.starts_with("ann, 2") && message.ends_with(", in Defender:\nisolated the server"),
        "{message}"
    );
    running.says(&["Wrote to Sentinel: new in Defender", "Ransomware on a server"]).await;
    sync.quiet().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_state_file_is_lost_nothing_comes_twice_and_what_happened_meanwhile_comes() {
    let sync = SyncBench::with_incidents(1).await;
    let id = sync.id();
    assert!(sync.tenant().comment(&id, "from Defender", "ann"));
    let running = sync.run(&sync.plain());
    sync.until("the comment in Sentinel", |_, sentinel| {
        sentinel.len() == 1 && messages(&sentinel[0]).len() == 1
    })
    .await;
    let name = sync.name();
    sync.workspace().comment(&name, "from Sentinel", "ben").unwrap();
    sync.until("the comment in Defender", |defender, _| remarks(&defender[0]).len() == 2).await;
    sync.quiet().await;
    running.stop().await;

    sync.forget();
    let before = sync.simulator().writes().len();
    let running = sync.run(&sync.plain());
    sync.quiet().await;
    assert_eq!(&sync.simulator().writes()[before..], [], "both sides have everything already");
    running.stop().await;

    // And something that happens only in Sentinel, while nothing is known of the incident.
    sync.forget();
    sync.workspace().comment(&name, "once more", "ben").unwrap();
    let running = sync.run(&sync.plain());
    sync.until("the new comment", |defender, _| remarks(&defender[0]).len() == 3).await;
    sync.quiet().await;
    assert_eq!(sync.workspace().state().len(), 1);
    assert_eq!(
        (remarks(&sync.tenant().state()[0]).len(), messages(&sync.workspace().state()[0]).len()),
        (3, 3)
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_already_is_not_created_and_what_is_not_severe_enough_waits_until_it_is() {
    let sync = SyncBench::with_incidents(2).await;
    let ids: Vec<_> = sync.tenant().state().iter().map(|one| text(one, "/id").to_owned()).collect();
    sync.tenant().resolve(&ids[0], "falsePositive", "notMalicious", "ann").unwrap();
    sync.tenant().edit(&ids[1], &json!({"severity": "low"}), "ann").unwrap();
    let to_sentinel = json!({"min_severity": "medium"});
    let to_defender = json!({"min_severity": "high"});
    let running = sync.run(&sync.pipeline(&json!({}), &to_sentinel, &to_defender));
    sync.quiet().await;
    assert!(sync.workspace().state().is_empty());

    sync.tenant().edit(&ids[1], &json!({"severity": "medium"}), "ann").unwrap();
    sync.until("the incident that is severe enough now", |_, sentinel| sentinel.len() == 1).await;

    // The other direction has a gate of its own.
    let name = sync.name();
    sync.workspace().edit(&name, &json!({"status": "Active"})).unwrap();
    sync.workspace().comment(&name, "mine", "ben").unwrap();
    sync.quiet().await;
    assert_eq!(sync.count(WriteKind::DefenderUpdated) + sync.count(WriteKind::DefenderCommented), 0);
    sync.workspace().edit(&name, &json!({"severity": "High"})).unwrap();
    sync.until("what was done in Sentinel", |_, _| {
        let incident = sync.tenant().incident(&ids[1]).unwrap();
        text(&incident, "/status") == "inProgress" && remarks(&incident).len() == 1
    })
    .await;
    sync.quiet().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_sentinel_does_not_know_does_not_keep_an_incident_away() {
    let sync = SyncBench::with_incidents(1).await;
    let id = sync.id();
    sync.tenant()
        .edit(&id, &json!({"assignedTo": "contractor@elsewhere.example", "customTags": ["vip"]}), "ann")
        .unwrap();
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let said = running.says(&["does not take 'contractor@elsewhere.example' as an owner"]).await;
    assert!(said.contains("sync.owners_file"), "{said}");
    sync.quiet().await;
    let ours = sync.workspace().state().remove(0);
    assert_eq!((text(&ours, "/properties/owner/userPrincipalName"), labels(&ours)), ("", vec!["vip"]));
    assert_eq!(running.said(&["does not take"]).len(), 1, "it is said once");
    // Nothing is written back either: that Sentinel has none is not what anybody chose.
    assert_eq!(text(&sync.tenant().state()[0], "/assignedTo"), "contractor@elsewhere.example");
    assert!(sync.quarantine("to_sentinel").is_empty());
    running.stop().await;
}
