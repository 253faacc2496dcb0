//! What is said of data collection rules before the first event, and while rows go there.

use std::time::Duration;

use clap::ValueEnum;
use runtime::delivery::{BatchStatus, Deliver};
use serde_json::{Value, json};
use simulator::{ColumnType, Dcr, Fault, Roles, Service, SimulatorConfig};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use vector_sentinel::sinks::sentinel_logs::layout::Layout;

use crate::cli::ran;
use crate::fake_vector::free_address;
use crate::harness::{Bench, PATIENCE, spawn};
use crate::layouts::dcr;
use crate::sink::{batch, sink};

const INCIDENTS: &str = "Custom-DefenderIncidentsRaw_CL";

/// `validate --probe` of a pipeline of the sink alone, with further options: exit code, standard output, standard error.
async fn probe(bench: &Bench, options: &Value) -> (i32, String, String) {
    let mut pipeline = bench.pipeline();
    for (name, value) in options.as_object().unwrap() {
        pipeline["sinks"]["sentinel"][name] = value.clone();
        if value.is_null() {
            pipeline["sinks"]["sentinel"].as_object_mut().unwrap().remove(name);
        }
    }
    let file = bench.file(&pipeline);
    ran(&["validate", "--probe", "-c", file.to_str().unwrap()]).await
}

/// The option `columns` with every column that the rule declares.
fn all_columns(bench: &Bench) -> Value {
    json!({"columns": bench.config.dcr.streams[INCIDENTS].keys().collect::<Vec<_>>()})
}

fn undeclare(dcr: &mut Dcr, column: &str) {
    dcr.streams.get_mut(INCIDENTS).unwrap().remove(column).unwrap();
}

async fn bench(change: impl FnOnce(&mut SimulatorConfig)) -> Bench {
    let mut config = SimulatorConfig::default();
    change(&mut config);
    Bench::start(config).await
}

#[tokio::test]
async fn what_is_printed_to_deploy_fits_what_each_layout_writes() {
    for layout in [Layout::Defender, Layout::AsimAlert, Layout::CommonSecurityLog, Layout::Syslog] {
        let bench = bench(|config| config.dcr = dcr(layout)).await;
        let name = layout.to_possible_value().unwrap().get_name().to_owned();
        let mut options = json!({"layout": name, "stream_name": null});
        if layout == Layout::Syslog {
            options["syslog"] = json!({"extra": "append"});
        }
        let (code, stdout, stderr) = probe(&bench, &options).await;
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        assert!(stdout.contains("fits what is written"), "{stdout}");
        let streams = layout.usual_tables().len() as u64;
        assert_eq!(bench.simulator.stats().ingestion_requests, streams, "every stream of {name} is tried");
    }
    let bench = bench(|_| {}).await;
    let (code, stdout, stderr) = probe(&bench, &all_columns(&bench)).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("fits what is written\n"), "{stdout}");
    let (code, stdout, _) = probe(&bench, &json!({})).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("their own fields are compared while it runs"), "{stdout}");
}

#[tokio::test]
async fn a_rule_that_loses_something_fails_the_probe_and_says_what_to_do() {
    type Change = fn(&mut SimulatorConfig);
    let losing: [(Change, &str, &str); 3] = [
        (
            |config| undeclare(&mut config.dcr, "severity"),
            "it does not declare 'severity', and what is written there vanishes",
            "Add to its columns: {\"name\": \"severity\"",
        ),
        (
            |config| {
                let mut columns = config.dcr.streams[INCIDENTS].clone();
                columns.remove("alerts");
                config.tables.insert("DefenderIncidentsRaw_CL".to_owned(), Some(columns));
            },
            "columns that the table DefenderIncidentsRaw_CL of the workspace soc-workspace lacks",
            "Add to the table: {\"name\": \"alerts\", \"type\": \"dynamic\"}",
        ),
        (
            |config| drop(config.tables.insert("DefenderIncidentsRaw_CL".to_owned(), None)),
            "go to the table DefenderIncidentsRaw_CL of the workspace soc-workspace, and there is no such table",
            "create it first",
        ),
    ];
    let mut options = all_columns(&bench(|_| {}).await);
    options["stream_name"] = json!(INCIDENTS);
    for (change, what, fix) in losing {
        let bench = bench(change).await;
        let (code, stdout, stderr) = probe(&bench, &options).await;
        assert_eq!(code, 1, "{what}: {stdout}{stderr}");
        let reported =
            stderr.lines().find(|line| line.starts_with("FAILED sinks.sentinel: ") && line.contains(what));
        assert!(reported.is_some_and(|line| line.contains(fix)), "{what}, {fix}:\n{stderr}");
    }
}

