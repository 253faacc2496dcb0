//! A service is down, or its answers are lost, while work goes on: afterwards both sides agree.

use serde_json::{Value, json};
use simulator::{Fault, Operation, Service, WriteKind};

use super::bench::{SyncBench, labels, messages, remarks, text};
use crate::harness::status;

/// What an analyst does in Defender.
fn work_in_defender(sync: &SyncBench, id: &str, tag: &str) {
    sync.tenant().edit(id, &json!({"status": "inProgress", "customTags": [tag]}), "ann").unwrap();
    assert!(sync.tenant().comment(id, &format!("defender {tag}"), "ann"));
}

/// Waits until that has come, and what an analyst said in Sentinel.
async fn until_both_agree(sync: &SyncBench, tag: &str, comments: usize) {
    sync.until("both sides alike", |defender, sentinel| {
        let (theirs, ours) = (&defender[0], &sentinel[0]);
        text(ours, "/properties/status") == "Active"
            && text(theirs, "/status") == "inProgress"
            && labels(ours) == [tag]
            && theirs["customTags"] == json!([tag])
            && messages(ours).len() == comments
            && remarks(theirs).len() == comments
    })
    .await;
    sync.quiet().await;
    let (theirs, ours) = (sync.tenant().state().remove(0), sync.workspace().state().remove(0));
    assert_eq!(
        (remarks(&theirs).len(), messages(&ours).len()),
        (comments, comments),
        "{theirs:#?} {ours:#?}"
    );
}

