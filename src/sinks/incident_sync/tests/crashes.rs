//! Whatever is lost on the way, and wherever the process ends, what comes of it is the same.

use super::*;
use runtime::store::FILE_NAME;

async fn scenario(fault: Option<Fault>) -> (World, Vec<String>) {
    let world = World::start(Options::default()).await;
    if let Some(fault) = fault {
        world.services.fail(fault);
    }
    play(world).await
}

/// What people do on both sides, one after the other.
pub(super) async fn play(mut world: World) -> (World, Vec<String>) {
    let services = Arc::clone(&world.services);
    services.put(Side::Defender, incident(ID));
    services.say(Side::Defender, ID, "Ann", "first");
    services.say(Side::Defender, ID, "Ann", &"long ".repeat(6_200));
    services.set(Side::Defender, ID, Field::Status, "inProgress");
    services.edit(Side::Defender, ID, |incident| incident.tags = Some(["vip".to_owned()].into()));
    world.settle().await;
    let name = world.sentinel_id();
    services.set(Side::Sentinel, &name, Field::Owner, "ben@contoso.com");
    services.say(Side::Sentinel, &name, "Ben", "a false alarm");
    services.say(Side::Sentinel, &name, "Ben", "a false alarm");
    services.set(Side::Sentinel, &name, Field::Status, "Closed");
    services.set(Side::Sentinel, &name, Field::Classification, "FalsePositive/IncorrectAlertLogic");
    services.edit(Side::Sentinel, &name, |incident| {
        incident.tags = Some(["vip".to_owned(), "seen".to_owned()].into());
    });
    services.edit(Side::Defender, ID, |incident| incident.tags = Some([].into()));
    world.settle().await;
    services.set(Side::Defender, ID, Field::Status, "active");
    world.settle().await;
    let calls = services.calls();
    (world, calls)
}

#[tokio::test(start_paused = true)]
async fn wherever_a_call_is_lost_or_the_process_is_killed_both_sides_say_the_same_in_the_end() {
    let (undisturbed, calls) = scenario(None).await;
    let expected = Side::ALL.map(|side| undisturbed.seen(side));
    assert_eq!(expected[1].1.len(), 5, "three copies and two comments: {expected:#?}");
    assert!(expected[1].0.contains(&"status=New".to_owned()), "{:?}", expected[1].0);
    assert!(expected[0].0.contains(&"#seen".to_owned()) && !expected[0].0.contains(&"#vip".to_owned()));
    let told = audited(&undisturbed).await;
    assert!(told.contains(&r#""defender" "status" "resolved""#.to_owned()), "{told:#?}");
    for (call, what) in calls.iter().enumerate() {
        for (is_heard, kills) in [(false, false), (true, false), (false, true), (true, true)] {
            let fault = Fault { call, is_heard, kills };
            let (world, _) = scenario(Some(fault)).await;
            for (side, expected) in Side::ALL.into_iter().zip(&expected) {
                assert_eq!(
                    world.seen(side),
                    *expected,
                    "{side}, {fault:?} at {what}: {:#?}",
                    world.services.calls()
                );
                assert_eq!(world.quarantined(side), [] as [String; 0], "{fault:?}");
            }
            assert_eq!(audited(&world).await, told, "{fault:?} at {what}: {:#?}", world.services.calls());
        }
    }
}

/// What was told of fields, tags and comments that were written, in no order.
pub(super) async fn audited(world: &World) -> Vec<String> {
    let events = world.events("audit").await;
    let changes = events.iter().map(|event| (&event["target"], &event["change"]));
    let of_fields = changes.filter(|(_, change)| change["field"] != "incident");
    let mut told: Vec<_> = of_fields
        .map(|(target, change)| format!("{target} {} {}", change["field"], change["after"]))
        .collect();
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_sentinel_before_a_crash_hid_that_the_incident_is_ours_is_not_forgotten() {
    let mut world = World::start(Options::default()).await;
    world.services.put(Side::Defender, incident(ID));
    // It is created, and the process ends before that is noted.
    world.services.fail(Fault { call: 2, is_heard: true, kills: true });
    world.offer_from(Side::Defender, world.services.all(Side::Defender)).await;
    world.services.killed.notified().await;
    assert_eq!(world.services.calls().last().unwrap(), "create Sentinel ");
    // Its source has it before the sink knows of it.
    let name = world.sentinel_id();
    world.services.say(Side::Sentinel, &name, "Ben", "who is that?");
    world.options.write.retain(|(side, _)| *side == Side::Defender);
    world.restart().await;
    world.offer_from(Side::Sentinel, world.services.all(Side::Sentinel)).await;
    world.work().await;
    world.options = Options::default();
    world.restart().await;
    world.work().await;
    assert_eq!(texts(&world.services.only(Side::Defender)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_state_file_that_fails_after_any_call_makes_no_second_write() {
    // What is read, written and said; toward Sentinel its comments are read as well.
    for (target, calls) in [(Side::Defender, 3), (Side::Sentinel, 4)] {
        for call in 0..calls {
            let mut world = World::with_one(Options::default()).await;
            let name = world.sentinel_id();
            let (from, id) = match target {
                Side::Defender => (Side::Sentinel, name.as_str()),
                Side::Sentinel => (Side::Defender, ID),
            };
            world.services.say(Side::Sentinel, &name, "Ben", "me too");
            world.settle().await;
            world.services.set(from, id, Field::Owner, "ann@contoso.com");
            world.services.say(from, id, "Ann", "looking");
            let file = world.dir.path().join(FILE_NAME);
            let aside = world.dir.path().join("aside");
            let (gone, there) = (file.clone(), aside.clone());
            let call = world.services.calls().len() + call;
            world.services.then(call, move || std::fs::rename(gone, there).unwrap());
            world.offer_from(from, world.services.all(from)).await;
            world.clock.sleep(Duration::from_secs(20)).await;
            std::fs::rename(aside, file).unwrap();
            world.settle().await;
            let writes = world.services.writes();
            let count = |what: &str| writes.iter().filter(|write| write.starts_with(what)).count();
            assert_eq!(count(&format!("write {target} owner")), 1, "{call}: {writes:#?}");
            assert_eq!(world.value(target, Field::Owner), "ann@contoso.com", "{call}");
            assert_eq!(texts(&world.services.only(target)).len(), 2, "{call}: {writes:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_lost_makes_no_second_copies() {
    let (world, _) = scenario(None).await;
    let expected = Side::ALL.map(|side| world.seen(side));
    let services = Arc::clone(&world.services);
    drop(world);
    for first in Side::ALL {
        let mut anew = World::start(Options::default()).await;
        for side in Side::ALL {
            for incident in services.all(side) {
                anew.services.put(side, incident);
            }
        }
        anew.offer_from(first, services.all(first)).await;
        anew.work().await;
        anew.settle().await;
        for (side, expected) in Side::ALL.into_iter().zip(&expected) {
            assert_eq!(anew.seen(side), *expected, "{first}'s came first: {:#?}", anew.services.calls());
        }
    }
}
