//! Many ask, each is answered, and nothing is lost, wherever anybody ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::directory::{Directory, Stage};
use super::*;
use crate::clock::Clock;

const HEARD: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Test {
    Add(u32),
}

impl Command for Test {
    type Answer = String;
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn to() -> Recipient {
    Recipient::Ledger { name: "default".to_owned(), target: "sentinel".to_owned() }
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("control")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A server, and what it has on disk.
struct Server {
    inbox: Inbox<Test>,
    added: BTreeSet<u32>,
    /// How often anything was performed.
    performed: usize,
}

/// After which step a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Nothing,
    Claim,
    Effect,
    Answer,
    Remove,
}

impl Server {
    fn new(dir: &Path, clock: &Clock) -> Self {
        Self { inbox: Inbox::new(dir, to(), clock.clone()), added: BTreeSet::new(), performed: 0 }
    }

    /// What begins anew where this one has ended: it has what was on disk.
    fn restarted(self, dir: &Path, clock: &Clock) -> Self {
        Self { inbox: Inbox::new(dir, to(), clock.clone()), ..self }
    }

    fn perform(&mut self, Test::Add(number): &Test) -> String {
        self.added.insert(*number);
        self.performed += 1;
        format!("added {number}")
    }

    async fn serve(&mut self) {
        while let Some(claimed) = self.inbox.claim().await.unwrap() {
            let answer = self.perform(&claimed.envelope.command.clone());
            claimed.answer(answer).await.unwrap();
        }
    }

