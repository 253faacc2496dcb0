//! What keeps a mistake small: a run that only says what it would write, and a brake.

use serde_json::{Value, json};
use simulator::WriteKind;

use super::bench::{SyncBench, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_everything_and_writes_nothing() {
    let sync = SyncBench::with_incidents(1).await;
    sync.brought_together(&sync.plain()).await;
    let (id, name) = (sync.id(), sync.name());
    sync.tenant().create(1);
    sync.tenant().edit(&id, &json!({"status": "inProgress", "customTags": ["vip"]}), "ann").unwrap();
    assert!(sync.tenant().comment(&id, "from Defender", "ann"));
    sync.workspace().edit(&name, &json!({"owner": {"userPrincipalName": sync.analyst(0)}})).unwrap();
    sync.workspace().comment(&name, "from Sentinel", "ben").unwrap();

    let before = sync.simulator().writes().len();
    let running = sync.run_with(&sync.plain(), &["--dry-run"]);
    for words in [
        &[
            "Would write to Sentinel: changed in Defender",
            "field=\"status\"",
            "before=\"New\"",
            "after=\"Active\"",
        ][..],
        &["Would write to Sentinel: changed on the other side", "field=\"tags\"", "before=\"[]\"", "vip"],
        &["Would write to Sentinel: a comment on the other side", "from Defender"],
        &["Would write to Sentinel: new in Defender", "title"],
        &["Would write to Defender: changed in Sentinel", "field=\"owner\"", "before=\"\"", &sync.analyst(0)],
        &["Would write to Defender: a comment on the other side", "from Sentinel"],
    ] {
        running.says(words).await;
    }
    let status = sync
        .until_status(|all, code| {
            code == 0 && all.iter().all(|one| one["dry_run"] == true && one["waiting"].as_u64() > Some(0))
        })
        .await;
    assert_eq!(status.len(), 2);
    assert!(sync.cli(&["sync", "status"]).await.0.contains("dry run: nothing is written"));
    sync.several_looks().await;
    let said = running.stop().await;
    assert!(!said.iter().any(|line| line.contains("Wrote to")), "{said:#?}");
    assert_eq!(sync.simulator().writes().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_direction_can_be_dry_by_itself() {
    let sync = SyncBench::with_incidents(1).await;
    let running = sync.run(&sync.pipeline(&json!({}), &json!({}), &json!({"dry_run": true})));
    sync.until("the incident", |_, sentinel| sentinel.len() == 1).await;
    let name = sync.name();
    sync.workspace().edit(&name, &json!({"status": "Active"})).unwrap();
    running.says(&["Would write to Defender", "after=\"inProgress\""]).await;
    sync.quiet().await;
    assert_eq!(sync.count(WriteKind::DefenderUpdated), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_pipeline_that_writes_no_incidents_is_a_mistake() {
    let sync = SyncBench::with_incidents(0).await;
    let file = sync.bench.file(&sync.bench.pipeline());
    let output = crate::harness::program().args(["run", "--dry-run", "-c"]).arg(file).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("--dry-run is for sinks that write incidents"),
        "{said}"
    );
}

/// How many incidents in Sentinel are closed.
fn closed(sentinel: &[Value]) -> usize {
    sentinel.iter().filter(|incident| text(incident, "/properties/status") == "Closed").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_changes_at_once_stop_writing_until_somebody_says_that_they_are_meant() {
    let sync = SyncBench::with_incidents(8).await;
    let safety = json!({"safety": {"max_incidents": 3}});
    let pipeline = sync.pipeline(&json!({}), &safety, &json!({}));
    let running = sync.run(&pipeline);
    // Creating them is no change.
    sync.until("all of them", |_, sentinel| sentinel.len() == 8).await;
    for incident in sync.tenant().state() {
        let id = text(&incident, "/id");
        sync.tenant().resolve(id, "falsePositive", "notMalicious", "ann").unwrap();
        assert!(sync.tenant().comment(id, "closed by a script", "ann"));
    }
    let said = running.says(&["ERROR", "nothing is written to Sentinel any more, and nothing is lost"]).await;
    assert!(
        said.contains("write.safety.max_incidents") && said.contains("sync resume --ledger default"),
        "{said}"
    );
    let status =
        sync.until_status(|all, code| code == 1 && all.iter().any(|one| one["halted"].is_string())).await;
    assert_eq!(status.iter().filter(|one| one["halted"].is_string()).count(), 1, "{status:#?}");
    sync.quiet().await;
    assert_eq!(closed(&sync.workspace().state()), 3);
    let (out, _, code) = sync.cli(&["sync", "status"]).await;
    assert!(
        code == 1
            && out.contains("HALTED: 3 incidents were changed within 600 s")
            && out.contains("sync resume"),
        "{out}"
    );
    assert_eq!(running.said(&["nothing is written to Sentinel any more"]).len(), 1, "it is said once");

    let (out, _, code) = sync.cli(&["sync", "resume", "--to", "sentinel"]).await;
    assert!(code == 0 && out.contains("writing to Sentinel goes on"), "{out}");
    sync.until("more of them", |_, sentinel| closed(sentinel) > 3).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_after_what_is_not_there_is_answered() {
    let sync = SyncBench::with_incidents(0).await;
    let (_, said, code) = sync.cli(&["sync", "status"]).await;
    assert!(code == 1 && said.contains("no sink has kept incidents in sync with the data_dir"), "{said}");
    sync.brought_together(&sync.plain()).await;
    assert_eq!(sync.status().await.1, 0);
    let (_, said, code) = sync.cli(&["sync", "resume", "--ledger", "other"]).await;
    assert!(code == 1 && said.contains("there is no ledger other here; there is: default"), "{said}");
}
