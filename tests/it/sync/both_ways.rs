//! What somebody sees who works on either side.

use serde_json::json;
use simulator::{SimulatorConfig, WriteKind};
use vector_sentinel::topology::Ended;

use super::bench::{SyncBench, labels, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_on_one_side_is_seen_on_the_other_and_causes_nothing_more() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = 1;
    let sync = SyncBench::start(config).await;
    let (tenant, workspace) = (sync.bench.simulator.tenant(), sync.bench.simulator.workspace());
    let running = sync.bench.run(&sync.pipeline(&json!({}), &json!({}), &json!({})));
    sync.until("the incident in Sentinel", |_, sentinel| sentinel.len() == 1).await;
    let id = text(&tenant.state()[0], "/id").to_owned();
    let name = text(&workspace.state()[0], "/name").to_owned();
    let owner = sync.bench.config.workspace.users[0].user_principal_name.clone();

    // Defender's analyst works.
    tenant
        .edit(&id, &json!({"status": "inProgress", "assignedTo": owner, "customTags": ["vip"]}), "ann")
        .unwrap();
    assert!(tenant.comment(&id, "looking into it", "ann"));
    sync.until("Defender's changes in Sentinel", |_, sentinel| {
        let incident = &sentinel[0];
        text(incident, "/properties/status") == "Active"
            && text(incident, "/properties/owner/userPrincipalName") == owner
            && text(incident, "/properties/labels/0/labelName") == "vip"
            && text(incident, "/comments/0/properties/message").contains("looking into it")
    })
    .await;

    // Sentinel's analyst closes it.
    workspace.comment(&name, "a false alarm", "ben").unwrap();
    workspace.close(&name, "FalsePositive", Some("IncorrectAlertLogic")).unwrap();
    sync.until("Sentinel's changes in Defender", |defender, _| {
        let incident = &defender[0];
        let comments = incident["comments"].as_array().unwrap();
        text(incident, "/status") == "resolved"
            && text(incident, "/classification") == "falsePositive"
            && text(incident, "/determination") == "notMalicious"
            && comments.len() == 2
            && text(&comments[1], "/comment").starts_with("ben, ")
            && text(&comments[1], "/comment").ends_with("in Sentinel:\na false alarm")
    })
    .await;

    // And opens it again, on the other side.
    tenant.reopen(&id, "ann").unwrap();
    sync.until("the incident open again", |_, sentinel| text(&sentinel[0], "/properties/status") != "Closed")
        .await;

    let writes = sync.bench.simulator.writes().len();
    sync.several_looks().await;
    let after = sync.bench.simulator.writes();
    assert_eq!(after.len(), writes, "a quiet system writes nothing: {after:#?}");
    let count = |kind| after.iter().filter(|write| write.kind == kind).count();
    assert_eq!((count(WriteKind::SentinelCreated), count(WriteKind::SentinelCommented)), (1, 1));
    assert_eq!(count(WriteKind::DefenderCommented), 1);
    assert_eq!(running.stop().await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_merged_one_by_one_and_closing_words_move_both_ways() {
    let sync = SyncBench::with_incidents(1).await;
    let id = sync.id();
    sync.tenant().edit(&id, &json!({"customTags": ["both", "old"]}), "ann").unwrap();
    sync.brought_together(&sync.plain()).await;
    let name = sync.name();

    // While nothing runs: each side gains one, and each takes one away.
    sync.tenant().edit(&id, &json!({"customTags": ["old", "of Defender"]}), "ann").unwrap();
    let tags = json!({"labels": [{"labelName": "both"}, {"labelName": "of Sentinel"}]});
    sync.workspace().edit(&name, &tags).unwrap();
    let running = sync.run(&sync.plain());
    let expected = ["of Defender", "of Sentinel"];
    sync.until("all tags on both sides", |defender, sentinel| {
        labels(&sentinel[0]) == expected && defender[0]["customTags"] == json!(expected)
    })
    .await;

    let closing = json!({"status": "Closed", "classification": "BenignPositive",
                         "classificationReason": "SuspiciousButExpected", "classificationComment": "a test of ours"});
    sync.workspace().edit(&name, &closing).unwrap();
    sync.until("it closed, with its words", |defender, _| {
        text(&defender[0], "/resolvingComment") == "a test of ours"
            && text(&defender[0], "/determination") == "confirmedActivity"
    })
    .await;
    sync.quiet().await;
    sync.tenant().edit(&id, &json!({"resolvingComment": "a test of theirs"}), "ann").unwrap();
    sync.until("Defender's words", |_, sentinel| {
        text(&sentinel[0], "/properties/classificationComment") == "a test of theirs"
    })
    .await;
    sync.quiet().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_somebody_deletes_stays_away_and_that_is_said() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    assert!(sync.workspace().delete(&name));
    for tag in ["one", "two"] {
        sync.tenant().edit(&id, &json!({"customTags": [tag]}), "ann").unwrap();
        running.says(&["The incident is gone from Sentinel"]).await;
        sync.quiet().await;
    }
    assert_eq!(running.said(&["is gone from Sentinel"]).len(), 1);
    assert!(sync.workspace().state().is_empty() && sync.quarantine("to_sentinel").is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_that_is_done_is_one_write_on_the_other_side_and_none_on_its_own() {
    let mut config = SimulatorConfig::default();
    config.workspace.reopening_clears_classification = true;
    let sync = SyncBench::start(config).await;
    let id = sync.tenant().create(1).remove(0);
    // The simulator would find words of its own for what is closed.
    sync.tenant().edit(&id, &json!({"resolvingComment": ""}), "ann").unwrap();
    sync.brought_together(&sync.plain()).await;
    let name = sync.name();
    let running = sync.run(&sync.plain());
    let (one, other) = (sync.analyst(0), sync.analyst(1));
    let closed = json!({"status": "resolved", "classification": "truePositive", "determination": "malware"});
    let to_sentinel = [
        json!({"status": "inProgress"}),
        json!({"assignedTo": one}),
        json!({"customTags": ["vip"]}),
        closed,
        json!({"status": "active"}),
        json!({"assignedTo": null}),
    ];
    let to_defender = [
        json!({"status": "Active"}),
        json!({"owner": {"userPrincipalName": other}}),
        json!({"labels": []}),
        json!({"status": "Closed", "classification": "FalsePositive", "classificationReason": "InaccurateData"}),
        json!({"status": "New", "classification": null, "classificationReason": null}),
        json!({"owner": null}),
    ];
    let written = || (sync.count(WriteKind::SentinelUpdated), sync.count(WriteKind::DefenderUpdated));
    for (nth, edit) in to_sentinel.iter().enumerate() {
        sync.tenant().edit(&id, edit, "ann").unwrap();
        sync.until("the write in Sentinel", |_, _| written().0 > nth).await;
    }
    sync.quiet().await;
    assert_eq!(written(), (to_sentinel.len(), 0));
    for (nth, edit) in to_defender.iter().enumerate() {
        sync.workspace().edit(&name, edit).unwrap();
        sync.until("the write in Defender", |_, _| written().1 > nth).await;
    }
    sync.quiet().await;
    assert_eq!(written(), (to_sentinel.len(), to_defender.len()));
    running.stop().await;
}
