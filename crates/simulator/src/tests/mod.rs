//! The simulator as a client sees it.

mod arm;
mod arm_gateway;
mod connector;
mod entra;
mod faults;
mod graph;
mod graph_write;
mod in_process;
mod ingestion;
mod log_analytics;
mod sentinel;
mod server;

use std::io::Read;

use chrono::DateTime;
use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde_json::Value;
use url::form_urlencoded;

use super::{IncidentsConfig, Simulator, SimulatorConfig};
use runtime::clock::Clock;

const GRAPH_SCOPE: &str = "https://graph.microsoft.com/.default";
const MONITOR_SCOPE: &str = "https://monitor.azure.com/.default";
const INCIDENTS: &str = "/v1.0/security/incidents";
const ROWS: &str = "/dataCollectionRules/dcr-00000000000000000000000000000001/streams/\
                    Custom-DefenderIncidentsRaw_CL?api-version=2023-01-01";

/// A simulator and a client that trusts it, with a token for each service.
struct Bench {
    simulator: Simulator,
    client: Client,
    graph_token: String,
    monitor_token: String,
}

impl Bench {
    async fn new(config: SimulatorConfig) -> Self {
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let simulator = Simulator::start(config, Clock::starting_at(start)).await.unwrap();
        let client = client_trusting(simulator.ca_pem());
        let mut bench = Self { simulator, client, graph_token: String::new(), monitor_token: String::new() };
        bench.graph_token = bench.token(GRAPH_SCOPE).await;
        bench.monitor_token = bench.token(MONITOR_SCOPE).await;
        bench
    }

    /// With this many incidents to read.
    async fn with_incidents(initial: usize) -> Self {
        let incidents = IncidentsConfig { initial, ..IncidentsConfig::default() };
        Self::new(SimulatorConfig { incidents, ..SimulatorConfig::default() }).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    /// A token request with some of its fields replaced; an empty value leaves the field out.
    fn token_request(&self, replaced: &[(&str, &str)]) -> RequestBuilder {
        let config = SimulatorConfig::default();
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &config.client_id),
            ("client_secret", &config.client_secret),
            ("scope", GRAPH_SCOPE),
        ];
        for (name, value) in replaced {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        fields.retain(|(_, value)| !value.is_empty());
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.client
            .post(self.url(&format!("/{}/oauth2/v2.0/token", config.tenant_id)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
    }

    async fn token(&self, scope: &str) -> String {
        let answer = self.token_request(&[("scope", scope)]).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        json(answer).await["access_token"].as_str().unwrap().to_owned()
    }

    fn graph(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.graph_token)
    }

    /// The incidents of a list that must succeed.
    async fn incidents(&self, query: &str) -> Value {
        let answer = self.graph(&format!("{INCIDENTS}{query}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{query}");
        json(answer).await
    }

    fn rows(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(self.url(ROWS))
            .bearer_auth(&self.monitor_token)
            .header("content-type", "application/json")
            .body(body)
    }
}

fn client_trusting(ca_pem: &str) -> Client {
    let ca = Certificate::from_pem(ca_pem.as_bytes()).unwrap();
    Client::builder().no_gzip().tls_certs_only([ca]).no_proxy().build().unwrap()
}

async fn json(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn unzipped(bytes: &[u8]) -> String {
    #[expect(clippy::disallowed_types, reason = "capped by take")]
    let mut decoder = flate2::read::GzDecoder::new(bytes).take(10_000_000);
    let mut text = String::new();
    decoder.read_to_string(&mut text).unwrap();
    text
}

fn ids(list: &Value) -> Vec<String> {
    let incidents = list["value"].as_array().unwrap().iter();
    incidents.map(|incident| incident["id"].as_str().unwrap().to_owned()).collect()
}
