use std::io::Write;

use super::*;

fn zipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// An array of one row, `bytes` long in all.
fn body_of(bytes: usize) -> String {
    let empty = r#"[{"alerts":[""]}]"#.len();
    format!(r#"[{{"alerts":["{}"]}}]"#, "a".repeat(bytes - empty))
}

async fn bench_with_wire_size_only(wire_size_only: bool) -> Bench {
    Bench::new(SimulatorConfig { wire_size_only, ..SimulatorConfig::default() }).await
}

#[tokio::test]
async fn rows_arrive_and_are_told_apart() {
    let bench = Bench::with_incidents(2).await;
    let listed = bench.incidents("").await;
    let row = |index: usize| {
        let incident = &listed["value"][index];
        serde_json::json!({"TimeGenerated": incident["lastUpdateDateTime"], "id_": incident["id"],
            "lastUpdateDateTime": incident["lastUpdateDateTime"], "undeclared": 1})
    };
    let body = serde_json::json!([row(0), row(0)]).to_string();
    let answer = bench.rows(body).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().contains_key("x-ms-request-id"));
    assert!(answer.bytes().await.unwrap().is_empty());
    let stats = bench.simulator.stats();
    assert_eq!((stats.rows_ingested, stats.distinct_rows, stats.duplicate_rows), (2, 1, 1));
    assert_eq!(stats.columns_vanished["undeclared"], 2);
    assert_eq!(stats.rows_by_stream["Custom-DefenderIncidentsRaw_CL"], 2);
    assert_eq!(stats.ingestion_by_status[&204], 1);
    let rows = bench.simulator.rows();
    assert_eq!(rows[0].columns["id_"], listed["value"][0]["id"]);
    assert!(!rows[0].columns.contains_key("undeclared"));
    let missing = bench.simulator.missing();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].id, listed["value"][1]["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_bare_object_gets_204_and_is_gone() {
    let bench = Bench::with_incidents(0).await;
    assert_eq!(bench.rows(r#"{"id_": "1"}"#).send().await.unwrap().status(), 204);
    let stats = bench.simulator.stats();
    assert_eq!((stats.bare_objects, stats.rows_ingested), (1, 0));
}

#[tokio::test]
async fn one_megabyte_is_the_limit_on_the_wire() {
    for wire_size_only in [false, true] {
        let bench = bench_with_wire_size_only(wire_size_only).await;
        assert_eq!(bench.rows(body_of(1_048_576)).send().await.unwrap().status(), 204);
        let refused = bench.rows(body_of(1_048_577)).send().await.unwrap();
        assert_eq!(refused.status(), 413);
        assert!(refused.headers().contains_key("x-ms-error-code"));
        let stats = bench.simulator.stats();
        assert_eq!((stats.rows_ingested, stats.largest_wire), (1, 1_048_577));
    }
}

#[tokio::test]
async fn one_megabyte_is_the_limit_before_compression_unless_switched_off() {
    for (wire_size_only, status) in [(false, 413), (true, 204)] {
        let bench = bench_with_wire_size_only(wire_size_only).await;
        let rows =
            |bytes: usize| bench.rows(zipped(&body_of(bytes))).header("content-encoding", "gzip").send();
        assert_eq!(rows(1_048_576).await.unwrap().status(), 204);
        assert_eq!(rows(1_048_577).await.unwrap().status(), status);
        let stats = bench.simulator.stats();
        assert_eq!(stats.largest_json, 1_048_577);
        assert!(stats.largest_wire < 100_000);
        assert_eq!(stats.fields_truncated["alerts"], stats.rows_ingested);
    }
}

#[tokio::test]
async fn a_body_that_blows_up_is_refused_whatever_the_switch_says() {
    let bench = bench_with_wire_size_only(true).await;
    let bomb = zipped(&body_of(70 * 1_048_576));
    let answer = bench.rows(bomb).header("content-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn what_is_not_an_array_of_objects_is_refused() {
    let bench = Bench::with_incidents(0).await;
    for (body, status) in
        [("[]", 204), ("[1]", 400), ("[{}", 400), ("1", 400), ("", 400), ("[{}, null]", 400)]
    {
        assert_eq!(bench.rows(body).send().await.unwrap().status(), status, "{body}");
    }
    assert_eq!(bench.simulator.stats().ingestion_by_status[&400], 5);
    let not_gzip = bench.rows("[]").header("content-encoding", "gzip").send().await.unwrap();
    assert_eq!(not_gzip.status(), 400);
    let text = bench.client.post(bench.url(ROWS)).bearer_auth(&bench.monitor_token).body("[]");
    assert_eq!(text.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn only_the_declared_rule_and_stream_take_rows() {
    let bench = Bench::with_incidents(0).await;
    for (wrong, status) in [
        (ROWS.replace("0001/", "0002/"), 404),
        (ROWS.replace("_CL", "_XX"), 404),
        (ROWS.replace("2023", "2022"), 400),
    ] {
        let request = bench.client.post(bench.url(&wrong)).bearer_auth(&bench.monitor_token);
        let request = request.header("content-type", "application/json").body("[]");
        assert_eq!(request.send().await.unwrap().status(), status, "{wrong}");
    }
}

#[tokio::test]
async fn without_keeping_rows_exactly_once_can_still_be_told() {
    let bench = Bench::new(SimulatorConfig { keep_rows: false, ..SimulatorConfig::default() }).await;
    let row = r#"{"id_": "1", "lastUpdateDateTime": "2026-02-25T16:29:33.1Z"}"#;
    for _ in 0..2 {
        assert_eq!(bench.rows(format!("[{row}]")).send().await.unwrap().status(), 204);
    }
    let stats = bench.simulator.stats();
    assert_eq!((stats.rows_ingested, stats.distinct_rows, stats.duplicate_rows), (2, 1, 1));
    assert_eq!(stats.newest_row.as_deref(), Some("2026-02-25T16:29:33.1000000Z"));
    assert_eq!(stats.time_generated_missing, 2);
    assert_eq!(bench.simulator.rows(), []);
}