#[tokio::test]
async fn a_rule_need_not_have_every_stream_that_events_choose() {
    let ids = ['3', '4'].map(|digit| format!("dcr-{}{digit}", "0".repeat(31)));
    let names = ["Custom-One_CL", "Custom-Other_CL"];
    let columns = bench(|_| {}).await.config.dcr.streams[INCIDENTS].clone();
    let dcr =
        |at: usize| Dcr::new(ids[at].clone(), [(names[at].to_owned(), columns.clone())].into()).unwrap();
    let bench = bench(|config| {
        config.dcr = dcr(0);
        config.more_dcrs = vec![dcr(1)];
    })
    .await;
    let destinations = |names: &[&str]| {
        let destinations: Vec<_> = ids.iter().map(String::as_str).chain(names.iter().copied()).collect();
        json!({"dcr_immutable_id": "{{ rule }}", "stream_name": "{{ stream }}", "destinations": destinations})
    };
    let (code, stdout, stderr) = probe(&bench, &destinations(&names)).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(stdout.matches("ingesting works").count(), 2, "{stdout}");
    assert_eq!(stdout.matches("events may choose this stream of this rule").count(), 2, "{stdout}");
    // One that no rule has is wrong.
    let (code, _, stderr) = probe(&bench, &destinations(&[names[0], names[1], "Custom-Mistyped_CL"])).await;
    assert_eq!((code, stderr.contains("Custom-Mistyped_CL")), (1, true), "{stderr}");
}

#[tokio::test]
async fn what_may_not_be_read_is_reported_and_fails_nothing() {
    let not_read = [
        (Roles { reads_rules: false, ..Roles::default() }, "was not compared", "the role Monitoring Reader"),
        (
            Roles { reads_tables: false, ..Roles::default() },
            "the table DefenderIncidentsRaw_CL was not compared",
            "the role Log Analytics Reader",
        ),
    ];
    for (roles, what, role) in not_read {
        let bench = bench(|config| config.roles = roles).await;
        let (code, stdout, stderr) = probe(&bench, &all_columns(&bench)).await;
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let reported = stdout.lines().find(|line| line.contains(what));
        assert!(reported.is_some_and(|line| line.contains(role)), "{what}, {role}:\n{stdout}");
        assert!(!stdout.contains("fits what is written") && stdout.contains("ingesting works"), "{stdout}");
    }
    let bench = bench(|_| {}).await;
    // As it is told to an identity without any role at all.
    let nothing = json!({"error": {"code": "BadRequest", "message": "Please provide below info when asking for support",
                                   "details": [{"code": "NoValidSubscriptionsInQueryRequest", "message": ""}]}});
    let nothing = Fault::Status { code: 400, retry_after: None, body: Some(nothing.to_string()) };
    bench.simulator.faults().script(Service::ResourceManager, vec![nothing]);
    let (code, stdout, _) = probe(&bench, &all_columns(&bench)).await;
    assert!(code == 0 && stdout.contains("the identity sees no such rule"), "{stdout}");
    // The table is in a subscription of another tenant.
    let elsewhere =
        json!({"error": {"code": "SubscriptionNotFound", "message": "The subscription could not be found."}});
    let elsewhere = Fault::Status { code: 404, retry_after: None, body: Some(elsewhere.to_string()) };
    bench.simulator.faults().script(Service::ResourceManager, vec![Fault::Pass, Fault::Pass, elsewhere]);
    let (code, stdout, _) = probe(&bench, &all_columns(&bench)).await;
    assert!(code == 0 && stdout.contains("the table DefenderIncidentsRaw_CL was not compared"), "{stdout}");
    for fault in [
        Fault::Reset,
        Fault::CutBody,
        Fault::Status { code: 503, retry_after: None, body: None },
        Fault::Status { code: 403, retry_after: None, body: None },
        Fault::Status { code: 200, retry_after: None, body: Some("<html>Please log in".to_owned()) },
    ] {
        bench.simulator.faults().at_random(Service::ResourceManager, vec![(1.0, fault.clone())]);
        let (code, stdout, stderr) = probe(&bench, &all_columns(&bench)).await;
        assert_eq!((code, stderr.as_str()), (0, ""), "{fault:?}: {stdout}");
        assert!(stdout.contains("was not compared with what is written"), "{fault:?}: {stdout}");
    }
}

