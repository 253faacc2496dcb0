//! What is shown while a service is down, and what somebody asks for afterwards.

use serde_json::{Value, json};
use simulator::{Fault, Operation, Service};

use super::bench::{SyncBench, labels, messages, remarks, text};
use crate::harness::status;

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
    sync.tenant().edit(&id, &json!({"status": "inProgress", "customTags": ["vip"]}), "ann").unwrap();
    assert!(sync.tenant().comment(&id, "defender", "ann"));
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
    sync.until("both sides alike", |defender, sentinel| {
        let (theirs, ours) = (&defender[0], &sentinel[0]);
        (text(ours, "/properties/status"), labels(ours)) == ("Active", vec!["vip"])
            && (messages(ours).len(), remarks(theirs).len()) == (2, 2)
    })
    .await;
    sync.until_status(|all, code| code == 0 && all.iter().all(|one| one["waiting"] == 0)).await;
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
