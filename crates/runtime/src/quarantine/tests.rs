use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::DateTime;

use super::dir::QuarantineDir;
use super::*;
use model::event::{Batch, Event};
use model::value::Value;

fn reason() -> Reason {
    Reason { code: "too_large", message: "over the limit".to_owned(), request_id: None }
}

fn entries(dir: &Path) -> Vec<Entry> {
    Contents::of(dir, "a").unwrap().unwrap().entries().map(Result::unwrap).collect()
}

fn lines(dir: &Path) -> Vec<serde_json::Value> {
    entries(dir).iter().map(|entry| serde_json::from_slice(&entry.to_line().unwrap()).unwrap()).collect()
}

/// The numbers that events have as `n`.
fn numbers(dir: &Path) -> Vec<i64> {
    lines(dir).iter().map(|line| line["event"]["n"].as_i64().unwrap()).collect()
}

fn event(text: &'static [u8]) -> Event {
    Event::new(Bytes::from_static(text), None)
}

fn number(n: i64) -> Event {
    Event::new(format!("{{\"n\":{n}}}").into(), None)
}

async fn keep(quarantine: &Quarantine, event: Event) -> Result<(), QuarantineError> {
    quarantine.keep(&event, &reason(), DateTime::UNIX_EPOCH).await
}

/// Keeps events with these numbers together.
async fn keep_numbers(quarantine: &Quarantine, numbers: std::ops::Range<i64>) -> Kept {
    let batch: Batch = numbers.map(number).collect();
    let stream = Some("Custom-A_CL".to_owned());
    let refused = |event| Refused { event, reason: reason(), stream: stream.clone() };
    let refused: Vec<_> = (0..batch.len()).map(refused).collect();
    quarantine.keep_all(&batch, &refused, DateTime::UNIX_EPOCH).await
}

fn remove(dir: &Path, which: impl Fn(&Entry) -> bool) {
    let removal = Removal::begin(dir, "a").unwrap();
    let entries = removal.contents().entries().map(Result::unwrap);
    let places: Vec<_> = entries.filter(which).map(|entry| entry.at).collect();
    removal.remove(&places).unwrap();
    removal.finish().unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir.join("quarantine/a")).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with("lock")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_event_is_kept_whole_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
    for text in [&b"{\"x\":1.50}"[..], b"not json \xff", b"{\n}"] {
        keep(&quarantine, event(text)).await.unwrap();
    }
    let lines = lines(dir.path());
    assert_eq!(lines[0]["id"], "1-0");
    assert_eq!(lines[0]["event"]["x"], 1.5);
    assert_eq!(lines[0]["code"], "too_large");
    assert_eq!(lines[1]["event"], "not json \u{fffd}");
    assert_eq!(lines[1]["not_utf8"][""], BASE64_STANDARD.encode(b"not json \xff"));
    assert_eq!(lines[0]["not_utf8"], serde_json::Value::Null);
    assert_eq!(lines[2]["event"], "{\n}");
}

#[tokio::test]
async fn an_event_comes_out_as_it_was_put_in() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
    let blob = Value::Bytes(Bytes::from_static(b"\xff\x00"));
    let fields = [
        ("a/b".to_owned(), Value::Array(vec![Value::Null, blob.clone(), Value::Float(2.0)])),
        (
            "a".to_owned(),
            Value::Object([("b".to_owned(), blob), ("n".to_owned(), Value::Integer(-1))].into()),
        ),
    ];
    let events = [
        event(b"{\"x\":1.50}"),
        event(b"not json \xff"),
        event(b"{\n}"),
        Event::new(Bytes::from_static(b"{}"), DateTime::from_timestamp(1_700_000_000, 5)),
        Event::from_value(Value::Object(fields.into())),
    ];
    for event in &events {
        keep(&quarantine, event.clone()).await.unwrap();
    }
    let lines = lines(dir.path());
    assert_eq!(lines[4]["event"]["a/b"][1], "\u{fffd}\0");
    assert_eq!(lines[4]["not_utf8"]["/a/b/1"], "/wA=");
    for (entry, event) in entries(dir.path()).iter().zip(events) {
        assert_eq!(entry.event(), Some(event));
    }
}