#[tokio::test]
async fn what_depends_on_events_is_named_and_the_rest_is_tried() {
    let bench = bench(|_| {}).await;
    let (code, stdout, _) = probe(&bench, &json!({"stream_name": "Custom-{{ kind }}"})).await;
    assert_eq!((code, bench.simulator.stats().ingestion_requests), (0, 0));
    let expected = "sinks.sentinel: not tried: all streams, because stream_name 'Custom-{{ kind }}' depends on the event";
    assert!(stdout.contains(expected), "{stdout}");
    let rule = &bench.config.dcr.immutable_id;
    let options = json!({"dcr_immutable_id": "{{ dcr }}", "endpoints": {rule: bench.simulator.url()}});
    let (code, stdout, _) = probe(&bench, &options).await;
    assert_eq!((code, bench.simulator.stats().ingestion_requests), (0, 1));
    let works = format!("ingesting works: stream {INCIDENTS} of the rule {rule}");
    assert!(stdout.contains(&works) && !stdout.contains("not tried"), "{stdout}");
    let unconfined = json!({
        "dcr_immutable_id": "{{ dcr }}", "endpoints": {rule: bench.simulator.url()},
        "dangerously_allow_unconfined_template_resolution": true,
    });
    let (_, stdout, _) = probe(&bench, &unconfined).await;
    let others = "not tried: all rules but those of endpoints, because dcr_immutable_id '{{ dcr }}'";
    assert!(stdout.contains(&works) && stdout.contains(others), "{stdout}");
}