    /// Serves `whole` commands, and one more until after a step.
    async fn serve_until(&mut self, dir: &Path, clock: &Clock, whole: usize, last: Step) {
        for _ in 0..whole {
            let claimed = self.inbox.claim().await.unwrap().unwrap();
            let answer = self.perform(&claimed.envelope.command.clone());
            claimed.answer(answer).await.unwrap();
        }
        if last == Step::Nothing {
            return;
        }
        let claimed = self.inbox.claim().await.unwrap().unwrap();
        if last == Step::Claim {
            return;
        }
        let answer = self.perform(&claimed.envelope.command.clone());
        match last {
            Step::Answer => {
                let id = claimed.envelope.id.clone();
                let answer = Answered { id: id.clone(), answered_at: clock.now(), answer };
                Directory::new(dir).answer(&id, &answer).unwrap();
            }
            Step::Remove => claimed.answer(answer).await.unwrap(),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn forty_commands_at_once_are_all_answered_even_with_the_same_random_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let barrier = Arc::new(Barrier::new(40));
    let asking: Vec<_> = (0..40)
        .map(|n| {
            let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
            let barrier = Arc::clone(&barrier);
            #[expect(clippy::disallowed_methods, reason = "forty who ask are forty threads")]
            tokio::task::spawn_blocking(move || {
                barrier.wait();
                (n, mailbox.ask(to(), Test::Add(n)).unwrap())
            })
        })
        .collect();
    let asked = futures::future::try_join_all(asking).await.unwrap();
    let mut server = Server::new(dir.path(), &clock);
    server.serve().await;
    assert_eq!(server.added, (0..40).collect());
    assert_eq!(server.performed, 40);
    for (n, asked) in asked {
        assert_eq!(asked.wait(HEARD, None).await.unwrap(), Progress::Answered(format!("added {n}")));
    }
    assert_eq!(files(dir.path()), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_server_ends_each_command_is_answered_after_a_restart() {
    for whole in 0..3 {
        for step in [Step::Nothing, Step::Claim, Step::Effect, Step::Answer, Step::Remove] {
            let dir = tempfile::tempdir().unwrap();
            let clock = Clock::starting_at(start());
            let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
            let mut asked = Vec::new();
            for n in 0..3 {
                asked.push(mailbox.ask(to(), Test::Add(n)).unwrap());
                clock.sleep(Duration::from_millis(1)).await;
            }
            let mut server = Server::new(dir.path(), &clock);
            server.serve_until(dir.path(), &clock, whole, step).await;
            let mut server = server.restarted(dir.path(), &clock);
            server.serve().await;
            assert_eq!(server.added, (0..3).collect(), "{whole} {step:?}");
            let twice = usize::from(step == Step::Effect);
            assert_eq!(server.performed, 3 + twice, "{whole} {step:?}: what is answered is not served again");
            for (n, asked) in asked.iter().enumerate() {
                let progress = asked.progress().unwrap();
                assert_eq!(progress, Progress::Answered(format!("added {n}")), "{whole} {step:?}");
            }
            assert_eq!(files(dir.path()), [] as [String; 0], "{whole} {step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn commands_are_served_in_the_order_of_asking_also_after_failures() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    for n in 0..20 {
        mailbox.ask(to(), Test::Add(n)).unwrap();
        clock.sleep(Duration::from_millis(1)).await;
    }
    let inbox: Inbox<Test> = Inbox::new(dir.path(), to(), clock.clone());
    let mut order = Vec::new();
    for attempt in 0.. {
        let Some(claimed) = inbox.claim().await.unwrap() else { break };
        // Every second time it fails.
        if attempt % 2 == 1 {
            order.push(claimed.envelope.command.clone());
            claimed.answer(String::new()).await.unwrap();
        } else if attempt == 4 {
            mailbox.ask(to(), Test::Add(20)).unwrap();
        }
    }
    assert_eq!(order, (0..=20).map(Test::Add).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_others_stays_until_they_serve() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    let other = Recipient::Component("defender".to_owned());
    mailbox.ask(other.clone(), Test::Add(1)).unwrap();
    let unknown = r#"{"id":"0-of-a-later-version","to":{"planet":"Mars"},"command":0,"asked_at":"2023-11-14T22:13:20Z"}"#;
    std::fs::write(dir.path().join("control/0-of-a-later-version.asked"), unknown).unwrap();
    assert!(mailbox.is_waiting(&other).unwrap() && !mailbox.is_waiting(&to()).unwrap());
    let inbox: Inbox<Test> = Inbox::new(dir.path(), to(), clock.clone());
    let before = files(dir.path());
    for _ in 0..3 {
        assert!(inbox.claim().await.unwrap().is_none());
    }
    assert_eq!(files(dir.path()), before);
    let asked = mailbox.ask(to(), Test::Add(2)).unwrap();
    let claimed = inbox.claim().await.unwrap().unwrap();
    assert!(mailbox.is_waiting(&to()).unwrap(), "it is claimed and not answered");
    claimed.answer("done".to_owned()).await.unwrap();
    assert_eq!(asked.progress().unwrap(), Progress::Answered("done".to_owned()));
    let theirs: Inbox<Test> = Inbox::new(dir.path(), other.clone(), clock.clone());
    let claimed = theirs.claim().await.unwrap().unwrap();
    assert_eq!((&claimed.envelope.to, &claimed.envelope.command), (&other, &Test::Add(1)));
    assert_eq!(claimed.envelope.asked_at, start());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_set_aside_and_whoever_asked_learns_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    let asked = mailbox.ask(to(), Test::Add(1)).unwrap();
    let control = dir.path().join("control");
    let good = std::fs::read_to_string(control.join(&files(dir.path())[0])).unwrap();
    std::fs::write(control.join(&files(dir.path())[0]), good.replace("add", "subtract")).unwrap();
    std::fs::write(control.join("1-half.asked"), r#"{"id":"1-half","to":"#).unwrap();
    std::fs::write(control.join("2-long.claimed"), vec![b' '; 1024 * 1024 + 1]).unwrap();
    std::fs::write(control.join("3-other-id.asked"), &good).unwrap();
    std::fs::create_dir(control.join("4-directory.asked")).unwrap();
    std::fs::write(control.join("what is this.txt"), "no command").unwrap();
    let inbox: Inbox<Test> = Inbox::new(dir.path(), to(), clock.clone());
    assert!(inbox.claim().await.unwrap().is_none());
    let aside = files(dir.path());
    assert_eq!(aside.iter().filter(|name| name.ends_with(".unreadable")).count(), 5, "{aside:#?}");
    assert_eq!(aside.len(), 6);
    assert!(inbox.claim().await.unwrap().is_none());
    let progress = asked.wait(HEARD, None).await.unwrap();
    assert!(matches!(&progress, Progress::Unreadable(path) if path.exists()), "{progress:?}");
}

#[tokio::test(start_paused = true)]
async fn the_asker_waits_until_it_is_heard_and_then_until_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    let asked = mailbox.ask(to(), Test::Add(1)).unwrap();
    let minute = Some(Duration::from_mins(1));
    let began = clock.monotonic();
    assert_eq!(asked.wait(HEARD, minute).await.unwrap(), Progress::Asked);
    let waited = clock.monotonic() - began;
    assert!((HEARD..HEARD + Duration::from_secs(1)).contains(&waited), "{waited:?}");
    let inbox: Inbox<Test> = Inbox::new(dir.path(), to(), clock.clone());
    let claimed = inbox.claim().await.unwrap().unwrap();
    assert_eq!(asked.wait(HEARD, minute).await.unwrap(), Progress::Claimed);
    let answer = async {
        clock.sleep(Duration::from_mins(5)).await;
        claimed.answer("at last".to_owned()).await.unwrap();
    };
    let (progress, ()) = tokio::join!(asked.wait(HEARD, None), answer);
    assert_eq!(progress.unwrap(), Progress::Answered("at last".to_owned()));
    assert_eq!(asked.wait(HEARD, None).await.unwrap(), Progress::Removed, "an answer is had once");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_has_an_end_and_so_has_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    let long = Recipient::Component("x".repeat(1024 * 1024));
    assert!(matches!(mailbox.ask(long, Test::Add(1)), Err(ControlError::TooLarge { .. })));
    assert_eq!(files(dir.path()), [] as [String; 0]);
    for n in 0..10_000 {
        std::fs::write(dir.path().join(format!("control/{n}.claimed")), "").unwrap();
    }
    let error = mailbox.ask(to(), Test::Add(1)).unwrap_err();
    assert!(error.to_string().contains("start the pipeline"), "{error}");
    let inbox: Inbox<Test> = Inbox::new(dir.path(), to(), clock.clone());
    assert!(inbox.claim().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_reads_go_after_a_day_and_what_was_begun_too() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(start());
    let mut mailbox = Mailbox::new(dir.path(), clock.clone(), fastrand::Rng::with_seed(7));
    let mut server = Server::new(dir.path(), &clock);
    let asked = mailbox.ask(to(), Test::Add(1)).unwrap();
    let begun = format!("{:020}-0.asked.new", start().timestamp_nanos_opt().unwrap());
    std::fs::write(dir.path().join("control").join(&begun), "{").unwrap();
    server.serve().await;
    clock.sleep(Duration::from_hours(23)).await;
    server.serve().await;
    assert_eq!(files(dir.path()).len(), 2);
    clock.sleep(Duration::from_hours(1)).await;
    server.serve().await;
    assert_eq!(files(dir.path()), [] as [String; 0]);
    assert_eq!(asked.progress().unwrap(), Progress::Removed);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_any_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut mailbox = Mailbox::new(dir.path(), Clock::system(), fastrand::Rng::with_seed(7));
    mailbox.ask(to(), Test::Add(1)).unwrap();
    let id = files(dir.path())[0].trim_end_matches(".asked").to_owned();
    let directory = Directory::new(dir.path());
    directory.answer(&id, &"answer").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.path()), 0o700);
    assert_eq!(mode(&directory.file(&id, Stage::Asked)), 0o600);
    assert_eq!(mode(&directory.file(&id, Stage::Answer)), 0o600);
}
