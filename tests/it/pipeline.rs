//! Pipeline files as users write them: formats, variables, secrets.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Bench, PATIENCE, program};

/// Runs a file until everything has arrived, with the secret in the environment as `CLIENT_SECRET`.
async fn runs(bench: &Bench, name: &str, text: &str) {
    let file = bench.path(name);
    std::fs::write(&file, text).unwrap();
    let mut child = program()
        .args(["run", "-c", file.to_str().unwrap()])
        .env("CLIENT_SECRET", &bench.config.client_secret)
        .spawn()
        .unwrap();
    let arrived = tokio::time::timeout(PATIENCE, bench.caught_up());
    tokio::select! {
        arrived = arrived => arrived.unwrap(),
        status = child.wait() => panic!("{name} ended: {status:?}"),
    }
    child.kill().await.unwrap();
    bench.assert_exactly_once();
}

fn yaml(bench: &Bench, secret: &str, preamble: &str) -> String {
    let (url, ca) = (bench.simulator.url(), bench.path("ca.pem"));
    let auth = format!(
        "auth: {{azure_credential_kind: client_secret_credential, azure_tenant_id: {}, azure_client_id: {}, \
         azure_client_secret: \"{secret}\", authority_host: \"{url}\"}}\n    endpoint: {url}\n    tls: {{ca_file: {}}}\n    \
         proxy: {{enabled: false}}",
        bench.config.tenant_id,
        bench.config.client_id,
        ca.display(),
    );
    format!(
        "{preamble}data_dir: {data}\nsources:\n  defender:\n    type: defender_incidents\n    poll_interval_secs: ${{POLL:-1}}\n    \
         {auth}\nsinks:\n  sentinel:\n    type: sentinel_logs\n    inputs: [defender]\n    \
         dcr_immutable_id: {dcr}\n    stream_name: Custom-DefenderIncidentsRaw_CL\n    {auth}\n",
        data = bench.path("data").display(),
        dcr = bench.config.dcr.immutable_id,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_toml_and_json_say_the_same() {
    let bench = Bench::with_incidents(5).await;
    runs(&bench, "p.yaml", &yaml(&bench, "${CLIENT_SECRET}", "")).await;

    let bench = Bench::with_incidents(5).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["auth"]["azure_client_secret"] = "${CLIENT_SECRET:?set it}".into();
    runs(&bench, "p.json", &pipeline.to_string()).await;

    let bench = Bench::with_incidents(5).await;
    let mut pipeline = bench.pipeline();
    pipeline["sinks"]["sentinel"]["auth"]["azure_client_secret"] = "$CLIENT_SECRET".into();
    runs(&bench, "p.toml", &toml::to_string(&pipeline).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_from_a_file_a_directory_or_a_command() {
    let bench = Bench::with_incidents(5).await;
    let secret = &bench.config.client_secret;
    std::fs::write(bench.path("secrets.json"), json!({"client": secret}).to_string()).unwrap();
    let preamble =
        format!("secret: {{vault: {{type: file, path: {}}}}}\n", bench.path("secrets.json").display());
    runs(&bench, "file.yaml", &yaml(&bench, "SECRET[vault.client]", &preamble)).await;

    let bench = Bench::with_incidents(5).await;
    std::fs::create_dir(bench.path("secrets")).unwrap();
    std::fs::write(bench.path("secrets/client"), format!("{secret}\n")).unwrap();
    let preamble = format!(
        "secret: {{vault: {{type: directory, path: {}, remove_trailing_whitespace: true}}}}\n",
        bench.path("secrets").display()
    );
    runs(&bench, "directory.yaml", &yaml(&bench, "SECRET[vault.client]", &preamble)).await;

    let bench = Bench::with_incidents(5).await;
    let script = bench.path("vault.sh");
    let answer = json!({"client": {"value": secret, "error": null}});
    std::fs::write(&script, format!("#!/bin/sh\nread question || true\nprintf '%s' '{answer}'\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let preamble = format!("secret: {{vault: {{type: exec, command: [{}]}}}}\n", script.display());
    runs(&bench, "exec.yaml", &yaml(&bench, "SECRET[vault.client]", &preamble)).await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_named_and_nothing_starts() {
    let bench = Bench::with_incidents(0).await;
    let file = bench.path("p.yaml");
    let preamble = "secret: {vault: {type: file, path: /nowhere.json}}\n";
    std::fs::write(&file, yaml(&bench, "SECRET[vault.client]", preamble)).unwrap();
    let output = program().args(["run", "-c", file.to_str().unwrap()]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(78));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("vault") && stderr.contains("/nowhere.json"), "{stderr}");
    // Checking alone asks nobody for secrets, and takes what they stand for to be right.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("dcr_immutable_id: ", "dcr_immutable_id: SECRET[vault.dcr] # "))
        .unwrap();
    let output = program().args(["validate", "-c", file.to_str().unwrap()]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn every_example_is_valid() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config-examples");
    let mut checked = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{} does not say what it is for", path.display());
        let output = program()
            .args(["validate", "-c", path.to_str().unwrap()])
            .env("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000")
            .env("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000001")
            .env("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000002")
            .output()
            .await
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        checked += 1;
    }
    assert!(checked >= 6);
}

#[tokio::test]
async fn the_machines_name_is_there_even_if_the_environment_lacks_it() {
    let bench = Bench::with_incidents(0).await;
    let mut pipeline = bench.pipeline();
    pipeline["data_dir"] = "/tmp/${HOSTNAME}".into();
    let file = bench.file(&pipeline);
    let output = program().args(["validate", "-c", file.to_str().unwrap()]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
