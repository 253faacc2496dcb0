//! Incidents that are gone, that belong to somebody else, or that another connector has brought.

use super::super::target::Located;
use super::*;
use incident_model::snapshot::Origin;

const NATIVE: &str = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";

fn merged_into(id: &str) -> Own {
    let Own::Defender(profile) = incident(ID).own else { unreachable!() };
    Own::Defender(Profile { merged_into: Some(id.to_owned()), ..profile })
}

/// An incident that Microsoft's own connector has brought.
fn native(tenant: Option<&str>) -> Snapshot {
    let fields = [(Field::Status, "New"), (Field::Severity, "High"), (Field::Owner, "")];
    Snapshot {
        id: NATIVE.to_owned(),
        fields: fields.map(|(field, value)| (field, value.to_owned())).into(),
        own: Own::Sentinel(Origin {
            provider: "Microsoft XDR".to_owned(),
            provider_incident_id: ID.to_owned(),
            provider_tenant: tenant.map(ToOwned::to_owned),
            ..Origin::default()
        }),
        ..incident(NATIVE)
    }
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_was_deleted_in_sentinel_is_said_once_and_not_made_again() {
    let mut world = World::with_one(Options::default()).await;
    world.services.remove(Side::Sentinel, &world.sentinel_id());
    for status in ["inProgress", "active", "resolved"] {
        world.services.set(Side::Defender, ID, Field::Status, status);
        world.settle().await;
    }
    assert!(world.services.all(Side::Sentinel).is_empty());
    assert_eq!(world.notices().await, ["The incident is gone from Sentinel: nothing is written any more."]);
}

#[tokio::test(start_paused = true)]
async fn beside_microsofts_connector_only_what_it_does_not_carry_is_written() {
    let mut world = World::start(Options::default()).await;
    world.services.locate_as(Located::Native(NATIVE.to_owned()));
    world.services.put(Side::Defender, incident(ID));
    world.services.put(Side::Sentinel, native(Some(TENANT)));
    world.services.set(Side::Defender, ID, Field::Status, "inProgress");
    world.services.say(Side::Defender, ID, "Ann", "ok");
    world.services.set(Side::Sentinel, NATIVE, Field::Owner, "ben@contoso.com");
    world.services.say(Side::Sentinel, NATIVE, "the connector", "ok");
    // Which has the words of another comment in it, and is none.
    world.services.say(Side::Sentinel, NATIVE, "Ben", "looks ok to me, but ask Ann");
    world.services.edit(Side::Sentinel, NATIVE, |incident| incident.tags = Some(["vip".to_owned()].into()));
    world.settle().await;
    let writes = world.services.writes();
    assert!(writes.iter().all(|write| write.contains("Defender")), "{writes:#?}");
    assert_eq!(world.seen(Side::Defender).0.last().unwrap(), "#vip");
    assert_eq!(world.value(Side::Defender, Field::Owner), "");
    let comments = texts(&world.services.only(Side::Defender));
    assert_eq!(comments.len(), 2, "{comments:#?}");
    assert!(comments[1].ends_with("looks ok to me, but ask Ann"), "{comments:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_of_another_tenant_is_never_written() {
    // The workspace's own connector brings incident 29 of its own tenant, and the sink writes to another one's.
    let mut world = World::start(Options::default()).await;
    world.services.put(Side::Defender, incident(ID));
    world.services.put(Side::Sentinel, native(Some("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")));
    world.services.say(Side::Sentinel, NATIVE, "Ben", "about another tenant's incident");
    world.services.edit(Side::Sentinel, NATIVE, |incident| incident.tags = Some(["vip".to_owned()].into()));
    world.offer_from(Side::Sentinel, world.services.all(Side::Sentinel)).await;
    world.work().await;
    assert_eq!(world.services.writes(), [] as [String; 0]);
    let notices = world.notices().await;
    assert!(notices[0].contains("another tenant"), "{notices:#?}");
}

#[tokio::test(start_paused = true)]
async fn two_incidents_of_sentinel_are_not_mixed_up_when_microsofts_connector_brings_the_same_one_later() {
    let mut world = World::with_one(Options::default()).await;
    let mut theirs = native(Some(TENANT));
    theirs.version = at(500);
    theirs.fields.insert(Field::Status, "Closed".to_owned());
    theirs.tags = Some(["theirs".to_owned()].into());
    world.offer_from(Side::Sentinel, vec![theirs]).await;
    world.work().await;
    let writes = world.services.writes();
    assert_eq!(writes, ["create Sentinel "]);
    // Ours goes on.
    world.services.set(Side::Sentinel, &world.sentinel_id(), Field::Status, "Active");
    world.settle().await;
    assert_eq!(world.value(Side::Defender, Field::Status), "inProgress");
}

#[tokio::test(start_paused = true)]
async fn comments_that_a_pipeline_took_out_were_not_removed() {
    let mut world = World::with_one(Options::default()).await;
    world.services.say(Side::Defender, ID, "Ann", "looking");
    world.settle().await;
    let mut merged = world.services.only(Side::Defender);
    merged.fields.insert(Field::Status, "redirected".to_owned());
    merged.own = merged_into("30");
    (merged.version, merged.comments) = (at(900), None);
    world.offer_from(Side::Defender, vec![merged]).await;
    world.work().await;
    assert_eq!(world.notices().await, [] as [String; 0]);
    let comments = texts(&world.services.only(Side::Sentinel));
    assert!(comments[1].ends_with("This incident was merged into incident 30."), "{comments:#?}");
    // Nor is what we said of it, which Defender never had.
    world.services.edit(Side::Defender, ID, |incident| incident.own = merged_into("30"));
    world.services.set(Side::Defender, ID, Field::Status, "redirected");
    world.services.edit(Side::Defender, ID, |incident| incident.version = at(901));
    world.offer_from(Side::Defender, world.services.all(Side::Defender)).await;
    world.work().await;
    assert_eq!(world.notices().await, [] as [String; 0]);
    assert_eq!(texts(&world.services.only(Side::Sentinel)).len(), 2);
    // What is said in Sentinel now is not copied, and that is said.
    world.services.say(Side::Sentinel, &world.sentinel_id(), "Ben", "why?");
    world.offer_from(Side::Sentinel, world.services.all(Side::Sentinel)).await;
    world.work().await;
    let notices = world.notices().await;
    assert!(
        notices.len() == 1 && notices[0].contains("was merged into another one in Defender"),
        "{notices:#?}"
    );
    assert_eq!(texts(&world.services.only(Side::Defender)).len(), 1);
}
