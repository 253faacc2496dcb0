//! What the sync has to tell, in a table of its own.

use std::collections::BTreeMap;

use serde_json::json;
use simulator::{ColumnType, Dcr, SimulatorConfig};

use super::bench::{SyncBench, text};

const STREAM: &str = "Custom-IncidentSync_CL";
const COLUMNS: [(&str, ColumnType); 8] = [
    ("TimeGenerated", ColumnType::DateTime),
    ("kind", ColumnType::String),
    ("target", ColumnType::String),
    ("change", ColumnType::Dynamic),
    ("reason", ColumnType::String),
    ("field", ColumnType::String),
    ("ExtraColumns", ColumnType::Dynamic),
    ("TruncatedColumns", ColumnType::Dynamic),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_write_and_every_conflict_is_an_event_for_any_sink_and_told_once() {
    let columns: BTreeMap<_, _> = COLUMNS.map(|(name, kind)| (name.to_owned(), kind)).into();
    let streams = [(STREAM.to_owned(), columns)].into();
    let dcr = Dcr::new("dcr-00000000000000000000000000000006".to_owned(), streams).unwrap();
    let sync = SyncBench::start(SimulatorConfig { dcr, ..SimulatorConfig::default() }).await;
    sync.tenant().create(1);
    let mut pipeline = sync.plain();
    pipeline["sources"]["events"] = json!({"type": "vector_sentinel_events", "poll_interval_secs": 1});
    let mut table = sync.bench.sink();
    table["inputs"] = json!(["events"]);
    table["columns"] = COLUMNS.map(|(name, _)| name).into();
    pipeline["sinks"]["audit"] = table;
    sync.brought_together(&pipeline).await;
    let (id, name) = (sync.id(), sync.name());

    // Everybody decides something else while nobody listens.
    sync.tenant().edit(&id, &json!({"assignedTo": sync.analyst(0), "status": "inProgress"}), "ann").unwrap();
    let theirs = json!({"userPrincipalName": sync.analyst(1)});
    sync.workspace().edit(&name, &json!({"owner": theirs})).unwrap();
    sync.brought_together(&pipeline).await;
    // What was not told when the program ended is told now.
    sync.brought_together(&pipeline).await;

    let rows: Vec<_> = sync.simulator().rows().into_iter().map(|row| row.columns).collect();
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    let changes: Vec<_> = of("audit")
        .into_iter()
        .map(|row| (text(&row["change"], "/field"), text(&row["change"], "/after")))
        .collect();
    let created = of("audit").into_iter().filter(|row| row["change"]["field"] == "incident").count();
    assert_eq!(created, 1, "{rows:#?}");
    let count = |field, after: &str| changes.iter().filter(|change| **change == (field, after)).count();
    assert_eq!((count("status", "Active"), count("owner", &sync.analyst(1))), (1, 1), "{rows:#?}");
    let conflicts = of("conflict");
    assert_eq!((conflicts.len(), &conflicts[0]["field"]), (1, &json!("owner")), "{rows:#?}");
    assert_eq!(changes.len(), 3, "{rows:#?}");
}
