//! Every kind of credential gets a token and reads incidents; the proxy carries the token call too.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use simulator::SimulatorConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Bench, PATIENCE, program};

/// Probes a pipeline whose source has these `auth` options, with these variables. Answers what was printed.
async fn probe(bench: &Bench, auth: Value, variables: &[(&str, &str)]) -> String {
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["auth"] = auth;
    probe_pipeline(bench, &pipeline, variables).await
}

/// Kinds of machines whose managed identities we cannot use are refused with what to use, before anybody is asked.
#[tokio::test]
async fn a_managed_identity_of_azure_arc_is_refused_with_what_to_use() {
    let bench = Bench::start(SimulatorConfig::default()).await;
    let auth = json!({"azure_credential_kind": "managed_identity"});
    let url = "http://localhost:40342/metadata/identity/oauth2/token";
    let arc = [("IDENTITY_ENDPOINT", url), ("IMDS_ENDPOINT", "http://localhost:40342")];
    let printed = probe(&bench, auth, &arc).await;
    for words in ["Azure Arc managed identity isn't supported", "Take client_certificate_credential"] {
        assert!(printed.contains(words), "{printed}");
    }
}

async fn probe_pipeline(bench: &Bench, pipeline: &Value, variables: &[(&str, &str)]) -> String {
    let file = bench.file(pipeline);
    let mut command = program();
    command.args(["validate", "--probe", "-c", file.to_str().unwrap()]).envs(variables.iter().copied());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_reads(printed: &str) {
    assert!(printed.contains("sources.defender: reading works"), "{printed}");
}

/// A token of the simulator for Graph.
async fn graph_token(bench: &Bench) -> String {
    let ca = reqwest::Certificate::from_pem(bench.simulator.ca_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &bench.config.client_id)
        .append_pair("client_secret", &bench.config.client_secret)
        .append_pair("scope", "https://graph.microsoft.com/.default")
        .finish();
    let url = format!("{}/{}/oauth2/v2.0/token", bench.simulator.url(), bench.config.tenant_id);
    let form_type = "application/x-www-form-urlencoded";
    let answer = client.post(url).header("Content-Type", form_type).body(form).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_certificate_proves_the_application() {
    let bench = Bench::with_incidents(1).await;
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
    let pem = bench.path("application.pem");
    std::fs::write(&pem, format!("{}{}", key.serialize_pem(), certificate.pem())).unwrap();
    let auth = json!({
        "azure_credential_kind": "client_certificate_credential",
        "azure_tenant_id": bench.config.tenant_id,
        "azure_client_id": bench.config.client_id,
        "certificate_path": pem,
        "authority_host": bench.simulator.url(),
    });
    assert_reads(&probe(&bench, auth.clone(), &[]).await);
    std::fs::remove_file(&pem).unwrap();
    let printed = probe(&bench, auth, &[]).await;
    assert!(printed.contains("auth.certificate_path") && printed.contains("application.pem"), "{printed}");
}

#[tokio::test]
async fn a_workload_identity_shows_the_service_accounts_token() {
    let bench = Bench::with_incidents(1).await;
    // {} . {"exp": in 2100} . signature; the simulator does not check signatures.
    let token = "e30.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZSIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln";
    let file = bench.path("token");
    std::fs::write(&file, token).unwrap();
    let auth = json!({"azure_credential_kind": "workload_identity", "authority_host": bench.simulator.url()});
    let variables = [
        ("AZURE_TENANT_ID", bench.config.tenant_id.as_str()),
        ("AZURE_CLIENT_ID", bench.config.client_id.as_str()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    assert_reads(&probe(&bench, auth.clone(), &variables).await);
    let printed = probe(&bench, auth, &[]).await;
    assert!(printed.contains("AZURE_TENANT_ID") || printed.contains("tenant"), "{printed}");
}

#[tokio::test]
async fn the_azure_command_is_asked_for_a_token() {
    let bench = Bench::with_incidents(1).await;
    let az = bench.path("az");
    let answer = json!({"accessToken": graph_token(&bench).await, "expires_on": 4_102_444_800_i64, "tokenType": "Bearer"});
    std::fs::write(&az, format!("#!/bin/sh\nprintf '%s' '{answer}'\n")).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bench.dir.path().display());
    assert_reads(&probe(&bench, json!({"azure_credential_kind": "azure_cli"}), &[("PATH", &path)]).await);
}

#[tokio::test]
async fn a_managed_identity_is_asked_for_on_this_machine_and_never_through_a_proxy() {
    let bench = Bench::with_incidents(1).await;
    // An Azure service tells its programs where to ask, over plain HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/msi/token", listener.local_addr().unwrap());
    let body = json!({
        "access_token": graph_token(&bench).await, "expires_on": "4102444800", "token_type": "Bearer",
        "resource": "https://graph.microsoft.com",
    })
    .to_string();
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut request).await.unwrap(), 0);
        }
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
        stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        request
    });
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["auth"] = json!({"azure_credential_kind": "managed_identity", "user_assigned_managed_identity_id": "my-identity"});
    // A proxy that is not there: only what goes around it works.
    pipeline["sources"]["defender"]["proxy"] =
        json!({"https": "http://127.0.0.1:9", "http": "http://127.0.0.1:9"});
    let printed =
        probe_pipeline(&bench, &pipeline, &[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", "header")])
            .await;
    let request = asked.await.unwrap();
    assert!(
        request.contains("client_id=my-identity") && request.contains("graph.microsoft.com"),
        "{request}"
    );
    assert!(
        printed.contains("sources.defender: cannot get through the proxy"),
        "Graph itself is behind the proxy: {printed}"
    );
}

/// A proxy that connects whoever asks, and counts them.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
                let mut upstream = TcpStream::connect(target).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                drop(copy_bidirectional(&mut stream, &mut upstream).await);
            });
        }
    });
    (format!("http://{address}"), count)
}

