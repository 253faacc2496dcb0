use http_body_util::{BodyExt, Full};
use serde_json::json;

use runtime::retry::Verdict;

use super::*;
use crate::error::ServiceError;
use crate::http::ProxyConfig;
use crate::tls::TlsConfig;

/// The options of a connection that nothing is asked of in particular.
fn options() -> HttpOptions {
    HttpOptions {
        tls: TlsConfig::default(),
        proxy: ProxyConfig::default(),
        timeout: Duration::from_secs(1),
        https_only: true,
    }
}

/// What comes of asking for a token over `edge`.
async fn fetched(kind: &str, edge: Edge) -> Result<Token, TokenError> {
    let auth: AuthConfig = serde_json::from_value(match kind {
        "managed_identity" => json!({"azure_credential_kind": kind}),
        _ => json!({"azure_credential_kind": kind, "azure_tenant_id": "t", "azure_client_id": "c",
            "azure_client_secret": "s"}),
    })
    .unwrap();
    let local = edge.clone();
    let connector = Connector::with(Clock::system(), move |_| Ok(local.clone()));
    let identity = auth.identity(Cloud::Public, &options(), edge, &connector).unwrap();
    identity.fetch("https://graph.microsoft.com/.default").await
}

/// What a token request comes to whose answer is this.
async fn asked(kind: &str, answer: Result<(u16, String), EdgeError>) -> ServiceError {
    let edge = Edge::new(tower::service_fn(move |_: http::Request<Bytes>| {
        let answer = answer.clone();
        async move {
            let (status, body) = answer?;
            let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
            Ok(http::Response::builder().status(status).body(body).unwrap())
        }
    }));
    fetched(kind, edge).await.unwrap_err().into()
}

fn refusal(code: &str) -> String {
    json!({"error": "invalid_client", "error_description": format!("{code}: no."), "error_codes": [1]})
        .to_string()
}

