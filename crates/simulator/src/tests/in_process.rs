use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use super::*;
use crate::entra::tokens::Audience;
use crate::{ConnectorConfig, Dcr, Fault, InProcess, Service, TransportError, WorkspaceConfig};

const ROW: &str = r#"[{"id_": "1", "lastUpdateDateTime": "2026-02-25T16:29:33.1Z", "undeclared": 1}]"#;
const LIST: &str =
    "/v1.0/security/incidents?$expand=alerts&$count=true&$top=2&$orderby=lastUpdateDateTime%20asc";

/// A request: method, path, headers, body.
type Asked<'a> = (&'a str, String, Vec<(&'a str, String)>, String);
/// What it came to.
type Answered = (StatusCode, HeaderMap, String);

fn config() -> SimulatorConfig {
    let incidents = IncidentsConfig { initial: 5, ..IncidentsConfig::default() };
    SimulatorConfig { incidents, ..SimulatorConfig::default() }
}

fn clock() -> Clock {
    Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap())
}

/// A runtime that panics if anybody opens a socket.
fn without_sockets() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn request((method, path, headers, body): Asked<'_>) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(format!("https://simulator.test{path}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Bytes::from(body)).unwrap()
}

fn rows(token: &str) -> Asked<'static> {
    let headers =
        vec![("authorization", format!("Bearer {token}")), ("content-type", "application/json".into())];
    ("POST", ROWS.to_owned(), headers, ROW.to_owned())
}

/// A token, rows, incidents with their alerts, and what is refused, one after the other.
async fn story(send: impl AsyncFn(Asked<'_>) -> Answered) -> Vec<Answered> {
    let mut answers = Vec::new();
    let mut tokens = Vec::new();
    for scope in [MONITOR_SCOPE, GRAPH_SCOPE] {
        let config = config();
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", &config.client_id),
            ("client_secret", &config.client_secret),
            ("scope", scope),
        ];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let answer = send(("POST", format!("/{}/oauth2/v2.0/token", config.tenant_id), headers, form)).await;
        let body: Value = serde_json::from_str(&answer.2).unwrap();
        tokens.push(body["access_token"].as_str().unwrap().to_owned());
        answers.push(answer);
    }
    answers.push(send(rows(&tokens[0])).await);
    for (path, token) in [(LIST, &tokens[1]), (LIST, &tokens[0]), ("/nowhere", &tokens[1])] {
        let headers = vec![("authorization", format!("Bearer {token}"))];
        answers.push(send(("GET", path.to_owned(), headers, String::new())).await);
    }
    answers
}

fn answered(status: StatusCode, mut headers: HeaderMap, body: &[u8], url: &str) -> Answered {
    let body = String::from_utf8(body.to_vec()).unwrap().replace(url, "https://simulator.test");
    // Addresses are of different lengths.
    if let Some(length) = headers.get_mut("content-length") {
        *length = body.len().into();
    }
    (status, headers, body)
}

#[test]
fn without_a_socket_the_answers_are_those_of_the_socket() {
    let over_a_socket = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let over_a_socket = over_a_socket.block_on(async {
        let simulator = Simulator::start(config(), clock()).await.unwrap();
        let ca = Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
        // No timers, so that the paused clock stands still.
        let client = Client::builder().no_gzip().tls_certs_only([ca]).no_proxy().pool_max_idle_per_host(0);
        let client = client.build().unwrap();
        let url = simulator.url();
        let send = async |(method, path, headers, body): Asked<'_>| {
            let mut request = client.request(method.parse().unwrap(), format!("{url}{path}"));
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let answer = request.body(body).send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            answered(status, headers, &answer.bytes().await.unwrap(), &url)
        };
        story(send).await
    });
    let in_process = without_sockets().block_on(async {
        let simulator = Simulator::in_process(config(), clock()).unwrap();
        let service = simulator.service();
        let send = async |asked: Asked<'_>| {
            let answer = service.clone().oneshot(request(asked)).await.unwrap();
            let (parts, body) = answer.into_parts();
            answered(
                parts.status,
                parts.headers,
                &to_bytes(body, usize::MAX).await.unwrap(),
                &simulator.url(),
            )
        };
        let answers = story(send).await;
        assert_eq!((simulator.stats().rows_ingested, simulator.served().len()), (1, 2));
        answers
    });
    let statuses: Vec<_> = in_process.iter().map(|(status, ..)| status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 204, 200, 401, 404]);
    assert!(in_process[3].2.contains("\"evidence\"") && in_process[3].2.contains("@odata.nextLink"));
    for ((status, headers, body), other) in in_process.iter().zip(&over_a_socket) {
        assert_eq!(headers["date"], "Mon, 21 Sep 2026 14:13:20 GMT");
        assert_eq!((status, headers), (&other.0, &other.1));
        assert!(*body == other.2, "{body:.300} is not {:.300}", other.2);
    }
}