#[tokio::test]
async fn every_call_goes_through_the_proxy_the_token_call_too() {
    let bench = Bench::start(SimulatorConfig::default()).await;
    let (url, count) = proxy().await;
    let mut pipeline = bench.pipeline();
    for part in ["/sources/defender", "/sinks/sentinel"] {
        pipeline.pointer_mut(part).unwrap().as_object_mut().unwrap().remove("proxy");
    }
    let works = |printed: &str| printed.contains("reading works") && printed.contains("ingesting works");

    // From the environment.
    let printed = probe_pipeline(&bench, &pipeline, &[("HTTPS_PROXY", &url)]).await;
    assert!(works(&printed), "{printed}");
    // For each component one connection, because the login host and its service are one here; or another, if that is not back in
    // the pool in time.
    assert!((2..=4).contains(&count.swap(0, Ordering::Relaxed)));
    // From the file, which wins.
    pipeline["proxy"] = json!({"https": url});
    let printed = probe_pipeline(&bench, &pipeline, &[("HTTPS_PROXY", "http://127.0.0.1:9")]).await;
    assert!(works(&printed), "{printed}");
    assert!((2..=4).contains(&count.swap(0, Ordering::Relaxed)));
    // Around it.
    pipeline["proxy"] = json!({"https": url, "no_proxy": ["127.0.0.1"]});
    assert!(works(&probe_pipeline(&bench, &pipeline, &[]).await));
    pipeline["proxy"] = json!({"enabled": false, "https": url});
    assert!(works(&probe_pipeline(&bench, &pipeline, &[("HTTPS_PROXY", &url)]).await));
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_secret() {
    let bench = Bench::with_incidents(1).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"].as_object_mut().unwrap().remove("tls");
    let printed = probe_pipeline(&bench, &pipeline, &[]).await;
    assert!(printed.contains("certificate") && printed.contains("tls.ca_file"), "{printed}");
    assert_eq!(bench.simulator.stats().tokens_issued, 2, "the sink's, which trusts the simulator");
}