#[tokio::test]
async fn each_way_of_getting_no_token_has_its_own_label_and_words() {
    let lost = || "reset".to_owned();
    for (answer, error_type, words) in [
        (Ok((401, refusal("AADSTS7000215"))), "authentication_failed", "the client secret is wrong"),
        (Ok((400, refusal("AADSTS90002"))), "authentication_failed", "no such tenant"),
        (Ok((429, json!({"error": "throttled"}).to_string())), "unavailable", "trying again"),
        (Ok((503, json!({"error": "temporarily_unavailable"}).to_string())), "unavailable", "trying again"),
        (Ok((502, "<html>Bad Gateway</html>".to_owned())), "unavailable", "trying again"),
        (Err(EdgeError::Refused(lost())), "connection_failed", "connection is refused"),
        (Err(EdgeError::Proxy(lost())), "proxy_failed", "cannot get through the proxy"),
        (Err(EdgeError::Tls(lost())), "tls_failed", "no TLS connection"),
        (Err(EdgeError::TimedOut(lost())), "timed_out", "within the time limit"),
    ] {
        let error = asked("client_secret_credential", answer).await;
        assert_eq!(error.error_type(), error_type, "{error}");
        assert!(error.message().starts_with("no token: ") && error.message().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_the_endpoint_of_managed_identities_says_is_said_at_once_with_what_to_do() {
    let several = json!({"error": "invalid_request", "error_description":
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"});
    let no_such = json!({"error": "invalid_request", "error_description": "Identity not found"});
    for (status, body, error_type, words) in [
        (400, several.to_string(), "authentication_failed", "set auth.user_assigned_managed_identity_id"),
        (400, no_such.to_string(), "authentication_failed", "has no such identity"),
        (403, "denied".to_owned(), "authentication_failed", "(it says: denied)"),
        (404, String::new(), "unavailable", "HTTP 404: the managed identity's endpoint is not ready"),
        (410, String::new(), "unavailable", "HTTP 410: the managed identity's endpoint is not ready"),
        (429, json!({"error": "throttled"}).to_string(), "unavailable", "too many requests"),
        (500, "<html>no</html>".to_owned(), "unavailable", "the managed identity's endpoint failed"),
    ] {
        // Without a clock that goes on, what is tried again by itself would not end.
        let error = asked("managed_identity", Ok((status, body))).await;
        assert_eq!(error.error_type(), error_type, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_waited_for() {
    for kind in ["managed_identity", "client_secret_credential"] {
        let edge = Edge::new(tower::service_fn(|_: http::Request<Bytes>| async {
            let body = Full::new(Bytes::from_static(b"{}")).map_err(|never| match never {});
            let answer = http::Response::builder().status(429).header("Retry-After", "8");
            Ok(answer.body(body.boxed_unsync()).unwrap())
        }));
        let error = ServiceError::from(fetched(kind, edge).await.unwrap_err());
        assert_eq!(error.verdict(), Verdict::RetryAfter(Duration::from_secs(8)), "{kind}: {error}");
    }
}

#[tokio::test]
async fn a_managed_identity_that_is_not_there_is_told_from_an_endpoint_that_fails() {
    let nobody = asked("managed_identity", Err(EdgeError::Unreachable("no route".to_owned()))).await;
    assert!(nobody.message().contains("that works only on Azure"), "{nobody}");
    let busy = asked("managed_identity", Ok((503, "{}".to_owned()))).await;
    assert_eq!(busy.error_type(), "unavailable", "{busy}");
}

/// What a managed identity's token comes to that ends at `expires_on`, as of an answer of that date.
async fn lifetime(expires_on: i64, date: Option<i64>) -> Duration {
    let body = json!({"access_token": "t", "expires_on": expires_on.to_string(), "resource": "r",
        "token_type": "Bearer"});
    let date = date.map(|date| DateTime::from_timestamp(date, 0).unwrap().to_rfc2822());
    let edge = Edge::new(tower::service_fn(move |_: http::Request<Bytes>| {
        let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
        let mut answer = http::Response::new(body.boxed_unsync());
        if let Some(date) = &date {
            answer.headers_mut().insert(http::header::DATE, date.parse().unwrap());
        }
        async move { Ok(answer) }
    }));
    fetched("managed_identity", edge).await.unwrap().lifetime
}

#[tokio::test]
async fn how_long_a_token_lives_is_counted_by_the_clock_that_gives_it() {
    let now = Clock::system().now().timestamp();
    let about_an_hour = |lifetime: Duration| (3_590..3_610).contains(&lifetime.as_secs());
    assert!(about_an_hour(lifetime(now + 3_600, None).await));
    // Our clock is two hours ahead.
    assert!(about_an_hour(lifetime(now - 3_600, Some(now - 7_200)).await));
    // Or behind.
    assert!(about_an_hour(lifetime(now + 10_800, Some(now + 7_200)).await));
    assert_eq!(lifetime(now - 3_600, None).await, Duration::ZERO);
}

/// An edge that answers with 200 and this, and notes what it was asked for.
fn answering(answer: serde_json::Value) -> (Edge, Arc<std::sync::Mutex<Vec<String>>>) {
    let asked = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&asked);
    let edge = Edge::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let (uri, body) = (request.uri().to_string(), String::from_utf8_lossy(request.body()).into_owned());
        noted.lock().unwrap().push(format!("{uri} {body}"));
        let body = Full::new(Bytes::from(answer.to_string())).map_err(|never| match never {}).boxed_unsync();
        async move { Ok(http::Response::new(body)) }
    }));
    (edge, asked)
}

#[tokio::test]
async fn a_managed_identity_vouches_for_an_application_of_another_tenant() {
    let auth: AuthConfig = serde_json::from_value(json!({
        "azure_credential_kind": "managed_identity_client_assertion",
        "user_assigned_managed_identity_id": "mine",
        "client_assertion_tenant_id": "customer", "client_assertion_client_id": "app",
    }))
    .unwrap();
    let mut problems = Vec::new();
    auth.validate("auth", &mut problems);
    assert_eq!(problems, []);
    let token = |text: &str| json!({"access_token": text, "expires_in": 3_600, "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"});
    let (local, at_home) = answering(token("vouches"));
    let (login, abroad) = answering(token("the application's"));
    let connector = Connector::with(Clock::system(), move |_| Ok(local.clone()));
    let identity = auth.identity(Cloud::Public, &options(), login, &connector).unwrap();
    let token = identity.fetch("https://monitor.azure.com/.default").await.unwrap();
    assert_eq!(token.secret.expose(), "the application's");
    let (here, there) = (at_home.lock().unwrap().join("\n"), abroad.lock().unwrap().join("\n"));
    assert!(here.contains("AzureADTokenExchange") && here.contains("client_id=mine"), "{here}");
    assert!(there.starts_with("https://login.microsoftonline.com/customer/"), "{there}");
    for part in ["client_assertion=vouches", "client_id=app", "scope=https%3A%2F%2Fmonitor.azure.com"] {
        assert!(there.contains(part), "{there}");
    }
}
