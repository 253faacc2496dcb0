//! A hundred thousand rows of every kind through everything that can go wrong.

use std::collections::{BTreeMap, BTreeSet};

use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{Fault, Service};

use crate::sink::{batch, bench, sink};

const ROWS: i64 = 100_000;

fn large(n: i64) -> Value {
    let fields: serde_json::Map<_, _> =
        (0..24).map(|field| (format!("f{field}"), "y".repeat(50_000).into())).collect();
    let mut row = Value::Object(fields);
    row["n"] = n.into();
    row
}

fn row(n: i64) -> Value {
    match n {
        777 => large(n),
        4_242 => json!({"n": n, "text": "z".repeat(70_000)}),
        _ if n % 1_000 == 5 => json!({"n": n, "text": "x".repeat(60_000)}),
        _ if n % 100 == 7 => json!({"n": n, "id": format!("i{n}"), "@odata.type": "#x", "1 2": {"a": [n]}}),
        _ if n % 5_000 == 9 => json!([n, "not an object"]),
        _ => json!({"n": n}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_once_in_the_table_or_once_in_the_quarantine_with_its_reason() {
    assert_eq!(
        storm(&[Fault::Reset]).await,
        0,
        "no processed call's answer was lost, and yet rows came twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_lost_answers_every_row_is_at_least_once_in_the_table() {
    let twice = storm(&[Fault::Reset, Fault::ResetAfter]).await;
    assert!(twice > 0, "no answer was lost, so this has shown nothing");
}

/// Sends every row, with all usual faults and `resets`, and answers how many are in the table more than once.
async fn storm(resets: &[Fault]) -> u64 {
    let bench = bench().await;
    let told_to_wait = |code| Fault::Status { code, retry_after: Some("0.05".to_owned()), body: None };
    let plain = |code| Fault::Status { code, retry_after: None, body: None };
    let faults = bench.simulator.faults();
    // The first calls are large: they are halved, and their halves. Then the connection breaks.
    let mut script = vec![plain(413), Fault::Pass, plain(413), plain(413), Fault::Pass];
    script.extend_from_slice(resets);
    faults.script(Service::LogsIngestion, script);
    let mut chances = vec![told_to_wait(429), told_to_wait(503), plain(500), Fault::ExpireToken];
    chances.extend_from_slice(resets);
    faults.at_random(Service::LogsIngestion, chances.into_iter().map(|fault| (0.06, fault)).collect());
    let refuse = Fault::RefuseToken { code: "AADSTS7000215".to_owned(), description: None };
    faults.at_random(Service::Entra, vec![(0.2, refuse)]);

    let sink = sink(&bench, &json!({}));
    let mut deliveries = tokio::task::JoinSet::new();
    for start in (0..ROWS).step_by(5_000) {
        let sink = std::sync::Arc::clone(&sink);
        deliveries.spawn(async move { sink.deliver(batch((start..start + 5_000).map(row))).await });
    }
    while let Some(status) = deliveries.join_next().await {
        assert_ne!(status.unwrap(), BatchStatus::Errored);
    }

    let stats = bench.simulator.stats();
    assert!(stats.faults_fired > 10, "too few faults to prove anything: {stats:#?}");
    assert!(stats.largest_json <= 1_000_000 && stats.largest_wire <= 1_000_000, "{stats:#?}");
    assert_eq!(stats.columns_vanished, BTreeMap::new());

    let mut table: BTreeMap<i64, Value> = BTreeMap::new();
    let mut twice = 0;
    for row in bench.simulator.rows() {
        let n = row.columns["n"].as_i64().unwrap();
        twice += u64::from(table.insert(n, Value::Object(row.columns)).is_some());
    }
    let quarantined: BTreeMap<String, Vec<Value>> =
        bench.quarantine().into_iter().fold(BTreeMap::new(), |mut all, line| {
            let code = line["code"].as_str().unwrap().to_owned();
            all.entry(code).or_insert_with(Vec::new).push(line["event"].clone());
            all
        });
    assert_eq!(quarantined.keys().collect::<Vec<_>>(), ["not_an_object", "too_large"]);
    assert_eq!(quarantined["too_large"], [large(777)]);
    let refused: BTreeSet<i64> =
        quarantined["not_an_object"].iter().map(|event| event[0].as_i64().unwrap()).collect();
    let expected: BTreeSet<i64> = (0..ROWS).filter(|n| row(*n).is_array()).collect();
    assert_eq!(refused, expected);
    assert_eq!(quarantined["not_an_object"].len(), expected.len(), "each once");

    for n in (0..ROWS).filter(|n| *n != 777 && !expected.contains(n)) {
        let arrived = table.get(&n).unwrap_or_else(|| panic!("row {n} is lost"));
        let sent = row(n);
        if n == 4_242 {
            assert_eq!(arrived["text"], "z".repeat(65_536));
            assert_eq!(arrived["TruncatedColumns"], json!([{"column": "text", "bytes": 70_000}]));
        } else if let Some(id) = sent.get("id") {
            assert_eq!(&arrived["id_"], id);
            assert_eq!(arrived["ExtraColumns"], json!({"@odata.type": "#x", "1 2": {"a": [n]}}));
        } else if let Some(text) = sent.get("text") {
            assert_eq!(&arrived["text"], text);
        }
    }
    assert_eq!(table.len() + quarantined["not_an_object"].len() + 1, usize::try_from(ROWS).unwrap());
    twice
}