/// A simulator without a socket, and a token for rows.
fn bench(config: SimulatorConfig) -> (Simulator, InProcess, String) {
    let simulator = Simulator::in_process(config, clock()).unwrap();
    let service = simulator.service();
    let token = simulator.state.tokens.issue(Audience::Monitor, simulator.state.clock.now());
    (simulator, service, token)
}

#[test]
fn a_fault_that_ends_the_connection_is_an_error_of_its_kind() {
    without_sockets().block_on(async {
        let (simulator, service, token) = bench(config());
        for (fault, error, ingested) in [
            (Fault::Reset, TransportError::Reset, 0),
            (Fault::ResetAfter, TransportError::Reset, 1),
            (Fault::CutBody, TransportError::Closed, 2),
        ] {
            simulator.faults().script(Service::LogsIngestion, vec![fault.clone()]);
            let answer = service.clone().oneshot(request(rows(&token))).await;
            assert_eq!(answer.unwrap_err(), error, "{fault:?}");
            assert_eq!(simulator.stats().rows_ingested, ingested, "{fault:?}");
        }
        assert_eq!(simulator.stats().ingestion_at_once, 0);
    });
}

#[test]
fn a_cut_body_fails_half_way() {
    without_sockets().block_on(async {
        let (simulator, service, _) = bench(config());
        simulator.faults().script(Service::Graph, vec![Fault::CutBody]);
        let asked = ("GET", INCIDENTS.to_owned(), Vec::new(), String::new());
        let answer = service.oneshot(request(asked)).await.unwrap();
        let whole: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let mut body = answer.into_body().into_data_stream();
        let first = futures::StreamExt::next(&mut body).await.unwrap().unwrap();
        assert_eq!(first.len(), whole / 2);
        assert!(futures::StreamExt::next(&mut body).await.unwrap().is_err());
    });
}

#[test]
fn what_was_begun_is_done_even_if_nobody_waits_for_it() {
    without_sockets().block_on(async {
        let (simulator, service, token) = bench(config());
        let delay = Fault::Delay(Duration::from_mins(5));
        simulator.faults().script(Service::LogsIngestion, vec![delay]);
        let impatient = service.with_timeout(Duration::from_mins(1));
        let answer = impatient.oneshot(request(rows(&token))).await;
        assert_eq!(answer.unwrap_err(), TransportError::TimedOut);
        assert_eq!((simulator.stats().ingestion_at_once, simulator.stats().rows_ingested), (1, 0));
        simulator.wait_until(|stats| stats.ingestion_at_once == 0).await;
        assert_eq!(simulator.stats().rows_ingested, 1);
        assert_eq!(simulator.state.clock.now(), DateTime::from_timestamp(1_790_000_300, 0).unwrap());
    });
}

#[test]
fn nobody_listens_elsewhere_or_after_the_end() {
    without_sockets().block_on(async {
        let host = Some("ingest.contoso.test".to_owned());
        let elsewhere = Dcr { host, immutable_id: "dcr-2".to_owned(), ..Dcr::defender_incidents() };
        let (simulator, service, token) = bench(SimulatorConfig { more_dcrs: vec![elsewhere], ..config() });
        let send = async |host: &str, rule: &str| {
            let mut asked = request(rows(&token));
            let path = ROWS.replace("dcr-00000000000000000000000000000001", rule);
            *asked.uri_mut() = format!("https://{host}{path}").parse().unwrap();
            service.clone().oneshot(asked).await.map(|answer| answer.status().as_u16())
        };
        let first = "dcr-00000000000000000000000000000001";
        assert_eq!(send("simulator.test", first).await, Ok(204));
        assert_eq!(send("simulator.test", "dcr-2").await, Ok(404), "it takes rows at its own host only");
        assert_eq!(send("ingest.contoso.test", "dcr-2").await, Ok(204));
        for stranger in ["graph.microsoft.com", "simulator.test:8443"] {
            assert_eq!(send(stranger, first).await, Err(TransportError::Refused));
        }
        simulator.shutdown().await;
        assert_eq!(send("simulator.test", first).await, Err(TransportError::Refused));
    });
}

