use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json as value;

use super::sentinel::{Arm, NAME, VERSION, draft, refusal};
use super::*;
use crate::{ArmQuota, Roles, WorkspaceConfig, WorkspaceRole};

#[tokio::test]
async fn pages_have_unescaped_links_and_lead_through_everything() {
    let arm = Arm::new(WorkspaceConfig { initial: 120, ..WorkspaceConfig::default() }).await;
    let query = "&$filter=properties/status%20eq%20%27New%27&$orderby=properties/lastModifiedTimeUtc%20asc";
    let first = arm.get(&format!("{VERSION}{query}")).await;
    assert_eq!(first["value"].as_array().unwrap().len(), 50);
    let link = first["nextLink"].as_str().unwrap();
    assert!(
        link.contains("$filter=properties/status eq 'New'&$orderby=properties/lastModifiedTimeUtc asc&"),
        "{link}"
    );
    let mut seen = names(&first);
    let mut next = Some(link.to_owned());
    while let Some(link) = next {
        // What a client's own parser makes of it.
        let answer = arm.bench.client.get(link).bearer_auth(&arm.token).send().await.unwrap();
        let page = json(answer).await;
        seen.extend(names(&page));
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    let in_order: Vec<_> = arm
        .bench
        .simulator
        .workspace()
        .state()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen, in_order);
    assert_ne!(names(&arm.get(&format!("{VERSION}&$top=120")).await), in_order, "not by time unless asked");
    let escaped =
        Arm::new(WorkspaceConfig { initial: 2, escapes_next_link: true, ..WorkspaceConfig::default() }).await;
    let page = escaped.get(&format!("{VERSION}&$top=1{query}")).await;
    assert!(!page["nextLink"].as_str().unwrap().contains(' '));
}

#[tokio::test]
async fn an_incident_that_changes_while_somebody_pages_moves() {
    let arm = Arm::new(WorkspaceConfig { initial: 4, ..WorkspaceConfig::default() }).await;
    let first = arm.get(&format!("{VERSION}&$top=2&$orderby=properties/lastModifiedTimeUtc%20asc")).await;
    let moved = &names(&first)[0];
    arm.bench.simulator.workspace().edit(moved, &value!({"severity": "Low"})).unwrap();
    let link = first["nextLink"].as_str().unwrap();
    let second = json(arm.bench.client.get(link).bearer_auth(&arm.token).send().await.unwrap()).await;
    let seen: BTreeSet<_> = [names(&first), names(&second)].concat().into_iter().collect();
    assert_eq!(seen.len(), 3, "one was skipped, one came twice");
}

#[tokio::test]
async fn a_filter_is_exact_to_the_seventh_digit_and_an_unknown_one_is_refused() {
    let arm = Arm::new(WorkspaceConfig { initial: 5, ..WorkspaceConfig::default() }).await;
    let all = arm.get(&format!("{VERSION}&$orderby=properties/lastModifiedTimeUtc")).await;
    let middle = all["value"][2]["properties"]["lastModifiedTimeUtc"].as_str().unwrap();
    for (operator, expected) in [("ge", 3), ("gt", 2), ("le", 3), ("lt", 2)] {
        let filter = format!("&$filter=properties/lastModifiedTimeUtc%20{operator}%20{middle}");
        assert_eq!(names(&arm.get(&format!("{VERSION}{filter}")).await).len(), expected, "{operator}");
    }
    for query in [
        "&$filter=properties/providerIncidentId%20eq%20%2729%27",
        "&$orderby=properties/title",
        "&$top=1001",
        "&$top=0",
        "&$skipToken=junk",
    ] {
        let answer = arm.request(Method::GET, &format!("{VERSION}{query}")).send().await.unwrap();
        assert_eq!(refusal(answer).await.0, 400, "{query}");
    }
    let answer = arm.request(Method::GET, &format!("{VERSION}&$filter=title")).send().await.unwrap();
    assert_eq!(refusal(answer).await.2, "OData query syntax error");
}