fn waiting<'s>(status: &'s [Value], target: &str) -> &'s Value {
    status.iter().find(|one| one["target"] == target).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sentinel_is_down_status_says_what_waits_and_why() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    sync.until_status(|all, code| code == 0 && all.iter().all(|one| one["waiting"] == 0)).await;

    let faults = sync.simulator().faults();
    faults.at_random(Service::SecurityInsights, vec![(0.7, status(503, None)), (1.0, Fault::Reset)]);
    work_in_defender(&sync, &id, "vip");
    sync.workspace().comment(&name, "sentinel", "ben").unwrap();
    let failing = |all: &[Value]| {
        let one = waiting(all, "sentinel");
        one["waiting"] == 1 && one["incidents"][0]["attempts"].as_u64().is_some_and(|attempts| attempts > 1)
    };
    let shown = sync.until_status(|all, code| code == 1 && failing(all)).await;
    let incident = &waiting(&shown, "sentinel")["incidents"][0];
    assert!(
        text(incident, "/incident").ends_with(&id) && !text(incident, "/problem").is_empty(),
        "{incident}"
    );
    let (out, _, code) = sync.cli(&["sync", "status"]).await;
    for words in ["to_sentinel: to Sentinel, ledger default", "1 waiting", &id, "failed ", " times: "] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert_eq!(code, 1);

    faults.clear();
    until_both_agree(&sync, "vip", 2).await;
    sync.until_status(|all, code| code == 0 && all.iter().all(|one| one["waiting"] == 0)).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_after_a_write_double_nothing() {
    let sync = SyncBench::with_incidents(1).await;
    let faults = sync.simulator().faults();
    // The first write of every kind is done, and nobody hears of it.
    for operation in [
        Operation::SentinelPut,
        Operation::SentinelPut,
        Operation::SentinelPutComment,
        Operation::DefenderUpdate,
        Operation::DefenderComment,
    ] {
        faults.script_operation(operation, vec![Fault::ResetAfter, Fault::CutBody]);
    }
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    work_in_defender(&sync, &id, "vip");
    sync.workspace().comment(&name, "sentinel one", "ben").unwrap();
    sync.workspace().comment(&name, "sentinel two", "ben").unwrap();
    sync.workspace().edit(&name, &json!({"owner": {"userPrincipalName": sync.analyst(0)}})).unwrap();
    until_both_agree(&sync, "vip", 3).await;
    assert_eq!(text(&sync.tenant().state()[0], "/assignedTo"), sync.analyst(0));
    assert_eq!(sync.count(WriteKind::SentinelCreated), 1);
    assert_eq!(sync.count(WriteKind::DefenderCommented), 2);
    assert_eq!(sync.count(WriteKind::SentinelCommented), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storms_of_refusals_pass() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    let faults = sync.simulator().faults();
    // Somebody else is always faster, and then the service has enough of us.
    let mut storm = vec![status(409, None); 7];
    storm.extend([status(412, None), status(429, Some("1")), status(409, None)]);
    faults.script_operation(Operation::SentinelPut, storm);
    faults.script_operation(Operation::SentinelPutComment, vec![status(409, None), status(429, Some("1"))]);
    faults.script_operation(Operation::DefenderComment, vec![status(429, Some("1")), status(503, Some("1"))]);
    work_in_defender(&sync, &id, "vip");
    sync.workspace().comment(&name, "sentinel", "ben").unwrap();
    until_both_agree(&sync, "vip", 2).await;
    assert!(sync.quarantine("to_sentinel").is_empty() && sync.quarantine("to_defender").is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_what_it_says_is_in_the_quarantine_and_stops_nothing() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let id = sync.id();
    sync.simulator().faults().script_operation(Operation::SentinelPut, vec![status(400, None)]);
    sync.tenant().edit(&id, &json!({"status": "inProgress"}), "ann").unwrap();
    let said = running.says(&["in the quarantine", "Microsoft Sentinel refuses the request"]).await;
    assert!(said.contains("to_sentinel"), "{said}");
    sync.quiet().await;
    let kept = sync.quarantine("to_sentinel");
    assert_eq!((kept.len(), text(&kept[0], "/code")), (1, "refused"));
    assert!(text(&kept[0], "/event/incident").ends_with(&id), "{kept:#?}");
    assert!(text(&kept[0], "/message").contains("Scripted by a fault"), "{kept:#?}");
    sync.until_status(|all, code| code == 0 && all.iter().all(|one| one["waiting"] == 0)).await;
    // With the next change all of it is tried again.
    sync.tenant().edit(&id, &json!({"customTags": ["vip"]}), "ann").unwrap();
    sync.until("all of it", |_, sentinel| {
        text(&sentinel[0], "/properties/status") == "Active" && labels(&sentinel[0]) == ["vip"]
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_tried_again_when_somebody_asks() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let name = sync.name();
    sync.simulator().faults().script_operation(Operation::DefenderUpdate, vec![status(400, None)]);
    sync.workspace().edit(&name, &json!({"status": "Active"})).unwrap();
    running.says(&["in the quarantine", "Graph refuses the change"]).await;
    let kept = sync.quarantine("to_defender");
    assert_eq!(text(&kept[0], "/event/incident"), name);
    sync.quiet().await;
    assert_eq!(text(&sync.tenant().state()[0], "/status"), "active");
    let (out, _, code) = sync.cli(&["sync", "retry", "--to", "defender", &name]).await;
    assert_eq!((code, out), (0, format!("answered: {name} is written to Defender again\n")));
    sync.until("the change", |defender, _| text(&defender[0], "/status") == "inProgress").await;
    let (out, _, code) = sync.cli(&["sync", "retry", "--to", "defender", "nobody"]).await;
    assert!(code == 0 && out.contains("answered: nothing is known of nobody"), "{out}");
    running.says(&["incident nobody, which is to be tried again, is not known"]).await;
    let (_, said, code) = sync.cli(&["sync", "retry", "--to", "defender", "--ledger", "other", &name]).await;
    assert!(code == 1 && said.contains("there is no ledger other here"), "{said}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_retries_at_once_are_all_answered_and_one_from_before_the_start_is_served() {
    let sync = SyncBench::with_incidents(40).await;
    sync.brought_together(&sync.plain()).await;
    let state = sync.workspace().state();
    let names: Vec<_> = state.iter().map(|one| text(one, "/name").to_owned()).collect();
    // Before anybody serves.
    let (out, _, code) = sync.cli(&["sync", "retry", "--to", "defender", &names[0]]).await;
    assert!(code == 0 && out.contains("it is done when the pipeline runs"), "{out}");
    let running = sync.run(&sync.plain());
    running.says(&["again, as asked.", &names[0]]).await;
    let arguments: Vec<_> =
        names.iter().map(|name| ["sync", "retry", "--to", "defender", name.as_str()]).collect();
    let all = futures::future::join_all(arguments.iter().map(|arguments| sync.cli(arguments))).await;
    for (name, (out, said, code)) in names.iter().zip(all) {
        assert_eq!((code, out), (0, format!("answered: {name} is written to Defender again\n")), "{said}");
        running.says(&["again, as asked.", name]).await;
    }
    assert_eq!(running.said(&["again, as asked."]).len(), 41);
    running.stop().await;
    // What was asked first had nobody left who reads the answer.
    let left: Vec<_> = std::fs::read_dir(sync.bench.path("data/control")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_the_process_is_killed_is_written_by_the_next_one() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    let faults = sync.simulator().faults();
    // Killed while one comment is written and nobody knows, and the other not yet.
    let down = |operation| faults.script_operation(operation, vec![status(503, None); 1_000]);
    faults.script_operation(Operation::DefenderComment, vec![Fault::ResetAfter]);
    [Operation::DefenderComment, Operation::SentinelPut].into_iter().for_each(down);
    work_in_defender(&sync, &id, "vip");
    for text in ["one", "two"] {
        sync.workspace().comment(&name, text, "ben").unwrap();
    }
    sync.until_status(|all, _| all.iter().all(|one| one["incidents"][0]["attempts"].as_u64() > Some(0)))
        .await;
    running.kill().await;
    faults.clear();
    assert_eq!(sync.count(WriteKind::DefenderCommented), 1);
    let running = sync.run(&sync.plain());
    until_both_agree(&sync, "vip", 3).await;
    assert_eq!(sync.count(WriteKind::DefenderCommented), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_between_our_reading_and_our_writing_stays() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    let struck = sync.simulator().stats().faults_fired;
    let late = Fault::Delay(std::time::Duration::from_secs(2));
    sync.simulator().faults().script_operation(Operation::SentinelPut, vec![late]);
    sync.tenant().edit(&id, &json!({"status": "inProgress"}), "ann").unwrap();
    sync.bench.until(|stats| stats.faults_fired > struck).await;
    let theirs = json!({"title": "A better title", "severity": "Low", "owner": {"userPrincipalName": sync.analyst(4)}});
    sync.workspace().edit(&name, &theirs).unwrap();
    sync.until("both", |defender, sentinel| {
        text(&sentinel[0], "/properties/status") == "Active"
            && text(&defender[0], "/assignedTo") == sync.analyst(4)
    })
    .await;
    let ours = sync.workspace().state().remove(0);
    assert_eq!(
        (text(&ours, "/properties/title"), text(&ours, "/properties/severity")),
        ("A better title", "Low")
    );
    assert_eq!(text(&ours, "/properties/owner/userPrincipalName"), sync.analyst(4));
    running.stop().await;
}
