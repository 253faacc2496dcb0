//! A quiet system writes nothing, and nothing goes round in circles.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_we_wrote_comes_back_and_causes_nothing() {
    let mut world = World::with_one(Options::default()).await;
    world.services.set(Side::Defender, ID, Field::Owner, "ann@contoso.com");
    world.services.say(Side::Defender, ID, "Ann", "looking");
    world.services.say(Side::Sentinel, &world.sentinel_id(), "Ben", "me too");
    world.settle().await;
    let writes = world.services.writes();
    assert_eq!(writes.len(), 4, "{writes:#?}");
    world.restart().await;
    world.settle().await;
    assert_eq!(world.services.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn two_sides_that_each_may_not_write_do_not_wake_each_other_for_ever() {
    let no_closing = WriteConfig { closing: false, ..WriteConfig::default() };
    let mut world = World::with_one(Options::each(no_closing)).await;
    // Defender does not take the owner, and Sentinel may not be closed.
    world.services.refuse("write Defender owner");
    world.services.set(Side::Sentinel, &world.sentinel_id(), Field::Owner, "nobody@contoso.com");
    world.services.set(Side::Defender, ID, Field::Status, "resolved");
    world.settle().await;
    let calls = world.services.calls().len();
    world.clock.sleep(Duration::from_mins(1)).await;
    assert_eq!(world.services.calls().len(), calls, "{:#?}", world.services.calls());
    let notices = world.notices().await;
    assert!(
        notices.iter().any(|notice| notice.contains("does not take 'nobody@contoso.com'")),
        "{notices:#?}"
    );
    assert!(notices.iter().any(|notice| notice.contains("switched off for this direction")), "{notices:#?}");
    assert_eq!(notices.len(), 2, "{notices:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_found_again_is_not_looked_for_for_ever() {
    let mut world = World::with_one(Options::default()).await;
    world.services.say(Side::Sentinel, &world.sentinel_id(), "Ben", "me too");
    // The comment is written, and the answer is lost.
    let call = world.services.calls().len() + 1;
    world.services.fail(Fault { call, is_heard: true, kills: false });
    world.settle().await;
    assert!(world.services.calls()[call].starts_with("comment Defender"), "{:#?}", world.services.calls());
    let key = format!("{TENANT}/{ID}");
    let record = world.ledger().record(&key).await.unwrap().unwrap();
    assert!(record.comments[0].parts[0].id.is_some(), "{:?}", record.comments);
}

#[tokio::test(start_paused = true)]
async fn one_direction_alone_writes_what_changes_there_and_leaves_the_rest() {
    for target in Side::ALL {
        let mut world = World::with_one(Options::default()).await;
        world.options.write.retain(|(side, _)| *side == target);
        world.restart().await;
        let name = world.sentinel_id();
        world.services.set(Side::Defender, ID, Field::Status, "inProgress");
        world.services.set(Side::Sentinel, &name, Field::Owner, "ben@contoso.com");
        for side in [target.other()] {
            world.offer_from(side, world.services.all(side)).await;
        }
        world.work().await;
        let (status, owner) = match target {
            Side::Defender => ("New", "ben@contoso.com"),
            Side::Sentinel => ("Active", ""),
        };
        assert_eq!(world.value(Side::Sentinel, Field::Status), status);
        assert_eq!(world.value(Side::Defender, Field::Owner), owner);
    }
}
