use rustix::process::Signal;

use super::super::launch::{kill, signal};
use super::super::supervisor::{REFUSALS, STEADY};
use super::*;

#[tokio::test]
async fn it_starts_reloads_and_stops() {
    let bench = run(fake("")).await;
    bench.logs("ready").await;
    bench.tell(SupervisorCommand::Reload).await;
    bench.logs("hangup").await;
    bench.tell(SupervisorCommand::Stop).await;
    let config = bench.dir.path().join("vector.yaml").display().to_string();
    let pid_file = bench.dir.path().join("vector.pid");
    assert!(pid_file.exists());
    let (ended, log) = bench.ended().await;
    assert_eq!(ended, Ok(SupervisorEnded::Drained));
    assert_eq!(
        log,
        format!("start --config-yaml {config} --graceful-shutdown-limit-secs 20\nready\nhangup\nterminate\n")
    );
}

#[tokio::test]
async fn it_gets_the_arguments_that_it_needs() {
    let dir = fake("");
    let mut launch = launch(&dir.path().join("vector"), "vector.yaml".into()).await;
    (launch.allow_env, launch.json_logs, launch.shutdown_limit) = (true, true, Duration::from_millis(1));
    let child = launch.spawn().unwrap();
    let log = says(&dir.path().join("log"), "ready").await;
    let expected = "start --config-yaml vector.yaml --dangerously-allow-env-var-interpolation --log-format json \
                    --graceful-shutdown-limit-secs 1\n";
    assert!(log.contains(expected), "{log}");
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap());
}

#[tokio::test]
async fn nobody_left_to_say_so_means_stop() {
    let bench = run(fake("")).await;
    bench.logs("ready").await;
    let Bench { dir: _dir, commands, run, .. } = bench;
    drop(commands);
    assert_eq!(run.await.unwrap(), Ok(SupervisorEnded::Drained));
}

#[tokio::test]
async fn a_death_is_followed_by_a_start_with_growing_waits() {
    let clock = Clock::system();
    let mut bench = run(fake("exit 3")).await;
    // From here on tokio's time moves only while everybody waits, so a wait takes what it was meant to, and a
    // millisecond of tokio's rounding.
    tokio::time::pause();
    let rounding = Duration::from_millis(1);
    let mut last = bench.prepared.recv().await.unwrap();
    for step in [500, 1_000, 2_000, 4_000].map(Duration::from_millis) {
        let next = bench.prepared.recv().await.unwrap();
        let wait = next - last;
        assert!(wait >= step / 2 && wait <= step + rounding, "{wait:?} is not within {step:?}");
        last = next;
    }
    std::fs::write(bench.dir.path().join("first"), "").unwrap();
    bench.logs("ready").await;
    clock.sleep(STEADY).await;
    // After a life of a minute the waits begin anew.
    while bench.prepared.try_recv().is_ok() {}
    let died = clock.monotonic();
    signal(bench.runs().await, Signal::KILL);
    let wait = bench.prepared.recv().await.unwrap() - died;
    assert!(wait <= Duration::from_millis(500) + rounding, "{wait:?}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_next_start() {
    let mut bench = run(fake("exit 3")).await;
    bench.state.wait_for(|state| *state == SupervisorState::Waiting).await.unwrap();
    tokio::time::pause();
    let began = Clock::system().monotonic();
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::Drained));
    assert_eq!(Clock::system().monotonic(), began);
}

#[tokio::test]
async fn a_reload_starts_at_once_what_waits_to_be_started() {
    let mut bench = run(fake("exit 3")).await;
    bench.prepared.recv().await.unwrap();
    bench.state.wait_for(|state| *state == SupervisorState::Waiting).await.unwrap();
    tokio::time::pause();
    let began = Clock::system().monotonic();
    bench.tell(SupervisorCommand::Reload).await;
    assert_eq!(bench.prepared.recv().await.unwrap(), began);
}

#[tokio::test]
async fn one_that_does_not_stop_is_killed_at_the_deadline_with_all_that_it_started() {
    let bench = run(fake("trap '' TERM; sleep 300 </dev/null >/dev/null 2>&1 & echo $! >started")).await;
    bench.logs("ready").await;
    let started = std::fs::read_to_string(bench.dir.path().join("started")).unwrap();
    // From here on nobody waits for real: the deadline comes as soon as everybody waits.
    tokio::time::pause();
    let began = Clock::system().monotonic();
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::GaveUp));
    assert_eq!((Clock::system().monotonic() - began).as_secs(), 25);
    ends(started.trim()).await;
}

#[tokio::test]
async fn a_second_stop_kills_it_at_once() {
    let bench = run(fake("trap 'echo deaf >>log' TERM")).await;
    bench.logs("ready").await;
    bench.tell(SupervisorCommand::Stop).await;
    bench.logs("deaf").await;
    bench.tell(SupervisorCommand::Reload).await;
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::GaveUp));
}

#[tokio::test]
async fn one_that_breaks_while_it_stops_has_not_drained() {
    let bench = run(fake("trap 'exit 9' TERM")).await;
    bench.logs("ready").await;
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::GaveUp));
}

#[tokio::test]
async fn a_refusal_at_the_first_start_ends_the_run() {
    for code in REFUSALS {
        let (ended, log) = run(fake(&format!("exit {code}"))).await.ended().await;
        let error = ended.unwrap_err();
        assert!(error.contains(&format!("exit status: {code}")), "{error}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_refusal_later_is_tried_again() {
    let bench =
        run(fake("[ -e died ] || { touch died; exit 1; }; [ -e refused ] || { touch refused; exit 78; }"))
            .await;
    let log = bench.logs("ready").await;
    assert_eq!(log.matches("start").count(), 3, "{log}");
    bench.tell(SupervisorCommand::Stop).await;
    assert_eq!(bench.ended().await.0, Ok(SupervisorEnded::Drained));
}

#[tokio::test]
async fn what_cannot_be_prepared_or_started_ends_the_run_at_the_first_start() {
    let dir = fake("");
    let launch = launch(&dir.path().join("vector"), dir.path().join("vector.yaml")).await;
    let mut bench = supervise(TempDir::new().unwrap(), launch.clone());
    bench.prepared.close();
    assert_eq!(bench.run.await.unwrap(), Err("nobody counts".to_owned()));
    std::fs::remove_file(dir.path().join("vector")).unwrap();
    let error = supervise(dir, launch).run.await.unwrap().unwrap_err();
    assert!(error.contains("vector cannot be started: No such file"), "{error}");
}
