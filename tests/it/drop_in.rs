//! In the place of Vector's own `azure_logs_ingestion`: its options mean the same, with Vector and without.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::problem::Problem;
use serde_json::{Value, json};
use simulator::{Fault, Service, Simulator};
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::plan;

use crate::harness::real_vector;
use crate::in_process::{INCIDENTS, World, in_simulated_time};
use crate::rig::{Peer, Rig};

/// Options of the sink that shape its rows and its requests.
fn options() -> Value {
    json!({
        "encoding": {
            "except_fields": ["incidentWebUrl", "alerts[0].evidence", "source_type", "enriched", "timestamp"],
            "timestamp_format": "unix_ms",
        },
        "request": {"rate_limit_num": 2, "rate_limit_duration_secs": 1, "retry_attempts": 1, "retry_max_duration_secs": 1},
        "retry_strategy": {"type": "none"},
    })
}

/// The names of the columns that rows have, and those whose values, numbers instead of times, were not taken.
fn shape(simulator: &Simulator) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    for row in simulator.rows() {
        for (name, value) in row.columns {
            names.extend(value.as_object().into_iter().flatten().map(|(inner, _)| format!("{name}.{inner}")));
            names.insert(name);
        }
    }
    (names, simulator.stats().type_mismatches.into_keys().collect())
}

#[test]
fn the_options_of_vectors_own_sink_mean_the_same_with_and_without_vector() {
    let without = in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        pipeline["sinks"]["sentinel"].as_object_mut().unwrap().extend(options().as_object().unwrap().clone());
        let running = world.run(&pipeline).await;
        world.simulator.wait_until(|stats| stats.rows_ingested == INCIDENTS as u64).await;
        running.stop().await;
        shape(&world.simulator)
    });
    assert!(without.1.contains("createdDateTime") && !without.0.contains("incidentWebUrl"), "{without:?}");
    let Some(binary) = real_vector() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let with = runtime.block_on(async {
        let mut options = options();
        options["columns"] = Value::Null;
        let mut rig = Rig::new(&Peer::Real(binary), INCIDENTS, &[], options).await;
        rig.pipeline["sinks"]["sentinel"].as_object_mut().unwrap().remove("columns");
        rig.pipeline["sinks"]["sentinel"]["inputs"] = json!(["enrich"]);
        // A failure, after which Vector would have dropped the batch if it had seen the options of retries.
        let fault = Fault::Status { code: 503, retry_after: None, body: None };
        rig.bench.simulator.faults().script(Service::LogsIngestion, vec![fault.clone(), fault]);
        rig.start().await;
        rig.bench.until(|stats| stats.rows_ingested == INCIDENTS as u64).await;
        assert_eq!(rig.stop().await, Some(0));
        shape(&rig.bench.simulator)
    });
    assert_eq!(with, without);
}

/// What is wrong with a file in TOML, and what is doubtful.
fn checked(toml: &str) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vector.toml");
    std::fs::write(&path, toml).unwrap();
    let file = pipeline_file::read(&[path], &BTreeMap::new()).unwrap();
    let graph = pipeline_file::component_graph(&file, &catalogue());
    let words = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    match plan::plan(&graph, &BTreeMap::new()) {
        Ok(plan) => (Vec::new(), words(plan.warnings)),
        Err(problems) => (words(problems), Vec::new()),
    }
}

/// A file as `OpenShift`'s log forwarding generates it for `azure_logs_ingestion`, but for the type; `more` is added to the sink.
fn openshift(auth: &str, more: &str) -> String {
    format!(
        r#"
        [sources.logs]
        type = "http_server"
        address = "127.0.0.1:24224"

        [transforms.renamed]
        type = "remap"
        inputs = ["logs"]
        source = "if exists(.kind) {{ .cluster_kind = del(.kind) }}"

        [sinks.output_azure]
        type = "sentinel_logs"
        inputs = ["renamed"]
        endpoint = "https://dce-cluster.westeurope-1.ingest.monitor.azure.com"
        dcr_immutable_id = "dcr-0123456789abcdef0123456789abcdef"
        stream_name = "Custom-Cluster_CL"

        [sinks.output_azure.auth]
        {auth}

        [sinks.output_azure.encoding]
        except_fields = ["_internal"]
        {more}
        "#
    )
}

const SECRET: &str = r#"
    azure_credential_kind = "client_secret_credential"
    azure_tenant_id = "11111111-2222-3333-4444-555555555555"
    azure_client_id = "66666666-7777-8888-9999-000000000000"
    azure_client_secret = "never shown"
"#;

