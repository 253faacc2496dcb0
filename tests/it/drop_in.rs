//! In the place of Vector's own `azure_logs_ingestion`: its options mean the same, with Vector and without.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::problem::Problem;
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{Dcr, Fault, Service, Simulator, SimulatorConfig};
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::plan;

use crate::harness::{Bench, program, real_vector};
use crate::in_process::{INCIDENTS, World, in_simulated_time};
use crate::rig::{Peer, Rig};

/// Options of the sink that shape its rows and its requests.
fn options() -> Value {
    json!({
        "encoding": {
            "except_fields": ["incidentWebUrl", "alerts[0].evidence", "source_type", "enriched", "timestamp"],
            "timestamp_format": "unix_ms",
        },
        "request": {"rate_limit_num": 2, "rate_limit_duration_secs": 1, "retry_attempts": 1, "retry_max_duration_secs": 2},
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
        options["batch"] = json!({"max_bytes": 100_000});
        let mut rig = Rig::new(&Peer::Real(binary), INCIDENTS, &[], options).await;
        rig.pipeline["sinks"]["sentinel"].as_object_mut().unwrap().remove("columns");
        rig.pipeline["sinks"]["sentinel"]["inputs"] = json!(["enrich"]);
        // What lets Vector drop is not in its part of the file.
        let rendered = program().arg("render").arg(rig.bench.file(&rig.pipeline)).output().await.unwrap();
        let rendered = String::from_utf8(rendered.stdout).unwrap();
        assert!(rendered.contains("/sinks/sentinel") && !rendered.contains("retry"), "{rendered}");
        let fault = Fault::Status { code: 503, retry_after: None, body: None };
        rig.bench.simulator.faults().script(Service::LogsIngestion, vec![fault.clone(), fault]);
        let clock = Clock::system();
        let began = clock.monotonic();
        rig.start().await;
        rig.bench.until(|stats| stats.rows_ingested == INCIDENTS as u64).await;
        // Two requests a second, those included that were sent again.
        let requests = rig.bench.simulator.stats().ingestion_requests;
        let least = Duration::from_secs((requests - 1) / 2);
        assert!(clock.monotonic() - began >= least, "{requests} requests in {:?}", clock.monotonic() - began);
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
    let words = |problems: Vec<Problem>| {
        let unplaced = problems.into_iter().map(|problem| Problem { place: None, ..problem }.to_string());
        unplaced.collect::<Vec<_>>()
    };
    match plan::check(&graph, &BTreeMap::new()) {
        Ok(warnings) => (Vec::new(), words(warnings)),
        Err(problems) => (words(problems), Vec::new()),
    }
}

/// A file as `OpenShift`'s log forwarding generates it for `azure_logs_ingestion`, but for the type; `more` is added to the sink.
fn openshift(auth: &str, more: &str) -> String {
    format!(
        r#"
        [secret.kubernetes]
        type = "directory"
        path = "/var/run/secrets"

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
    azure_client_secret = "SECRET[kubernetes.azure/client_secret]"
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

#[tokio::test]
async fn a_file_that_nobody_has_migrated_yet_is_told_how() {
    let bench = Bench::start(SimulatorConfig::default()).await;
    for (name, end) in [("azure_monitor_logs", "gone in Vector 0.58"), ("azure_logs_ingestion", "takes 1 MB")]
    {
        let text =
            format!("sources: {{in: {{type: demo_logs}}}}\nsinks: {{az: {{type: {name}, inputs: [in]}}}}\n");
        std::fs::write(bench.path("vector.yaml"), text).unwrap();
        let validated =
            program().args(["validate", "vector.yaml"]).current_dir(bench.dir.path()).output().await.unwrap();
        let said = String::from_utf8(validated.stderr).unwrap();
        assert!(said.contains("vector-sentinel migrate") && said.contains(end), "{said}");
        assert_eq!(validated.status.code(), Some(78), "there is nothing of ours in it: {said}");
    }
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

/// Runs a command of the program. Answers what it has printed, and what it has said.
async fn output(bench: &Bench, arguments: &[&str]) -> (String, String) {
    let done = program().args(arguments).current_dir(bench.dir.path()).output().await.unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{arguments:?}: {said}");
    (String::from_utf8(done.stdout).unwrap(), said)
}

/// A rule as the simulator has it, as the command prints it that `migrate` names.
async fn rule(bench: &Bench, said: &str) -> Dcr {
    let command = said.lines().find_map(|line| line.trim().strip_prefix("vector-sentinel ")).unwrap();
    let (command, _) = command.split_once(" > ").unwrap();
    let arguments: Vec<&str> = command.split(' ').chain(["--format", "arm"]).collect();
    let template: Value = serde_json::from_str(&output(bench, &arguments).await.0).unwrap();
    let mut resources = template["resources"].as_array().unwrap().iter();
    let rule = resources.find(|resource| resource["type"] == "Microsoft.Insights/dataCollectionRules");
    Dcr::from_json(&rule.unwrap().to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_vectors_own_sinks_are_migrated_by_the_command_and_their_rows_arrive() {
    let Some(binary) = real_vector() else { return };
    let logs_ingestion = r#"
        azure_tenant_id = "t"
        azure_client_id = "c"
        azure_client_secret = "s"
        [sinks.azure]
        type = "azure_logs_ingestion"
        inputs = ["lines"]
        endpoint = "https://dce.westeurope-1.ingest.monitor.azure.com"
        dcr_immutable_id = "dcr-0123456789abcdef0123456789abcdef"
        stream_name = "Custom-Old_CL"
    "#;
    let (options, sink) = logs_ingestion.split_once("[sinks.azure]").unwrap();
    let logs_ingestion = format!("[sinks.azure]{sink}[sinks.azure.auth]{options}");
    let data_collector = r#"
        [sinks.azure]
        type = "azure_monitor_logs"
        inputs = ["lines"]
        customer_id = "5ce893d9-2c32-4b6c-91a9-b0887c2de2d6"
        shared_key = "SERsIYhgMVlJB6uPsq49gCxNiruf6v0vhMYE"
        log_type = "Firewall"
        time_generated_key = "seen"
    "#;
    for (name, old, is_in_extra) in [("new", logs_ingestion.as_str(), false), ("old", data_collector, true)] {
        let start = |dcr: Option<Dcr>| async {
            let mut config = SimulatorConfig::default();
            config.dcr = dcr.unwrap_or(config.dcr);
            Bench::start(config).await
        };
        let mut bench = start(None).await;
        let include = bench.path("lines.log");
        let source = format!("[sources.lines]\ntype = \"file\"\ninclude = [{include:?}]\n");
        std::fs::write(bench.path("vector.toml"), source + old).unwrap();
        let (new, said) = output(&bench, &["migrate", "-c", "vector.toml"]).await;
        if said.contains("generate dcr") {
            bench = start(Some(rule(&bench, &said).await)).await;
        }
        // Everything but where the services are, and who asks.
        let mut pipeline: Value = serde_saphyr::from_str(&new).unwrap();
        let (sink, simulated) = (&mut pipeline["sinks"]["azure"], bench.sink());
        for option in ["auth", "endpoint", "management_endpoint", "dcr_immutable_id", "tls", "proxy"] {
            sink[option] = simulated[option].clone();
        }
        if !is_in_extra {
            sink["stream_name"] = simulated["stream_name"].clone();
        }
        pipeline["data_dir"] = json!(bench.path("data"));
        pipeline["sources"]["lines"]["include"] = json!([bench.path("lines.log")]);
        std::fs::create_dir(bench.path("data")).unwrap();
        std::fs::write(bench.path("lines.log"), "one\ntwo\nthree\n").unwrap();
        let log = std::fs::File::create(bench.path("log")).unwrap();
        let mut running = program()
            .args(["run", "-c"])
            .arg(bench.file(&pipeline))
            .env("VECTOR_BIN", &binary)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        bench.until(|stats| stats.rows_ingested == 3).await;
        running.kill().await.unwrap();
        let rows = bench.simulator.rows();
        let has =
            |column: &str| rows.iter().all(|row| !row.columns.get(column).unwrap_or(&Value::Null).is_null());
        assert!(
            has("TimeGenerated") && (!is_in_extra || has("message") && has("ExtraColumns")),
            "{name}: {rows:?}"
        );
    }
}
