//! `sync retry` and `sync resume`: every command is served, wherever the process ends.

use super::*;
use runtime::store::FILE_NAME;

/// How long something takes to be heard: longer than the pause after a failure.
const HEARD: Duration = Duration::from_secs(30);

/// An incident whose new status Sentinel has refused for good.
async fn refused() -> World {
    let mut world = World::with_one(Options::default()).await;
    world.services.refuse("write Sentinel status");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.settle().await;
    assert_eq!(world.quarantined(Side::Sentinel).len(), 1);
    world.services.accept_all();
    world.settle().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "New");
    world
}

fn key() -> String {
    format!("{TENANT}/{ID}")
}

fn retry(incidents: &[String]) -> SyncCommand {
    SyncCommand::Retry { incidents: incidents.to_vec() }
}

fn tried(incidents: &[String]) -> Progress<SyncAnswer> {
    Progress::Answered(SyncAnswer::Retried { tried: incidents.to_vec(), unknown: Vec::new() })
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_written_when_asked_and_what_is_unknown_is_said() {
    let mut world = refused().await;
    let asked = world.ask(Side::Sentinel, retry(&["nobody".to_owned(), key()]));
    let answer = SyncAnswer::Retried { tried: vec![key()], unknown: vec!["nobody".to_owned()] };
    assert_eq!(asked.wait(HEARD, None).await.unwrap(), Progress::Answered(answer));
    world.work().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_when_the_process_ended_is_served_by_the_next_one() {
    let mut world = refused().await;
    world.options.write.clear();
    world.restart().await;
    // Nobody serves: it is claimed, and then that process ends.
    let asked = world.ask(Side::Sentinel, retry(&[key()]));
    let to = recipient("default", Side::Sentinel);
    let inbox: Inbox<SyncCommand> = Inbox::new(world.dir.path(), to, world.clock.clone());
    drop(inbox.claim().await.unwrap().unwrap());
    drop(inbox);
    let waited = Some(Duration::from_secs(5));
    assert_eq!(asked.wait(HEARD, waited).await.unwrap(), Progress::Claimed);
    world.options = Options::default();
    world.restart().await;
    assert_eq!(asked.wait(HEARD, Some(HEARD)).await.unwrap(), tried(&[key()]));
    world.work().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
}

#[tokio::test(start_paused = true)]
async fn what_the_state_file_does_not_take_is_answered_when_it_does() {
    let mut world = refused().await;
    let (file, aside) = (world.dir.path().join(FILE_NAME), world.dir.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    let asked = world.ask(Side::Sentinel, retry(&[key()]));
    world.clock.sleep(Duration::from_millis(1)).await;
    let behind = world.ask(Side::Sentinel, SyncCommand::Resume);
    assert_eq!(asked.wait(HEARD, Some(HEARD)).await.unwrap(), Progress::Claimed);
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(asked.wait(HEARD, Some(HEARD)).await.unwrap(), tried(&[key()]));
    let resumed = Progress::Answered(SyncAnswer::Resumed { was_halted: false });
    assert_eq!(behind.wait(HEARD, None).await.unwrap(), resumed);
    world.work().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
}
