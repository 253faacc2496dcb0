use serde_json::json;

use super::*;
use crate::Roles;

const MANAGEMENT_SCOPE: &str = "https://management.azure.com/.default";
const QUERY: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";

/// A simulator, and a token for Azure Resource Manager.
async fn bench(config: SimulatorConfig) -> (Bench, String) {
    let bench = Bench::new(config).await;
    let token = bench.token(MANAGEMENT_SCOPE).await;
    (bench, token)
}

impl Bench {
    async fn find(&self, token: &str, query: &str) -> (u16, Value) {
        let body = json!({"query": query}).to_string();
        let request = self.client.post(self.url(QUERY)).bearer_auth(token).body(body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn look(&self, token: &str, path: &str) -> (u16, Value) {
        let answer = self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }
}

fn by_immutable_id(id: &str) -> String {
    format!(
        "Resources | where type =~ 'microsoft.insights/datacollectionrules' | where properties.immutableId =~ '{id}' \
         | project id, location"
    )
}

#[tokio::test]
async fn a_rule_is_found_by_its_immutable_id_and_shown_with_its_table() {
    let (bench, token) = bench(SimulatorConfig::default()).await;
    let (status, found) = bench.find(&token, &by_immutable_id("DCR-00000000000000000000000000000001")).await;
    assert_eq!((status, &found["count"], &found["resultTruncated"]), (200, &json!(1), &json!("false")));
    assert_eq!(found["data"][0]["location"], "westeurope");
    let id = found["data"][0]["id"].as_str().unwrap();
    // Ids are the same in any case.
    let (status, rule) = bench.look(&token, &format!("{}?api-version=2023-03-11", id.to_lowercase())).await;
    assert_eq!(status, 200);
    let properties = &rule["properties"];
    let declared =
        properties["streamDeclarations"]["Custom-DefenderIncidentsRaw_CL"]["columns"].as_array().unwrap();
    assert!(declared.contains(&json!({"name": "priorityScore", "type": "int"})));
    assert_eq!(properties["dataFlows"][0]["outputStream"], "Custom-DefenderIncidentsRaw_CL");
    assert_eq!(properties["endpoints"]["logsIngestion"], bench.simulator.url());
    let workspace = properties["destinations"]["logAnalytics"][0]["workspaceResourceId"].as_str().unwrap();
    let table = |name: &str| format!("{workspace}/tables/{name}?api-version=2025-07-01");
    let (status, found) = bench.look(&token, &table("DefenderIncidentsRaw_CL")).await;
    assert_eq!((status, &found["properties"]["plan"]), (200, &json!("Analytics")));
    assert_eq!(found["properties"]["schema"]["columns"].as_array().unwrap().len(), declared.len());
    let (status, refused) = bench.look(&token, &table("Other_CL")).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("TableNotFound")));
    assert_eq!(bench.simulator.stats().resource_manager_requests, 4);
    let (_, nothing) = bench.find(&token, &by_immutable_id("dcr-2")).await;
    assert_eq!((&nothing["count"], &nothing["data"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn whoever_lacks_a_role_finds_nothing_and_is_refused() {
    let roles = Roles { reads_rules: false, reads_tables: false, ..Roles::default() };
    let (bench, token) = bench(SimulatorConfig { roles, ..SimulatorConfig::default() }).await;
    let (status, found) = bench.find(&token, &by_immutable_id("dcr-00000000000000000000000000000001")).await;
    assert_eq!((status, &found["count"]), (200, &json!(0)));
    for path in [
        "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/r?api-version=2023-03-11",
        "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/tables/T\
         ?api-version=2025-07-01",
    ] {
        let (status, refused) = bench.look(&token, path).await;
        assert_eq!((status, &refused["error"]["code"]), (403, &json!("AuthorizationFailed")), "{path}");
    }
}

#[tokio::test]
async fn only_a_token_for_this_audience_and_a_known_version_are_taken() {
    let (bench, token) = bench(SimulatorConfig::default()).await;
    let (status, refused) = bench.find(&bench.monitor_token, "resources").await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!("InvalidAuthenticationTokenAudience")));
    let rule = "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/r";
    for (path, status, code) in [
        (rule.to_owned(), 400, "MissingApiVersionParameter"),
        (format!("{rule}?api-version=2019-11-01"), 400, "InvalidApiVersionParameter"),
        (format!("{rule}?api-version=2023-03-11"), 404, "ResourceNotFound"),
        (format!("{rule}/unheard/of?api-version=2023-03-11"), 404, "InvalidResourceType"),
        (format!("{}?api-version=2023-03-11", rule.replace("d0cfe6b2", "0")), 404, "SubscriptionNotFound"),
    ] {
        let (found, refused) = bench.look(&token, &path).await;
        assert_eq!((found, refused["error"]["code"].as_str()), (status, Some(code)), "{path}");
    }
    for query in
        ["vms", "resources | summarize count()", "resources | where id == 'x'", "resources | where a =~ b"]
    {
        assert_eq!(bench.find(&token, query).await.0, 400, "{query}");
    }
}
