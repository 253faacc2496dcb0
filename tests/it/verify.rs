//! `verify`, against the simulator: from a pipeline file without a rule to the proof that its rows arrive.

use std::time::Duration;

use microsoft::connection::Connector;
use serde_json::{Value, json};
use simulator::{Dcr, LogAnalyticsConfig, Roles, Simulator, SimulatorConfig};
use vector_sentinel::component::{Arrival, Kind, Verified, VerifyOptions};

use crate::fake_vector::free_address;
use crate::harness::{Bench, PATIENCE, program, spawn};
use crate::in_process::{World, edge, in_simulated_time};
use crate::preflight::line_with;

const STREAM: &str = "Custom-DefenderIncidentsRaw_CL";
const WORKSPACE: &str = "9ba8bc53-bd36-4156-8667-e983e7ae0e4f";

/// A file with a table of the user's own and one of each kind of layout, and whatever stands for the rule.
fn three_sinks(bench: &Bench, rule: &str) -> Value {
    let mut pipeline = bench.pipeline();
    let sink = |more: Value| {
        let mut sink = bench.sink();
        sink["dcr_immutable_id"] = rule.into();
        let options = sink.as_object_mut().unwrap();
        options.shift_remove("stream_name");
        options.extend(more.as_object().unwrap().clone());
        sink
    };
    pipeline["sinks"] = json!({
        "firewall": sink(json!({"stream_name": "Custom-Firewall_CL", "columns": {
            "TimeGenerated": "datetime", "message": "string", "ExtraColumns": "dynamic", "TruncatedColumns": "dynamic",
        }})),
        "hosts": sink(json!({"layout": "syslog", "syslog": {"extra": "column"}})),
        "incidents": sink(json!({"layout": "defender"})),
    });
    pipeline
}

async fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = program().args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_generated_for_a_file_is_deployed_and_its_rows_are_found() {
    let before = Bench::start(SimulatorConfig::default()).await;
    let file = before.file(&three_sinks(&before, "${DCR_ID}"));
    let (code, template, stderr) =
        ran(&["generate", "dcr", "--format", "arm", "-c", file.to_str().unwrap()]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{template}");
    let template: Value = serde_json::from_str(&template).unwrap();
    let mut resources = template["resources"].as_array().unwrap().iter();
    let rule =
        resources.find(|resource| resource["type"] == "Microsoft.Insights/dataCollectionRules").unwrap();
    // Deployed: the same file again, with what the deployment has given.
    let dcr = Dcr::from_json(&rule.to_string()).unwrap();
    // One more than is verified: that of changes, which not every source emits.
    assert_eq!(dcr.streams.len(), 6);
    let bench = Bench::start(SimulatorConfig { dcr, ..SimulatorConfig::default() }).await;
    let file = bench.file(&three_sinks(&bench, &bench.config.dcr.immutable_id));
    let url = bench.simulator.url();
    let arguments = ["verify", "--query-endpoint", &url, "-c", file.to_str().unwrap()];
    let (code, stdout, stderr) = ran(&arguments).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for words in [
        "sinks.firewall: dcr-00000000000000000000000000000001/Custom-Firewall_CL: the row is in Firewall_CL after ",
        "the row is in Syslog after ",
        "the row is in DefenderIncidents_CL after ",
        "the row is in DefenderAlerts_CL after ",
        "the row is in DefenderEvidence_CL after ",
        "every row has arrived: 5 of 5",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let stats = bench.simulator.stats();
    assert_eq!((stats.rows_ingested, stats.columns_vanished.len(), stats.type_mismatches.len()), (5, 0, 0));
    let (code, stdout, _) = ran(&[&arguments[..], &["--sink", "hosts"]].concat()).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("every row has arrived: 1 of 1\n"), "{stdout}");
    let mut pipeline = three_sinks(&bench, &bench.config.dcr.immutable_id);
    pipeline["sinks"]["firewall"]["stream_name"] = "Custom-{{ site }}_CL".into();
    let file = bench.file(&pipeline);
    let arguments = ["verify", "--query-endpoint", &url, "-c", file.to_str().unwrap()];
    let (code, stdout, _) = ran(&[&arguments[..], &["--sink", "hosts", "--sink", "firewall"]].concat()).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("every row has arrived: 1 of 1, 1 sink not tried\n"), "{stdout}");
}

/// What comes of the sink of the simulator, by simulated time.
fn verified(
    change: impl FnOnce(&mut SimulatorConfig),
    workspace_id: Option<&str>,
    options: &Value,
) -> Vec<Verified> {
    let mut world = World::new();
    change(&mut world.config);
    in_simulated_time(async {
        let simulator = Simulator::in_process(world.config.clone(), world.clock.clone()).unwrap();
        simulator.follow(world.clock.clone());
        let service = simulator.service();
        let connector = Connector::with(world.clock.clone(), move |options| {
            Ok(edge(service.clone().with_timeout(options.timeout)))
        });
        let mut pipeline = world.pipeline();
        let sink = pipeline["sinks"]["sentinel"].as_object_mut().unwrap();
        sink.extend(options.as_object().unwrap().clone());
        let (plan, _) = world.plan(&pipeline);
        let sink = plan.component(Kind::Sink, "sentinel").unwrap();
        let options = VerifyOptions {
            workspace_id: workspace_id.map(str::to_owned),
            query_endpoint: Some("https://simulator.test".parse().unwrap()),
            timeout: Duration::from_mins(15),
        };
        let rng = fastrand::Rng::with_seed(1);
        sink.component.verify(&connector, rng, &options).unwrap().unwrap().await
    })
}

