//! The health of a direction: what it says while writing does not work.

use runtime::health::Part;

use super::super::brake::SafetyConfig;
use super::*;

fn parts(world: &World, side: Side) -> Vec<(Part, &'static str)> {
    let troubles = world.health(side).troubles();
    troubles.into_iter().map(|(part, trouble)| (part, trouble.error_type)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_direction_whose_writes_are_all_forbidden_is_not_well_until_one_is_written() {
    let mut world = World::with_one(Options::default()).await;
    world.services.forbid("write Sentinel");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.offer().await;
    world.clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(parts(&world, Side::Sentinel), [(Part::Requests, "forbidden")]);
    assert_eq!(parts(&world, Side::Defender), [] as [(Part, &str); 0], "the other direction is its own");
    world.services.accept_all();
    world.settle().await;
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
    assert_eq!(parts(&world, Side::Sentinel), [] as [(Part, &str); 0]);
}

#[tokio::test(start_paused = true)]
async fn one_incident_that_is_refused_for_what_it_says_is_not_the_directions_health() {
    let mut world = World::with_one(Options::default()).await;
    world.services.refuse("write Sentinel status");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.settle().await;
    assert_eq!(world.quarantined(Side::Sentinel).len(), 1);
    assert_eq!(parts(&world, Side::Sentinel), [] as [(Part, &str); 0]);
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_is_halted_is_not_well_until_it_is_resumed() {
    let safety = SafetyConfig { max_incidents: 1, window_secs: 600 };
    let write = vec![(Side::Sentinel, WriteConfig { safety, ..WriteConfig::default() })];
    let mut world = World::start(Options { write, ..Options::default() }).await;
    for id in ["31", "32", "33"] {
        world.services.put(Side::Defender, incident(id));
    }
    world.settle().await;
    assert_eq!(parts(&world, Side::Sentinel), [] as [(Part, &str); 0], "creating does not count");
    for id in ["31", "32", "33"] {
        world.services.set(Side::Defender, id, Field::Status, "resolved");
    }
    world.settle().await;
    // It is looked at every two seconds.
    world.clock.sleep(Duration::from_secs(3)).await;
    assert_eq!(parts(&world, Side::Sentinel), [(Part::Halt, "halted")]);
    assert!(world.health(Side::Sentinel).troubles()[0].1.why.contains("incidents"));
}