#[tokio::test]
async fn a_full_quarantine_takes_nothing_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 60).unwrap();
    keep(&quarantine, number(1)).await.expect("what alone is over the limit is kept");
    let error = keep(&quarantine, number(2)).await.unwrap_err().to_string();
    assert!(error.contains("full") && error.contains("quarantine.max_bytes"), "{error}");
    assert_eq!(numbers(dir.path()), [1]);
    std::fs::rename(dir.path().join("quarantine/a/000001.ndjson"), dir.path().join("elsewhere")).unwrap();
    keep(&quarantine, number(3)).await.unwrap();
    assert_eq!(numbers(dir.path()), [3]);
    remove(dir.path(), |_| true);
    keep(&quarantine, number(4)).await.unwrap();
    assert_eq!(numbers(dir.path()), [4]);
    quarantine.set_mode(Mode::Redelivery);
    keep(&quarantine, number(5)).await.expect("what was here before has its room");
    assert_eq!((quarantine.stored_count(), quarantine.bytes() > 60), (4, true));
}

#[tokio::test]
async fn of_many_events_as_many_are_kept_as_there_is_room_for() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 1_000).unwrap();
    let kept = keep_numbers(&quarantine, 0..20).await;
    assert!((3..20).contains(&kept.count), "{}", kept.count);
    assert!(matches!(kept.failure, Some(QuarantineError::Full { .. })));
    assert_eq!(numbers(dir.path()).len(), kept.count);
}

#[tokio::test]
async fn files_rotate_and_what_is_closed_may_be_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::at(QuarantineDir::new(dir.path(), "a"), 1_000_000, 1_000).unwrap();
    assert_eq!(keep_numbers(&quarantine, 0..20).await.count, 20);
    for n in 20..40 {
        keep(&quarantine, number(n)).await.unwrap();
    }
    let names = files(dir.path());
    assert!((5..15).contains(&names.len()), "{names:?}");
    assert_eq!(names[0], "000001.ndjson");
    let large = names
        .iter()
        .find(|name| std::fs::metadata(dir.path().join("quarantine/a").join(name)).unwrap().len() > 1_000);
    assert_eq!(large, None);
    assert_eq!(numbers(dir.path()), (0..40).collect::<Vec<_>>());
    let ids: std::collections::BTreeSet<_> = entries(dir.path()).into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 40);
    assert_eq!(lines(dir.path())[7]["stream"], "Custom-A_CL");

    std::fs::remove_file(dir.path().join("quarantine/a/000001.ndjson")).unwrap();
    let rest = numbers(dir.path());
    assert!(rest[0] > 0, "{rest:?}");
    keep(&quarantine, number(40)).await.unwrap();
    assert_eq!(numbers(dir.path()).len(), rest.len() + 1);
    assert_eq!(*numbers(dir.path()).last().unwrap(), 40);
}

#[tokio::test]
async fn what_is_removed_leaves_everything_else_and_its_ids() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::at(QuarantineDir::new(dir.path(), "a"), 1_000_000, 1_000).unwrap();
    keep_numbers(&quarantine, 0..20).await;
    let before: Vec<_> = entries(dir.path()).into_iter().map(|entry| entry.id).collect();
    let odd = |entry: &Entry| before.iter().position(|id| *id == entry.id).unwrap() % 2 == 1;
    let bytes = Contents::of(dir.path(), "a").unwrap().unwrap().file_bytes();
    remove(dir.path(), odd);
    assert_eq!(numbers(dir.path()), (0..20).step_by(2).collect::<Vec<_>>());
    let after: Vec<_> = entries(dir.path()).into_iter().map(|entry| entry.id).collect();
    assert_eq!(after, before.iter().step_by(2).cloned().collect::<Vec<_>>());
    assert!(Contents::of(dir.path(), "a").unwrap().unwrap().file_bytes() < bytes * 2 / 3, "the room is free");
    // What is put there next has another id than anything ever had.
    keep(&quarantine, number(20)).await.unwrap();
    let id = entries(dir.path()).pop().unwrap().id;
    assert!(!before.contains(&id), "{id}");
    remove(dir.path(), |_| true);
    assert_eq!(entries(dir.path()).len(), 0);
    assert_eq!(files(dir.path()).len(), 1, "the file that grows");
}

#[tokio::test]
async fn a_removal_that_is_killed_has_removed_what_it_said_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 1_000_000).unwrap();
    keep_numbers(&quarantine, 0..5).await;
    let removal = Removal::begin(dir.path(), "a").unwrap();
    let places: Vec<_> = entries(dir.path()).iter().skip(1).take(2).map(|entry| entry.at).collect();
    removal.remove(&places).unwrap();
    // It ends here, and a new one frees the room.
    drop(removal);
    assert_eq!(numbers(dir.path()), [0, 3, 4]);
    remove(dir.path(), |entry| entry.event_text().contains('3'));
    assert_eq!(numbers(dir.path()), [0, 4]);
    let text = std::fs::read_to_string(dir.path().join("quarantine/a/000001.ndjson")).unwrap();
    assert!(!text.contains("  "), "{text}");
}

