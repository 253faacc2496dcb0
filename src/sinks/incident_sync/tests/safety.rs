//! What only says what it would do, what stops, and what goes on.

use super::super::brake::SafetyConfig;
use super::*;

const DRY: WriteConfig = WriteConfig {
    closing: true,
    reopening: true,
    min_severity: None,
    dry_run: true,
    safety: SafetyConfig { max_incidents: 200, window_secs: 600 },
};

fn at_most(max_incidents: usize) -> WriteConfig {
    WriteConfig { safety: SafetyConfig { max_incidents, window_secs: 60 }, ..WriteConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing_says_it_and_loses_nothing() {
    let mut world = World::with_one(Options::default()).await;
    let writes = world.services.writes();
    world.options = Options::each(DRY);
    world.restart().await;
    let name = world.sentinel_id();
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.services.say(Side::Defender, ID, "Ann", "looking");
    world.services.set(Side::Sentinel, &name, Field::Owner, "ben@contoso.com");
    world.services.say(Side::Sentinel, &name, "Ben", "me too");
    world.services.put(Side::Defender, incident("30"));
    world.settle().await;
    assert_eq!(world.services.writes(), writes);
    let events = world.events("audit").await;
    let dry: Vec<_> = events.iter().filter(|event| event["dry_run"] == true).collect();
    assert!(dry.iter().any(|event| event["change"]["field"] == "status"), "{events:#?}");
    assert!(dry.iter().any(|event| event["change"]["after"]["title"] == "An incident"), "{events:#?}");
    world.clock.sleep(Duration::from_secs(3)).await;
    assert_eq!((world.status(Side::Sentinel).waiting, world.status(Side::Defender).waiting), (2, 1));
    // And then in earnest, without any source saying it again.
    world.options = Options::default();
    world.restart().await;
    world.clock.sleep(Duration::from_secs(1)).await;
    world.work().await;
    assert_eq!(world.services.all(Side::Sentinel).len(), 2);
    world.services.remove(Side::Defender, "30");
    let other = world.services.all(Side::Sentinel).into_iter().find(|incident| incident.id != name).unwrap();
    world.services.remove(Side::Sentinel, &other.id);
    world.settle().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
    assert_eq!(world.value(Side::Defender, Field::Owner), "ben@contoso.com");
    assert_eq!(texts(&world.services.only(Side::Defender)).len(), 2);
    assert_eq!(texts(&world.services.only(Side::Sentinel)).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_too_many_incidents_would_change_everything_stops_until_somebody_says_so_and_nothing_is_lost() {
    let mut world = World::start(Options::each(at_most(2))).await;
    for id in ["1", "2", "3", "4"] {
        // Creating them does not count, nor do the comments that they come with.
        world.services.put(Side::Defender, incident(id));
        world.services.say(Side::Defender, id, "Ann", "looking");
    }
    world.settle().await;
    assert_eq!(world.services.all(Side::Sentinel).len(), 4);
    assert!(world.services.all(Side::Sentinel).iter().all(|incident| texts(incident).len() == 1));
    assert_eq!(world.events("alarm").await.len(), 0);
    for id in ["1", "2", "3", "4"] {
        world.services.set(Side::Defender, id, Field::Status, "resolved");
    }
    world.settle().await;
    let closed = |world: &World| {
        world.services.all(Side::Sentinel).iter().filter(|incident| incident.is_closed()).count()
    };
    assert_eq!(closed(&world), 2);
    assert_eq!(world.events("alarm").await.len(), 1);
    // Neither time nor a restart lets it go on.
    world.clock.sleep(Duration::from_mins(5)).await;
    world.restart().await;
    world.settle().await;
    world.clock.sleep(Duration::from_secs(3)).await;
    assert_eq!(closed(&world), 2);
    let status = world.status(Side::Sentinel);
    assert_eq!(status.waiting, 2);
    assert!(status.halted.unwrap().contains("2 incidents were changed within 60 s"));
    let asked = world.ask(Side::Sentinel, SyncCommand::Resume);
    let progress = asked.wait(Duration::from_secs(5), None).await.unwrap();
    assert_eq!(progress, Progress::Answered(SyncAnswer::Resumed { was_halted: true }));
    world.work().await;
    assert_eq!(closed(&world), 4);
}

#[tokio::test(start_paused = true)]
async fn comments_stop_as_well() {
    let mut world = World::start(Options::each(at_most(1))).await;
    for id in ["1", "2", "3"] {
        world.services.put(Side::Defender, incident(id));
    }
    world.settle().await;
    for id in ["1", "2", "3"] {
        world.services.say(Side::Defender, id, "Ann", "looking");
    }
    world.settle().await;
    let comments: usize =
        world.services.all(Side::Sentinel).iter().map(|incident| texts(incident).len()).sum();
    assert_eq!(comments, 1);
    assert_eq!(world.events("alarm").await.len(), 1);
}