#[test]
fn files_that_openshift_generates_are_accepted_with_the_type_changed() {
    let workload = r#"
        azure_credential_kind = "workload_identity"
        tenant_id = "11111111-2222-3333-4444-555555555555"
        client_id = "66666666-7777-8888-9999-000000000000"
        token_file_path = "/var/run/ocp-collector/serviceaccount/token"
    "#;
    let batch = "[sinks.output_azure.batch]\nmax_bytes = 1000000\n";
    let tuning = r#"
        [sinks.output_azure.batch]
        max_bytes = 10000000
        [sinks.output_azure.buffer]
        type = "disk"
        when_full = "block"
        max_size = 268435488
        [sinks.output_azure.request]
        retry_initial_backoff_secs = 20
        retry_max_duration_secs = 35
    "#;
    let tls = r#"
        [sinks.output_azure.tls]
        verify_certificate = false
        verify_hostname = false
        key_file = "/var/run/secrets/azure/tls.key"
        crt_file = "/var/run/secrets/azure/tls.crt"
        ca_file = "/var/run/secrets/azure/ca-bundle.crt"
        key_pass = "never shown"
    "#;
    for (auth, more, doubts) in [
        (SECRET, batch, &[][..]),
        (workload, batch, &[]),
        (SECRET, tuning, &["sinks.output_azure.batch.max_bytes: 10000000 is more than a call"]),
        (SECRET, tls, &["sinks.output_azure.tls.verify_certificate: false: whoever is between"]),
    ] {
        let (problems, warnings) = checked(&openshift(auth, more));
        assert_eq!(problems, [""; 0], "{more}");
        let (_, doubtful) = warnings.split_first().unwrap();
        assert!(warnings[0].contains("without 'columns'"), "{warnings:#?}");
        assert_eq!(doubtful.len(), doubts.len(), "{doubtful:#?}");
        assert!(doubtful.iter().zip(doubts).all(|(found, doubt)| found.starts_with(doubt)), "{doubtful:#?}");
    }
}

#[test]
fn what_another_version_or_sink_has_is_refused_with_what_to_write() {
    let without_kind = SECRET.replace("azure_credential_kind = \"client_secret_credential\"", "");
    let short_kind = SECRET.replace("client_secret_credential", "client_secret");
    let codec = "codec = \"json\"";
    let old = "[sinks.output_azure.x]";
    for (auth, more, expected) in [
        (
            without_kind.as_str(),
            "",
            "sinks.output_azure.auth: missing required option 'azure_credential_kind': beside 'azure_client_secret' write \
             azure_credential_kind: client_secret_credential",
        ),
        (
            short_kind.as_str(),
            "",
            "sinks.output_azure.auth.azure_credential_kind: 'client_secret' is not known here, did you mean \
             'client_secret_credential'?",
        ),
        (
            SECRET,
            codec,
            "sinks.output_azure.encoding: unknown option 'codec': rows are always JSON, so remove it",
        ),
        (
            SECRET,
            &old.replace(".x", ".shared_key"),
            "sinks.output_azure: unknown option 'shared_key': it belongs to \
             Vector's azure_monitor_logs",
        ),
    ] {
        let (problems, _) = checked(&openshift(auth, more));
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:#?}");
    }
    let no_auth = openshift("azure_credential_kind = \"managed_identity\"", "")
        .replace("output_azure.auth", "output_azure.proxy")
        .replace("azure_credential_kind = \"managed_identity\"", "");
    let expected = "sinks.output_azure: missing required option 'auth', with 'azure_credential_kind': one of";
    let (problems, _) = checked(&no_auth);
    assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:#?}");
}

#[test]
fn requests_are_counted_against_the_rate_limit_when_they_are_sent_again_too() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        let sink = &mut pipeline["sinks"]["sentinel"];
        sink["batch"] = json!({"max_bytes": 20_000});
        sink["request"] = json!({"rate_limit_num": 3, "rate_limit_duration_secs": 10, "concurrency": 8});
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        world.simulator.faults().at_random(Service::LogsIngestion, vec![(0.3, down)]);
        let running = world.run(&pipeline).await;
        let mut counts = Vec::new();
        while world.simulator.stats().distinct_rows < INCIDENTS as u64 {
            counts.push(world.simulator.stats().ingestion_requests);
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        running.stop().await;
        assert!(counts.last() > Some(&20), "{counts:?}");
        // A second is the error of looking once a second.
        assert!(counts.windows(9).all(|nine| nine[8] - nine[0] <= 3), "{counts:?}");
    });
}

#[test]
fn waits_between_tries_are_those_that_the_file_asks_for() {
    in_simulated_time(async {
        let world = World::new();
        let mut pipeline = world.pipeline();
        pipeline["sinks"]["sentinel"]["request"] =
            json!({"retry_initial_backoff_secs": 200, "retry_max_duration_secs": 350, "concurrency": "none"});
        let down = Fault::Status { code: 503, retry_after: None, body: None };
        world.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, down)]);
        let running = world.run(&pipeline).await;
        world.clock.sleep(Duration::from_hours(2)).await;
        let requests = world.simulator.stats().ingestion_requests;
        world.simulator.faults().clear();
        world.rows(INCIDENTS).await;
        running.stop().await;
        // Each wait is from 175 to 350 seconds.
        assert!((7_200 / 350..=2 + 7_200 / 175).contains(&requests), "{requests}");
    });
}