#[tokio::test]
async fn one_command_removes_at_a_time_and_events_are_kept_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 1_000_000).unwrap();
    keep_numbers(&quarantine, 0..3).await;
    let removal = Removal::begin(dir.path(), "a").unwrap();
    let busy = Removal::begin(dir.path(), "a").unwrap_err();
    assert!(busy.to_string().contains("wait until it has ended"), "{busy}");
    keep(&quarantine, number(3)).await.unwrap();
    let there = removal.contents().entries().map(Result::unwrap);
    removal.remove(&there.map(|entry| entry.at).collect::<Vec<_>>()).unwrap();
    removal.finish().unwrap();
    assert_eq!(numbers(dir.path()), [3]);
    Removal::begin(dir.path(), "a").unwrap();
}

#[tokio::test]
async fn adding_and_removing_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Arc::new(Quarantine::at(QuarantineDir::new(dir.path(), "a"), 10_000_000, 500).unwrap());
    let adding = tokio::spawn({
        let quarantine = Arc::clone(&quarantine);
        async move {
            for n in (0..300).step_by(3) {
                assert_eq!(keep_numbers(&quarantine, n..n + 3).await.count, 3);
            }
        }
    });
    let mut removed = Vec::new();
    while removed.len() < 300 {
        let removal = Removal::begin(dir.path(), "a").unwrap();
        let found: Vec<_> = removal.contents().entries().map(Result::unwrap).collect();
        removal.remove(&found.iter().map(|entry| entry.at).collect::<Vec<_>>()).unwrap();
        removal.finish().unwrap();
        let event = |entry: &Entry| serde_json::from_str::<serde_json::Value>(&entry.event_text()).unwrap();
        removed.extend(found.iter().map(|entry| event(entry)["n"].as_i64().unwrap()));
        tokio::task::yield_now().await;
    }
    adding.await.unwrap();
    assert_eq!(removed, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_one_file_of_earlier_versions_is_read_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("quarantine")).unwrap();
    let old = |n| {
        format!(
            "{{\"time\":\"2026-01-01T00:00:00Z\",\"code\":\"refused\",\"message\":\"m\",\"request_id\":\"r\",\"bytes\":7,\"event\":{{\"n\":{n}}}}}\n"
        )
    };
    let file = dir.path().join("quarantine/a.ndjson");
    std::fs::write(&file, [old(1), old(2), old(3)].concat()).unwrap();
    assert_eq!(components(dir.path()).unwrap(), ["a"]);
    assert_eq!(numbers(dir.path()), [1, 2, 3]);
    let quarantine = Quarantine::open(dir.path(), "a", 400).unwrap();
    keep(&quarantine, number(4)).await.expect_err("the old file counts");
    let ids: Vec<_> = entries(dir.path()).into_iter().map(|entry| entry.id).collect();
    remove(dir.path(), |entry| entry.id == ids[0]);
    keep(&quarantine, number(4)).await.unwrap();
    assert_eq!(numbers(dir.path()), [2, 3, 4]);
    assert_eq!(entries(dir.path())[0].id, ids[1], "an id stays");
    remove(dir.path(), |_| true);
    assert!(!file.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path().join("data"), "a", 10_000).unwrap();
    keep_numbers(&quarantine, 0..3).await;
    let data = dir.path().join("data");
    remove(&data, |entry| entry.id == "1-0");
    for (path, mode) in [
        ("data", 0o700),
        ("data/quarantine", 0o700),
        ("data/quarantine/a", 0o700),
        ("data/quarantine/a/lock", 0o600),
        ("data/quarantine/a/000001.ndjson", 0o600),
        ("data/quarantine/a/000002.ndjson", 0o600),
    ] {
        let found = std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_does_not_spoil_the_next() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("quarantine/a")).unwrap();
    std::fs::write(dir.path().join("quarantine/a/000001.ndjson"), "{\"time\":").unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 10_000).unwrap();
    keep_numbers(&quarantine, 0..2).await;
    let found = entries(dir.path());
    let codes: Vec<_> = found.iter().map(|entry| entry.code.as_str()).collect();
    assert_eq!(codes, [UNREADABLE, "too_large", "too_large"]);
    assert_eq!((found[0].event(), found[0].event_text().as_ref()), (None, "{\"time\":"));
    remove(dir.path(), |entry| entry.id == found[1].id);
    let after = entries(dir.path());
    let ids: Vec<_> = after.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, [found[0].id.as_str(), found[2].id.as_str()]);
    assert_eq!((after[0].event(), after[0].code.as_str()), (None, UNREADABLE));
    remove(dir.path(), |entry| entry.code == UNREADABLE);
    assert_eq!(numbers(dir.path()), [1]);
}