fn why(verified: &[Verified]) -> &str {
    match &verified[0].arrival {
        Arrival::Missing(why) | Arrival::Untried(why) => why,
        Arrival::Arrived { .. } => panic!("{verified:?}"),
    }
}

#[test]
fn a_row_is_waited_for_and_its_time_is_told() {
    let late = |config: &mut SimulatorConfig| config.log_analytics.delay = Duration::from_mins(5);
    let found = verified(late, None, &json!({}));
    let [Verified { destination, arrival: Arrival::Arrived { table, marker, after }, errors }] =
        found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert_eq!(destination, &format!("dcr-00000000000000000000000000000001/{STREAM}"));
    assert_eq!((table.as_str(), errors.len()), ("DefenderIncidentsRaw_CL", 0));
    assert!(marker.starts_with("vector-sentinel-verify-"));
    assert!((300..320).contains(&after.as_secs()), "{after:?}");
}

#[test]
fn a_204_is_not_taken_for_a_row() {
    let failing = |keeps_errors| {
        move |config: &mut SimulatorConfig| {
            let failing_transforms = [(STREAM.to_owned(), "Column 'x' is not there.".to_owned())].into();
            config.log_analytics =
                LogAnalyticsConfig { failing_transforms, keeps_errors, ..LogAnalyticsConfig::default() };
        }
    };
    let found = verified(failing(true), None, &json!({}));
    assert!(why(&found).contains("(204), and after 900 s it is not in DefenderIncidentsRaw_CL"), "{found:?}");
    let said =
        "DCRLogErrors, of this row in the last hour, 1 times: Transformation: Column 'x' is not there.";
    assert_eq!(found[0].errors, [said]);
    let found = verified(failing(false), None, &json!({}));
    assert!(found[0].errors[0].contains("switch on the diagnostic setting 'Log Errors'"), "{found:?}");
    // What the stream does not declare vanishes, and so does the marker.
    let undeclared = |config: &mut SimulatorConfig| {
        config.roles.reads_rules = false;
        config.dcr.streams.get_mut(STREAM).unwrap().remove("ExtraColumns");
    };
    let found = verified(undeclared, Some(WORKSPACE), &json!({}));
    assert!(why(&found).contains("does not know the table, or the column that marks the row"), "{found:?}");
}

#[test]
fn whoever_cannot_be_asked_is_named_with_what_to_do() {
    let roles = |roles: Roles| move |config: &mut SimulatorConfig| config.roles = roles;
    let no_rules = Roles { reads_rules: false, ..Roles::default() };
    let found = verified(roles(no_rules), None, &json!({}));
    assert!(
        why(&found).contains("give --workspace-id, or give the identity the role Monitoring Reader"),
        "{found:?}"
    );
    let found = verified(roles(no_rules), Some(WORKSPACE), &json!({}));
    assert!(matches!(found[0].arrival, Arrival::Arrived { .. }), "{found:?}");
    let found = verified(roles(Roles { queries: false, ..Roles::default() }), None, &json!({}));
    assert!(why(&found).contains("give it the role Log Analytics Reader on the workspace"), "{found:?}");
    let found = verified(|_| {}, Some("00000000-0000-0000-0000-000000000000"), &json!({}));
    assert!(why(&found).contains("there is no such workspace here"), "{found:?}");
    let found = verified(|_| {}, None, &json!({"stream_name": "Custom-Other_CL"}));
    assert!(why(&found).starts_with("the row was not taken: "), "{found:?}");
}

#[test]
fn a_stream_that_events_choose_is_not_tried_and_said() {
    let options = json!({"endpoints": {}, "stream_name": "Custom-{{ table }}"});
    let found = verified(|_| {}, None, &options);
    assert!(matches!(found.as_slice(), [Verified { arrival: Arrival::Untried(_), .. }]), "{found:?}");
    assert!(why(&found).contains("depends on the event"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_repeated_and_told_as_metrics() {
    let bench = Bench::start(SimulatorConfig::default()).await;
    let (file, metrics, url) = (bench.file(&bench.pipeline()), free_address(), bench.simulator.url());
    let arguments =
        ["verify", "--every", "1s", "--metrics-address", &metrics, "--query-endpoint", &url, "-c"];
    let mut child = spawn(&[&arguments[..], &[file.to_str().unwrap()]].concat());
    let mut log = child.stderr.take().unwrap();
    let line = line_with(&mut log, "the row is in DefenderIncidentsRaw_CL").await;
    assert!(line.contains("sentinel_logs 'sentinel': verify: "), "{line}");
    bench.until(|stats| stats.rows_ingested >= 3).await;
    let shown = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
    let gauge =
        |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{shown}"));
    assert!(gauge("component_verify_arrived{").ends_with(" 1") && shown.contains(STREAM), "{shown}");
    gauge("component_verify_arrival_time_seconds{");
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_arrive_is_a_failure() {
    let mut config = SimulatorConfig::default();
    config.log_analytics.delay = Duration::from_hours(1);
    let bench = Bench::start(config).await;
    let (file, url) = (bench.file(&bench.pipeline()), bench.simulator.url());
    let arguments = ["verify", "--timeout", "1s", "--query-endpoint", &url, "-c", file.to_str().unwrap()];
    let (code, stdout, stderr) = ran(&arguments).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(
        stderr.starts_with("FAILED sinks.sentinel: ") && stderr.contains("0 of 1 rows have arrived"),
        "{stderr}"
    );
    for wrong in
        [["--every", "1d"], ["--workspace-id", "soc"], ["--metrics-address", "127.0.0.1:1"], ["--sink", "x"]]
    {
        assert_eq!(ran(&[&arguments[..], &wrong[..]].concat()).await.0, 64, "{wrong:?}");
    }
}