#[test]
fn a_tenant_lives_without_a_task() {
    without_sockets().block_on(async {
        let incidents = IncidentsConfig { changes_per_minute: 600.0, ..IncidentsConfig::default() };
        let (simulator, _, _) = bench(SimulatorConfig { incidents, ..SimulatorConfig::default() });
        assert!(simulator.tenant().is_empty());
        simulator.state.clock.sleep(Duration::from_mins(1)).await;
        let opened = simulator.tenant().len();
        assert!((100..500).contains(&opened), "{opened}");
        let times: std::collections::BTreeSet<_> =
            simulator.tenant().current().into_iter().map(|one| one.last_update).collect();
        assert!(times.first().unwrap().as_str() < "2026-09-21T14:13:30", "they happened when they were due");
    });
}

#[test]
fn the_same_seed_gives_the_same_answers_in_the_same_order() {
    let told = || {
        without_sockets().block_on(async {
            let incidents =
                IncidentsConfig { initial: 20, changes_per_minute: 60.0, ..IncidentsConfig::default() };
            let connector = Some(ConnectorConfig { percent: 50, delay: Duration::from_secs(20) });
            let workspace = WorkspaceConfig { initial: 20, connector, ..WorkspaceConfig::default() };
            let (simulator, service, token) =
                bench(SimulatorConfig { seed: 7, incidents, workspace, ..SimulatorConfig::default() });
            simulator
                .faults()
                .at_random(Service::LogsIngestion, vec![(0.3, Fault::ResetAfter), (0.3, Fault::CutBody)]);
            for _ in 0..60 {
                service.clone().oneshot(request(rows(&token))).await.ok();
                simulator.state.clock.sleep(Duration::from_secs(1)).await;
            }
            (simulator.tenant().state(), simulator.workspace().state(), simulator.stats(), simulator.rows())
        })
    };
    let (first, second) = (told(), told());
    assert!(first == second, "two runs of one seed differ");
    assert!((10..50).contains(&first.2.faults_fired), "{}", first.2.faults_fired);
}

#[test]
fn a_simulator_outlives_the_runtimes_of_its_clients() {
    let config = SimulatorConfig { graph_requests_per_minute: 1, ..config() };
    let listed = ("GET", INCIDENTS.to_owned(), Vec::new(), String::new());
    let (simulator, token) = without_sockets().block_on(async {
        let (simulator, service, token) = bench(config);
        let graph_token = simulator.state.tokens.issue(Audience::Graph, simulator.state.clock.now());
        let mut listed = request(listed.clone());
        listed.headers_mut().insert("authorization", format!("Bearer {graph_token}").parse().unwrap());
        assert_eq!(service.clone().oneshot(listed.clone()).await.unwrap().status(), 200);
        simulator.state.clock.sleep(Duration::from_mins(50)).await;
        assert_eq!(service.clone().oneshot(listed.clone()).await.unwrap().status(), 200);
        assert_eq!(service.oneshot(listed).await.unwrap().status(), 429);
        simulator.faults().script(Service::LogsIngestion, vec![Fault::Delay(Duration::from_hours(1))]);
        let begun = tokio::spawn(simulator.service().oneshot(request(rows(&token))));
        simulator.state.clock.sleep(Duration::from_secs(1)).await;
        assert!(!begun.is_finished());
        (simulator, token)
    });
    assert_eq!(simulator.stats().ingestion_at_once, 0, "the crash took what was under way");
    without_sockets().block_on(async {
        simulator.follow(Clock::starting_at(DateTime::from_timestamp(1_790_003_030, 0).unwrap()));
        let answer = simulator.service().oneshot(request(rows(&token))).await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()["date"], "Mon, 21 Sep 2026 15:03:50 GMT");
        assert_eq!(simulator.stats().graph_requests_last_minute, 1, "the quota knows the time");
        simulator.state.clock.sleep(Duration::from_mins(10)).await;
        let answer = simulator.service().oneshot(request(rows(&token))).await.unwrap();
        assert_eq!(answer.status(), 401, "the token has expired meanwhile");
    });
}
