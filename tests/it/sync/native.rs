//! Beside Microsoft's own connector: what it carries is left to it.

use serde_json::json;
use simulator::{ConnectorConfig, SimulatorConfig, WriteKind};

use super::bench::{SyncBench, messages, remarks, text};

async fn beside_the_connector() -> SyncBench {
    let mut config = SimulatorConfig::default();
    config.workspace.connector = Some(ConnectorConfig::everything());
    let sync = SyncBench::start(config).await;
    sync.tenant().create(1);
    sync
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_connector_does_not_carry_is_written() {
    let sync = beside_the_connector().await;
    let (id, name) = (sync.id(), sync.name());
    let running = sync.run(&sync.plain());
    // What the connector carries.
    sync.tenant().edit(&id, &json!({"status": "inProgress", "assignedTo": sync.analyst(0)}), "ann").unwrap();
    assert!(sync.tenant().comment(&id, "done", "ann"));
    sync.workspace().close(&name, "FalsePositive", Some("InaccurateData")).unwrap();
    sync.quiet().await;
    assert_eq!(sync.simulator().writes(), [], "the connector does all of that");
    assert_eq!(text(&sync.tenant().state()[0], "/status"), "resolved");

    // What it does not: Sentinel's comments and tags. The same words by two people are two comments.
    for text in ["a word from Sentinel", "done", "all done here"] {
        sync.workspace().comment(&name, text, "ben").unwrap();
    }
    sync.workspace().edit(&name, &json!({"labels": [{"labelName": "vip"}]})).unwrap();
    sync.until("them in Defender", |defender, _| {
        remarks(&defender[0]).len() == 4 && defender[0]["customTags"] == json!(["vip"])
    })
    .await;
    sync.quiet().await;
    let (theirs, ours) = (sync.tenant().state().remove(0), sync.workspace().state());
    assert_eq!(remarks(&theirs).len(), 4, "{theirs:#?}");
    // The connector has brought our three copies into Sentinel, and they stay there.
    assert_eq!((ours.len(), messages(&ours[0]).len()), (1, 7));
    assert_eq!(sync.count(WriteKind::DefenderCommented), 3);
    assert_eq!(sync.simulator().writes().len(), 4, "three comments and the tag");
    running.stop().await;

    // Nor does anything come twice when nothing is known of it any more.
    sync.forget();
    let running = sync.run(&sync.plain());
    sync.quiet().await;
    assert_eq!(sync.simulator().writes().len(), 4, "{:#?}", sync.simulator().writes());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_the_connector_works_if_that_is_wanted() {
    let sync = beside_the_connector().await;
    let (id, name) = (sync.id(), sync.name());
    let running = sync.run(&sync.with_sync(&json!({"native_connector": "leave"})));
    sync.workspace().comment(&name, "a word from Sentinel", "ben").unwrap();
    sync.workspace().edit(&name, &json!({"labels": [{"labelName": "vip"}]})).unwrap();
    sync.tenant().edit(&id, &json!({"severity": "high"}), "ann").unwrap();
    sync.quiet().await;
    assert_eq!(sync.simulator().writes(), []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_of_another_tenant_is_ours() {
    let sync = beside_the_connector().await;
    let running = sync.run(&sync.plain());
    sync.several_looks().await;
    // The connector is of one tenant, and takes what is there when it looks: so this one it does not take.
    let other = json!({
        "id": "9001", "tenantId": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "status": "active", "severity": "high",
        "displayName": "Of another tenant", "classification": "unknown", "determination": "unknown",
        "assignedTo": null, "customTags": [], "comments": [], "alerts": [],
    });
    sync.tenant().insert_raw(other);
    sync.until("the other tenant's", |_, sentinel| {
        sentinel.iter().any(|one| text(one, "/properties/providerName") == "Azure Sentinel")
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_the_connector_will_bring_is_not_created() {
    let mut config = SimulatorConfig::default();
    config.workspace.connector = Some(ConnectorConfig::everything());
    let sync = SyncBench::start(config).await;
    sync.tenant().create(2);
    let running = sync.run(&sync.plain());
    sync.several_looks().await;
    sync.tenant().create(1);
    sync.quiet().await;
    assert_eq!(sync.count(WriteKind::SentinelCreated), 0);
    assert_eq!(sync.workspace().state().len(), 3);
    running.stop().await;
}
