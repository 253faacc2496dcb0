//! Incidents to measure with: as the simulator makes them, three alerts each with five pieces of evidence.

use bytes::Bytes;
use microsoft::listing;
use runtime::clock::Clock;
use simulator::{Simulator, SimulatorConfig};

/// The bodies of Graph's answers, of fifty incidents each.
pub(crate) fn pages(incidents: usize) -> Vec<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = SimulatorConfig { graph_requests_per_minute: 100_000, ..SimulatorConfig::default() };
        config.incidents.initial = incidents;
        config.incidents.alerts_per_incident = 3;
        let simulator = Simulator::start(config.clone(), Clock::system()).await.unwrap();
        let ca = reqwest::Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let token = format!("{}/{}/oauth2/v2.0/token", simulator.url(), config.tenant_id);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &config.client_id)
            .append_pair("client_secret", &config.client_secret)
            .append_pair("scope", "https://graph.microsoft.com/.default")
            .finish();
        let form_type = "application/x-www-form-urlencoded";
        let answer = client.post(token).header("Content-Type", form_type).body(form).send().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let token = answer["access_token"].as_str().unwrap();
        let mut pages = Vec::new();
        let mut next =
            Some(format!("{}/v1.0/security/incidents?$top=50&$expand=alerts&$count=true", simulator.url()));
        while let Some(url) = next {
            let page = client.get(url).bearer_auth(token).send().await.unwrap().bytes().await.unwrap();
            next = listing::decode(&page).unwrap().next;
            pages.push(page);
        }
        pages
    })
}

/// The incidents' JSON texts.
#[allow(dead_code, reason = "each benchmark uses what it needs")]
pub(crate) fn incidents(count: usize) -> Vec<Bytes> {
    pages(count).iter().flat_map(|page| listing::decode(page).unwrap().members).collect()
}
