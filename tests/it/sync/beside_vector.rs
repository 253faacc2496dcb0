//! The same through the stock Vector, where it can be found.

use serde_json::json;

use super::bench::{SyncBench, messages, remarks, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_and_a_remap_of_vectors_may_stand_in_between() {
    let sync = SyncBench::with_incidents(2).await;
    let ids: Vec<_> = sync.tenant().state().iter().map(|one| text(one, "/id").to_owned()).collect();
    sync.tenant().edit(&ids[0], &json!({"severity": "high"}), "ann").unwrap();
    sync.tenant().edit(&ids[1], &json!({"severity": "low"}), "ann").unwrap();
    assert!(sync.tenant().comment(&ids[0], "from Defender", "ann"));
    let mut pipeline = sync.plain();
    pipeline["transforms"] = json!({
        "high": {"type": "filter", "inputs": ["defender"], "condition": ".severity == \"high\""},
        "named": {"type": "remap", "inputs": ["high"], "source": ".displayName = \"[SOC] \" + string!(.displayName)"},
        "ours": {"type": "filter", "inputs": ["sentinel"], "condition": "starts_with(string!(.properties.title), \"[SOC]\")"},
    });
    pipeline["sinks"]["to_sentinel"]["inputs"] = json!(["named"]);
    pipeline["sinks"]["to_defender"]["inputs"] = json!(["ours"]);
    let Some(running) = sync.run_beside_vector(&pipeline) else { return };
    sync.until("the severe one", |_, sentinel| sentinel.len() == 1 && messages(&sentinel[0]).len() == 1)
        .await;
    assert!(text(&sync.workspace().state()[0], "/properties/title").starts_with("[SOC] "));
    let name = sync.name();
    sync.workspace().close(&name, "TruePositive", Some("SuspiciousActivity")).unwrap();
    sync.workspace().comment(&name, "from Sentinel", "ben").unwrap();
    sync.until("what was done in Sentinel", |_, _| {
        let theirs = sync.tenant().incident(&ids[0]).unwrap();
        text(&theirs, "/status") == "resolved" && remarks(&theirs).len() == 2
    })
    .await;
    sync.quiet().await;
    assert_eq!(sync.workspace().state().len(), 1);
    running.stop().await;
}
