//! What a service does not take, or has no room for.

use super::*;
use incident_model::comment::MAX_COMMENTS;

#[tokio::test(start_paused = true)]
async fn what_the_service_will_never_take_is_in_the_quarantine_with_the_reason_and_stops_nothing_else() {
    let mut world = World::with_one(Options::default()).await;
    world.services.refuse("write Sentinel status");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.settle().await;
    let kept = world.quarantined(Side::Sentinel);
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert!(kept[0].starts_with("refused: ") && kept[0].contains("the service refuses it"), "{kept:#?}");
    assert!(kept[0].contains(&format!("{TENANT}/{ID}")), "{kept:#?}");
    world.services.set(Side::Sentinel, &world.sentinel_id(), Field::Owner, "ben@contoso.com");
    world.settle().await;
    assert_eq!(world.value(Side::Defender, Field::Owner), "ben@contoso.com");
}

#[tokio::test(start_paused = true)]
async fn a_comment_that_is_refused_is_kept_and_those_after_it_are_copied() {
    let mut world = World::with_one(Options::default()).await;
    world.services.refuse("comment Sentinel Eve");
    world.services.say(Side::Defender, ID, "Eve", "not this one");
    world.services.say(Side::Defender, ID, "Ann", "this one");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.settle().await;
    let copied = texts(&world.services.only(Side::Sentinel));
    assert_eq!(copied.len(), 1, "{copied:#?}");
    assert!(copied[0].ends_with("this one"), "{copied:#?}");
    let kept = world.quarantined(Side::Sentinel);
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert!(kept[0].contains("not this one") && kept[0].contains("the service refuses it"), "{kept:#?}");
    let calls = world.services.calls().len();
    world.settle().await;
    assert_eq!(world.services.calls().len(), calls, "it is settled");
}

