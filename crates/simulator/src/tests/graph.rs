use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

/// Follows the links from the first page to the last.
async fn all_pages(bench: &Bench, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(bench.url(&format!("{INCIDENTS}{query}")));
    while let Some(url) = next {
        let answer = bench.client.get(url).bearer_auth(&bench.graph_token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let page = json(answer).await;
        pages.push(ids(&page));
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    pages
}

#[tokio::test]
async fn pages_lead_through_everything_once() {
    let bench = Bench::with_incidents(120).await;
    let pages = all_pages(&bench, "").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    let distinct: BTreeSet<_> = pages.concat().into_iter().collect();
    assert_eq!(distinct.len(), 120);
    assert_eq!(all_pages(&bench, "").await, pages, "stable while nothing changes");
    let by_time = all_pages(&bench, "?$orderby=lastUpdateDateTime%20asc&$top=40").await;
    assert_ne!(by_time.concat(), pages.concat(), "not by time unless asked");
    let mut newest_first = all_pages(&bench, "?$orderby=lastUpdateDateTime%20desc&$top=7").await.concat();
    newest_first.reverse();
    assert_eq!(newest_first, by_time.concat());
    let current: Vec<_> = bench.simulator.tenant().current().into_iter().map(|one| one.id).collect();
    assert_eq!(by_time.concat(), current);
    assert_eq!(bench.simulator.stats().graph_incidents_served, 480);
    assert_eq!(bench.simulator.served().len(), 120);
}

#[tokio::test]
async fn an_incident_that_changes_while_somebody_pages_shifts_the_pages() {
    let bench = Bench::with_incidents(4).await;
    let query = "?$orderby=lastUpdateDateTime&$top=2&$count=true";
    let first = bench.incidents(query).await;
    assert_eq!(first["@odata.count"], 4);
    bench.simulator.tenant().touch(&ids(&first)[0]);
    let link = first["@odata.nextLink"].as_str().unwrap();
    let second = json(bench.client.get(link).bearer_auth(&bench.graph_token).send().await.unwrap()).await;
    let seen: BTreeSet<_> = [ids(&first), ids(&second)].concat().into_iter().collect();
    assert_eq!(seen.len(), 3, "one was skipped, one came twice");
}

#[tokio::test]
async fn a_filter_finds_what_was_updated_since() {
    let bench = Bench::with_incidents(30).await;
    let current = bench.simulator.tenant().current();
    let middle = &current[10];
    let since = |operator: &str| format!("?$filter=lastUpdateDateTime%20{operator}%20{}", middle.last_update);
    assert_eq!(ids(&bench.incidents(&since("ge")).await).len(), 20);
    assert_eq!(ids(&bench.incidents(&since("gt")).await).len(), 19);
    assert_eq!(ids(&bench.incidents(&since("eq")).await), vec![middle.id.clone()]);
    let listed =
        bench.incidents("?$filter=status%20eq%20%27active%27%20and%20severity%20eq%20%27high%27").await;
    let all = bench.incidents("").await;
    let expected = all["value"].as_array().unwrap().iter();
    let expected = expected.filter(|one| one["status"] == "active" && one["severity"] == "high").count();
    assert_eq!(ids(&listed).len(), expected);
    assert!(expected > 0);
}

#[tokio::test]
async fn alerts_with_evidence_come_only_when_asked_for() {
    let bench = Bench::with_incidents(40).await;
    let plain = bench.incidents("").await;
    assert!(plain["value"].as_array().unwrap().iter().all(|one| one.get("alerts").is_none()));
    let expanded = bench.incidents("?$expand=alerts").await;
    let evidence = expanded["value"].as_array().unwrap().iter();
    let evidence = evidence.flat_map(|one| one["alerts"].as_array().unwrap());
    let types: BTreeSet<_> = evidence
        .flat_map(|alert| alert["evidence"].as_array().unwrap())
        .map(|evidence| evidence["@odata.type"].as_str().unwrap())
        .collect();
    assert!(types.len() >= 10, "{types:?}");
    let id = ids(&plain).remove(0);
    let one = json(bench.graph(&format!("{INCIDENTS}/{id}?$expand=alerts")).send().await.unwrap()).await;
    assert!(expanded["value"].as_array().unwrap().contains(&one));
}

#[tokio::test]
async fn newer_enum_members_are_hidden_unless_asked_for() {
    let bench = Bench::with_incidents(0).await;
    bench.simulator.tenant().insert_raw(serde_json::json!({
        "id": "1", "status": "awaitingAction",
        "alerts": [{"serviceSource": "microsoftSentinel", "evidence": [{"remediationStatus": "active"}]}],
    }));
    bench.simulator.tenant().create(20);
    let hidden = bench.incidents("?$expand=alerts").await.to_string();
    for member in
        ["awaitingAction", "\"serviceSource\":\"microsoftSentinel\"", "\"remediationStatus\":\"active\""]
    {
        assert!(!hidden.contains(member), "{member}");
    }
    assert!(hidden.contains("unknownFutureValue"));
    let asked = bench.graph(&format!("{INCIDENTS}?$expand=alerts"));
    let asked = asked.header("Prefer", "odata.maxpagesize=5, include-unknown-enum-members");
    let shown = json(asked.send().await.unwrap()).await.to_string();
    assert!(shown.contains("awaitingAction") && !shown.contains("unknownFutureValue"));
}

#[tokio::test]
async fn errors_carry_the_ids_to_ask_support_with() {
    let bench = Bench::with_incidents(1).await;
    for (path, status, code) in [
        ("/v1.0/security/incidents?$top=51", 400, "BadRequest"),
        ("/v1.0/security/incidents?$select=id", 400, "BadRequest"),
        ("/beta/security/incidents/999", 404, "NotFound"),
    ] {
        let answer = bench.graph(path).header("client-request-id", "mine-1").send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["client-request-id"], "mine-1");
        let request_id = answer.headers()["request-id"].to_str().unwrap().to_owned();
        let error = json(answer).await["error"].take();
        assert_eq!(error["code"], code);
        assert_eq!(error["innerError"]["request-id"], request_id);
        assert_eq!(error["innerError"]["client-request-id"], "mine-1");
    }
}

#[tokio::test]
async fn an_answer_is_compressed_for_those_who_take_gzip() {
    let bench = Bench::with_incidents(50).await;
    let plain = bench.graph(INCIDENTS).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.text().await.unwrap();
    let zipped = bench.graph(INCIDENTS).header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let zipped = zipped.bytes().await.unwrap();
    assert!(zipped.len() * 3 < plain.len());
    assert_eq!(unzipped(&zipped), plain);
}

#[tokio::test(flavor = "current_thread")]
async fn above_the_quota_comes_429_until_the_minute_is_over() {
    let config = SimulatorConfig { graph_requests_per_minute: 2, ..SimulatorConfig::default() };
    let bench = Bench::new(config).await;
    bench.incidents("").await;
    bench.incidents("").await;
    let refused = bench.graph(INCIDENTS).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait: f64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0.0 && wait <= 60.0, "{wait}");
    let error = json(refused).await["error"].take();
    assert_eq!((&error["code"], &error["innerError"]["status"]), (&"TooManyRequests".into(), &"429".into()));
    let stats = bench.simulator.stats();
    assert_eq!((stats.graph_requests, stats.graph_throttled), (3, 1));
    assert_eq!((stats.graph_requests_last_minute, stats.graph_quota_per_minute), (2, 2));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs_f64(wait)).await;
    tokio::time::resume();
    bench.incidents("").await;
}

#[tokio::test]
async fn a_hundred_thousand_incidents_are_listed_in_bearable_time() {
    let incidents =
        IncidentsConfig { initial: 100_000, alerts_per_incident: 3, ..IncidentsConfig::default() };
    let config =
        SimulatorConfig { incidents, graph_requests_per_minute: 10_000, ..SimulatorConfig::default() };
    let bench = Bench::new(config).await;
    for page in 0..200 {
        let query = format!("?$count=true&$top=50&$skip={}", page * 500);
        let answer = bench.graph(&format!("{INCIDENTS}{query}")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
    assert_eq!(bench.simulator.served().len(), 10_000);
}
