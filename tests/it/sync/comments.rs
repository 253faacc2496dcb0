//! Comments are copied, in order, once, and nothing else happens to them.

use serde_json::json;
use simulator::{Fault, Operation};

use super::bench::{SyncBench, messages, remarks, text};

/// What was written, behind the line that says who wrote it.
fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| text.split_once('\n').map_or(*text, |(_, words)| words).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_come_in_order_both_ways_and_long_ones_in_parts() {
    let sync = SyncBench::with_incidents(1).await;
    let id = sync.id();
    for n in 0..4 {
        assert!(sync.tenant().comment(&id, &format!("defender {n}"), "ann"));
    }
    let running = sync.run(&sync.plain());
    sync.until("Defender's comments", |_, sentinel| sentinel.len() == 1 && messages(&sentinel[0]).len() == 4)
        .await;
    let name = sync.name();
    assert_eq!(words(&messages(&sync.workspace().state()[0])), [0, 1, 2, 3].map(|n| format!("defender {n}")));
    for n in 0..4 {
        sync.workspace().comment(&name, &format!("sentinel {n}"), "ben").unwrap();
    }
    sync.until("Sentinel's comments", |defender, _| remarks(&defender[0]).len() == 8).await;
    assert_eq!(
        words(&remarks(&sync.tenant().state()[0]))[4..],
        [0, 1, 2, 3].map(|n| format!("sentinel {n}"))
    );

    // Defender's has more characters than a comment may have; Sentinel's with its first line has.
    assert!(sync.tenant().comment(&id, &"ä".repeat(70_000), "ann"));
    sync.workspace().comment(&name, &"ö".repeat(30_000), "ben").unwrap();
    sync.until("both long ones", |defender, sentinel| {
        messages(&sentinel[0]).len() == 12 && remarks(&defender[0]).len() == 11
    })
    .await;
    sync.quiet().await;
    let (theirs, ours) = (sync.tenant().state().remove(0), sync.workspace().state().remove(0));
    let count = |all: &[&str], letter: char| {
        all.iter().map(|text| text.chars().filter(|c| *c == letter).count()).collect::<Vec<_>>()
    };
    let long: Vec<_> = messages(&ours).into_iter().filter(|text| text.contains('ä')).collect();
    assert!(long.iter().all(|text| text.chars().count() <= 30_000) && long[0].starts_with("ann, "));
    assert_eq!(count(&long, 'ä').iter().sum::<usize>(), 70_000);
    let long: Vec<_> = remarks(&theirs).into_iter().filter(|text| text.contains('ö')).collect();
    assert!(long.len() == 2 && long[0].starts_with("ben, "));
    assert_eq!(count(&long, 'ö').iter().sum::<usize>(), 30_000);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sentinel_has_no_room_for_is_kept_and_said() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let (id, name) = (sync.id(), sync.name());
    for n in 0..99 {
        sync.workspace().comment(&name, &format!("sentinel {n}"), "ben").unwrap();
    }
    sync.until("all of them in Defender", |defender, _| remarks(&defender[0]).len() == 99).await;
    for text in ["the hundredth", "one too many", "and another"] {
        assert!(sync.tenant().comment(&id, text, "ann"));
    }
    sync.until("the last that there is room for", |_, sentinel| messages(&sentinel[0]).len() == 100).await;
    running.says(&["in the quarantine", "takes no more"]).await;
    sync.quiet().await;
    let kept = sync.quarantine("to_sentinel");
    let texts: Vec<_> = kept.iter().map(|line| text(line, "/event/comment/text")).collect();
    assert_eq!(texts, ["one too many", "and another"], "{kept:#?}");
    assert_eq!((text(&kept[0], "/code"), text(&kept[0], "/event/sentinel")), ("comment_limit", &*name));
    assert_eq!(remarks(&sync.tenant().state()[0]).len(), 102);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_or_deleted_is_said_and_its_copy_stays() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let name = sync.name();
    let comments = ["first", "second"].map(|text| sync.workspace().comment(&name, text, "ben").unwrap());
    sync.until("both comments", |defender, _| remarks(&defender[0]).len() == 2).await;
    assert!(sync.workspace().edit_comment(&name, &comments[0], "first, on second thoughts"));
    assert!(sync.workspace().delete_comment(&name, &comments[1]));
    running.says(&[&comments[0], "was edited in Sentinel", "its copy in Defender stays as it is"]).await;
    running.says(&[&comments[1], "was removed in Sentinel"]).await;
    sync.quiet().await;
    assert_eq!(words(&remarks(&sync.tenant().state()[0])), ["first", "second"]);
    assert_eq!(running.said(&["stays as it is"]).len(), 2, "each is said once");

    // In Defender nobody can do either, but what Graph shows might change.
    let mut theirs = sync.tenant().state().remove(0);
    let comment =
        json!({"comment": "mine", "createdByDisplayName": "ann", "createdDateTime": "2026-10-01T10:00:00Z"});
    theirs["comments"].as_array_mut().unwrap().push(comment);
    theirs["lastUpdateDateTime"].take();
    let with_it = theirs.clone();
    sync.tenant().insert_raw(with_it);
    sync.until("Defender's comment", |_, sentinel| messages(&sentinel[0]).len() == 2).await;
    theirs["comments"].as_array_mut().unwrap().pop();
    sync.tenant().insert_raw(theirs);
    running.says(&["was removed in Defender"]).await;
    assert_eq!(messages(&sync.workspace().state()[0]).len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_is_refused_is_kept_and_those_behind_it_come() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.plain());
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let name = sync.name();
    let refused = Fault::Status { code: 400, retry_after: None, body: None };
    sync.simulator().faults().script_operation(Operation::DefenderComment, vec![refused]);
    for text in ["not taken", "taken"] {
        sync.workspace().comment(&name, text, "ben").unwrap();
    }
    sync.until("the other one", |defender, _| !remarks(&defender[0]).is_empty()).await;
    sync.quiet().await;
    assert_eq!(words(&remarks(&sync.tenant().state()[0])), ["taken"]);
    let kept = sync.quarantine("to_defender");
    assert_eq!(
        (kept.len(), text(&kept[0], "/code"), text(&kept[0], "/event/comment/text")),
        (1, "refused", "not taken")
    );
    assert!(text(&kept[0], "/message").contains("Graph refuses the change"), "{kept:#?}");
    running.stop().await;
}
