use std::process::Stdio;

use tokio::process::Child;

use super::super::leftover::PidFile;
use super::*;

/// Starts a program as a run of ours would have that is no more, and notes it in the file as the one to end.
fn left_behind(dir: &Path, program: &str, arguments: &[&str]) -> Child {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.process_group(0).kill_on_drop(true).spawn().unwrap();
    std::fs::write(dir.join("vector.pid"), child.id().unwrap().to_string()).unwrap();
    child
}

/// A fake Vector that an earlier run has left behind, running.
async fn leftover(dir: &Path) -> Child {
    let config = dir.join("vector.yaml");
    let arguments = ["--config-yaml", config.to_str().unwrap()];
    let child = left_behind(dir, dir.join("vector").to_str().unwrap(), &arguments);
    says(&dir.join("log"), "ready").await;
    child
}

/// Runs a supervisor in the directory once, and gives what the fakes in it have noted.
async fn run_once(dir: TempDir) -> String {
    std::fs::write(dir.path().join("first"), "echo second >>log\n").unwrap();
    let bench = run(dir).await;
    bench.logs("second\nready").await;
    bench.tell(SupervisorCommand::Stop).await;
    let (ended, log) = bench.ended().await;
    assert_eq!(ended, Ok(SupervisorEnded::Drained));
    log
}

#[tokio::test]
async fn the_vector_of_a_run_that_was_killed_is_ended_before_a_new_one_starts() {
    let dir = fake("");
    let mut left = leftover(dir.path()).await;
    let log = run_once(dir).await;
    let order: Vec<_> = log.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(order, ["start", "ready", "terminate", "start", "second", "ready", "terminate"]);
    assert!(left.wait().await.unwrap().success());
}

#[tokio::test]
async fn one_that_does_not_listen_is_killed() {
    let dir = fake("trap '' TERM");
    let mut left = leftover(dir.path()).await;
    // It gets its five seconds, but not of ours.
    let mut file = PidFile::lock(&dir.path().join("vector.yaml")).unwrap();
    tokio::time::pause();
    file.end_leftover(&Clock::system()).await.unwrap();
    tokio::time::resume();
    assert_eq!(left.wait().await.unwrap().to_string(), "signal: 9 (SIGKILL)");
    assert_eq!(std::fs::read_to_string(dir.path().join("vector.pid")).unwrap(), "");
}

#[tokio::test]
async fn a_stranger_that_has_the_number_by_now_is_left_alone() {
    let dir = fake("");
    // Even one that runs Vector, but not with our configuration.
    let mut stranger = left_behind(dir.path(), "sleep", &["30"]);
    run_once(dir).await;
    assert_eq!(stranger.try_wait().unwrap(), None);
}

#[tokio::test]
async fn a_file_that_makes_no_sense_is_ignored() {
    for text in ["", "1", "-1", "0", "vector", "99999999999999"] {
        let dir = fake("");
        std::fs::write(dir.path().join("vector.pid"), text).unwrap();
        run_once(dir).await;
    }
}

#[tokio::test]
async fn a_second_run_refuses_and_leaves_the_first_ones_vector_alone() {
    let mut first = run(fake("")).await;
    first.logs("ready").await;
    let dir = first.dir.path();
    let second = launch(&dir.join("vector"), dir.join("vector.yaml")).await;
    let error = supervise(TempDir::new().unwrap(), second).ended().await.0.unwrap_err();
    assert!(error.contains("another process runs Vector with") && error.contains("data_dirs"), "{error}");
    let pid = first.runs().await.as_raw_pid().to_string();
    assert_eq!(std::fs::read_to_string(first.dir.path().join("vector.pid")).unwrap(), pid);
    first.tell(SupervisorCommand::Stop).await;
    assert_eq!(first.ended().await.0, Ok(SupervisorEnded::Drained));
}
