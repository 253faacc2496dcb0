//! What could never be accepted, and the commands for it, as typed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use model::event::Batch;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::quarantine::{Quarantine, Reason, Refused};
use serde_json::{Value, json};
use simulator::{Fault, Service, SimulatorConfig};

use crate::cli::ran;
use crate::harness::{Bench, PATIENCE, program, spawn};
use crate::sink::{batch, bench, sink};

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: None }
}

/// A pipeline file for the sink of the bench, with `options` over the usual ones.
fn file(bench: &Bench, options: &Value) -> String {
    let mut pipeline = bench.pipeline();
    for (name, value) in options.as_object().unwrap() {
        pipeline["sinks"]["sentinel"][name] = value.clone();
    }
    bench.file(&pipeline).to_str().unwrap().to_owned()
}

/// How often each number is in the table.
fn table(bench: &Bench) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    for row in bench.simulator.rows() {
        *found.entry(row.columns["n"].as_i64().unwrap()).or_default() += 1;
    }
    found
}

fn in_quarantine(bench: &Bench) -> Vec<i64> {
    bench.quarantine().iter().map(|line| line["event"]["n"].as_i64().unwrap()).collect()
}

/// Has the service refuse rows with these numbers, one by one.
async fn refuse(bench: &Bench, numbers: std::ops::Range<i64>) {
    let sink = sink(bench, &json!({}));
    assert_eq!(sink.deliver(batch([json!({"n": 1_000})])).await, BatchStatus::Delivered);
    for n in numbers {
        bench.simulator.faults().script(Service::LogsIngestion, vec![status(400)]);
        assert_eq!(sink.deliver(batch([json!({"n": n})])).await, BatchStatus::Rejected);
    }
}