/// Two rules, the second of which takes rows at another host than the first.
async fn two_endpoints() -> (Bench, [String; 2], Value) {
    let rule = |digit: u8, host: &str| {
        let columns = [("TimeGenerated", ColumnType::DateTime), ("n", ColumnType::Long)];
        let columns = columns.map(|(name, kind)| (name.to_owned(), kind)).into();
        let streams = [(format!("Custom-Rows{digit}_CL"), columns)].into();
        let mut dcr = Dcr::new(format!("dcr-{digit:0>32}"), streams).unwrap();
        dcr.host = Some(host.to_owned());
        dcr
    };
    let (first, second) = (rule(1, "127.0.0.1"), rule(2, "localhost"));
    let ids = [first.immutable_id.clone(), second.immutable_id.clone()];
    let config = SimulatorConfig { dcr: first, more_dcrs: vec![second], ..SimulatorConfig::default() };
    let bench = Bench::start(config).await;
    let elsewhere = bench.simulator.url().replace("127.0.0.1", "localhost");
    let options = json!({
        "dcr_immutable_id": "{{ dcr }}", "stream_name": "Custom-Rows{{ which }}_CL",
        "columns": ["TimeGenerated", "n", "ExtraColumns", "TruncatedColumns"],
        "destinations": [ids[0]],
        "endpoints": {ids[1].to_uppercase().replace("DCR", "dcr"): elsewhere},
    });
    (bench, ids, options)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sink_writes_to_rules_behind_several_endpoints() {
    let (bench, [first, second], options) = two_endpoints().await;
    let sink = sink(&bench, &options);
    let rows = (0..10).map(|n| {
        let (dcr, which) = if n % 2 == 0 { (&first, 1) } else { (&second, 2) };
        json!({"n": n, "dcr": dcr, "which": which})
    });
    assert_eq!(sink.deliver(batch(rows)).await, BatchStatus::Delivered);
    let by_stream: Vec<_> = bench.simulator.stats().rows_by_stream.into_iter().collect();
    assert_eq!(by_stream, [("Custom-Rows1_CL".to_owned(), 5), ("Custom-Rows2_CL".to_owned(), 5)]);
    assert_eq!(bench.simulator.stats().ingestion_by_status.keys().collect::<Vec<_>>(), [&204]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_does_not_wait_for_a_rule_that_cannot_be_read() {
    for fault in [Fault::Delay(PATIENCE * 2), Fault::Reset] {
        let bench = Bench::with_incidents(20).await;
        bench.simulator.faults().at_random(Service::ResourceManager, vec![(1.0, fault)]);
        bench.runs_through(&bench.pipeline()).await;
        assert!(bench.simulator.stats().resource_manager_requests > 0, "it was asked");
    }
}

/// Reads lines until one has these words.
pub(crate) async fn line_with(lines: &mut (impl AsyncRead + Unpin), words: &str) -> String {
    let mut lines = BufReader::new(lines).lines();
    let found = async {
        let mut seen = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(words) {
                return line;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("'{words}' is not in:\n{seen}");
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("'{words}' was not said"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sink_says_which_columns_of_its_rows_vanish_unless_the_rule_was_mended() {
    let mut config = SimulatorConfig::default();
    undeclare(&mut config.dcr, "severity");
    undeclare(&mut config.dcr, "status");
    config.incidents.initial = 5;
    config.incidents.changes_per_minute = 600.0;
    let bench = Bench::start(config).await;
    // Looked for, read, and its table; then looked for again, and read with a column more.
    let columns = bench.config.dcr.streams[INCIDENTS].keys().map(String::as_str).chain(["status"]);
    let columns: Vec<_> = columns.map(|name| json!({"name": name, "type": "string"})).collect();
    let mended = json!({"properties": {"streamDeclarations": {INCIDENTS: {"columns": columns}}}}).to_string();
    let mended = Fault::Status { code: 200, retry_after: None, body: Some(mended) };
    let script = [vec![Fault::Pass; 4], vec![mended]].concat();
    bench.simulator.faults().script(Service::ResourceManager, script);
    let file = bench.file(&bench.pipeline());
    let metrics = free_address();
    let arguments = ["run", "--metrics-address", &metrics, "-c", file.to_str().unwrap()];
    let mut child = spawn(&arguments);
    let mut log = child.stderr.take().unwrap();
    let line = line_with(&mut log, "finding=").await;
    for words in ["WARN", "something is lost", INCIDENTS, "does not declare 'severity', which rows have"] {
        assert!(line.contains(words), "{words} is not in: {line}");
    }
    assert!(line.contains(r#"{"name": "severity", "type": "string"}"#), "{line}");
    let shown = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
    let counted = shown.lines().find(|line| line.starts_with("component_rule_findings_total")).unwrap();
    assert!(counted.contains("column_undeclared") && counted.ends_with(" 1"), "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sink_says_at_the_start_what_does_not_fit_and_goes_on() {
    let bench = bench(|config| {
        config.incidents.initial = 5;
        config.dcr.flows.clear();
    })
    .await;
    let mut pipeline = bench.pipeline();
    pipeline["sinks"]["sentinel"]["columns"] = all_columns(&bench)["columns"].clone();
    let file = bench.file(&pipeline);
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    let mut log = child.stderr.take().unwrap();
    let line = line_with(&mut log, "finding=").await;
    assert!(line.contains("ERROR") && line.contains("no data flow of the rule takes it"), "{line}");
    bench.until(|stats| stats.rows_ingested == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sink_says_in_one_line_that_it_may_not_read_the_rule() {
    let bench = bench(|config| {
        config.incidents.initial = 5;
        config.roles = Roles { reads_rules: false, reads_tables: false, ..Roles::default() };
    })
    .await;
    let file = bench.file(&bench.pipeline());
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    let mut log = child.stderr.take().unwrap();
    let line = line_with(&mut log, "was not compared").await;
    assert!(line.contains("INFO") && line.contains("Monitoring Reader"), "{line}");
    bench.until(|stats| stats.rows_ingested == 5).await;
    assert_eq!(bench.simulator.stats().resource_manager_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_only_events_name_is_compared_when_it_is_met() {
    let bench = bench(|config| config.incidents.initial = 1).await;
    bench.simulator.faults().script(Service::ResourceManager, vec![Fault::Delay(Duration::from_millis(50))]);
    let mut pipeline = bench.pipeline();
    pipeline["sinks"]["sentinel"]["stream_name"] = json!("Custom-{{ severity }}");
    let file = bench.file(&pipeline);
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    let mut log = child.stderr.take().unwrap();
    let line = line_with(&mut log, "finding=").await;
    assert!(line.contains("rows cannot arrive: stream Custom-") && line.contains(INCIDENTS), "{line}");
}
