//! Which fields move, and which do not.

use serde_json::json;
use simulator::{SimulatorConfig, WriteKind};

use super::bench::{SyncBench, labels, messages, remarks, text};

#[tokio::test(flavor = "multi_thread")]
async fn severity_moves_only_if_it_is_asked_for() {
    for is_asked_for in [false, true] {
        let sync = SyncBench::with_incidents(1).await;
        let (id, fields, nothing) = (sync.id(), json!({"fields": ["severity", "status"]}), json!({}));
        sync.tenant().edit(&id, &json!({"severity": "low"}), "ann").unwrap();
        let running = sync.run(&sync.with_sync(if is_asked_for { &fields } else { &nothing }));
        sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
        let name = sync.name();
        sync.tenant().edit(&id, &json!({"severity": "high", "status": "inProgress"}), "ann").unwrap();
        sync.until("the status", |_, sentinel| text(&sentinel[0], "/properties/status") == "Active").await;
        let expected = if is_asked_for { "High" } else { "Low" };
        assert_eq!(text(&sync.workspace().state()[0], "/properties/severity"), expected);
        sync.workspace().edit(&name, &json!({"severity": "Informational", "status": "New"})).unwrap();
        sync.until("the status", |defender, _| text(&defender[0], "/status") == "active").await;
        let expected = if is_asked_for { "informational" } else { "high" };
        assert_eq!(text(&sync.tenant().state()[0], "/severity"), expected);
        sync.quiet().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn closing_and_reopening_can_be_switched_off_for_each_direction() {
    let sync = SyncBench::with_incidents(1).await;
    let running =
        sync.run(&sync.pipeline(&json!({}), &json!({"closing": false}), &json!({"reopening": false})));
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    let edit = json!({"status": "resolved", "classification": "truePositive", "determination": "malware", "customTags": ["vip"]});
    sync.tenant().edit(&id, &edit, "ann").unwrap();
    sync.until("the tag", |_, sentinel| labels(&sentinel[0]) == ["vip"]).await;
    let said = running.says(&["status", "Closed", "closing or reopening is switched off"]).await;
    assert!(said.contains("to_sentinel"), "{said}");
    sync.quiet().await;
    assert_eq!(text(&sync.workspace().state()[0], "/properties/status"), "New");
    // Whoever closes it in Sentinel makes them agree again.
    sync.workspace().close(&name, "TruePositive", Some("SuspiciousActivity")).unwrap();
    sync.quiet().await;
    // Reopening it in Sentinel does not open it in Defender; the other way it does.
    sync.workspace().reopen(&name).unwrap();
    running.says(&["to_defender", "closing or reopening is switched off"]).await;
    sync.quiet().await;
    assert_eq!(text(&sync.tenant().state()[0], "/status"), "resolved");
    assert_eq!(text(&sync.tenant().state()[0], "/determination"), "malware");
    sync.workspace().close(&name, "TruePositive", Some("SuspiciousActivity")).unwrap();
    sync.quiet().await;
    sync.tenant().reopen(&id, "ann").unwrap();
    sync.until("it open again", |_, sentinel| text(&sentinel[0], "/properties/status") == "New").await;
    sync.quiet().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_was_merged_into_another_is_closed_with_a_word_about_it() {
    let sync = SyncBench::with_incidents(2).await;
    let running = sync.run(&sync.plain());
    sync.until("both incidents", |_, sentinel| sentinel.len() == 2).await;
    let ids: Vec<_> = sync.tenant().state().iter().map(|one| text(one, "/id").to_owned()).collect();
    assert!(sync.tenant().merge(&ids[1], &ids[0]));
    let closed = || {
        let all = sync.workspace().state();
        all.into_iter().find(|incident| text(incident, "/properties/status") == "Closed")
    };
    sync.until("it closed, with a comment", |_, _| closed().is_some_and(|one| messages(&one).len() == 1))
        .await;
    sync.quiet().await;
    let one = closed().unwrap();
    assert_eq!(
        (text(&one, "/properties/classification"), labels(&one)),
        ("Undetermined", vec!["redirected"])
    );
    assert!(messages(&one)[0].ends_with(&format!("This incident was merged into incident {}.", ids[0])));

    // It has nothing to say any more, and nothing said of it is lost without a word.
    let name = text(&one, "/name").to_owned();
    sync.workspace().comment(&name, "why?", "ben").unwrap();
    running.says(&["was merged into another one in Defender", "are not copied"]).await;
    sync.workspace().reopen(&name).unwrap();
    sync.tenant().touch(&ids[1]);
    sync.several_looks().await;
    assert_eq!(sync.count(WriteKind::DefenderUpdated) + sync.count(WriteKind::DefenderCommented), 0);
    assert_eq!(sync.count(WriteKind::SentinelCommented), 1, "it is said once");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_closed_and_opened_time_and_again_whatever_the_service_keeps_of_it() {
    for clears in [false, true] {
        let mut config = SimulatorConfig::default();
        config.workspace.reopening_clears_classification = clears;
        let sync = SyncBench::start(config).await;
        let id = sync.tenant().create(1).remove(0);
        let running = sync.run(&sync.plain());
        sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
        let name = sync.name();
        sync.workspace().close(&name, "FalsePositive", Some("IncorrectAlertLogic")).unwrap();
        sync.until("it closed", |defender, _| text(&defender[0], "/determination") == "notMalicious").await;
        sync.tenant().reopen(&id, "ann").unwrap();
        sync.until("it open", |_, sentinel| text(&sentinel[0], "/properties/status") == "New").await;
        sync.quiet().await;
        sync.tenant().resolve(&id, "truePositive", "phishing", "ann").unwrap();
        sync.until("it closed otherwise", |_, sentinel| {
            text(&sentinel[0], "/properties/status") == "Closed"
                && text(&sentinel[0], "/properties/classificationReason") == "SuspiciousActivity"
        })
        .await;
        sync.workspace().reopen(&name).unwrap();
        sync.until("it open", |defender, _| text(&defender[0], "/status") == "inProgress").await;
        sync.quiet().await;
        let theirs = sync.tenant().state().remove(0);
        assert_eq!(text(&theirs, "/determination"), "phishing", "what Sentinel has no word for stays");
        running.stop().await;
    }
}
