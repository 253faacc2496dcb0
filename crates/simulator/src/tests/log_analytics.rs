use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{LogAnalyticsConfig, Roles};

const QUERY: &str = "/v1/workspaces/9ba8bc53-bd36-4156-8667-e983e7ae0e4f/query";
const SCOPE: &str = "https://api.loganalytics.io/.default";

async fn ask(bench: &Bench, path: &str, query: &str) -> (u16, Value) {
    let token = bench.token(SCOPE).await;
    let body = json!({"query": query}).to_string();
    let answer = bench.client.post(bench.url(path)).bearer_auth(token).body(body).send().await.unwrap();
    (answer.status().as_u16(), json(answer).await)
}

async fn bench(log_analytics: LogAnalyticsConfig) -> Bench {
    Bench::new(SimulatorConfig { log_analytics, ..SimulatorConfig::default() }).await
}

#[tokio::test]
async fn a_row_is_found_when_its_time_has_come() {
    let bench =
        bench(LogAnalyticsConfig { delay: Duration::from_hours(1), ..LogAnalyticsConfig::default() }).await;
    let row = json!([{"TimeGenerated": "2026-09-21T13:46:40Z", "id_": "m-1", "ExtraColumns": {"k": "m-1"}}]);
    assert_eq!(bench.rows(row.to_string()).send().await.unwrap().status(), 204);
    let found = "DefenderIncidentsRaw_CL | where id_ == 'm-1' | where tostring(ExtraColumns.k) == 'm-1' | project id_ | take 1";
    let (status, body) = ask(&bench, QUERY, found).await;
    assert_eq!((status, &body["tables"][0]["rows"]), (200, &json!([])));
    let later = Clock::starting_at(DateTime::from_timestamp(1_790_003_700, 0).unwrap());
    bench.simulator.follow(later);
    let (_, body) = ask(&bench, QUERY, found).await;
    assert_eq!(
        body["tables"][0],
        json!({
            "name": "PrimaryResult", "columns": [{"name": "id_", "type": "string"}], "rows": [["m-1"]],
        })
    );
    let elsewhen = format!("{QUERY}?timespan=2026-01-01T00:00:00Z/2026-01-02T00:00:00Z");
    assert_eq!(ask(&bench, &elsewhen, found).await.1["tables"][0]["rows"], json!([]));
}

#[tokio::test]
async fn what_a_transformation_loses_is_in_the_log_of_the_rule_alone() {
    let stream = "Custom-DefenderIncidentsRaw_CL";
    let failing_transforms = [(stream.to_owned(), "no such column".to_owned())].into();
    let bench = bench(LogAnalyticsConfig { failing_transforms, ..LogAnalyticsConfig::default() }).await;
    let rows = bench.rows(r#"[{"id_": "1"}]"#).header("x-ms-client-request-id", "r-1");
    assert_eq!(rows.send().await.unwrap().status(), 204);
    assert_eq!(bench.rows("no JSON").send().await.unwrap().status(), 400);
    assert_eq!(bench.simulator.stats().rows_ingested, 0);
    let errors = format!(
        "DCRLogErrors | where InputStreamId == '{stream}' | project ClientRequestId, OperationName, Message"
    );
    let rows = ask(&bench, QUERY, &errors).await.1["tables"][0]["rows"].clone();
    assert_eq!(rows[0], json!(["r-1", "Transformation", "no such column"]));
    assert_eq!(rows[1][1], "Ingestion");
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_as_the_service_does() {
    let config = LogAnalyticsConfig { keeps_errors: false, ..LogAnalyticsConfig::default() };
    let bench = bench(config).await;
    for (path, query, status, code) in [
        (QUERY, "Nothing_CL | take 1", 400, "BadArgumentError"),
        (QUERY, "DCRLogErrors | take 1", 400, "BadArgumentError"),
        (QUERY, "DefenderIncidentsRaw_CL | where nothing == 'x'", 400, "BadArgumentError"),
        (QUERY, "DefenderIncidentsRaw_CL | summarize count()", 400, "BadArgumentError"),
        (
            "/v1/workspaces/9ba8bc53-bd36-4156-8667-e983e7ae0e4f/search",
            "DefenderIncidentsRaw_CL | take 1",
            400,
            "BadArgumentError",
        ),
        ("/v1/workspaces/other/query", "DefenderIncidentsRaw_CL | take 1", 404, "PathNotFoundError"),
    ] {
        let (found, body) = ask(&bench, path, query).await;
        assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{query}");
    }
    let with_wrong_token = bench.client.post(bench.url(QUERY)).bearer_auth(&bench.graph_token).body("{}");
    assert_eq!(with_wrong_token.send().await.unwrap().status(), 403);
    let roles = Roles { queries: false, ..Roles::default() };
    let bench = Bench::new(SimulatorConfig { roles, ..SimulatorConfig::default() }).await;
    assert_eq!(ask(&bench, QUERY, "DefenderIncidentsRaw_CL | take 1").await.0, 403);
}