#[tokio::test(start_paused = true)]
async fn the_last_comment_that_has_room_is_copied_even_if_its_answer_is_lost_and_the_next_is_kept() {
    let mut world = World::with_one(Options::default()).await;
    let name = world.sentinel_id();
    for nth in 1..MAX_COMMENTS {
        world.services.say(Side::Sentinel, &name, "Ben", &format!("comment {nth}"));
    }
    world.settle().await;
    world.services.say(Side::Defender, ID, "Ann", "the last");
    let call = world.services.calls().len() + 2;
    world.services.fail(Fault { call, is_heard: true, kills: true });
    world.settle().await;
    assert!(
        world.services.calls()[call].starts_with("comment Sentinel Ann"),
        "{:?}",
        world.services.calls()[call]
    );
    assert_eq!(world.quarantined(Side::Sentinel), [] as [String; 0]);
    assert_eq!(texts(&world.services.only(Side::Sentinel)).len() as u64, MAX_COMMENTS);
    world.services.say(Side::Defender, ID, "Ann", "one more");
    world.settle().await;
    let kept = world.quarantined(Side::Sentinel);
    assert_eq!(kept.len(), 1, "{kept:#?}");
    for words in ["comment_limit: ", "has 100 comments", &name, "one more"] {
        assert!(kept[0].contains(words), "{words}: {kept:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_the_other_side_does_not_know_is_said_and_the_rest_is_written() {
    let mut world = World::start(Options::default()).await;
    world.services.refuse("create Sentinel stranger");
    world.services.refuse("write Sentinel owner=stranger");
    world.services.put(Side::Defender, incident(ID));
    world.services.set(Side::Defender, ID, Field::Owner, "stranger@contoso.com");
    world.settle().await;
    assert_eq!(world.value(Side::Sentinel, Field::Owner), "");
    let notices = world.notices().await;
    assert!(notices[0].contains("does not take 'stranger@contoso.com' as an owner"), "{notices:#?}");
    assert!(notices[0].contains("sync.owners_file"), "{notices:#?}");
    world.services.set(Side::Defender, ID, Field::Owner, "stranger2@contoso.com");
    world.services.edit(Side::Defender, ID, |incident| incident.tags = Some(["vip".to_owned()].into()));
    world.settle().await;
    assert!(world.seen(Side::Sentinel).0.contains(&"#vip".to_owned()));
    assert_eq!(world.quarantined(Side::Sentinel), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_not_blamed_for_what_else_is_refused() {
    let mut world = World::with_one(Options::default()).await;
    world.services.refuse("write Sentinel severity");
    world.services.refuse("write Sentinel status");
    world.services.set(Side::Defender, ID, Field::Owner, "ann@contoso.com");
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.settle().await;
    assert_eq!(world.quarantined(Side::Sentinel).len(), 1);
    world.services.accept_all();
    world.services.edit(Side::Defender, ID, |_| ());
    world.settle().await;
    assert_eq!(world.value(Side::Sentinel, Field::Owner), "ann@contoso.com");
    assert_eq!(world.value(Side::Sentinel, Field::Status), "Active");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_told_once_even_if_writing_takes_several_tries() {
    let mut world = World::with_one(Options::default()).await;
    world.services.set(Side::Sentinel, &world.sentinel_id(), Field::Status, "Active");
    world.services.set(Side::Defender, ID, Field::Status, "resolved");
    // More often than it reads it in one go.
    world.services.be_stale(7);
    world.offer_from(Side::Defender, world.services.all(Side::Defender)).await;
    world.work().await;
    world.settle().await;
    assert!(world.services.only(Side::Sentinel).is_closed());
    let conflicts = world.events("conflict").await;
    assert_eq!(conflicts.len(), 1, "{conflicts:#?}");
    assert_eq!(conflicts[0]["winner"], "defender");
    assert_eq!(
        (&conflicts[0]["in_defender"], &conflicts[0]["in_sentinel"]),
        (&"resolved".into(), &"Active".into())
    );
    assert_eq!(conflicts[0]["defender"]["incident_id"], ID);
    assert_eq!(conflicts[0]["sentinel"]["incident_name"], world.sentinel_id());
}

#[tokio::test(start_paused = true)]
async fn a_word_that_sentinel_has_none_for_is_said_when_the_incident_is_created() {
    let mut world = World::start(Options::default()).await;
    world.services.put(Side::Defender, incident(ID));
    world.services.set(Side::Defender, ID, Field::Severity, "somethingNew");
    world.services.set(Side::Defender, ID, Field::Status, "parked");
    world.settle().await;
    let notices = world.notices().await;
    assert!(notices.iter().any(|notice| notice.contains("no word for the status 'parked'")), "{notices:#?}");
    assert_eq!(world.value(Side::Defender, Field::Status), "parked");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_settled_as_its_field_says_or_left_to_people_and_told_once() {
    for (policy, defender, sentinel) in [
        ("defender", "resolved", "Closed"),
        ("sentinel", "inProgress", "Active"),
        ("manual", "resolved", "Active"),
    ] {
        let sync = json!({"conflicts": {"status": policy}});
        let mut world = World::with_one(Options { sync, ..Options::default() }).await;
        let name = world.sentinel_id();
        world.services.set(Side::Sentinel, &name, Field::Status, "Active");
        world.services.set(Side::Defender, ID, Field::Status, "resolved");
        world.services.edit(Side::Defender, ID, |incident| incident.tags = Some(["vip".to_owned()].into()));
        world.settle().await;
        world.restart().await;
        world.settle().await;
        let values = Side::ALL.map(|side| world.value(side, Field::Status));
        assert_eq!(values, [defender, sentinel], "{policy}");
        assert!(
            world.seen(Side::Sentinel).0.contains(&"#vip".to_owned()),
            "{policy}: it holds nothing else up"
        );
        let conflicts = world.events("conflict").await;
        assert_eq!((conflicts.len(), &conflicts[0]["field"]), (1, &json!("status")), "{conflicts:#?}");
        // Once both are the same, it moves again.
        world.services.set(Side::Sentinel, &name, Field::Status, "Closed");
        world.settle().await;
        world.services.set(Side::Defender, ID, Field::Status, "active");
        world.settle().await;
        assert_eq!(world.value(Side::Sentinel, Field::Status), "New", "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_comment_after_it_was_copied_is_said_once_and_its_copy_stays() {
    for side in Side::ALL {
        let mut world = World::with_one(Options::default()).await;
        let id = if side == Side::Defender { ID.to_owned() } else { world.sentinel_id() };
        for text in ["first", "second"] {
            world.services.say(side, &id, "Ben", text);
        }
        world.settle().await;
        let copies = texts(&world.services.only(side.other()));
        world.services.edit(side, &id, |incident| {
            let comments = incident.comments.as_mut().unwrap();
            comments[0].text.push_str(", on second thoughts");
            comments.truncate(1);
        });
        world.settle().await;
        world.restart().await;
        world.settle().await;
        let notices = world.notices().await;
        for words in [
            format!("was edited in {side} after it was copied; its copy in {} stays as it is", side.other()),
            format!("was removed in {side} after it was copied"),
        ] {
            assert_eq!(notices.iter().filter(|notice| notice.contains(&words)).count(), 1, "{notices:#?}");
        }
        assert_eq!((notices.len(), texts(&world.services.only(side.other()))), (2, copies), "{side}");
    }
}
