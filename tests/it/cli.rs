//! The command line, as typed.

use std::process::Stdio;

use serde_json::{Value, json};
use simulator::{Fault, Service};
use tokio::process::Command;

use crate::harness::{Bench, PATIENCE, program, spawn};

/// Exit code, standard output, standard error.
pub(crate) async fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = program().args(arguments).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_wrong_command_line_is_64_and_help_is_not_an_error() {
    for wrong in [&["rnu"][..], &["run"], &["run", "--config"], &[]] {
        let (code, stdout, stderr) = ran(wrong).await;
        assert_eq!((code, stdout.as_str()), (64, ""), "{wrong:?}");
        assert!(!stderr.is_empty());
    }
    let (code, stdout, _) = ran(&["--help"]).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("Exit codes"), "{stdout}");
}

#[tokio::test]
async fn the_schema_is_printed_and_nothing_else() {
    let (code, stdout, stderr) = ran(&["schema"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    let text = schema.to_string();
    for word in ["defender_incidents", "sentinel_logs", "look_back_secs", "azure_credential_kind"] {
        assert!(text.contains(word), "the schema does not know {word}");
    }
}

#[tokio::test]
async fn every_mistake_in_a_file_is_told_at_once_with_its_path() {
    let bench = Bench::with_incidents(0).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["auth"]["tenat_id"] = "x".into();
    pipeline["sources"]["defender"]["poll_interval_secs"] = "often".into();
    pipeline["sinks"]["sentinel"]["inputs"] = json!(["defendr"]);
    pipeline["sinks"]["sentinel"]["compression"] = "gizp".into();
    pipeline["sinks"]["sentinel"]["stream_name"] = "${NOT_THERE}".into();
    pipeline["sinks"]["second"] = bench.sink();
    pipeline["sinks"]["second"]["endpoint"] = "ftp://x".into();
    let file = bench.file(&pipeline);
    let (code, stdout, stderr) = ran(&["validate", "-c", file.to_str().unwrap()]).await;
    assert_eq!((code, stdout.as_str()), (78, ""));
    for words in [
        "sources.defender.auth: unknown option 'tenat_id', did you mean 'tenant_id'?",
        "sources.defender.poll_interval_secs: expected",
        "did you mean 'defender'?",
        "did you mean 'gzip'?",
        "pipeline.json:1:",
        "environment variable NOT_THERE is not set",
        "sinks.second.endpoint: must be an https URL",
        "6 problems",
    ] {
        assert!(stderr.contains(words), "{words} is not in:\n{stderr}");
    }
}

#[tokio::test]
async fn a_mistake_is_told_with_its_line_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pipeline.yaml");
    let text = "sources:\n  d:\n    type: defender_incidents\n    auth: {azure_credential_kind: x, azure_client_secret: \
                hunter2}\nsinks: {}\n";
    std::fs::write(&file, text).unwrap();
    let (_, _, stderr) = ran(&["validate", file.to_str().unwrap()]).await;
    let at = format!("{}:4:12: sources.d.auth.azure_credential_kind: ", file.display());
    let line = "\n      4 |     auth: {azure_credential_kind: x, azure_client_secret: ***}\n";
    assert!(stderr.contains(&at) && stderr.contains(line), "{stderr}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_said_and_the_file_says_where_it_is() {
    for command in [&["quarantine", "list"][..], &["state", "show"], &["sync", "status"]] {
        let (code, _, stderr) = ran(&[command, &["--data-dir", "/nonexistent"]].concat()).await;
        assert!(code == 1 && stderr.contains("/nonexistent"), "{command:?}: {stderr}");
    }
    let bench = Bench::with_incidents(0).await;
    let file = bench.file(&bench.pipeline());
    for command in ["state", "sync"] {
        let action = if command == "state" { "show" } else { "status" };
        let (code, _, stderr) = ran(&[command, action, "-c", file.to_str().unwrap()]).await;
        let data_dir = bench.path("data").display().to_string();
        assert!(code == 1 && stderr.contains(&data_dir), "{command}: {stderr}");
        let (code, ..) = ran(&[command, action]).await;
        assert_eq!(code, 64, "{command}");
    }
}

#[tokio::test]
async fn a_mistake_is_told_once() {
    let bench = Bench::with_incidents(0).await;
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["page_size"] = 51.into();
    let file = bench.file(&pipeline);
    let (code, _, stderr) = ran(&["validate", file.to_str().unwrap()]).await;
    assert_eq!(code, 78);
    assert!(stderr.contains("1 problem\n") && stderr.contains("it must be at most 50"), "{stderr}");
}

#[tokio::test]
async fn validate_touches_nothing_and_probe_everything() {
    let bench = Bench::with_incidents(3).await;
    let mut pipeline = bench.pipeline();
    let file = bench.file(&pipeline);
    let (code, _, stderr) = ran(&["validate", "-c", file.to_str().unwrap()]).await;
    let place = format!("warning: {}:1:", file.display());
    let words = ": sinks.sentinel: without 'columns'";
    assert!(code == 0 && stderr.starts_with(&place) && stderr.contains(words), "{stderr}");
    pipeline["sinks"]["sentinel"]["columns"] =
        serde_json::json!(["TimeGenerated", "id_", "ExtraColumns", "TruncatedColumns"]);
    let file = bench.file(&pipeline);
    let (code, stdout, stderr) = ran(&["validate", "-c", file.to_str().unwrap()]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("the options are right"), "{stdout}");
    assert!(!bench.path("data").exists());
    let stats = bench.simulator.stats();
    assert_eq!((stats.tokens_issued, stats.graph_requests, stats.ingestion_requests), (0, 0, 0));

    let (code, stdout, stderr) = ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for works in
        ["data_dir: writing works", "sources.defender: reading works", "sinks.sentinel: ingesting works"]
    {
        assert!(stdout.contains(works), "{stdout}");
    }
    let stats = bench.simulator.stats();
    assert_eq!((stats.tokens_issued, stats.graph_requests, stats.ingestion_requests), (3, 1, 1));
    assert_eq!((stats.graph_incidents_served, stats.rows_ingested), (1, 0));
    assert!(!bench.path("data").exists());
}

#[tokio::test]
async fn a_probe_that_fails_says_what_to_do() {
    let bench = Bench::with_incidents(0).await;
    let status = |code| Fault::Status { code, retry_after: None, body: None };
    let file = bench.file(&bench.pipeline());
    for (service, fault, words) in [
        (Service::Graph, status(403), "SecurityIncident.Read.All"),
        (Service::Graph, status(404), "Defender XDR"),
        (Service::LogsIngestion, status(403), "Monitoring Metrics Publisher"),
        (Service::LogsIngestion, status(404), "check endpoint, dcr_immutable_id and stream_name"),
    ] {
        bench.simulator.faults().script(service, vec![fault]);
        let (code, _, stderr) = ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await;
        assert_eq!(code, 1);
        assert!(stderr.contains(words), "{words} is not in:\n{stderr}");
    }
    let mut pipeline = bench.pipeline();
    pipeline["sources"]["defender"]["auth"]["azure_client_secret"] = "hunter2-wrong".into();
    let file = bench.file(&pipeline);
    let (code, stdout, stderr) = ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("the client secret is wrong"), "{stderr}");
    assert!(stdout.contains("ingesting works"), "the other component is probed all the same: {stdout}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[tokio::test]
async fn no_log_line_shows_a_secret_even_at_the_most_talkative_level() {
    let bench = Bench::with_incidents(5).await;
    bench.simulator.faults().script(Service::Graph, vec![Fault::ExpireToken, Fault::CutBody]);
    bench.simulator.faults().script(Service::LogsIngestion, vec![Fault::ExpireToken, Fault::Reset]);
    let file = bench.file(&bench.pipeline());
    let child = spawn(&["run", "--log", "trace", "-c", file.to_str().unwrap()]);
    bench.caught_up().await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("nothing is lost: "), "the faults were not told:\n{log}");
    assert!(!log.contains(&bench.config.client_secret), "the client secret is in the log");
    assert!(!log.contains("Bearer "), "a token is in the log");
}

#[tokio::test]
async fn state_is_shown_and_reset_by_component() {
    let bench = Bench::with_incidents(5).await;
    let running = bench.run(&bench.pipeline());
    bench.caught_up().await;
    let data = bench.path("data");
    let data = data.to_str().unwrap();
    let (code, _, stderr) = ran(&["state", "show", "--data-dir", data]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("in use by another process") || stderr.contains("state file"), "{stderr}");
    running.stop().await;

    let (code, stdout, _) = ran(&["state", "show", "--data-dir", data]).await;
    assert_eq!(code, 0);
    let entry: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(entry["component"], "sources.defender");
    assert!(entry["cursor"]["position"].is_string());
    let (code, _, stderr) = ran(&["state", "reset", "--data-dir", data, "sources.defendr"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("there is: sources.defender"), "{stderr}");
    let (code, _, _) = ran(&["state", "reset", "sources.defender", "--data-dir", data]).await;
    assert_eq!(code, 0);

    // After a reset everything is read anew.
    let running = bench.run(&bench.pipeline());
    bench.until(|stats| stats.rows_ingested >= 10).await;
    running.stop().await;
    let (code, _, stderr) = ran(&["state", "show", "--data-dir", "/nowhere"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("no state file in /nowhere"), "{stderr}");
}

#[tokio::test]
async fn the_simulator_serves_the_pipeline_file_that_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let arguments = [
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--out",
        out,
        "--incidents",
        "20",
        "--changes-per-minute",
        "0",
    ];
    let mut simulate = program().args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::BufReader::new(simulate.stdout.take().unwrap());
    let mut line = String::new();
    let mut told = String::new();
    while !line.contains("vector-sentinel run") {
        line.clear();
        assert_ne!(tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line).await.unwrap(), 0);
        told.push_str(&line);
    }
    for option in ["subscription_id: ", "resource_group: ", "workspace_name: "] {
        assert!(told.contains(option), "{told}");
    }
    let file = dir.path().join("pipeline.yaml");
    let (code, stdout, stderr) = ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, _, stderr) = ran(&["simulate", "--listen", "0.0.0.0:0", "--out", out]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("loopback"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_as_many_open_files_as_it_may_have() {
    let bench = Bench::with_incidents(1).await;
    let file = bench.file(&bench.pipeline());
    let mut run = Command::new("sh")
        .args(["-c", "ulimit -S -n 256; ulimit -H -n 300; exec \"$0\" run \"$1\""])
        .arg(env!("CARGO_BIN_EXE_vector-sentinel"))
        .arg(file)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    bench.caught_up().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.id().unwrap())).unwrap();
    let open_files: Vec<_> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(open_files.get(3..5), Some(&["300", "300"][..]), "{limits}");
    run.kill().await.unwrap();
}
