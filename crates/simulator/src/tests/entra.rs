use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::time::Duration;

use super::*;

/// Fields of a token request that are not as they should be.
type Fields = &'static [(&'static str, &'static str)];

async fn refused(request: RequestBuilder) -> (u16, String, u64) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = json(answer).await;
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS"), "{body}");
    (status, body["error"].as_str().unwrap().to_owned(), body["error_codes"][0].as_u64().unwrap())
}

#[tokio::test]
async fn every_wrong_field_has_its_own_refusal() {
    let bench = Bench::with_incidents(0).await;
    let cases: [(Fields, (u16, &str, u64)); 7] = [
        (&[("client_secret", "wrong")], (401, "invalid_client", 7_000_215)),
        (&[("client_secret", "")], (401, "invalid_client", 7_000_218)),
        (&[("client_id", "nobody")], (400, "unauthorized_client", 700_016)),
        (&[("scope", "https://graph.microsoft.com/User.Read")], (400, "invalid_scope", 70_011)),
        (&[("scope", "https://example.com/.default")], (400, "invalid_scope", 70_011)),
        (&[("grant_type", "password")], (400, "unsupported_grant_type", 70_003)),
        (&[("client_secret", ""), ("client_assertion", "x")], (401, "invalid_client", 7_000_218)),
    ];
    for (fields, (status, error, code)) in cases {
        assert_eq!(
            refused(bench.token_request(fields)).await,
            (status, error.to_owned(), code),
            "{fields:?}"
        );
    }
    let elsewhere = bench.client.post(bench.url("/other-tenant/oauth2/v2.0/token"));
    assert_eq!(refused(elsewhere).await, (400, "invalid_request".to_owned(), 90_002));
    assert_eq!(bench.simulator.stats().tokens_refused, 8);
}

#[tokio::test]
async fn a_client_assertion_is_read_but_its_signature_is_not() {
    let bench = Bench::with_incidents(0).await;
    let config = SimulatorConfig::default();
    let here = bench.url(&format!("/{}/oauth2/v2.0/token", config.tenant_id));
    let later = 1_790_000_300;
    let own =
        serde_json::json!({"iss": config.client_id, "sub": config.client_id, "aud": here, "exp": later});
    let mut elsewhere = own.clone();
    elsewhere["aud"] = "https://login.microsoftonline.com/".into();
    let mut late = own.clone();
    late["exp"] = 1_789_999_999.into();
    let workload = serde_json::json!({"iss": "https://oidc.example", "sub": "pod", "exp": later});
    for (claims, code) in [(own, 0), (workload, 0), (elsewhere, 700_023), (late, 700_024)] {
        let parts = ["{}", &claims.to_string(), "any"].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let assertion = parts.join(".");
        let request = bench.token_request(&[
            ("client_secret", ""),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ]);
        if code == 0 {
            assert_eq!(request.send().await.unwrap().status(), 200, "{claims}");
        } else {
            assert_eq!(refused(request).await, (401, "invalid_client".to_owned(), code), "{claims}");
        }
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_audience_only() {
    let mut bench = Bench::with_incidents(1).await;
    std::mem::swap(&mut bench.graph_token, &mut bench.monitor_token);
    let graph = bench.graph(INCIDENTS).send().await.unwrap();
    assert_eq!(graph.status(), 401);
    assert_eq!(json(graph).await["error"]["code"], "InvalidAuthenticationToken");
    assert_eq!(bench.rows("[]").send().await.unwrap().status(), 403);
    let own_scope = format!("{}/.default", bench.simulator.url());
    bench.graph_token = bench.token(&own_scope).await;
    assert_eq!(bench.graph(INCIDENTS).send().await.unwrap().status(), 200);
    bench.monitor_token = bench.token("https://monitor.azure.us/.default").await;
    assert_eq!(bench.rows("[]").send().await.unwrap().status(), 204);
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_expires() {
    let bench = Bench::with_incidents(1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3590)).await;
    tokio::time::resume();
    assert_eq!(bench.graph(INCIDENTS).send().await.unwrap().status(), 200);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    assert_eq!(bench.graph(INCIDENTS).send().await.unwrap().status(), 401);
    assert_eq!(bench.rows("[]").send().await.unwrap().status(), 401);
    assert_eq!(bench.client.get(bench.url(INCIDENTS)).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn discovery_leads_to_the_token_endpoint() {
    let bench = Bench::with_incidents(0).await;
    let tenant = SimulatorConfig::default().tenant_id;
    let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let document = json(bench.client.get(bench.url(&path)).send().await.unwrap()).await;
    assert_eq!(document["token_endpoint"], bench.url(&format!("/{tenant}/oauth2/v2.0/token")));
}

#[tokio::test]
async fn a_managed_identity_must_say_that_it_wants_metadata() {
    let bench = Bench::with_incidents(1).await;
    let path =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmonitor.azure.com";
    let request = || bench.client.get(bench.url(path));
    assert_eq!(request().send().await.unwrap().status(), 400);
    let token = json(request().header("Metadata", "true").send().await.unwrap()).await;
    assert_eq!(token["expires_in"], "3599");
    assert!(token["expires_on"].is_string(), "{token}");
    let rows = bench.client.post(bench.url(ROWS)).header("content-type", "application/json").body("[]");
    let answer = rows.bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}
