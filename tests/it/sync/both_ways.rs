//! What somebody sees who works on either side.

use serde_json::{Value, json};
use simulator::{SimulatorConfig, WriteKind};
use vector_sentinel::topology::Ended;

use super::bench::{SyncBench, labels, messages, remarks, text};

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
    // It takes two comments in Sentinel, where one may have so many characters.
    assert!(tenant.comment(&id, &format!("looking into it{}", "ä".repeat(30_000)), "ann"));
    sync.until("Defender's changes in Sentinel", |_, sentinel| {
        let incident = &sentinel[0];
        text(incident, "/properties/status") == "Active"
            && text(incident, "/properties/owner/userPrincipalName") == owner
            && text(incident, "/properties/labels/0/labelName") == "vip"
            && text(incident, "/comments/0/properties/message").contains("looking into it")
            && messages(incident).iter().map(|text| text.matches('ä').count()).sum::<usize>() == 30_000
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
    assert_eq!((count(WriteKind::SentinelCreated), count(WriteKind::SentinelCommented)), (1, 2));
    assert_eq!(count(WriteKind::DefenderCommented), 1);
    assert_eq!(running.stop().await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_that_is_done_is_one_write_on_the_other_side_and_none_on_its_own() {
    // The vendor does not say what the service keeps of a closing.
    for clears in [false, true] {
        let mut config = SimulatorConfig::default();
        config.workspace.reopening_clears_classification = clears;
        let sync = SyncBench::start(config).await;
        let id = sync.tenant().create(1).remove(0);
        // The simulator would find words of its own for what is closed.
        sync.tenant().edit(&id, &json!({"resolvingComment": ""}), "ann").unwrap();
        sync.brought_together(&sync.plain()).await;
        let name = sync.name();
        let running = sync.run(&sync.plain());
        let (one, other) = (sync.analyst(0), sync.analyst(1));
        let closed =
            json!({"status": "resolved", "classification": "truePositive", "determination": "malware"});
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
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_left_out_are_never_touched() {
    let sync = SyncBench::with_incidents(1).await;
    let id = sync.id();
    let all = json!({"assignedTo": sync.analyst(0), "customTags": ["vip"]});
    sync.tenant().edit(&id, &all, "ann").unwrap();
    sync.tenant().comment(&id, "mine", "ann");
    let running = sync.run(&sync.with_sync(&json!({"fields": ["status"]})));
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let name = sync.name();
    let ours = || sync.workspace().state().remove(0);
    assert_eq!((text(&ours(), "/properties/owner/objectId"), labels(&ours()).len()), ("", 0));
    sync.tenant().resolve(&id, "truePositive", "malware", "ann").unwrap();
    sync.until("the status", |_, sentinel| text(&sentinel[0], "/properties/status") == "Closed").await;
    assert_eq!(text(&ours(), "/properties/classification"), "Undetermined", "the service insists on one");
    let label = json!({"labels": [{"labelName": "other"}], "owner": {"userPrincipalName": sync.analyst(1)}});
    sync.workspace().edit(&name, &label).unwrap();
    sync.workspace().comment(&name, "ours", "ben").unwrap();
    sync.workspace().reopen(&name).unwrap();
    sync.until("the status", |defender, _| text(&defender[0], "/status") == "inProgress").await;
    sync.quiet().await;
    let theirs = sync.tenant().state().remove(0);
    assert_eq!(
        (text(&theirs, "/assignedTo"), theirs["customTags"].clone()),
        (&*sync.analyst(0), json!(["vip"]))
    );
    assert_eq!((text(&theirs, "/classification"), remarks(&theirs).len()), ("truePositive", 1));
    assert_eq!((labels(&ours()), messages(&ours()).len()), (vec!["other"], 1));
    running.stop().await;
}

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