/// Puts rows with these numbers into a component's quarantine.
pub(crate) async fn fill(data_dir: &Path, component: &str, numbers: std::ops::Range<i64>) {
    let quarantine = Quarantine::open(data_dir, component, 1_000_000_000).unwrap();
    let batch: Batch = batch(numbers.map(|n| json!({"n": n, "text": "x".repeat(100)})));
    let reason = Reason { code: "refused", message: "no".to_owned(), request_id: None };
    let refused = |event| Refused { event, reason: reason.clone(), stream: None };
    let refused: Vec<_> = (0..batch.len()).map(refused).collect();
    assert_eq!(quarantine.keep_all(&batch, &refused, Clock::system().now()).await.count, batch.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_can_be_looked_at_and_delivered_when_the_cause_is_gone() {
    let bench = bench().await;
    refuse(&bench, 0..3).await;
    let narrow = sink(&bench, &json!({"batch": {"max_bytes": 10_000}}));
    let large = json!({"n": 3, "text": "x".repeat(20_000)});
    assert_eq!(narrow.deliver(batch([large])).await, BatchStatus::Rejected);
    let file = file(&bench, &json!({}));
    let data = bench.path("data").to_str().unwrap().to_owned();

    for place in [["--data-dir", data.as_str()], ["-c", file.as_str()]] {
        let (code, stdout, stderr) = ran(&["quarantine", "list", place[0], place[1]]).await;
        assert_eq!((code, stderr.as_str()), (0, ""));
        let lines: Vec<_> = stdout.lines().collect();
        assert!(lines[0].starts_with("sentinel: 4 events, 20.0 kB; ") && lines[0].ends_with(" in 1 file"));
        assert!(lines[1].starts_with("  refused: 3 events, 21 bytes, 20"), "{stdout}");
        assert!(lines[2].starts_with("  too_large: 1 event, 20.0 kB, 20"), "{stdout}");
        assert_eq!(lines.len(), 3, "{stdout}");
    }

    let show = |more: &[&'static str]| {
        let all = [&["quarantine", "show", "-c", file.as_str(), "sentinel"], more].concat();
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        async move { ran(&all.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let (code, stdout, stderr) = show(&["--reason", "refused", "--limit", "2"]).await;
    assert_eq!((code, stderr.as_str()), (0, "1 more: see --limit, --reason and --json\n"));
    assert!(stdout.starts_with("1-0  20") && stdout.contains("  refused  7 bytes  Custom-Rows_CL  request "));
    assert!(stdout.contains("400") && stdout.contains("    {\"n\":1}\n"), "{stdout}");
    let (_, stdout, _) = show(&["--reason", "too_large"]).await;
    assert!(stdout.contains('…') && stdout.len() < 1_000, "{stdout}");
    let (_, stdout, _) = show(&["--json"]).await;
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, bench.quarantine());
    assert_eq!(lines[3]["event"]["text"].as_str().unwrap().len(), 20_000);
    let second = lines[1]["id"].as_str().unwrap();
    let (_, stdout, _) = ran(&["quarantine", "show", "-c", &file, "sentinel", second, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), lines[1]);

    // One by its id, then the others.
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", second]).await;
    assert_eq!((code, stdout.as_str()), (0, "sentinel: 1 of 1 delivered\n"), "{stderr}");
    assert_eq!(in_quarantine(&bench), [0, 2, 3]);
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!((code, stdout.as_str()), (0, "sentinel: 3 of 3 delivered\n"), "{stderr}");
    assert_eq!(table(&bench), [0, 1, 2, 3, 1_000].map(|n| (n, 1)).into());
    let (code, stdout, _) = ran(&["quarantine", "list", "-c", &file]).await;
    assert_eq!((code, stdout), (0, format!("nothing is in the quarantine in {data}\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_stays_once_with_the_new_reason() {
    let bench = bench().await;
    refuse(&bench, 0..3).await;
    // All three, then the first alone; then the others are accepted.
    bench.simulator.faults().script(Service::LogsIngestion, vec![status(400), status(413)]);
    let file = file(&bench, &json!({}));
    let (code, stdout, _) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!(
        (code, stdout.as_str()),
        (1, "sentinel: 2 of 3 delivered; 1 refused again, which stay, with the new reason\n")
    );
    assert_eq!(in_quarantine(&bench), [0]);
    assert!(bench.quarantine()[0]["message"].as_str().unwrap().contains("413"));
    assert_eq!(table(&bench), [1, 2, 1_000].map(|n| (n, 1)).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_what_is_too_large_says_which_layout_takes_it() {
    let bench = bench().await;
    let options = json!({"batch": {"max_bytes": 10_000}});
    let large = json!({"n": 3, "text": "x".repeat(20_000)});
    assert_eq!(sink(&bench, &options).deliver(batch([large])).await, BatchStatus::Rejected);
    let file = file(&bench, &options);
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!(code, 1);
    assert!(stdout.contains("1 refused again"), "{stdout}");
    assert!(stderr.contains("too_large") && stderr.contains("layout defender"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_long_as_the_cause_is_there_a_retry_tries_a_few_only() {
    let bench = bench().await;
    fill(&bench.path("data"), "sentinel", 0..500).await;
    let file = file(&bench, &json!({}));
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, status(400))]);
    let retry = ["quarantine", "retry", "-c", &file, "sentinel", "--all"];
    let (code, stdout, stderr) = ran(&retry).await;
    assert_eq!(code, 1);
    assert!(stdout.contains("0 of 500 delivered; 10 refused again"), "{stdout}");
    assert!(stdout.contains("490 stay") && stderr.contains("the cause is still there"), "{stdout}{stderr}");
    assert!(bench.simulator.stats().ingestion_requests < 30);
    // Those that were tried are last in line now.
    assert_eq!(in_quarantine(&bench), (10..500).chain(0..10).collect::<Vec<_>>());
    bench.simulator.faults().clear();
    let (code, stdout, _) = ran(&retry).await;
    assert_eq!((code, stdout.as_str()), (0, "sentinel: 500 of 500 delivered\n"));
    assert_eq!(table(&bench), (0..500).map(|n| (n, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quarantine_can_be_retried() {
    let bench = bench().await;
    let data = bench.path("data");
    fill(&data, "sentinel", 0..10_000).await;
    let file = file(&bench, &json!({"quarantine": {"max_bytes": 1_048_576}}));
    let bad = json!({"n": 10_000, "text": "x".repeat(20_000)});
    let full = json!({"quarantine": {"max_bytes": 1_048_576}, "batch": {"max_bytes": 10_000}});
    let full = sink(&bench, &full);
    let waiting = tokio::spawn(async move { full.deliver(batch([bad])).await });
    // The first is refused again, and there is no room for it but its own.
    bench.simulator.faults().script(Service::LogsIngestion, vec![status(413); 4]);
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("9999 of 10000 delivered; 1 refused again"), "{stdout}");
    let status = tokio::time::timeout(PATIENCE, waiting).await.expect("there is room, and it waits");
    assert_eq!(status.unwrap(), BatchStatus::Rejected);
    assert_eq!(in_quarantine(&bench), [0, 10_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_killed_loses_nothing_and_doubles_no_more_than_a_batch() {
    const ROWS: i64 = 8_000;
    let bench = bench().await;
    fill(&bench.path("data"), "sentinel", 0..ROWS).await;
    let file = file(&bench, &json!({"batch": {"max_bytes": 20_000}}));
    let retry = ["quarantine", "retry", "-c", &file, "sentinel", "--all"];
    let delay = Fault::Delay(Duration::from_millis(20));
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(0.5, delay)]);
    let mut kills = 0;
    for part in 1..4 {
        let mut child = spawn(&retry);
        bench.until(|stats| stats.rows_ingested >= part * 1_700).await;
        child.kill().await.unwrap();
        child.wait().await.unwrap();
        kills += 1;
    }
    let arrived = table(&bench);
    let kept = in_quarantine(&bench);
    assert!(!kept.is_empty(), "the last kill came too late to show anything");
    let lost: Vec<_> = (0..ROWS).filter(|n| !arrived.contains_key(n) && !kept.contains(n)).collect();
    assert_eq!(lost, Vec::<i64>::new());
    bench.simulator.faults().clear();
    let (code, stdout, stderr) = ran(&retry).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(in_quarantine(&bench), Vec::<i64>::new());
    let arrived = table(&bench);
    assert_eq!(arrived.len(), usize::try_from(ROWS).unwrap());
    let twice: usize = arrived.values().map(|times| times - 1).sum();
    assert!(twice <= kills * 1_000, "{twice} rows came twice after {kills} kills");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_asked_to_stop_finishes_its_batch_and_doubles_nothing() {
    let bench = bench().await;
    fill(&bench.path("data"), "sentinel", 0..5_000).await;
    let file = file(&bench, &json!({}));
    let delay = Fault::Delay(Duration::from_millis(300));
    bench.simulator.faults().at_random(Service::LogsIngestion, vec![(1.0, delay)]);
    let child = spawn(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]);
    bench.until(|stats| stats.rows_ingested >= 10).await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let arrived = table(&bench);
    assert!((10..5_000).contains(&arrived.len()), "{}", arrived.len());
    let kept = in_quarantine(&bench);
    assert_eq!(kept.len() + arrived.len(), 5_000);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains(&format!("{} of 5000 delivered; {} stay", arrived.len(), kept.len())),
        "{stdout}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_once_do_not_get_into_each_others_way() {
    let bench = bench().await;
    let data = bench.path("data");
    fill(&data, "sentinel", 0..100).await;
    let file = file(&bench, &json!({}));
    let delay = Fault::Delay(Duration::from_secs(6));
    bench.simulator.faults().script(Service::LogsIngestion, vec![delay]);
    let retry = ["quarantine", "retry", "-c", &file, "sentinel", "--all"];
    let first = program().args(retry).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bench.until(|stats| stats.tokens_issued > 0).await;
    for second in [&retry[..], &["quarantine", "drop", "-c", &file, "sentinel", "--all", "--yes"]] {
        let (code, stdout, stderr) = ran(second).await;
        assert_eq!((code, stdout.as_str()), (1, ""), "{second:?}");
        assert!(stderr.contains("wait until it has ended"), "{stderr}");
    }
    // Looking is always possible, and so is putting something there.
    let (code, stdout, _) = ran(&["quarantine", "list", "-c", &file, "sentinel"]).await;
    assert!(code == 0 && stdout.starts_with("sentinel: 100 events"), "{stdout}");
    fill(&data, "sentinel", 100..110).await;
    let output = tokio::time::timeout(PATIENCE, first.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "sentinel: 100 of 100 delivered\n");
    assert_eq!(in_quarantine(&bench), (100..110).collect::<Vec<_>>());
    assert_eq!(table(&bench), (0..100).map(|n| (n, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_beside_a_pipeline_that_runs() {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = 20;
    let bench = Bench::start(config).await;
    // Down to one incident, which is refused alone.
    bench.simulator.faults().script(Service::LogsIngestion, vec![status(400); 5]);
    let file = file(&bench, &json!({}));
    let mut running = spawn(&["run", "-c", &file]);
    bench.until(|stats| stats.rows_ingested == 19).await;
    assert_eq!(bench.quarantine().len(), 1);
    bench.simulator.tenant().create(30);
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!((code, stdout.as_str()), (0, "sentinel: 1 of 1 delivered\n"), "{stderr}");
    bench.caught_up().await;
    running.kill().await.unwrap();
    bench.assert_exactly_once();
    assert_eq!(bench.quarantine(), Vec::<Value>::new());
    let time = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    for row in bench.simulator.rows() {
        let times =
            ["TimeGenerated", "lastUpdateDateTime"].map(|name| time(&row.columns[name]).timestamp_micros());
        assert_eq!(times[0], times[1], "an incident that is retried keeps its time");
    }
}

#[tokio::test]
async fn nothing_is_dropped_without_a_yes() {
    let bench = bench().await;
    let data = bench.path("data");
    fill(&data, "sentinel", 0..3).await;
    // Of a source, too.
    fill(&data, "defender", 3..5).await;
    let data = data.to_str().unwrap();
    let drop = ["quarantine", "drop", "--data-dir", data, "sentinel"];
    let second = bench.quarantine()[1]["id"].as_str().unwrap().to_owned();
    let (code, stdout, _) = ran(&[&drop[..], &[&second]].concat()).await;
    assert!(code == 0 && stdout.starts_with("would remove 1 event, "), "{stdout}");
    assert_eq!(in_quarantine(&bench), [0, 1, 2]);
    let (code, stdout, _) = ran(&[&drop[..], &[&second, "--yes"]].concat()).await;
    assert!(code == 0 && stdout.starts_with("removed 1 event, "), "{stdout}");
    assert_eq!(in_quarantine(&bench), [0, 2]);
    let (code, _, stderr) = ran(&[&drop[..], &[&second, "--yes"]].concat()).await;
    assert_eq!(code, 1);
    assert!(stderr.contains(&format!("there is no event {second}")), "{stderr}");
    let (code, stdout, _) = ran(&[&drop[..], &["--reason", "refused", "--yes"]].concat()).await;
    assert!(code == 0 && stdout.contains("removed 2 events") && stdout.contains("refused 2"), "{stdout}");
    let (code, stdout, _) =
        ran(&["quarantine", "drop", "--data-dir", data, "defender", "--all", "--yes"]).await;
    assert!(code == 0 && stdout.starts_with("removed 2 events"), "{stdout}");
    let (code, stdout, _) = ran(&["quarantine", "list", "--data-dir", data]).await;
    assert!(code == 0 && stdout.starts_with("nothing is in the quarantine"), "{stdout}");
    // A pipeline file in the environment is not in the way of another data_dir.
    let list = ["quarantine", "list", "--data-dir", data];
    let output = program().args(list).env("VECTOR_SENTINEL_CONFIG", "/nowhere.yaml").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn mistakes_are_told_with_what_there_is() {
    let bench = bench().await;
    let data = bench.path("data");
    let file = file(&bench, &json!({}));
    for component in ["sentinel", "defender"] {
        fill(&data, component, 0..1).await;
    }
    let wrong = [
        (&["show", "-c", &file, "sentinl"][..], 1, "there is: defender, sentinel"),
        (&["list", "-c", &file, "sentinl"], 1, "there is: defender, sentinel"),
        (&["show", "-c", &file, "sentinel", "9-9"], 1, "there is no event 9-9"),
        (&["drop", "-c", &file, "sentinel", "--reason", "refusd"], 1, "there is: refused"),
        (&["retry", "-c", &file, "sentinel", "9-9"], 1, "there is no event 9-9"),
        (&["retry", "-c", &file, "sentinl", "--all"], 1, "there is: sentinel, defender"),
        (&["retry", "-c", &file, "defender", "--all"], 1, "is a source"),
        (&["retry", "-c", "/nowhere.yaml", "sentinel", "--all"], 78, "nowhere.yaml"),
        (&["list", "-c", "/nowhere.yaml"], 78, "nowhere.yaml"),
        (&["list"], 64, "--data-dir"),
        (&["drop", "-c", &file, "sentinel"], 64, "--all"),
        (&["drop", "-c", &file, "sentinel", "1-0", "--all"], 64, "cannot be used with"),
        (&["retry", "sentinel", "--all"], 64, "--config"),
    ];
    for (arguments, expected, words) in wrong {
        let (code, stdout, stderr) = ran(&[&["quarantine"], arguments].concat()).await;
        assert_eq!((code, stdout.as_str()), (expected, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {words} is not in:\n{stderr}");
    }
    assert_eq!(in_quarantine(&bench), [0]);
    assert!(!data.join("quarantine/sentinl").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_kept_is_retried_too() {
    let bench = bench().await;
    std::fs::create_dir_all(bench.path("data/quarantine")).unwrap();
    let old = bench.path("data/quarantine/sentinel.ndjson");
    let line = |n| {
        json!({"time": "2026-01-01T00:00:00Z", "code": "refused", "message": "m", "request_id": null, "bytes": 7,
            "event": {"n": n}})
    };
    std::fs::write(&old, format!("{}\n{}\n", line(1), line(2))).unwrap();
    let file = file(&bench, &json!({}));
    let (_, stdout, _) = ran(&["quarantine", "list", "-c", &file]).await;
    assert!(stdout.starts_with("sentinel: 2 events, 14 bytes"), "{stdout}");
    let (code, stdout, stderr) = ran(&["quarantine", "retry", "-c", &file, "sentinel", "--all"]).await;
    assert_eq!((code, stdout.as_str()), (0, "sentinel: 2 of 2 delivered\n"), "{stderr}");
    assert_eq!(table(&bench), [(1, 1), (2, 1)].into());
    assert!(!old.exists());
}