#[tokio::test]
async fn the_gateway_asks_for_a_version_a_token_and_a_place() {
    let arm = Arm::new(WorkspaceConfig { initial: 1, ..WorkspaceConfig::default() }).await;
    let refused = |path: &str| arm.request(Method::GET, path).send();
    assert_eq!(refusal(refused("").await.unwrap()).await.1, "MissingApiVersionParameter");
    let (status, _, message) = refusal(refused("?api-version=2099-01-01").await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(message.contains("2025-09-01"), "{message}");
    arm.get("?api-version=2021-10-01").await;
    let whole = arm.bench.url(&format!("{}/incidents{VERSION}", arm.base));
    for (token, code) in [
        (None, "AuthenticationFailed"),
        (Some("junk"), "InvalidAuthenticationToken"),
        (Some(arm.bench.graph_token.as_str()), "InvalidAuthenticationTokenAudience"),
    ] {
        let request = arm.bench.client.get(&whole);
        let request = token.map(|token| request.try_clone().unwrap().bearer_auth(token)).unwrap_or(request);
        let (status, found, _) = refusal(request.send().await.unwrap()).await;
        assert_eq!((status, found.as_str()), (401, code));
    }
    for (from, to, code) in [
        ("d0cfe6b2", "00000000", "SubscriptionNotFound"),
        ("resourceGroups/soc/", "resourceGroups/other/", "ResourceGroupNotFound"),
        ("soc-workspace", "other-workspace", "ResourceNotFound"),
    ] {
        let elsewhere = arm.bench.client.get(whole.replace(from, to)).bearer_auth(&arm.token);
        let (status, found, _) = refusal(elsewhere.send().await.unwrap()).await;
        assert_eq!((status, found.as_str()), (404, code));
    }
}

#[tokio::test]
async fn each_role_can_do_a_little_more() {
    for (role, allowed) in [
        (WorkspaceRole::None, [403, 403, 403, 403]),
        (WorkspaceRole::Reader, [200, 403, 403, 403]),
        (WorkspaceRole::Responder, [200, 201, 201, 403]),
        (WorkspaceRole::Contributor, [200, 201, 201, 200]),
    ] {
        let roles = Roles { incidents: role, ..Roles::default() };
        let arm = Arm::of(SimulatorConfig { roles, ..SimulatorConfig::default() }).await;
        let list = arm.request(Method::GET, VERSION).send().await.unwrap().status();
        let put = arm.put_incident(&draft()).await.status();
        let comment = value!({"properties": {"message": "x"}});
        let comment = arm.put(&format!("/{NAME}/comments/1"), &comment).await.status();
        let delete =
            arm.request(Method::DELETE, &format!("/{NAME}/comments/1{VERSION}")).send().await.unwrap();
        assert_eq!([list, put, comment, delete.status()].map(|status| status.as_u16()), allowed, "{role:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_empty_bucket_is_a_429_until_it_has_a_token_again() {
    let quota = ArmQuota { reads: (2, 1), ..ArmQuota::default() };
    let arm = Arm::with_quota(WorkspaceConfig { quota, ..WorkspaceConfig::default() }).await;
    tokio::time::pause();
    let list = || async {
        let answer = arm.request(Method::GET, VERSION).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let remaining = header("x-ms-ratelimit-remaining-subscription-reads");
        (answer.status().as_u16(), remaining.unwrap(), header("retry-after"))
    };
    assert_eq!(list().await, (200, "1".to_owned(), None));
    assert_eq!(list().await, (200, "0".to_owned(), None));
    assert_eq!(list().await, (429, "0".to_owned(), Some("1".to_owned())));
    let written = arm.put_incident(&draft()).await;
    assert_eq!(written.headers()["x-ms-ratelimit-remaining-subscription-writes"], "199");
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(list().await.0, 200);
    assert_eq!(arm.bench.simulator.stats().security_insights_throttled, 1);
}

fn names(list: &Value) -> Vec<String> {
    let incidents = list["value"].as_array().unwrap().iter();
    incidents.map(|incident| incident["name"].as_str().unwrap().to_owned()).collect()
}
